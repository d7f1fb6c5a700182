# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make try`: the whole way once, and what there is then."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from . import hypervisors
from .command import LabError, inside
from .lab import DEFAULT, Lab

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = "inventories/lab"


def attempt(lab: Lab) -> None:
    """Lab, then site.yml, then a summary. A second time it changes nothing but what the manifest changed."""
    if lab.name != DEFAULT:
        raise LabError(f"{INVENTORY} is written for the lab named {DEFAULT}; make your own inventory for {lab.name}.")
    stages: list[tuple[str, float]] = []
    begun = time.monotonic()
    lab.tell("The lab")
    lab.up_with_hypervisors(hypervisors.DEFAULT)
    stages.append(("lab", time.monotonic() - begun))
    lab.tell(f"The platform: ansible-playbook playbooks/site.yml -i {INVENTORY}")
    begun = time.monotonic()
    code = play(lab, "playbooks/site.yml", "-i", INVENTORY)
    stages.append(("site.yml", time.monotonic() - begun))
    if code:
        raise LabError(
            f"site.yml ended with {code}; what it said stands above. The lab stays as it is: `make lab ARGS=status` "
            "and `make lab ARGS='logs NAME'` show it, `make try` goes on from here, `make try-down` removes it."
        )
    lab.tell(summary(lab, stages))


def play(lab: Lab, *arguments: str) -> int:
    """ansible-playbook inside the lab's network."""
    program = Path(sys.executable).with_name("ansible-playbook")
    return subprocess.run(
        inside(lab.netns, program, *arguments), cwd=ROOT, env=lab.environment(), check=False
    ).returncode


def summary(lab: Lab, stages: list[tuple[str, float]]) -> str:
    running = lab.rack.running()
    lines = ["", "What runs"]
    lines += [f"  {server.name:<18} {server.public:<14} Proxmox VE (simulated)" for server in hypervisors.DEFAULT]
    for name in lab.rack.names():
        node = lab.rack.get(name)
        legs = ", ".join(card.bridge for card in node.cards)
        lines.append(f"  {node.hostname:<18} {node.address:<14} {'runs' if name in running else 'stopped'}, on {legs}")
    lines += [
        "",
        "How long it took: " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in stages),
        "",
        "What to do next",
        "  make lab ARGS='ssh worker-1'     a shell on a machine",
        "  make lab ARGS='logs worker-1'    its journal",
        f"  edit {INVENTORY}/platform.socle.yml (a worker more, say), then `make try` again",
        "  make lab-play PLAYBOOK=playbooks/plan.yml    what that would change",
        "  make try-down                    remove all of it",
    ]
    return "\n".join(lines)
