# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Versions of Kubernetes, as far as an upgrade has to compare them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


def number(version: str) -> tuple[int, int, int]:
    """For comparing. What is no version is older than any."""
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2]), int(found[3])) if found else (0, 0, 0)


def plain(version: str) -> str:
    """1.36.3 of v1.36.3, 1.36.3-1.1 and 1.36.3-0; empty when it is no version."""
    found = _VERSION.match(version)
    return found[0].removeprefix("v") if found else ""


def newest(versions: Iterable[str]) -> str:
    return max((plain(version) for version in versions), key=number, default="")


def skipped(old: str, new: str) -> str:
    """The minor that lies between two versions, or nothing."""
    before, after = number(old), number(new)
    if before[0] != after[0] or after[1] - before[1] <= 1:
        return ""
    return f"{before[0]}.{before[1] + 1}"


__all__ = ["newest", "number", "plain", "skipped"]
