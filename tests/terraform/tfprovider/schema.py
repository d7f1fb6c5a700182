# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas: from `terraform providers schema -json` to the protocol, and walks over a value beside its schema.

A block's value is a dict: a value for each attribute, and for each nested block a list (list, set), a dict of dicts
(map), or a dict or None (single, group).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tfprovider.protocol import UNKNOWN, Steps, messages

Block = dict[str, Any]
FLAGS = ("required", "optional", "computed", "sensitive", "write_only")
MANY = ("list", "set")


def wire_attribute(name: str, attribute: dict[str, Any]) -> Any:
    """One attribute for the wire."""
    made = messages.Attribute(name=name, **{flag: True for flag in FLAGS if attribute.get(flag)})
    if nested := attribute.get("nested_type"):
        made.nested_type.nesting = messages.Nesting.Value(nested["nesting_mode"].upper())
        made.nested_type.attributes.extend(wire_attribute(n, a) for n, a in nested["attributes"].items())
    else:
        made.type = json.dumps(attribute["type"]).encode()
    return made


def wire_block(block: Block) -> Any:
    """One block for the wire."""
    made = messages.Block(attributes=[wire_attribute(n, a) for n, a in block.get("attributes", {}).items()])
    for name, nested in block.get("block_types", {}).items():
        made.block_types.add(
            type_name=name,
            block=wire_block(nested["block"]),
            nesting=messages.Nesting.Value(nested["nesting_mode"].upper()),
            min_items=nested.get("min_items", 0),
            max_items=nested.get("max_items", 0),
        )
    return made


def wire_schema(schema: dict[str, Any]) -> Any:
    """A whole schema for the wire."""
    return messages.Schema(version=schema.get("version", 0), block=wire_block(schema["block"]))


def wire_function(function: dict[str, Any]) -> Any:
    """A provider's function for the wire."""
    parameters = [
        messages.Parameter(
            name=given["name"],
            type=json.dumps(given["type"]).encode(),
            allow_null_value=given.get("is_nullable", False),
        )
        for given in function.get("parameters", [])
    ]
    returned = messages.Returned(type=json.dumps(function["return_type"]).encode())
    return messages.Function(parameters=parameters, returned=returned)


def type_of(attribute: dict[str, Any]) -> Any:
    """An attribute's type; one with nested attributes has the type they make."""
    nested = attribute.get("nested_type")
    if nested is None:
        return attribute["type"]
    one = ["object", {name: type_of(inner) for name, inner in nested["attributes"].items()}]
    return one if nested["nesting_mode"] == "single" else [nested["nesting_mode"], one]


def elements(nested: dict[str, Any], value: Any, at: Steps) -> list[tuple[Steps, Any]]:
    """The values of a nested block, each with its path."""
    if isinstance(value, list):
        return [((*at, index), item) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return [((*at, key), item) for key, item in value.items()] if nested["nesting_mode"] == "map" else [(at, value)]
    return []


def walk(block: Block, value: dict[str, Any], at: Steps = ()) -> Iterator[tuple[dict[str, Any], Any, Steps, bool]]:
    """Each attribute and nested block: its schema, its value, its path, and whether it is a block. Outermost first."""
    for name, attribute in block.get("attributes", {}).items():
        yield attribute, value.get(name), (*at, name), False
    for name, nested in block.get("block_types", {}).items():
        yield nested, value.get(name), (*at, name), True
        for path, item in elements(nested, value.get(name), (*at, name)):
            if isinstance(item, dict):
                yield from walk(nested["block"], item, path)


def rebuilt(
    block: Block,
    value: dict[str, Any],
    leaf: Callable[[dict[str, Any], Any, Steps], Any],
    absent: Callable[[dict[str, Any], Any, Steps], Any],
    at: Steps = (),
) -> dict[str, Any]:
    """The value with each attribute passed through `leaf`, and each missing computed block through `absent`."""
    made = {name: leaf(spec, value.get(name), (*at, name)) for name, spec in block.get("attributes", {}).items()}
    for name, nested in block.get("block_types", {}).items():
        made[name] = _rebuilt_nested(nested, value.get(name), leaf, absent, (*at, name))
    return made


def _rebuilt_nested(nested: dict[str, Any], value: Any, leaf: Any, absent: Any, at: Steps) -> Any:
    if nested.get("computed") and value in (None, [], UNKNOWN):
        return absent(nested, value, at)

    def one(item: Any, *key: str | int) -> Any:
        return rebuilt(nested["block"], item, leaf, absent, (*at, *key)) if isinstance(item, dict) else item

    if isinstance(value, list):
        return [one(item, index) for index, item in enumerate(value)]
    if isinstance(value, dict) and nested["nesting_mode"] == "map":
        return {key: one(item, key) for key, item in value.items()}
    return one(value)


def blank(block: Block) -> dict[str, Any]:
    """A block's value with nothing in it."""
    made: dict[str, Any] = dict.fromkeys(block.get("attributes", {}))
    for name, nested in block.get("block_types", {}).items():
        made[name] = [] if nested["nesting_mode"] in MANY else None
    return made


def at_path(value: Any, path: Steps) -> Any:
    """What lies at a path: None where there is nothing, UNKNOWN below an unknown value."""
    for step in path:
        if value == UNKNOWN:
            return UNKNOWN
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
