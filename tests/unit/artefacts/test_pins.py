# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Go is called, and that what is pinned is what is named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from labmirror.catalogue import KUBERNETES, Image, Pin, catalogue, minors, pins
from labmirror.golang import WEAKENING, toolchain
from labmirror.programs import without
from labmirror.trouble import Trouble

PINS = Path(__file__).resolve().parents[2] / "lab" / "artefacts" / "go"
FOUND = {
    "GOPROXY": "https://modules.example",
    "GOTOOLCHAIN": "local",
    "GOSUMDB": "sums.example",
    "GOVERSION": "go1.26.8",
}


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `go` that tells what it was told to tell."""
    path = tmp_path / "go"
    path.write_text(f'#!/bin/sh\ncat "{tmp_path}/told"\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "told").write_text(json.dumps({**FOUND, "GOOS": "linux", "GOARCH": "amd64"}))
    return tmp_path / "told"


def test_nothing_in_the_environment_weakens_verification(
    go: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would catch a developer's own settings making Go skip the checksum database, change pins or use cgo."""
    for name in WEAKENING:
        monkeypatch.setenv(name, "*")
    monkeypatch.setenv("CGO_ENABLED", "1")
    env = toolchain(tmp_path).env
    assert {name: env.get(name) for name in WEAKENING} == {
        **dict.fromkeys(WEAKENING), "GOFLAGS": "-modcacherw", "GOWORK": "off",
    }  # fmt: skip
    assert (env["GOENV"], env["CGO_ENABLED"], env["GOSUMDB"]) == ("off", "0", "sums.example")
    assert env["GOPROXY"] == "https://modules.example"


def test_verification_that_is_off_is_refused(go: Path, tmp_path: Path) -> None:
    """Would catch modules being built that nothing vouches for."""
    go.write_text(go.read_text().replace("sums.example", "off"))
    with pytest.raises(Trouble, match=r"GOSUMDB is off.*unset it"):
        toolchain(tmp_path)


def test_without_go_a_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would catch a traceback on a machine without Go."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Trouble, match=r"go: not installed; .* install it"):
        toolchain(tmp_path)


@pytest.mark.parametrize("pin", pins(), ids=lambda pin: pin.name)
def test_each_pin_holds_what_the_catalogue_names(pin: Pin) -> None:
    """Would catch a version raised in the catalogue and not in go.mod: the tag would lie about its content."""
    text = (PINS / pin.name / "go.mod").read_text()
    for module, version in pin.modules.items():
        assert re.search(rf"^(require |\t){re.escape(module)} {re.escape(version)}( // indirect)?$", text, re.M), module
    tools = set(re.findall(r"^(?:tool |\t)(\S+)$", text, re.M)) - {"("}
    assert tools == {package for package in pin.packages if package != "."}
    assert not re.search(r"=> \.", text), "a replacement by a folder is outside of every checksum"
    if pin.modules:
        sums = (PINS / pin.name / "go.sum").read_text().splitlines()
        for module, version in pin.modules.items():
            assert any(line.startswith(f"{module} {version} h1:") for line in sums), module


def test_kubernetes_libraries_are_of_the_same_release() -> None:
    """Would catch one library of another release among those of a Kubernetes version."""
    for minor in minors():
        version = catalogue(minor).kubernetes
        text = (PINS / f"kubernetes-{version}" / "go.mod").read_text()
        replaced = dict(re.findall(r"^(?:replace |\t)(k8s\.io/\S+) => \1 (\S+)$", text, re.M))
        assert len(replaced) > 25
        assert set(replaced.values()) == {f"v0.{version.removeprefix('1.')}"}


def test_no_folder_without_use() -> None:
    """Would catch pins of versions that nobody builds any more."""
    assert {path.name for path in PINS.iterdir()} == {pin.name for pin in pins()}


@pytest.mark.parametrize("minor", minors())
def test_a_minor_is_complete_and_unambiguous(minor: str) -> None:
    """Would catch a component that was forgotten, or two artefacts of one name."""
    found = catalogue(minor)
    names = [item.name for item in found.items]
    assert len(set(names)) == len(names)
    assert found.kubernetes.startswith(f"{minor}.")
    assert {*KUBERNETES, "etcd", "etcdctl", "etcdutl", "crictl", "coredns", "flanneld", "flannel", "pause", "bridge",
            "portmap", "loopback", "host-local", "containerd", "containerd-shim-runc-v2", "ctr"} <= {
        program.name for program in found.programs()
    }  # fmt: skip
    by_name: dict[str, str] = {}
    for program in found.programs():
        assert by_name.setdefault(program.name, program.pin.name) == program.pin.name
    versioned = [item.name for item in found.items if isinstance(item, Image) and f"v{found.kubernetes}" in item.name]
    assert len(versioned) == 4


def test_flannels_imports_are_taken_out_by_name() -> None:
    """Would catch flannel built with a backend that cannot be, or its new main.go passing unnoticed."""
    source = 'import (\n\t_ "a/pkg/backend/udp"\n\t_ "a/pkg/backend/vxlan"\n)\n'
    assert without(source, ("udp",)) == 'import (\n\t_ "a/pkg/backend/vxlan"\n)\n'
    with pytest.raises(Trouble, match="imports backend tencentvpc 0 times"):
        without(source, ("udp", "tencentvpc"))
