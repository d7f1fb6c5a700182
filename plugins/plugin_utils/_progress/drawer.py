# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The process that owns the moving lines: it takes the tasks' reports and draws them.

It imports nothing but the standard library, so it starts in some ten milliseconds and can be run by its path.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from . import lines
from .screen import ERASE, Screen

PREFIX = "socle-progress-"
FRAME = 0.1
IDLE = 0.5
MAX_TASKS = 256
MAX_LINES = 8
QUIT = b"q"


@dataclass
class Settings:
    """What the callback hands over, as JSON on the command line."""

    parent: int
    directory: str
    socket_fd: int
    control_fd: int
    output_fd: int
    screen_fd: int
    live: bool
    colour: bool
    encoding: str


class Drawer:
    """Reports in, lines out."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.screen = Screen(settings.screen_fd)
        self.reports = socket.socket(fileno=settings.socket_fd)
        self.reports.setblocking(False)
        self.control = socket.socket(fileno=settings.control_fd)
        self.tasks: dict[str, lines.Task] = {}
        self.over: dict[str, None] = {}
        self.waiting_text: list[str] = []
        self.drawn: list[str] = []

    def run(self) -> None:
        """Draw until the run is over or its process is gone."""
        poll = select.poll()
        poll.register(self.reports, select.POLLIN)
        poll.register(self.control, select.POLLIN)
        next_frame = 0.0
        while True:
            busy = bool(self.tasks or self.waiting_text or self.drawn)
            ready = dict(poll.poll(1000 * (FRAME if busy else IDLE)))
            now = time.monotonic()
            if self.reports.fileno() in ready:
                if not busy:
                    # What ends within a frame is never drawn, only summed up.
                    next_frame = now + FRAME
                self._receive(now)
            if self.control.fileno() in ready:
                # Asked to end: say what is left. Closed without a word: Ansible died, and says nothing more either.
                asked = self.control.recv(1) == QUIT
                self._end(asked)
                return
            if os.getppid() != self.settings.parent:
                self._end(False)
                return
            if now >= next_frame:
                self._bury_dead(now)
                self._frame(now)
                next_frame = now + FRAME
            elif self.waiting_text:
                # A summary belongs before the result, which Ansible shows some milliseconds after the task's end.
                self._frame(now)

    def _receive(self, now: float) -> None:
        for _datagram in range(1000):
            try:
                datagram = self.reports.recv(65536)
            except OSError:
                return
            task = lines.parse(datagram, now)
            if task is None or task.id in self.over:
                continue
            known = self.tasks.get(task.id)
            if known:
                task = replace(task, said_at=known.said_at, said_done=known.said_done, said_wait=known.said_wait)
            if task.ended:
                self._finish(task, now)
            elif known or len(self.tasks) < MAX_TASKS:
                self.tasks[task.id] = task

    def _finish(self, task: lines.Task, now: float, lost: bool = False) -> None:
        self.tasks.pop(task.id, None)
        self.over[task.id] = None
        while len(self.over) > MAX_TASKS:
            self.over.pop(next(iter(self.over)))
        self.waiting_text.append(lines.summary(task, now, lost))

    def _bury_dead(self, now: float) -> None:
        """End the tasks whose process is gone: a killed module cannot say so itself."""
        for task in list(self.tasks.values()):
            try:
                os.kill(task.pid, 0)
            except ProcessLookupError:
                self._receive(now)
                if task.id in self.tasks:
                    self._finish(self.tasks[task.id], now, lost=True)
            except OSError:
                pass  # it runs as somebody else

    def _frame(self, now: float) -> None:
        text: list[str] = []
        if self.settings.live:
            moving = self._moving(now)
        else:
            moving = []
            for task in self.tasks.values():
                line = lines.plain(task, now)
                if line is not None:
                    self.waiting_text.append(line)
        if not self.waiting_text and moving == self.drawn and self.screen.visible == bool(moving):
            return
        if self.screen.midline or self.screen.suspended or not self._writable() or not self.screen.acquire(FRAME):
            return
        try:
            if self.screen.midline or self.screen.suspended:
                return
            if self.screen.visible:
                text.append(ERASE.decode())
            text.extend(self._styled("  " + line) + "\n" for line in self.waiting_text)
            text.append(self._block(moving))
            self.screen.visible = bool(moving)
            self._write("".join(text))
            self.waiting_text, self.drawn = [], moving
        finally:
            self.screen.release()

    def _moving(self, now: float) -> list[str]:
        columns, rows = self._size()
        tasks = list(self.tasks.values())
        room = max(1, min(MAX_LINES, rows - 1))
        shown = tasks if len(tasks) <= room else tasks[: room - 1]
        # The last column stays free: some terminals go to the next line when it is filled.
        found = [lines.moving(task, now, columns - 1) for task in shown]
        if len(shown) < len(tasks):
            found.append(lines.cut(f"and {len(tasks) - len(shown)} more", columns - 1))
        return found

    def _block(self, moving: list[str]) -> str:
        """The moving lines, the cursor back at their start; nothing wraps should the terminal shrink meanwhile."""
        if not moving:
            return ""
        up = f"\x1b[{len(moving) - 1}A" if len(moving) > 1 else ""
        return "\x1b[?7l" + "\n".join(self._styled(line) for line in moving) + f"\r{up}\x1b[?7h"

    def _styled(self, line: str) -> str:
        return f"\x1b[36m{line}\x1b[0m" if self.settings.colour else line

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self.settings.output_fd)
        except OSError:
            return 80, 24
        return size.columns or 80, size.lines or 24

    def _writable(self) -> bool:
        """Whether a write would go through now: a stopped terminal or a full pipe must not stop us holding the lock."""
        poll = select.poll()
        poll.register(self.settings.output_fd, select.POLLOUT)
        return any(event & select.POLLOUT for _fd, event in poll.poll(0))

    def _write(self, text: str) -> None:
        data = text.encode(self.settings.encoding, "replace")
        while data:
            data = data[os.write(self.settings.output_fd, data) :]

    def _end(self, asked: bool) -> None:
        now = time.monotonic()
        if asked:
            self._receive(now)
            for task in list(self.tasks.values()):
                self._finish(task, now, lost=True)
            self._frame(now)
        if self.screen.visible and self._writable() and self.screen.acquire(FRAME):
            # With Ansible gone a shell may have written its prompt where the cursor was: clear only what follows it.
            self._write(ERASE.decode() if asked else "\x1b[J")
            self.screen.visible = False
            self.screen.release()


def sweep(directory: str) -> None:
    """Remove what runs left behind that were killed together with their drawer."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if str(path) == directory:
            continue
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            if path.stat().st_uid != os.getuid():
                continue
            try:
                probe.connect(str(path / "s"))
            except ConnectionRefusedError:
                shutil.rmtree(path, ignore_errors=True)


def main(argument: str) -> None:
    """Run as the child process of the callback plugin."""
    # Ctrl-C is for Ansible; this process ends when Ansible has ended.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    settings = Settings(**json.loads(argument))
    try:
        sweep(settings.directory)
        Drawer(settings).run()
    except OSError:
        pass  # the terminal or the pipe is gone: nobody is left to tell
    finally:
        shutil.rmtree(settings.directory, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
