# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See the documentation of the module of the same name."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import typing as t
from pathlib import Path

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.utils.display import Display
from ansible_collections.socle.platform.plugins.module_utils import _plan as plan_files
from ansible_collections.socle.platform.plugins.plugin_utils._plan.command import CannotPass, command
from ansible_collections.socle.platform.plugins.plugin_utils._plan.report import Report, read, text

# 0: done; 2: some hosts failed; 4: some were unreachable. The report says which. Anything else ended the run itself.
USUAL = (0, 2, 4)


class ActionModule(ActionBase):
    """Runs on the controller: a second Ansible in check mode, and one summary of it."""

    # One picture of all hosts, however many the play has.
    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("playbook", "plan_file", "json", "title", "fail_on_changes"))

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        """Make the plan, print it, write it where asked."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        options = self._task.args
        playbook = options.get("playbook")
        if not playbook:
            raise AnsibleActionFail("playbook is missing: name the playbook to plan")
        report, code, errors = self._look(str(playbook))
        problems = self._problems(report, code, errors)
        lines = text(report, str(options.get("title") or Path(playbook).name))
        try:
            lines += self._files(report, problems)
        except (plan_files.PlanFileError, OSError) as error:
            problems.append(str(error))
        Display().display("\n".join(["", *lines, ""]))
        result |= {"changed": False, "planned": report.changed, "counts": dict(report.counts)}
        if not problems and report.changed and boolean(options.get("fail_on_changes") or False, strict=False):
            problems = ["there is something to change, and this run was asked to fail then (socle_plan_exit_code)"]
        if problems:
            result |= {"failed": True, "msg": "\n".join(problems)}
        return result

    def _look(self, playbook: str) -> tuple[Report, int, str]:
        try:
            argv = command(playbook, context.CLIARGS)
        except CannotPass as error:
            raise AnsibleActionFail(str(error)) from error
        with tempfile.TemporaryDirectory(prefix="socle-plan-") as directory:
            path = Path(directory) / "report"
            path.touch(0o600)
            done = subprocess.run(
                argv,
                env=self._environment(path),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
            said = path.read_text(encoding="utf-8")
        display = Display()
        display.vv(f"socle.platform.plan ran {json.dumps(argv[:2])} in check mode, exit status {done.returncode}")
        display.vvv(done.stdout + done.stderr)
        return read(said), done.returncode, done.stderr.strip() or done.stdout.strip()

    def _environment(self, report: Path) -> dict[str, str]:
        """That of this run; only what it shows goes elsewhere."""
        changed = {
            "ANSIBLE_STDOUT_CALLBACK": "socle.platform.plan",
            "ANSIBLE_CALLBACKS_ENABLED": "socle.platform.progress",
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(str, AnsibleCollectionConfig.collection_paths)),
            "SOCLE_PLAN_REPORT": str(report),
            # Its output is read by a program, and its progress belongs to the run that somebody looks at.
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_RETRY_FILES_ENABLED": "0",
        }
        if "SOCLE_PROGRESS_SOCKET" not in os.environ:
            changed["SOCLE_PROGRESS"] = "off"
        if C.CONFIG_FILE:
            changed["ANSIBLE_CONFIG"] = str(C.CONFIG_FILE)
        return os.environ | changed

    def _problems(self, report: Report, code: int, errors: str) -> list[str]:
        if code == 0:
            # Ansible itself is content: what failed was rescued. A refusal stays one.
            report.problems = [record for record in report.problems if record["type"] != "failed"]
        problems = [f"{record['task']} on {record['host']}: {record['message']}" for record in report.problems]
        if code not in USUAL or not report.whole or (code and not report.problems and not report.later):
            problems.append(f"the run in check mode ended with exit status {code}: {errors or 'it said nothing'}")
        return problems

    def _files(self, report: Report, problems: list[str]) -> list[str]:
        lines = []
        plan_file, as_json = self._task.args.get("plan_file"), self._task.args.get("json")
        if as_json:
            data = {
                "whole": report.whole and not problems,
                "counts": dict(report.counts),
                "sections": report.sections,
                "tasks": report.tasks,
                "later": report.later,
                "blind": report.blind,
                "problems": report.problems,
            }
            _write(Path(as_json), json.dumps(data, indent=1) + "\n")
            lines += ["", f"Written as JSON to {as_json}."]
        if plan_file and problems:
            lines += ["", f"{plan_file} was not written: the plan is not whole."]
        elif plan_file:
            plan_files.write(plan_file, report.plans())
            again = "" if not report.later else " It ends where things are known only later: plan again after that."
            lines += ["", f"Written to {plan_file}; `-e socle_plan_file={plan_file}` applies exactly it.{again}"]
        return lines


def _write(path: Path, content: str) -> None:
    """Only for the owner's eyes: a plan tells a lot about a platform."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
