# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""One change, tried until it is done: classified faults, a second look before each further attempt."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ._decide import decide, fill, foreign
from ._objects import (
    Action,
    AdapterError,
    Change,
    Current,
    Desired,
    Fault,
    Options,
    Plan,
    Reader,
    Step,
    Writer,
)
from ._schedule import REMOVE
from ._values import Secret, Unknown, has_unknown, secrets_in, unknowns_in
from ._wait import REPORT_AFTER, Deadline, Progress, WaitFailed, Waiting, wait_for


@dataclass(frozen=True)
class Failure:
    sentence: str
    hint: str = ""


class Opened:
    """One worker's writer, opened when it is first needed."""

    def __init__(self, factory: Callable[[], Writer]) -> None:
        self._factory = factory
        self._writer: Writer | None = None
        self.batch = 1

    def writer(self) -> Writer:
        if self._writer is None:
            self._writer = self._factory()
            self.batch = max(1, self._writer.batch)
        return self._writer

    def close(self) -> None:
        if self._writer is not None:
            # The work is done and recorded; a failing logout changes nothing.
            with contextlib.suppress(Exception):
                self._writer.close()


class Session:
    """What all workers of one run share: the reader (one at a time), the deadline, what has become known."""

    def __init__(
        self, plan: Plan, reader: Reader, options: Options, deadline: Deadline, progress: Progress, bound: bool
    ) -> None:
        self.plan = plan
        self.reader = reader
        self.options = options
        self.deadline = deadline
        self.clock = deadline.clock
        self.progress = progress
        self.bound = bound
        self.rules = reader.rules
        self.stopped = threading.Event()
        self.final: dict[str, Desired] = {change.key: change.desired for change in plan.changes}
        self._known: dict[str, Mapping[str, Any]] = {
            change.key: change.current.fields for change in plan.changes if change.current and change.desired.present
        }
        self._reading = threading.Lock()
        self._troubles: dict[str, str] = {}

    def trouble(self, key: str) -> str:
        """What the last attempt at this object ended with, in brackets; empty while none has failed."""
        said = self._troubles.get(key)
        return f" ({said})" if said else ""

    def learned(self) -> Iterator[Secret]:
        yield from secrets_in(*self._known.values(), *(item.fields for item in self.final.values()))

    def transient(self, error: Exception) -> bool:
        return self.reader.classify(error) is not Fault.PERMANENT

    def read(self, wanted: Sequence[Desired]) -> list[Current]:
        with self._reading:
            return list(self.reader.read(wanted))

    def step(self, change: Change, phase: str) -> Step:
        if phase != REMOVE and change.action is Action.REPLACE:
            # Its removal is a step of its own, done before.
            change = replace(change, current=None)
        return Step(change, self.deadline, self.progress, self.transient, attempt=0)

    def together(self, steps: Sequence[Step], phase: str, opened: Opened) -> Mapping[str, Any]:
        """A first try of many changes at once; what comes of it, or the exception, per key."""
        ready: list[Step] = []
        answers: dict[str, Any] = {}
        for step in steps:
            try:
                step.change = self._resolved(step.change, phase)
                ready.append(step)
            except AdapterError as error:
                answers[step.change.key] = error
        try:
            writer = opened.writer()
            for step in ready:
                step.attempt = 1
            said = writer.many(ready)
            answers.update({s.change.key: said.get(s.change.key) for s in ready})
        except Exception as error:  # noqa: BLE001 - classified for each object in attempt()
            answers.update({s.change.key: error for s in ready})
        return answers

    def attempt(
        self, planned: Change, step: Step, phase: str, opened: Opened, first: Mapping[str, Any] | None = None
    ) -> Failure | None:
        """Try until done, refused, or out of time."""
        began = told = self.clock.now()
        error: Exception
        answer: Any = None
        for pause in self.options.backoff.pauses():
            try:
                if first is not None:
                    answer, first = first[planned.key], None
                    if isinstance(answer, Exception):
                        raise answer
                else:
                    answer = self._once(step, phase, opened)
                self._learn(planned.key, step.change, answer)
                return None
            except Exception as raised:  # noqa: BLE001 - every fault of an adapter ends here, by class
                error = raised
            fault = self.reader.classify(error)
            if fault is Fault.PERMANENT:
                return self._failure(error)
            sentence, hint = self.reader.explain(error)
            self._troubles[planned.key] = sentence
            if self.deadline.passed():
                return self._out_of_time(step, sentence, hint)
            if self.clock.now() - told >= REPORT_AFTER:
                told = self.clock.now()
                self.progress.waiting(f"{planned.label}: {planned.action.value}", sentence, told - began)
            self.clock.sleep(min(pause, self.deadline.remaining()))
            if self.stopped.is_set():
                return Failure("the run was stopped")
            try:
                again = self._look_again(planned, phase, fault)
            except WaitFailed as failed:
                return self._out_of_time(step, f"{sentence}; and {failed.cause}", hint)
            except Exception as failed:  # noqa: BLE001 - as above
                return self._failure(failed)
            if again is None:
                self._learn(planned.key, planned, None)
                return None
            step.change = again
        raise AssertionError("pauses never end")

    def _once(self, step: Step, phase: str, opened: Opened) -> Mapping[str, Any] | None:
        if self.stopped.is_set():
            raise AdapterError("the run was stopped")
        writer = opened.writer()
        if phase == REMOVE:
            step.attempt += 1
            writer.delete(step.change, step)
            return None
        step.change = self._resolved(step.change, phase)
        if step.change.action is Action.NOTHING:
            return None
        step.attempt += 1
        if step.change.action is Action.UPDATE:
            return writer.update(step.change, step)
        if step.change.action is Action.REPLACE and step.change.current is not None:
            writer.delete(step.change, step)
            step.change = replace(step.change, current=None)
        return writer.create(step.change, step)

    def _look_again(self, planned: Change, phase: str, fault: Fault) -> Change | None:
        """What is left to do after a failed attempt; None when nothing is."""
        found = self._find(planned, phase, fault)
        if phase == REMOVE:
            if found is None:
                return None
            self._must_be_the_same(planned, found)
            return replace(planned, current=found)
        if planned.action is Action.UPDATE:
            if found is None:
                raise AdapterError("it was there when the plan was made, and is gone now", "run again to make it anew")
            self._must_be_the_same(planned, found)
        options = replace(self.options, allow_replace=self.options.allow_replace or planned.action is Action.REPLACE)
        change = decide(self.final[planned.key], found, self.reader, options, self.rules)
        if change.refused:
            raise AdapterError(change.refused)
        if change.action is Action.NOTHING:
            return None
        if planned.action is Action.UPDATE:
            self._must_be_planned(planned, change)
        return change

    def _must_be_the_same(self, planned: Change, found: Current) -> None:
        before = planned.current.identity if planned.current else {}
        other = foreign(before, found) if found.identity else ""
        if other:
            raise AdapterError(
                f"another object has taken its place since the plan was made: {other}; it was not touched",
                "find out who works on this system at the same time, then run again",
            )

    def _must_be_planned(self, planned: Change, change: Change) -> None:
        extra = sorted(set(change.paths) - set(planned.paths))
        if self.bound and (extra or change.action is not planned.action):
            what = f"{', '.join(extra)} has moved" if extra else f"{change.action.value} would be needed"
            raise AdapterError(f"while the plan was applied, {what}", "make a new plan")

    def _find(self, planned: Change, phase: str, fault: Fault) -> Current | None:
        """The object as it is now. After a lost answer, one that should appear is given its time to."""
        desired = self.final[planned.key]
        patient = fault is Fault.UNCERTAIN and phase != REMOVE
        until = self.clock.now() + (self.reader.settle if patient else 0.0)
        old = planned.current.identity if planned.current and planned.action is Action.REPLACE else {}

        def look() -> Current | Waiting | None:
            found = next((item for item in self.read([desired]) if item.key == planned.key), None)
            if found is not None and phase != REMOVE and old and found.identity == old:
                found = None
            if found is None and self.clock.now() < until:
                return Waiting("not to be seen yet")
            return found

        what = f"looking up {planned.label} after an answer was lost"
        return wait_for(
            what,
            look,
            self.deadline,
            transient=self.transient,
            progress=self.progress,
            backoff=self.options.backoff,
        )

    def _resolved(self, change: Change, phase: str) -> Change:
        """`change` with what has become known since the plan was made."""
        desired = change.desired
        if phase == REMOVE or not has_unknown(desired.fields):
            return change
        desired = replace(desired, fields=fill(desired.fields, self._value_of))
        for unknown in unknowns_in(desired.fields):
            said, hint = unknown.why or "nothing told it", "make that first: outside of check mode it must be known"
            if unknown.of:
                said, hint = f"object {unknown.of} does not tell {unknown.field}", "this is for the adapter's author"
            raise AdapterError(f"a value it needs is still not known: {said}", hint)
        self.final[change.key] = desired
        options = replace(self.options, allow_replace=True)
        again = decide(desired, change.current, self.reader, options, self.rules)
        if again.action is Action.REPLACE and change.action is Action.UPDATE:
            raise AdapterError(f"now that its values are known, it would have to be made anew: {again.reason}")
        return replace(again, action=change.action) if change.action is Action.REPLACE else again

    def _value_of(self, unknown: Unknown) -> Any:
        known = self._known.get(unknown.of, {})
        if unknown.field not in known:
            source = self.final[unknown.of]
            found = next((item for item in self.read([source]) if item.key == unknown.of), None)
            self._known[unknown.of] = known = {**known, **(found.fields if found else {})}
        return known.get(unknown.field, unknown)

    def _learn(self, key: str, change: Change, answer: Any) -> None:
        told = answer if isinstance(answer, Mapping) else {}
        if change.action is Action.CREATE or change.action is Action.REPLACE:
            # What an earlier object of this name had says nothing about the new one.
            self._known[key] = {**change.desired.fields, **told}
        else:
            self._known[key] = {**self._known.get(key, {}), **change.desired.fields, **told}

    def _failure(self, error: Exception) -> Failure:
        if isinstance(error, WaitFailed):
            return Failure(str(error))
        return Failure(*self.reader.explain(error))

    def _out_of_time(self, step: Step, sentence: str, hint: str) -> Failure:
        tries = "1 attempt" if step.attempt == 1 else f"{step.attempt} attempts"
        text = f"{sentence} (given up after {tries}: the deadline of {self.deadline.seconds:.0f} s has passed)"
        return Failure(text, hint or "run again, or raise `deadline`")
