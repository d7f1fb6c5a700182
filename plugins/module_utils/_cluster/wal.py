# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Whose data an etcd data folder holds, and how far it is: read from its log, without etcd."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

METADATA, ENTRY, STATE, SNAPSHOT = 1, 2, 3, 5


@dataclass(frozen=True)
class Identity:
    """Ids as `etcdctl` writes them; `index` is the last entry that this member knew to be committed."""

    member: str = ""
    cluster: str = ""
    index: int = 0


def has_data(folder: Path) -> bool:
    return any((folder / "member" / "wal").glob("*.wal")) or (folder / "member" / "snap" / "db").is_file()


def identity(folder: Path) -> Identity:
    """With nothing in it where there is no log, or none that can be read."""
    member = cluster = ""
    index = 0
    # The newest file says how far it is. Each begins with the ids and the last state before it.
    for log in sorted((folder / "member" / "wal").glob("*.wal"), reverse=True):
        for kind, data in _records(log.read_bytes()):
            fields = _fields(data)
            if kind == METADATA:
                member, cluster = f"{_number(fields, 1):x}", f"{_number(fields, 2):x}"
            elif kind == STATE:
                index = max(index, _number(fields, 3))
            elif kind == SNAPSHOT:
                index = max(index, _number(fields, 1))
        if member:
            break
    return Identity(member, cluster, index)


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 8 <= len(content):
        (framed,) = struct.unpack_from("<q", content, place)
        # The upper byte tells, when its sign is set, how many zeros follow the record.
        size = framed & 0x00FF_FFFF_FFFF_FFFF
        padding = (framed >> 56) & 0x7 if framed < 0 else 0
        place += 8
        if not size or place + size > len(content):
            return
        # The kind comes first and is a small number; what an entry holds is of no interest here.
        kind = content[place + 1] if content[place] == 0x08 else 0
        if kind != ENTRY:
            data = _fields(content[place : place + size]).get(3, b"")
            if isinstance(data, bytes):
                yield kind, data
        place += size + padding


def _number(fields: dict[int, int | bytes], key: int) -> int:
    found = fields.get(key, 0)
    return found if isinstance(found, int) else 0


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
