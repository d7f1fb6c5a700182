# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What providers enforce in code, where the data carries it: enums, ranges, arguments that exclude each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tfprovider.protocol import UNKNOWN, Steps
from tfprovider.schema import Block, at_path, walk

UNSET = (None, [], {})
Mistake = tuple[Steps, str]


def mistakes(block: Block, config: dict[str, Any]) -> Iterator[Mistake]:
    """Where, and why, a real provider would refuse this configuration. What is unknown may yet be right."""
    for spec, value, at, is_block in walk(block, config):
        yield from _combinations(spec, config, at)
        if value in UNSET or value == UNKNOWN:
            continue
        name = ".".join(map(str, at))
        if not is_block and spec.get("computed") and not spec.get("optional"):
            yield at, f'Value for unconfigurable attribute: "{name}" is decided by the provider'
        yield from _company(spec, config, at, name)
        if not is_block:
            yield from _limits(spec, value, at, name)


def _standing(config: dict[str, Any], paths: list[str]) -> tuple[list[str], bool]:
    """Which of the paths are set, and whether one may be."""
    values = {path: at_path(config, tuple(int(s) if s.isdigit() else s for s in path.split("."))) for path in paths}
    there = [path for path, value in values.items() if value not in UNSET and value != UNKNOWN]
    return there, any(value == UNKNOWN for value in values.values())


def _combinations(spec: dict[str, Any], config: dict[str, Any], at: Steps) -> Iterator[Mistake]:
    for rule, most in (("exactly_one_of", 1), ("at_least_one_of", None)):
        if not spec.get(rule):
            continue
        # As the plugin SDK does, which lets a provider leave out the attribute itself.
        paths = sorted({*spec[rule], ".".join(map(str, at))})
        there, open_ = _standing(config, paths)
        if (not there and not open_) or (most is not None and len(there) > most):
            wanted = ", ".join(paths)
            words = rule.replace("_", " ")
            yield at, f"Invalid combination of arguments: {words} {wanted} must be specified, found {len(there)}"


def _company(spec: dict[str, Any], config: dict[str, Any], at: Steps, name: str) -> Iterator[Mistake]:
    for other in _standing(config, spec.get("conflicts_with", []))[0]:
        yield at, f'Conflicting configuration arguments: "{name}" conflicts with {other}'
    together = spec.get("required_with", [])
    there, open_ = _standing(config, together)
    if len(there) < len(together) and not open_:
        yield at, f'Missing required argument: "{name}" needs all of {", ".join(sorted(together))}'


def _limits(spec: dict[str, Any], value: Any, at: Steps, name: str) -> Iterator[Mistake]:
    def fold(text: str) -> str:
        return text.lower() if spec.get("ignore_case") else text

    if allowed := spec.get("element_enum") or spec.get("enum"):
        known = {fold(word) for word in allowed if isinstance(word, str)}
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str) and item and fold(item) not in known:
                yield at, f"expected {name} to be one of {json.dumps(allowed)}, got {item}"
    low, high = spec.get("range") or (None, None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        below = low is not None and value < low
        above = high is not None and value > high
        if below or above:
            yield at, f"expected {name} to be in the range ({low} - {high}), got {value}"
    pattern = spec.get("pattern")
    if pattern and isinstance(value, str) and not re.search(pattern, value):
        yield at, f'"{name}" ({value}) does not match {pattern}'
