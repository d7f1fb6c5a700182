# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Plans that bind: written to a file, and applied only while everything they stand on is as it was."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ._objects import Change, EngineError, Plan
from ._values import KNOWN_AFTER_APPLY, Seal, Secret, digest, encode, has_unknown, letters

FORMAT = "socle.platform plan"
VERSION = 1
_SECTION: dict[str, type] = {
    "version": int,
    "module": str,
    "scope": str,
    "parameters": dict,
    "kind": str,
    "salt": str,
    "changed": bool,
    "changes": list,
    "objects": dict,
    "unmanaged": list,
    "warnings": list,
    "refusals": list,
}


class PlanFileError(EngineError):
    """The plan file cannot be used; the text says which and why."""


@dataclass(frozen=True)
class Identity:
    """Which task a section belongs to. A parameter whose value is not known yet has no digest."""

    module: str
    scope: str = ""
    parameters: Mapping[str, str | None] = field(default_factory=dict)


def identity(module: str, parameters: Mapping[str, Any], scope: str = "") -> Identity:
    """The identity of a task. Secret values do not count: a renewed token is the same task."""
    return Identity(module, scope, {name: _parameter(value) for name, value in parameters.items()})


def _parameter(value: Any) -> str | None:
    if has_unknown(value):
        return None
    return digest(encode(_without_secrets(value), Seal("")))


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Secret):
        return {"$secret": ""}
    if isinstance(value, Mapping):
        return {str(key): _without_secrets(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_secrets(item) for item in value]
    return value


def new_salt() -> str:
    return letters(secrets.token_hex(16))


def section(plan: Plan, task: Identity, salt: str) -> dict[str, Any]:
    """One task's plan as JSON data: for people to read, and for `verify` to hold a later plan against.

    With an empty salt nothing in it is sealed (which takes its time), and it can only be read.
    """
    seal = Seal(salt)
    data: dict[str, Any] = {
        "version": VERSION,
        "module": task.module,
        "scope": task.scope,
        "parameters": dict(task.parameters),
        "salt": salt,
        **plan.as_dict(),
        "changes": [_change(change, seal) for change in plan.pending],
        "objects": {change.key: _state(change, plan, seal) for change in plan.changes} if salt else {},
    }
    data["digest"] = digest(data)
    return data


def _change(change: Change, seal: Seal) -> dict[str, Any]:
    data = change.as_dict()
    for shown, item in zip(data["fields"], change.fields, strict=False):
        shown["seal"] = [digest(encode(item.before, seal)), None if item.unknown else digest(encode(item.after, seal))]
    return data


def _state(change: Change, plan: Plan, seal: Seal) -> str:
    """A digest of the object as it was found. Its secrets are bound by the changes that touch them."""
    if change.current is None:
        return "absent"
    fields = {name: value for name, value in change.current.fields.items() if name not in plan.volatile}
    found = [fields, change.current.identity, change.current.incomplete]
    return digest(encode(_without_secrets(found), seal))


def verify(planned: Mapping[str, Any], plan: Plan, task: Identity) -> list[str]:
    """Everything, by name, in which `plan`, made now, is not the plan of the section."""
    fresh = section(plan, task, salt=planned["salt"])
    reasons: list[str] = []
    for name in sorted(planned["parameters"].keys() | fresh["parameters"].keys()):
        before, now = (part["parameters"].get(name, "missing") for part in (planned, fresh))
        if before is not None and before != now:
            reasons.append(f"parameter {name} is not what it was when the plan was made")
    if planned["kind"] != fresh["kind"]:
        reasons.append(f"it was made for {planned['kind']} objects, and this task is about {fresh['kind']} objects")
    moved: list[tuple[str, str]] = []
    before_changes, now_changes = ({item["key"]: item for item in part["changes"]} for part in (planned, fresh))
    for key in [*before_changes, *(key for key in now_changes if key not in before_changes)]:
        what = _compare(before_changes.get(key), now_changes.get(key))
        if what:
            moved.append((key, what))
    kind = fresh["kind"]
    named = {key for key, _unused in moved}
    for key, state in planned["objects"].items():
        found = fresh["objects"].get(key, "absent")
        if found != state and key not in named:
            how = "appeared" if state == "absent" else "disappeared" if found == "absent" else "been changed"
            moved.append((key, f"has {how} since the plan was made"))
    return reasons + [f"{kind} {key}: {what}" for key, what in moved]


def _compare(planned: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> str:
    if planned is None or now is None:
        if planned is not None:
            return f"{planned['action']} was planned, and nothing is to be done any more"
        return f"{now['action']} would be needed, which was not planned" if now is not None else ""
    if planned["action"] != now["action"]:
        return f"{planned['action']} was planned, and {now['action']} would be needed now"
    before, after = ({item["path"]: item for item in part["fields"]} for part in (planned, now))
    moved = before.keys() ^ after.keys()
    moved |= {path for path in before.keys() & after.keys() if not _same_field(before[path], after[path])}
    return f"{', '.join(sorted(moved))} has moved since the plan was made" if moved else ""


def _same_field(planned: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    one, two = planned.get("seal"), now.get("seal")
    if one is None or two is None:
        return one is two
    if one[1] is None:
        # It was known only after apply of something before it, and may be known by now.
        return bool(one[0] == two[0] and planned["after"] == KNOWN_AFTER_APPLY)
    shown = [(item["before"], item["after"]) for item in (planned, now)]
    return bool(one == two and shown[0] == shown[1])


def write(path: str | Path, sections: Sequence[Mapping[str, Any]]) -> None:
    """Write a plan file that only its owner can read, whole or not at all."""
    path = Path(path)
    for part in sections:
        fault = _fault(part) or ("" if part["salt"] else f"of {part['module']} does not come from check mode")
        if fault:
            blanked = "; was a name in it blanked, because a secret has the same text?" if not _whole(part) else ""
            raise PlanFileError(f"cannot write the plan {path}: a task's section {fault}{blanked}")
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "sections": list(sections),
    }
    data["digest"] = digest(data)
    text = json.dumps(data, indent=1, sort_keys=True) + "\n"
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise PlanFileError(f"cannot write the plan {path}: {error.strerror}") from error


def load(path: str | Path) -> dict[str, Any]:
    """The plan in a file, or PlanFileError saying why it cannot be one."""
    again = "make it anew with playbooks/plan.yml"
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanFileError(f"cannot read the plan {path}: {error.strerror}; {again}") from error
    except (ValueError, RecursionError) as error:
        raise PlanFileError(f"the plan {path} is not JSON ({error}); {again}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise PlanFileError(f"{path} is not a plan of this collection (its `format` is not {FORMAT!r}); {again}")
    if data.get("version") != VERSION:
        raise PlanFileError(f"the plan {path} has version {data.get('version')!r}, this is version {VERSION}; {again}")
    sections = data.get("sections")
    if not isinstance(sections, list):
        raise PlanFileError(f"the plan {path} has no list of sections; {again}")
    for number, part in enumerate(sections, 1):
        fault = _fault(part)
        if fault:
            raise PlanFileError(f"the plan {path} is damaged: section {number} {fault}; {again}")
    if not _whole(data):
        raise PlanFileError(f"the plan {path} is damaged: it is not as it was made, its digest does not fit; {again}")
    return data


def _fault(part: Any) -> str:
    if not isinstance(part, Mapping):
        return "is not a mapping"
    missing = sorted(_SECTION.keys() - part.keys())
    if missing:
        return f"lacks {', '.join(missing)}"
    if part["version"] != VERSION:
        return f"has version {part['version']!r}, this is version {VERSION}"
    if not _whole(part):
        return f"of {part['module']} is not as it was made: its digest does not fit"
    strange = sorted(name for name, kind in _SECTION.items() if not isinstance(part[name], kind))
    strange += [] if strange or all(map(_is_change, part["changes"])) else ["changes"]
    return f"of {part['module']} holds something else as {', '.join(strange)}" if strange else ""


def _is_change(item: Any) -> bool:
    fields = item.get("fields") if isinstance(item, Mapping) and {"key", "action"} <= item.keys() else None
    known = {"path", "before", "after"}
    return isinstance(fields, list) and all(isinstance(one, Mapping) and known <= one.keys() for one in fields)


def _whole(data: Mapping[str, Any]) -> bool:
    return bool(data.get("digest") == digest({name: value for name, value in data.items() if name != "digest"}))


def section_for(data: Mapping[str, Any], task: Identity) -> dict[str, Any] | None:
    """The section of this task: of the same module and scope, with the parameters nearest to its own."""

    def distance(part: Mapping[str, Any]) -> int:
        names = part["parameters"].keys() | task.parameters.keys()
        pairs = [(part["parameters"].get(name, "missing"), task.parameters.get(name, "missing")) for name in names]
        return sum(planned is not None and planned != now for planned, now in pairs)

    mine = [part for part in data["sections"] if part["module"] == task.module and part["scope"] == task.scope]
    return min(mine, key=distance, default=None)


__all__ = ["Identity", "PlanFileError", "identity", "load", "new_salt", "section", "section_for", "verify", "write"]
