# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Joins releases to the engine: what a task asks for, what the cloud has, and the way between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._apply import Result
from .._objects import (
    AdapterError,
    Change,
    Current,
    Desired,
    EngineError,
    Fault,
    Plan,
    Reader,
    Step,
    TransientError,
    UncertainError,
    Writer,
)
from .._values import Secret
from .drive import drive
from .machine import Refuse, decide
from .model import Aim, Limits, Phase, Port, Run, Stand, Wish

Parameters = Mapping[str, Any]
Ports = Callable[[Parameters, Parameters], Port]

SERVICE: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": [aim.value for aim in Aim], "default": Aim.RELEASED.value},
    "image": {"type": "str"},
    "version": {"type": "str"},
    "commit": {"type": "str"},
    "by": {"type": "str"},
    "reason": {"type": "str"},
    "again": {"type": "bool", "default": False},
    "steps": {"type": "list", "elements": "int", "default": []},
    "percent": {"type": "int", "default": 100},
    "bake": {"type": "float", "default": 0.0},
    "health": {"type": "str"},
    "headers": {"type": "dict", "no_log": True},
    "patience": {"type": "float", "default": 300.0},
    "smoke": {"type": "list", "elements": "str", "default": []},
    "smoke_timeout": {"type": "float", "default": 300.0},
    "max_errors": {"type": "float"},
    "url": {"type": "str"},
}


def wish_of(service: Parameters) -> Wish:
    texts = {name: str(service.get(name) or "") for name in ("image", "version", "commit", "by", "reason")}
    return Wish(
        service=service["name"],
        aim=Aim(service["state"]),
        again=service["again"],
        percent=service["percent"],
        steps=tuple(sorted(service["steps"])),
        **texts,
    )


def limits_of(service: Parameters) -> Limits:
    headers = service.get("headers") or {}
    headers = headers.reveal() if isinstance(headers, Secret) else headers
    return Limits(
        health=service.get("health") or "",
        url=service.get("url") or "",
        headers=tuple((str(name), str(value)) for name, value in headers.items()),
        smoke=tuple(service["smoke"]),
        smoke_timeout=service["smoke_timeout"],
        patience=service["patience"],
        bake=service["bake"],
        max_errors=service.get("max_errors"),
        alarms=tuple(service.get("alarms") or ()),
    )


class Releases:
    """One task's services, each with its port; a port belongs to one thread at a time."""

    def __init__(self, make: Ports) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._known: dict[str, Port] = {}
        self.parameters: Parameters = {}

    def of(self, parameters: Parameters) -> Releases:
        self.parameters = parameters
        return self

    def service(self, name: str) -> Parameters:
        found: Parameters = next(one for one in self.parameters["services"] if one["name"] == name)
        return found

    def port(self, name: str) -> Port:
        with self._lock:
            if name not in self._known:
                self._known[name] = self._make(self.parameters, self.service(name))
            return self._known[name]

    def desired(self, parameters: Parameters) -> Iterator[Desired]:
        self.of(parameters)
        for service in parameters["services"]:
            wish = wish_of(service)
            # What a promotion or a roll-back leads to is known by the cloud alone.
            stand = self.port(wish.service).read()
            yield Desired(wish.service, fields_wanted(stand, wish))


def fields_wanted(stand: Stand, wish: Wish) -> dict[str, Any]:
    record = stand.record
    if wish.aim is Aim.ROLLED_BACK:
        return {"live": stand.old.image if stand.old else "", "next": "", "left": ""}
    image = wish.image or record.image
    serving = stand.serving
    if wish.aim is Aim.DEPLOYED:
        if record.phase is not Phase.OPEN and serving is not None and serving.image == image:
            return {"live": image}
        return {"next": image, "tested": True}
    if wish.percent < 100 and not (record.phase is Phase.DONE and record.image == image):
        return {"next": image, "tested": True, "percent": wish.percent}
    return {"live": image, "next": "", "left": ""}


def fields_found(stand: Stand) -> dict[str, Any]:
    ahead = max(stand.versions, key=lambda version: version.percent, default=None)
    live = ahead if ahead is not None and ahead.percent else stand.serving
    under_way = stand.record.phase is Phase.OPEN
    return {
        "live": live.image if live else "",
        "next": stand.record.image if under_way else "",
        "percent": stand.new.percent if under_way and stand.new else 0,
        "tested": under_way and stand.record.tested,
        "left": stand.tidy,
    }


class ReleaseReader(Reader):
    kind = "release"

    def __init__(self, releases: Releases) -> None:
        self.releases = releases
        self.stands: dict[str, Stand] = {}

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        for item in desired:
            stand = self.stands[item.key] = self.releases.port(item.key).read()
            yield Current(item.key, fields_found(stand), {"name": item.key})

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del current
        for item in desired:
            service = self.releases.service(item.key)
            wish = wish_of(service)
            step = decide(self.stands[item.key], wish, Run())
            if isinstance(step, Refuse):
                yield f"{step.sentence} ({step.hint})"
            wrong = [step for step in (*wish.steps, wish.percent) if not 1 <= step <= 100]
            if wrong:
                yield f"{item.key}: {wrong[0]} is no share of users; write 1 to 100"
            if wish.aim is Aim.DEPLOYED and not wish.image:
                yield f"{item.key}: image is missing; say which one is to be deployed"
            watched = service["bake"] * (1 + len(wish.steps))
            deadline = self.releases.parameters.get("deadline", 600.0)
            if wish.aim is Aim.RELEASED and watched >= deadline:
                yield (
                    f"{item.key}: watching {1 + len(wish.steps)} steps for {service['bake']:g} s each takes "
                    f"{watched:g} s, longer than the deadline of {deadline:g} s; raise deadline"
                )

    def classify(self, error: Exception) -> Fault:
        if isinstance(error, UncertainError):
            return Fault.UNCERTAIN
        return Fault.TRANSIENT if isinstance(error, TransientError) else Fault.PERMANENT


class ReleaseWriter(Writer):
    def __init__(self, releases: Releases) -> None:
        self.releases = releases

    def update(self, change: Change, step: Step) -> None:
        service = self.releases.service(change.key)
        drive(
            self.releases.port(change.key),
            wish_of(service),
            limits_of(service),
            step.deadline,
            progress=step.progress,
            note=step.note,
        )

    def create(self, change: Change, step: Step) -> None:
        del step
        raise AdapterError(f"{change.key}: there is no such service", "make it first (playbooks/clouds.yml)")


def told(stand: Stand) -> dict[str, Any]:
    """What runs where, since when, from which version, for whom."""
    record = stand.record
    return {
        "name": stand.service,
        "phase": record.phase.value,
        "version": record.version,
        "commit": record.commit,
        "by": record.by,
        "at": record.at,
        "reason": record.reason,
        "moving": stand.moving,
        "trouble": stand.trouble,
        "versions": [
            {
                "name": version.name,
                "image": version.image,
                "percent": version.percent,
                "health": version.health.value,
                "why": version.why,
                "url": version.url,
                "since": version.since,
            }
            for version in stand.versions
        ],
    }


def more(releases: Releases) -> Callable[[Plan, Result | None], dict[str, Any]]:
    """The result value `releases`, read again when something was written."""

    def tell(plan: Plan, result: Result | None) -> dict[str, Any]:
        del result
        found = []
        for change in plan.changes:
            try:
                found.append(told(releases.port(change.key).read()))
            except EngineError as error:
                found.append({"name": change.key, "trouble": str(error)})
        return {"releases": found}

    return tell
