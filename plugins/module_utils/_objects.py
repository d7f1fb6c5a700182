# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What the engine works on: desired and current objects, changes, and the two halves of an adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from ._diff import FieldChange, Rules
from ._values import KNOWN_AFTER_APPLY, Secret, secrets_in, show
from ._wait import Backoff, Deadline, Hopeless, Progress, Waiting, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


class EngineError(Exception):
    """Anything the engine says to a user."""


class DesiredError(EngineError):
    """The desired set contradicts itself. `problems` has a sentence for each finding."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(self.problems))


class Refused(EngineError):
    """The plan holds changes that are not allowed; nothing was written."""

    def __init__(self, refusals: Sequence[str]) -> None:
        self.refusals = list(refusals)
        super().__init__("; ".join(self.refusals))


class AdapterError(EngineError):
    """An error an adapter raises: the API's own sentence, and what the user can do."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        self.sentence, self.hint = sentence, hint
        super().__init__(f"{sentence} ({hint})" if hint else sentence)


class TransientError(AdapterError):
    """The call had no effect and may work when it is tried again (busy, rate limit, a lock)."""


class UncertainError(AdapterError):
    """The answer was lost: the call may or may not have had its effect."""


class Fault(Enum):
    TRANSIENT = "transient"
    UNCERTAIN = "uncertain"
    PERMANENT = "permanent"


class Action(str, Enum):
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Desired:
    """One object as it shall be. Fields that are not named are not looked at.

    `needs`: keys of objects that must be there first. `identity`: what must be so in the found object's identity,
    else it is another object and is refused. `label` is what users read instead of the key.
    """

    key: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    present: bool = True
    identity: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""


@dataclass(frozen=True)
class Current:
    """One object as it is.

    `revision`: the API's own token for "unchanged since" (config digest, ETag), for the writer. `owned`: ours, so it
    may be pruned. `incomplete`: why this is a torso left by an earlier run, to be made anew. `needs`: what it uses now.
    """

    key: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)
    revision: str = ""
    owned: bool = False
    incomplete: str = ""
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """One object's part of the plan. `after` holds every desired field, `fields` only those that differ."""

    key: str
    label: str
    action: Action
    desired: Desired
    current: Current | None = None
    fields: tuple[FieldChange, ...] = ()
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    refused: str = ""
    known_after: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(item.path for item in self.fields)

    def as_dict(self) -> dict[str, Any]:
        """For people and programs; nothing secret in it."""
        fields = [{"path": f.path, "before": f.shown_before(), "after": f.shown_after()} for f in self.fields]
        fields += [{"path": path, "before": "(absent)", "after": KNOWN_AFTER_APPLY} for path in self.known_after]
        return {
            "key": self.key,
            "label": self.label,
            "action": self.action.value,
            "fields": fields,
            "reason": self.reason,
            "refused": self.refused,
        }


@dataclass(frozen=True)
class Plan:
    """Every desired object's change, in the order of the desired set, then what is to be pruned."""

    kind: str
    changes: tuple[Change, ...]
    unmanaged: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    volatile: frozenset[str] = frozenset()

    @property
    def refusals(self) -> list[str]:
        return [*self.findings, *(change.refused for change in self.changes if change.refused)]

    @property
    def pending(self) -> list[Change]:
        return [change for change in self.changes if change.action is not Action.NOTHING]

    @property
    def changed(self) -> bool:
        return any(change.action is not Action.NOTHING for change in self.changes)

    def secrets(self) -> Iterator[Secret]:
        for change in self.changes:
            yield from secrets_in(change.desired.fields, change.after, *(f.before for f in change.fields))
            if change.current is not None:
                yield from secrets_in(change.current.fields)

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "changed": self.changed,
            "changes": [change.as_dict() for change in self.pending],
            "unmanaged": list(self.unmanaged),
            "warnings": list(self.warnings),
            "refusals": self.refusals,
        }


@dataclass(frozen=True)
class Options:
    """What the user allows and how long it may take."""

    allow_replace: bool = False
    prune: bool = False
    deadline: float = 600.0
    concurrency: int = 8
    backoff: Backoff = field(default_factory=Backoff)
    # Longest time to go on asking for a call in flight once the deadline has passed.
    grace: float = 10.0


class Reader:
    """The half of an adapter that reads. Planning, and so check mode, has nothing else in hands."""

    kind = "object"
    exact: frozenset[str] = frozenset()  # mappings in which a key nobody wants is a difference
    unordered: frozenset[str] = frozenset()  # lists whose order means nothing
    immutable: frozenset[str] = frozenset()  # fields that can only change by making the object anew
    volatile: frozenset[str] = frozenset()  # fields that move by themselves (an uptime): no plan is bound to them
    computed: tuple[str, ...] = ()  # fields the API fills in when an object is created
    settle = 0.0  # seconds an accepted write may take until it can be read

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        """The objects of the set that exist (and, for pruning, others of the kind), in as few requests as possible.

        Called once for a whole set, and with a single object to look it up before a lost call is tried again.
        """
        raise NotImplementedError

    def same(self, path: str, wanted: Any, found: Any) -> bool:
        """Whether two values that are not equal mean the same (`4G` and 4096)."""
        del path, wanted, found
        return False

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        """Findings that forbid every write: what the set names and the live system does not have."""
        del desired, current
        return ()

    def warn(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        """Things worth knowing that forbid nothing."""
        del desired, current
        return ()

    def replaces(self, desired: Desired, current: Current, fields: Sequence[FieldChange]) -> str:
        """Why this update can only be done by making the object anew; empty when it can be done in place."""
        del desired, current
        forced = [f.path for f in fields if any(f.path == p or f.path.startswith(p + ".") for p in self.immutable)]
        return f"{', '.join(forced)} cannot change in place" if forced else ""

    def classify(self, error: Exception) -> Fault:
        """Only what this calls transient or uncertain is ever tried again."""
        if isinstance(error, UncertainError):
            return Fault.UNCERTAIN
        return Fault.TRANSIENT if isinstance(error, TransientError) else Fault.PERMANENT

    def explain(self, error: Exception) -> tuple[str, str]:
        """The API's own sentence, and what to do next."""
        if isinstance(error, AdapterError):
            return error.sentence, error.hint
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, ""

    @property
    def rules(self) -> Rules:
        return Rules(self.exact, self.unordered, self.same)


@dataclass
class Step:
    """What a writer has at hand while it works on one change."""

    change: Change
    deadline: Deadline
    progress: Progress
    transient: Callable[[Exception], bool]
    attempt: int = 1
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Something the user should know about an object that succeeded ("needs a reboot")."""
        if text not in self.notes:
            self.notes.append(text)

    def warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def wait_for(
        self,
        what: str,
        probe: Callable[[], T | Waiting | Hopeless],
        *,
        at_most: float | None = None,
        cause: Callable[[], str] | None = None,
    ) -> T:
        """`_wait.wait_for`, for this object, inside the deadline of the whole."""
        deadline = self.deadline if at_most is None else self.deadline.within(at_most)
        what = f"{self.change.label}: {what}"
        return wait_for(what, probe, deadline, cause=cause, transient=self.transient, progress=self.progress)


class Writer:
    """The half of an adapter that writes. Each worker opens its own: API clients are not thread-safe.

    A method returns once the API has accepted the change and its effect is there (use `step.wait_for`); it may return
    fields only known now, for objects that wait for them. Before each further attempt the engine reads the object
    again and gives the change that is still to be done.
    """

    batch = 1  # how many changes of the same action `many` takes at once

    def create(self, change: Change, step: Step) -> Mapping[str, Any] | None:
        raise NotImplementedError

    def update(self, change: Change, step: Step) -> Mapping[str, Any] | None:
        raise NotImplementedError

    def delete(self, change: Change, step: Step) -> None:
        raise NotImplementedError

    def many(self, steps: Sequence[Step]) -> Mapping[str, Exception | Mapping[str, Any] | None]:
        """Do the changes of `steps` (all one action) in one go; answer per key, an exception where one failed."""
        raise NotImplementedError

    def close(self) -> None:
        """Called once, by the worker that opened it."""


def shown(value: Any) -> str:
    text = str(show(value))
    return text if len(text) <= 200 else text[:197] + "..."
