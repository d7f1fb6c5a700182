# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Which guest is which machine. An id alone proves nothing: ids are given out again.

A machine's SMBIOS uuid follows from the platform's and its own name, and is set in the one call that completes it. A
clone that is not complete carries a sentence in its description instead. A guest with neither is somebody else's.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from typing import Any

from .properties import parse

_ROOT = uuid.UUID("6f0c5b0e-6d51-5b0f-9a0a-3b9a6d4f7c11")
_MAKING = re.compile(r"^socle: making (?P<machine>\S+) from (?P<template>.+)$", re.MULTILINE)
# Ids that follow from a name: far from those that people and Proxmox itself give, and so many that few ever clash.
FIRST_ID, LAST_ID = 100_000_000, 999_999_999


def machine_uuid(platform: str, name: str) -> str:
    return str(uuid.uuid5(_ROOT, f"{platform}/{name}"))


def machine_mac(platform: str, name: str, nic: str) -> str:
    """A MAC that stays when a machine is made anew; locally administered, 46 bits from the names."""
    raw = bytearray(hashlib.sha256(f"{platform}/{name}/{nic}".encode()).digest()[:6])
    raw[0] = (raw[0] & 0xFC) | 0x02
    return ":".join(f"{byte:02X}" for byte in raw)


def machine_id(platform: str, name: str) -> int:
    """The id of a machine that is given none.

    Whoever makes the same machine reaches for the same id, and the API gives it to one of them: that is the lock which
    keeps two controllers from making a machine twice. So there is no second choice when it is taken.
    """
    raw = hashlib.sha256(f"{platform}/{name}".encode()).digest()
    return FIRST_ID + int.from_bytes(raw[:8], "big") % (LAST_ID - FIRST_ID + 1)


def platform_tag(platform: str) -> str:
    """The tag on every guest of a platform, within what Proxmox takes as a tag."""
    return "socle-" + re.sub(r"[^a-z0-9_.+-]", "-", platform.lower())


def making(platform: str, name: str, template: str) -> str:
    return f"socle: making {platform}/{name} from {template}"


def being_made(config: Mapping[str, Any]) -> tuple[str, str]:
    """The machine (`platform/name`) and template of an unfinished clone of ours; empty for any other guest."""
    match = _MAKING.search(str(config.get("description", "")))
    return (match["machine"], match["template"].strip()) if match else ("", "")


def uuid_of(config: Mapping[str, Any]) -> str:
    return parse(str(config.get("smbios1", "")), "uuid").get("uuid", "").lower()


def with_uuid(config: Mapping[str, Any], wanted: str) -> str:
    """The smbios1 setting with that uuid and everything else as it is."""
    rest = parse(str(config.get("smbios1", "")), "uuid")
    return ",".join([f"uuid={wanted}"] + [f"{key}={rest[key]}" for key in sorted(rest) if key != "uuid"])


def tags_of(config: Mapping[str, Any]) -> list[str]:
    return sorted({tag for tag in re.split(r"[,; ]+", str(config.get("tags", "")).lower()) if tag})
