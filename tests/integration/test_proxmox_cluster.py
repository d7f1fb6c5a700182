# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""proxmox_cluster by real playbooks: servers of the simulator that stand alone become one cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxmox_site import Site, results, running

MODULE = "socle.platform.proxmox_cluster"
NAMES = ("pve1", "pve2", "pve3", "pve4")


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("pve"), nodes=NAMES) as made:
        yield made


@pytest.fixture
def site(shared_site: Site) -> Site:
    shared_site.reset()
    return shared_site


def task(site: Site, *names: str, cluster: str = "cater", **more: Any) -> dict[str, Any]:
    hosts = dict(zip(NAMES, site.hosts(), strict=True))
    nodes = [{"name": n, "api_host": hosts[n], "links": [site.simulator.fleet.node(n).address]} for n in names]
    connection = site.connection()
    del connection["api_host"]
    return {MODULE: {**connection, "name": cluster, "nodes": nodes, **more}}


def members(site: Site) -> dict[str, list[str]]:
    return {made.cluster["name"]: sorted(made.nodes) for made in site.simulator.fleet.sites if made.cluster}


def test_servers_become_one_cluster_and_then_nothing_is_to_do(site: Site) -> None:
    """Would catch a write in check mode, joins side by side, and a second run that makes a second cluster."""
    wanted = task(site, "pve1", "pve2", "pve3")
    site.forget()
    (planned,) = results(site.playbook([wanted], "--check"))
    assert planned["changed"] and site.writes() == []
    (done,) = results(site.playbook([wanted]))
    assert [o["outcome"] for o in done["objects"]] == ["succeeded"] * 3, done["msg"]
    assert [o["fields"] for o in done["objects"]] == [o["fields"] for o in planned["objects"]]
    assert members(site) == {"cater": ["pve1", "pve2", "pve3"]}
    writes = [text for text in site.writes() if "config" in text]
    assert writes == ["POST /cluster/config", "POST /cluster/config/join", "POST /cluster/config/join"]
    assert not done.get("warnings")
    site.forget()
    (again,) = results(site.playbook([wanted]))
    assert not again["changed"] and site.writes() == []
    (more,) = results(site.playbook([task(site, "pve1", "pve2", "pve3", "pve4")]))
    assert more["changed"] and members(site) == {"cater": list(NAMES)}
    assert "cluster cater has 4 nodes" in more["warnings"][0] and "QDevice" in more["warnings"][0]


def test_the_twin_tells_who_is_in_it_and_whether_it_can_decide(site: Site) -> None:
    """Would catch a node that is away told as there, a lost quorum told as one, and links of another node."""
    twin = {"socle.platform.proxmox_cluster_info": site.connection()}
    (alone,) = results(site.playbook([twin]))
    assert (alone["name"], alone["quorate"], len(alone["nodes"])) == ("", True, 1)
    (_made, found) = results(site.playbook([task(site, "pve1", "pve2", "pve3"), twin]))
    assert (found["name"], found["quorate"], found["qdevice"], found["changed"]) == ("cater", True, False, False)
    fleet = site.simulator.fleet
    assert found["nodes"] == [
        {
            "name": name,
            "address": fleet.node(name).address,
            "online": True,
            "links": [fleet.node(name).address],
            "votes": 1,
        }
        for name in NAMES[:3]
    ]
    fleet.node("pve3").online = False
    next(made for made in fleet.sites if made.cluster).quorum = False
    (found,) = results(site.playbook([twin]))
    assert [node["online"] for node in found["nodes"]] == [True, True, False] and not found["quorate"]


def test_a_join_whose_connection_breaks_counts_when_the_cluster_has_the_node(site: Site) -> None:
    """Would catch a node reported as failed because its own API restarts at the end of a join."""
    fault = {"kind": "reset", "method": "POST", "path": "/cluster/config/join$", "after": True, "at": 1}
    headers = {"x-control-token": site.about["control_token"]}
    status, _answer = site.simulator.control.handle("POST", "/control/faults", headers, json.dumps(fault).encode())
    assert status == 200
    (done,) = results(site.playbook([task(site, "pve1", "pve2", "pve3")]))
    assert [o["outcome"] for o in done["objects"]] == ["succeeded"] * 3, done["msg"]
    assert members(site) == {"cater": ["pve1", "pve2", "pve3"]}


def test_a_wrong_password_of_the_cluster_is_said_with_the_task(site: Site) -> None:
    """Would catch waiting for a node that never comes, without its own words, or a password in the output."""
    wanted = task(site, "pve1", "pve2")
    wanted[MODULE]["nodes"][0]["password"] = "secret"
    wanted[MODULE]["nodes"][1]["fingerprint"] = "AA"
    wanted[MODULE]["nodes"][0]["fingerprint"] = ":".join(["AB"] * 32)
    done = site.playbook([wanted], "-vvv")
    (result,) = results(done)
    assert result["objects"][0]["outcome"] == "succeeded" and result["objects"][1]["outcome"] == "failed"
    assert "fingerprint not verified" in result["msg"]


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("guests", "it has guests"),
        ("other cluster", "it is in a cluster named other"),
        ("gone", "it cannot be reached at"),
        ("wrong name", "calls itself pve2"),
    ],
)
def test_what_cannot_join_is_named_before_anything_is_written(site: Site, prepare: str, said: str) -> None:
    """Would catch half of a cluster made before the last node turns out to be unfit."""
    fleet = site.simulator.fleet
    wanted = task(site, "pve1", "pve2")
    if prepare == "guests":
        from pvesim.world import Guest

        fleet.site_of("pve2").guests[100] = Guest(100, "pve2", {"name": "old-one"})
    elif prepare == "other cluster":
        fleet.site_of("pve2").cluster = {"name": "other", "version": 1}
    elif prepare == "gone":
        wanted[MODULE]["nodes"][1]["api_host"] = "127.0.0.1:9"
    else:
        wanted[MODULE]["nodes"][1]["name"] = "pve9"
    site.forget()
    done = site.playbook([wanted])
    (result,) = results(done)
    assert done.returncode != 0 and said in result["msg"], result["msg"]
    assert site.writes() == [] and members(site) in ({}, {"other": ["pve2"]})


def test_a_token_is_told_that_it_is_not_enough(site: Site) -> None:
    """Would catch '403' without a word about root@pam."""
    root = site.world
    root.users["root@pam"]["tokens"]["t"] = {"privsep": 0, "expire": 0, "value": "x" * 36, "secret": "x" * 36}
    wanted = task(site, "pve1")
    for key in ("api_user", "api_password"):
        del wanted[MODULE][key]
    wanted[MODULE].update(api_token_id="root@pam!t", api_token_secret="wrong-token-secret")
    done = site.playbook([wanted])
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert "wrong-token-secret" not in done.stdout


def test_links_that_differ_are_refused_with_the_way_to_change_them(site: Site) -> None:
    """Would catch claiming that all is well, or that the API could change it."""
    results(site.playbook([task(site, "pve1", "pve2", "pve3")]))
    wanted = task(site, "pve1", "pve2", "pve3")
    wanted[MODULE]["nodes"][1]["links"] = ["10.55.0.2"]
    (result,) = results(site.playbook([wanted]))
    assert "node pve2: its links are ['10.99.0.2'], wanted ['10.55.0.2']" in result["msg"]


def test_a_node_that_leaves_must_be_off(site: Site) -> None:
    """Would catch removing a node that still runs and comes back with the old configuration."""
    results(site.playbook([task(site, "pve1", "pve2", "pve3")]))
    wanted = task(site, "pve1", "pve2", "pve3")
    wanted[MODULE]["nodes"][2]["state"] = "absent"
    (refused,) = results(site.playbook([wanted]))
    assert "node pve3: it is online" in refused["msg"]
    site.simulator.fleet.node("pve3").online = False
    (done,) = results(site.playbook([wanted]))
    assert done["changed"] and members(site) == {"cater": ["pve1", "pve2"]}
