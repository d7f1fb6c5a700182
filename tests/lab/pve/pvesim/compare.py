# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two answers are the same but for what differs each time: ids, digests, addresses, numbers."""

from __future__ import annotations

import re
from typing import Any

Shape = Any
# Answers whose keys are data (paths, privileges), not fields.
DATA_KEYS = re.compile(r"/access/permissions|/access/roles/[^/]+")
_MASKS = (
    (re.compile(r"UPID:[^\s'\"]+:"), "UPID"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "DIGEST"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"(?i)\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "MAC"),
)


def masked(text: str) -> str:
    for pattern, name in _MASKS:
        text = pattern.sub(name, text)
    return text


def shape(value: Any, *, data_keys: bool = False) -> Shape:
    """The types of everything, lists as the set of what is in them."""
    if isinstance(value, dict):
        if data_keys:
            return ("map", frozenset(_freeze(shape(item, data_keys=True)) for item in value.values()))
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return ("list", frozenset(_freeze(shape(item)) for item in value))
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "null" if value is None else "text"


def _freeze(value: Shape) -> Any:
    if isinstance(value, dict):
        return ("dict", tuple(sorted((key, _freeze(item)) for key, item in value.items())))
    return value


def _lines(text: str) -> list[str]:
    """Texts that list several things do so in a random order."""
    return sorted(masked(text).split("\n"))


def difference(path: str, recorded: dict[str, Any], answer: dict[str, Any]) -> str:
    """What is not the same between two of {status, reason, body}; empty when nothing is."""
    if recorded["status"] != answer["status"]:
        return f"status {recorded['status']} ({recorded.get('reason')}), here {answer['status']} ({answer['reason']})"
    if recorded["status"] >= 400 and masked(recorded.get("reason") or "") != masked(answer["reason"]):
        return f"reason {recorded['reason']!r}, here {answer['reason']!r}"
    return _body(path, recorded.get("body"), answer["body"])


def _body(path: str, want: Any, got: Any) -> str:
    if not isinstance(want, dict) or not isinstance(got, dict):
        return "" if want == got or (want in ("", None) and got in ("", None)) else f"body {want!r}, here {got!r}"
    if set(want) != set(got):
        return f"body has {sorted(want)}, here {sorted(got)}"
    errors, here = want.get("errors") or {}, got.get("errors") or {}
    if set(errors) != set(here):
        return f"errors about {sorted(errors)}, here {sorted(here)}"
    for name in errors:
        if _lines(errors[name]) != _lines(here[name]):
            return f"error of {name} {errors[name]!r}, here {here[name]!r}"
    return data_difference(want.get("data"), got.get("data"), data_keys=bool(DATA_KEYS.search(path)))


def data_difference(want: Any, got: Any, *, data_keys: bool = False) -> str:
    before, after = shape(want, data_keys=data_keys), shape(got, data_keys=data_keys)
    if isinstance(want, str) and isinstance(got, str) and want.startswith("UPID:"):
        return _upid(want, got)
    if isinstance(before, dict) and isinstance(after, dict):
        if set(before) != set(after):
            missing, more = sorted(set(before) - set(after)), sorted(set(after) - set(before))
            return (
                f"data lacks {missing}" + (f", has also {more}" if more else "") if missing else f"data has also {more}"
            )
        wrong = [key for key in before if before[key] != after[key]]
        if wrong:
            return "; ".join(f"{key} is {before[key]}, here {after[key]}" for key in wrong)[:300]
        return _exit(want, got)
    return "" if before == after else f"data is {_brief(before)}, here {_brief(after)}"


def _brief(value: Shape) -> str:
    text = str(value)
    return text if len(text) < 500 else text[:500] + "..."


def _upid(want: str, got: str) -> str:
    """The kind of task, what it is about and whose it is must agree; the numbers cannot."""
    before, after = want.split(":"), got.split(":")
    same = len(before) == len(after) and [before[i] for i in (1, 5, 6, 7)] == [after[i] for i in (1, 5, 6, 7)]
    return "" if same else f"task {want}, here {got}"


def _exit(want: dict[str, Any], got: dict[str, Any]) -> str:
    """A task that failed must fail, with the same text."""
    if "exitstatus" in want and masked(want["exitstatus"]) != masked(got["exitstatus"]):
        return f"task ended {want['exitstatus']!r}, here {got['exitstatus']!r}"
    return ""
