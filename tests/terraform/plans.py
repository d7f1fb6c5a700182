# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan leads to, for rules over it: resources by address, with a word where a value is not known yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Values = dict[str, Any]
Resources = dict[str, Values]


def planned(plan: dict[str, Any]) -> Resources:
    """Resources as they will be."""
    return {
        change["address"]: _whole(change["change"]["after"], change["change"]["after_unknown"])
        for change in plan["resource_changes"]
        if change["mode"] == "managed" and change["change"]["after"] is not None
    }


def of(resources: Resources, *kinds: str) -> Iterator[tuple[str, Values]]:
    """Addresses and values of resources of some kinds."""
    for address, values in resources.items():
        if address.split(".")[0] in kinds:
            yield address, values


def _whole(after: Any, unknown: Any) -> Any:
    """Values with a word where one is known only after apply."""
    if unknown is True:
        return "(known after apply)"
    if isinstance(unknown, dict) and isinstance(after, dict):
        return {key: _whole(after.get(key), unknown.get(key)) for key in {*after, *unknown}}
    if isinstance(unknown, list) and isinstance(after, list) and len(unknown) == len(after):
        return [_whole(*pair) for pair in zip(after, unknown, strict=True)]
    return after
