# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the section hypervisors gets wrong by itself: one change to a good manifest, one error at its place."""

from __future__ import annotations

from typing import Any

import pytest

from .helpers import read, told

IMAGE = {"url": "https://images.example.org/debian.qcow2", "checksum": "sha256:" + "a" * 64}
TEMPLATES, NETWORK = "hypervisors.templates", "hypervisors.network"
ERRORS: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "an image without a checksum",
        {TEMPLATES: {"debian-13": {"url": IMAGE["url"]}}},
        f"{TEMPLATES}.debian-13.url",
        "without a checksum could be any image",
    ),
    (
        "a checksum of nothing",
        {TEMPLATES: {"golden": {"checksum": IMAGE["checksum"]}}},
        f"{TEMPLATES}.golden.checksum",
        "no image that it is about",
    ),
    (
        "a version of nothing",
        {TEMPLATES: {"golden": {"version": "7"}}},
        f"{TEMPLATES}.golden.version",
        "no image that it is about",
    ),
    (
        "a checksum that is cut off",
        {TEMPLATES: {"debian-13": {**IMAGE, "checksum": "sha256:abc"}}},
        f"{TEMPLATES}.debian-13.checksum",
        "all of its digits",
    ),
    (
        "an image that the nodes cannot fetch",
        {TEMPLATES: {"debian-13": {**IMAGE, "url": "/srv/debian.qcow2"}}},
        f"{TEMPLATES}.debian-13.url",
        "by http or https",
    ),
    (
        "a public network in the rack",
        {f"{NETWORK}.public_network": "10.10.4.0/24", "machines.vpn.public_addresses": []},
        f"{NETWORK}.public_network",
        "meets the rack network",
    ),
    (
        "a public address outside of its network",
        {f"{NETWORK}.public_network": "198.51.100.0/24"},
        "machines.vpn.public_addresses[0]",
        "outside of the public network 198.51.100.0/24",
    ),
    (
        "a machine on the public gateway",
        {f"{NETWORK}.public_gateway": "203.0.113.50"},
        "machines.vpn.public_addresses",
        "gateway of the public side",
    ),
    ("a gateway that is a word", {f"{NETWORK}.gateway": "no"}, f"{NETWORK}.gateway", "an IPv4 address"),
    ("a node that votes for itself", {"hypervisors.qdevice": "203.0.113.12"}, "hypervisors.qdevice", "is compute2"),
    (
        "a vote that nobody may set up",
        {"hypervisors.qdevice": "203.0.113.99", "hypervisors.install": False},
        "hypervisors.qdevice",
        "nothing over SSH",
    ),
    ("a manager that is no network", {"hypervisors.managers": ["me"]}, "hypervisors.managers[0]", "an IPv4 network"),
]


@pytest.mark.parametrize("changes, path, said", [pytest.param(*row[1:], id=row[0]) for row in ERRORS])
def test_error(changes: dict[str, Any], path: str, said: str) -> None:
    """Each would catch a check that is gone, that says nothing of use, or that says it somewhere else."""
    result = read(changes)
    assert said in told(result, path), result.errors
    assert {entry.dotted() for entry in result.errors} == {path}


GOOD: list[dict[str, Any]] = [
    {TEMPLATES: {"debian-13": IMAGE, "golden": {}}},
    {f"{NETWORK}.public_network": "203.0.113.0/24", f"{NETWORK}.public_gateway": "203.0.113.254"},
    {f"{NETWORK}.public_gateway": "198.51.100.1"},
    {f"{NETWORK}.gateway": "none", "machines.gitlab.addresses": "10.10.0.1"},
    {"hypervisors.qdevice": "203.0.113.99"},
    {"hypervisors.managers": ["198.51.100.0/24", "192.0.2.7/32"]},
]


@pytest.mark.parametrize("changes", GOOD)
def test_what_is_right_is_not_refused(changes: dict[str, Any]) -> None:
    """Would catch a check that is too strict: a rack without a router leaves its first address to a machine."""
    assert read(changes).ok, read(changes).errors


def test_a_vote_that_makes_an_odd_cluster_even_is_warned_about() -> None:
    """Would catch the QDevice where it does harm: three nodes with it survive no more than three without."""
    three = {"hypervisors.qdevice": "203.0.113.99", "hypervisors.nodes.node5": {"address": "203.0.113.31"}}
    assert "odd number" in told(read(three), "hypervisors.qdevice")
