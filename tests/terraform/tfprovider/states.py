# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planned and settled states: defaults, what only the cloud knows, and what cannot be changed in place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from tfprovider.protocol import UNKNOWN, Steps
from tfprovider.schema import MANY, Block, at_path, elements, rebuilt, type_of

Answer = Callable[[Steps, dict[str, Any]], Any]


def planned(block: Block, prior: dict[str, Any] | None, proposed: dict[str, Any]) -> dict[str, Any]:
    """The state as planned: defaults in, what the cloud decides as it was, or unknown when it never was."""

    def leaf(spec: dict[str, Any], value: Any, at: Steps) -> Any:
        if spec.get("write_only"):
            return None
        if value is not None:
            return value
        if spec.get("computed"):
            before = at_path(prior, at)
            return UNKNOWN if before is None else before
        return spec.get("default")

    def absent(_nested: dict[str, Any], _value: Any, at: Steps) -> Any:
        return at_path(prior, at) if prior else UNKNOWN

    return rebuilt(block, proposed, leaf, absent)


def replaced(block: Block, prior: dict[str, Any], after: dict[str, Any], at: Steps = ()) -> Iterator[Steps]:
    """Paths whose change makes another object of it."""
    for name, spec in block.get("attributes", {}).items():
        if spec.get("force_new") and prior.get(name) != after.get(name):
            yield (*at, name)
    for name, nested in block.get("block_types", {}).items():
        path, was, will = (*at, name), prior.get(name), after.get(name)
        if nested.get("force_new") and bool(was) != bool(will):
            yield path
        elif nested["nesting_mode"] == "set":
            # A set's elements have no place: compare what of them cannot change, in whatever order.
            if _fixed_of_set(nested["block"], was) != _fixed_of_set(nested["block"], will):
                yield path
        else:
            before = dict(elements(nested, was, path))
            for inner, item in elements(nested, will, path):
                if isinstance(item, dict):
                    yield from replaced(nested["block"], before.get(inner) or {}, item, inner)


def _fixed(block: Block, value: dict[str, Any]) -> dict[str, Any]:
    """The part of a value that cannot be changed in place."""
    made = {n: value.get(n) for n, spec in block.get("attributes", {}).items() if spec.get("force_new")}
    for name, nested in block.get("block_types", {}).items():
        found = [
            _fixed(nested["block"], item)
            for _at, item in elements(nested, value.get(name), ())
            if isinstance(item, dict)
        ]
        if any(found):
            made[name] = found
    return made


def _fixed_of_set(block: Block, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    parts = [_fixed(block, item) if isinstance(item, dict) else item for item in value]
    return sorted(repr(part) for part in parts if part)


def settled(block: Block, state: dict[str, Any], seed: str, answer: Answer) -> dict[str, Any]:
    """The state as the cloud has it: each value that was unknown is answered, or invented."""

    def leaf(spec: dict[str, Any], value: Any, at: Steps) -> Any:
        if spec.get("write_only"):
            return None
        if value != UNKNOWN and not (value is None and spec.get("computed")):
            return value
        told = answer(at, state)
        return invented(type_of(spec), f"{seed}.{at[-1]}") if told is None else told

    def absent(nested: dict[str, Any], value: Any, at: Steps) -> Any:
        if value != UNKNOWN:
            return value
        one = rebuilt(nested["block"], {}, leaf, lambda *_unused: [], at)
        return [one] if nested["nesting_mode"] in MANY else one

    return rebuilt(block, state, leaf, absent)


def seed_of(type_name: str, state: dict[str, Any]) -> str:
    """What a made-up value depends on: the type and the object's name, or all of it where it has none."""
    name = state.get("name")
    if not isinstance(name, str):
        name = hashlib.sha256(json.dumps(state, sort_keys=True, default=repr).encode()).hexdigest()[:8]
    return f"{type_name}.{name}"


def invented(type_: Any, seed: str) -> Any:
    """A value of a type, always the same for a seed."""
    if isinstance(type_, str):
        digest = hashlib.sha256(seed.encode()).hexdigest()[:8]
        text = f"{seed.rsplit('.', maxsplit=1)[-1]}-{digest}"
        simple = {"string": text, "number": int(digest, 16) % 1000, "bool": False, "dynamic": [b'"string"', text]}
        return simple[type_]
    kind, of = type_
    if kind == "object":
        return {name: invented(inner, f"{seed}.{name}") for name, inner in of.items()}
    if kind == "tuple":
        return [invented(inner, f"{seed}.{index}") for index, inner in enumerate(of)]
    if kind == "map":
        return {}
    # Objects in a computed list are read by index (kubeconfig[0]); plain values are not.
    return [invented(of, f"{seed}.0")] if isinstance(of, list) and of[0] == "object" else []
