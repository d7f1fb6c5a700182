# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See the documentation of the module of the same name."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

MODULE = "socle.platform.machine_files"
PAUSE = 1.0
# What is left of the machine's patience when we give up, so that nobody disarms what is just being put back.
MARGIN = 5


class ActionModule(ActionBase):
    """Has the module write, and proves over a new connection that the machine can still be reached."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        """Write, come back from outside, disarm."""
        super().run(tmp, task_vars)
        started = time.monotonic()
        result: dict[str, t.Any] = self._execute_module(module_name=MODULE, task_vars=task_vars)
        token = result.get("armed")
        if not token or result.get("failed"):
            return result
        seconds = int(self._task.args.get("seconds") or 60)
        answer = self._come_back(token, started + seconds - MARGIN, task_vars)
        if answer is True:
            del result["armed"]
            return result
        put_back = self._wait_until_put_back(started + 2 * seconds + 60, task_vars)
        return result | {
            "failed": True,
            "msg": f"After the change of {', '.join(result['paths'])} no new connection could be made within "
            f"{seconds} s: {answer}. {put_back} Correct what these files hold; nothing else was done.",
        }

    def _come_back(self, token: str, until: float, task_vars: t.Any) -> bool | str:
        """True when the machine was reached by a connection that did not exist before, or why not."""
        said = "there was no time to try"
        while time.monotonic() < until:
            try:
                self._connection.reset()
                answer = self._execute_module(
                    module_name=MODULE, module_args={"disarm": token}, task_vars=task_vars, wrap_async=False
                )
            except AnsibleConnectionFailure as error:
                said = (str(error).strip() or type(error).__name__).splitlines()[-1]
                Display().vv(f"machine_files: not back yet: {said}")
                time.sleep(PAUSE)
                continue
            if answer.get("disarmed"):
                return True
            if not answer.get("failed"):
                return "it was put back before"
            said = answer.get("msg") or answer.get("module_stderr") or "it gave no answer"
            time.sleep(PAUSE)
        return said

    def _wait_until_put_back(self, until: float, task_vars: t.Any) -> str:
        while time.monotonic() < until:
            try:
                self._connection.reset()
                answer = self._execute_module(
                    module_name="ansible.builtin.command",
                    module_args={"_raw_params": "/usr/local/sbin/socle-way-back status"},
                    task_vars=task_vars,
                )
            except AnsibleConnectionFailure:
                time.sleep(PAUSE)
                continue
            if '"armed": null' in answer.get("stdout", ""):
                return "The machine went back by itself and can be reached as before."
            time.sleep(PAUSE)
        return "The machine cannot be reached even now: look at its console, socle-way-back.service tells more."
