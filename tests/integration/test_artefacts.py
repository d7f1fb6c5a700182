# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artefacts of the lab's clusters, for real: had, served, pulled by containerd, and run.

The first run on a machine builds for a quarter of an hour, or fetches for a minute where publishers answer.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab" / "artefacts"))

from labmirror.catalogue import Archive, Catalogue, Image, Repository, catalogue, minors, pins  # no installed package
from labmirror.mirror import Mirror, architecture, cache_folder  # as above
from labmirror.programs import Builder  # as above
from labmirror.server import hosts_toml, serving  # as above
from labmirror.steps import Steps  # as above
from labmirror.trouble import Trouble  # as above
from labmirror.upstream import Upstream  # as above

LAB = Path(__file__).resolve().parents[1] / "lab" / "artefacts"
pytestmark = pytest.mark.long


@dataclass
class Filled:
    """A mirror that holds everything of a minor."""

    mirror: Mirror
    catalogue: Catalogue

    def images(self) -> list[Image]:
        return [item for item in self.catalogue.items if isinstance(item, Image)]

    def packages(self) -> dict[str, Path]:
        """The package files by their package's name."""
        found = next(item for item in self.catalogue.items if isinstance(item, Repository))
        record = self.mirror.store.record(found.name)
        assert record
        files = [self.mirror.store.file(name) for name in record.files if name.endswith(".deb")]
        return {path.name.split("_")[0]: path for path in files}


@pytest.fixture(scope="module", params=minors())
def filled(request: pytest.FixtureRequest) -> Filled:
    upstream = None if os.environ.get("SOCLE_UPSTREAM") == "never" else Upstream()
    mirror = Mirror(cache_folder(), LAB / "go", architecture(), upstream)
    found = catalogue(request.param, mirror.arch)
    mirror.fill(found)
    return Filled(mirror, found)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder near the root: a socket's path is at most a hundred characters."""
    with tempfile.TemporaryDirectory(prefix="ctr") as folder:
        yield Path(folder)


def run(*argv: str | Path) -> str:
    done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout + done.stderr


def wait(done: Callable[[], bool], what: str) -> None:
    """Until it is so, for a minute at most."""
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end, f"waited a minute for {what}"
        select.select([], [], [], 0.05)


def test_everything_is_there_and_a_second_run_does_nothing(filled: Filled) -> None:
    """Would catch an artefact whose content is not what its digest says, or a converged mirror building again."""
    names = {item.name for item in filled.catalogue.items}
    records = {record.name: record for record in filled.mirror.store.records()}
    assert names <= set(records)
    assert not [name for name in names if filled.mirror.store.damaged(records[name])]
    said: list[str] = []
    again = Mirror(filled.mirror.cache, filled.mirror.pins, filled.mirror.arch, None, True, said.append)
    again.fill(filled.catalogue)
    assert (said, again.builder) == ([], None)


def test_kubeadm_finds_every_image_it_asks_for(filled: Filled, tmp_path: Path) -> None:
    """Would catch versions of etcd, CoreDNS or pause other than kubeadm's own: it would ask upstream."""
    run("dpkg-deb", "--extract", filled.packages()["kubeadm"], tmp_path)
    version = f"v{filled.catalogue.kubernetes}"
    listed = run(tmp_path / "usr/bin/kubeadm", "config", "images", "list", "--kubernetes-version", version).split()
    assert len(listed) == 7
    assert set(listed) <= {image.name for image in filled.images()}


def test_the_packages_hold_programs_of_their_version(filled: Filled, tmp_path: Path) -> None:
    """Would catch a package whose program is another version than its name says; skew checks would judge by it."""
    for path in filled.packages().values():
        run("dpkg-deb", "--extract", path, tmp_path)
    version = f"v{filled.catalogue.kubernetes}"
    told = json.loads(run(tmp_path / "usr/bin/kubectl", "version", "--client", "-o", "json"))
    assert told["clientVersion"]["gitVersion"] == version
    assert run(tmp_path / "usr/bin/kubeadm", "version", "-o", "short").strip() == version
    assert run(tmp_path / "usr/bin/kubelet", "--version").split()[-1] == version
    assert "crictl version v1." in run(tmp_path / "usr/bin/crictl", "--version")
    assert {"bridge", "portmap", "host-local", "loopback"} <= {
        path.name for path in (tmp_path / "opt/cni/bin").iterdir()
    }


@pytest.fixture
def root_of(filled: Filled, tmp_path: Path) -> Callable[[str], Path]:
    """Unpacks an image of the mirror."""

    def unpack(part: str) -> Path:
        name = next(image.name for image in filled.images() if part in image.name)
        record = filled.mirror.store.record(name)
        assert record
        root = tmp_path / part
        root.mkdir(exist_ok=True)
        for digest in record.blobs:
            blob = filled.mirror.store.blob(digest)
            if tarfile.is_tarfile(blob):
                run("tar", "--directory", root, "--extract", "--file", blob)
        return root

    return unpack


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its root folder")
def test_images_run_with_nothing_but_themselves(filled: Filled, root_of: Callable[[str], Path]) -> None:
    """Would catch a program that needs a library the image lacks, or that is another version than its tag says."""
    version = f"v{filled.catalogue.kubernetes}"
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"):
        assert version in run("chroot", root_of(name), f"/usr/local/bin/{name}", "--version")
    for part, program, argument in (
        ("/etcd:", "/usr/local/bin/etcd", "--version"),
        ("coredns", "/coredns", "-version"),
        ("pause", "/pause", "-v"),
        ("/flannel:", "/opt/bin/flanneld", "--version"),
    ):
        tag = next(image.name.rpartition(":")[2] for image in filled.images() if part in image.name)
        root = root_of(part.strip("/:"))
        assert tag.removeprefix("v").removesuffix("-0") in run("chroot", root, program, argument), part
    for command in (
        "nft --version",
        "iptables --version",
        "ip6tables-restore --version",
        "ipset --version",
        "cp --version",
    ):
        run("chroot", root_of("kube-proxy"), *command.split())


@pytest.mark.skipif(os.geteuid() != 0, reason="containerd wants to be root")
def test_containerd_pulls_every_image_by_its_official_name(filled: Filled, short: Path) -> None:
    """Would catch whatever keeps a node from pulling: names, digests, types, ranges, one upstream taken for another."""
    archive = next(item for item in filled.catalogue.items if isinstance(item, Archive))
    with tarfile.open(filled.mirror.store.file(archive.name)) as tar:
        tar.extractall(short, filter="tar")
    unwanted = [f"io.containerd.{name}" for name in ("cri.v1.images", "cri.v1.runtime", "grpc.v1.cri", "nri.v1.nri")]
    (short / "config.toml").write_text(
        f"version = 3\nroot = '{short}/root'\nstate = '{short}/state'\ndisabled_plugins = {unwanted}\n"
        f"[grpc]\naddress = '{short}/sock'\n[ttrpc]\naddress = '{short}/ttrpc'\n"
    )
    log = (short / "log").open("w")
    with log, serving(filled.mirror.store) as server:
        (short / "certs.d" / "_default").mkdir(parents=True)
        (short / "certs.d" / "_default" / "hosts.toml").write_text(hosts_toml(server.url))
        command = [short / "bin" / "containerd", "--config", short / "config.toml"]
        env = {"PATH": f"{short}/bin:/usr/sbin:/usr/bin"}
        with subprocess.Popen(command, stdout=log, stderr=log, env=env) as daemon:
            try:
                ctr = [str(short / "bin" / "ctr"), "--address", f"{short}/sock", "-n", "k8s.io"]
                wait(lambda: (short / "sock").exists() or daemon.poll() is not None, "containerd's socket")
                for image in filled.images():
                    run(*ctr, "images", "pull", "--hosts-dir", str(short / "certs.d"), image.name)
                listed = {line.split()[0]: line.split()[2] for line in run(*ctr, "images", "ls").splitlines()[1:]}
                checked = run(*ctr, "images", "check").splitlines()
            except AssertionError as error:
                raise AssertionError(f"{error}\n{(short / 'log').read_text()[-3000:]}") from None
            finally:
                daemon.terminate()
                daemon.wait(timeout=60)
    for image in filled.images():
        record = filled.mirror.store.record(image.name)
        assert record
        assert record.descriptor
        assert listed[image.name] == record.descriptor.digest
        state = next(line for line in checked if line.startswith(f"{image.name} "))
        assert " complete " in state
        assert state.endswith(" true"), "it cannot be unpacked"


def test_go_refuses_a_module_that_go_sum_does_not_vouch_for(tmp_path: Path) -> None:
    """Would catch verification being off: a module changed on its way would be built."""
    pin = next(pin for pin in pins() if pin.name.startswith("cni-flannel"))
    shutil.copytree(LAB / "go" / pin.name, tmp_path / pin.name)
    sums = tmp_path / pin.name / "go.sum"
    lines = sums.read_text().splitlines()
    module = f"{next(iter(pin.modules))} "
    changed = [
        line[:-9] + "AAAAAAAA=" if line.startswith(module) and "/go.mod " not in line else line for line in lines
    ]
    assert changed != lines
    sums.write_text("\n".join(changed) + "\n")
    tools = Mirror(cache_folder(), tmp_path, architecture()).tools()
    builder = Builder(tools.go, Steps(tmp_path / "steps", print), tmp_path)
    program = next(program for program in catalogue(minors()[0]).programs() if program.pin.name == pin.name)
    with pytest.raises(Trouble, match="checksum mismatch"):
        builder.build(program)
