# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plan
type: stdout
short_description: Writes down what a run in check mode would change
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Used by C(playbooks/plan.yml), and of no use alone. Instead of showing results it writes them into a file, one JSON
    object on each line, from which the plan is put together.
options:
  report:
    description: The file to write to.
    type: path
    env:
      - name: SOCLE_PLAN_REPORT
"""

import json
import os
import typing as t

from ansible.plugins.callback import CallbackBase
from ansible_collections.socle.platform.plugins.module_utils._progress import Progress

# What tells a reader which thing a task outside the engine would change.
DETAILS = ("dest", "path", "name", "key", "state")
# Two ways in which Ansible's modules say that they were skipped only because of check mode.
NO_CHECK_MODE = ("does not support check mode", "not in check mode")


class CallbackModule(CallbackBase):
    """One line for each thing worth telling."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "socle.platform.plan"

    def __init__(self, display: t.Any = None, options: t.Any = None) -> None:
        super().__init__(display, options)
        self._tasks = 0
        self._progress = Progress.from_environment("plan")

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        """Whoever waits for the plan sees how far it is."""
        del is_conditional
        self._tasks += 1
        self._progress.event(task.get_name(), "planned", self._tasks, 0)

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        """Handlers change things too."""
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """Engine results carry their plan; of others only the word `changed` is known."""
        self._results(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """A refusal is part of the plan and makes it fail; other failures mean there is no plan for this task."""
        self._results(result, failed=True, ignored=ignore_errors)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        """Skipped for want of check mode is not skipped by its condition."""
        self._results(result, skipped=True)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """Perhaps the host does not exist yet."""
        said = _of(result, "result")
        self._write("unreachable", result, message=f"it cannot be reached: {said.get('msg', 'no reason given')}")

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """A report without its end is of a run that broke off."""
        del stats
        self._line({"type": "end"})
        self._progress.close()

    def _results(self, result: t.Any, failed: bool = False, ignored: bool = False, skipped: bool = False) -> None:
        whole = _of(result, "result")
        loop = whole.get("results")
        if _of(result, "task").loop is not None and isinstance(loop, list):
            for item in loop:
                self._one(result, item, bool(item.get("failed")) and failed, ignored, bool(item.get("skipped")))
        else:
            # Ansible takes `failed` and `skipped` out of what it hands to callbacks.
            self._one(result, whole, failed, ignored, skipped)

    def _one(self, result: t.Any, said: t.Mapping[str, t.Any], failed: bool, ignored: bool, skipped: bool) -> None:
        plan = said.get("plan")
        planned = isinstance(plan, dict) and "digest" in plan
        if planned:
            self._write("section", result, plan=plan)
        if said.get("known_after"):
            message = f"known after {said['known_after']}"
            self._write("later", result, message=message, makes=said.get("makes", []))
        elif failed:
            if not ignored:
                refused = planned and plan.get("refusals")
                message = str(said.get("msg", "failed without a message"))
                self._write("refused" if refused else "failed", result, message=message)
        elif skipped:
            if any(words in str(said.get("msg", "")) for words in NO_CHECK_MODE):
                self._write("blind", result, message="in check mode the module cannot say what it would do")
        elif said.get("changed") and not planned:
            hidden = "its result is hidden by no_log" if "censored" in said else ""
            self._write("task", result, detail=hidden or _detail(said))

    def _write(self, kind: str, result: t.Any, **more: t.Any) -> None:
        task = _of(result, "task")
        action = getattr(task, "resolved_action", None) or task.action
        host = _of(result, "host").get_name()
        self._line({"type": kind, "host": host, "task": task.get_name(), "action": action, **more})

    def _line(self, record: dict[str, t.Any]) -> None:
        path = self.get_option("report")
        if path:
            # Line by line: what a run that breaks off has learnt is there, and its end is not.
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(handle, "a", encoding="utf-8") as file:
                file.write(json.dumps(record, default=str) + "\n")


def _of(result: t.Any, name: str) -> t.Any:
    """Ansible 2.19 has public names for what was private before."""
    return getattr(result, name) if hasattr(result, name) else getattr(result, f"_{name}")


def _detail(said: t.Mapping[str, t.Any]) -> str:
    found = next((said[name] for name in DETAILS if isinstance(said.get(name), str)), "")
    diff = said.get("diff")
    part = diff[0] if isinstance(diff, list) and diff else diff
    return found or (str(part.get("after_header") or "") if isinstance(part, dict) else "")
