# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every phase and every module on the engine must do so that a plan can bind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEFAULTS = {
    "plan_file": "{{ socle_plan_file | default(omit) }}",
    "plan_scope": "{{ inventory_hostname }}",
}


def engine_modules(root: Path) -> set[str]:
    return {
        path.stem
        for path in (root / "plugins" / "modules").glob("*.py")
        if "plugins.module_utils._module import" in path.read_text()
    }


def plays(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((root / "playbooks").glob("*.yml")):
        for play in yaml.safe_load(path.read_text()):
            yield path.name, play


def tasks(block: Any) -> Iterator[dict[str, Any]]:
    for task in block or ():
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks(task.get(part))


def test_every_engine_module_is_in_the_action_group(root: Path) -> None:
    """Catches a new module that no plan file reaches."""
    group = yaml.safe_load((root / "meta" / "runtime.yml").read_text())["action_groups"]["all"]
    assert sorted(group) == sorted(engine_modules(root))


def test_every_play_gives_engine_modules_the_plan_file(root: Path) -> None:
    """Catches a phase that applies something else than the plan file says."""
    modules = {f"socle.platform.{name}" for name in engine_modules(root)}
    for file, play in plays(root):
        used = any(
            modules & task.keys() for key in ("pre_tasks", "tasks", "post_tasks") for task in tasks(play.get(key))
        )
        if used or play.get("roles"):
            assert play.get("module_defaults", {}).get("group/socle.platform.all") == DEFAULTS, (file, play["name"])


def test_nothing_leaves_check_mode_but_to_read(root: Path) -> None:
    """Catches a task that writes while a plan is made."""
    files = [*(root / "playbooks").glob("*.yml"), *(root / "roles").glob("*/**/*.yml")]
    assert files
    for path in files:
        text = path.read_text()
        for found in re.finditer(r"(?m)^( *)check_mode: *(false|no|\"?\{\{)", text):
            before = text[: found.start()].rpartition("- name:")[2]
            rest = text[found.end() :].partition("- name:")[0]
            assert "changed_when: false" in before + rest, (
                f"{path}: check_mode: false on a task that may change something"
            )


def test_the_site_imports_every_phase_that_is_there(root: Path) -> None:
    """Catches a phase that is written and never run, and one that is imported and does not exist."""
    phases = ["secrets", "hypervisors", "machines", "access", "storage", "kubernetes", "platform", "delivery", "clouds"]
    built = [f"{phase}.yml" for phase in phases if (root / "playbooks" / f"{phase}.yml").exists()]
    imported = [play["import_playbook"] for file, play in plays(root) if file == "site.yml"]
    assert imported == built
