# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and VM ids stay as they are, whatever else is added, removed or moved."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
import yaml
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.addresses import (
    HASHED,
    MACHINE_SEATS,
    POOL,
    Rack,
)
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = st.one_of(
    st.sampled_from([*MACHINE_SEATS, "web", "cache", "app-1", "app-2", "search", "a", "b"]),
    st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True),
)
GROUPS = st.dictionaries(NAMES, st.integers(0, 12), max_size=6)
EDIT = st.one_of(
    st.tuples(st.just("add"), NAMES, st.integers(1, 12)),
    st.tuples(st.just("remove"), st.integers(0, 9), st.none()),
    st.tuples(st.just("count"), st.integers(0, 9), st.integers(0, 12)),
    st.tuples(st.just("reorder"), st.randoms(use_true_random=False), st.none()),
)


def edited(groups: dict[str, int], edit: tuple[str, Any, Any]) -> dict[str, int]:
    what, first, second = edit
    names = list(groups)
    if what == "add":
        return {first: second, **groups}
    if what == "reorder":
        first.shuffle(names)
        return {name: groups[name] for name in names}
    if not names:
        return groups
    name = names[first % len(names)]
    if what == "remove":
        return {other: count for other, count in groups.items() if other != name}
    return {**groups, name: second}


def numbers(rack: str, groups: dict[str, int]) -> dict[str, tuple[str, int]] | None:
    """Address and id of each machine, or None when the manifest refuses (two groups meet, or do not fit)."""
    manifest = {
        "plugin": "socle.platform.manifest",
        "platform": {"name": "x", "domain": "x.example.org"},
        "hypervisors": {"cluster": "x", "network": {"rack": rack}, "nodes": {"compute1": {"address": "203.0.113.1"}}},
        "machines": {name: {"count": count, "on": ["compute1"]} for name, count in groups.items()},
    }
    result = validate_file("x.socle.yml", yaml.safe_dump(manifest, sort_keys=False).encode())
    if not result.ok:
        expected = ("belongs to both", "room for", "meaning of its own")
        assert all(any(word in entry.what for word in expected) for entry in result.errors), result.errors
        return None
    return {host.name: (host.address, host.vm_id) for host in result.platform.hosts}


@settings(max_examples=120, deadline=None)
@given(
    rack=st.sampled_from(["10.10.0.0/16", "10.10.0.0/20", "10.10.0.0/24", "10.0.0.0/8"]),
    groups=GROUPS,
    edits=st.lists(EDIT, max_size=6),
)
def test_no_edit_renumbers(rack: str, groups: dict[str, int], edits: list[Any]):
    """Through any edits, a machine of the same name keeps its address and id; a meeting is refused, not solved."""
    seen: dict[str, tuple[str, int]] = {}
    for edit in [None, *edits]:
        groups = edited(groups, edit) if edit else groups
        now = numbers(rack, groups)
        if now is None:
            continue
        for name, found in now.items():
            assert seen.setdefault(name, found) == found
        network = ipaddress.IPv4Network(rack)
        addresses = [ipaddress.IPv4Address(address) for address, _id in now.values()]
        ids = [vm_id for _address, vm_id in now.values() if vm_id is not None]
        assert len(set(addresses)) == len(addresses)
        assert len(set(ids)) == len(ids)
        assert all(address in network and address != network.broadcast_address for address in addresses)
        assert all(100 <= vm_id <= 999_999_999 for vm_id in ids)


def test_usual_names_never_meet():
    """The usual groups have places of their own, in a small network too."""
    for prefix in (16, 20, 24):
        groups = {name: min(2, width) for name, (_seat, width) in MACHINE_SEATS.items()}
        assert numbers(f"10.10.0.0/{prefix}", groups) is not None


def test_places_do_not_overlap():
    """Two usual names with overlapping places would meet as they grow."""
    end = 40
    for seat, width in MACHINE_SEATS.values():
        assert seat == end
        end += width
    assert end == HASHED[0]
    assert HASHED[0] + HASHED[1] == POOL[0]


@pytest.mark.parametrize("stem", ["group", "web-", "g", "pool-"])
def test_numbered_groups_never_meet(stem: str):
    """Names that are counted or lettered lie far apart: five of two hundred machines fit."""
    for ends in ("12345", "abcde"):
        assert numbers("10.10.0.0/16", {f"{stem}{end}": 200 for end in ends}) is not None


def test_meetings_of_other_names_are_rare():
    """In a /16, a manifest with five groups of unusual names is refused less than once in a hundred."""
    rack = Rack(ipaddress.IPv4Network("10.10.0.0/16"))
    words = [
        f"{first}{second}"
        for first in ("red", "blue", "green", "tall", "old", "new")
        for second in ("fox", "owl", "elk")
    ]
    met = tried = 0
    for start in range(1000):
        names = [
            f"{words[(start + step * 7) % len(words)]}-{'abcdefghij'[start // 100]}{start % 89}x" for step in range(5)
        ]
        taken = [rack.machine(name, number, []) for name in set(names) for number in range(1, 5)]
        tried += 1
        met += len(set(taken)) != len(taken)
    assert met / tried < 0.01, met


def test_pinning_solves_a_meeting_with_the_line_that_the_error_writes():
    """The hint must be right: what it says, written down, makes the manifest valid and moves only the pinned group."""
    base = {
        "plugin": "socle.platform.manifest",
        "platform": {"name": "x", "domain": "x.example.org"},
        "hypervisors": {
            "cluster": "x",
            "network": {"rack": "10.10.0.0/24"},
            "nodes": {"compute1": {"address": "203.0.113.1"}},
        },
        "machines": {"worker": {"count": 34, "on": "compute1"}, "gluster": {"count": 3, "on": "compute1"}},
    }
    result = validate_file("x.socle.yml", yaml.safe_dump(base, sort_keys=False).encode())
    [error] = result.errors
    pinned = error.hint.partition("addresses: ")[2]
    base["machines"]["gluster"]["addresses"] = pinned
    result = validate_file("x.socle.yml", yaml.safe_dump(base, sort_keys=False).encode())
    assert result.errors == []
    assert [host.address for host in result.platform.of_group("worker")][:2] == ["10.10.0.48", "10.10.0.49"]


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(
        st.from_regex(r"(compute|storage|pve|hv|red)[1-9]", fullmatch=True), min_size=1, unique=True, max_size=8
    ),
    shuffle=st.randoms(use_true_random=False),
)
def test_hypervisors_keep_their_rack_addresses(names: list[str], shuffle: Any):
    """Servers that come, go or change places in the file leave the others' addresses alone."""

    def rack(chosen: list[str]) -> dict[str, str] | None:
        manifest = {
            "plugin": "socle.platform.manifest",
            "platform": {"name": "x", "domain": "x.example.org"},
            "hypervisors": {
                "cluster": "x",
                "network": {"rack": "10.10.0.0/16"},
                "nodes": {name: {"address": f"203.0.113.{names.index(name) + 1}"} for name in chosen},
            },
        }
        result = validate_file("x.socle.yml", yaml.safe_dump(manifest, sort_keys=False).encode())
        return {host.name: host.address for host in result.platform.hosts} if result.ok else None

    before = rack(names)
    some = [name for name in names if shuffle.random() < 0.6] or names[:1]
    shuffle.shuffle(some)
    after = rack(some)
    assert before is not None
    assert after is not None
    assert after == {name: before[name] for name in some}
