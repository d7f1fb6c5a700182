# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program itself, as somebody runs it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from labmirror.catalogue import Archive, Image, Repository, Single, catalogue, minors
from labmirror.mirror import architecture
from labmirror.store import Store
from standin import StandIn

PROGRAM = Path(__file__).resolve().parents[2] / "lab" / "artefacts" / "artefacts.py"


def run(cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), "--cache", str(cache), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def publish(standin: StandIn, minor: str) -> list[str]:
    """Everything of a minor, as its publishers would have it; their hosts."""
    items = catalogue(minor, architecture()).items
    for item in items:
        if isinstance(item, Image):
            standin.image(item.name)
        elif isinstance(item, Repository):
            standin.repository(item.name, [(package.name, package.version) for package in item.packages])
        elif isinstance(item, (Archive, Single)):
            standin.file(item.name, item.name.encode(), item.checksum)
        else:
            standin.file(item.name, item.holds.encode())
    return sorted({item.name.split("/")[0] for item in items})


@pytest.mark.parametrize("minor", minors())
def test_a_whole_minor_comes_from_its_publishers(tmp_path: Path, standin: StandIn, minor: str) -> None:
    """Would catch any artefact whose name, as it is spelled here, is not one that can be asked for over the network."""
    hosts = publish(standin, minor)
    standin.tokens |= {"ghcr.io"}
    standin.redirected |= {"registry.k8s.io"}
    at = [word for host, url in standin.at(*hosts).items() for word in ("--upstream-at", f"{host}={url}")]
    done = run(tmp_path, "--upstream", "only", *at, "make", minor)
    assert done.returncode == 0, done.stderr
    had = dict(reversed(line.split()) for line in done.stdout.splitlines())
    assert had == {item.name: "upstream" for item in catalogue(minor, architecture()).items}
    assert run(tmp_path, "check").returncode == 0
    asked = len(standin.asked)
    assert run(tmp_path, "--upstream", "only", *at, "make", minor).stdout == done.stdout
    assert len(standin.asked) == asked


def test_damage_is_found_and_named(tmp_path: Path, standin: StandIn) -> None:
    """Would catch a disk's error being served to nodes."""
    hosts = publish(standin, "1.36")
    at = [word for host, url in standin.at(*hosts).items() for word in ("--upstream-at", f"{host}={url}")]
    assert run(tmp_path, "--upstream", "only", *at, "make", "1.36").returncode == 0
    store = Store(tmp_path / "mirror")
    record = next(record for record in store.records() if "pause" in record.name)
    store.blob(record.blobs[0]).write_bytes(b"damaged")
    done = run(tmp_path, "check")
    assert done.returncode == 1
    assert record.name in done.stdout
    assert "make" in done.stderr


def test_cleaning_keeps_what_is_served(tmp_path: Path, standin: StandIn) -> None:
    """Would catch `clean` taking what it should keep, or keeping what it should take."""
    hosts = publish(standin, "1.36")
    at = [word for host, url in standin.at(*hosts).items() for word in ("--upstream-at", f"{host}={url}")]
    assert run(tmp_path, "--upstream", "only", *at, "make", "1.36").returncode == 0
    (tmp_path / "go" / "build").mkdir(parents=True)
    (tmp_path / "go" / "build" / "object").write_bytes(b"x" * 100)
    assert run(tmp_path, "clean").returncode == 0
    assert not (tmp_path / "go").exists()
    assert run(tmp_path, "check").returncode == 0
    assert run(tmp_path, "clean", "--all").returncode == 0
    assert not list(tmp_path.rglob("blobs/sha256/*"))


def test_it_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """Would catch a server that says its address before it answers, or that stays."""
    command = [sys.executable, str(PROGRAM), "--cache", str(tmp_path), "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = json.loads(process.stdout.readline())
        connection = http.client.HTTPConnection("127.0.0.1", int(said["url"].rsplit(":", maxsplit=1)[1]), timeout=10)
        connection.request("GET", "/v2/")
        assert connection.getresponse().status == 200
        connection.close()
        os.kill(said["pid"], signal.SIGTERM)
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["make", "1.20"], ["Kubernetes 1.20", "1.36", "choose one"]),
        (["--upstream-at", "quay.io", "make"], ["--upstream-at quay.io", "HOST=ADDRESS"]),
        (["pin", "nothing-1.0"], ["nothing-1.0", "kubernetes-1.36"]),
    ],
)
def test_what_it_does_not_understand(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    """Would catch a traceback in the place of a sentence."""
    done = run(tmp_path, *arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_without_upstream_and_without_building_it_says_so(tmp_path: Path) -> None:
    """Would catch a traceback where nothing answers and nothing may be built."""
    gone = StandIn()
    gone.close()
    hosts = sorted({item.name.split("/")[0] for item in catalogue("1.36").items})
    at = [word for host in hosts for word in ("--upstream-at", f"{host}={gone.url}")]
    done = run(tmp_path, "--upstream", "only", *at, "make", "1.36")
    assert done.returncode == 1
    assert "building is off" in done.stderr
    assert "registry.k8s.io does not answer" in done.stderr
