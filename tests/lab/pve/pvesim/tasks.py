# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that takes time: a UPID at once, the effect when its time has come.

A task is a list of steps on the fleet's agenda, carried out by whatever request comes next after they are due:
nothing runs beside the requests, so a test with a fixed seed sees the same world each time.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ApiError, TaskError
from .world import Fleet, Site, Task

# A step returns None when it is done, or the seconds after which it wants to be asked again.
Step = Callable[[Task], float | None]
UPID = re.compile(
    r"UPID:(?P<node>[A-Za-z0-9\-]+):[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:(?P<type>[^:\s]+):(?P<id>[^:\s]*):(?P<user>[^:\s]+):"
)


@dataclass
class Job:
    """What a task will do: `steps` in turn; `undo` when one of them fails or the task is stopped."""

    steps: Sequence[tuple[float, Step]]
    undo: Callable[[], None] | None = None


def duration(fleet: Fleet, kind: str) -> float:
    return float(fleet.durations.get(kind, fleet.durations.get("*", 0.0)))


def submit(
    fleet: Fleet,
    site: Site,
    node: str,
    user: str,
    kind: str,
    ident: str,
    work: Step | Sequence[tuple[float, Step]],
    undo: Callable[[], None] | None = None,
) -> str:
    """Start a task and return its UPID; a bare step runs after the set duration of this kind of task."""
    now = fleet.clock.now()
    holder = site.nodes[node]
    holder.next_pid += fleet.random.randint(1, 9)
    pstart = int((now - holder.booted) * 100)
    upid = f"UPID:{node}:{holder.next_pid:08X}:{pstart:08X}:{int(now):08X}:{kind}:{ident}:{user}:"
    while upid in site.tasks:
        holder.next_pid += 1
        upid = f"UPID:{node}:{holder.next_pid:08X}:{pstart:08X}:{int(now):08X}:{kind}:{ident}:{user}:"
    task = Task(upid, node, kind, ident, user, holder.next_pid, pstart, int(now))
    site.tasks[upid] = task
    site.revision += 1
    steps = [(duration(fleet, kind), work)] if callable(work) else list(work)
    fleet.jobs[upid] = Job(_spoilt(fleet, steps), undo)
    _plan(fleet, site, task, 0, steps[0][0] if steps else 0.0)
    advance(fleet)
    return upid


def _spoilt(fleet: Fleet, steps: list[tuple[float, Step]]) -> list[tuple[float, Step]]:
    """The steps, or what a fault makes of them: `error` fails and undoes, `dies` stops and leaves all as it is."""
    if not fleet.spoil:
        return steps
    spoil, fleet.spoil = fleet.spoil, {}
    keep = max(0, len(steps) - 1)

    def fail(_task: Task) -> float | None:
        raise TaskError(str(spoil.get("text", "")))

    def die(task: Task) -> float | None:
        fleet.jobs[task.upid].undo = None
        raise TaskError("unexpected status")

    last = steps[-1][0] if steps else 0.0
    return [*steps[:keep], (last, die if spoil["kind"] == "dies" else fail)]


def _plan(fleet: Fleet, site: Site, task: Task, index: int, delay: float) -> None:
    fleet.order += 1
    heapq.heappush(fleet.agenda, (fleet.clock.now() + delay, fleet.order, site, task, index))


def advance(fleet: Fleet) -> None:
    """Carry out every step that is due."""
    now = fleet.clock.now()
    while fleet.agenda and fleet.agenda[0][0] <= now:
        _when, _order, site, task, index = heapq.heappop(fleet.agenda)
        _step(fleet, site, task, index)


def settle(fleet: Fleet) -> None:
    """Carry out everything, moving the clock to each step's time."""
    guard = 0
    while fleet.agenda and guard < 100_000:
        guard += 1
        fleet.clock.skip(max(0.0, fleet.agenda[0][0] - fleet.clock.now()))
        advance(fleet)


def _step(fleet: Fleet, site: Site, task: Task, index: int) -> None:
    job = fleet.jobs.get(task.upid)
    if task.status is not None or job is None:
        return
    if index < len(job.steps):
        try:
            again = job.steps[index][1](task)
        except TaskError as error:
            end(fleet, site, task, str(error))
            return
        except ApiError as error:
            end(fleet, site, task, error.message)
            return
        if again is not None:
            _plan(fleet, site, task, index, again)
            return
        index += 1
    if index < len(job.steps):
        _plan(fleet, site, task, index, job.steps[index][0])
        return
    end(fleet, site, task, "OK")


def end(fleet: Fleet, site: Site, task: Task, status: str) -> None:
    job = fleet.jobs.pop(task.upid, None)
    if status != "OK" and job and job.undo:
        job.undo()
    if status == "OK" and task.warnings:
        status = f"WARNINGS: {task.warnings}"
    task.lines.append(f"TASK {status}" if status == "OK" or status.startswith("WARNINGS") else f"TASK ERROR: {status}")
    task.status = status.replace("\n", " ")
    task.endtime = int(fleet.clock.now())
    site.revision += 1


def split_user(user: str) -> tuple[str, str | None]:
    name, bang, token = user.partition("!")
    return name, token if bang else None


def summary(task: Task) -> dict[str, Any]:
    """A row of a task list."""
    user, token = split_user(task.user)
    row: dict[str, Any] = {
        "upid": task.upid,
        "node": task.node,
        "pid": task.pid,
        "pstart": task.pstart,
        "starttime": task.starttime,
        "type": task.type,
        "id": task.id,
        "user": user,
    }
    if token:
        row["tokenid"] = token
    if task.status is not None:
        row.update(status=task.status, endtime=task.endtime)
    return row
