# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a mirror: blobs by their digest, files by the address they have upstream, and a record of each item.

    blobs/sha256/HEX           layers, configurations and manifests of images
    files/HOST/PATH            files and package repositories
    records/HOST/PATH.json     what an item is, where it came from, what made it

A record is written last. What has no record is not there, so a run that was killed leaves nothing half.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from .trouble import Trouble

CHUNK = 1 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Descriptor:
    """A blob as manifests name it."""

    media_type: str
    digest: str
    size: int

    def as_json(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True)
class Record:
    """One item. `origin` is `upstream` or `built`, `key` the hash of what made it, `files` digests by address."""

    name: str
    kind: str
    origin: str
    key: str
    descriptor: Descriptor | None = None
    blobs: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)


class Store:
    """A mirror's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.making = root / "making"
        for folder in (root / "blobs" / "sha256", root / "files", root / "records", self.making):
            folder.mkdir(parents=True, exist_ok=True)

    def blob(self, digest: str) -> Path:
        """Where a blob lies, or would."""
        if not _DIGEST.fullmatch(digest):
            raise Trouble(f"{digest!r}: not a digest; wanted sha256: and 64 hexadecimal digits")
        return self.root / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def file(self, name: str) -> Path:
        """Where a file lies, or would, by its address without https://."""
        return inside(self.root / "files", name)

    def put(self, content: bytes, media_type: str) -> Descriptor:
        """Keep a small blob."""
        with self.writing() as (handle, path):
            handle.write(content)
        return self.adopt(path, media_type)

    @contextlib.contextmanager
    def writing(self) -> Iterator[tuple[IO[bytes], Path]]:
        """A file to write to, that nothing points to yet."""
        number, name = tempfile.mkstemp(dir=self.making)
        path = Path(name)
        try:
            with os.fdopen(number, "wb") as handle:
                yield handle, path
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def adopt(self, path: Path, media_type: str, wanted: str = "") -> Descriptor:
        """Make a blob of a finished file; with `wanted`, only if that is its digest."""
        found, size = digest_of(path), path.stat().st_size
        if wanted and found != wanted:
            path.unlink()
            raise Trouble(f"a blob has digest {found}, wanted {wanted}: it was changed on its way; nothing was kept")
        path.chmod(0o644)
        path.replace(self.blob(found))
        return Descriptor(media_type, found, size)

    def place(self, path: Path, name: str) -> str:
        """Put a finished file at its address; its digest."""
        target = self.file(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = digest_of(path)
        path.chmod(0o644)
        path.replace(target)
        return digest

    def record(self, name: str) -> Record | None:
        """What is known of an item, or nothing."""
        path = self._record(name)
        try:
            told = json.loads(path.read_text())
            descriptor = Descriptor(**told["descriptor"]) if told["descriptor"] else None
            return Record(**{**told, "descriptor": descriptor, "blobs": tuple(told["blobs"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise Trouble(f"{path}: not a record ({error}): delete it, and the item is made again") from None

    def keep(self, record: Record) -> None:
        """Write an item's record: from now on it is there."""
        target = self._record(record.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.writing() as (handle, path):
            handle.write(json.dumps(asdict(record), indent=1, sort_keys=True).encode())
        path.chmod(0o644)
        path.replace(target)

    def records(self) -> list[Record]:
        """Every item."""
        folder = self.root / "records"
        names = sorted(str(path.relative_to(folder)).removesuffix(".json") for path in folder.rglob("*.json"))
        return [record for record in map(self.record, names) if record]

    def whole(self, record: Record) -> str:
        """What of a record's content is missing; empty when it is all there."""
        gone = [digest for digest in record.blobs if not self.blob(digest).is_file()]
        gone += [name for name in record.files if not self.file(name).is_file()]
        return ", ".join(gone)

    def damaged(self, record: Record) -> list[str]:
        """What of a record's content is gone or not what it was; reads all of it."""
        wrong = [digest for digest in record.blobs if not same(self.blob(digest), digest)]
        return wrong + [name for name, digest in record.files.items() if not same(self.file(name), digest)]

    def sweep(self) -> int:
        """Delete what no record names; how many bytes."""
        records = self.records()
        blobs = {self.blob(digest) for record in records for digest in record.blobs}
        files = {self.file(name) for record in records for name in record.files}
        freed = 0
        for folder, wanted in ((self.root / "blobs", blobs), (self.root / "files", files), (self.making, set())):
            for path in folder.rglob("*"):
                if path.is_file() and path not in wanted:
                    freed += path.stat().st_size
                    path.unlink()
        return freed

    def _record(self, name: str) -> Path:
        return inside(self.root / "records", f"{name}.json")


def inside(folder: Path, name: str) -> Path:
    """The path of `name` in `folder`, which it cannot leave."""
    parts = name.split("/")
    if not name or any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise Trouble(f"{name!r}: not a name of something in a mirror")
    return folder.joinpath(*parts)


def digest_of(path: Path) -> str:
    """sha256:HEX of a file."""
    summed = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            summed.update(chunk)
    return f"sha256:{summed.hexdigest()}"


def same(path: Path, digest: str) -> bool:
    """Whether a file is there and has this digest."""
    return path.is_file() and digest_of(path) == digest


@contextlib.contextmanager
def locked(path: Path, waiting: str = "") -> Iterator[None]:
    """Only one process at a time; the lock goes with the process, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                print(waiting, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def free(path: Path) -> int:
    """Bytes that are free where `path` lies."""
    return shutil.disk_usage(path).free
