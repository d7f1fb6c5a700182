# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans made by real runs of `playbooks/plan.yml` over a small playbook, kept in files, applied, and refused."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

MODULES = Path(__file__).parent / "plan_modules"

SITE = """
- name: Shelf
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Things
      shelf:
        path: "{shelf}"
        things: {things}
        concurrency: 1
        plan_file: "{{{{ socle_plan_file | default(omit) }}}}"
        allow_replace: "{{{{ allowed | default(false) }}}}"
"""

HOSTS = """
- name: Machines
  hosts: one:ghost
  gather_facts: false
  tasks:
    - name: Write a file
      ansible.builtin.copy: {{dest: "{shelf}.txt", content: "{{{{ words | default('hello') }}}}", mode: "0600"}}
    - name: Say nothing in check mode
      ansible.builtin.command: /bin/true
    - name: Hidden
      ansible.builtin.copy: {{dest: "{shelf}.secret", content: s3cr3t-content, mode: "0600"}}
      no_log: true
    - name: Not for us
      ansible.builtin.command: /bin/true
      when: false
"""


@dataclass
class Ground:
    """A site, its inventory, and the world it changes."""

    root: Path
    folder: Path
    more: list[str] = field(default_factory=list)

    @property
    def shelf(self) -> Path:
        return self.folder / "shelf.json"

    def site(self, things: dict[str, Any], hosts: bool = False) -> None:
        text = SITE.format(shelf=self.shelf, things=json.dumps(things))
        (self.folder / "site.yml").write_text(text + (HOSTS.format(shelf=self.shelf) if hosts else ""))

    def run(self, playbook: Path | str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                str(Path(sys.executable).parent / "ansible-playbook"),
                str(playbook),
                f"-i{self.folder / 'hosts.ini'}",
                f"-eansible_python_interpreter={sys.executable}",
                *arguments,
            ],
            cwd=self.root,
            env={name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE", "SOCLE"))}
            | {
                "ANSIBLE_LIBRARY": str(MODULES),
                "ANSIBLE_INVENTORY_ENABLED": "ini",
                "ANSIBLE_NOCOLOR": "1",
                "TMPDIR": str(self.folder / "tmp"),
            }
            | environment,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def plan(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        chosen = f"-esocle_plan_playbook={self.folder / 'site.yml'}"
        return self.run("playbooks/plan.yml", chosen, *arguments, **environment)

    def apply(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(self.folder / "site.yml", f"-esocle_plan_file={self.file}", *arguments)

    @property
    def file(self) -> Path:
        return self.folder / "plan.json"

    def things(self) -> Any:
        return json.loads(self.shelf.read_text())


@pytest.fixture
def ground(root: Path, tmp_path: Path) -> Ground:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "hosts.ini").write_text(
        "localhost ansible_connection=local\n"
        "one ansible_connection=local\n"
        "ghost ansible_host=127.0.0.1 ansible_port=1 ansible_connection=ssh\n"
    )
    return Ground(root, tmp_path)


def test_a_plan_is_one_summary_and_changes_nothing(ground: Ground) -> None:
    """Catches a plan that writes, that needs --check to be harmless, or leaves out what it found."""
    ground.shelf.write_text(json.dumps({"b": {"size": 1}}))
    ground.site({"a": {"size": 1}, "b": {"size": 2}, "ghost": {"size": 3}}, hosts=True)
    done = ground.plan()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Plan for site.yml: 2 to create, 1 to update, 2 other tasks would change something" in done.stdout
    assert "  + create thing a\n      size: 1\n" in done.stdout
    assert "  ~ update thing b\n      size: 1 -> 2\n" in done.stdout
    assert f"  ~ Write a file (ansible.builtin.copy) on one: {ground.shelf}.txt, not bound\n" in done.stdout
    assert "  ~ Hidden (ansible.builtin.copy) on one: its result is hidden by no_log, not bound\n" in done.stdout
    assert "  ? Write a file on ghost: known after this plan has made the thing\n" in done.stdout
    assert "  ? Say nothing in check mode on one: in check mode the module cannot say" in done.stdout
    assert "Not for us" not in done.stdout
    assert "s3cr3t" not in done.stdout + done.stderr
    assert ground.things() == {"b": {"size": 1}}
    assert not Path(f"{ground.shelf}.txt").exists()
    assert list((ground.folder / "tmp").iterdir()) == []


def test_a_plan_that_is_applied_does_exactly_what_it_says(ground: Ground) -> None:
    """Catches a plan file that binds to something else than was shown, or can be read by others."""
    ground.site({"a": {"size": 1}, "b": {"size": 2}})
    done = ground.plan(f"-esocle_plan_file={ground.file}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert stat.S_IMODE(ground.file.stat().st_mode) == 0o600
    done = ground.apply()
    assert done.returncode == 0, done.stdout + done.stderr
    assert ground.things() == {"a": {"size": 1}, "b": {"size": 2}}
    done = ground.plan()
    assert "Plan for site.yml: nothing to change" in done.stdout


def test_what_was_planned_and_no_task_took_up_is_named(ground: Ground) -> None:
    """Catches a run that leaves out a part of the plan and ends as if it had done all of it."""
    ground.site({"a": {"size": 1}, "b": {"size": 2}})
    assert ground.plan(f"-esocle_plan_file={ground.file}").returncode == 0
    done = ground.apply("--tags=none")
    said = " ".join((done.stdout + done.stderr).split())
    assert "no task of this run has taken up what was planned with shelf: create thing a, create thing b" in said
    assert not ground.shelf.exists()
    done = ground.apply()
    assert done.returncode == 0 and ground.things() == {"a": {"size": 1}, "b": {"size": 2}}
    assert "taken up" not in done.stdout + done.stderr
    refused = ground.apply()
    assert refused.returncode != 0 and "taken up" not in refused.stdout + refused.stderr


def test_a_plan_is_refused_by_name_when_the_world_has_moved(ground: Ground) -> None:
    """Catches a plan applied to something else than it was made for."""
    ground.shelf.write_text(json.dumps({"b": {"size": 1}}))
    ground.site({"a": {"size": 1}, "b": {"size": 2}})
    assert ground.plan(f"-esocle_plan_file={ground.file}").returncode == 0
    ground.shelf.write_text(json.dumps({"b": {"size": 7}}))
    done = ground.apply()
    assert done.returncode != 0
    assert "thing b" in done.stdout
    assert "refused" in done.stdout
    assert ground.things() == {"b": {"size": 7}}


def test_a_plan_is_refused_when_the_wish_has_moved(ground: Ground) -> None:
    """Catches a plan file applied with another manifest than the one it shows."""
    ground.site({"a": {"size": 1}})
    assert ground.plan(f"-esocle_plan_file={ground.file}").returncode == 0
    ground.site({"a": {"size": 1}, "c": {"size": 3}})
    done = ground.apply()
    assert done.returncode != 0
    assert "thing c" in done.stdout
    assert not ground.shelf.exists()


def test_a_refusal_is_in_the_plan_and_no_file_is_written(ground: Ground) -> None:
    """Catches a destructive replacement that looks like any other change, and a file that promises the impossible."""
    ground.shelf.write_text(json.dumps({"a": {"colour": "red"}}))
    ground.site({"a": {"colour": "blue"}})
    done = ground.plan(f"-esocle_plan_file={ground.file}")
    assert done.returncode != 0
    assert "  ! refused: " in done.stdout
    assert "allow_replace" in done.stdout
    assert f"{ground.file} was not written" in done.stdout
    assert not ground.file.exists()
    done = ground.plan(f"-esocle_plan_file={ground.file}", "-eallowed=true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  -/+ replace thing a" in done.stdout
    assert ground.file.exists()


def test_a_host_that_cannot_be_reached_for_another_reason_fails_the_plan(ground: Ground) -> None:
    """Catches a plan called whole though a machine that should be there was not looked at."""
    ground.shelf.write_text(json.dumps({"ghost": {"size": 3}}))
    ground.site({"ghost": {"size": 3}}, hosts=True)
    done = ground.plan(f"-esocle_plan_file={ground.file}")
    assert done.returncode != 0
    assert "  ? Write a file on ghost: it cannot be reached: " in done.stdout
    assert not ground.file.exists()


def test_a_layer_that_does_not_exist_yet_is_known_later(ground: Ground) -> None:
    """Catches a first install that cannot be planned because nothing is there to look at."""
    task = "    - {name: Look at the cluster, work: {events: 0, known_after: the cluster is made}}\n"
    (ground.folder / "site.yml").write_text("- hosts: localhost\n  gather_facts: false\n  tasks:\n" + task)
    done = ground.plan(f"-esocle_plan_file={ground.file}", ANSIBLE_LIBRARY=str(MODULES.parent / "progress_modules"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Known only later\n  ? Look at the cluster on localhost: known after the cluster is made\n" in done.stdout
    assert "plan again after that" in done.stdout
    assert ground.file.exists()


def test_what_a_phase_rescues_is_no_problem(ground: Ground) -> None:
    """Catches a plan that fails because of a task whose failure the phase itself deals with."""
    (ground.folder / "site.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - block: [{ansible.builtin.fail: {msg: no}}]\n"
        "      rescue: [{ansible.builtin.debug: {msg: well}}]\n"
        "    - {ansible.builtin.fail: {msg: no}, ignore_errors: true}\n"
    )
    done = ground.plan()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Plan for site.yml: nothing to change" in done.stdout


def test_the_tasks_of_the_second_run_report_to_the_first_one(ground: Ground) -> None:
    """Catches minutes of silence while a large platform is planned."""
    (ground.folder / "site.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
        "    - {name: Look around, work: {events: 4, seconds: 0.4}}\n"
    )
    library = f"{MODULES}:{MODULES.parent / 'progress_modules'}"
    done = ground.plan(ANSIBLE_LIBRARY=library, ANSIBLE_CALLBACKS_ENABLED="socle.platform.progress")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  Look around: 4 of 4 objects in 0." in done.stdout


def test_a_playbook_that_breaks_off_is_no_plan(ground: Ground) -> None:
    """Catches `nothing to change` said of a run that never looked."""
    (ground.folder / "site.yml").write_text("- hosts: localhost\n  tasks:\n    - no_such_module: {}\n")
    done = ground.plan()
    assert done.returncode != 0
    assert "broken off, so this is not all: nothing was looked at" in done.stdout
    assert "no_such_module" in done.stdout


def test_limit_variables_and_tags_reach_the_second_run(ground: Ground) -> None:
    """Catches a plan of more, or of something else, than the run that would follow; localhost need not be in it."""
    ground.site({"a": {"size": 1}}, hosts=True)
    done = ground.plan("--limit=one", "-ewords=other")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Plan for site.yml: 2 other tasks would change something" in done.stdout
    assert "create thing" not in done.stdout
    done = ground.plan("--tags=nothing-has-it")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Plan for site.yml: nothing to change" in done.stdout


def test_json_and_exit_status_for_programs(ground: Ground) -> None:
    """Catches a scheduled job that cannot tell drift from peace, and JSON that does not say the same."""
    ground.site({"a": {"size": 1}})
    path = ground.folder / "out.json"
    done = ground.plan(f"-esocle_plan_json={path}", "-esocle_plan_exit_code=true")
    assert done.returncode == 2
    assert "there is something to change" in done.stdout
    said = json.loads(path.read_text())
    assert said["counts"] == {"create": 1}
    assert [part["plan"]["changes"][0]["key"] for part in said["sections"]] == ["a"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ground.shelf.write_text(json.dumps({"a": {"size": 1}}))
    assert ground.plan("-esocle_plan_exit_code=true").returncode == 0


def test_a_password_that_is_typed_cannot_be_passed_on_and_that_is_said(ground: Ground, tmp_path: Path) -> None:
    """Catches a second run that hangs at a prompt nobody sees."""
    ground.site({"a": {"size": 1}})
    password = tmp_path / "asked"
    password.write_text("x\n")
    argv = ["setsid", "sh", "-c", 'exec "$@" < "$0"', str(password)]
    done = subprocess.run(
        [
            *argv,
            str(Path(sys.executable).parent / "ansible-playbook"),
            "playbooks/plan.yml",
            "-ilocalhost,",
            "-K",
            f"-esocle_plan_playbook={ground.folder / 'site.yml'}",
        ],
        cwd=ground.root,
        env={name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE", "SOCLE"))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "--ask-become-pass: put the password into a file" in done.stdout
