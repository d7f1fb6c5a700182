# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API in memory, as bad as real ones: it takes two objects of one name, loses answers, acts late, and dies."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.socle.platform.plugins.module_utils._reconcile import (
    AdapterError,
    Backoff,
    Clock,
    Current,
    Desired,
    Options,
    Reader,
    Secret,
    TransientError,
    UncertainError,
    Writer,
)

HARMLESS = ("transient", "lost before", "lost after", "late", "slow")
FAULTS = (*HARMLESS, "permanent")
KILLS = ("kill before", "kill after")
LATE = 20.0


class Killed(BaseException):
    """What SIGKILL looks like from inside: nothing may run after it."""


class VirtualClock(Clock):
    def __init__(self) -> None:
        self.time = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.time += seconds


class Talk:
    """A Progress that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.waits: list[tuple[str, str, float]] = []

    def event(self, object: str, step: str, done: int, total: int, detail: str = "") -> None:
        self.events.append((object, step, done, total, detail))

    def waiting(self, what: str, cause: str, elapsed: float) -> None:
        self.waits.append((what, cause, elapsed))


@dataclass
class Thing:
    id: int
    name: str
    fields: dict[str, Any]
    needs: frozenset[str] = frozenset()
    owned: bool = True


@dataclass
class World:
    clock: VirtualClock = field(default_factory=VirtualClock)
    things: dict[int, Thing] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)
    """By number of the call, reads included."""
    calls: int = 0
    done: list[tuple[str, str]] = field(default_factory=list)
    """Every effect: what, and the name."""
    complaints: list[str] = field(default_factory=list)
    """What the rules of this world were broken by."""
    busy: int = 0
    most_busy: int = 0
    dead: bool = False
    writers: list[WorldWriter] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._ids = itertools.count(100)
        self._late: list[tuple[float, Callable[[], Any]]] = []

    def put(self, name: str, fields: Mapping[str, Any], needs: frozenset[str] = frozenset(), owned: bool = True) -> int:
        number = next(self._ids)
        self.things[number] = Thing(number, name, dict(fields), needs, owned)
        return number

    def named(self, name: str) -> list[Thing]:
        return [thing for thing in self.things.values() if thing.name == name]

    def duplicates(self) -> list[str]:
        return [name for name, count in Counter(thing.name for thing in self.things.values()).items() if count > 1]

    def revive(self) -> None:
        """A new process, some time later: what was under way has come to its end."""
        self.dead = False
        self.faults.clear()
        self.clock.sleep(2 * LATE)
        self._settle()

    def list(self) -> list[Thing]:
        return self._call(
            "list", "", lambda: [Thing(t.id, t.name, dict(t.fields), t.needs, t.owned) for t in self.things.values()]
        )

    def create(self, name: str, fields: Mapping[str, Any], needs: frozenset[str]) -> int:
        def effect() -> int:
            self._expect(needs, f"{name} was made")
            return self.put(name, fields, needs)

        return self._call("create", name, effect, str(fields.get("password", "")))

    def update(self, number: int, fields: Mapping[str, Any], needs: frozenset[str]) -> None:
        def effect() -> None:
            thing = self._thing(number)
            self._expect(needs, f"{thing.name} was changed")
            thing.fields, thing.needs = dict(fields), needs

        self._call("update", self._thing(number).name, effect, str(fields.get("password", "")))

    def delete(self, number: int) -> None:
        name = self._thing(number).name

        def effect() -> None:
            users = [thing.name for thing in self.things.values() if name in thing.needs and thing.id != number]
            if users:
                self.complaints.append(f"{name} was removed while {users} used it")
            self._thing(number)
            del self.things[number]

        self._call("delete", name, effect)

    def _thing(self, number: int) -> Thing:
        if number not in self.things:
            raise AdapterError(f"404: no object {number}")
        return self.things[number]

    def _expect(self, needs: frozenset[str], what: str) -> None:
        missing = [need for need in sorted(needs) if not self.named(need)]
        if missing:
            self.complaints.append(f"{what} before {missing}")

    def _settle(self) -> None:
        due = [effect for at, effect in self._late if at <= self.clock.now()]
        self._late = [(at, effect) for at, effect in self._late if at > self.clock.now()]
        for effect in due:
            effect()

    def _call(self, what: str, name: str, effect: Callable[[], Any], said: str = "") -> Any:
        with self._lock:
            if self.dead:
                raise Killed
            self._settle()
            self.calls += 1
            fault = self.faults.get(self.calls, "")
            if fault == "slow":
                self.clock.sleep(7.0)
            if fault == "kill before":
                self.dead = True
                raise Killed
            if fault == "transient":
                raise TransientError(f"503 at {what} {name} {said}: busy")
            if fault == "lost before":
                raise UncertainError(f"timed out at {what} {name} {said}")
            if fault == "permanent":
                raise AdapterError(f"403 at {what} {name} {said}: not allowed", "ask for the privilege")

            def act() -> Any:
                answer = effect()
                if what != "list":
                    self.done.append((what, name))
                return answer

            if fault == "late" and what == "create":
                self._late.append((self.clock.now() + LATE, act))
                raise UncertainError(f"timed out at {what} {name} {said}")
            answer = act()
            if fault == "kill after":
                self.dead = True
                raise Killed
            if fault in ("lost after", "late"):
                raise UncertainError(f"connection reset at {what} {name} {said}")
            return answer


class WorldReader(Reader):
    kind = "thing"
    immutable = frozenset({"mode"})
    computed = ("number",)
    settle = 2 * LATE

    def __init__(self, world: World) -> None:
        self.world = world

    def read(self, desired: Any) -> list[Current]:
        return [current(thing) for thing in self.world.list()]


def current(thing: Thing) -> Current:
    fields: dict[str, Any] = {**thing.fields, "number": thing.id}
    if "password" in fields:
        fields["password"] = Secret(fields["password"])
    return Current(thing.name, fields, identity={"id": thing.id}, owned=thing.owned, needs=thing.needs)


class WorldWriter(Writer):
    def __init__(self, world: World) -> None:
        self.world = world
        self.thread = threading.get_ident()
        self.closed = False
        world.writers.append(self)

    def create(self, change: Any, step: Any) -> dict[str, Any]:
        with self._alone():
            return {"number": self.world.create(change.key, _sent(change.after), change.desired.needs)}

    def update(self, change: Any, step: Any) -> None:
        with self._alone():
            self.world.update(change.current.identity["id"], _sent(change.after), change.desired.needs)

    def delete(self, change: Any, step: Any) -> None:
        with self._alone():
            self.world.delete(change.current.identity["id"])

    def close(self) -> None:
        self.closed = True

    def _alone(self) -> _Counted:
        if self.thread != threading.get_ident():
            self.world.complaints.append("a writer was used by a thread that did not open it")
        return _Counted(self.world)


class BatchWriter(WorldWriter):
    """One that does several at once, and says per object what came of it."""

    batch = 3

    def many(self, steps: Any) -> dict[str, Any]:
        answers: dict[str, Any] = {}
        for step in steps:
            change = step.change
            act = self.delete if not change.desired.present else self.create if change.current is None else self.update
            if change.action.value == "replace":
                act = self.delete if self.world.named(change.key) else self.create
            try:
                answers[change.key] = act(change, step)
            except AdapterError as error:
                answers[change.key] = error
        return answers


class _Counted:
    def __init__(self, world: World) -> None:
        self.world = world

    def __enter__(self) -> None:
        with self.world._lock:
            self.world.busy += 1
            self.world.most_busy = max(self.world.most_busy, self.world.busy)

    def __exit__(self, *_unused: object) -> None:
        with self.world._lock:
            self.world.busy -= 1


def _sent(after: Mapping[str, Any]) -> dict[str, Any]:
    sent = {name: value for name, value in after.items() if name != "number"}
    if isinstance(sent.get("password"), Secret):
        sent["password"] = sent["password"].reveal()
    return sent


def options(**more: Any) -> Options:
    defaults: dict[str, Any] = {"deadline": 1e6, "concurrency": 3, "backoff": Backoff(first=1.0, most=4.0)}
    return Options(**{**defaults, **more})


def wanted(name: str, *needs: str, present: bool = True, **fields: Any) -> Desired:
    if "password" in fields:
        fields["password"] = Secret(fields["password"])
    return Desired(name, fields, frozenset(needs), present=present)
