# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ruleset says what the openings say, and nftables itself takes it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils._firewall import FirewallError, ruleset
from hypothesis import given, settings
from hypothesis import strategies as st

PLAIN: dict[str, Any] = {
    "ssh_ports": [22],
    "ssh_networks": ["10.10.0.0/16"],
    "ssh_new_per_minute": 60,
    "openings": [],
    "forwarding": [],
    "log_per_minute": 6,
}


def rules(chain: str, **changed: Any) -> list[str]:
    """The rules of one chain."""
    text = ruleset(**{**PLAIN, **changed})
    body = text.partition(f"chain {chain} {{")[2].partition("\n\t}")[0]
    return [line.strip() for line in body.splitlines() if line.strip()]


def test_nothing_is_open_but_ssh_from_its_networks() -> None:
    """Would catch a default that lets the public side in."""
    found = rules("input")
    assert "policy drop" in found[0] and found[-1] == "counter drop"
    assert [rule for rule in found if "dport" in rule and "fe80" not in rule] == [
        "ip saddr { 10.10.0.0/16 } tcp dport { 22 } jump ssh"
    ]


def test_an_opening_is_for_its_sources_only() -> None:
    """Would catch an opening that forgets who may use it, or a family that is left out."""
    entry = {
        "name": "bricks",
        "ports": [24007, "49152-49251"],
        "protocol": "tcp",
        "sources": ["10.10.0.0/16", "fd00::/8"],
    }
    found = [rule for rule in rules("input", openings=[entry]) if "bricks" in rule]
    assert found == [
        'ip saddr { 10.10.0.0/16 } tcp dport { 24007, 49152-49251 } accept comment "bricks"',
        'ip6 saddr { fd00::/8 } tcp dport { 24007, 49152-49251 } accept comment "bricks"',
    ]
    anywhere = {"name": "vpn", "ports": [1194], "protocol": "udp", "sources": ["0.0.0.0/0", "::/0"]}
    assert 'udp dport { 1194 } accept comment "vpn"' in rules("input", openings=[anywhere])
    assert 'meta l4proto vrrp accept comment "pair"' in rules("input", openings=[{"name": "pair", "protocol": "vrrp"}])


def test_nothing_is_carried_unless_it_is_named() -> None:
    """Would catch a gateway that forwards everything, and one that hides clients it should not."""
    assert rules("forward")[1:] == [
        "ct state vmap { established : accept, related : accept, invalid : drop }",
        "counter drop",
    ]
    entry: dict[str, Any] = {
        "name": "vpn",
        "sources": ["10.8.0.0/24"],
        "destinations": ["10.10.0.0/16"],
        "masquerade": True,
    }
    expected = "ip saddr { 10.8.0.0/24 } ip daddr { 10.10.0.0/16 } "
    assert f'{expected}accept comment "vpn"' in rules("forward", forwarding=[entry])
    assert f'{expected}masquerade comment "vpn"' in rules("postrouting", forwarding=[entry])
    entry["destinations"].append("fd00::/8")  # where no source of that family is named: not from anywhere
    assert [rule for rule in rules("forward", forwarding=[entry]) if "vpn" in rule] == [
        f'{expected}accept comment "vpn"'
    ]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "web", "ports": [70000]}, "opening web: 70000 is no port"),
        ({"name": "web", "ports": ["20-10"]}, "opening web: '20-10' is no port"),
        ({"name": "web"}, "opening web: no ports"),
        ({"name": "web", "ports": [80], "protocol": "vrrp"}, "opening web: vrrp has no ports"),
        ({"name": "web", "ports": [80], "protocol": "tcp; flush"}, "opening web: the protocol"),
        ({"name": "web", "ports": [80], "sources": ["10.10.0.0/99"]}, "opening web: '10.10.0.0/99' is no network"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(entry: dict[str, Any], said: str) -> None:
    """Would catch a ruleset that only nft refuses, without saying whose opening it was."""
    with pytest.raises(FirewallError, match=said):
        ruleset(**{**PLAIN, "openings": [entry]})


ports = st.one_of(
    st.integers(1, 65535),
    st.tuples(st.integers(1, 65535), st.integers(1, 65535)).map(lambda ends: f"{min(ends)}-{max(ends)}"),
)
networks = st.lists(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str), max_size=4)
openings = st.fixed_dictionaries(
    {
        "name": st.text(max_size=20),
        "ports": st.lists(ports, min_size=1, max_size=4),
        "protocol": st.sampled_from(["tcp", "udp"]),
        "sources": networks,
    }
)
forwarding = st.fixed_dictionaries(
    {"name": st.text(max_size=20), "sources": networks, "destinations": networks, "masquerade": st.booleans()}
)


@pytest.mark.skipif(not shutil.which("nft"), reason="nftables is not installed here")
@settings(max_examples=10)
@given(st.lists(st.tuples(st.lists(openings, max_size=3), st.lists(forwarding, max_size=3)), min_size=9, max_size=9))
def test_nft_takes_whatever_was_named(cases: list[Any]) -> None:
    """Would catch overlaps, names with quotes, empty sets: anything that nft only refuses on the machine."""
    text = ""
    for mine, carried in cases:
        text += ruleset(**{**PLAIN, "openings": mine, "forwarding": carried})
    done = subprocess.run(
        ["unshare", "--net", "nft", "--check", "--file", "-"], input=text, text=True, capture_output=True, check=False
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("nft may not be asked here: it needs a network namespace")
    assert done.returncode == 0, done.stderr


def test_a_rule_of_ours_is_missed_when_it_is_broken(root: Path) -> None:
    """Would catch a service file of Debian's that removes the tables of others when nftables stops."""
    text = (root / "roles" / "machine_base" / "templates" / "nftables-service.conf.j2").read_text()
    assert "ExecStop=\n" in text and "flush" not in text
