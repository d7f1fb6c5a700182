# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""1,000 machines in 5 groups: our inventory beside the same hosts and variables as a static YAML inventory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
RUNS = 7


def manifest(each: int = 200) -> str:
    groups = {f"group{number}": {"count": each, "on": "compute", "memory": "8 GiB"} for number in range(1, 6)}
    return yaml.safe_dump(
        {
            "plugin": "socle.platform.manifest",
            "platform": {"name": "many", "domain": "many.example.org"},
            "hypervisors": {
                "cluster": "many",
                "network": {"rack": "10.10.0.0/16"},
                "nodes": {f"compute{number}": {"address": f"203.0.113.{number}"} for number in range(1, 10)},
            },
            "machines": groups,
        },
        sort_keys=False,
    )


def static(listed: dict[str, Any]) -> str:
    """The same hosts, groups and variables; what a group gives stands at the group, as one would write it."""
    hosts = listed["_meta"]["hostvars"]
    ours = {"ansible_host", "socle_address", "socle_vm_id", "socle_on"}
    first = hosts["group1-1"]
    everywhere = {name: first[name] for name in first if name.startswith("socle_") and name in hosts["compute1"]}
    everywhere = {name: value for name, value in everywhere.items() if name not in ours | {"socle_rack"}}
    tree: dict[str, Any] = {"all": {"vars": everywhere, "children": {}}}
    nodes = {name: hosts[name] for name in listed["hypervisors_compute"]["hosts"]}
    one = next(iter(nodes.values()))
    shared = {key: one[key] for key in one if all(node.get(key) == one[key] for node in nodes.values())}
    tree["all"]["children"]["hypervisors"] = {
        "vars": {key: value for key, value in shared.items() if key not in everywhere},
        "children": {
            "hypervisors_compute": {
                "hosts": {
                    name: {key: value for key, value in node.items() if key not in shared}
                    for name, node in nodes.items()
                }
            }
        },
    }
    groups = {}
    for group in listed["machines"]["children"]:
        members = listed[group]["hosts"]
        groups[group] = {
            "vars": {"socle_machine": hosts[members[0]]["socle_machine"]},
            "hosts": {name: {key: hosts[name][key] for key in sorted(ours)} for name in members},
        }
    grouped = {key: first[key] for key in first if key not in everywhere and key not in ours | {"socle_machine"}}
    tree["all"]["children"]["machines"] = {"vars": grouped, "children": groups}
    return yaml.safe_dump(tree, sort_keys=False)


def listed(source: Path) -> tuple[float, dict[str, Any]]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    env["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
    command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(source), "--list"]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, json.loads(done.stdout)


def written(folder: Path, each: int = 200) -> tuple[Path, Path]:
    """A manifest and the static inventory of the same hosts."""
    ours, theirs = folder / "platform.socle.yml", folder / "static.yml"
    ours.write_text(manifest(each))
    made = listed(ours)[1]
    assert len(made["_meta"]["hostvars"]) == 5 * each + 9
    theirs.write_text(static(made))
    assert listed(theirs)[1] == made, "the two inventories are not the same"
    return ours, theirs


def run(runs: int = RUNS) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = written(Path(folder))
        times: dict[Path, list[float]] = {ours: [], theirs: []}
        for number in range(runs):
            for source in (ours, theirs) if number % 2 else (theirs, ours):
                times[source].append(listed(source)[0])
    mine, other = statistics.median(times[ours]), statistics.median(times[theirs])
    return [
        {
            "name": "inventory: 1,000 machines in 5 groups, ansible-inventory --list",
            "ours": round(mine, 3),
            "theirs": round(other, 3),
            "ratio": round(mine / other, 3),
            "unit": "s",
            "runs": runs,
            "note": "theirs: the same hosts, groups and variables as a static YAML inventory",
        }
    ]


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
