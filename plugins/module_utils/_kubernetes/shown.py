# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Objects as the engine compares and shows them: fields by name, list items by their name, contents of Secrets hidden.

What would change is the server's answer (live object against dry run). The engine is given the live object as a copy of
the wanted one in which exactly those fields differ.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator, Mapping
from typing import Any

from .._values import ABSENT, Secret

Path = tuple[str, ...]

IDENTITY = frozenset(("apiVersion", "kind"))
VOLATILE = frozenset(
    ("name", "namespace", "managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
)
# What objects consist of. Of others, only that they go is told.
PARTS = (
    "metadata", "spec", "data", "binaryData", "immutable", "rules", "subjects", "aggregationRule", "webhooks",
    "secrets", "imagePullSecrets", "automountServiceAccountToken", "parameters", "template", "provisioner", "value",
)  # fmt: skip
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Everything(frozenset[str]):
    """The set that every path is in: what the copy of a live object has beyond the wanted one is to be removed."""

    def __contains__(self, item: object) -> bool:
        return True


def fields(body: Mapping[str, Any], *, status: bool = False) -> dict[str, Any]:
    """An object without what names it and what moves by itself."""
    secret = body.get("kind") == "Secret" and body.get("apiVersion") == "v1"
    shown: dict[str, Any] = {}
    for name, value in body.items():
        if name in IDENTITY or (name == "status" and not status):
            continue
        if name == "metadata":
            value = {key: item for key, item in value.items() if key not in VOLATILE}
            if not value:
                continue
        shown[name] = _named(value)
    if secret:
        hide(shown)
    return shown


def whole(body: Mapping[str, Any]) -> dict[str, Any]:
    """A wanted object with what it does not have said aloud: the engine sees what is too much inside of fields only."""
    made = fields(body)
    return {**made, **{name: ABSENT for name in PARTS if name not in made}}


def hide(shown: dict[str, Any]) -> None:
    """Make Secrets of what a Secret holds, by the text that people know."""
    for name in ("data", "stringData"):
        held = shown.get(name)
        if isinstance(held, Mapping):
            shown[name] = {key: Secret(_clear(value)) for key, value in held.items()}
    notes = shown.get("metadata", {}).get("annotations")
    if isinstance(notes, Mapping) and LAST_APPLIED in notes:
        shown["metadata"] = {
            **shown["metadata"], "annotations": {**notes, LAST_APPLIED: Secret(notes[LAST_APPLIED])}
        }  # fmt: skip


def _clear(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError:
        return value


def _named(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _named(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        names = [item.get("name") if isinstance(item, Mapping) else None for item in value]
        if names and all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return {f"[{name}]": _named(item) for name, item in zip(names, value, strict=True)}
        return [_named(item) for item in value]
    return value


def differing(one: Any, other: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Every field in which two shown objects differ: where, and both values."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in [*one, *(key for key in other if key not in one)]:
            yield from differing(one.get(name, ABSENT), other.get(name, ABSENT), (*path, name))
    elif one is not other and one != other:
        yield path, one, other


def before(wanted: Mapping[str, Any], live: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The wanted object with the live values of what would change; `live` and `after` as `fields` gives them."""
    made: dict[str, Any] = copy.deepcopy(dict(wanted))
    for path, was, becomes in differing(live, after):
        if becomes is ABSENT:
            _put(made, path, was, grow=True)
        elif was is ABSENT:
            _drop(made, path)
        else:
            _put(made, path, was, grow=False)
    return made


def projected(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """Of the live object what the wanted one names: for when the server has not said what would change."""
    made = {}
    for name, want in wanted.items():
        if name not in live:
            continue
        have = live[name]
        both = isinstance(want, Mapping) and isinstance(have, Mapping)
        made[name] = projected(want, have) if both else have
    return made


def _put(made: dict[str, Any], path: Path, value: Any, *, grow: bool) -> None:
    inside: Any = made
    for name in path[:-1]:
        if not isinstance(inside, dict) or (name not in inside and not grow):
            return
        inside = inside.setdefault(name, {})
    if isinstance(inside, dict) and (grow or path[-1] in inside):
        inside[path[-1]] = value


def _drop(made: dict[str, Any], path: Path) -> None:
    inside: Any = made
    for name in path[:-1]:
        inside = inside.get(name) if isinstance(inside, dict) else None
    if isinstance(inside, dict):
        inside.pop(path[-1], None)
