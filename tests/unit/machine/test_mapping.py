# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a manifest makes of machines' openings, SSH and people."""

from __future__ import annotations

from typing import Any

from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping import Inventory, inventory
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

MANIFEST = """
plugin: socle.platform.manifest
platform: {name: cater, domain: cater.example.org, timezone: Europe/Paris, maintenance: "04:15"}
people:
  ada: {name: Ada Lovelace, admin: true, ssh_keys: ["ssh-ed25519 AAAA ada"]}
  grace: {}
hypervisors:
  cluster: cater
  network: {rack: 10.10.0.0/16}
  nodes: {compute1: {address: 203.0.113.11}, compute2: {address: 203.0.113.12}, compute3: {address: 203.0.113.13}}
machines:
  vpn: {public: true, public_addresses: [203.0.113.50]}
  web: {count: 2}
  load-balancer: {count: 2}
  control: {count: 3}
  worker: {count: 2}
servers:
  manager: {addresses: [198.51.100.1], user: admin, port: 2222}
  edge: {addresses: [198.51.100.9]}
kubernetes: {}
access:
  openvpn: {people: [ada]}
  open:
    https: {port: 443, machines: [web], sources: [0.0.0.0/0]}
    shell: {port: 2222, machines: [manager], sources: [192.0.2.0/24]}
"""


def made(text: str = MANIFEST) -> Inventory:
    result = validate_file("test.socle.yml", text.encode())
    assert result.ok and result.platform is not None, [entry.sentence() for entry in result.errors]
    return inventory(result.platform, "test.socle.yml")


def openings(found: Inventory, host: str) -> dict[str, Any]:
    return {entry["name"]: entry for entry in found.hosts[host].get("machine_base_openings", [])}


def test_ssh_is_for_the_rack_and_the_tunnel() -> None:
    """Would catch SSH on the public side of a gateway."""
    machines = made().groups["machines"]
    assert machines["machine_base_ssh_networks"] == ["10.10.0.0/16", "10.8.0.0/24"]
    assert machines["machine_base_maintenance"] == "04:15" and machines["machine_base_timezone"] == "Europe/Paris"


def test_servers_without_a_rack_are_reached_from_where_the_manifest_says() -> None:
    """Would catch a rented server that nobody reaches, or an opening that widens what the manifest narrows."""
    found = made()
    assert found.groups["manager"]["machine_base_ssh_networks"] == ["192.0.2.0/24"]
    assert found.groups["manager"]["machine_base_ssh_port"] == 2222
    assert openings(found, "manager-1") == {}
    assert found.groups["edge"]["machine_base_ssh_networks"] == ["0.0.0.0/0", "::/0"]


def test_an_opening_lies_on_the_hosts_of_its_group() -> None:
    """Would catch an opening on a machine that did not ask for it."""
    found = made()
    assert openings(found, "web-2")["https"]["ports"] == ["443"]
    assert "https" not in openings(found, "control-1")


def test_only_people_with_keys_get_accounts() -> None:
    """Would catch an account that nobody can use, and an admin who is none."""
    people = made().groups["machines"]["machine_base_people"]
    keys = ["ssh-ed25519 AAAA ada"]
    assert people == [{"name": "ada", "comment": "Ada Lovelace", "keys": keys, "admin": True}]


def test_the_pair_carries_the_clusters_address() -> None:
    """Would catch a pair without its servers, and a firewall that lets the two no longer hear each other."""
    found = made()
    pair = found.groups["load_balancer"]
    assert pair["load_balancer_addresses"] == ["10.10.2.1/16"]
    assert [server["address"] for server in pair["load_balancer_services"][0]["servers"]] == [
        found.hosts[f"control-{number}"]["socle_address"] for number in (1, 2, 3)
    ]
    opened = openings(found, "load-balancer-1")
    assert opened["vrrp"] == {"name": "vrrp", "ports": [], "protocol": "vrrp", "sources": pair["load_balancer_peers"]}
    assert opened["kubernetes"]["ports"] == ["6443"]
