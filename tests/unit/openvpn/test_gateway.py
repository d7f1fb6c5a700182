# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the manifest to the role's variables and to the firewall, and what a gateway's configuration says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.socle.platform.plugins.module_utils._openvpn import server
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping import Inventory, inventory
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

MANIFEST = """
plugin: socle.platform.manifest
platform: {name: cater, domain: cater.example.org}
hypervisors:
  cluster: cater
  network: {rack: 10.10.0.0/16}
  nodes:
    compute1: {address: 203.0.113.11, role: compute, cores: 32, memory: 128 GiB}
    compute2: {address: 203.0.113.12, role: compute, cores: 32, memory: 128 GiB}
    compute3: {address: 203.0.113.13, role: compute, cores: 32, memory: 128 GiB}
machines:
  vpn: {count: 2, on: compute, public: true, public_addresses: [203.0.113.50, 203.0.113.51]}
  worker: {on: compute}
access: {openvpn: OPENVPN}
"""


def made(openvpn: str) -> Inventory:
    result = validate_file("platform.socle.yml", MANIFEST.replace("OPENVPN", openvpn).encode())
    assert result.ok, [finding.sentence() for finding in result.errors]
    return inventory(result.platform, "platform.socle.yml")


def told(openvpn: str) -> list[str]:
    result = validate_file("platform.socle.yml", MANIFEST.replace("OPENVPN", openvpn).encode())
    return [finding.sentence() for finding in result.errors]


def test_every_variable_is_one_of_the_role(root: Path) -> None:
    """Would catch a name that the role does not know: it would be ignored without a word."""
    given = made("{people: [ada, grace], reissue: {ada: 2026-11-20}}").groups["openvpn"]
    specs = yaml.safe_load((root / "roles/openvpn/meta/argument_specs.yml").read_text())
    assert {name for name in given if name.startswith("openvpn")} <= set(specs["argument_specs"]["main"]["options"])
    assert given["openvpn_people"] == ["ada", "grace"]
    assert given["openvpn_reissue"] == {"ada": "2026-11-20"}
    assert given["openvpn_gateways"] == [
        {"name": "vpn-1", "address": "203.0.113.50"},
        {"name": "vpn-2", "address": "203.0.113.51"},
    ]


def test_the_firewall_opens_one_port_on_gateways_only() -> None:
    """Would catch an opening on every machine, a closed gateway, and clients that reach more than was said."""
    found = made("{people: [ada], port: 443, protocol: tcp, routes: [10.20.0.0/16]}")
    for gateway in ("vpn-1", "vpn-2"):
        variables = found.hosts[gateway]
        (opening,) = [item for item in variables["machine_base_openings"] if item["name"] == "openvpn"]
        assert (opening["ports"], opening["protocol"]) == (["443"], "tcp")
        (forwarding,) = variables["machine_base_forwarding"]
        assert forwarding["sources"] == ["10.8.0.0/24"]
        assert forwarding["destinations"] == ["10.10.0.0/16", "10.20.0.0/16"]
        assert forwarding["masquerade"] is True
    assert not [item for item in found.hosts["worker-1"].get("machine_base_openings", []) if item["name"] == "openvpn"]
    assert found.groups["openvpn"]["openvpn_forwarding"] is False


@pytest.mark.parametrize(
    ("openvpn", "said"),
    [
        ("{people: [ada], reissue: {adda: 2026-11-20}}", "did you mean ada?"),
        ("{people: [ada], reissue: {ada: yesterday}}", "a day such as 2026-11-30"),
        ("{people: [ada], reissue: {ada: 30.11.2026}}", "a day such as 2026-11-30"),
    ],
)
def test_a_mistake_is_found_in_the_manifest(openvpn: str, said: str) -> None:
    """Would catch a lost profile that stays good because of a typing error."""
    assert any(said in finding for finding in told(openvpn)), told(openvpn)


SETTINGS: dict[str, Any] = {"network": "10.8.0.0/24", "port": 1194, "protocol": "udp", "routes": ["10.10.0.0/16"]}


def test_the_configuration_lets_nothing_old_or_open_through() -> None:
    """Would catch a line that was lost: each of these is what keeps somebody out, or the server alive."""
    lines = server.configuration(SETTINGS).splitlines()
    for line in (
        "tls-version-min 1.3",
        "data-ciphers AES-256-GCM:CHACHA20-POLY1305",
        "tls-crypt-v2 /etc/openvpn/server/socle-tls-crypt.key force-cookie",
        "crl-verify /etc/openvpn/server/socle-crl.pem",
        "verify-client-cert require",
        "remote-cert-tls client",
        "persist-key",
        "user openvpn",
        'push "route 10.10.0.0 255.255.0.0"',
    ):
        assert line in lines
    assert not any("redirect-gateway" in line or "client-to-client" in line for line in lines)


def test_options_of_the_user_come_last() -> None:
    """Would catch a second factor that never arrives at OpenVPN."""
    options = ["plugin /usr/lib/openvpn/openvpn-plugin-auth-pam.so login"]
    assert server.configuration({**SETTINGS, "options": options}).splitlines()[-1:] == options


def test_without_routes_nothing_is_reached() -> None:
    """Would catch rules that let clients everywhere, or that nft does not take, when no network is named."""
    rules = server.firewall({**SETTINGS, "routes": []})
    assert "ct state new accept" not in rules
    assert f'iifname "{server.DEVICE}" drop' in rules


def test_a_network_with_host_bits_is_refused() -> None:
    """Would catch a pool that begins somewhere in the middle."""
    with pytest.raises(ValueError, match="has host bits set"):
        server.configuration({**SETTINGS, "network": "10.8.0.7/24"})
