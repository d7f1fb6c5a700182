# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the firewall: one form, the way from one list to another, and who would be shut out."""

from __future__ import annotations

import ipaddress
import random
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._proxmox import firewall, trymode
from ansible_collections.socle.platform.plugins.module_utils._proxmox import firewall_rules as rules
from ansible_collections.socle.platform.plugins.module_utils._reconcile import (
    Action,
    AdapterError,
    Change,
    Desired,
    DesiredError,
)
from hypothesis import given
from hypothesis import strategies as st

from .nodeworld import CONTROLLER, NodeWorld

MANAGER = "198.51.100.7"
RULES = st.builds(
    lambda action, source, dport, enable: rules.normal(
        {"action": action, "source": source, "proto": "tcp", "dport": dport, "enable": enable}
    ),
    st.sampled_from(["ACCEPT", "DROP", "REJECT"]),
    st.sampled_from(["", "198.51.100.0/24", "198.51.100.7", "10.0.0.0/8", "198.51.100.1-198.51.100.9"]),
    st.sampled_from(["22", "8006", "22,8006", "1:9000", "443"]),
    st.booleans(),
)
LISTS = st.lists(RULES, max_size=6)


def moved(found: list[rules.Rule], goal: list[rules.Rule], *, pos_counts: bool = True) -> list[list[rules.Rule]]:
    """Every list on the way, each made as the API makes it."""
    now, way = list(found), [list(found)]
    while (move := rules.next_move(now, goal)) is not None:
        assert len(way) < 200, "it never ends"
        if move.action == "insert":
            now.insert(move.pos if pos_counts else 0, move.rule)
        elif move.action == "move":
            rule = now.pop(move.pos)
            now.insert(move.to, rule)
        else:
            assert now[move.pos] == move.rule
            del now[move.pos]
        way.append(list(now))
    return way


@given(found=LISTS, goal=LISTS, pos_counts=st.booleans())
def test_any_list_becomes_any_other(found: list[rules.Rule], goal: list[rules.Rule], pos_counts: bool) -> None:
    """Would catch positions counted wrongly, duplicates lost, and an API that puts new rules first whatever we say."""
    assert moved(found, goal, pos_counts=pos_counts)[-1] == goal


@given(found=LISTS, goal=LISTS)
def test_whoever_is_let_in_by_accepting_rules_now_and_afterwards_is_never_shut_out(
    found: list[rules.Rule], goal: list[rules.Rule]
) -> None:
    """Would catch deleting the old rule before the new one is there."""
    found, goal = ([{**rule, "action": "ACCEPT"} for rule in part] for part in (found, goal))

    def let_in(part: list[rules.Rule]) -> bool:
        return not rules.shut_out(rules.Book(True, "DROP"), True, part, MANAGER, 8006)

    if let_in(found) and let_in(goal):
        assert all(let_in(part) for part in moved(found, goal))


@given(found=LISTS, wanted=LISTS)
def test_rules_of_others_stay_behind_ours(found: list[rules.Rule], wanted: list[rules.Rule]) -> None:
    """Would catch a foreign rule deleted without being asked, or one that comes before ours."""
    goal = rules.target(wanted, found, exact=False)
    assert goal[: len(wanted)] == wanted
    assert all(goal.count(rule) >= found.count(rule) for rule in found)
    assert rules.target(wanted, found, exact=True) == wanted
    assert rules.target(wanted, goal, exact=False) == goal


def exactly(rule: rules.Rule, source: str, port: int) -> bool:
    """A second, simple-minded opinion on rules that hold nothing unknown."""
    text = rule.get("source", "")
    address = ipaddress.ip_address(source)
    if "-" in text:
        first, last = (ipaddress.ip_address(end) for end in text.split("-"))
        inside = int(first) <= int(address) <= int(last)
    else:
        inside = not text or address in ipaddress.ip_network(text)
    ranges = [(part.split(":") * 2)[:2] for part in rule["dport"].split(",")]
    return bool(rule["enable"] and inside and any(int(low) <= port <= int(high) for low, high in ranges))


@given(found=LISTS, policy=st.sampled_from(["ACCEPT", "DROP"]), port=st.sampled_from([22, 8006]))
def test_shut_out_is_what_the_first_matching_rule_says(found: list[rules.Rule], policy: str, port: int) -> None:
    """Would catch a wrong order, a rule that is off, a range or a network read wrongly."""
    first = next((rule["action"] for rule in found if exactly(rule, MANAGER, port)), policy)
    assert bool(rules.shut_out(rules.Book(True, policy), True, found, MANAGER, port)) == (first != "ACCEPT")


@pytest.mark.parametrize(
    ("given_rules", "let_in"),
    [
        ([{"action": "ACCEPT", "macro": "SSH"}], {22}),
        ([{"action": "ACCEPT", "proto": "udp"}], set()),
        ([{"action": "ACCEPT"}], {22, 8006}),
        ([{"action": "ACCEPT", "dest": "10.0.0.1"}], set()),
        ([{"action": "ACCEPT", "iface": "vmbr0"}], set()),
        ([{"action": "ACCEPT", "source": "+office"}], {22, 8006}),
        ([{"action": "ACCEPT", "source": "+dc/office"}], {22, 8006}),
        ([{"action": "ACCEPT", "source": "+nobody"}], set()),
        ([{"action": "ACCEPT", "source": "dc/desk"}], {22, 8006}),
        ([{"type": "group", "action": "admin"}], {8006}),
        ([{"type": "group", "action": "admin", "iface": "vmbr1"}], set()),
        ([{"action": "DROP", "source": "+unknown"}, {"action": "ACCEPT"}], set()),
        ([{"action": "DROP", "macro": "Ping"}, {"action": "ACCEPT"}], {22, 8006}),
        ([{"type": "out", "action": "ACCEPT"}], set()),
        ([{"action": "ACCEPT", "proto": "tcp", "dport": "ssh"}], {22}),
    ],
)
def test_what_is_not_known_does_not_count_as_a_way_in(given_rules: list[dict[str, Any]], let_in: set[int]) -> None:
    """Would catch a lock-out that is passed because a set, an interface or a macro was guessed."""
    book = rules.Book(
        True,
        "DROP",
        groups={"admin": [rules.normal({"action": "ACCEPT", "proto": "tcp", "dport": "8006"})]},
        ipsets={"office": {"198.51.100.0/24": {}, "198.51.100.200": {"nomatch": True}}},
        aliases={"desk": MANAGER},
    )
    listed = [rules.normal(rule) for rule in given_rules]
    assert {port for port in (22, 8006) if not rules.shut_out(book, True, listed, MANAGER, port)} == let_in


def test_the_management_set_and_switched_off_firewalls_let_in() -> None:
    """Would catch refusing what Proxmox always lets in."""
    book = rules.Book(True, "DROP", ipsets={"management": {"198.51.100.0/24": {}}})
    assert not rules.shut_out(book, True, [], MANAGER, 8006)
    assert rules.shut_out(book, True, [], "192.0.2.1", 8006) == "the policy DROP"
    assert not rules.shut_out(book, False, [], "192.0.2.1", 8006)
    assert not rules.shut_out(rules.Book(False, "DROP"), True, [], "192.0.2.1", 8006)


@given(rule=RULES)
def test_a_rule_sent_and_read_back_is_the_same(rule: rules.Rule) -> None:
    """Would catch a rule that differs for ever: names with hyphens, numbers for booleans."""
    assert rules.normal({**rules.params(rule), "pos": 3, "digest": "x", "ipversion": 4}) == rule


def test_contradictions_are_told_together() -> None:
    """Would catch an API error halfway through instead of a sentence before."""
    rule = {"type": "in", "action": "ALLOW", "enable": True, "dport": "22"}
    with pytest.raises(DesiredError) as caught:
        list(firewall.desired({"cluster": {"rules": [rule], "aliases": [{"name": "a1", "state": "present"}]}}))
    assert len(caught.value.problems) == 3


def test_the_switch_comes_after_everything_else() -> None:
    """Would catch a firewall that is switched on before its rules are there."""
    found = {
        item.key: item.needs
        for item in firewall.desired(
            {"cluster": {"options": {"enable": True}, "rules": []}, "nodes": [{"name": "pve1", "rules": []}]}
        )
    }
    assert found == {"cluster": frozenset(), "node pve1": {"cluster"}, "cluster options": {"cluster", "node pve1"}}


BAD_HOST: list[dict[str, Any]] = [
    {"type": "in", "action": "DROP", "enable": 1},
    {"type": "in", "action": "REJECT", "enable": 1, "dport": "8006"},
    {"type": "in", "action": "DROP", "enable": 1, "dport": "22"},
    {"type": "in", "action": "DROP", "enable": 1, "source": "198.51.100.0/24"},
]


@pytest.mark.parametrize("seed", range(60))
def test_a_firewall_that_shuts_us_out_is_reverted_by_the_nodes(tmp_path: Path, seed: int) -> None:
    """Would catch a change passed because it was looked at before Proxmox had put it in force."""
    rng = random.Random(seed)
    world = NodeWorld(tmp_path, count=rng.randint(1, 3))
    first = world.nodes["pve1"]
    world.pass_time(rng.randint(1, 20))
    doors = [trymode.Door(name, node.public, (22,)) for name, node in world.nodes.items()]
    desired = Desired("cluster options", {})
    change = Change(desired.key, desired.key, Action.UPDATE, desired)

    def lock_out() -> None:
        for node in world.nodes.values():
            # What /etc/pve holds is the same on every node.
            node.write("etc/pve/firewall/cluster.fw", {"options": {"enable": 1, "policy_in": "DROP"}})
        wrong = rng.choice(BAD_HOST)
        allowed = [{"type": "in", "action": "ACCEPT", "enable": 1, "source": CONTROLLER}] if rng.random() < 0.5 else []
        first.write(first.host_fw, {"rules": [wrong, *allowed]})

    terms = trymode.Terms(seconds=60, settle=15, scope="firewall")
    with pytest.raises(AdapterError) as caught:
        trymode.attempt(doors, lock_out, world.step(change), world.tools, terms)
    assert "put back what was there before" in caught.value.sentence
    world.pass_time(25)
    for node in world.nodes.values():
        assert node.reached(node.public) and node.reached(node.public, 22)
        assert not (node.root / "etc/pve/firewall/cluster.fw").exists()
        assert not (node.root / node.host_fw).exists()
        assert node.notes() == "" and not node.guard.load()


def test_a_firewall_that_lets_us_in_stays(tmp_path: Path) -> None:
    """Would catch a revert although everything was well, on one of several nodes."""
    world = NodeWorld(tmp_path, count=3)
    doors = [trymode.Door(name, node.public, (22,)) for name, node in world.nodes.items()]
    desired = Desired("cluster options", {})
    change = Change(desired.key, desired.key, Action.UPDATE, desired)
    book = {"options": {"enable": 1}, "ipsets": {"management": [{"cidr": "198.51.100.0/24"}]}}

    def switch_on() -> None:
        for node in world.nodes.values():
            node.write("etc/pve/firewall/cluster.fw", book)

    terms = trymode.Terms(seconds=60, settle=15, scope="firewall")
    trymode.attempt(doors, switch_on, world.step(change), world.tools, terms)
    world.pass_time(200)
    for node in world.nodes.values():
        assert node.read("etc/pve/firewall/cluster.fw") == book
        assert node.reached(node.public) and not node.guard.load() and node.notes() == ""
