# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The engine's two halves for layers: what `show` told is the reading, applying the saved plan is the writing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._objects import AdapterError, Change, Current, Desired, Plan, Reader, Step, Writer
from .._reconcile import Action, Result
from .._values import ABSENT, KNOWN_AFTER_APPLY, Secret, Unknown, show
from . import buckets
from .changes import ALLOWED, ResourceChange, addresses, tainted
from .errors import failure
from .process import Message
from .protect import refusals
from .stack import Planned, Stack, ended

DRIFT = "drift: "


class Session:
    """The stack of a task, made when it is first asked for."""

    def __init__(self, task: str) -> None:
        self.task = task
        self._stack: Stack | None = None
        self._reader: Layers | None = None

    def of(self, parameters: Mapping[str, Any]) -> Stack:
        if self._stack is None:
            self._stack = Stack(parameters, self.task)
        return self._stack

    def reader(self, parameters: Mapping[str, Any]) -> Layers:
        self._reader = Layers(self.of(parameters))
        return self._reader

    def writer(self, parameters: Mapping[str, Any]) -> LayersWriter:
        return LayersWriter(self.of(parameters), self._reader or self.reader(parameters))

    def close(self) -> None:
        if self._stack is not None:
            self._stack.close()

    def more(self, plan: Plan, result: Result | None) -> dict[str, Any]:
        """Beside what every module returns: outputs, a diff for each resource, and how often the binary was called."""
        del result
        stack = self._stack
        if stack is None:
            return {}
        outputs = {layer: {n: _told(v) for n, v in told.items()} for layer, told in stack.known_outputs().items()}
        return {
            "outputs": outputs,
            "diff": list(diff(plan, stack.planned)),
            "calls": len(stack.runner.calls),
            "binary": stack.runner.binary,
        }


def _told(value: Any) -> Any:
    return KNOWN_AFTER_APPLY if isinstance(value, Unknown) else show(value)


# -- what the engine compares


def bucket_key(stack: Stack) -> str:
    return f"state bucket {stack.state.bucket}"


def desired(stack: Stack) -> Iterator[Desired]:
    """Every layer, planned."""
    planned = stack.plan()
    if stack.bucket_missing and any(layer.present for layer in stack.layers):
        yield Desired(bucket_key(stack), {"backend": stack.state.backend, "versioned, encrypted, private": True})
    for layer in stack.layers:
        needs = layer.needs
        if stack.bucket_missing and layer.present:
            needs = needs | {bucket_key(stack)}
        wanted, _found = fields(planned[layer.name])
        yield Desired(layer.name, wanted, needs, present=layer.present)


def fields(planned: Planned) -> tuple[dict[str, Any], dict[str, Any]]:
    """What differs, as it shall be and as it is: a mapping for each resource. Equal when there is nothing to do."""
    wanted: dict[str, Any] = {}
    found: dict[str, Any] = {}
    if planned.lock is not None:
        wanted["state lock"], found["state lock"] = ABSENT, planned.lock.sentence()
    if planned.later:
        wanted["planned later"] = planned.later
    for one in planned.resources:
        _resource_fields(one, wanted, found)
    for name, (before, after) in planned.reading.output_changes.items():
        wanted[f"output.{name}"] = after
        if before is not ABSENT:
            found[f"output.{name}"] = before
    if planned.changed and not wanted:
        wanted["state"] = "values that only the state holds"
    return wanted, found


def _resource_fields(one: ResourceChange, wanted: dict[str, Any], found: dict[str, Any]) -> None:
    for drift, before, after in one.parts():
        name = f"{DRIFT}{one.address}" if drift else one.address
        if one.action == "delete":
            wanted[name], found[name] = ABSENT, before
            continue
        if one.action != "create":
            found[name] = before
            # A path that goes away has to be named on both sides to be seen.
            after.update({path: ABSENT for path in before if path not in after})
        if one.action == "forget":
            after = {}
        if one.reason:
            after[f"({one.action})"] = one.reason
        wanted[name] = after or {"(created)": one.kind}


class Layers(Reader):
    """The plans that were made; after a layer was applied, what its state holds."""

    kind = "layer"

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.applied: dict[str, Current | None] = {}

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        for item in desired:
            if item.key in self.applied:
                current = self.applied[item.key]
                if current is not None:
                    yield current
            elif item.key in self.stack.planned:
                planned = self.stack.planned[item.key]
                new = not planned.reading.there and planned.changed and planned.lock is None
                if not (new and item.present) and (item.present or planned.reading.there):
                    yield Current(item.key, fields(planned)[1])

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del desired, current
        allow = self.stack.parameters["allow"]
        for name, planned in self.stack.planned.items():
            yield from refusals(name, planned.resources, planned.layer.protected, allow)

    def warn(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del desired, current
        return self.stack.warnings()


class LayersWriter(Writer):
    """Applies saved plans."""

    def __init__(self, stack: Stack, reader: Layers) -> None:
        self.stack = stack
        self.reader = reader

    def create(self, change: Change, step: Step) -> None:
        if change.key not in self.stack.planned:
            buckets.create(self.stack.state)
            self.stack.remember_bucket()
            self.stack.bucket_missing = False
            self.reader.applied[change.key] = Current(change.key, change.after)
            return
        self._apply(change, step)

    def update(self, change: Change, step: Step) -> None:
        self._apply(change, step)

    def delete(self, change: Change, step: Step) -> None:
        self._apply(change, step)

    def _apply(self, change: Change, step: Step) -> None:
        stack, name = self.stack, change.key
        before = stack.planned[name]
        self._unlock(before)
        planned = stack.renewed(name)
        if planned is not before:
            self._as_shown(before, planned)
        layer = planned.layer
        space = stack.workspace(layer)
        data = space.data(stack.runner.binary)
        if planned.changed:
            argv = ["apply", "-json", "-input=false", f"-lock-timeout={stack.parameters['lock_timeout']}s"]
            listen = _teller(step, name, len(planned.resources))
            done = stack.runner.stream([*argv, str(space.plan)], space.folder, data, listen)
            if done.code:
                raise _interrupted(failure(done.diagnostics, "applying", ended(done)), done.messages)
        told = stack.runner.data(["show", "-json"], space.folder, data).get("values", {})
        outputs = {
            n: Secret(o["value"]) if o.get("sensitive") else o["value"] for n, o in told.get("outputs", {}).items()
        }
        there = frozenset(addresses(told))
        stack.learn(layer, outputs, there)
        self.reader.applied[name] = _as_it_is(change, planned, there, tainted(told))

    def _unlock(self, planned: Planned) -> None:
        if planned.lock is None:
            return
        stack = self.stack
        space = stack.workspace(planned.layer)
        data = space.data(stack.runner.binary)
        argv = ["force-unlock", "-force", planned.lock.identity]
        done = stack.runner.stream(argv, space.folder, data)
        if done.code:
            raise failure(done.diagnostics, "unlocking the state", done.text)

    def _as_shown(self, before: Planned, now: Planned) -> None:
        """What has become known must not make more of the plan than was shown."""
        stack = self.stack
        lost = list(refusals(now.layer.name, now.resources, now.layer.protected, stack.parameters["allow"]))
        if lost:
            raise AdapterError("; ".join(lost))
        if before.later:
            if "plan_file" in stack.parameters:
                raise AdapterError(
                    "it could not be planned when the plan was made, so nothing in the plan allows it now",
                    "what it waited for is there: make a new plan, and apply that",
                )
            return
        shown = {one.address: one.action for one in before.resources}
        more = [
            f"{one.address} ({one.action})"
            for one in now.resources
            if one.action not in ALLOWED.get(shown.get(one.address, ""), frozenset())
        ]
        if more:
            raise AdapterError(
                f"now that all values are known, more would be done than was shown: {', '.join(more[:5])}",
                "run again: it is planned anew, with these values",
            )


def _as_it_is(change: Change, planned: Planned, there: frozenset[str], torn: Sequence[str]) -> Current | None:
    """The layer after it was applied, in the engine's terms: as wanted, unless the state says otherwise."""
    if not planned.layer.present:
        return Current(change.key, dict.fromkeys(sorted(there), "still there")) if there else None
    after = dict(change.desired.fields)
    gone = {one.address for one in planned.resources if one.action in ("delete", "forget")}
    lost = [one.address for one in planned.resources if one.address not in there and one.address not in gone]
    for name, value in list(after.items()):
        if value is ABSENT or (isinstance(value, Mapping) and name.removeprefix(DRIFT) in lost):
            after.pop(name)
    wanted = {name: _settled(value) for name, value in after.items()}
    incomplete = f"the state calls {', '.join(torn)} tainted" if torn else ""
    return Current(change.key, wanted, incomplete=incomplete)


def _settled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: item for key, item in value.items() if item is not ABSENT}
    return value


def _teller(step: Step, name: str, total: int) -> Callable[[Message], None]:
    """Passes on where an apply is."""
    began, finished = time.monotonic(), [0]
    busy: dict[str, str] = {}

    def listen(message: Message) -> None:
        kind = message.get("type")
        if kind not in ("apply_start", "apply_progress", "apply_complete", "apply_errored"):
            return
        hook = message.get("hook", {})
        address = hook.get("resource", {}).get("addr", "")
        if kind in ("apply_complete", "apply_errored"):
            finished[0] += 1
            busy.pop(address, None)
        else:
            busy[address] = hook.get("action", "applying")
        doing = ", ".join(f"{action} {one}" for one, action in list(busy.items())[:2]) or "finishing"
        step.progress.waiting(f"layer {name}: {finished[0]} of {total} resources", doing, time.monotonic() - began)

    return listen


def _interrupted(error: AdapterError, messages: Sequence[Message]) -> AdapterError:
    finished = sum(1 for one in messages if one.get("type") == "apply_complete")
    hint = error.hint or "correct that, then run again"
    if finished:
        hint += f"; {finished} resources were done before it and stay as they are"
    return AdapterError(error.sentence, hint)


# -- what people see


def diff(plan: Plan, planned: Mapping[str, Planned]) -> Iterator[dict[str, Any]]:
    """An Ansible diff for each resource."""
    for change in plan.pending:
        one = planned.get(change.key)
        if one is None or one.later:
            note = {"layer": f"planned {one.later}"} if one else show(change.after)
            yield _entry(f"{plan.kind} {change.label}" if one else change.label, change.action.value, {}, note)
            continue
        if one.lock is not None:
            yield _entry(f"{change.key}: state lock", "remove", {"held": one.lock.sentence()}, {})
        for resource in one.resources:
            label = f"{change.key}: {resource.address}"
            why = f"{resource.action}: {resource.reason}" if resource.reason else resource.action
            for drift, before, after in resource.parts():
                yield _entry(label, f"drift, {why}" if drift else why, _shown(before, after), _shown(after, before))
        for name, (before, after) in one.reading.output_changes.items():
            was = {} if before is ABSENT else {name: before}
            will = {} if after is ABSENT else {name: after}
            yield _entry(f"{change.key}: output {name}", change.action.value, _shown(was, will), _shown(will, was))
        if change.action is Action.DELETE and not one.resources:
            yield _entry(f"{plan.kind} {change.label}", "delete", {}, {})


def _shown(side: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """A secret on one side hides both."""
    return {
        path: show(Secret(value)) if isinstance(other.get(path), Secret) and value != KNOWN_AFTER_APPLY else show(value)
        for path, value in side.items()
    }


def _entry(label: str, what: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {"before_header": label, "after_header": f"{label} ({what})", "before": dict(before), "after": dict(after)}
