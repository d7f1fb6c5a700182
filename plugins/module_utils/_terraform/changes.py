# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A plan as `show -json` tells it: what happens to each resource, with sensitive values hidden, and drift apart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._values import ABSENT, KNOWN_AFTER_APPLY, Secret, Unknown, equal

INSIDE = "module.layer."
# Shorter texts, and those of an object up to the second length, are no secret by themselves.
_WORD, _LONG = 8, 32
NOTHING: tuple[Any, ...] = (None, [], {}, "")
_ACTIONS = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("forget",): "forget",
    ("create", "forget"): "replace",
}
# What an action may turn out to be, once everything is known, and still be what was shown.
ALLOWED: Mapping[str, frozenset[str]] = {
    "create": frozenset({"create"}),
    "update": frozenset({"update"}),
    "replace": frozenset({"replace", "update"}),
    "delete": frozenset({"delete"}),
    "forget": frozenset({"forget"}),
    "import": frozenset({"import", "update"}),
    "move": frozenset({"move", "update"}),
}


@dataclass(frozen=True)
class ResourceChange:
    """What is to be done with one resource. `before` and `after` hold the leaves that differ, by path."""

    address: str
    kind: str
    action: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    drifted: frozenset[str] = frozenset()

    @property
    def destroys(self) -> bool:
        return self.action in ("delete", "replace")

    def parts(self) -> Iterator[tuple[bool, dict[str, Any], dict[str, Any]]]:
        """What is wanted, and apart from it what was changed outside of Terraform and is put back (true)."""
        for drift in (False, True):
            before, after = (
                {path: value for path, value in side.items() if (path in self.drifted) is drift}
                for side in (self.before, self.after)
            )
            if before or after or not (drift or self.drifted):
                yield drift, before, after


@dataclass(frozen=True)
class Reading:
    """Everything the engine needs of one plan."""

    resources: tuple[ResourceChange, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    output_changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    outputs_before: Mapping[str, Any] = field(default_factory=dict)
    there: frozenset[str] = frozenset()
    drift: tuple[str, ...] = ()
    """Changes made outside of Terraform that the configuration has no word about."""
    sensitive_variables: frozenset[str] = frozenset()


def visible(value: Any, sensitive: Any = False, unknown: Any = False) -> Any:
    """The value with Secret around what is sensitive, and the usual words where it is not known yet."""
    if unknown is True:
        return KNOWN_AFTER_APPLY
    if sensitive is True:
        return hidden(value)
    if isinstance(value, Mapping) or (value is None and isinstance(unknown, Mapping) and unknown):
        value = value or {}
        inner = unknown if isinstance(unknown, Mapping) else {}
        marks = sensitive if isinstance(sensitive, Mapping) else {}
        keys = [*value, *(key for key in inner if key not in value and inner[key])]
        return {key: visible(value.get(key), marks.get(key, False), inner.get(key, False)) for key in keys}
    if isinstance(value, list):
        return [visible(v, _at(sensitive, i), _at(unknown, i)) for i, v in enumerate(value)]
    return value


def hidden(value: Any) -> Secret:
    """A sensitive value. The engine blanks a secret's texts in all that is shown, so they must not be everyday words.

    What sits beside a password in one object (a region, a name) is hidden where it stands, and blanked nowhere else.
    """
    if isinstance(value, str) and len(value) >= _WORD:
        return Secret(value)
    texts = [leaf for _path, leaf in leaves(value) if isinstance(leaf, str) and (len(leaf) >= _LONG or "\n" in leaf)]
    return Secret([f"sensitive {json.dumps(value, sort_keys=True)}", *texts])


def _at(marks: Any, index: int) -> Any:
    return marks[index] if isinstance(marks, list) and index < len(marks) else False


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Paths and values; a list is gone into where it holds objects. What is empty is left out."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}.{index}" if path else str(index))
    elif isinstance(value, Secret) or value not in NOTHING:
        yield path, value


def reading(plan: Mapping[str, Any], *, preview: bool = False) -> Reading:
    """What a plan says."""
    drift = {_address(one): one for one in plan.get("resource_drift", [])}
    resources = tuple(
        made for one in plan.get("resource_changes", []) if (made := _resource(one, drift, preview)) is not None
    )
    root = plan.get("configuration", {}).get("root_module", {})
    prior = plan.get("prior_state", {}).get("values", {})
    before = {n: _output(told) for n, told in prior.get("outputs", {}).items()}
    outputs, changed = _preview_outputs(plan) if preview else _outputs(plan, root.get("outputs", {}))
    named = {resource.address for resource in resources}
    loose = [text for address, one in drift.items() if address not in named and (text := _loose(address, one))]
    return Reading(
        resources=resources,
        outputs=outputs,
        output_changes=changed,
        outputs_before=before,
        there=frozenset(addresses(prior)),
        drift=tuple(loose),
        sensitive_variables=frozenset(n for n, told in root.get("variables", {}).items() if told.get("sensitive")),
    )


def unchanged(told: Mapping[str, Any], declared: Iterable[str]) -> Reading:
    """The same of a layer without changes, from `output -json`."""
    outputs = {**dict.fromkeys(declared), **{name: _output(one) for name, one in told.items()}}
    return Reading(outputs=outputs, outputs_before=outputs)


def addresses(values: Mapping[str, Any]) -> Iterator[str]:
    """Every managed resource of a state, in child modules too."""
    todo = [values.get("root_module", {})]
    while todo:
        module = todo.pop()
        yield from (
            one["address"].removeprefix(INSIDE) for one in module.get("resources", []) if one.get("mode") == "managed"
        )
        todo.extend(module.get("child_modules", []))


def tainted(values: Mapping[str, Any]) -> list[str]:
    """Resources that were made, but not to their end."""
    found: list[str] = []
    todo = [values.get("root_module", {})]
    while todo:
        module = todo.pop()
        found += [one["address"] for one in module.get("resources", []) if one.get("tainted")]
        todo.extend(module.get("child_modules", []))
    return found


def _address(one: Mapping[str, Any]) -> str:
    return str(one["address"]).removeprefix(INSIDE)


def _resource(one: Mapping[str, Any], drift: Mapping[str, Any], preview: bool) -> ResourceChange | None:
    change, address = one["change"], _address(one)
    action = _ACTIONS.get(tuple(change["actions"]), "")
    moved = str(one.get("previous_address", "")).removeprefix(INSIDE)
    if one.get("mode") != "managed":
        return None
    if not action:
        action = "import" if change.get("importing") else "move" if moved and moved != address and not preview else ""
    if not action:
        return None
    before = dict(leaves(visible(change.get("before"), change.get("before_sensitive"))))
    after = dict(leaves(visible(change.get("after"), change.get("after_sensitive"), change.get("after_unknown"))))
    if action in ("update", "replace", "import", "move"):
        before, after = _differing(before, after)
    was = drift.get(address)
    return ResourceChange(
        address=address if not one.get("deposed") else f"{address} (deposed {one['deposed']})",
        kind=str(one["type"]),
        action=action,
        before=before,
        after=after,
        reason=_reason(action, change, one, moved),
        drifted=_drifted(was, before, after) if was else frozenset(),
    )


def _differing(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    paths = [*before, *(p for p in after if p not in before)]
    differ = [p for p in paths if p not in before or p not in after or not equal(before[p], after[p])]
    return {p: before[p] for p in differ if p in before}, {p: after[p] for p in differ if p in after}


def _reason(action: str, change: Mapping[str, Any], one: Mapping[str, Any], moved: str) -> str:
    if action == "replace":
        paths = [".".join(str(step) for step in path) for path in change.get("replace_paths", [])]
        if paths:
            return f"{', '.join(paths)} cannot change in place"
        return {
            "replace_because_tainted": "an earlier run left it unfinished",
            "replace_by_triggers": "what it follows is changed",
        }.get(str(one.get("action_reason", "")), "it cannot change in place")
    if action == "import":
        return f"it is there already, as {change['importing'].get('id', '')}, and is taken over"
    if action == "move":
        return f"it was called {moved}"
    if action == "forget":
        return "it stays where it is, and is not managed any more"
    return ""


def _sides(one: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    change = one["change"]
    before = dict(leaves(visible(change.get("before"), change.get("before_sensitive"))))
    after = dict(leaves(visible(change.get("after"), change.get("after_sensitive"))))
    return _differing(before, after)


def _drifted(one: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    """Which of a change's paths differ only because somebody changed them outside of Terraform."""
    if "delete" in one["change"]["actions"]:
        return frozenset(before.keys() | after.keys())
    was, _now = _sides(one)
    recorded = dict(leaves(visible(one["change"].get("before"), one["change"].get("before_sensitive"))))
    _unused, now = _sides(one)
    moved = was.keys() | now.keys()
    # Put back to what it was: drift. Changed to something else again: that is wanted.
    return frozenset(p for p in before.keys() | after.keys() if p in moved and equal(after.get(p), recorded.get(p)))


def _loose(address: str, one: Mapping[str, Any]) -> str:
    was, now = _sides(one)
    if not was and not now:
        return ""
    paths = sorted(was.keys() | now.keys())
    shown = [f"{p} from {was.get(p, '(absent)')} to {now.get(p, '(absent)')}" for p in paths[:3]]
    if len(paths) > len(shown):
        shown.append(f"{len(paths) - len(shown)} more")
    return (
        f"{address} was changed outside of Terraform ({', '.join(shown)}), which the configuration says nothing about"
    )


def _output(told: Mapping[str, Any]) -> Any:
    return Secret(told.get("value")) if told.get("sensitive") else told.get("value")


def _outputs(plan: Mapping[str, Any], declared: Iterable[str]) -> tuple[dict[str, Any], dict[str, tuple[Any, Any]]]:
    # One that is null is in no plan and in no state: only the configuration tells that it exists.
    outputs: dict[str, Any] = dict.fromkeys(declared)
    outputs.update({n: _output(told) for n, told in plan.get("planned_values", {}).get("outputs", {}).items()})
    changed: dict[str, tuple[Any, Any]] = {}
    for name, change in plan.get("output_changes", {}).items():
        unknown = change.get("after_unknown", False)
        if unknown:
            outputs[name] = Unknown("its layer tells it once it is there")
        if change["actions"] == ["no-op"]:
            continue
        after = visible(change.get("after"), change.get("after_sensitive"), unknown)
        before = visible(change.get("before"), change.get("before_sensitive"))
        gone = change["actions"] == ["delete"]
        changed[name] = (ABSENT if change["actions"] == ["create"] else before, ABSENT if gone else after)
    return outputs, changed


def _preview_outputs(plan: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, tuple[Any, Any]]]:
    """A layer planned inside of a module tells its outputs as one object."""
    change = plan.get("output_changes", {}).get("outputs", {})
    after, unknown = change.get("after") or {}, change.get("after_unknown") or {}
    if unknown is True:
        unknown = {}
    waits = Unknown("its layer tells it once it is there")
    calls = plan.get("configuration", {}).get("root_module", {}).get("module_calls", {})
    declared = calls.get("layer", {}).get("module", {}).get("outputs", {})
    found: dict[str, Any] = {}
    for name, told in declared.items():
        value = after.get(name) if not unknown.get(name) and name in after else waits
        found[name] = Secret(value) if told.get("sensitive") and value is not waits else value
    return found, {}
