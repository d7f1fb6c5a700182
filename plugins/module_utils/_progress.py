# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""How a long task tells where it is: small datagrams to the callback plugin that draws them.

Reporting never fails and never waits: with nobody listening, or a listener that is behind, the report is dropped.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

SOCKET_VARIABLE = "SOCLE_PROGRESS_SOCKET"
TASK_VARIABLE = "SOCLE_PROGRESS_TASK"
MAX_MESSAGE = 2048
# Names reach the terminal cut to its width; longer ones would only make datagrams grow.
MAX_NAME = 120
# A reader sees ten frames a second; sending more than this is work for nobody.
SEND_EVERY = 0.01
# Beyond this many objects the slowest one is sought among those already known: memory stays bounded.
MAX_TIMED_OBJECTS = 50_000


class NullProgress:
    """Takes reports and does nothing: nobody is listening."""

    def event(self, object: str, step: str, done: int, total: int, detail: str = "") -> None:
        """`object` is at `step`; `done` of `total` objects are finished."""

    def waiting(self, what: str, cause: str, elapsed: float) -> None:
        """The task has waited `elapsed` seconds for `what`, at present because of `cause`."""

    def close(self) -> None:
        """Nothing more will be reported."""


@dataclass
class _State:
    """Everything a listener needs, so that any one datagram may be lost."""

    object: str = ""
    step: str = ""
    detail: str = ""
    done: int = 0
    total: int = 0
    wait: tuple[str, str, float] | None = None
    slowest: str = ""
    slowest_seconds: float = 0.0
    ended: bool = False


class Progress(NullProgress):
    """Sends reports to the Unix datagram socket at `path`, as the task `task` on `host`."""

    def __init__(self, path: str, task: str, host: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._task = task
        self._host = host
        self._id = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._lock = threading.Lock()
        self._state = _State()
        self._began = clock()
        self._last_sent = float("-inf")
        self._held = False
        self._reported = False
        self._starts: dict[str, float] = {}
        self._socket: socket.socket | None = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.connect(path)
        except OSError:
            self._hang_up()
        else:
            atexit.register(self.close)

    @staticmethod
    def from_environment(task: str) -> NullProgress:
        """The progress of `task`, sent to the listener that the environment names, or to nobody."""
        path = os.environ.get(SOCKET_VARIABLE)
        if not path:
            return NullProgress()
        name, host = task, ""
        try:
            told = json.loads(os.environ.get(TASK_VARIABLE, "{}"))
            name, host = str(told.get("name") or task), str(told.get("host") or "")
        except (ValueError, AttributeError):
            pass  # a foreign value in our variable costs the prettier name, not the task
        try:
            return Progress(path, name, host)
        except OSError:
            return NullProgress()

    def event(self, object: str, step: str, done: int, total: int, detail: str = "") -> None:
        """`object` is at `step`; `done` of `total` objects are finished."""
        if self._socket is None:
            return
        with self._lock:
            state, now = self._state, self._clock()
            state.object, state.step, state.detail = object, step, detail
            state.done, state.total, state.wait = done, total, None
            began = self._starts.get(object)
            if began is None:
                if len(self._starts) < MAX_TIMED_OBJECTS:
                    self._starts[object] = now
            elif now - began > state.slowest_seconds:
                state.slowest, state.slowest_seconds = object, now - began
            self._report(now)

    def waiting(self, what: str, cause: str, elapsed: float) -> None:
        """The task has waited `elapsed` seconds for `what`, at present because of `cause`."""
        if self._socket is None:
            return
        with self._lock:
            self._state.wait = (what, cause, elapsed)
            self._report(self._clock())

    def close(self) -> None:
        """Nothing more will be reported."""
        atexit.unregister(self.close)
        with self._lock:
            if self._socket is None:
                return
            if not self._reported:
                self._hang_up()
                return
            self._state.ended = True
            # The listener needs the last word for its summary; a busy one gets a few chances, a hung one no more.
            for _chance in range(20):
                if self._send(self._clock()):
                    break
                time.sleep(0.001)
            self._hang_up()

    def _report(self, now: float) -> None:
        self._reported = True
        if self._held:
            return
        if now - self._last_sent >= SEND_EVERY and self._send(now):
            return
        self._held = True
        threading.Thread(target=self._send_held, daemon=True).start()

    def _send_held(self) -> None:
        """Send the newest state a moment later, so that a burst followed by silence ends on its last event."""
        time.sleep(2 * SEND_EVERY)
        with self._lock:
            self._held = False
            if self._socket is not None:
                self._report(self._clock())

    def _send(self, now: float) -> bool:
        """True when there is nothing left to try."""
        if self._socket is None:
            return True
        try:
            self._socket.send(self._message(now))
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self._hang_up()
            return True
        self._last_sent = now
        return True

    def _message(self, now: float) -> bytes:
        state = self._state
        message = {
            "v": 1,
            "id": self._id,
            "pid": os.getpid(),
            "task": self._task[:MAX_NAME],
            "host": self._host[:MAX_NAME],
            "object": state.object[:MAX_NAME],
            "step": state.step[:MAX_NAME],
            "detail": state.detail[:MAX_NAME],
            "done": state.done,
            "total": state.total,
            "age": round(now - self._began, 3),
            "slowest": state.slowest[:MAX_NAME],
            "slowest_seconds": round(state.slowest_seconds, 3),
            "ended": state.ended,
        }
        if state.wait:
            what, cause, elapsed = state.wait
            message["wait"] = [what[:MAX_NAME], cause[: 2 * MAX_NAME], round(elapsed, 1)]
        # Not escaped to ASCII: an escaped name could be six times as long.
        encoded = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
        if len(encoded) > MAX_MESSAGE:
            for field in ("detail", "slowest", "wait"):
                message.pop(field, None)
            encoded = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
        return encoded[:MAX_MESSAGE]

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
