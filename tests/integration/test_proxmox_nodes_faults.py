# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults at random requests while networks and firewalls are changed; one clean run later all is as it should be."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._proxmox import firewall, networks
from ansible_collections.socle.platform.plugins.module_utils._proxmox.firewall_writer import FirewallsWriter
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import Session
from ansible_collections.socle.platform.plugins.module_utils._reconcile import EngineError

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxmox_helpers import helped
from proxmox_site import Site, Work, running

FAULTS: list[dict[str, Any]] = [
    *({"kind": "status", "status": status} for status in (500, 502, 503, 595, 596, 599)),
    {"kind": "status", "status": 500, "text": "got timeout"},
    {"kind": "reset"},
    {"kind": "reset", "after": True},
]
NETWORKS: dict[str, Any] = {
    "nodes": [
        {
            "name": name,
            "interfaces": [
                {"name": "vmbr1", "type": "bridge", "address": f"10.10.10.{n}/16", "ports": ["bond0"]},
                {"name": "bond0", "type": "bond", "members": ["eno2"], "mode": "active-backup"},
                {"name": "vmbr0", "comment": "outside"},
            ],
        }
        for n, name in enumerate(("pve1", "pve2"), 1)
    ],
    "try_ports": [],
}
FIREWALL: dict[str, Any] = {
    "cluster": {
        "options": {"enable": True},
        "ipsets": [{"name": "management", "members": [{"cidr": "127.0.0.0/8"}]}],
        "groups": [{"name": "web", "rules": [{"action": "ACCEPT", "proto": "tcp", "dport": "443"}]}],
        "rules": [{"type": "group", "action": "web"}, {"action": "DROP", "source": "192.0.2.0/24"}],
    },
    "nodes": [{"name": "pve1", "rules": [{"action": "ACCEPT", "macro": "Ping"}]}],
    "try_ports": [],
    "try_settle": 0.0,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("pve"), nodes=("pve1", "pve2"), cluster="lab") as made:
        for node in made.world.nodes.values():
            node.interfaces["eno2"] = {"type": "eth", "exists": 1, "priority": 4}
        made.simulator.control.remember()
        yield made


def network_work(session: Session) -> Work:
    reader: list[networks.Networks] = []

    def read(_parameters: dict[str, Any]) -> networks.Networks:
        reader[:] = [networks.Networks(session)]
        return reader[0]

    return Work(
        networks.spec(),
        networks.desired,
        read,
        lambda parameters: networks.NetworksWriter(session, parameters, reader[0]),
    )


def firewall_work(session: Session) -> Work:
    reader: list[firewall.Firewalls] = []

    def read(parameters: dict[str, Any]) -> firewall.Firewalls:
        reader[:] = [firewall.Firewalls(session, parameters)]
        return reader[0]

    return Work(firewall.spec(), firewall.desired, read, lambda _parameters: FirewallsWriter(session, reader[0]))


def arm(site: Site, fault: dict[str, Any]) -> None:
    headers = {"x-control-token": site.about["control_token"]}
    status, answer = site.simulator.control.handle("POST", "/control/faults", headers, json.dumps(fault).encode())
    assert status == 200, answer


@pytest.mark.parametrize("what", ["networks", "firewall"])
@pytest.mark.parametrize("seed", range(14))
def test_after_a_fault_one_clean_run_makes_it_right(site: Site, tmp_path: Path, what: str, seed: int) -> None:
    """Would catch half-staged networks that block every later run, doubled rules, and a node left armed."""
    rng = random.Random(f"{what} {seed}")
    make, wanted = (network_work, NETWORKS) if what == "networks" else (firewall_work, FIREWALL)
    wanted = {**wanted, "try_seconds": 12, "reach": dict(zip(site.about["nodes"], site.hosts(), strict=True))}
    site.reset()
    fault = dict(FAULTS[seed % len(FAULTS)], at=rng.randint(1, 12))
    fault["method"] = rng.choice(["POST", "PUT"])
    fault["path"] = "/(network|firewall)"
    with helped(site, tmp_path, "pve1", "pve2") as nodes:
        arm(site, fault)
        with site.session() as session:
            try:
                make(session).apply(**wanted)
            except EngineError as error:
                assert "Traceback" not in str(error)
        site.control("DELETE", "faults")
        with site.session() as session:
            result = make(session).apply(**wanted)
            assert result.ok, result.message()
            site.forget()
            assert not make(session).plan(**wanted).changed
            assert site.writes() == []
        for node in nodes.values():
            assert node.node.staged is None and "description" not in node.node.conf and not node.state.exists()
        if what == "firewall":
            assert [rule["action"] for rule in site.world.firewall["rules"]] == ["web", "DROP"]
