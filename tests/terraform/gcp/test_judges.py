# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What outside judges say of Google's layers: nothing that is not explained beside the line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from settings import CASES, PLAIN, folder

SKIP = re.compile(r"checkov:skip=(\w+):(.*)")


def skips(layer: str) -> list[tuple[str, str]]:
    """Check and reason of each finding that the layer explains."""
    return [found for file in sorted(folder(layer).glob("*.tf")) for found in SKIP.findall(file.read_text())]


def tool(name: str) -> str:
    """The program, from SOCLE_CHECKOV and the like or the path; the test is skipped where it is not installed."""
    found = os.environ.get(f"SOCLE_{name.upper()}") or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; SOCLE_{name.upper()} names one that is elsewhere")
    return found


def checkov(*arguments: str) -> list[dict[str, Any]]:
    """The failed checks."""
    argv = [tool("checkov"), *arguments, "--skip-download", "--quiet", "--compact", "--output", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    return list(told["results"]["failed_checks"]) if "results" in told else []


@pytest.mark.parametrize("layer", PLAIN)
def test_what_is_skipped_is_little_and_explained(layer: str) -> None:
    """Catches a finding that is waved through."""
    found = skips(layer)
    assert len({check for check, _reason in found}) <= 10
    for check, reason in found:
        assert len(reason.split()) >= 6, f"{layer}: {check} is skipped without a reason"


@pytest.mark.long
@pytest.mark.parametrize("layer", PLAIN)
def test_checkov_finds_nothing_in_the_files(layer: str) -> None:
    """Catches a setting that checkov's rules forbid."""
    failed = checkov("--directory", str(folder(layer)), "--framework", "terraform")
    assert [(entry["check_id"], entry["resource"]) for entry in failed] == []


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_checkov_finds_nothing_unexplained_in_the_plans(
    plans: dict[tuple[str, str], dict[str, Any]], tmp_path: Path, case: tuple[str, str]
) -> None:
    """Catches what only shows once loops and conditions have their values."""
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plans[case]))
    explained = {check for check, _reason in skips(case[0])}
    failed = checkov("--file", str(file), "--framework", "terraform_plan")
    assert [entry["resource"] for entry in failed if entry["check_id"] not in explained] == []


@pytest.mark.long
@pytest.mark.parametrize("layer", PLAIN)
def test_tflint_finds_nothing(layer: str) -> None:
    """Catches what nobody uses, has no type, or is written as an old Terraform wanted it."""
    rules = (
        "unused_declarations",
        "typed_variables",
        "documented_variables",
        "documented_outputs",
        "naming_convention",
    )
    argv = [tool("tflint"), f"--chdir={folder(layer)}", *(f"--enable-rule=terraform_{rule}" for rule in rules)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
