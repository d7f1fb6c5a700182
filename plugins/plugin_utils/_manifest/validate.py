# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""From a file to a valid platform, or to everything that is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .base import SECRET, Section, found, is_template
from .errors import Finding, Result, did_you_mean, in_order, one_of, shown
from .errors import Path as Place
from .load import Node, Unreadable, Vault, load
from .pydantic_guard import MISSING, ValidationError

MOST_FINDINGS = 1000


def validate_file(path: str | Path, raw: bytes | None = None, name: str | None = None) -> Result:
    """Read and check a manifest. `raw` is its content when it was read (and decrypted) already."""
    result = Result(file=name or str(path))
    if MISSING is not None:
        what = "the Python library pydantic (2.7 or newer) is not installed where Ansible runs"
        result.errors.append(
            Finding((), 1, 1, what, "pydantic>=2.7", "install it: python3 -m pip install 'pydantic>=2.7'")
        )
        return result
    try:
        data, root, findings = load(Path(path).read_bytes() if raw is None else raw)
    except Unreadable as exc:
        result.errors.append(exc.finding)
        return result
    except OSError as exc:
        result.errors.append(Finding((), 1, 1, f"cannot be read: {exc.strerror or exc}", "a readable file"))
        return result
    result.errors.extend(findings)
    nothing = _nothing(data, root)
    result.errors.extend(nothing)
    manifest, errors = _fit(data, root)
    empty = {entry.path for entry in nothing}
    result.errors.extend(entry for entry in errors if entry.path not in empty)

    from .checks.every import run

    errors, warnings = run(manifest, root, {entry.path for entry in result.errors})
    result.errors = in_order([*result.errors, *errors])
    result.warnings = in_order(warnings)
    if result.ok:
        from .platform import Platform

        result.platform = Platform(manifest)
    return result


def _nothing(data: Any, root: Node, path: Place = ()) -> list[Finding]:
    """Keys without a value: `monitoring:` is neither on nor off. They are told, and taken out."""
    findings = []
    entries = list(data.items()) if isinstance(data, dict) else list(enumerate(data)) if isinstance(data, list) else []
    for name, value in entries:
        here = (*path, name)
        if value is not None:
            findings += _nothing(value, root, here)
            continue
        node, known, inner = root.at(here), _model_at(path, root), _inner_at(here, root)
        if isinstance(data, list) or (known is not None and name not in known.model_fields):
            continue
        mapping = isinstance(inner, _Holder) or (isinstance(inner, type) and issubclass(inner, Section))
        wanted = "{} for all defaults" if mapping else "a value"
        required = known is not None and known.model_fields[str(name)].is_required()
        hint = "" if required else "or leave the key out"
        findings.append(Finding(here, node.line, node.column, "nothing stands here", wanted, hint))
        del data[name]
    return findings


def _fit(data: Any, root: Node) -> tuple[Any, list[Finding]]:
    """The manifest as models, and what did not fit; that is left out, so that the rest can be checked further."""
    from .model import Manifest

    try:
        return Manifest.model_validate(data), []
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
    findings = [_finding(error, root) for error in errors[:MOST_FINDINGS]]
    if len(errors) > MOST_FINDINGS:
        path = _path(errors[MOST_FINDINGS], root)
        node = root.at(path)
        what = f"{len(errors) - MOST_FINDINGS} more values do not fit; they are not told one by one"
        findings.append(Finding(path, node.line, node.column, what))
    for _round in range(20):
        pruned = [_prune(data, error, root) for error in errors]
        if not any(pruned):
            break
        try:
            return Manifest.model_validate(data), findings
        except ValidationError as exc:
            errors = exc.errors(include_url=False)
    return None, findings


def _prune(data: Any, error: Any, root: Node) -> bool:
    """Take the wrong part out of the data; what lacks a key, and a list with a wrong entry, goes as a whole."""
    path = _path(error, root)
    if error["type"] == "missing":
        path = path[:-1]
    if not path or path[0] in ("plugin", "platform"):
        kept = data.get("platform")
        kept = kept if isinstance(kept, dict) and len(path) > 1 else {}
        kept = {key: value for key, value in kept.items() if len(path) < 2 or key != path[1]}
        data.update(plugin="socle.platform.manifest", platform={**_PLACEHOLDER, **kept})
        return True
    while path and isinstance(path[-1], int):
        path = path[:-1]
    holder = data
    for part in path[:-1]:
        try:
            holder = holder[part]
        except (KeyError, IndexError):  # another error of this round took it out
            return False
    return isinstance(holder, dict) and holder.pop(path[-1], holder) is not holder


_PLACEHOLDER = {"name": "x", "domain": "example.org"}


def _path(error: Any, root: Node) -> Place:
    """pydantic's location without what it adds for itself (tags of unions, `[key]`)."""
    path: list[Any] = []
    here = root
    parts = error["loc"]
    for index, part in enumerate(parts):
        following = here.child(part)
        if following is not None:
            path.append(part)
            here = following
        elif index == len(parts) - 1 and error["type"] == "missing":
            path.append(part)
    return tuple(path)


_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_LIMITS = {
    "greater_than_equal": ("ge", "at least {}"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "at most {}"),
    "less_than": ("lt", "less than {}"),
    "too_short": ("min_length", "at least {} of them"),
    "too_long": ("max_length", "at most {} of them"),
    "string_too_short": ("min_length", "at least {} characters"),
    "string_too_long": ("max_length", "at most {} characters"),
}


def _finding(error: Any, root: Node) -> Finding:
    path = _path(error, root)
    kind, value, context = error["type"], error.get("input"), error.get("ctx", {})
    node = root.at(path)
    at_key = error["loc"] and error["loc"][-1] == "[key]"
    if kind == "extra_forbidden" or at_key:
        node = root.key_at(path)
    model = _model_at(path[:-1], root)
    what, wanted, hint = found(value), "", ""
    if kind == "missing":
        what, wanted = f"{path[-1]} is missing", _describe(path, root)
    elif kind == "extra_forbidden":
        known = [name for name in (model.model_fields if model else {}) if name not in root.at(path[:-1]).entries]
        what, hint = f"unknown key '{shown(path[-1], 60)}'", did_you_mean(path[-1], model.model_fields if model else ())
        hint = hint or _elsewhere(str(path[-1]))
        wanted = one_of(known)
    elif kind == "manifest":
        what, wanted, hint = context["what"], context["wanted"], context["hint"]
        if node.kind == "scalar" and isinstance(value, float):
            what, hint = what.replace(str(value), node.raw), hint.replace(str(value), node.raw)
    elif kind in ("literal_error", "union_tag_invalid", "union_tag_not_found"):
        what, wanted, hint, node, path = _choice(error, root, path, node)
    elif kind in _LIMITS:
        name, pattern = _LIMITS[kind]
        wanted = pattern.format(context.get(name))
        if kind == "too_short" and not value:
            what = f"found an empty {'mapping' if isinstance(value, dict) else 'list'}"
    elif kind in _TYPES:
        wanted = _TYPES[kind]
        if node.kind == "scalar" and isinstance(value, float):
            what = f"found the number {node.raw}"
        if kind == "bool_type" and isinstance(value, str) and value.lower() in ("yes", "no", "on", "off", "y", "n"):
            hint = f"write {'true' if value.lower() in ('yes', 'on', 'y') else 'false'}"
        elif value is None or (value is True and wanted == "a mapping"):
            hint = "write {} for all defaults" if wanted == "a mapping" else "write a value, or leave the key out"
        elif kind.startswith("int") and isinstance(value, str) and re.fullmatch(r" *[0-9][0-9_]{0,18} *", value):
            hint = f"write it without quotes or leading zeros: {int(value.replace('_', ''))}"
        elif is_template(value) or isinstance(value, Vault):
            what = f"{'a template' if isinstance(value, str) else 'an encrypted value'} cannot stand here"
    else:
        wanted = str(error.get("msg", ""))
    if _secret_at(path, root) and kind != "missing" and isinstance(value, str):
        what = "found a value that does not fit (not shown: it may be a secret)"
    return Finding(path, node.line, node.column, what, wanted, hint)


def _choice(error: Any, root: Node, path: Place, node: Node) -> tuple[str, str, str, Node, Place]:
    kind, value, context = error["type"], error.get("input"), error.get("ctx", {})
    if kind == "literal_error":
        model, name = _model_at(path[:-1], root), path[-1]
        if isinstance(name, int):
            model, name = _model_at(path[:-2], root), path[-2]
        words = _words(model.model_fields[name].annotation) if model and name in model.model_fields else []
        words = words or [str(context.get("expected", "")).replace("'", "")]
    else:
        from .sections_clouds import KINDS

        words = list(KINDS)
        if kind == "union_tag_not_found":
            return "kind is missing", one_of(words), "", node, (*path, "kind")
        value, path = value.get("kind") if isinstance(value, dict) else value, (*path, "kind")
        node = root.at(path)
    return found(value), one_of(words), did_you_mean(value, words), node, path


def _words(annotation: Any) -> list[str]:
    from typing import Literal, get_args, get_origin

    if get_origin(annotation) is Literal:
        return [str(entry) for entry in get_args(annotation)]
    return [word for part in get_args(annotation) for word in _words(part)]


def _model_at(path: Place, root: Node) -> type[Section] | None:
    """The model that describes the mapping at a path."""
    kind = _inner_at(path, root)
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _inner_at(path: Place, root: Node) -> Any:
    from .model import Manifest

    kind: Any = Manifest
    for index, part in enumerate(path):
        kind = _inner(kind, part, root.at(path[: index + 1]))
    return kind


def _inner(kind: Any, part: Any, node: Node) -> Any:
    if isinstance(kind, type) and issubclass(kind, Section):
        entry = kind.model_fields.get(part)
        return _unwrap(entry.annotation, node) if entry else None
    return _unwrap(kind.value, node) if isinstance(kind, _Holder) else None


class _Holder:
    """A list or mapping of something."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _unwrap(annotation: Any, node: Node) -> Any:
    from typing import Annotated, get_args, get_origin

    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _unwrap(arguments[0], node)
    if origin in (dict, list):
        return _Holder(arguments[-1])
    if arguments:
        models = [entry for entry in arguments if isinstance(entry, type) and issubclass(entry, Section)]
        if len(models) > 1:
            from .sections_clouds import KINDS

            kind = node.child("kind")
            return KINDS.get(str(kind.value)) if kind else None
        rest = [entry for entry in arguments if entry is not type(None)]
        return _unwrap(rest[0], node) if rest else None
    return annotation


def _describe(path: Place, root: Node) -> str:
    model = _model_at(path[:-1], root)
    entry = model.model_fields.get(path[-1]) if model else None
    if entry is None or not entry.description:
        return ""
    example = f" (such as {entry.examples[0]})" if entry.examples else ""
    return entry.description.rstrip(".") + example


def _secret_at(path: Place, root: Node) -> bool:
    for end in range(1, len(path) + 1):
        model = _model_at(path[: end - 1], root)
        entry = model.model_fields.get(path[end - 1]) if model and isinstance(path[end - 1], str) else None
        if entry is not None and entry.json_schema_extra == SECRET:
            return True
    return False


def _elsewhere(name: str) -> str:
    """Where else the schema knows a word that stands in the wrong section."""
    from .model import Manifest

    places = []
    for section, entry in Manifest.model_fields.items():
        kind = _unwrap(entry.annotation, Node("map", 1, 1))
        if isinstance(kind, type) and issubclass(kind, Section) and name in kind.model_fields:
            places.append(f"{section}.{name}")
    if name in Manifest.model_fields:
        places.insert(0, f"{name} at the left margin")
    return f"did you mean {places[0]}?" if len(places) == 1 or name in Manifest.model_fields else ""
