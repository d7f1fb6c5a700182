# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Carries a plan out: in order, side by side, inside one deadline, and reads back what came of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ._attempt import Failure, Opened, Session
from ._diff import differences
from ._objects import Action, Change, Current, Options, Plan, Reader, Refused, Step, Writer, shown
from ._schedule import REMOVE, Node, Schedule
from ._values import Secret, clear_texts, scrub, secrets_in
from ._wait import REPORT_AFTER, Clock, Deadline, Progress, Quiet, WaitFailed, Waiting, wait_for


class Status(str, Enum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_TRIED = "not tried"
    UNCHANGED = "unchanged"


@dataclass
class Outcome:
    """What came of one object. `error` holds the API's own sentence, `hint` what to do, `because` what stood before."""

    key: str
    label: str
    action: Action
    status: Status
    error: str = ""
    hint: str = ""
    because: str = ""
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    attempts: int = 0
    seconds: float = 0.0
    after: Current | None = None

    def sentence(self) -> str:
        if self.status is Status.NOT_TRIED:
            return f"{self.label}: {self.action.value} not tried, because {self.because}"
        text = f"{self.label}: {self.action.value} failed: {self.error}"
        return f"{text} ({self.hint})" if self.hint else text


@dataclass
class Result:
    plan: Plan
    outcomes: list[Outcome]
    wrote: bool
    """Whether anything was, or may have been, written."""
    learned: frozenset[Secret] = frozenset()
    """Secrets that writers told."""

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.status is Status.FAILED]

    @property
    def not_tried(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.status is Status.NOT_TRIED]

    @property
    def ok(self) -> bool:
        return not self.failed and not self.not_tried

    def secrets(self) -> Iterable[Secret]:
        yield from self.plan.secrets()
        yield from self.learned
        yield from secrets_in(*(outcome.after.fields for outcome in self.outcomes if outcome.after))

    def message(self) -> str:
        """Every object that did not succeed, by name; empty when all did."""
        if self.ok:
            return ""
        good = sum(outcome.status is Status.SUCCEEDED for outcome in self.outcomes)
        total = good + len(self.failed) + len(self.not_tried)
        lines = [f"{good} of {total} {self.plan.kind} objects done, {len(self.failed)} failed"]
        if self.not_tried:
            lines[0] += f", {len(self.not_tried)} not tried"
        lines += [outcome.sentence() for outcome in (*self.failed, *self.not_tried)]
        return "\n".join(lines)


def apply(
    plan: Plan,
    writer_factory: Callable[[], Writer],
    *,
    reader: Reader,
    options: Options | None = None,
    clock: Clock | None = None,
    deadline: Deadline | None = None,
    progress: Progress | None = None,
    bound: bool = False,
) -> Result:
    """Do what `plan` says. `writer_factory` is called once by each worker that has something to do.

    Raises Refused, before any writer is opened, when the plan holds a refusal. With `bound`, a change that a second
    look would widen beyond the plan fails instead.
    """
    if plan.refusals:
        raise Refused(plan.refusals)
    options = options or Options()
    if not plan.changed:
        return Result(plan, [_unchanged(change) for change in plan.changes], wrote=False)
    deadline = deadline or Deadline(options.deadline, clock)
    discreet = _Discreet(progress or Quiet(), clear_texts(plan.secrets()), deadline.clock)
    session = Session(plan, reader, options, deadline, discreet, bound)
    run = _Run(plan, writer_factory, session, options.concurrency, discreet)
    run.work()
    _read_back(run.outcomes, session)
    ordered = [run.outcomes.get(change.key) or _unchanged(change) for change in plan.changes]
    learned = frozenset(session.learned())
    texts = clear_texts({*plan.secrets(), *learned})
    for outcome in ordered:
        outcome.error = scrub(outcome.error, texts)
        outcome.hint = scrub(outcome.hint, texts)
        outcome.notes = [scrub(note, texts) for note in outcome.notes]
        outcome.warnings = [scrub(warning, texts) for warning in outcome.warnings]
    return Result(plan, ordered, run.wrote, learned)


def _unchanged(change: Change) -> Outcome:
    return Outcome(change.key, change.label, change.action, Status.UNCHANGED, after=change.current)


class _Discreet:
    """Progress that passes on no secret an API may have repeated in its sentence, and knows when it told a cause."""

    def __init__(self, progress: Progress, texts: set[str], clock: Clock) -> None:
        self._progress, self._texts, self._clock = progress, texts, clock
        self._told = float("-inf")

    def event(self, object: str, step: str, done: int, total: int, detail: str = "") -> None:
        self._progress.event(object, step, done, total, scrub(detail, self._texts))

    def waiting(self, what: str, cause: str, elapsed: float) -> None:
        self._told = self._clock.now()
        self._progress.waiting(what, scrub(cause, self._texts), elapsed)

    def under_way(self, what: str, names: str, elapsed: float) -> None:
        """What is said where nobody tells a cause: it must not stand in the place of one."""
        if self._clock.now() - self._told >= 3 * REPORT_AFTER:
            self._progress.waiting(what, f"under way: {scrub(names, self._texts)}", elapsed)


class _Run:
    """The workers, and the state they share under one lock."""

    def __init__(
        self, plan: Plan, writer_factory: Callable[[], Writer], session: Session, concurrency: int, discreet: _Discreet
    ) -> None:
        self.factory = writer_factory
        self.session = session
        self.discreet = discreet
        self.schedule = Schedule(plan.changes)
        self.total = sum(node.real for node in self.schedule.nodes)
        self.workers = max(1, min(concurrency, self.total))
        self.outcomes: dict[str, Outcome] = {}
        self.busy: dict[int, tuple[Node, float]] = {}
        self.done = 0
        self.wrote = False
        self.fatal: BaseException | None = None
        self.changed = threading.Condition()

    def work(self) -> None:
        threads = [threading.Thread(target=self._worker, daemon=True) for _unused in range(self.workers)]
        for thread in threads:
            thread.start()
        try:
            self._watch()
        finally:
            with self.changed:
                abandoned = bool(self.busy) and self.fatal is None
                self.session.stopped.set()
                self.changed.notify_all()
        if not abandoned:
            for thread in threads:
                thread.join()
        if self.fatal is not None:
            raise self.fatal
        with self.changed:
            self._close_books()

    def _watch(self) -> None:
        deadline, clock = self.session.deadline, self.session.deadline.clock
        seen, since = -1, clock.now()
        grace_from: float | None = None
        with self.changed:
            while self.fatal is None and (self.busy or self.schedule.left):
                if not self.busy and not self.schedule.ready:
                    raise AssertionError("steps are left, and none may run: the order of the plan is broken")
                if deadline.passed():
                    if not self.busy:
                        return
                    grace_from = time.monotonic() if grace_from is None else grace_from
                    if time.monotonic() - grace_from >= self.session.options.grace:
                        return
                if self.done != seen:
                    seen, since = self.done, clock.now()
                elif self.busy and clock.now() - since >= REPORT_AFTER:
                    busy = [node.change for node, _unused in list(self.busy.values())[:5]]
                    names = ", ".join(change.label + self.session.trouble(change.key) for change in busy)
                    what = f"{self.total - self.done} of {self.total} {self.session.reader.kind} steps"
                    self.discreet.under_way(what, names, clock.now() - deadline.start)
                    since = clock.now()
                self.changed.wait(min(1.0, max(0.02, deadline.remaining())))

    def _worker(self) -> None:
        opened = Opened(self.factory)
        try:
            while True:
                nodes = self._next(opened.batch)
                if not nodes:
                    return
                self._do(nodes, opened)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it again
            with self.changed:
                self.fatal = self.fatal or error
                self.busy = {}
                self.changed.notify_all()
        finally:
            opened.close()

    def _next(self, most: int) -> list[Node]:
        with self.changed:
            while True:
                if self.session.stopped.is_set() or self.session.deadline.passed() or self.fatal is not None:
                    return []
                nodes = self.schedule.take(most)
                if nodes:
                    now = self.session.deadline.clock.now()
                    self.busy.update({id(node): (node, now) for node in nodes})
                    return nodes
                if not self.schedule.left:
                    return []
                self.changed.wait(1.0)

    def _do(self, nodes: Sequence[Node], opened: Opened) -> None:
        steps = [self.session.step(node.change, node.phase) for node in nodes]
        for node in nodes:
            self.session.progress.event(node.change.label, node.change.action.value, self.done, self.total)
        first: Mapping[str, Any] | None = None
        if len(nodes) > 1:
            first = self.session.together(steps, nodes[0].phase, opened)
        for node, step in zip(nodes, steps, strict=True):
            try:
                failure = self.session.attempt(node.change, step, node.phase, opened, first)
            except Exception as error:  # noqa: BLE001 - a defect met at one object must not hide the others
                failure = Failure(
                    f"{type(error).__name__}: {error}", "this is a defect of the module: please report it"
                )
            self._finish(node, step, failure)

    def _finish(self, node: Node, step: Step, failure: Failure | None) -> None:
        with self.changed:
            if self.session.stopped.is_set() and self.fatal is None:
                return
            _unused, started = self.busy.pop(id(node))
            seconds = self.session.deadline.clock.now() - started
            self.wrote = self.wrote or step.attempt > 0
            self.done += 1
            self._record(node, step, failure, seconds)
            if failure is None:
                self.schedule.done(node)
            else:
                verb = "removed" if node.phase == REMOVE else "as wanted"
                for dropped in self.schedule.failed(node):
                    self._not_tried(dropped, f"{node.change.label} could not be {_verb(verb)}")
            self.changed.notify_all()
            done = self.done
        detail = "failed" if failure else ""
        action = node.change.action.value
        self.session.progress.event(node.change.label, action, done, self.total, detail)

    def _record(self, node: Node, step: Step, failure: Failure | None, seconds: float) -> None:
        change = node.change
        before = self.outcomes.get(change.key)
        status = Status.SUCCEEDED if failure is None else Status.FAILED
        outcome = Outcome(change.key, change.label, change.action, status, attempts=step.attempt, seconds=seconds)
        outcome.notes, outcome.warnings = step.notes, step.warnings
        if failure is not None:
            outcome.error, outcome.hint = failure.sentence, failure.hint
        if before is not None:
            outcome.seconds += before.seconds
            outcome.notes = before.notes + outcome.notes
            outcome.warnings = before.warnings + outcome.warnings
            if failure is not None:
                outcome.error = f"it was removed and could not be made again: {failure.sentence}"
        self.outcomes[change.key] = outcome

    def _not_tried(self, node: Node, because: str) -> None:
        change = node.change
        before = self.outcomes.get(change.key)
        if before is None:
            self.outcomes[change.key] = Outcome(
                change.key, change.label, change.action, Status.NOT_TRIED, because=because
            )
        elif before.status is Status.SUCCEEDED:
            before.status = Status.FAILED
            before.error = f"it was removed and not made again, because {because}"
            before.hint = "run again once that is solved"
        self.done += 1

    def _close_books(self) -> None:
        """The deadline has passed with work left: say so for each object."""
        seconds = self.session.deadline.seconds
        for node, started in self.busy.values():
            spent = self.session.deadline.clock.now() - started
            self.wrote = True
            self.outcomes[node.key] = Outcome(
                node.key,
                node.change.label,
                node.change.action,
                Status.FAILED,
                error=f"no answer after {spent:.0f} s, when the deadline of {seconds:.0f} s had passed",
                hint="what came of it is not known; run again, it is looked up before anything is done",
                seconds=spent,
            )
        under_way = set(self.busy)
        for node in self.schedule.never():
            if id(node) not in under_way:
                self._not_tried(node, f"the deadline of {seconds:.0f} s passed before its turn; raise `deadline`")


def _verb(text: str) -> str:
    return text if text == "removed" else f"made {text}"


def _read_back(outcomes: Mapping[str, Outcome], session: Session) -> None:
    """What the API reports now must be what was sent."""
    written = [outcome for outcome in outcomes.values() if outcome.status is Status.SUCCEEDED]
    if not written:
        return
    wanted = [session.final[outcome.key] for outcome in written]
    rules = session.reader.rules
    wrong: dict[str, str] = {}
    found: dict[str, Current] = {}

    def look() -> bool | Waiting:
        wrong.clear()
        found.clear()
        for current in session.read(wanted):
            found.setdefault(current.key, current)
        for item in wanted:
            fault = _contradiction(item.present, item.fields, found.get(item.key))
            if fault:
                wrong[item.key] = fault
        settling = session.clock.now() < settled_at
        return Waiting(next(iter(wrong.values()))) if wrong and settling else True

    def _contradiction(present: bool, fields: Mapping[str, Any], current: Current | None) -> str:
        if not present:
            return "" if current is None else "it is still there after it was removed"
        if current is None:
            return "it is not there after it was made"
        if current.incomplete:
            return f"it is not complete after it was made: {current.incomplete}"
        said = [
            f"{f.path} is {shown(f.shown_before())} after {shown(f.shown_after())} was sent"
            for f in differences(fields, current.fields, rules)
        ]
        return "; ".join(said)

    settled_at = session.clock.now() + session.reader.settle
    try:
        what = f"reading back {session.reader.kind} objects"
        wait_for(
            what,
            look,
            session.deadline,
            transient=session.transient,
            progress=session.progress,
            backoff=session.options.backoff,
        )
    except WaitFailed as error:
        if not wrong:
            wrong = {item.key: f"it was written, but could not be read back: {error.cause}" for item in wanted}
    except Exception as error:  # noqa: BLE001 - whatever the adapter raises belongs to these objects
        sentence, _unused = session.reader.explain(error)
        wrong = {item.key: f"it was written, but could not be read back: {sentence}" for item in wanted}
    for outcome in written:
        outcome.after = found.get(outcome.key)
        if outcome.key in wrong:
            outcome.status = Status.FAILED
            outcome.error = wrong[outcome.key]
            outcome.hint = "run again, and if it stays so look at this object in the system itself"
