# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds parameters to an endpoint's description and says what is wrong in the API's own words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from . import formats
from .errors import bad_params
from .spec import Endpoint, Param, lookup

UNKNOWN = "property is not defined in schema and the schema does not allow additional properties"
MISSING = "property is missing and it is not optional"
Groups = dict[str, dict[str, Param]]


def split_list(value: str) -> list[str]:
    """The items of a `-list` value."""
    return [item for item in (value.split("\0") if "\0" in value else re.split(r"[,;\s]+", value)) if item]


def parameters(endpoint: Endpoint, raw: dict[str, Any]) -> dict[str, Any]:
    """The parameters with their types (booleans as 0 and 1); a refusal names every bad one."""
    errors: dict[str, str] = {}
    out: dict[str, Any] = {}
    for name, value in raw.items():
        param = endpoint.find(name)
        if param is None or (param.when and str(raw.get(param.when[0])) != param.when[1]):
            if "*" not in endpoint.params:
                errors[name] = UNKNOWN
            continue
        out[name], problem = _value(param, name, value, endpoint.groups)
        if problem:
            errors[name] = problem
        elif param.needs and param.needs not in raw:
            errors[param.needs] = f"missing property required by '{name}'"
    for param in endpoint.params.values():
        wanted = not param.optional and not param.count and param.name != "*"
        if wanted and param.name not in raw and (not param.when or str(raw.get(param.when[0])) == param.when[1]):
            errors.setdefault(param.name, MISSING)
    if errors:
        raise bad_params(errors)
    return out


def _scalar(param: Param, value: Any) -> tuple[Any, str]:
    if isinstance(value, dict | list):
        return (
            value,
            f"type check ('{_perl(param.kind)}') failed - got {'HASH' if isinstance(value, dict) else 'ARRAY'}",
        )
    if param.kind == "bool":
        if isinstance(value, bool) or value in (0, 1, "0", "1"):
            return int(value), ""
        return value, f"type check ('boolean') failed - got '{value}'"
    text = str(int(value)) if isinstance(value, bool) else str(value)
    if param.kind == "int":
        if not re.fullmatch(r"[+-]?\d+", text):
            return value, f"type check ('integer') failed - got '{text}'"
        return int(text), ""
    if param.kind == "num" and not re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", text):
        return value, f"type check ('number') failed - got '{text}'"
    return text, ""


def _perl(kind: str) -> str:
    return {"int": "integer", "bool": "boolean", "num": "number", "str": "string", "list": "array"}[kind]


def _value(param: Param, name: str, value: Any, groups: Groups) -> tuple[Any, str]:
    if param.kind == "list":
        return ([str(item) for item in value] if isinstance(value, list) else [str(value)]), ""
    if isinstance(value, list) and param.is_list:
        value = ",".join(str(item) for item in value)
    value, problem = _scalar(param, value)
    return value, problem or _constraints(param, name, value, groups)


def _range(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else str(limit)


def _constraints(param: Param, name: str, value: Any, groups: Groups) -> str:
    if param.format or param.keys:
        problem = _format(param, name, str(value), groups)
        if problem:
            return f"invalid format - {problem}" + ("" if problem.endswith("\n") else "\n")
    if param.kind in ("int", "num"):
        number = float(value)
        if param.low is not None and number < param.low:
            return f"value must have a minimum value of {_range(param.low)}"
        if param.high is not None and number > param.high:
            return f"value must have a maximum value of {_range(param.high)}"
    if param.kind == "str":
        if param.longest is not None and len(value) > param.longest:
            return f"value may only be {param.longest} characters long"
        if param.shortest is not None and len(value) < param.shortest:
            return f"value must be at least {param.shortest} characters long"
        if param.pattern and not re.fullmatch(param.pattern, value):
            return "value does not match the regex pattern"
    if param.enum and str(value) not in param.enum:
        return f"value '{value}' does not have a value in the enumeration '{', '.join(param.enum)}'"
    return ""


def _format(param: Param, name: str, value: str, groups: Groups) -> str | None:
    if param.keys:
        # The description of a property string is a `-list` for none of the endpoints here but SDN ranges.
        problems = property_string_problems(groups[param.keys], value, name, groups)
        if problems:
            return "format error\n" + "".join(f"{key}: {text}\n" for key, text in problems.items())
        return _cpu_model(value, groups) if param.keys == "vm-cpu-conf" else None
    if param.format.endswith("-opt"):
        return formats.check(param.format[:-4], value) if value else None
    if param.is_list:
        for item in split_list(value):
            problem = formats.check(param.format[: -len("-list")], item)
            if problem:
                return problem
        return None
    return formats.check(param.format, value)


# Proxmox's own models: a guest may have them, but they are no model to report.
_OWN_MODELS = ("x86-64-v2", "x86-64-v2-AES", "x86-64-v3", "x86-64-v4")


def _cpu_model(value: str, groups: Groups) -> str | None:
    parsed = parse_property_string(groups["vm-cpu-conf"], value)
    model = parsed.get("cputype", "")
    known = groups["vm-cpu-conf"]["reported-model"].enum
    if not model or model in known or model in _OWN_MODELS or model.startswith("custom-"):
        return None
    return f"Built-in cputype '{model}' is not defined (missing 'custom-' prefix?)"


def pairs(keys: dict[str, Param], value: str) -> Iterable[tuple[str, str, str]]:
    """Each part of a property string as (key, value, problem)."""
    default = next((param.name for param in keys.values() if param.first), "")
    for part in value.split(","):
        if not part.strip():
            continue
        key, equals, text = part.partition("=")
        if not equals or (default and not re.fullmatch(r"[A-Za-z0-9_\-]+", key)):
            if default:
                yield default, part, ""
            else:
                yield part, "", "value without key, but schema does not define a default key"
            continue
        yield key.strip(), text, ""


def parse_property_string(keys: dict[str, Param], value: str) -> dict[str, str]:
    """The keys of a property string, aliases resolved: `e1000=MAC` gives model and macaddr."""
    out: dict[str, str] = {}
    for key, text, _problem in pairs(keys, value):
        param = lookup(keys, key)
        if param and param.sets:
            out[param.sets] = key
        out[param.alias if param and param.alias else key] = text
    return out


def property_string_problems(keys: dict[str, Param], value: str, name: str, groups: Groups) -> dict[str, str]:
    problems: dict[str, str] = {}
    seen: dict[str, str] = {}
    for key, text, problem in pairs(keys, value):
        if problem:
            return {name: problem}
        param = lookup(keys, key)
        if param is None:
            problems[f"{name}.{key}"] = UNKNOWN
            continue
        if param.sets:
            seen[param.sets] = key
        target = keys[param.alias] if param.alias else param
        if target.name in seen:
            return {name: f"duplicate key in comma-separated list property: {target.name}"}
        seen[target.name] = text
        _parsed, wrong = _value(target, f"{name}.{target.name}", text, groups)
        if wrong:
            problems[f"{name}.{target.name}"] = wrong
        elif target.needs and target.needs not in value:
            problems[f"{name}.{target.needs}"] = f"missing property required by '{target.name}'"
    for param in keys.values():
        if not param.optional and not param.alias and param.name not in seen:
            problems[f"{name}.{param.name}"] = MISSING
    return problems


def render_property_string(keys: dict[str, Param], parsed: dict[str, str]) -> str:
    """The normal form: the default key first and bare, the others by name."""
    default = next((param.name for param in keys.values() if param.first), "")
    setter = {param.sets: param for param in keys.values() if param.sets}
    rest = dict(parsed)
    out = []
    if default in rest:
        first = rest.pop(default)
        shared = setter.get(default)
        if shared and shared.alias in rest:
            out.append(f"{first}={rest.pop(shared.alias)}")
        else:
            out.append(first)
    return ",".join(out + [f"{key}={rest[key]}" for key in sorted(rest)])
