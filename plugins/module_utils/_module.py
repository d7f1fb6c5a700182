# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Makes an Ansible module of an adapter."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from . import _orphan, _plan, _wait
from ._progress import NullProgress, Progress
from ._reconcile import (
    KNOWN_AFTER_APPLY,
    Action,
    Change,
    Deadline,
    Desired,
    EngineError,
    Options,
    Outcome,
    Plan,
    Reader,
    Result,
    Secret,
    Unknown,
    Writer,
    apply,
    plan,
)
from ._values import clear_texts, scrub, secrets_in, show

# A shorter text is hidden by its type alone: blanking it everywhere would blank half of any result.
SHORTEST_BLANKED = 4

_COMMON: dict[str, dict[str, Any]] = {
    "deadline": {"type": "float", "default": 600.0},
    "concurrency": {"type": "int", "default": 8},
    "plan_file": {"type": "path"},
    "plan_scope": {"type": "str", "default": ""},
}
_REPLACE: dict[str, dict[str, Any]] = {"allow_replace": {"type": "bool", "default": False}}
_PRUNE: dict[str, dict[str, Any]] = {"prune": {"type": "bool", "default": False}}
_NOT_THE_TASK = {"deadline", "concurrency", "plan_file", "plan_scope"}

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Adapter:
    """What a module adds to the engine.

    The three functions get the task's parameters: those not given are left out at every depth, and those marked
    `no_log` are Secret. `writer` is called once by each worker, and never in check mode.
    """

    spec: Mapping[str, Mapping[str, Any]]
    desired: Callable[[Parameters], Iterable[Desired]]
    reader: Callable[[Parameters], Reader]
    writer: Callable[[Parameters], Writer]
    replaces: bool = False
    prunes: bool = False
    requires: Sequence[tuple[str, str | None]] = ()
    """Libraries: name, and the traceback of the failed import."""
    rules: Mapping[str, Any] = field(default_factory=dict)
    """`required_if`, `mutually_exclusive` and the like, for AnsibleModule."""
    more: Callable[[Plan, Result | None], dict[str, Any]] | None = None
    """Further result values, after check mode (no Result) or apply."""
    rehearse: Callable[[Plan], Iterable[str]] | None = None
    """In check mode, with a plan that holds no refusal: what the system itself says would fail, in sentences."""
    afterwards: Callable[[Result, Deadline, _wait.Progress], Iterable[str]] | None = None
    """After apply: waits for what comes of the set as a whole; what did not come, in sentences."""


def argument_spec(adapter: Adapter) -> dict[str, Any]:
    common = {**_COMMON, **(_REPLACE if adapter.replaces else {}), **(_PRUNE if adapter.prunes else {})}
    return {**common, **adapter.spec}


def run(adapter: Adapter) -> None:
    """The whole of a module's `main()`."""
    spec = argument_spec(adapter)
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True, **adapter.rules)
    for library, trace in adapter.requires:
        if trace:
            module.fail_json(msg=missing_required_lib(library), exception=trace)
    _orphan.end_with_controller()
    parameters = given(module.params, spec)
    # Only a plan made in check mode is ever kept, and only what is kept must be sealed.
    salt = _plan.new_salt() if module.check_mode else ""
    task = Task(adapter, parameters, module._name, Progress.from_environment(module._name), salt)
    try:
        result = task.perform(module.check_mode)
    finally:
        task.progress.close()
    texts = task.texts()
    module.no_log_values.update(text for text in texts if len(text) >= SHORTEST_BLANKED)
    for warning in result.pop("warned"):
        module.warn(scrub(warning, texts))
    if result["failed"]:
        module.fail_json(**result)
    module.exit_json(**result)


class Task:
    """One task's way from parameters to result; every end has the same shape."""

    def __init__(self, adapter: Adapter, parameters: Parameters, name: str, progress: NullProgress, salt: str) -> None:
        self.adapter = adapter
        self.parameters = parameters
        self.progress = progress
        self.salt = salt
        self.options = Options(
            allow_replace=parameters.get("allow_replace", False),
            prune=parameters.get("prune", False),
            deadline=parameters["deadline"],
            concurrency=parameters["concurrency"],
        )
        self.deadline = Deadline(self.options.deadline)
        own = {key: value for key, value in parameters.items() if key not in _NOT_THE_TASK}
        self.identity = _plan.identity(name, own, parameters.get("plan_scope", ""))
        self.wanted: list[Desired] = []
        self.plan: Plan | None = None
        self.result: Result | None = None

    def perform(self, check_mode: bool) -> dict[str, Any]:
        try:
            return self._perform(check_mode)
        except EngineError as error:
            return self._end(str(error))
        except Exception as error:  # noqa: BLE001 - a defect of an adapter is said like any other failure
            said = f"{type(error).__name__}: {error}"
            msg = f"a defect in {self.identity.module}: {said}; please report it with the output of -vvv"
            return {**self._end(msg), "exception": scrub(traceback.format_exc(), self.texts())}

    def _perform(self, check_mode: bool) -> dict[str, Any]:
        reader = self.adapter.reader(self.parameters)
        self.wanted = list(self.adapter.desired(self.parameters))
        self.plan = plan(self.wanted, reader, self.options, deadline=self.deadline, progress=self.progress)
        if self.plan.refusals:
            return self._end("\n".join(self.plan.refusals))
        if check_mode:
            return self._end("\n".join(self.adapter.rehearse(self.plan)) if self.adapter.rehearse else "")
        return self._write(self.plan, reader)

    def texts(self) -> set[str]:
        found = [*secrets_in(self.parameters, *(item.fields for item in self.wanted))]
        if self.plan is not None:
            found += self.plan.secrets()
        if self.result is not None:
            found += self.result.secrets()
        return clear_texts(found)

    def _write(self, made: Plan, reader: Reader) -> dict[str, Any]:
        path = self.parameters.get("plan_file")
        if path:
            reasons = self._not_as_planned(path, made)
            if reasons:
                said = "; ".join(reasons)
                return self._end(
                    f"refused: {path} is not the plan of what is to be done now, nothing was written: {said}"
                )
        self.result = apply(
            made,
            lambda: self.adapter.writer(self.parameters),
            reader=reader,
            options=self.options,
            deadline=self.deadline,
            progress=self.progress,
            bound=bool(path),
        )
        failures = [self.result.message()]
        if self.adapter.afterwards:
            failures += self.adapter.afterwards(self.result, self.deadline, self.progress)
        return self._end("\n".join(filter(None, failures)))

    def _not_as_planned(self, path: str, made: Plan) -> list[str]:
        planned = _plan.section_for(_plan.load(path), self.identity)
        if planned is None:
            where = f" for {self.identity.scope}" if self.identity.scope else ""
            return [f"this task ({self.identity.module}{where}) was not in the plan"]
        return _plan.verify(planned, made, self.identity)

    def _end(self, failure: str = "") -> dict[str, Any]:
        made = self.plan
        texts = self.texts()
        result: dict[str, Any] = {
            "changed": bool(self.result.wrote if self.result else made and made.changed and not failure),
            "failed": bool(failure),
            "diff": diff(made) if made else [],
            "objects": objects(made, self.result) if made else [],
            "plan": _plan.section(made, self.identity, self.salt) if made else {},
            "warned": list(made.warnings) if made else [],
        }
        if failure:
            result["msg"] = scrub(failure, texts)
        if self.result is not None:
            result["warned"] += [f"{o.label}: {w}" for o in self.result.outcomes for w in o.warnings]
        if made is not None and self.adapter.more is not None:
            result.update(self.adapter.more(made, self.result))
        return result


def diff(made: Plan) -> list[dict[str, Any]]:
    """Before and after of every object that changes, for Ansible's --diff."""
    shown = []
    for change in made.pending:
        name = f"{made.kind} {change.label}"
        fields = change.as_dict()["fields"]
        before = {f["path"]: f["before"] for f in fields if change.current is not None and f["before"] != "(absent)"}
        after = {f["path"]: f["after"] for f in fields if f["after"] != "(absent)"}
        if change.action is Action.DELETE and change.current is not None:
            before, after = show(change.current.fields), {}
        header = f"{name} ({change.action.value})"
        shown.append({"before_header": name, "after_header": header, "before": before, "after": after})
    return shown


def objects(made: Plan, result: Result | None) -> list[dict[str, Any]]:
    """Every object by name: what was to be done with it, and what came of it."""
    outcomes = {outcome.key: outcome for outcome in result.outcomes} if result else {}
    refused = bool(made.refusals)
    return [{**change.as_dict(), **_outcome(change, outcomes.get(change.key), refused)} for change in made.changes]


def _outcome(change: Change, outcome: Outcome | None, refused: bool) -> dict[str, Any]:
    if outcome is None:
        word = "unchanged" if change.action is Action.NOTHING else "planned"
        word = "refused" if change.refused else "not tried" if refused and word == "planned" else word
        return {"outcome": word, "error": change.refused, "hint": "", "because": "", "notes": []}
    return {
        "outcome": outcome.status.value,
        "error": outcome.error,
        "hint": outcome.hint,
        "because": outcome.because,
        "notes": outcome.notes,
    }


def given(parameters: Mapping[str, Any], spec: Mapping[str, Any]) -> Parameters:
    """The parameters that were given, at every depth, those marked no_log as Secret."""
    found = {}
    for name, value in parameters.items():
        option = spec.get(name, {})
        if value is not None and name in spec:
            found[name] = _typed(value, option)
    return found


def _typed(value: Any, option: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and KNOWN_AFTER_APPLY in value:
        return Unknown("an earlier step of this run makes it")
    if option.get("no_log"):
        return Secret(value)
    inner = option.get("options")
    if isinstance(value, Mapping):
        if inner is not None:
            return given(value, inner)
        return {key: _typed(item, {}) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_typed(item, {"options": inner} if inner is not None else {}) for item in value]
    return value


__all__ = ["Adapter", "Task", "argument_spec", "diff", "given", "objects", "run"]
