# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the live inventory makes of the API's answers, and whose facts a limit leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.socle.platform.plugins.plugin_utils._proxmox_inventory import fetch, guests, limit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HOSTS = {
    "web-1": ["proxmox_running", "proxmox_tag_web"],
    "web-2": ["proxmox_stopped", "proxmox_tag_web"],
    "db-1": ["proxmox_running", "proxmox_tag_db"],
    "db-10": ["proxmox_running", "proxmox_tag_db"],
}


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ("web-1", {"web-1"}),
        ("web-1,db-1", {"web-1", "db-1"}),
        ("web-1:db-1", {"web-1", "db-1"}),
        ("proxmox_tag_db", {"db-1", "db-10"}),
        ("web-*", {"web-1", "web-2"}),
        ("~db-\\d+$", {"db-1", "db-10"}),
        ("all:!web-1", {"web-1", "web-2", "db-1", "db-10"}),
        ("other.example.org", set()),
        ("localhost", set()),
        ("later_group", None),
        ("!web-1", None),
        ("proxmox_tag_db[0]", None),
    ],
)
def test_whose_facts_a_limit_leaves(asked: str, left: set[str] | None) -> None:
    """Would catch facts not read of a host that the play then has."""
    assert limit.limited(limit.terms(asked), HOSTS, {"other.example.org"}, constructed=False) == left


def test_a_pattern_may_name_a_group_that_is_made_later() -> None:
    """Would catch `web*` leaving out members of a keyed group `webservers`."""
    assert limit.limited(["web*"], HOSTS, set(), constructed=True) is None


def test_a_file_of_hosts_is_read(tmp_path: Path) -> None:
    """Would catch a retry file for which nobody has facts."""
    (tmp_path / "retry").write_text("web-1\ndb-10\n")
    assert limit.terms(f"@{tmp_path / 'retry'}") == ["web-1", "db-10"]


words = st.sampled_from(
    [
        "web-1",
        "web-*",
        "*",
        "db-?",
        "proxmox_tag_db",
        "proxmox_*",
        "all",
        "ungrouped",
        "~web",
        "nobody",
        "~.*1",
        "db-1[0]",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["", "", "!", "&"]), words), min_size=1, max_size=4), st.sampled_from(",:"))
def test_never_fewer_than_ansible_itself_leaves(parts: list[tuple[str, str]], separator: str) -> None:
    """Would catch any pattern for which Ansible keeps a host whose facts we did not read."""
    text = separator.join(mark + word for mark, word in parts)
    manager = InventoryManager(DataLoader(), ["localhost,"])
    manager.clear_caches()
    for name, groups in HOSTS.items():
        manager.add_host(name)
        for group in groups:
            manager.add_group(group)
            manager._inventory.add_child(group, name)
    manager.reconcile_inventory()
    try:
        manager.subset(text)
        kept = {host.name for host in manager.get_hosts("all")} - {"localhost"}
    except Exception:  # noqa: BLE001 - a limit that Ansible itself refuses runs nowhere
        return
    left = limit.limited(limit.terms(text), HOSTS, set(), constructed=False)
    assert left is None or kept <= left, (text, kept, left)


CONFIG = {
    "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0",
    "net1": "virtio=BC:24:11:00:00:02,bridge=vmbr1,tag=7",
    "ipconfig0": "ip=dhcp",
    "ipconfig1": "ip=10.10.0.5/16,gw=10.10.0.1,ip6=fd00::5/64",
    "scsi0": "local:100/vm-100-disk-0.qcow2,size=8G",
    "agent": "1,fstrim_cloned_disks=1",
    "sshkeys": "ssh-ed25519%20AAAA%20a%0Assh-ed25519%20BBBB%20b",
    "tags": "b;a",
    "description": "a=1,b=2",
}


def test_property_strings_are_taken_apart_and_texts_are_not() -> None:
    """Would catch a description turned into a mapping, and a disk's volume without a name."""
    facts = guests.config_facts(CONFIG)
    assert facts["net1"] == {"model": "virtio", "mac": "BC:24:11:00:00:02", "bridge": "vmbr1", "tag": "7"}
    assert facts["scsi0"] == {"volume": "local:100/vm-100-disk-0.qcow2", "size": "8G"}
    assert facts["ipconfig1"]["gw"] == "10.10.0.1" and facts["tags"] == ["a", "b"]
    assert len(facts["sshkeys"]) == 2 and facts["description"] == "a=1,b=2"


def test_fixed_addresses_come_in_the_order_of_the_cards() -> None:
    """Would catch dhcp taken for an address, and a container's addresses not found."""
    assert guests.fixed_addresses(CONFIG) == ["10.10.0.5", "fd00::5"]
    container = {"net0": "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:09,ip=192.0.2.9/24,type=veth"}
    assert guests.fixed_addresses(container) == ["192.0.2.9"]


def test_addresses_of_bridges_inside_a_guest_are_not_its_own() -> None:
    """Would catch ansible_host being the address of docker0."""
    reported = [
        {"name": "docker0", "hardware-address": "02:42:00:00:00:01", "ip-addresses": [{"ip-address": "172.17.0.1"}]},
        {"name": "eth1", "hardware-address": "bc:24:11:00:00:02", "ip-addresses": [{"ip-address": "10.10.0.5"}]},
        {"name": "eth0", "hardware-address": "bc:24:11:00:00:01", "ip-addresses": [{"ip-address": "198.51.100.7"}]},
        {"name": "eth9", "hardware-address": "bc:24:11:00:00:01"},
    ]
    assert guests.reported_addresses(reported, CONFIG) == ["198.51.100.7", "10.10.0.5"]


@pytest.mark.parametrize(
    ("addresses", "networks", "reached"),
    [
        (["fe80::1", "fd00::5", "10.10.0.5"], [], "10.10.0.5"),
        (["fd00::5"], [], "fd00::5"),
        (["198.51.100.7", "10.10.0.5"], ["10.10.0.0/16"], "10.10.0.5"),
        (["198.51.100.7"], ["10.10.0.0/16"], ""),
        (["127.0.0.1", "169.254.1.1"], [], ""),
        (["198.51.100.7", "10.10.0.5"], ["10.99.0.0/16", "198.51.100.0/24"], "198.51.100.7"),
    ],
)
def test_the_address_to_connect_to(addresses: list[str], networks: list[str], reached: str) -> None:
    """Would catch a link-local address, or one outside of the networks that were asked for."""
    assert guests.reach(addresses, networks) == reached


def test_an_agent_is_asked_only_where_it_can_help() -> None:
    """Would catch a question that costs three seconds for each guest without an agent."""
    asked: list[str] = []

    def get(path: str) -> Any:
        asked.append(path)
        return {"result": []} if "agent" in path else config

    row = {"type": "qemu", "vmid": 100, "node": "pve1", "status": "running", "name": "a"}
    (guest,) = guests.guests_of([row, {"type": "node", "node": "pve1"}])
    for config, agent, count in (
        (CONFIG, "auto", 1),
        (CONFIG, "always", 2),
        ({**CONFIG, "ipconfig1": "ip=dhcp"}, "auto", 2),
        ({**CONFIG, "ipconfig1": "ip=dhcp"}, "never", 1),
        ({**CONFIG, "ipconfig1": "ip=dhcp", "agent": "0"}, "auto", 1),
    ):
        asked.clear()
        fetch.facts_of(guest, get, agent)
        assert len(asked) == count, (config, agent)
    asked.clear()
    (stopped,) = guests.guests_of([{**row, "status": "stopped"}])
    fetch.facts_of(stopped, get, "always")
    assert len(asked) == 1
