# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What is said about a running task, in words."""

from __future__ import annotations

import json
import typing as t
import unicodedata
from dataclasses import dataclass, field

LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")

# Seconds between two plain lines of one task: at least, at most, and at most while it waits for the same cause.
# A task that ends sooner than the first has its summary alone.
SHORTEST = 1.5
SLOWEST = 10
SLOWEST_WAIT = 30


@dataclass
class Task:
    """The newest report of one running task."""

    id: str
    pid: int
    name: str
    host: str
    received: float
    object: str = ""
    step: str = ""
    detail: str = ""
    done: int = 0
    total: int = 0
    age: float = 0.0
    wait: tuple[str, str, float] | None = None
    slowest: str = ""
    slowest_seconds: float = 0.0
    ended: bool = False
    # What the plain output has said already.
    said_at: float = field(default=float("-inf"))
    said_done: int = -1
    said_wait: tuple[str, str] | None = None

    def label(self) -> str:
        """The task, and its host where that is not obvious."""
        return self.name if self.host in LOCAL_HOSTS else f"{self.name} [{self.host}]"

    def elapsed(self, now: float) -> float:
        """Seconds since the task's first report."""
        return self.age + max(0.0, now - self.received)


def clean(value: object) -> str:
    """One line of printable characters: an API's sentence may hold anything, a terminal's commands too."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())


def parse(datagram: bytes, now: float) -> Task | None:
    """The report in a datagram; None for anything else."""
    try:
        told: t.Any = json.loads(datagram)
        if told["v"] != 1:
            return None
        wait = told.get("wait")
        return Task(
            id=str(told["id"]),
            pid=int(told["pid"]),
            name=clean(told["task"]),
            host=clean(told["host"]),
            received=now,
            object=clean(told["object"]),
            step=clean(told["step"]),
            detail=clean(told.get("detail", "")),
            done=int(told["done"]),
            total=int(told["total"]),
            age=float(told["age"]),
            wait=(clean(wait[0]), clean(wait[1]), float(wait[2])) if wait else None,
            slowest=clean(told.get("slowest", "")),
            slowest_seconds=float(told.get("slowest_seconds", 0.0)),
            ended=bool(told["ended"]),
        )
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
        return None


def whole(seconds: float) -> str:
    """A duration as people say it, in whole seconds."""
    count = int(seconds)
    if count < 60:
        return f"{count} s"
    if count < 3600:
        return f"{count // 60} min {count % 60} s"
    return f"{count // 3600} h {count % 3600 // 60} min"


def span(seconds: float) -> str:
    """The same, with tenths where they matter."""
    return f"{seconds:.1f} s" if seconds < 9.95 else whole(seconds)


def width_of(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    columns = 0
    for character in text:
        if unicodedata.combining(character):
            continue
        columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return columns


def cut(text: str, columns: int) -> str:
    """`text`, shortened to at most `columns` columns."""
    if width_of(text) <= columns:
        return text
    kept, used = [], 0
    for character in text:
        used += width_of(character)
        if used > columns - 1:
            break
        kept.append(character)
    return "".join(kept) + "~" if columns > 0 else ""


def _count(task: Task) -> str:
    return f"{task.done}/{task.total}" if task.total else f"step {task.done}"


def _at(task: Task, now: float) -> str:
    """Where the task is: its wait when it waits, its step when it works."""
    if task.wait:
        what, cause, elapsed = task.wait
        waited = whole(elapsed + max(0.0, now - task.received))
        return f"waiting {waited} for {what}" + (f": {cause}" if cause else "")
    return " ".join(part for part in (task.object, task.step, f"({task.detail})" if task.detail else "") if part)


def moving(task: Task, now: float, columns: int) -> str:
    """The moving line, at most `columns` wide. Whole seconds only, so that it changes once a second."""
    name = cut(task.label(), max(10, columns // 3))
    return cut(f"{name}: {_count(task)} {whole(task.elapsed(now))}  {_at(task, now)}", columns)


def summary(task: Task, now: float, lost: bool = False) -> str:
    """What is said when the task has ended; `lost` when it died without a word."""
    objects = (
        f"{task.done} of {task.total} object{'' if task.total == 1 else 's'}"
        if task.total
        else f"{task.done} step{'' if task.done == 1 else 's'}"
    )
    text = f"{task.label()}: {objects} in {span(task.elapsed(now) if lost else task.age)}"
    if task.slowest and task.total > 1 and task.slowest_seconds >= 0.05:
        text += f", slowest {task.slowest} ({span(task.slowest_seconds)})"
    if lost:
        text += f", ended without a word at {_at(task, now)}"
    return text


def plain(task: Task, now: float) -> str | None:
    """The next plain line about the task, or None while there is nothing worth one."""
    since = now - task.said_at
    if since < SHORTEST:
        return None
    wait = task.wait[:2] if task.wait else None
    if wait:
        due = wait != task.said_wait or since >= SLOWEST_WAIT
    elif task.elapsed(now) < SHORTEST:
        return None
    else:
        due = since >= SLOWEST or task.done - task.said_done >= max(1, task.total // 10)
    if not due:
        return None
    task.said_at, task.said_done, task.said_wait = now, task.done, wait
    return f"{task.label()}: {_count(task)} {whole(task.elapsed(now))}  {_at(task, now)}"
