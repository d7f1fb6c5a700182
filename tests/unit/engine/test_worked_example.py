# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module in docs/engine.md, run by Ansible itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TEXT = "hush-hush-hush"


class Playground:
    def __init__(self, root: Path, folder: Path, more: str = "") -> None:
        self.folder = folder
        self.notes = folder / "notes"
        source = re.search(r"<!-- worked example: notes.py -->\n```python\n(.*?)```", _page(root), re.S)
        assert source, "docs/engine.md has no worked example any more"
        library = folder / "library"
        library.mkdir()
        (library / "notes.py").write_text(source[1].replace("prunes=True,", f"prunes=True, {more}"))
        (folder / "ansible.cfg").touch()
        self.environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(root / "playbooks" / "collections"),
            "ANSIBLE_LIBRARY": str(library),
            "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        }
        self.output = ""

    def run(self, notes: list[dict[str, Any]], *flags: str, **parameters: Any) -> dict[str, Any]:
        arguments = json.dumps({"directory": str(self.notes), "notes": notes, **parameters})
        ansible = Path(sys.executable).with_name("ansible")
        done = subprocess.run(
            [ansible, "localhost", "-m", "notes", "-a", arguments, "-vvv", *flags],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.output = done.stdout + done.stderr
        found = re.search(r"localhost \| \S+ => (\{.*?^\})", self.output, re.S | re.M)
        assert found, self.output
        return {"failed": "FAILED! =>" in self.output, **json.loads(found[1])}


def _page(root: Path) -> str:
    return (root / "docs" / "engine.md").read_text()


@pytest.fixture
def ground(root: Path, tmp_path: Path) -> Playground:
    return Playground(root, tmp_path)


def test_story(ground: Playground) -> None:
    """Check mode writes nothing and predicts; apply does it; the second run changes nothing; prune needs its switch."""
    wanted = [{"name": "b", "text": TEXT, "after": ["a"]}, {"name": "a", "text": TEXT}]
    planned = ground.run(wanted, "--check", "--diff")
    assert planned["changed"] and not ground.notes.exists()
    assert [(o["key"], o["action"], o["outcome"]) for o in planned["objects"]] == [
        ("a", "create", "planned"),
        ("b", "create", "planned"),
    ]
    assert TEXT not in ground.output.replace(json.dumps(wanted), "")
    assert planned["diff"][0]["after"] == {"text": "(secret)"}

    done = ground.run(wanted)
    assert done["changed"] and done["plan"]["changes"][0]["action"] == "create"
    assert {file.name: file.read_text() for file in ground.notes.iterdir()} == {"a": TEXT, "b": TEXT}
    assert [o["outcome"] for o in done["objects"]] == ["succeeded", "succeeded"]

    assert not ground.run(wanted)["changed"]

    (ground.notes / "c").write_text("another-long-secret")
    kept = ground.run(wanted)
    assert not kept["changed"] and kept["plan"]["unmanaged"] == ["c"] and (ground.notes / "c").exists()
    pruned = ground.run(wanted, "--diff", prune=True)
    assert pruned["changed"] and not (ground.notes / "c").exists()
    assert "another-long-secret" not in ground.output, "a secret read back was shown"


def test_failure_names_the_object(ground: Playground) -> None:
    """One object that cannot be written does not hide the other, and both are named."""
    result = ground.run([{"name": "no/such", "text": TEXT}, {"name": "good", "text": TEXT}])
    assert result["failed"] and "no/such" in result["msg"] and "No such file" in result["msg"]
    assert {o["key"]: o["outcome"] for o in result["objects"]} == {"no/such": "failed", "good": "succeeded"}
    assert (ground.notes / "good").read_text() == TEXT


def test_plan_file_binds(ground: Playground) -> None:
    """A plan from check mode is applied as it is, and refused by name once something has moved."""
    from ansible_collections.socle.platform.plugins.module_utils import _plan

    wanted = [{"name": "a", "text": TEXT}, {"name": "b", "text": TEXT}]
    file = ground.folder / "plan.json"
    _plan.write(file, [ground.run(wanted, "--check")["plan"]])
    assert TEXT not in file.read_text()

    ground.notes.mkdir()
    (ground.notes / "b").write_text("moved meanwhile")
    refused = ground.run(wanted, plan_file=str(file))
    assert refused["failed"] and "note b: create was planned" in refused["msg"]
    assert not (ground.notes / "a").exists(), "a refused plan wrote something"

    (ground.notes / "b").unlink()
    assert ground.run(wanted, plan_file=str(file))["changed"]
    assert (ground.notes / "a").read_text() == TEXT


def test_a_careless_adapter_is_blanked(root: Path, tmp_path: Path) -> None:
    """What an adapter returns in clear, though it was read as a secret, Ansible blanks: the second line of defence."""
    told = "[change.current.fields['text'].reveal() for change in plan.changes if change.current]"
    ground = Playground(root, tmp_path, f"more=lambda plan, result: {{'told': {told}}},")
    ground.notes.mkdir()
    (ground.notes / "a").write_text("written-by-hand")
    result = ground.run([{"name": "a"}])
    assert result["told"] and "written-by-hand" not in ground.output
