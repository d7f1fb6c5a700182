# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
short_description: Shows where a long task is, while it runs
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Long tasks of this collection report the object they work on, how many are done, and what they wait for and why.
  - On a terminal each running task has one moving line below Ansible's own output, and a summary line when it ends.
  - Without a terminal, in CI jobs and in AWX, the reports become plain lines, a few for each task.
  - Ansible's own output is the same as without this plugin.
  - Reports come from modules that run on the controller. A module on a remote host has nobody to report to.
  - Modules that run on the controller end when Ansible is killed, instead of going on beside the next run.
  - When a plan file is applied (C(socle_plan_file)), the end of the run names what is in it and no task has taken up.
requirements:
  - enabled in the C(callbacks_enabled) setting of C(ansible.cfg)
options:
  mode:
    description:
      - V(live) draws moving lines, V(plain) writes lines, V(off) does neither.
      - V(auto) is V(live) on a terminal, and V(plain) elsewhere, under AWX, and when C(CI) is set.
    type: str
    choices: [auto, live, plain, 'off']
    default: auto
    env:
      - name: SOCLE_PROGRESS
    ini:
      - section: callback_progress
        key: mode
"""

import atexit
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from ansible import constants as C
from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.socle.platform.plugins.module_utils import _orphan
from ansible_collections.socle.platform.plugins.module_utils._progress import SOCKET_VARIABLE, TASK_VARIABLE
from ansible_collections.socle.platform.plugins.plugin_utils._plan.undone import Undone
from ansible_collections.socle.platform.plugins.plugin_utils._progress import drawer
from ansible_collections.socle.platform.plugins.plugin_utils._progress.guard import Guard
from ansible_collections.socle.platform.plugins.plugin_utils._progress.screen import ERASE, Screen
from ansible_collections.socle.platform.plugins.plugin_utils._secrets import masking

PAUSES = ("pause", "ansible.builtin.pause", "ansible.legacy.pause")
# Run by its folder, with nothing else on the path: the drawer starts as fast as Python itself.
START = "import sys; sys.path.insert(0, sys.argv[2]); from _progress.drawer import main; main(sys.argv[1])"


class CallbackModule(CallbackBase):
    """Starts the process that draws, tells modules where to report, and guards Ansible's own output."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "socle.platform.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, display: t.Any = None, options: t.Any = None) -> None:
        super().__init__(display, options)
        self._owner = os.getpid()
        self._guard: Guard | None = None
        self._screen: Screen | None = None
        self._drawer: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._directory = ""
        self._pauses = 0
        self._undone: Undone | None = None

    def v2_playbook_on_start(self, playbook: t.Any) -> None:  # noqa: ARG002  Ansible's signature
        """Start before the first worker is forked: workers and their modules inherit the environment."""
        # Runs without a manifest read secrets too.
        masking.install()
        _orphan.announce()
        mode = self._mode()
        if mode == "off" or SOCKET_VARIABLE in os.environ:
            # A playbook inside a playbook: its modules report to the outer one, which owns the terminal.
            return
        try:
            self._start(live=mode == "live")
        except (OSError, ValueError) as error:
            self._stop()
            self._display.vvv(f"socle.platform.progress: no progress in this run: {error}")

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        """What is given for the whole run is known here at the earliest."""
        path = play.get_variable_manager().extra_vars.get("socle_plan_file")
        if path and self._undone is None and not context.CLIARGS.get("check"):
            self._undone = Undone(str(path))

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        """The worker for this host and task is forked right after this."""
        if SOCKET_VARIABLE in os.environ:
            os.environ[TASK_VARIABLE] = json.dumps({"name": task.get_name(), "host": host.get_name()})
        if task.action in PAUSES:
            self._paused(1)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """A pause has ended, or a part of the plan is done, perhaps."""
        self._maybe_resume(result)
        self._note(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:  # noqa: ARG002  Ansible's signature
        """A pause has ended, or a part of the plan was refused, perhaps."""
        self._maybe_resume(result)
        self._note(result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        """A pause has ended, perhaps."""
        self._maybe_resume(result)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:  # noqa: ARG002  Ansible's signature
        """Nothing runs any more."""
        self._stop()
        for sentence in self._undone.sentences() if self._undone else []:
            self._display.warning(sentence)

    def _note(self, result: t.Any) -> None:
        if self._undone is not None:
            self._undone.saw(result._result)

    def _mode(self) -> str:
        asked = str(self.get_option("mode"))
        if asked != "auto":
            return asked
        captured = C.DEFAULT_STDOUT_CALLBACK == "awx_display" or "AWX_ISOLATED_DATA_DIR" in os.environ
        dumb = os.environ.get("TERM", "dumb") == "dumb" or bool(os.environ.get("CI"))
        return "live" if sys.stdout.isatty() and not captured and not dumb else "plain"

    def _start(self, live: bool) -> None:
        self._directory = tempfile.mkdtemp(prefix=drawer.PREFIX)
        path = str(Path(self._directory) / "s")
        with contextlib.ExitStack() as ours:
            reports = ours.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            reports.bind(path)
            self._control, theirs = socket.socketpair()
            ours.enter_context(theirs)
            with tempfile.TemporaryFile() as unnamed:
                self._screen = Screen(os.dup(unnamed.fileno()))
            settings = {
                "parent": os.getpid(),
                "directory": self._directory,
                "socket_fd": reports.fileno(),
                "control_fd": theirs.fileno(),
                "output_fd": sys.stdout.fileno(),
                "screen_fd": self._screen.fd,
                "live": live,
                "colour": live and not C.ANSIBLE_NOCOLOR and not os.environ.get("NO_COLOR"),
                "encoding": sys.stdout.encoding or "ascii",
            }
            command = [sys.executable, "-E", "-s", "-S", "-c", START, json.dumps(settings)]
            self._drawer = subprocess.Popen(
                [*command, str(Path(drawer.__file__).parent.parent)],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[value for name, value in settings.items() if name.endswith("_fd")],
                # Its own session: Ctrl-C is for Ansible, and no terminal setting stops its writes.
                start_new_session=True,
            )
        self._guard = Guard(self._screen, self._streams(), self._display._lock, self._give_up)
        os.environ[SOCKET_VARIABLE] = path
        atexit.register(self._stop)
        os.register_at_fork(after_in_child=self._leave_worker)

    def _streams(self) -> list[t.Any]:
        """The streams that end where the drawer writes."""
        target = os.fstat(sys.stdout.fileno())
        error = os.fstat(sys.stderr.fileno())
        same = (target.st_dev, target.st_ino, target.st_rdev) == (error.st_dev, error.st_ino, error.st_rdev)
        return [sys.stdout, sys.stderr] if same or sys.stderr.isatty() else [sys.stdout]

    def _leave_worker(self) -> None:
        """A forked worker keeps no end of the control connection: it may outlive Ansible."""
        if self._control is not None:
            self._control.close()

    def _give_up(self) -> None:
        """The drawer does not answer: the run goes on without it."""
        if self._drawer is not None:
            self._drawer.kill()

    def _paused(self, change: int) -> None:
        self._pauses = max(0, self._pauses + change)
        if self._screen is not None:
            self._screen.suspended = self._pauses > 0

    def _maybe_resume(self, result: t.Any) -> None:
        if self._pauses and result._task.action in PAUSES:
            self._paused(-1)

    def _stop(self) -> None:
        """End the drawer, and leave the screen, the streams and the disk as they were."""
        if os.getpid() != self._owner or not self._directory:
            return
        atexit.unregister(self._stop)
        os.environ.pop(SOCKET_VARIABLE, None)
        os.environ.pop(TASK_VARIABLE, None)
        with contextlib.suppress(OSError, ValueError):
            # Still guarded: what Ansible has written so far goes out before the drawer's last words.
            sys.stdout.flush()
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.send(drawer.QUIT)
        if self._drawer is not None:
            try:
                self._drawer.wait(1)
            except subprocess.TimeoutExpired:
                self._drawer.kill()
                self._drawer.wait()
        if self._guard is not None:
            self._guard.remove()
        if self._screen is not None and self._screen.visible:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.buffer.write(ERASE)
                sys.stdout.flush()
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._screen is not None:
            os.close(self._screen.fd)
            self._screen = None
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory = ""
