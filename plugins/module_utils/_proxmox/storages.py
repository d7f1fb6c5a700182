# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Storage definitions of a cluster: what is wanted, what there is, and how the two become the same."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._objects import AdapterError, Change, Current, Desired, DesiredError, Step
from .._values import ABSENT, UNREADABLE, Secret, bare
from .errors import Busy, Moved
from .properties import parse
from .session import ApiReader, ApiWriter, Session, flag, missing_names, words
from .storage_types import DEFAULTS, FLAGS, PROPERTIES, SECRET, SETS, TYPES

STORAGE: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "choices": sorted(TYPES)},
    "content": {"type": "list", "elements": "str"},
    "nodes": {"type": "list", "elements": "str"},
    "enabled": {"type": "bool"},
    "options": {"type": "dict"},
    "password": {"type": "str", "no_log": True},
    "keyring": {"type": "str", "no_log": True},
    "encryption_key": {"type": "str", "no_log": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
_OWN = frozenset({"storage", "type", "digest"})


def spec() -> dict[str, Any]:
    return {"storages": {"type": "list", "elements": "dict", "required": True, "options": STORAGE}}


def desired(parameters: Mapping[str, Any]) -> Iterator[Desired]:
    problems: list[str] = []
    found = []
    for storage in parameters["storages"]:
        fields = _fields(storage, problems)
        found.append(Desired(storage["name"], fields, present=storage["state"] == "present"))
    if problems:
        raise DesiredError(problems)
    yield from found


def _fields(storage: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    name, kind = storage["name"], storage.get("type", "")
    if storage["state"] == "absent":
        return {}
    if not kind:
        problems.append(f"storage {name}: its type is missing; it is one of {', '.join(sorted(TYPES))}")
        return {}
    given: dict[str, Any] = {str(key).replace("_", "-"): value for key, value in storage.get("options", {}).items()}
    # A few of Proxmox's own names have an underscore; both spellings are taken.
    own = {option.replace("_", "-"): option for option in TYPES[kind].options}
    given = {own.get(key, key): value for key, value in given.items()}
    for key in ("content", "nodes", "password", "keyring"):
        if key in storage:
            given[key] = storage[key]
    if "encryption_key" in storage:
        given["encryption-key"] = storage["encryption_key"]
    if "enabled" in storage:
        given["disable"] = not storage["enabled"]
    for key in given:
        if key not in TYPES[kind].options:
            near = difflib.get_close_matches(key, sorted(TYPES[kind].options), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(
                f"storage {name}: a storage of type {kind} has no option {key}{hint} "
                f"(it has {', '.join(sorted(TYPES[kind].options))})"
            )
    missing = sorted(TYPES[kind].needed - given.keys())
    problems += [f"storage {name}: a storage of type {kind} needs the option {key}" for key in missing]
    if "content" in given and not given["content"]:
        problems.append(f"storage {name}: content is empty; name at least one kind of content, or leave it out")
    return {"type": kind, **{key: normal(key, value) for key, value in given.items()}}


def normal(key: str, value: Any) -> Any:
    """An option's value as it is compared: sets sorted, flags as booleans, property strings parsed."""
    if key in SECRET:
        return value if isinstance(value, Secret) else Secret(value)
    if isinstance(value, (str, list, tuple)) and not value:
        # What has a default is never absent when it is read back.
        value = DEFAULTS.get(key, "0" if key in FLAGS else "")
        if not value:
            return ABSENT
    if key in SETS:
        return words(value)
    if key in FLAGS:
        return flag(value)
    if key in PROPERTIES:
        items = value if isinstance(value, Mapping) else parse(str(value), "default")
        return {str(name).replace("_", "-"): _text(item) for name, item in sorted(items.items())}
    return _text(value)


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


class Storages(ApiReader):
    kind = "storage"
    exact = frozenset(PROPERTIES)

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        del desired
        return [_current(row) for row in self.session.pve.get("/storage")]

    def replaces(self, desired: Desired, current: Current, fields: Sequence[Any]) -> str:
        del current
        fixed = TYPES[desired.fields["type"]].fixed | {"type"}
        forced = sorted({f.path.split(".")[0] for f in fields} & fixed)
        if not forced:
            return ""
        return f"{', '.join(forced)} is fixed when a storage is defined; what is stored on it stays where it is"

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del current
        named = {node for item in desired if item.present for node in _list(item.fields.get("nodes"))}
        if not named:
            return
        there = [str(row["node"]) for row in self.session.pve.get("/nodes")]
        for item in desired:
            yield from missing_names("node", _list(item.fields.get("nodes")), there, f"storage {item.key}")


def _current(row: Mapping[str, Any]) -> Current:
    kind = str(row["type"])
    fields: dict[str, Any] = {"type": kind, "disable": False}
    options = TYPES[kind].options if kind in TYPES else frozenset()
    for key in options:
        if key in row and key not in SECRET:
            fields[key] = normal(key, row[key])
        elif key in SECRET:
            fields[key] = UNREADABLE
        elif key in DEFAULTS:
            fields[key] = normal(key, DEFAULTS[key])
        elif key in FLAGS:
            fields[key] = False
    return Current(str(row["storage"]), fields, {"type": kind}, revision=str(row.get("digest") or ""))


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else []


INFO = {"names": {"type": "list", "elements": "str"}}


def info(session: Session, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """For proxmox_storages_info."""
    there = {str(row["storage"]): row for row in session.pve.get("/storage")}
    names = parameters.get("names", sorted(there))
    problems = missing_names("storage", names, list(there), "names")
    if problems:
        raise AdapterError("; ".join(problems))
    usage: dict[str, dict[str, Any]] = {name: {} for name in names}
    for row in session.pve.get("/cluster/resources", type="storage"):
        if row["storage"] in usage:
            usage[row["storage"]][str(row["node"])] = {
                "active": row.get("status") == "available",
                "shared": flag(row.get("shared", 0)),
                "total": int(row.get("maxdisk") or 0),
                "used": int(row.get("disk") or 0),
            }
    return {"storages": [_given(there[name]) for name in names], "usage": usage}


def _given(row: Mapping[str, Any]) -> dict[str, Any]:
    """A definition as the module takes it; what is not set, and what the API never tells, is left out."""
    fields = {key: value for key, value in _current(row).fields.items() if key in row and value is not UNREADABLE}
    own: dict[str, Any] = {key: fields.pop(key) for key in ("content", "nodes") if key in fields}
    kind = fields.pop("type", str(row["type"]))
    fields.pop("disable", None)
    options = {key: value for key, value in fields.items() if value is not ABSENT}
    return {
        "name": str(row["storage"]),
        "type": kind,
        **own,
        "enabled": not flag(row.get("disable", 0)),
        "options": options,
    }


class StoragesWriter(ApiWriter):
    def create(self, change: Change, step: Step) -> None:
        del step
        sent = {key: _sent(key, value) for key, value in change.after.items() if value is not ABSENT}
        self.session.pve.request("POST", "/storage", {"storage": change.key, **sent})

    def update(self, change: Change, step: Step) -> None:
        """The digest is that of all definitions together: ours are written one by one, each with a fresh one."""
        del step
        with self.session.writing:
            digest = self._unmoved(change)
            paths = {path.split(".")[0] for path in change.paths}
            sent = {key: _sent(key, change.after[key]) for key in paths if change.after.get(key, ABSENT) is not ABSENT}
            gone = sorted(key for key in paths if change.after.get(key, ABSENT) is ABSENT)
            try:
                self.session.pve.request(
                    "PUT",
                    f"/storage/{change.key}",
                    {**sent, "delete": ",".join(gone) or None, "digest": digest or None},
                )
            except Moved as error:
                # Another definition may be what moved: the engine looks at this one again.
                raise Busy(error.said, "somebody else changes storages at the same time", where=error.where) from None

    def _unmoved(self, change: Change) -> str:
        rows = {str(row["storage"]): row for row in self.session.pve.get("/storage")}
        row = rows.get(change.key)
        if row is None:
            raise AdapterError(f"storage '{change.key}' is gone since it was read", "run again to make it anew")
        if change.current is not None and _current(row).fields != change.current.fields:
            raise Busy(f"storage '{change.key}' was changed by somebody else since it was read")
        return str(row.get("digest") or "")

    def delete(self, change: Change, step: Step) -> None:
        del step
        self.session.pve.delete(f"/storage/{change.key}")


def _sent(key: str, value: Any) -> Any:
    if key in SETS:
        return ",".join(value)
    if isinstance(value, Mapping):
        return ",".join(f"{name}={item}" for name, item in sorted(value.items()))
    return value if isinstance(value, Secret) else bare(value)
