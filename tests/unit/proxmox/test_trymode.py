# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever makes a mistake that locks everybody out of a node gets the node back, by the helper that it really runs."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._proxmox import networks, trymode
from ansible_collections.socle.platform.plugins.module_utils._reconcile import AdapterError, Change, plan

from .nodeworld import FakeNode, Killed, NodeWorld, WorldSession, helper

SECONDS = 60
MISTAKES: list[dict[str, Any]] = [
    {"name": "vmbr0", "address": "", "gateway": ""},
    {"name": "vmbr0", "address": "203.0.113.99/24"},
    {"name": "vmbr0", "address": "203.0.113.11/32"},
    {"name": "vmbr0", "gateway": ""},
    {"name": "vmbr0", "gateway": "203.0.113.254"},
    {"name": "vmbr0", "ports": []},
    {"name": "vmbr0", "ports": ["eno2"]},
    {"name": "vmbr0", "ports": ["eno1.100"]},
    {"name": "vmbr0", "state": "absent"},
    {"name": "bond0", "type": "bond", "members": ["eno2"], "mode": "802.3ad"},
]
HARMLESS: list[dict[str, Any]] = [
    {"name": "vmbr1", "mtu": 1500},
    {"name": "vmbr1", "comment": "rack"},
    {"name": "vmbr0", "comment": "outside"},
    {"name": "vmbr2", "type": "bridge", "address": "10.20.0.1/24"},
    {"name": "vmbr1", "address": "10.10.9.9/16"},
]


def mistaken(seed: int) -> list[dict[str, Any]]:
    """Up to three harmless changes with a mistake among them."""
    rng = random.Random(seed)
    wrong = dict(rng.choice(MISTAKES))
    others = {item["name"]: dict(item) for item in rng.sample(HARMLESS, rng.randint(0, 3))}
    chosen = [item for name, item in others.items() if name != wrong["name"]]
    if wrong["name"] == "bond0":
        chosen = [{"name": "vmbr0", "ports": ["bond0"]}, wrong]
    else:
        chosen.append(wrong)
    rng.shuffle(chosen)
    return chosen


def parameters(world: NodeWorld, interfaces: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    nodes = [{"name": "pve1", "interfaces": interfaces}]
    return {
        "nodes": nodes,
        "try_mode": True,
        "try_seconds": SECONDS,
        "try_ports": [22],
        "reach": world.reach,
        **more,
    }


def change_of(world: NodeWorld, params: dict[str, Any]) -> tuple[Change, networks.NetworksWriter]:
    session: Any = WorldSession(world)
    reader = networks.Networks(session)
    made = plan(networks.desired(params), reader)
    assert not made.refusals, made.refusals
    assert made.changed
    return made.changes[0], networks.NetworksWriter(session, params, reader, world.tools)


def run(world: NodeWorld, interfaces: list[dict[str, Any]], **more: Any) -> None:
    change, writer = change_of(world, parameters(world, interfaces, **more))
    writer.update(change, world.step(change))


def as_before(node: FakeNode) -> None:
    assert node.read("etc/network/interfaces") == node.fresh() == node.running
    assert not (node.root / "etc/network/interfaces.new").exists()
    assert node.reached(node.public)


@pytest.mark.parametrize("seed", range(200))
def test_a_seeded_lock_out_is_reverted_by_the_node_itself(tmp_path: Path, seed: int) -> None:
    """Would catch any mistake that leaves a node unreachable, and a failure that is told as a success."""
    world = NodeWorld(tmp_path)
    node = world.nodes["pve1"]
    node.set_notes("rack 7\nask grace")
    started = world.clock.now()
    with pytest.raises(AdapterError) as caught:
        run(world, mistaken(seed))
    assert "pve1 put back what was there before and can be reached again" in caught.value.sentence
    assert "could not be reached" in caught.value.sentence
    assert node.reloads >= 3, "it must really have been locked out"
    assert world.clock.now() - started < SECONDS + 60
    as_before(node)
    assert node.notes() == "rack 7\nask grace"
    assert not node.guard.load()


@pytest.mark.parametrize("seed", range(60))
def test_a_controller_killed_at_any_call_leaves_a_node_that_comes_back(tmp_path: Path, seed: int) -> None:
    """Would catch a revert that needs the controller; a kill before it is armed must not have changed anything."""
    world = NodeWorld(tmp_path)
    change, writer = change_of(world, parameters(world, mistaken(seed)))
    world.kill_at = len(world.calls) + 1 + seed % 20
    with pytest.raises((Killed, AdapterError)):
        writer.update(change, world.step(change))
    world.pass_time(SECONDS + 5)
    node = world.nodes["pve1"]
    assert node.reached(node.public)
    assert node.running == node.fresh()
    assert not node.guard.load()


@pytest.mark.parametrize("item", HARMLESS, ids=lambda item: f"{item['name']}-{list(item)[-1]}")
def test_a_change_that_leaves_the_way_in_stays_and_is_disarmed(tmp_path: Path, item: dict[str, Any]) -> None:
    """Would catch a revert that strikes although all went well, then or later."""
    world = NodeWorld(tmp_path)
    node = world.nodes["pve1"]
    run(world, [dict(item)])
    after = node.running
    assert after != node.fresh()
    assert not node.guard.load() and node.notes() == ""
    world.pass_time(3 * SECONDS)
    assert node.running == after
    assert world.clock.now() < SECONDS * 3 + 60


def test_a_node_that_moves_is_reached_where_it_will_be(tmp_path: Path) -> None:
    """Would catch looking for it at its old address, which would revert every intended move."""
    world = NodeWorld(tmp_path)
    params = parameters(world, [{"name": "vmbr0", "address": "203.0.113.77/24"}])
    params["nodes"][0]["reach_after"] = "203.0.113.77"
    change, writer = change_of(world, params)
    writer.update(change, world.step(change))
    node = world.nodes["pve1"]
    assert node.reached("203.0.113.77") and not node.reached(node.public)
    world.pass_time(3 * SECONDS)
    assert node.reached("203.0.113.77")


def test_without_a_helper_nothing_is_changed(tmp_path: Path) -> None:
    """Would catch going ahead unprotected, and a staged change left behind."""
    world = NodeWorld(tmp_path)
    node = world.nodes["pve1"]
    node.helped = False
    with pytest.raises(AdapterError) as caught:
        run(world, [{"name": "vmbr1", "mtu": 1500}])
    assert "nothing was changed, because no revert could be armed" in caught.value.sentence
    assert "proxmox_node" in caught.value.hint
    as_before(node)
    assert node.notes() == ""
    run(world, [{"name": "vmbr1", "mtu": 1500}], try_mode=False)
    assert node.running["vmbr1"]["mtu"] == 1500


def test_a_node_that_cannot_be_reached_now_is_not_touched(tmp_path: Path) -> None:
    """Would catch arming a trial that nobody could ever pass."""
    world = NodeWorld(tmp_path)
    with pytest.raises(AdapterError, match="before anything was changed"):
        run(world, [{"name": "vmbr1", "mtu": 1500}], reach={"pve1": "192.0.2.9"})
    as_before(world.nodes["pve1"])


def test_two_trials_on_one_node_do_not_meet(tmp_path: Path) -> None:
    """Would catch a second run that disarms the first one's revert."""
    world = NodeWorld(tmp_path)
    node = world.nodes["pve1"]
    node.guard.arm("00112233aabbccdd", 300, "network")
    with pytest.raises(AdapterError, match="armed by somebody else"):
        run(world, [{"name": "vmbr1", "mtu": 1500}])
    state = node.guard.load()
    assert state and state["token"] == "00112233aabbccdd"


def test_a_node_that_restarts_while_armed_goes_back(tmp_path: Path) -> None:
    """Would catch a helper that keeps what it needs in memory only."""
    world = NodeWorld(tmp_path)
    node = world.nodes["pve1"]
    node.guard.arm("00112233aabbccdd", 30, "network")
    broken = node.fresh()
    del broken["vmbr0"]
    node.write("etc/network/interfaces", broken)
    node.dead = True
    world.pass_time(90)
    node.reload()
    node.guard = helper.Guard(helper.Node(node.root, node.name, node.run), now=world.clock.now)
    node.dead = False
    world.pass_time(3)
    as_before(node)


def test_a_network_that_somebody_else_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    """Would catch applying a plan to a node that is no longer what it was planned from."""
    world = NodeWorld(tmp_path)
    change, writer = change_of(world, parameters(world, [{"name": "vmbr1", "mtu": 1500}]))
    node = world.nodes["pve1"]
    other = {**node.fresh(), "vmbr7": {"type": "bridge"}}
    node.write("etc/network/interfaces", other)
    node.reload()
    with pytest.raises(AdapterError, match="changed by somebody while this task ran"):
        writer.update(change, world.step(change))
    assert node.running == other


class TestHelper:
    """The helper alone, on files."""

    def node(self, root: Path) -> Any:
        self.ran: list[list[str]] = []
        for folder in ("etc/network/interfaces.d", "etc/pve/firewall", "etc/pve/nodes/pve1"):
            (root / folder).mkdir(parents=True)
        (root / "etc/network/interfaces").write_text("auto lo\n")
        # Nobody else keeps its network.
        return helper.Node(root, "pve1", lambda argv: 1 if "is-enabled" in argv else self.ran.append(argv) or 0)

    def test_files_that_were_not_there_are_removed_again(self, tmp_path: Path) -> None:
        """Would catch a lock-out by a new file in interfaces.d, or by a first host.fw."""
        node = self.node(tmp_path)
        guard = helper.Guard(node, now=lambda: 0.0)
        guard.arm("00112233", 60, "network")
        (tmp_path / "etc/network/interfaces.d/wrong").write_text("auto eno1\n")
        (tmp_path / "etc/network/interfaces").write_text("wrong\n")
        guard.revert(guard.load())
        assert not (tmp_path / "etc/network/interfaces.d/wrong").exists()
        assert (tmp_path / "etc/network/interfaces").read_text() == "auto lo\n"
        assert self.ran == [["ifreload", "-a"]]
        assert guard.load() is None

    def test_a_firewall_trial_leaves_the_network_alone(self, tmp_path: Path) -> None:
        """Would catch a revert that undoes what it was not armed for."""
        node = self.node(tmp_path)
        guard = helper.Guard(node, now=lambda: 0.0)
        guard.arm("00112233", 60, "firewall")
        (tmp_path / "etc/network/interfaces").write_text("meant\n")
        (tmp_path / "etc/pve/firewall/cluster.fw").write_text("[OPTIONS]\nenable: 1\n")
        guard.revert(guard.load())
        assert (tmp_path / "etc/network/interfaces").read_text() == "meant\n"
        assert not (tmp_path / "etc/pve/firewall/cluster.fw").exists()
        assert self.ran == [["pve-firewall", "restart"]]

    def test_without_a_quorum_the_firewall_is_opened_and_tried_again(self, tmp_path: Path) -> None:
        """Would catch giving up when /etc/pve is read-only, which leaves the node locked."""
        node = self.node(tmp_path)
        time = [0.0]
        guard = helper.Guard(node, now=lambda: time[0])
        guard.arm("00112233", 60, "firewall")
        (tmp_path / "etc/pve/firewall/cluster.fw").write_text("wrong")
        real = node._write

        def read_only(name: str, text: Any) -> None:
            raise OSError(30, "Read-only file system")

        node._write = read_only
        time[0] = 61.0
        guard.tick()
        assert ["pve-firewall", "stop"] in self.ran and guard.load()
        node._write = real
        guard.tick()
        assert self.ran[-1] == ["pve-firewall", "restart"] and guard.load() is None

    def test_a_disarm_that_comes_after_the_revert_began_does_not_count(self, tmp_path: Path) -> None:
        """Would catch half of the old files left in place as if they were the new ones."""
        node = self.node(tmp_path)
        guard = helper.Guard(node, now=lambda: 0.0)
        guard.arm("00112233", 60, "network")
        guard.save({**guard.load(), "reverting": True})
        assert guard.disarm("00112233") is False

    def test_a_clock_set_back_does_not_keep_a_node_locked(self, tmp_path: Path) -> None:
        """Would catch a revert that is due in a year because the time server spoke."""
        node = self.node(tmp_path)
        time = [1e9]
        guard = helper.Guard(node, now=lambda: time[0])
        guard.arm("00112233", 60, "network")
        (tmp_path / "etc/network/interfaces").write_text("wrong\n")
        time[0] = 1e6
        guard.tick()
        assert (tmp_path / "etc/network/interfaces").read_text() == "auto lo\n"

    def test_commands_with_nonsense_are_refused(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Would catch arming with an empty token, or for ever."""
        assert helper.main(["arm", "zz", "60", "network"]) == 2
        assert helper.main(["arm", "00112233", "60", "all"]) == 2
        assert helper.main([]) == 2
        assert "usage" in capsys.readouterr().err
        guard = helper.Guard(self.node(tmp_path), now=lambda: 0.0)
        guard.arm("00112233", 10**9, "network")
        assert guard.load()["seconds"] == 3600


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("pve1", "pve1"),
        ("10.0.0.1:8006", "10.0.0.1"),
        ("[2001:db8::1]:8006", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_host_of_an_address(address: str, host: str) -> None:
    """Would catch a knock at a port of a host named 'x:8006'."""
    assert trymode.host_of(address) == host
