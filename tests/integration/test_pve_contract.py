# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator against what a real API answered."""

from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab" / "pve"))

from pvesim.replay import Replay, read  # the simulator is no installed package


@pytest.fixture(scope="module")
def recording(shared: Path) -> Path:
    path = shared / "pve" / "observed.jsonl.gz"
    if not path.exists():
        pytest.skip("no recording beside this checkout")
    return path


@pytest.fixture(scope="module")
def rows(recording: Path) -> list[dict[str, Any]]:
    return read(recording)


# The simulator's README says why these differ.
DEVIATIONS = {629, 631, 859}


def test_the_recording_is_answered_alike(rows: list[dict[str, Any]]) -> None:
    """Would catch a status, an error or a body that no longer looks like the real one."""
    report = Replay(rows).run()
    different = [f"{v.n} {v.method} {v.path}: {v.why}" for v in report.verdicts if v.kind == "different"]
    assert [text for text in different if int(text.split()[0]) not in DEVIATIONS] == []
    assert report.count("matched") >= 0.97 * (len(rows) - report.count("unknown"))
    assert report.count("unknown") <= 0.05 * len(rows)


def test_without_sending_missing_requests_again_most_rows_still_match(rows: list[dict[str, Any]]) -> None:
    """Would catch agreement that comes from the repairs and not from the simulator."""
    report = Replay(rows, repair=False).run()
    assert report.count("matched") >= 0.88 * len(rows)


def _spoil(row: dict[str, Any], dice: random.Random) -> None:
    """Make a row say something else than the real API did."""
    body = row["body"]
    if not isinstance(body, dict):
        row["status"] += 1
        return
    data = body.get("data")
    choice = dice.choice(["status", "key", "type"])
    if choice == "key" and isinstance(data, dict) and data and "digest" in data:
        data["made-up"] = 1
    elif choice == "type" and isinstance(data, dict) and isinstance(data.get("vmid"), int):
        data["vmid"] = str(data["vmid"])
    elif row["status"] == 200:
        row.update(status=500, reason="made up", body={"data": None, "message": "made up\n"})
    elif body.get("errors"):
        body["errors"] = {f"{name}x": text for name, text in body["errors"].items()}
    else:
        row["reason"] = f"made up {row['reason']}"


@pytest.fixture(scope="module")
def honest(rows: list[dict[str, Any]]) -> set[int]:
    """The rows that match as they were recorded."""
    return {v.n for v in Replay(rows).run().verdicts if v.kind == "matched"}


@pytest.mark.parametrize(("share", "seed"), [(0.1, 1), (0.2, 2)])
def test_a_recording_with_more_gaps_is_followed_all_the_same(
    rows: list[dict[str, Any]], share: float, seed: int
) -> None:
    """Would catch a replay that follows only the one recording it was written with."""
    dice = random.Random(seed)
    mine = [row for row in rows if row.get("fresh_node") or dice.random() > share]
    report = Replay(mine).run()
    assert report.count("matched") >= 0.93 * len(mine)


@pytest.mark.parametrize("seed", range(4))
def test_the_comparison_can_fail(rows: list[dict[str, Any]], honest: set[int], seed: int) -> None:
    """Would catch a contract test that matches anything: each of 40 spoilt rows must be noticed."""
    dice = random.Random(seed)
    mine = copy.deepcopy(rows)
    chosen = dice.sample([row for row in mine if row["n"] in honest], 40)
    for row in chosen:
        _spoil(row, dice)
    verdicts = {v.n: v.kind for v in Replay(mine).run().verdicts}
    missed = [row["n"] for row in chosen if verdicts[row["n"]] == "matched"]
    assert missed == []


def test_the_program_prints_the_count_last(recording: Path, tmp_path: Path, root: Path) -> None:
    """Would catch a change of the last line, which others read."""
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(json.dumps(row) for row in read(recording)[:9]) + "\n")
    command = [sys.executable, str(root / "tests" / "lab" / "pve" / "contract.py"), str(few)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "matched 9 of 9"
