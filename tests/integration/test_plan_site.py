# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of site.yml, planned and applied: real phases, on a real manifest."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MANIFEST = """\
plugin: socle.platform.manifest
platform: {name: cater, domain: cater.example.org}
secrets:
  backend: file
  generate:
    gitlab/root_password: {}
    gitlab/deploy_key: {kind: ed25519}
"""
MORE = MANIFEST + "    monitoring/admin: {kind: token}\n"

Runner = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "platform.socle.yml").write_text(MANIFEST)
    (tmp_path / "password").write_text("a password of the test\n")
    return tmp_path


@pytest.fixture
def run(root: Path, folder: Path) -> Runner:
    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                str(Path(sys.executable).parent / "ansible-playbook"),
                f"-i{folder / 'inventory' / 'platform.socle.yml'}",
                f"--vault-password-file={folder / 'password'}",
                *arguments,
            ],
            cwd=root,
            env={name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE", "SOCLE"))}
            | {"ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return start


def kept(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "inventory").iterdir() if "vault" in path.name)


def test_what_is_missing_is_planned_and_the_file_does_exactly_that(run: Runner, folder: Path) -> None:
    """Catches a secret made by planning, one missing from the plan, and a plan that cannot be applied."""
    bound = f"-esocle_plan_file={folder / 'plan.json'}"
    done = run("playbooks/plan.yml", bound)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Plan for cater: 2 to create" in done.stdout
    assert "\nSecrets\n  + create secret gitlab/root_password\n" in done.stdout
    assert "(known after apply)" in done.stdout
    assert kept(folder) == []
    done = run("playbooks/site.yml", bound)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(kept(folder)) == 1
    done = run("playbooks/plan.yml")
    assert "Plan for cater: nothing to change" in done.stdout, done.stdout + done.stderr
    done = run("playbooks/site.yml", bound)
    assert done.returncode != 0
    assert "secret gitlab/root_password: create was planned, and nothing is to be done any more" in done.stdout


def test_a_world_that_moved_in_between_is_refused_by_name(run: Runner, folder: Path) -> None:
    """Catches a plan file applied after somebody else has been there."""
    bound = f"-esocle_plan_file={folder / 'plan.json'}"
    (folder / "inventory" / "platform.socle.yml").write_text(MORE)
    assert run("playbooks/plan.yml", bound).returncode == 0
    (folder / "inventory" / "platform.socle.yml").write_text(MANIFEST)
    assert run("playbooks/site.yml").returncode == 0
    before = [path.read_bytes() for path in kept(folder)]
    (folder / "inventory" / "platform.socle.yml").write_text(MORE)
    done = run("playbooks/site.yml", bound)
    assert done.returncode != 0
    assert "gitlab/deploy_key" in done.stdout
    assert "nothing was written" in done.stdout
    assert [path.read_bytes() for path in kept(folder)] == before


def test_a_wish_that_changed_in_between_is_refused_by_name(run: Runner, folder: Path) -> None:
    """Catches a plan file applied with another manifest."""
    bound = f"-esocle_plan_file={folder / 'plan.json'}"
    assert run("playbooks/plan.yml", bound).returncode == 0
    (folder / "inventory" / "platform.socle.yml").write_text(MORE)
    done = run("playbooks/site.yml", bound)
    assert done.returncode != 0
    assert "monitoring/admin" in done.stdout
    assert kept(folder) == []


def test_a_damaged_plan_file_is_refused(run: Runner, folder: Path) -> None:
    """Catches a file that was edited by hand, or is something else, and is believed."""
    path = folder / "plan.json"
    for content in ("", "{}", "[]"):
        path.write_text(content)
        done = run("playbooks/site.yml", f"-esocle_plan_file={path}")
        assert done.returncode != 0
        assert str(path) in done.stdout
        assert "make it anew" in done.stdout
    assert run("playbooks/plan.yml", f"-esocle_plan_file={path}").returncode == 0
    path.write_text(path.read_text().replace("gitlab/root_password", "gitlab/other_password"))
    done = run("playbooks/site.yml", f"-esocle_plan_file={path}")
    assert done.returncode != 0
    assert "its digest does not fit" in done.stdout
    assert kept(folder) == []


def test_by_its_full_name(run: Runner) -> None:
    """Catches a plan that only works from the checkout's folder of playbooks."""
    done = run("socle.platform.plan")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Plan for cater: 2 to create" in done.stdout
