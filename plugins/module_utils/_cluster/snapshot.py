# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Snapshots of etcd: whether one is whole and of this cluster, and which is the newest that is good.

`etcdctl snapshot save` and the maintenance API end a snapshot with the SHA-256 of what comes before. Without these 32
bytes it is a copied database file, of which nobody can say whether it is whole.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# A bbolt database: pages of at least 512 bytes, the first two begin with a header, a magic number and a version.
MAGIC, VERSION = 0xED0CDAED, 2
SUM = 32
BLOCK = 512
CHUNK = 1 << 20


class Unusable(Exception):
    """A snapshot that must not be restored."""


@dataclass(frozen=True)
class Snapshot:
    """A file and what its name and its neighbour tell: which cluster, when."""

    path: Path
    cluster: str = ""
    taken: float = 0.0


def check(path: Path) -> str:
    """The digest of a whole snapshot; Unusable names what is wrong with any other."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise Unusable(f"{path}: it cannot be read ({(error.strerror or '').lower()})") from None
    if not size:
        raise Unusable(f"{path}: it is empty; take another one")
    with path.open("rb") as handle:
        _database(path, handle.read(BLOCK))
        handle.seek(0)
        if size % BLOCK != SUM:
            what = "it has no checksum at its end" if size % BLOCK == 0 else "it is truncated"
            raise Unusable(f"{path}: {what} ({size} bytes): nobody can say whether it is whole; take another one")
        summed = hashlib.sha256()
        left = size - SUM
        while left and (chunk := handle.read(min(CHUNK, left))):
            summed.update(chunk)
            left -= len(chunk)
        wanted = handle.read(SUM)
    if summed.digest() != wanted:
        found = f"SHA-256 {summed.hexdigest()[:12]}, its end says {wanted.hex()[:12]}"
        raise Unusable(f"{path}: it is damaged ({found}); use an older one")
    return summed.hexdigest()


def _database(path: Path, head: bytes) -> None:
    magic, version = struct.unpack_from("<II", head, 16) if len(head) >= 24 else (0, 0)
    if (magic, version) != (MAGIC, VERSION):
        raise Unusable(f"{path}: it is no database of etcd; name a file that `etcdctl snapshot save` wrote")


def newest(snapshots: Iterable[Snapshot], cluster: str = "") -> tuple[Snapshot | None, list[str]]:
    """The newest good one, of `cluster` where that is given, and why each newer one was passed over."""
    passed: list[str] = []
    for snapshot in sorted(snapshots, key=lambda item: item.taken, reverse=True):
        if cluster and snapshot.cluster and snapshot.cluster != cluster:
            passed.append(f"{snapshot.path}: it is of the cluster {snapshot.cluster[:12]}, wanted {cluster[:12]}")
            continue
        try:
            check(snapshot.path)
        except Unusable as error:
            passed.append(str(error))
            continue
        return snapshot, passed
    return None, passed


__all__ = ["Snapshot", "Unusable", "check", "newest"]
