# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""proxmox_networks by real playbooks, against the simulator with the nodes' helper."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxmox_helpers import SimulatedNode, helped
from proxmox_site import Site, results, running

MODULE = "socle.platform.proxmox_networks"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("pve"), nodes=("pve1", "pve2"), cluster="lab") as made:
        yield made


@pytest.fixture
def nodes(site: Site, tmp_path: Path) -> Iterator[dict[str, SimulatedNode]]:
    site.reset()
    with helped(site, tmp_path, "pve1", "pve2") as found:
        yield found


def task(site: Site, nodes: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    reach = dict(zip(site.about["nodes"], site.hosts(), strict=True))
    return {MODULE: {**site.connection(), "reach": reach, "nodes": nodes, **more}}


def rack(name: str, number: int, **more: Any) -> dict[str, Any]:
    bridge = {"name": "vmbr1", "type": "bridge", "address": f"10.10.10.{number}/16", "mtu": 1400, **more}
    return {"name": name, "interfaces": [bridge]}


def test_bridges_are_planned_made_and_then_nothing_is_to_do(site: Site, nodes: dict[str, SimulatedNode]) -> None:
    """Would catch a write in check mode, a plan that is not what is done, and a second run that changes."""
    wanted = task(site, [rack("pve1", 1), rack("pve2", 2)])
    site.forget()
    (planned,) = results(site.playbook([wanted], "--check", "--diff"))
    assert site.writes() == []
    (done,) = results(site.playbook([wanted]))
    assert done["changed"] and [o["outcome"] for o in done["objects"]] == ["succeeded"] * 2
    assert [o["fields"] for o in done["objects"]] == [o["fields"] for o in planned["objects"]]
    for name, number in (("pve1", 1), ("pve2", 2)):
        node = nodes[name].node
        assert node.interfaces["vmbr1"]["cidr"] == f"10.10.10.{number}/16"
        assert node.interfaces["vmbr1"]["autostart"] == 1
        assert node.staged is None and "description" not in node.conf
        assert nodes[name].reverts == 0 and not nodes[name].state.exists()
    site.forget()
    (again,) = results(site.playbook([wanted]))
    assert not again["changed"] and site.writes() == []
    assert len(site.requests("GET")) == 3, "one look at the cluster, one at each node"


def test_a_lock_out_ends_with_the_old_network_and_a_sentence(site: Site, nodes: dict[str, SimulatedNode]) -> None:
    """Would catch a node lost for good, and going on to lose the next one with the same mistake."""
    before = {name: dict(nodes[name].node.interfaces) for name in nodes}
    wrong = [
        {"name": "pve1", "interfaces": [{"name": "vmbr0", "address": "10.99.7.1/24"}]},
        {"name": "pve2", "interfaces": [{"name": "vmbr0", "address": "10.99.7.2/24"}]},
    ]
    done = site.playbook([task(site, wrong, try_seconds=8)])
    (result,) = results(done)
    assert done.returncode != 0
    first, second = result["objects"]
    assert "pve1 put back what was there before and can be reached again" in first["error"]
    assert second["outcome"] == "not tried"
    assert {name: nodes[name].node.interfaces for name in nodes} == before
    assert (nodes["pve1"].reverts, nodes["pve2"].reverts) == (1, 0)
    assert "description" not in nodes["pve1"].node.conf


def test_without_the_helper_the_node_is_left_as_it_is(site: Site, tmp_path: Path) -> None:
    """Would catch a change without a way back."""
    site.reset()
    with helped(site, tmp_path):
        done = site.playbook([task(site, [rack("pve1", 1)])])
        (result,) = results(done)
        assert "no revert could be armed" in result["msg"] and "proxmox_node" in result["msg"]
        node = site.simulator.fleet.node("pve1")
        assert "vmbr1" not in node.interfaces and node.staged is None and "description" not in node.conf


@pytest.mark.parametrize(
    ("login", "said"),
    [
        ({"api_user": "root@pam", "api_password": "wrong-Pa55word"}, "login of root@pam was refused"),
        ({"api_token_id": "a@pve!t", "api_token_secret": "no-such-secret"}, "api_token_id"),
    ],
)
def test_wrong_credentials_are_said_and_not_shown(
    site: Site, nodes: dict[str, SimulatedNode], login: dict[str, Any], said: str
) -> None:
    """Would catch a traceback, or the password in the output at -vvv."""
    wanted = task(site, [rack("pve1", 1)])
    for key in ("api_user", "api_password"):
        del wanted[MODULE][key]
    wanted[MODULE].update(login)
    done = site.playbook([wanted], "-vvv")
    assert done.returncode != 0 and said in done.stdout and "Traceback" not in done.stdout
    assert "wrong-Pa55word" not in done.stdout + done.stderr and "no-such-secret" not in done.stdout + done.stderr


def test_what_was_made_is_read_by_the_info_module(site: Site, nodes: dict[str, SimulatedNode]) -> None:
    """Would catch two vocabularies, one for writing and one for reading."""
    info = {f"{MODULE}_info": site.connection()}
    made, read = results(site.playbook([task(site, [rack("pve1", 1, comment="rack")]), info]))
    assert made["changed"] and set(read["nodes"]) == {"pve1", "pve2"}
    bridge = read["nodes"]["pve1"]["interfaces"]["vmbr1"]
    assert bridge["address"] == "10.10.10.1/16" and bridge["mtu"] == 1400 and bridge["comment"] == "rack"
    assert read["nodes"]["pve1"]["staged"] is False
    (bad,) = results(site.playbook([{f"{MODULE}_info": {**site.connection(), "nodes": ["pve9"]}}]))
    assert "there is no node pve9" in bad["msg"]
