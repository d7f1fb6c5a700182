# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clouds of the examples, from their inventories through the playbook, with no account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tfprovider import Attached

LAST = {
    "onprem": ("canada", "gke"),
    "gke-poc": ("gke", "gcp_load_balancer"),
    "cloud-run": ("google", "cloud_run"),
    "ecs": ("aws", "ecs"),
    "eks": ("ireland", "eks"),
    "kapsule": ("paris", "kapsule"),
}


def playbook(
    root: Path, inventory: str, folder: Path, env: dict[str, str], binary: str, *more: str
) -> tuple[int, dict[str, Any], str]:
    """Run clouds.yml; its status, the result of the stack's task by host, and all that was printed on failure."""
    extra = {
        "clouds_state": {"backend": "local", "path": str(folder / "states")},
        "clouds_work_dir": str(folder / "work"),
        "clouds_binary": binary,
    }
    argv = [
        str(Path(sys.executable).with_name("ansible-playbook")), "playbooks/clouds.yml",
        "-i", f"inventories/{inventory}", "-e", json.dumps(extra), *more,
    ]  # fmt: skip
    settings = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "SOCLE_PROGRESS": "off"}
    done = subprocess.run(
        argv, cwd=root, env={**os.environ, **env, **settings}, capture_output=True, text=True, check=False
    )
    text = done.stdout + done.stderr
    try:
        told = json.loads(done.stdout[done.stdout.index("{") :])
    except ValueError:
        return done.returncode, {}, text
    tasks = {task["task"]["name"]: task["hosts"] for play in told["plays"] for task in play["tasks"]}
    return done.returncode, tasks.get("Keep the layers of each cloud", {}), text


@pytest.mark.parametrize("inventory", list(LAST))
def test_an_example_is_planned_to_its_last_layer(
    root: Path, tmp_path: Path, attached: Attached, binary: str, inventory: str
) -> None:
    """Would catch a key that reaches no layer, a layer that waits for an account, or check mode that writes."""
    code, hosts, text = playbook(root, inventory, tmp_path, attached.env, binary, "--check")
    assert code == 0, text[-4000:]
    cloud, last = LAST[inventory]
    layers = {one["key"]: one for one in hosts[cloud]["objects"]}
    assert last in layers and all(one["action"] == "create" for one in layers.values())
    paths = {field["path"] for one in layers.values() for field in one["fields"]}
    assert "planned later" not in paths and len(paths) > len(layers)
    assert all(provider.written() == [] for provider in attached.providers.values())


@pytest.mark.long
@pytest.mark.parametrize("inventory", list(LAST))
def test_an_example_is_made_and_then_unchanged(
    root: Path, tmp_path: Path, attached: Attached, binary: str, inventory: str
) -> None:
    """Would catch a layer that is never done: its second plan is empty from the manifest on."""
    code, hosts, text = playbook(root, inventory, tmp_path, attached.env, binary)
    assert code == 0, text[-4000:]
    code, hosts, text = playbook(root, inventory, tmp_path, attached.env, binary)
    assert code == 0, text[-4000:]
    (result,) = hosts.values()
    assert result["changed"] is False
    assert result["calls"] <= 2 * len(result["objects"])
