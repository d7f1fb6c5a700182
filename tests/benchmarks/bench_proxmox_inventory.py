# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""1,000 guests of the simulator with their facts: our inventory beside community.proxmox.proxmox, as whole commands.

The simulator answers each request 20 ms late: a real node asks its own daemons before it answers, and a guest's agent
takes longer. One row is without that: there most of what ours takes is the simulator's own work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab" / "pve"))

from fixture import Pve, spawned  # noqa: E402  # the simulator lies apart from the package

BIN = Path(sys.executable).parent
GUESTS, NODES, LATE = 1000, 12, 0.02


def command(folder: Path, config: dict[str, Any], name: str) -> tuple[float, dict[str, Any]]:
    """Seconds that ansible-inventory takes with that file, and the hosts it lists."""
    file = folder / name
    file.write_text(yaml.safe_dump(config))
    collections = [ROOT / "playbooks" / "collections"]
    env = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(str, collections)),
        "ANSIBLE_INVENTORY_ENABLED": config["plugin"],
        "PYTHONWARNINGS": "ignore",
    }
    argv = [str(BIN / "ansible-inventory"), "-i", str(file), "--list"]
    start = time.perf_counter()
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=900, check=True)
    seconds = time.perf_counter() - start
    hosts: dict[str, Any] = json.loads(done.stdout)["_meta"]["hostvars"]
    return seconds, hosts


def ours(pve: Pve, folder: Path, **more: Any) -> tuple[float, int, dict[str, Any]]:
    hosts = [f"{pve.address}:{node['port']}" for node in pve.nodes.values()]
    login = {"api_user": "root@pam", "api_password": pve.password, "ca_path": pve.ca}
    pve.forget_requests()
    seconds, found = command(
        folder, {"plugin": "socle.platform.proxmox", "api_host": hosts, **login, **more}, "a.proxmox.yml"
    )
    assert len(found) == GUESTS, len(found)
    return seconds, len(pve.requests()), found


def theirs(pve: Pve, folder: Path) -> tuple[float, int, dict[str, Any]]:
    login = {"user": "root@pam", "password": pve.password, "validate_certs": False}
    pve.forget_requests()
    config = {"plugin": "community.proxmox.proxmox", "url": pve.url, **login, "want_facts": True, "exclude_nodes": True}
    seconds, found = command(folder, config, "b.proxmox.yml")
    assert len(found) == GUESTS, len(found)
    return seconds, len(pve.requests()), found


def shown(value: Any) -> str:
    """A text, also where ansible-inventory marks it as one that is not evaluated."""
    return str(value["__ansible_unsafe"] if isinstance(value, dict) else value)


def run() -> list[dict[str, Any]]:
    nodes = ",".join(f"pve{i}" for i in range(1, NODES + 1))
    with (
        spawned("--nodes", nodes, "--cluster", "lab", "--stat-interval", "0") as pve,
        tempfile.TemporaryDirectory() as at,
    ):
        folder = Path(at)
        conf = {"agent": "1", "tags": "web", "ipconfig0": "ip=10.10.3.4/16,gw=10.10.0.1"}
        pve.seed_guests(GUESTS, first=1000, running=True, conf=conf)
        at_once = [ours(pve, folder, want_facts=True, agent="always") for _unused in range(2)]
        peer_at_once = theirs(pve, folder)
        pve.fault(kind="latency", seconds=LATE, times=0)
        plain = [ours(pve, folder) for _unused in range(2)]
        fixed = [ours(pve, folder, want_facts=True) for _unused in range(2)]
        asked = [ours(pve, folder, want_facts=True, agent="always") for _unused in range(2)]
        peer = theirs(pve, folder)
        # The same facts: a configuration for each, and what its agent says.
        name = next(iter(peer[2]))
        assert peer[2][name]["proxmox_agent_interfaces"] and asked[0][2][name]["proxmox_interfaces"]
        assert shown(peer[2][name]["proxmox_memory"]) == shown(asked[0][2][name]["proxmox_config"]["memory"])
    rows = []
    for what, mine, other, note in (
        (
            "with facts, fixed addresses, answers 20 ms late",
            fixed,
            peer,
            "agents are asked only where no address is configured",
        ),
        ("with facts, every agent asked, answers 20 ms late", asked, peer, ""),
        ("with facts, every agent asked, answers at once", at_once, peer_at_once, ""),
    ):
        best = min(mine)
        rows.append(
            {
                "name": f"inventory of {GUESTS:,} guests, {what}",
                "ours": best[0],
                "theirs": other[0],
                "ratio": other[0] / best[0],
                "unit": "s",
                "runs": len(mine),
                "note": f"{best[1]:,} requests, theirs {other[1]:,}; {note}".rstrip("; "),
            }
        )
    rows.append(
        {
            "name": f"inventory of {GUESTS:,} guests, without facts: requests",
            "ours": plain[0][1],
            "theirs": None,
            "ratio": None,
            "unit": "requests",
            "runs": len(plain),
            "note": f"with the login; {min(plain)[0]:.1f} s",
        }
    )
    return rows
