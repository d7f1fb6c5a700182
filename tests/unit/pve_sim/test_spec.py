# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoint tables say what the real schema says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from pvesim import formats, privileges, spec
from pvesim.routes import ROUTES
from pvesim.spec import Endpoint, Param

TYPES = {"string": "str", "integer": "int", "number": "num", "boolean": "bool", "array": "list"}


@pytest.fixture(scope="module")
def schema(shared: Path) -> Any:
    path = shared / "pve" / "apidoc.json.gz"
    if not path.exists():
        pytest.skip("no schema beside this checkout")
    with gzip.open(path, "rt") as text:
        return json.load(text)


def _properties(endpoint: dict[str, Any]) -> dict[str, Any]:
    parameters = endpoint["parameters"]
    if "allOf" not in parameters:
        return dict(parameters.get("properties", {}))
    # HA rules: the keys of each type, and the key that says which.
    out: dict[str, Any] = {}
    for part in parameters["allOf"]:
        out.update(part.get("properties", {}))
        for branch in part.get("oneOf", []):
            out.update(branch["properties"])
        if "type-property" in part:
            out[part["type-property"]] = part["type-property-schema"]
    return out


def _problems(param: Param, want: dict[str, Any], groups: dict[str, dict[str, Param]], schema: Any) -> list[str]:
    out = []
    if "alias" in want:
        same = param.alias == want["alias"] and param.sets == want.get("keyAlias", "")
        return [] if same else [f"alias {param.alias} of {want}"]
    if TYPES[want.get("type", "string")] != param.kind and not isinstance(want.get("format"), dict):
        out.append(f"type {param.kind}, schema {want.get('type')}")
    if bool(want.get("optional")) != param.optional:
        out.append(f"optional {param.optional}")
    if sorted(map(str, want.get("enum", []))) != sorted(param.enum):
        out.append(f"enum {param.enum}")
    for key, value in (("minimum", param.low), ("maximum", param.high)):
        if want.get(key) is not None and float(want[key]) != value:
            out.append(f"{key} {value}, schema {want[key]}")
        if want.get(key) is None and value is not None:
            out.append(f"{key} {value}, schema has none")
    for key, length in (("minLength", param.shortest), ("maxLength", param.longest)):
        if want.get(key) != length:
            out.append(f"{key} {length}, schema {want.get(key)}")
    if want.get("pattern", "") != param.pattern:
        out.append(f"pattern {param.pattern}")
    if want.get("requires", "") != param.needs:
        out.append(f"needs {param.needs}")
    if bool(want.get("default_key")) != param.first:
        out.append(f"first {param.first}")
    named = want.get("format")
    if isinstance(named, str):
        base = named.removesuffix("-list").removesuffix("-opt")
        known = schema["formats"].get(base, {})
        if known.get("kind") == "property-string":
            out += _keys(groups[param.keys], known["properties"], groups, schema)
        elif named not in (param.format, f"{param.format}-list"):
            out.append(f"format {param.format}, schema {named}")
    elif isinstance(named, dict):
        out += _keys(groups[param.keys], named, groups, schema)
    elif param.format or param.keys:
        out.append(f"format {param.format or param.keys}, schema has none")
    return out


def _keys(have: dict[str, Param], want: dict[str, Any], groups: dict[str, dict[str, Param]], schema: Any) -> list[str]:
    if set(have) != set(want):
        return [f"keys {sorted(set(have) ^ set(want))}"]
    return [f"{key}: {text}" for key, row in want.items() for text in _problems(have[key], row, groups, schema)]


def _rule(rule: Any) -> Any:
    """A rule of the tables written as the schema writes it."""
    kind = rule[0]
    if kind in ("and", "or"):
        return [kind, *(_rule(part) for part in rule[1:])]
    if kind == "perm":
        out = ["perm", rule[1], list(rule[2])]
        out += ["any", 1] if rule[3] else []
        return out + (["require_param", rule[4]] if rule[4] else [])
    if kind == "userid-group":
        return ["userid-group", list(rule[1]), *(["groups_param", rule[2]] if rule[2] else [])]
    return list(rule)


def _same_rule(endpoint: Endpoint, want: dict[str, Any]) -> bool:
    permissions = want.get("permissions")
    if permissions is None:
        return endpoint.permission == ("root",)
    if "check" in permissions:
        # "any of one" is the same as that one.
        flat = (
            json.dumps(permissions["check"]).replace(', "any", 1', "").replace(', "groups_param"', ', "groups_param"')
        )
        return json.dumps(_rule(endpoint.permission)).replace(', "any", 1', "") == flat
    return endpoint.permission == (permissions.get("user", "code"),)


def test_every_endpoint_of_the_tables_is_one_of_the_schema(schema: Any) -> None:
    """Would catch an endpoint that was made up."""
    unknown = [key for key in spec.load() if key[0] not in schema["endpoints"].get(key[1], {})]
    assert unknown == []


def test_parameters_are_those_of_the_schema(schema: Any) -> None:
    """Would catch a wrong type, limit, format, enumeration or a missing parameter anywhere."""
    wrong = []
    for (method, path), endpoint in spec.load().items():
        want = _properties(schema["endpoints"][path][method])
        have = {(f"{p.name}[n]" if p.count else p.name): p for p in endpoint.params.values() if p.name != "*"}
        if set(have) != set(want):
            wrong.append(f"{method} {path}: {sorted(set(have) ^ set(want))}")
            continue
        for name, row in want.items():
            if row.get("count", 0) != have[name].count:
                wrong.append(f"{method} {path} {name}: count {have[name].count}")
            # The two kinds of HA rules need different keys: the tables say so with `when`.
            texts = [] if have[name].when else _problems(have[name], row, endpoint.groups, schema)
            if f"{{{name}}}" in path:
                # A part of the path is always there, whatever the schema calls it.
                texts = [text for text in texts if not text.startswith("optional")]
            wrong += [f"{method} {path} {name}: {text}" for text in texts]
    assert wrong == []


def test_permissions_and_token_rules_are_those_of_the_schema(schema: Any) -> None:
    """Would catch an endpoint that lets the wrong people in, or a token where only a ticket may."""
    wrong = []
    for (method, path), endpoint in spec.load().items():
        want = schema["endpoints"][path][method]
        if not _same_rule(endpoint, want):
            wrong.append(f"{method} {path}: {endpoint.permission}, schema {want.get('permissions')}")
        if endpoint.token != want.get("allowtoken", True):
            wrong.append(f"{method} {path}: token {endpoint.token}")
    assert wrong == []


def test_roles_hold_the_privileges_of_the_schema(schema: Any) -> None:
    """Would catch a built-in role that gives too much or too little."""
    assert {name: sorted(held) for name, held in privileges.ROLES.items()} == {
        name: sorted(held) for name, held in schema["roles"].items()
    }


@pytest.mark.parametrize("name", sorted(formats.PATTERNS))
def test_a_format_refuses_with_the_schemas_text(schema: Any, name: str) -> None:
    """Would catch a refusal clients would not recognise."""
    want = schema["formats"][name].get("error")
    if want:
        assert formats.PATTERNS[name][1] == want


def test_every_endpoint_of_the_tables_is_answered() -> None:
    """Would catch an endpoint that is described and answers 501 all the same, or one nobody checks."""
    assert set(ROUTES) == set(spec.load())
