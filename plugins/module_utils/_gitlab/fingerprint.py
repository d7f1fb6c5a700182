# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""How a value that the API never gives back is known again: by a slow salted digest, kept in the object's description.

Whoever may read that description may also set the value; a digest of this cost gives them nothing new.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from .._objects import Desired
from .._values import Seal, Secret

_MARK = re.compile(r"\s*\[socle:([A-Za-z0-9]+):([a-z]+)\]\s*\Z")


def split(description: Any) -> tuple[str, tuple[str, str] | None]:
    """A description without its mark, and the mark: salt and digest."""
    text = str(description or "")
    found = _MARK.search(text)
    return (text[: found.start()], (found[1], found[2])) if found else (text, None)


def joined(description: str, value: Any) -> str:
    salt = secrets.token_hex(8)
    mark = f"[socle:{salt}:{Seal(salt).of(Secret(value))}]"
    return f"{description} {mark}" if description else mark


def stands_for(mark: tuple[str, str] | None, wanted: Desired | None, field: str) -> Secret:
    """The wanted value where the mark is its own, else one that is surely another."""
    value = wanted.fields.get(field) if wanted is not None else None
    if mark and value is not None and Seal(mark[0]).of(Secret(value)) == mark[1]:
        return Secret(value)
    return Secret({"unreadable": True})
