# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that go on after `lab up`: started once, found again, stopped by their own id and nobody else's."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .command import LabError


@dataclass(frozen=True)
class Daemon:
    name: str
    state: Path

    @property
    def log(self) -> Path:
        return self.state / f"{self.name}.log"

    @property
    def _file(self) -> Path:
        return self.state / f"{self.name}.pid"

    def pid(self) -> int | None:
        """Its process, when that still is the one which was started: ids are used again."""
        try:
            pid, begun = self._file.read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if _begun(int(pid)) == begun else None

    def start(self, argv: list[str], ready: Callable[[], bool], deadline: float = 30) -> None:
        """Start it unless it runs, and wait until it does what it is for."""
        if self.pid() is not None and ready():
            return
        self.stop()
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        self._file.write_text(f"{process.pid} {_begun(process.pid)}")
        end = time.monotonic() + deadline
        while not ready():
            if process.poll() is not None or time.monotonic() > end:
                words = self.log.read_text(errors="replace").strip().splitlines()[-3:]
                why = (
                    f"ended with {process.returncode}"
                    if process.poll() is not None
                    else f"is not ready after {deadline:.0f} s"
                )
                self.stop()
                raise LabError(f"The lab's {self.name} {why}: {' / '.join(words) or 'it said nothing'}")
            time.sleep(0.05)

    def stop(self, patience: float = 5) -> None:
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            end = time.monotonic() + patience
            while self.pid() is not None and time.monotonic() < end:
                _reap(pid)
                time.sleep(0.02)
            if self.pid() is not None:
                os.kill(pid, signal.SIGKILL)
                _reap(pid)
        self._file.unlink(missing_ok=True)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _begun(pid: int) -> str:
    """When a process began, in the kernel's ticks; with its id this names it for good. A zombie has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return "gone"
    return "gone" if fields[0] == "Z" else fields[19]
