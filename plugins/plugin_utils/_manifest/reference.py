# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The reference page and the JSON Schema, made of the same models that validate."""

from __future__ import annotations

import json
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from . import base, sections_platform
from .base import SECRET, Rule, Section
from .model import Manifest
from .sections_clouds import KINDS

SCHEMA_ID = "https://github.com/socle-platform/socle.platform/blob/main/docs/manifest.schema.json"
_UNIONS = (Union, types.UnionType)


def json_schema() -> dict[str, Any]:
    """The manifest's JSON Schema, for editors."""
    made = _tidied(Manifest.model_json_schema())
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, "title": "Socle manifest"}
    return {**head, **{key: value for key, value in made.items() if key != "title"}}


def _tidied(value: Any) -> Any:
    """An optional key is left out rather than null; keys that fit no pattern are wrong; titles only repeat names."""
    if isinstance(value, list):
        return [_tidied(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    value = {key: _tidied(entry) for key, entry in value.items()}
    options = value.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        options = [entry for entry in options if entry != {"type": "null"}]
        del value["anyOf"]
        value = {**(options[0] if len(options) == 1 else {"anyOf": options}), **value}
        if value.get("default", "") is None:
            del value["default"]
    if isinstance(value.get("title"), str):
        del value["title"]
    if "patternProperties" in value:
        value["additionalProperties"] = False
    return value


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def page() -> str:
    """The reference page."""
    lines = [
        "# Manifest reference",
        "",
        "<!-- Made from the schema by `make docs`; changes here are lost. -->",
        "",
        "Every key that a manifest may have. How to write one, and what it becomes, is told in the",
        "[guide](manifest-guide.md); editors complete it with the [JSON Schema](manifest.schema.json).",
        "A key without a default must be written; a section that is not written is not there.",
        "",
        '**Text** that is marked *looked up* may also be a template (`"{{ ... }}"`), a reference to a secret',
        "(`{secret: path#field}`) or a value encrypted by ansible-vault (`!vault`). It is read where it is used.",
        "",
        *_table(Manifest),
    ]
    seen: set[type[Section]] = {Manifest}
    for name, entry in Manifest.model_fields.items():
        for model, path in _models(entry.annotation, _place(name, entry.annotation)):
            _chapter(lines, model, path, seen)
    return "\n".join(lines).rstrip() + "\n"


def _chapter(lines: list[str], model: type[Section], path: str, seen: set[type[Section]]) -> None:
    if model in seen:
        return
    seen.add(model)
    depth = "##" if path.count(".") < 2 else "###"
    kinds = [kind for kind, entry in KINDS.items() if entry is model]
    title = f"`{path}`" + (f" of kind `{kinds[0]}`" if kinds else "")
    text = " ".join((model.__doc__ or "").split())
    lines += ["", f"{depth} {title}", "", text, "", *_table(model)]
    for name, entry in model.model_fields.items():
        for inner, where in _models(entry.annotation, f"{path}.{_place(name, entry.annotation)}"):
            _chapter(lines, inner, where, seen)


def _place(name: str, annotation: Any) -> str:
    """`machines` is a mapping of names: its entries are `machines.<name>`."""
    return f"{name}.<name>" if _is_mapping(annotation) else name


def _is_mapping(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated or get_origin(annotation) in _UNIONS:
        return any(_is_mapping(entry) for entry in get_args(annotation))
    return get_origin(annotation) is dict and bool(_models(get_args(annotation)[1], ""))


def _models(annotation: Any, path: str) -> list[tuple[type[Section], str]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [(annotation, path)]
    return [found for entry in get_args(annotation) for found in _models(entry, path)]


def _table(model: type[Section]) -> list[str]:
    lines = ["| key | what it holds | default | meaning |", "| --- | --- | --- | --- |"]
    for name, entry in model.model_fields.items():
        meaning = entry.description or ""
        if entry.json_schema_extra == SECRET:
            meaning += " A secret: never in clear."
        if entry.examples:
            meaning += " Such as " + ", ".join(f"`{_value(example)}`" for example in entry.examples) + "."
        cells = (f"`{name}`", _holds(entry.annotation, entry.metadata), _default(entry), meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False).replace('"', "")


def _default(entry: Any) -> str:
    if entry.is_required():
        return "**required**"
    if entry.default_factory is not None or entry.default is None or entry.default in ({}, []):
        return ""
    return f"`{_value(entry.default)}`"


_NAMES = {
    id(base.Size): "a size",
    id(base.Text): "text, *looked up*",
    id(base.Url): "a URL, *looked up*",
    id(base.Email): "an e-mail address, *looked up*",
    id(base.Network): "a network",
    id(base.Address): "an address",
    id(base.Range): "an address, range or network",
    id(base.Duration): "a duration",
    id(base.Clock): "a time of day",
    id(base.Label): "a DNS label",
    id(base.Key): "a name",
    id(base.Domain): "a domain",
    id(base.HostName): "a host name",
    id(base.Interface): "an interface",
    id(base.Plain): "text",
    id(sections_platform.Bucket): "a bucket's name",
}
_BY_RULE = {
    id(rule): _NAMES[id(kind)]
    for kind in (*vars(base).values(), *vars(sections_platform).values())
    if id(kind) in _NAMES
    for rule in getattr(kind, "__metadata__", ())
    if isinstance(rule, Rule)
}
_TYPES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", Any: "anything"}


def _holds(annotation: Any, metadata: Any = ()) -> str:
    for rule in metadata:
        if id(rule) in _BY_RULE:
            return _BY_RULE[id(rule)]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        many = any(isinstance(rule, Rule) and rule.schema is None for rule in arguments[1:])
        text = _holds(arguments[0], arguments[1:])
        return text.replace("a list: ", "") + ", or a list" if many else text
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in arguments)
    if origin is list:
        text = "a list: " + _holds(arguments[0])
        many = any(isinstance(rule, Rule) and rule.schema is None for rule in metadata)
        return text.replace("a list: ", "") + ", or a list" if many else text
    if origin is dict:
        return "a mapping: " + ("sections by name" if _models(arguments[1], "") else _holds(arguments[1]))
    if origin in _UNIONS:
        return next((_holds(entry) for entry in arguments if entry is not type(None)), "")
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "a section"
    return _TYPES.get(annotation, "text")
