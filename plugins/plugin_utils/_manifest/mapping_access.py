# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Mapping: variables of the role openvpn, and what its gateways' firewall lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .mapping_machines import ANYWHERE, forwarding, hosts_of, opening
from .platform import Platform

if TYPE_CHECKING:
    from .mapping import Inventory

GROUP = "openvpn"


def access(platform: Platform, made: Inventory) -> None:
    """People's way in. Everything else on machines answers to the rack and to these clients only."""
    openvpn = platform.manifest.access.openvpn
    if openvpn is None:
        return
    names = set(hosts_of(made, GROUP))
    gateways = [host for host in platform.hosts if host.name in names]
    routes = [str(platform.rack.network)] if platform.rack is not None else []
    routes += [network for network in openvpn.routes if network not in routes]
    made.groups[GROUP].update(
        openvpn_name=platform.manifest.platform.name,
        openvpn_gateways=[{"name": host.name, "address": host.public_address or host.address} for host in gateways],
        openvpn_people=list(openvpn.people),
        openvpn_reissue=dict(openvpn.reissue),
        openvpn_network=openvpn.network,
        openvpn_port=openvpn.port,
        openvpn_protocol=openvpn.protocol,
        openvpn_routes=routes,
        openvpn_domain=platform.manifest.platform.domain,
        openvpn_forwarding=False,
    )
    opening(platform, made, GROUP, "openvpn", [openvpn.port], protocol=openvpn.protocol, sources=ANYWHERE)
    forwarding(made, GROUP, "vpn", sources=[openvpn.network], destinations=routes, masquerade=True)
