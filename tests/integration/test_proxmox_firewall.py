# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""proxmox_firewall by real playbooks, against the simulator with the nodes' helper."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxmox_helpers import SimulatedNode, helped
from proxmox_site import Site, results, running

MODULE = "socle.platform.proxmox_firewall"
MANAGEMENT = {"name": "management", "members": [{"cidr": "127.0.0.0/8", "comment": "here"}, {"cidr": "10.10.0.0/16"}]}
WEB = {"name": "web", "rules": [{"action": "ACCEPT", "proto": "tcp", "dport": "80,443"}]}
RULES = [
    {"type": "group", "action": "web"},
    {"action": "ACCEPT", "source": "+management", "proto": "tcp", "dport": "9100", "comment": "metrics"},
    {"action": "DROP", "source": "192.0.2.0/24"},
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("pve"), nodes=("pve1", "pve2"), cluster="lab") as made:
        made.control("POST", "guests", count=3, first=100)
        made.simulator.control.remember()
        yield made


@pytest.fixture
def nodes(site: Site, tmp_path: Path) -> Iterator[dict[str, SimulatedNode]]:
    site.reset()
    with helped(site, tmp_path, "pve1", "pve2") as found:
        yield found


def task(site: Site, **what: Any) -> dict[str, Any]:
    reach = dict(zip(site.about["nodes"], site.hosts(), strict=True))
    common = {"reach": reach, "try_settle": 0.1, "try_ports": []}
    return {MODULE: {**site.connection(), **common, **what}}


def whole(site: Site) -> dict[str, Any]:
    guest = site.world.guests[100]
    return {
        "cluster": {
            "options": {"enable": True, "policy_in": "REJECT"},
            "aliases": [{"name": "desk", "cidr": "198.51.100.7/32"}],
            "ipsets": [MANAGEMENT],
            "groups": [WEB],
            "rules": RULES,
        },
        "nodes": [{"name": "pve1", "options": {"tcpflags": True}, "rules": [{"action": "ACCEPT", "macro": "Ping"}]}],
        "guests": [
            {"id": 100, "name": guest.conf["name"], "options": {"enable": True}, "rules": [RULES[0]], "ipsets": []}
        ],
    }


def test_all_three_levels_are_planned_made_and_then_nothing_is_to_do(
    site: Site, nodes: dict[str, SimulatedNode]
) -> None:
    """Would catch a write in check mode, a plan that is not what is done, rules in another order, an endless change."""
    wanted = task(site, **whole(site))
    site.forget()
    (planned,) = results(site.playbook([wanted], "--check", "--diff"))
    assert site.writes() == [] and planned["changed"]
    (done,) = results(site.playbook([wanted]))
    assert [o["outcome"] for o in done["objects"]] == ["succeeded"] * 4, done["msg"]
    assert [o["fields"] for o in done["objects"]] == [o["fields"] for o in planned["objects"]]
    book = site.world.firewall
    assert [rule["action"] for rule in book["rules"]] == ["web", "ACCEPT", "DROP"]
    assert all(rule["enable"] == 1 for rule in book["rules"])
    assert set(book["ipset"]["management"]["members"]) == {"127.0.0.0/8", "10.10.0.0/16"}
    assert book["options"]["enable"] == 1 and book["options"]["policy_in"] == "REJECT"
    assert site.world.nodes["pve1"].firewall["options"]["tcpflags"] == 1
    assert site.world.guest_firewalls[100]["rules"][0]["action"] == "web"
    assert all(node.reverts == 0 and "description" not in node.node.conf for node in nodes.values())
    site.forget()
    (again,) = results(site.playbook([wanted]))
    assert not again["changed"] and site.writes() == []


def test_rules_that_shut_us_out_are_refused_by_name(site: Site, nodes: dict[str, SimulatedNode]) -> None:
    """Would catch the firewall switched on with nobody let in."""
    site.forget()
    done = site.playbook([task(site, cluster={"options": {"enable": True}})])
    (result,) = results(done)
    assert done.returncode != 0
    assert "node pve1: its firewall would refuse 127.0.0.1 at port 8006 (the policy DROP)" in result["msg"]
    assert "put 127.0.0.1 into the ipset management" in result["msg"] and "node pve2" in result["msg"]
    assert site.writes() == []


def test_rules_of_others_stay_unless_they_are_pruned(site: Site, nodes: dict[str, SimulatedNode]) -> None:
    """Would catch a rule made by hand that vanishes, and one that pruning leaves."""
    root = {"type": "in", "action": "ACCEPT", "source": "192.0.2.77", "enable": 1}
    site.world.firewall["rules"] = [dict(root)]
    (kept,) = results(site.playbook([task(site, cluster={"rules": RULES[1:], "ipsets": [MANAGEMENT]})]))
    assert kept["changed"], kept
    assert [rule["action"] for rule in site.world.firewall["rules"]] == ["ACCEPT", "DROP", "ACCEPT"]
    wanted = {"rules": RULES[1:], "ipsets": [MANAGEMENT], "aliases": []}
    (pruned,) = results(site.playbook([task(site, cluster=wanted, prune=True)]))
    assert pruned["changed"]
    assert [rule.get("source") for rule in site.world.firewall["rules"]] == ["+management", "192.0.2.0/24"]
    (again,) = results(site.playbook([task(site, cluster=wanted, prune=True)]))
    assert not again["changed"]


def test_what_is_to_be_absent_goes_after_what_used_it(site: Site, nodes: dict[str, SimulatedNode]) -> None:
    """Would catch a group or set deleted while a rule still names it, or one that is not empty."""
    assert results(site.playbook([task(site, **whole(site))]))[0]["changed"]
    gone = {
        "rules": [RULES[2]],
        "groups": [{"name": "web", "state": "absent"}],
        "aliases": [{"name": "desk", "state": "absent"}],
        "ipsets": [{**MANAGEMENT, "members": [{"cidr": "127.0.0.0/8"}]}],
    }
    (done,) = results(site.playbook([task(site, cluster=gone, prune=True)]))
    assert done["changed"], done
    assert site.world.firewall["groups"] == {} and site.world.firewall["aliases"] == {}
    assert list(site.world.firewall["ipset"]["management"]["members"]) == ["127.0.0.0/8"]


def test_a_guest_of_another_name_is_not_touched(site: Site, nodes: dict[str, SimulatedNode]) -> None:
    """Would catch opening the firewall of whoever has that id now."""
    site.forget()
    wanted = [{"id": 101, "name": "somebody-else", "options": {"enable": True}}]
    done = site.playbook([task(site, guests=wanted)])
    assert done.returncode != 0 and site.writes() == []
    (result,) = results(done)
    assert "somebody-else" in result["msg"] and site.world.guests[101].conf["name"] in result["msg"]
    (missing,) = results(site.playbook([task(site, guests=[{"id": 999, "name": "x", "rules": []}])]))
    assert "there is no guest with that id" in missing["msg"]


def test_what_was_made_is_read_by_the_info_module(site: Site, nodes: dict[str, SimulatedNode]) -> None:
    """Would catch an info module whose words mean something else to the module that keeps the firewall."""
    del nodes
    asked = {f"{MODULE}_info": {**site.connection(), "guests": [100]}}
    made, read = results(site.playbook([task(site, **whole(site)), asked]))
    assert made["changed"], made["msg"]
    assert read["cluster"]["options"]["policy_in"] == "REJECT" and read["guests"][0]["id"] == 100
    assert [item["name"] for item in read["nodes"]] == ["pve1", "pve2"] and read["nodes"][0]["options"]["tcpflags"]
    words = {level: read[level] for level in ("cluster", "nodes", "guests")}
    site.forget()
    (again,) = results(site.playbook([task(site, **words, prune=True)]))
    assert not again["changed"] and not again.get("failed") and site.writes() == [], again
    wrong = {f"{MODULE}_info": {**site.connection(), "guests": [999], "nodes": ["pve9"]}}
    (bad,) = results(site.playbook([wrong]))
    assert bad["failed"] and "no node pve9" in bad["msg"] and "no virtual machine 999" in bad["msg"]
