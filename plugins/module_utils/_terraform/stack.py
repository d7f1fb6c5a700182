# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""All layers of a task: planned in the order of their needs, independent ones at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .._objects import AdapterError, DesiredError, EngineError
from .._progress import NullProgress, Progress
from .._values import Secret, Unknown, clear_texts, equal, has_unknown, scrub, secrets_in
from .._wait import Deadline
from . import buckets, preview
from .backends import State, state_of
from .changes import Reading, ResourceChange, reading, unchanged
from .errors import DEFINITE, NEEDS_INIT, Lock, errors_of, failure, lock_in
from .layers import Layer, layers_of, state_home
from .process import Done, Message, Runner, binary_of
from .workspace import Workspace, held, outputs_in

UNDECLARED = "Value for undeclared variable"


class PlanFailed(AdapterError):
    """A layer cannot be planned. `definite`: no other layer will mend that."""

    def __init__(self, error: AdapterError, definite: bool) -> None:
        super().__init__(error.sentence, error.hint)
        self.definite = definite


@dataclass(frozen=True)
class Planned:
    """What is to be done with a layer. `exact`: there is a saved plan, and it is applied as it is."""

    layer: Layer
    reading: Reading = field(default_factory=Reading)
    changed: bool = False
    exact: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    later: str = ""
    lock: Lock | None = None

    @property
    def resources(self) -> tuple[ResourceChange, ...]:
        return self.reading.resources


class Stack:
    """One task's layers, and everything that is needed to plan and apply them."""

    def __init__(self, parameters: Mapping[str, Any], task: str) -> None:
        self.parameters = parameters
        self.layers = layers_of(parameters)
        folder = Path(parameters["work_dir"]) if "work_dir" in parameters else state_home()
        self.folder = folder / str(parameters["name"])
        self.state: State = state_of(parameters, self.folder)
        given = {**parameters["environment"], **parameters["credentials"].reveal()}
        environment = {str(name): str(value) for name, value in given.items() if value is not None}
        self.runner = Runner(binary_of(parameters.get("binary")), {**self.state.environment(), **environment})
        self.runner.deadline = Deadline(parameters["deadline"])
        self.planned: dict[str, Planned] = {}
        self.outputs: dict[str, dict[str, Any]] = {}
        self.bucket_missing = False
        self.progress: NullProgress = Progress.from_environment(task)
        self._stack = ExitStack()
        self._turns = threading.Semaphore(max(1, parameters["concurrency"]))
        self._lock = threading.Lock()
        self._done = 0
        self._held = False

    def close(self) -> None:
        """Leave nothing behind that holds values. In a folder that another run works in, they are that run's."""
        if self._held:
            for layer in self.layers:
                self.workspace(layer).forget_values()
        self.progress.close()
        self._stack.close()

    def workspace(self, layer: Layer) -> Workspace:
        return Workspace(self.folder / layer.name, layer)

    # -- planning

    def plan(self) -> dict[str, Planned]:
        """Plan every layer; every layer's error at once."""
        self._stack.enter_context(held(self.folder, self.parameters["lock_timeout"]))
        self._held = True
        if self.state.bucket and self.state.options["create"]:
            self.bucket_missing = not self._bucket_known() and not buckets.exists(self.state)
        problems: list[str] = []
        with ThreadPoolExecutor(len(self.layers) or 1) as pool:
            running: dict[str, Future[Planned]] = {}
            for layer in self.layers:
                running[layer.name] = pool.submit(self._in_turn, layer, {n: running[n] for n in layer.needs})
            for name, future in running.items():
                try:
                    self.planned[name] = future.result()
                except _BecauseOfAnother:
                    continue
                except AdapterError as error:
                    hint = f" ({error.hint})" if error.hint else ""
                    problems.append(f"layer {name}: {error.sentence}{hint}")
        self.progress.close()
        if problems:
            texts = clear_texts(secrets_in(*(layer.variables for layer in self.layers), self.parameters))
            raise DesiredError([scrub(problem, texts) for problem in problems])
        return self.planned

    def _bucket_known(self) -> bool:
        return (self.folder / f"bucket-{self.state.bucket}").exists()

    def remember_bucket(self) -> None:
        (self.folder / f"bucket-{self.state.bucket}").touch(mode=0o600)

    def _in_turn(self, layer: Layer, needs: Mapping[str, Future[Planned]]) -> Planned:
        early = self._early(layer) if needs else None
        found: dict[str, Planned] = {}
        for name, future in needs.items():
            try:
                found[name] = future.result()
            except AdapterError:
                raise _BecauseOfAnother(f"layer {name} cannot be planned") from None
        with self._turns:
            self.progress.event(layer.name, "planning", self._done, len(self.layers))
            made = self.plan_one(layer, found, early)
            with self._lock:
                self._done += 1
            self.progress.event(layer.name, "planned", self._done, len(self.layers))
            return made

    def _early(self, layer: Layer) -> Planned | None:
        """A plan with what the needs told last time, made beside theirs: mostly they tell it again."""
        told = self.workspace(layer).inputs_last_time()
        if told is None or not layer.present or told.keys() - layer.inputs.keys() or has_unknown(layer.variables):
            return None
        with self._turns:
            try:
                return self.exact(layer, {**layer.variables, **told})
            except AdapterError:
                return None

    def plan_one(self, layer: Layer, needs: Mapping[str, Planned], early: Planned | None = None) -> Planned:
        """Plan a layer with what its needs tell, as far as that is known."""
        values, unknown, later = self._inputs(layer, needs)
        if later:
            return Planned(layer, changed=True, later=later)
        pending = sorted(name for name, one in needs.items() if one.changed and layer.present)
        try:
            if unknown and layer.present:
                return self._preview(layer, values, unknown)
            if early is not None and equal(dict(early.values), values):
                return early
            return self.exact(layer, values)
        except PlanFailed as error:
            if error.definite or not pending:
                raise
            # What it looks up may be made by the layers before it.
            return Planned(layer, changed=True, later=f"once {', '.join(pending)} is there (now: {error.sentence})")

    def _inputs(self, layer: Layer, needs: Mapping[str, Planned]) -> tuple[dict[str, Any], list[str], str]:
        values = {n: v for n, v in layer.variables.items() if not has_unknown(v)}
        unknown = [n for n in layer.variables if n not in values]
        for name, told in layer.inputs.items():
            source = needs[told.layer]
            if source.later:
                return {}, [], f"once {told.layer} is there"
            outputs: Mapping[str, Any] = {**source.reading.outputs_before, **source.reading.outputs}
            if not layer.present:
                outputs = source.reading.outputs_before
            if told.output not in outputs:
                if not layer.present or not source.layer.present:
                    continue
                names = ", ".join(sorted(outputs)) or "none"
                raise AdapterError(
                    f"variable {name} is to be output {told.output} of layer {told.layer}, which has no such output",
                    f"it has {names}",
                )
            value = outputs[told.output]
            if isinstance(value, Unknown):
                unknown.append(name)
            elif value is not None:
                values[name] = value
        return values, unknown, ""

    def exact(self, layer: Layer, values: Mapping[str, Any]) -> Planned:
        """A saved plan, with every value known."""
        space, binary = self.workspace(layer), self.runner.binary
        backend = self._backend(layer)
        space.prepare(values, backend, layer.imports if layer.present else ())
        data = space.data(binary)
        if not space.ready(binary, backend):
            self._init(layer, space, backend)
        argv = ["plan", "-json", "-input=false", "-detailed-exitcode", f"-out={space.plan}"]
        argv += [] if layer.present else ["-destroy"]
        done = self._plan(layer, argv, space.folder, data)
        if done.code == 1 and any(NEEDS_INIT.search(_text(one)) for one in errors_of(done.diagnostics)):
            self._init(layer, space, backend)
            done = self._plan(layer, argv, space.folder, data)
        lock = self._lock_met(layer, done) if done.code == 1 else None
        if lock is not None and lock.identity in self.parameters["unlock"]:
            done = self._plan(layer, argv, space.folder, data, lock=False)
        if done.code not in (0, 2):
            if not layer.present and self._nothing_there(space, data, done):
                return Planned(layer, values=values)
            raise _failed(done, "planning", lock)
        self._declared(done)
        read = self._read(space, data, done)
        space.remember_inputs({name: values[name] for name in layer.inputs if name in values})
        changed = done.code == 2 or lock is not None
        return Planned(layer, read, changed=changed, exact=not self.bucket_missing, values=values, lock=lock)

    def _read(self, space: Workspace, data: Path, done: Done) -> Reading:
        if done.code == 0 and not any(one.get("type") == "resource_drift" for one in done.messages):
            # Nothing to show: what the layer tells is all there is to know, and costs no provider a start.
            return unchanged(self.runner.data(["output", "-json"], space.folder, data), outputs_in(space.folder))
        return reading(self.runner.data(["show", "-json", str(space.plan)], space.folder, data))

    def _preview(self, layer: Layer, values: Mapping[str, Any], unknown: list[str]) -> Planned:
        """The plan as far as it can be known while some inputs are not."""
        space, binary = self.workspace(layer), self.runner.binary
        backend, folder, data = self._backend(layer), space.root / "preview", space.data(binary)
        there: frozenset[str] = frozenset()
        space.prepare(values, backend, layer.imports)
        if space.ready(binary, backend):
            values_there = self.runner.data(["show", "-json"], space.folder, data).get("values", {})
            there = frozenset(_addresses(values_there))
        preview.prepare(layer.source, folder, values, unknown, backend, there)
        own = folder / "data"
        init = self.runner.stream(["init", "-json", "-input=false"], folder, own)
        if init.code:
            raise _failed(init, "initialising")
        argv = ["plan", "-json", "-input=false", "-detailed-exitcode", f"-out={folder / 'plan.tfplan'}"]
        done = self._plan(layer, argv, folder, own, lock=False)
        if done.code not in (0, 2):
            raise _failed(done, "planning")
        shown = self.runner.data(["show", "-json", str(folder / "plan.tfplan")], folder, own)
        read = reading(shown, preview=True)
        return Planned(layer, read, changed=bool(read.resources) or not there, values=values)

    def _lock_met(self, layer: Layer, done: Done) -> Lock | None:
        lock = lock_in(errors_of(done.diagnostics))
        if lock is None or lock.who:
            return lock
        told = self.state.holder(layer.name)
        if told.get("ID") != lock.identity:
            return lock
        return Lock(lock.identity, told.get("Who", ""), told.get("Operation", ""), told.get("Created", ""))

    def _backend(self, layer: Layer) -> dict[str, Any]:
        if self.bucket_missing:
            # There is no state where there is no bucket: what would be made is planned against an empty one.
            return {"local": {"path": str(self.workspace(layer).root / "no-bucket.tfstate")}}
        return self.state.block(layer.name)

    def _init(self, layer: Layer, space: Workspace, backend: Mapping[str, Any]) -> None:
        data = space.data(self.runner.binary)
        # The state stays where it is: another backend is another place, never a move.
        argv = ["init", "-json", "-input=false", "-reconfigure"]
        done = self.runner.stream(argv, space.folder, data, self._listener(layer))
        if done.code:
            raise _failed(done, "initialising")
        space.mark_ready(self.runner.binary, backend)

    def _plan(self, layer: Layer, argv: list[str], folder: Path, data: Path, lock: bool = True) -> Done:
        how = [f"-lock-timeout={self.parameters['lock_timeout']}s"] if lock else ["-lock=false"]
        return self.runner.stream([*argv, *how], folder, data, self._listener(layer))

    def _listener(self, layer: Layer) -> Any:
        def listen(message: Message) -> None:
            if message.get("type") in ("refresh_start", "planned_change", "resource_drift"):
                said = str(message.get("@message", ""))[:100]
                self.progress.event(layer.name, "planning", self._done, len(self.layers), said)

        return listen

    def _declared(self, done: Done) -> None:
        wrong = [one for one in done.diagnostics if one.get("summary") == UNDECLARED]
        if wrong:
            said = "; ".join(str(one.get("detail", "")).split(". ", maxsplit=1)[0] for one in wrong)
            raise AdapterError(said, "correct the name, or declare the variable in the layer")

    def _nothing_there(self, space: Workspace, data: Path, done: Done) -> bool:
        """A layer that was never made lacks the values it would be removed with."""
        if not any("No value for required variable" in _text(one) for one in errors_of(done.diagnostics)):
            return False
        told = self.runner.data(["show", "-json"], space.folder, data)
        return not list(_addresses(told.get("values", {})))

    # -- once a layer was applied

    def learn(self, layer: Layer, outputs: Mapping[str, Any], there: frozenset[str]) -> None:
        """What a layer tells now is what those after it take."""
        with self._lock:
            before = self.planned[layer.name]
            known = {**dict.fromkeys(before.reading.outputs), **outputs}
            read = replace(before.reading, outputs=known, outputs_before=known, there=there)
            self.planned[layer.name] = replace(before, reading=read, later="")

    def renewed(self, name: str) -> Planned:
        """The layer's plan as of now: the saved one while it stands on the values that are known now."""
        before = self.planned[name]
        layer = before.layer
        with self._lock:
            needs = {need: self.planned[need] for need in layer.needs}
        values, unknown, later = self._inputs(layer, needs)
        if unknown or later:
            raise AdapterError(
                f"variable {', '.join(unknown)} is still not known" if unknown else f"it can be planned only {later}",
                "outside of check mode it must be known: see what tells it",
            )
        if before.exact and equal(dict(before.values), values):
            return before
        return self.exact(layer, values)

    def known_outputs(self) -> dict[str, dict[str, Any]]:
        """Each layer's outputs; sensitive ones and those not known yet stay what they are."""
        return {name: dict(one.reading.outputs) for name, one in self.planned.items() if one.layer.present}

    def warnings(self) -> Iterator[str]:
        for name, one in self.planned.items():
            yield from (f"layer {name}: {text}" for text in one.reading.drift)
        named = {layer.name for layer in self.layers}
        if self.folder.is_dir():
            for entry in sorted(self.folder.iterdir()):
                if entry.is_dir() and (entry / "source").is_dir() and entry.name not in named:
                    yield (
                        f"layer {entry.name} was kept in this stack before and is not in this task: what it made is "
                        "still there; name it with present: false to remove it"
                    )


class _BecauseOfAnother(AdapterError):
    """Said at the other layer already."""


def _failed(done: Done, what: str, lock: Lock | None = None) -> PlanFailed:
    errors = errors_of(done.diagnostics)
    definite = any(DEFINITE.search(_text(one)) for one in errors) or lock_in(errors) is not None
    return PlanFailed(failure(errors, what, ended(done), lock), definite)


def ended(done: Done) -> str:
    """What is known of a command that told no diagnostic."""
    # The shell in between tells a signal as a status above 128.
    number = -done.code if done.code < 0 else done.code - 128
    if number > 0:
        return f"it was ended by signal {number}; what it had done is in the state: run again, it goes on from there"
    return done.text


def _text(one: Mapping[str, Any]) -> str:
    return f"{one.get('summary', '')}\n{one.get('detail', '')}"


def _addresses(values: Mapping[str, Any]) -> Iterator[str]:
    from .changes import addresses

    return addresses(values)


__all__ = ["EngineError", "PlanFailed", "Planned", "Secret", "Stack", "ended"]
