# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""When X.509 certificates end and who issued them, from their DER: machines of a cluster have no library for it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

COMMON_NAME = bytes.fromhex("550403")
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
SEQUENCE, OID, UTC_TIME, GENERALIZED_TIME, VERSION = 0x30, 0x06, 0x17, 0x18, 0xA0


@dataclass(frozen=True)
class Leaf:
    subject: str
    issuer: str
    begins: int
    ends: int


def der(pem: bytes) -> bytes:
    """The first certificate of a PEM file, which may hold its key too."""
    found = _PEM.search(pem)
    if not found:
        raise ValueError("there is no certificate in it")
    try:
        return base64.b64decode(b"".join(found[1].split()), validate=True)
    except binascii.Error as error:
        raise ValueError(f"its certificate is damaged ({error})") from None


def read(content: bytes) -> Leaf:
    """Of DER."""
    try:
        _tag, certificate = next(_parts(content))
        _tag, body = next(_parts(certificate))
        fields = list(_parts(body))
        if fields[0][0] == VERSION:
            del fields[0]
        _serial, _algorithm, (_t1, issuer), (_t2, validity), (_t3, subject) = fields[:5]
        begins, ends = list(_parts(validity))[:2]
        return Leaf(_name(subject), _name(issuer), _time(*begins), _time(*ends))
    except (IndexError, StopIteration, ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"it is no X.509 certificate ({error or 'it ends too early'})") from None


def _parts(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of each element, one after the other."""
    place = 0
    while place < len(content):
        tag, length = content[place], content[place + 1]
        place += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(content[place : place + size], "big")
            place += size
        if place + length > len(content):
            raise ValueError("it is truncated")
        yield tag, content[place : place + length]
        place += length


def _name(content: bytes) -> str:
    """The common name."""
    for _set, entries in _parts(content):
        for _sequence, pair in _parts(entries):
            (_oid, kind), (_string, value) = list(_parts(pair))[:2]
            if kind == COMMON_NAME:
                return value.decode()
    return ""


def _time(tag: int, value: bytes) -> int:
    pattern = "%y%m%d%H%M%SZ" if tag == UTC_TIME else "%Y%m%d%H%M%SZ"
    return int(datetime.strptime(value.decode(), pattern).replace(tzinfo=timezone.utc).timestamp())


__all__ = ["Leaf", "der", "read"]
