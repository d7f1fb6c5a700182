# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of nodes: what is compared, what is sent, what is refused, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._proxmox import networks
from ansible_collections.socle.platform.plugins.module_utils._reconcile import DesiredError, plan
from hypothesis import given
from hypothesis import strategies as st

from .nodeworld import NodeWorld, WorldSession


def planned(world: NodeWorld, nodes: list[dict[str, Any]]) -> Any:
    reader = networks.Networks(WorldSession(world))  # type: ignore[arg-type]  # stands in for a Session
    return plan(networks.desired({"nodes": nodes}), reader), reader


def one(name: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"name": "pve1", "interfaces": [{"name": name, **fields}]}]


ROWS = st.fixed_dictionaries(
    {"type": st.just("bridge"), "bridge_ports": st.sampled_from(["", "eno1", "eno1 eno2"])},
    optional={
        "cidr": st.sampled_from(["10.0.0.1/24", "10.1.0.1/16"]),
        "mtu": st.sampled_from(["1400", "9000"]),
        "autostart": st.just(1),
        "bridge_vlan_aware": st.just(1),
        "bridge_vids": st.sampled_from(["2-4094", "2 3 4"]),
        "comments": st.sampled_from(["hello\n", "two\nlines\n"]),
        "ovs_options": st.just("tag=1"),
    },
)


@given(row=ROWS)
def test_an_interface_sent_back_as_it_was_read_is_the_same_one(row: dict[str, Any]) -> None:
    """Would catch a field lost in the write: a PUT replaces the whole interface."""
    shown = networks.interface_of(row)
    sent = networks.params_of(row, shown)
    assert networks.interface_of({**sent, "autostart": sent.get("autostart", 0)}) == shown
    assert sent.get("ovs_options") == row.get("ovs_options")


@given(row=ROWS, mtu=st.sampled_from([1400, 1500]))
def test_changing_one_field_keeps_the_others(row: dict[str, Any], mtu: int) -> None:
    """Would catch an update that drops an address because only the MTU was asked for."""
    before = networks.interface_of(row)
    after = networks.after_of({"interfaces": {"vmbr0": {"mtu": mtu}}}, {"interfaces": {"vmbr0": before}})["vmbr0"]
    sent = networks.interface_of(networks.params_of(row, after))
    assert sent == {**before, "mtu": mtu}


def test_what_is_already_so_is_nothing_to_do(tmp_path: Path) -> None:
    """Would catch strings against numbers, order of ports, trailing newlines."""
    world = NodeWorld(tmp_path)
    fields = {"type": "bridge", "ports": ["eno2.100"], "mtu": 1400, "autostart": True, "vlan_aware": False}
    made, _reader = planned(world, one("vmbr1", **fields))
    assert not made.changed and not made.refusals
    made, _reader = planned(world, one("vmbr0", comment="public", gateway="203.0.113.1", address6=""))
    assert not made.changed


@pytest.mark.parametrize(
    ("interface", "said"),
    [
        ({"name": "vmbr5"}, "its type is needed"),
        ({"name": "vmbr5", "type": "bridge", "ports": ["eno7"]}, "there is no interface eno7"),
        ({"name": "vmbr5", "type": "bridge", "ports": ["eno1"]}, "already part of vmbr0"),
        ({"name": "bond0", "type": "bond", "members": ["eno1", "eno2"]}, "can be in one only"),
        ({"name": "vmbr5", "type": "bridge", "address": "10.9.0.1/24", "gateway": "10.9.0.254"}, "both have a gateway"),
        ({"name": "vmbr0", "gateway": "192.0.2.1"}, "not in the network of 203.0.113.11/24"),
        ({"name": "vlan7", "type": "vlan", "vlan": 7, "device": "bond9"}, "there is no interface bond9"),
        ({"name": "eno1", "state": "absent"}, "there is no interface eno1"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_staged(tmp_path: Path, interface: dict[str, Any], said: str) -> None:
    """Would catch a bridge whose port another bridge holds, found out only when the node is gone."""
    world = NodeWorld(tmp_path)
    made, _reader = planned(world, [{"name": "pve1", "interfaces": [interface]}])
    assert any(said in text for text in made.refusals), made.refusals
    assert not any(call.startswith(("POST", "PUT", "DELETE")) for call in world.calls)


def test_changes_that_somebody_staged_are_not_applied_with_ours(tmp_path: Path) -> None:
    """Would catch taking the staged view for what runs, or making somebody's unfinished work real."""
    world = NodeWorld(tmp_path)
    world.connect("203.0.113.11").post("/nodes/pve1/network", iface="vmbr9", type="bridge")
    made, _reader = planned(world, one("vmbr1", mtu=1500))
    assert "somebody has staged network changes" in made.refusals[0]


def test_unknown_and_offline_nodes_are_named(tmp_path: Path) -> None:
    """Would catch a traceback, or a node silently left out."""
    world = NodeWorld(tmp_path)
    made, _reader = planned(world, [{"name": "pve7", "interfaces": [{"name": "vmbr1", "type": "bridge"}]}])
    assert "there is no node pve7; there are pve1" in made.refusals[0]


def test_a_bond_comes_before_its_bridge_and_a_moved_gateway_is_given_up_first(tmp_path: Path) -> None:
    """Would catch an order that the API refuses: unknown bridge port, second default gateway."""
    world = NodeWorld(tmp_path)
    interfaces: list[dict[str, Any]] = [
        {"name": "vmbr5", "type": "bridge", "ports": ["bond0"], "address": "203.0.113.9/24", "gateway": "203.0.113.1"},
        {"name": "bond0", "type": "bond", "members": ["eno1"], "mode": "active-backup"},
        {"name": "vmbr0", "ports": [], "gateway": ""},
        {"name": "vmbr1", "state": "absent"},
    ]
    made, reader = planned(world, [{"name": "pve1", "interfaces": interfaces}])
    assert not made.refusals
    rows = {row["iface"]: row for row in reader.session.pve.get("/nodes/pve1/network")}
    order = [(name, action) for name, action, _params in networks.writes(rows, made.changes[0])]
    assert order == [("vmbr1", "delete"), ("vmbr0", "update"), ("bond0", "create"), ("vmbr5", "create")]


def test_two_contradictions_are_told_together() -> None:
    """Would catch stopping at the first mistake."""
    with pytest.raises(DesiredError) as caught:
        list(
            networks.desired(
                {
                    "nodes": [
                        {
                            "name": "pve1",
                            "interfaces": [
                                {"name": "vmbr1", "type": "bridge", "address": "10.0.0.1"},
                                {"name": "v7", "type": "vlan", "vlan": 7},
                                {"name": "vmbr2", "type": "bridge", "mode": "802.3ad"},
                            ],
                        }
                    ]
                }
            )
        )
    assert len(caught.value.problems) == 3


def test_nodes_are_changed_one_after_the_other() -> None:
    """Would catch a mistake that all nodes share locking out all of them at once."""
    interface = {"name": "vmbr1", "type": "bridge"}
    found = list(networks.desired({"nodes": [{"name": n, "interfaces": [interface]} for n in ("a", "b", "c")]}))
    assert [sorted(item.needs) for item in found] == [[], ["a"], ["b"]]
