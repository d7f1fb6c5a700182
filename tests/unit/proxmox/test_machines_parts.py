# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts of `proxmox_machines`: placement, sizes, property strings, identity, settings."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._proxmox import guests, identity, properties, sizes
from ansible_collections.socle.platform.plugins.module_utils._proxmox.machine_config import settings_for
from ansible_collections.socle.platform.plugins.module_utils._proxmox.placement import Place, Placed, place
from hypothesis import given, settings
from hypothesis import strategies as st

GIB = sizes.GIB
NODES = st.lists(st.sampled_from([f"n{i}" for i in range(6)]), min_size=1, max_size=6, unique=True)
MACHINES = st.lists(
    st.builds(
        Placed,
        name=st.integers(0, 40).map(lambda i: f"m{i}"),
        group=st.sampled_from(["", "a", "b"]),
        memory=st.integers(1, 16).map(lambda i: i * GIB),
    ),
    max_size=20,
    unique_by=lambda machine: machine.name,
)


@settings(max_examples=200, deadline=None)
@given(MACHINES, NODES)
def test_members_of_a_group_are_as_far_apart_as_there_are_nodes(machines: list[Placed], nodes: list[str]) -> None:
    places = [Place(node, 1000 * GIB) for node in nodes]
    found = place(machines, [], places)
    assert set(found) == {machine.name for machine in machines} and set(found.values()) <= set(nodes)
    for group in ("a", "b"):
        counted = Counter(found[machine.name] for machine in machines if machine.group == group)
        per_node = [counted.get(node, 0) for node in nodes]
        assert max(per_node) - min(per_node) <= 1


@settings(max_examples=200, deadline=None)
@given(MACHINES, MACHINES, NODES)
def test_what_is_placed_never_moves_when_others_come(first: list[Placed], more: list[Placed], nodes: list[str]) -> None:
    """What was placed is given with its node; and the same question has the same answer in any order."""
    places = [Place(node, 1000 * GIB) for node in nodes]
    before = place(first, [], places)
    settled = [Placed(m.name, m.group, m.memory, node=before[m.name]) for m in first]
    new = [m for m in more if m.name not in before]
    after = place([*settled, *new], [], places)
    assert not set(after) & set(before)
    assert after == place([*reversed(new), *reversed(settled)], [], list(reversed(places)))


def test_a_full_node_is_avoided_and_candidates_are_kept() -> None:
    places = [Place("a", 8 * GIB), Place("b", 64 * GIB)]
    assert place([Placed("x", "g", 16 * GIB)], [Placed("y", "g", GIB, node="b")], places) == {"x": "b"}
    assert place([Placed("x", nodes=("a",))], [], places) == {"x": "a"}
    assert place([Placed("x", nodes=("c",))], [], places) == {}


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 2**50))
def test_a_size_that_is_shown_is_read_back_as_itself(size: int) -> None:
    assert sizes.parse_size(sizes.show_size(size), 1) == size


@pytest.mark.parametrize(
    ("text", "size"),
    [("4 GiB", 4), ("4GiB", 4), ("4G", 4), ("4gb", 4), ("0.5 TiB", 512), (4, 4), ("4", 4), ("1T", 1024)],
)
def test_sizes_are_read_as_people_write_them(text: Any, size: int) -> None:
    assert sizes.parse_size(text, GIB) == size * GIB


@pytest.mark.parametrize("text", ["", "x", "-1", "4 PiB", "4 G iB", True, None, "1e3", "0"])
def test_what_is_no_size_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="is no size"):
        sizes.parse_size(text, GIB)


def test_a_card_reads_the_same_in_either_spelling() -> None:
    one = properties.parse_nic("e1000=BC:24:11:00:00:01,bridge=vmbr0,tag=5")
    other = properties.parse_nic("model=e1000,macaddr=bc:24:11:00:00:01,tag=5,bridge=vmbr0")
    assert one == other and properties.compose_nic(one) == "e1000=BC:24:11:00:00:01,bridge=vmbr0,tag=5"


def test_ids_macs_and_uuids_follow_from_names_and_do_not_clash() -> None:
    names = [f"machine-{i}" for i in range(3000)]
    assert len({identity.machine_uuid("p", n) for n in names}) == 3000
    assert len({identity.machine_mac("p", n, "net0") for n in names}) == 3000
    assert len({identity.machine_id("p", n) for n in names}) >= 2999
    first = int(identity.machine_mac("p", "x", "net0").split(":", maxsplit=1)[0], 16)
    assert first & 0b11 == 0b10, "a MAC of ours is unicast and locally administered"
    assert all(100 <= identity.machine_id("p", n) <= 999_999_999 for n in names)
    assert identity.machine_uuid("p", "x") != identity.machine_uuid("q", "x")


def test_a_slot_that_is_taken_is_never_sent_with_a_size() -> None:
    """`STORE:SIZE` for a disk that is there would make a new one and detach the old."""
    config = {"scsi0": "local:100/vm-100-disk-0.qcow2,discard=on,size=10G", "digest": "d"}
    fields = {"disks": {"scsi0": {"size": "20 GiB", "storage": "local", "options": {"ssd": "1"}}}}
    made = settings_for("p", "x", fields, ["disks.scsi0.size", "disks.scsi0.options.ssd"], config, "")
    assert made.set == {"scsi0": "local:100/vm-100-disk-0.qcow2,discard=on,ssd=1"} and made.grow == {"scsi0": "20G"}


def test_every_recorded_configuration_can_be_read(shared: Path) -> None:
    """Real answers: each reads as fields, and what is read is no difference to itself."""
    seen = 0
    with gzip.open(shared / "pve" / "observed.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            config = row["body"].get("data") if isinstance(row["body"], dict) else None
            if row["method"] != "GET" or not row["path"].endswith("/config") or not isinstance(config, dict):
                continue
            if "/qemu/" in row["path"]:
                fields = guests.fields_of(config)
                seen += 1
                assert fields["cores"] >= 1 and fields["memory"].endswith("iB")
                assert all(disk["size"] for disk in fields["disks"].values()), config
                assert all(nic["mac"] for nic in fields["nics"].values()), config
    assert seen > 20
