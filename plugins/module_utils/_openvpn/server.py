# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A gateway's configuration of OpenVPN, and the firewall of one that has no other."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from .profile import CIPHERS, SUITES

FOLDER = "/etc/openvpn/server"
DEVICE = "vpn0"


def configuration(settings: Mapping[str, Any]) -> str:
    """What OpenVPN reads. Keys and certificates are in files beside it."""
    network = ipaddress.IPv4Network(settings["network"])
    udp = settings["protocol"] == "udp"
    pushed = [f"route {route.network_address} {route.netmask}" for route in _routes(settings)]
    pushed += [f"dhcp-option DNS {address}" for address in settings.get("dns") or []]
    pushed += [f"dhcp-option DOMAIN {settings['domain']}"] if settings.get("domain") else []
    lines = [
        f"port {int(settings['port'])}",
        f"proto {settings['protocol']}",
        *([f"local {settings['listen']}"] if settings.get("listen") else []),
        f"dev {DEVICE}",
        "dev-type tun",
        "topology subnet",
        f"server {network.network_address} {network.netmask}",
        f"ca {FOLDER}/socle-ca.crt",
        f"cert {FOLDER}/socle.crt",
        f"key {FOLDER}/socle.key",
        # Who has no key of ours gets no answer at all, and costs no memory.
        f"tls-crypt-v2 {FOLDER}/socle-tls-crypt.key force-cookie",
        "dh none",
        "tls-version-min 1.3",
        f"tls-ciphersuites {SUITES}",
        "tls-cert-profile suiteb",
        f"data-ciphers {CIPHERS}",
        "verify-client-cert require",
        "remote-cert-tls client",
        # Read again at each handshake: no restart when somebody is revoked.
        f"crl-verify {FOLDER}/socle-crl.pem",
        # Half a minute after a gateway is lost its clients try the next one.
        "keepalive 5 30",
        # OpenVPN ends at the first client without it, because its user cannot read the keys again.
        "persist-key",
        "persist-tun",
        "user openvpn",
        "group openvpn",
        "management /run/openvpn-server/socle.sock unix",
        "management-client-user root",
        *(["explicit-exit-notify 1"] if udp else []),
        "verb 3",
        *(f'push "{line}"' for line in pushed),
        *(settings.get("options") or []),
    ]
    return "\n".join(["# Kept by the role openvpn.", *lines]) + "\n"


def firewall(settings: Mapping[str, Any]) -> str:
    """Clients reach the networks behind the tunnel and nothing else, under the gateway's own address."""
    routes = ", ".join(str(route) for route in _routes(settings))
    reached = f'iifname "{DEVICE}" ip daddr {{ {routes} }} ct state new accept' if routes else ""
    return "\n".join(
        [
            "# Kept by the role openvpn.",
            "table inet socle_openvpn {}",
            "delete table inet socle_openvpn",
            "table inet socle_openvpn {",
            "  chain forward {",
            "    type filter hook forward priority filter - 5; policy accept;",
            "    ct state established,related accept",
            f'    iifname "{DEVICE}" oifname "{DEVICE}" drop',
            *([f"    {reached}"] if reached else []),
            f'    iifname "{DEVICE}" drop',
            f'    oifname "{DEVICE}" drop',
            "  }",
            "  chain postrouting {",
            "    type nat hook postrouting priority srcnat; policy accept;",
            f'    ip saddr {settings["network"]} oifname != "{DEVICE}" masquerade',
            "  }",
            "}",
            "",
        ]
    )


def _routes(settings: Mapping[str, Any]) -> list[ipaddress.IPv4Network]:
    return [ipaddress.IPv4Network(route) for route in dict.fromkeys(settings.get("routes") or [])]
