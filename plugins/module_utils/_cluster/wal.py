# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Whose data an etcd data folder holds: its log begins with the ids of the member and of its cluster."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

METADATA = 1
# The head of a log is a checksum and the metadata: a few dozen bytes.
HEAD = 4096


@dataclass(frozen=True)
class Identity:
    member: str
    cluster: str


def has_data(folder: Path) -> bool:
    return any((folder / "member" / "wal").glob("*.wal")) or (folder / "member" / "snap" / "db").is_file()


def identity(folder: Path) -> Identity | None:
    """None where there is no log, or none that can be read."""
    logs = sorted((folder / "member" / "wal").glob("*.wal"))
    for log in logs:
        with log.open("rb") as handle:
            found = _metadata(handle.read(HEAD))
        if found:
            return found
    return None


def _metadata(head: bytes) -> Identity | None:
    place = 0
    while place + 8 <= len(head):
        (framed,) = struct.unpack_from("<q", head, place)
        # The upper byte tells, when its sign is set, how many zeros follow the record.
        size = framed & 0x00FF_FFFF_FFFF_FFFF
        padding = (framed >> 56) & 0x7 if framed < 0 else 0
        place += 8
        if not size or place + size > len(head):
            return None
        record = _fields(head[place : place + size])
        place += size + padding
        data = record.get(3)
        if record.get(1) == METADATA and isinstance(data, bytes):
            ids = _fields(data)
            member, cluster = ids.get(1), ids.get(2)
            if isinstance(member, int) and isinstance(cluster, int):
                return Identity(f"{member:x}", f"{cluster:x}")
    return None


def _fields(message: bytes) -> dict[int, int | bytes]:
    """A protobuf message of numbers and byte strings, by field number."""
    found: dict[int, int | bytes] = {}
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        if key & 7 == 0:
            found[key >> 3], place = _varint(message, place)
        elif key & 7 == 2:
            size, place = _varint(message, place)
            found[key >> 3] = message[place : place + size]
            place += size
        else:
            break
    return found


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message):
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, place


__all__ = ["Identity", "has_data", "identity"]
