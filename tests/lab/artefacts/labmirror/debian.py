# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages and flat repositories of them, written without Debian's tools."""

from __future__ import annotations

import email.utils
import gzip
import hashlib
import io
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from .catalogue import MAINTAINER, Package
from .trouble import Trouble

# The same inputs give the same bytes: everything in an archive is of one moment.
MOMENT = 1767225600


def add_folder(tar: tarfile.TarFile, name: str) -> None:
    """A folder, owned by root."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime, entry.uname, entry.gname = tarfile.DIRTYPE, 0o755, MOMENT, "root", "root"
    tar.addfile(entry)


def add_bytes(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    """A file, owned by root."""
    _add(tar, name, io.BytesIO(content), len(content), mode)


def add_program(tar: tarfile.TarFile, name: str, source: Path) -> None:
    """A program from a file, owned by root."""
    with source.open("rb") as handle:
        _add(tar, name, handle, source.stat().st_size, 0o755)


def _add(tar: tarfile.TarFile, name: str, handle: IO[bytes], size: int, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime, entry.uname, entry.gname = size, mode, MOMENT, "root", "root"
    tar.addfile(entry, handle)


def parents(names: Sequence[str]) -> list[str]:
    """Every folder that these paths need, outermost first."""
    found = {str(folder) for name in names for folder in Path(name).parents if str(folder) != "."}
    return sorted(found)


def control(package: Package, arch: str, kibibytes: int) -> str:
    """The package's control file."""
    fields = {
        "Package": package.name,
        "Version": package.version,
        "Architecture": arch,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(kibibytes),
        "Depends": ", ".join(package.depends),
        "Section": "admin",
        "Priority": "optional",
        "Homepage": "https://kubernetes.io",
        "Description": package.summary,
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def write(package: Package, arch: str, programs: Mapping[str, Path], out: IO[bytes], scratch: IO[bytes]) -> None:
    """A .deb: its programs by their path in it. Not compressed: it is read over loopback and unpacked at once."""
    weight = sum(path.stat().st_size for path in programs.values()) >> 10
    about = io.BytesIO()
    with tarfile.open(fileobj=about, mode="w:gz", format=tarfile.GNU_FORMAT) as tar:
        add_bytes(tar, "./control", control(package, arch, weight).encode())
        if package.postinst:
            add_bytes(tar, "./postinst", package.postinst.encode(), 0o755)
    with tarfile.open(fileobj=scratch, mode="w", format=tarfile.GNU_FORMAT) as tar:
        add_folder(tar, "./")
        for folder in sorted({*parents([*programs, *package.texts, *package.folders]), *package.folders}):
            add_folder(tar, f"./{folder}")
        for name, path in sorted(programs.items()):
            add_program(tar, f"./{name}", path)
        for name, text in sorted(package.texts.items()):
            add_bytes(tar, f"./{name}", text.encode())
    out.write(b"!<arch>\n")
    _member(out, "debian-binary", io.BytesIO(b"2.0\n"))
    _member(out, "control.tar.gz", io.BytesIO(_plain_gzip(about.getvalue())))
    _member(out, "data.tar", scratch)


def _plain_gzip(content: bytes) -> bytes:
    return gzip.compress(gzip.decompress(content), mtime=0)


def _member(out: IO[bytes], name: str, content: IO[bytes]) -> None:
    size = content.seek(0, io.SEEK_END)
    content.seek(0)
    out.write(f"{name:<16}{MOMENT:<12}{0:<6}{0:<6}{100644:<8}{size:<10}`\n".encode())
    while chunk := content.read(1 << 20):
        out.write(chunk)
    if size % 2:
        out.write(b"\n")


def stanza(controls: str, filename: str, path: Path) -> str:
    """A package's entry in the index `Packages`."""
    content = path.read_bytes()
    return f"{controls}Filename: {filename}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"


def release(indexes: Mapping[str, bytes], label: str, arch: str, moment: float) -> str:
    """The file `Release`, which the signature is over."""
    lines = [
        f"Origin: {label}",
        f"Label: {label}",
        f"Architectures: {arch}",
        f"Date: {email.utils.formatdate(moment, usegmt=True)}",
    ]
    lines += ["SHA256:"]
    lines += [
        f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}" for name, content in sorted(indexes.items())
    ]
    return "\n".join(lines) + "\n"


def paragraphs(index: str) -> list[dict[str, str]]:
    """The stanzas of an index, their fields of one line."""
    found = []
    for block in index.split("\n\n"):
        rows = (line.partition(":") for line in block.splitlines() if line and not line[0].isspace())
        if fields := {name: value.strip() for name, colon, value in rows if colon}:
            found.append(fields)
    return found


class Key:
    """A signing key that stays in the cache: what is built is signed as upstream's is, so roles need no second way."""

    IDENTITY = "Socle lab packages <lab@socle.example>"

    def __init__(self, home: Path) -> None:
        self.home = home
        if not (home / "made").exists():
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._gpg("--passphrase", "", "--quick-generate-key", self.IDENTITY, "rsa3072", "sign", "never")
            (home / "made").touch()

    def public(self) -> bytes:
        """The public key, armoured."""
        return self._gpg("--armor", "--export", self.IDENTITY)

    def sign(self, text: str) -> bytes:
        """The text with its signature around it."""
        return self._gpg("--digest-algo", "SHA512", "--clearsign", content=text.encode())

    def _gpg(self, *argv: str, content: bytes = b"") -> bytes:
        command = [
            "gpg",
            "--homedir",
            str(self.home),
            "--batch",
            "--yes",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            *argv,
        ]
        try:
            done = subprocess.run(command, input=content, capture_output=True, check=False)
            # gpg leaves its agent behind; nothing of ours outlives the run.
            subprocess.run(
                ["gpgconf", "--homedir", str(self.home), "--kill", "gpg-agent"], capture_output=True, check=False
            )
        except FileNotFoundError:
            raise Trouble("gpg: not installed; the package repository is signed with it: install gnupg") from None
        if done.returncode:
            raise Trouble(
                f"gpg {' '.join(argv[:2])} ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()}"
            )
        return done.stdout
