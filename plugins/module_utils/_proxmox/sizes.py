# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Sizes as people write them, as Proxmox stores them, and as we show them."""

from __future__ import annotations

import re
from typing import Any

KIB, MIB, GIB, TIB = 1024, 1024**2, 1024**3, 1024**4
_UNITS = {"": 1, "k": KIB, "m": MIB, "g": GIB, "t": TIB}
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgt]?)(?:i?b)?", re.IGNORECASE)


def parse_size(value: Any, unit: int, what: str = "size") -> int:
    """Bytes. A bare number counts in `unit`; K, M, G and T are powers of 1024, as everywhere in Proxmox."""
    text = str(value).strip()
    match = _SIZE.fullmatch(text)
    if isinstance(value, bool) or not match:
        raise ValueError(f"{what}: {value!r} is no size; write it as in '4 GiB', '512 MiB'")
    bare_number = text[-1:].isdigit()
    scale = unit if bare_number else _UNITS[match["unit"].lower()]
    size = round(float(match["number"]) * scale)
    if size <= 0:
        raise ValueError(f"{what}: {value!r} is no size, it must be more than zero")
    return size


def show_size(size: int) -> str:
    """In the largest unit that leaves no fraction; equal sizes are equal texts."""
    for unit, name in ((TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"
