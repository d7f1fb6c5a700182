# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages and their repository, judged by Debian's own tools."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from labmirror.catalogue import Catalogue, Package, Pin, Program, catalogue
from labmirror.debian import paragraphs, stanza, write
from labmirror.mirror import Mirror
from labmirror.server import serving

REPOSITORY = "packages.example/stable/deb"


def made(package: Package, folder: Path) -> Path:
    """The package, of programs that are a line each."""
    folder.mkdir(exist_ok=True)
    places = {}
    for path, program in package.programs.items():
        places[path] = folder / program.name
        places[path].write_text(f"#!/bin/sh\necho {program.name}\n")
    found = folder / f"{package.name}.deb"
    with found.open("wb") as out, io.BytesIO() as scratch:
        write(package, "amd64", places, out, scratch)
    return found


def told(*argv: str | Path) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def official(name: str) -> Package:
    items = catalogue("1.36").items
    return next(package for item in items for package in getattr(item, "packages", ()) if package.name == name)


def test_dpkg_reads_what_it_needs(tmp_path: Path) -> None:
    """Would catch a package that dpkg refuses, or of other fields than the publisher's."""
    path = made(official("kubeadm"), tmp_path)
    fields = paragraphs(told("dpkg-deb", "--field", path))[0]
    assert fields["Package"] == "kubeadm"
    assert fields["Version"] == "1.36.3-1.1"
    assert fields["Depends"] == "cri-tools (>= 1.30.0)"
    listed = [line.split() for line in told("dpkg-deb", "--contents", path).splitlines()]
    assert {row[1] for row in listed} == {"root/root"}
    modes = {row[5]: row[0] for row in listed}
    assert modes["./usr/bin/kubeadm"] == "-rwxr-xr-x"
    assert modes["./usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"] == "-rw-r--r--"
    assert modes["./usr/lib/systemd/system/"] == "drwxr-xr-x"


def test_the_kubelets_package_starts_it_where_systemd_runs(tmp_path: Path) -> None:
    """Would catch a script that fails where there is no systemd, or one that dpkg would not run."""
    path = made(official("kubelet"), tmp_path)
    told("dpkg-deb", "--extract", path, tmp_path / "root")
    told("dpkg-deb", "--control", path, tmp_path / "control")
    assert (tmp_path / "root" / "etc" / "kubernetes" / "manifests").is_dir()
    script = tmp_path / "control" / "postinst"
    assert script.stat().st_mode & 0o111
    assert "systemctl enable --quiet kubelet.service" in script.read_text()
    told("sh", "-n", script)


def test_the_same_programs_give_the_same_package(tmp_path: Path) -> None:
    """Would catch times or owners of this machine in a package: its digest would change with every run."""
    package = Package("a", "1", "A thing", {"usr/bin/a": Program("a", Pin("a-1", {}, (".",)), ".", "1")})
    assert made(package, tmp_path / "one").read_bytes() == made(package, tmp_path / "two").read_bytes()


def test_fields_of_several_lines_are_read() -> None:
    """Would catch a long description being taken for further fields."""
    rows = paragraphs("Package: a\nDescription: b\n Version: not this\n\nPackage: c\nVersion: 1\n")
    assert rows == [{"Package": "a", "Description": "b"}, {"Package": "c", "Version": "1"}]


def test_an_index_entry_is_what_the_tool_would_write(tmp_path: Path) -> None:
    """Would catch a size or checksum that apt refuses after the download."""
    path = made(official("kubectl"), tmp_path)
    fields = paragraphs(stanza(told("dpkg-deb", "--field", path), "amd64/kubectl.deb", path))[0]
    assert fields["SHA256"] == told("sha256sum", path).split()[0]
    assert int(fields["Size"]) == path.stat().st_size


@pytest.fixture
def apt(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """apt-get with everything of its own, so that nothing of this machine's is read or written."""
    if not shutil.which("apt-get"):
        pytest.skip("no apt-get here")
    root = tmp_path / "apt"
    for folder in ("lists/partial", "cache/archives/partial", "etc/preferences.d", "etc/apt.conf.d"):
        (root / folder).mkdir(parents=True)
    (root / "status").touch()
    (root / "apt.conf").write_text(
        f'Dir::Etc "{root}/etc";\nDir::Etc::sourcelist "{root}/sources";\nDir::Etc::sourceparts "-";\n'
        f'Dir::State::lists "{root}/lists";\nDir::State::status "{root}/status";\nDir::Cache "{root}/cache";\n'
        f'APT::Architecture "amd64";\nAPT::Architectures {{ "amd64"; }};\n\n'
        'APT::Sandbox::User "root";\nAcquire::Languages "none";\n'
        'Acquire::http::Proxy "DIRECT";\nDebug::NoLocking "true";\n'
    )

    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "APT_CONFIG": str(root / "apt.conf"), "LC_ALL": "C"}
        return subprocess.run(["apt-get", "-q", *argv], cwd=root, env=env, capture_output=True, text=True, check=False)

    return run


def test_apt_accepts_the_repository_by_its_key_and_nothing_else(
    apt: Callable[..., subprocess.CompletedProcess[str]],
    mirror: Callable[..., Mirror],
    small: Catalogue,
    tmp_path: Path,
) -> None:
    """Would catch a repository usable only with checks off, or an index that can be changed under its signature."""
    filled = mirror()
    filled.fill(small)
    key = filled.store.file(f"{REPOSITORY}/Release.key")
    with serving(filled.store) as server:
        source = f"deb [signed-by={key}] {server.url}/files/{REPOSITORY} /\n"
        (tmp_path / "apt" / "sources").write_text(source)
        updated = apt("update")
        assert updated.returncode == 0, updated.stderr
        assert "W:" not in updated.stderr, updated.stderr
        wanted = apt("install", "--download-only", "--yes", "one=1.0-1.1")
        assert wanted.returncode == 0, wanted.stderr
        archives = tmp_path / "apt" / "cache" / "archives"
        assert {path.name for path in archives.glob("*.deb")} == {"one_1.0-1.1_amd64.deb", "two_1.0-1.1_amd64.deb"}
        told("dpkg-deb", "--extract", archives / "one_1.0-1.1_amd64.deb", tmp_path / "root")
        assert told(tmp_path / "root" / "usr" / "bin" / "one").startswith("example.org/made/one")

        index = filled.store.file(f"{REPOSITORY}/Packages")
        index.write_text(index.read_text().replace("1.0-1.1", "9.9-1.1"))
        filled.store.file(f"{REPOSITORY}/Packages.gz").unlink()
        shutil.rmtree(tmp_path / "apt" / "lists")
        (tmp_path / "apt" / "lists" / "partial").mkdir(parents=True)
        assert apt("update").returncode != 0
