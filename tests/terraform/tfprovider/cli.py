# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run terraform or tofu on a copy of a layer's folder, with the providers attached."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEFTOVERS = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfplan", ".terraform.lock.hcl")


class CliError(AssertionError):
    """A command failed: its own words, and the diagnostics apart."""

    def __init__(self, argv: list[str], done: subprocess.CompletedProcess[str]) -> None:
        super().__init__(f"{' '.join(argv)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        self.output = done.stdout + done.stderr


@dataclass(frozen=True)
class Workspace:
    """A folder of its own with a layer's files; state and plan files lie in it."""

    binary: str
    folder: Path
    env: dict[str, str]

    def run(self, *argv: str, ok: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        """Run the binary, fail with all it said."""
        words = [self.binary, *argv]
        env = {**os.environ, **self.env}
        done = subprocess.run(words, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        if done.returncode not in ok:
            raise CliError(words, done)
        return done

    def init(self) -> None:
        """Initialise, with no backend but the local one."""
        self.run("init", "-backend=false", "-input=false", "-no-color")

    def validate(self) -> None:
        """Fail unless valid."""
        self.run("validate", "-no-color")

    def test(self) -> str:
        """Run `terraform test` on tests/*.tftest.hcl; what it printed."""
        return self.run("test", "-no-color").stdout

    def variables(self, values: dict[str, Any]) -> None:
        """Set the variables all later commands use."""
        (self.folder / "given.auto.tfvars.json").write_text(json.dumps(values))

    def plan(self, *options: str) -> dict[str, Any]:
        """Plan into a file; the plan as `show -json` tells it."""
        self.run("plan", "-input=false", "-no-color", "-out=given.tfplan", *options)
        return json.loads(self.run("show", "-json", "given.tfplan").stdout)

    def apply(self) -> dict[str, Any]:
        """Apply the last plan; the state."""
        self.run("apply", "-input=false", "-no-color", "given.tfplan")
        return self.state()

    def state(self) -> dict[str, Any]:
        """The state as `show -json` tells it."""
        return json.loads(self.run("show", "-json").stdout)

    def outputs(self) -> dict[str, Any]:
        """The outputs' plain values."""
        return {name: told["value"] for name, told in json.loads(self.run("output", "-json").stdout).items()}

    def destroy(self) -> None:
        """Destroy everything."""
        self.run("destroy", "-auto-approve", "-input=false", "-no-color")


def workspace(binary: str, source: Path, folder: Path, env: dict[str, str]) -> Workspace:
    """Copy the source's files to a new folder and initialise it there."""
    shutil.copytree(source, folder, ignore=LEFTOVERS)
    made = Workspace(binary, folder, env)
    made.init()
    return made


def planned(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Address to values (as planned) of every resource, in child modules too. Unknown values are left out."""
    found: dict[str, dict[str, Any]] = {}
    todo = [plan["planned_values"].get("root_module", {})]
    while todo:
        module = todo.pop()
        found.update({one["address"]: one["values"] for one in module.get("resources", [])})
        todo.extend(module.get("child_modules", []))
    return found


def changes(plan: dict[str, Any]) -> dict[str, list[str]]:
    """Address to actions (`["create"]`, `["delete", "create"]`) of what a plan would do; empty when nothing."""
    return {
        one["address"]: one["change"]["actions"]
        for one in plan.get("resource_changes", [])
        if one["change"]["actions"] not in (["no-op"], ["read"])
    }


def replacements(plan: dict[str, Any]) -> dict[str, list[Any]]:
    """Address to the paths that force it, of what a plan would replace."""
    return {
        one["address"]: one["change"].get("replace_paths", [])
        for one in plan.get("resource_changes", [])
        if set(one["change"]["actions"]) == {"create", "delete"}
    }
