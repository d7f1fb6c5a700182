# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every molecule scenario: converge, a second run that changes nothing, verify, and journals without errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
from fixture_rack import require_lab  # noqa: E402  # lies in the lab's folder

BIN = Path(sys.executable).parent
SCENARIOS = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))


# What the first two install is built first where no publisher answers and no cache is, which takes twenty minutes. The
# third takes four, of which the test of the whole site does most again.
LONG = {"containerd", "kubernetes_packages", "glusterfs"}


@pytest.mark.parametrize(
    "scenario", [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in SCENARIOS]
)
def test_scenario(scenario: str, tmp_path: Path) -> None:
    """Catches a role that fails on a fresh machine, changes something each time, or does not do what verify asks."""
    require_lab()
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(tmp_path / "molecule"),
        "ANSIBLE_FORCE_COLOR": "0",
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
    done = subprocess.run(
        ["molecule", "test", "--scenario-name", scenario],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    assert done.returncode == 0, said[-6000:]


def test_every_role_for_machines_has_a_scenario() -> None:
    """Catches a role whose tasks run on machines and that nothing ever converges."""
    roles = {path.parent.parent.name for path in ROOT.glob("roles/*/tasks/main.yml")}
    missing = roles - set(SCENARIOS) - ELSEWHERE.keys()
    assert missing == set()


# Roles that act on an API or need a machine that the lab does not have, and where their tests are.
ELSEWHERE = {
    "proxmox_node": "tests/integration/test_proxmox_node_lab.py, since it needs faults and a restart",
    **dict.fromkeys(("kubeadm", "kubernetes_network"), "tests/integration/test_kubernetes_lab.py"),
    **dict.fromkeys(("argocd", "platform_repository"), "tests/integration/test_services.py"),
    **dict.fromkeys(("gitlab", "gitlab_runner"), "their files only: tests/unit/gitlab. No node holds a GitLab"),
    "proxmox_platform": "tests/integration/test_proxmox_playbooks.py",
    **dict.fromkeys(
        (path.parent.name for path in ROOT.glob("roles/*/files") if list(path.glob("*/*.tf"))), "tests/terraform"
    ),
}
