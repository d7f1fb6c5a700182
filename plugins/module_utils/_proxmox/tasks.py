# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Tasks of a node: what a UPID says, and waiting for many of them with few requests."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._objects import AdapterError
from .._wait import Backoff, Deadline, Progress, Waiting, wait_for
from .errors import Busy, NotFound, ProxmoxError, TaskFailed, Uncertain, hint_for, of_sentence

_UPID = re.compile(
    r"UPID:(?P<node>[^:]+):(?P<pid>[0-9A-F]{8}):(?P<pstart>[0-9A-F]{8,9}):(?P<start>[0-9A-F]{8}):"
    r"(?P<type>[^:]+):(?P<id>[^:]*):(?P<user>[^:]+):$"
)
# The list of a node's tasks is asked for at most this often, however many wait for it.
FRESH = 0.35


@dataclass(frozen=True)
class Upid:
    text: str
    node: str
    start: int
    type: str
    id: str
    user: str

    @classmethod
    def parse(cls, text: str) -> Upid:
        match = _UPID.match(str(text))
        if not match:
            raise ProxmoxError(f"expected the id of a task, got {str(text)[:120]!r}", "is this a Proxmox VE server?")
        return cls(text, match["node"], int(match["start"], 16), match["type"], match["id"], match["user"])

    def __str__(self) -> str:
        return f"task {self.type} {self.id} on {self.node}".replace("  ", " ")


@dataclass(frozen=True)
class Ended:
    """How a task ended."""

    upid: Upid
    status: str
    log: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.status == "OK" or self.status.startswith("WARNINGS")

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(line for line in self.log if line.startswith("WARN"))


@dataclass
class _Board:
    """What is known of one node's tasks."""

    ended: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, Upid] = field(default_factory=dict)
    expected: dict[str, Upid] = field(default_factory=dict)
    asked: float = -1e9
    lock: threading.Lock = field(default_factory=threading.Lock)


class Watch:
    """Waits for tasks. Whoever asks first asks for all that wait on that node, so a hundred cost as few as one."""

    def __init__(self, get: Callable[..., Any]) -> None:
        self._get = get
        self._boards: dict[str, _Board] = {}
        self._lock = threading.Lock()

    def wait(
        self,
        upid: str,
        what: str,
        deadline: Deadline,
        *,
        progress: Progress | None = None,
        alone: Callable[[], bool] | None = None,
        pace: Backoff | None = None,
    ) -> Ended:
        """Until the task has ended well; raises what it ended with otherwise.

        `alone` is a cheaper look, used while nobody else waits on the node: true once the task's effect is there.
        """
        task = Upid.parse(upid)
        with self._lock:
            board = self._boards.setdefault(task.node, _Board())
            board.wanted[task.text] = task
        now = deadline.clock.now
        misses = 0

        def probe() -> Ended | Waiting:
            nonlocal misses
            misses += 1
            # The effect of a task that failed never comes: the task itself has to be asked now and then.
            status = self._look(board, task, now, alone if misses % 4 else None)
            return Ended(task, status) if status is not None else Waiting(f"{task} is running")

        try:
            ended = wait_for(
                what,
                probe,
                deadline,
                cause=lambda: self._cause(task),
                transient=lambda error: isinstance(error, (Busy, Uncertain)),
                progress=progress,
                backoff=pace or Backoff(first=0.15, most=3.0, factor=1.6),
            )
        finally:
            with self._lock:
                board.wanted.pop(task.text, None)
        if ended.status == "OK":
            return ended
        log = self.log(task)
        if ended.ok:
            return Ended(task, ended.status, log)
        raise failure(task, ended.status, log)

    def expect(self, upid: str) -> None:
        """Take note of this task's end if a list of tasks happens to tell it."""
        task = Upid.parse(upid)
        with self._lock:
            self._boards.setdefault(task.node, _Board()).expected[task.text] = task

    def told(self, upid: str) -> None:
        """Raise what an expected task ended with, if it is known to have failed."""
        task = Upid.parse(upid)
        board = self._boards[task.node]
        with board.lock:
            board.expected.pop(task.text, None)
            status = board.ended.pop(task.text, "OK")
        if status != "OK" and not status.startswith("WARNINGS"):
            raise failure(task, status, self.log(task))

    def _look(
        self, board: _Board, task: Upid, now: Callable[[], float], alone: Callable[[], bool] | None
    ) -> str | None:
        with self._lock:
            others = len(board.wanted) > 1
        if not others:
            if alone is not None:
                try:
                    if alone():
                        return "OK"
                    return None
                except NotFound:
                    return self._status(task)
            return self._status(task)
        with board.lock:
            if task.text in board.ended:
                return board.ended.pop(task.text)
            if now() - board.asked < FRESH:
                return None
            with self._lock:
                wanted = {**board.wanted, **board.expected}
            since = min(item.start for item in wanted.values())
            rows: Sequence[Mapping[str, Any]] = self._get(
                f"/nodes/{task.node}/tasks", source="all", since=since, limit=max(100, 8 * len(wanted))
            )
            board.asked = now()
            seen = {str(row.get("upid")): row for row in rows}
            for text in wanted:
                row = seen.get(text)
                if row is not None and row.get("endtime") and row.get("status"):
                    board.ended[text] = str(row["status"])
            if task.text in board.ended:
                return board.ended.pop(task.text)
        # Not in the list at all: it was pushed out of it, or somebody without rights to see it asks.
        return self._status(task) if task.text not in seen else None

    def _status(self, task: Upid) -> str | None:
        answer = self._get(f"/nodes/{task.node}/tasks/{task.text}/status")
        if answer.get("status") != "stopped":
            return None
        return str(answer.get("exitstatus") or "unexpected status")

    def log(self, task: Upid, last: int = 8) -> tuple[str, ...]:
        """The last lines of its log; empty when they cannot be read."""
        try:
            rows = self._get(f"/nodes/{task.node}/tasks/{task.text}/log", limit=0)
        except AdapterError:
            return ()
        return tuple(str(row.get("t", "")) for row in rows)[-last:]

    def _cause(self, task: Upid) -> str:
        lines = [line for line in self.log(task, 3) if line]
        return f"{task} is running" + (f": {lines[-1]}" if lines else "")


def failure(task: Upid, status: str, log: Sequence[str] = ()) -> ProxmoxError:
    """The error for a task that ended with this exit status."""
    before = [line for line in log if line and not line.startswith("TASK ")]
    where = f"{task}; {before[-1]}" if before and status not in before[-1] else str(task)
    known = of_sentence(status, where)
    if known is not None:
        return known
    if status == "unexpected status":
        # The worker died without a word: nobody knows how far it came.
        return Uncertain("the task died without saying why", "look at the node's system log", where=where)
    error = TaskFailed(status, hint_for(status) or "the task's log on that node has the details", where=where)
    error.log = tuple(log)
    return error
