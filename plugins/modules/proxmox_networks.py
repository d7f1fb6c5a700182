#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_networks
short_description: Keeps bridges, bonds and VLANs of Proxmox VE nodes
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Makes, changes and removes network interfaces of nodes, for all nodes in one task, one node after the other.
  - All changes of a node are staged and take effect together.
  - A change is made in try mode. The node itself goes back to what it was unless it has been reached again from
    outside, over a new connection to its own address. The helper for that is installed by the role
    C(socle.platform.proxmox_node).
  - Interfaces that are not named, and options that are not given, are left as they are.
options:
  nodes:
    description: The nodes, in the order in which they are changed.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the node.
        type: str
        required: true
      reach_after:
        description: The address at which the node must be reached once its network has changed, when it is another one.
        type: str
      interfaces:
        description: Its interfaces.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: Name, as in V(vmbr1), V(bond0), V(eno1.100).
            type: str
            required: true
          type:
            description: What it is. Needed for an interface that is not there yet.
            type: str
            choices: [bridge, bond, vlan, eth]
          state:
            description: Whether it is there.
            type: str
            choices: [present, absent]
            default: present
          address:
            description: IPv4 address with its prefix, as in V(10.10.10.1/16). An empty text removes it.
            type: str
          gateway:
            description: IPv4 default gateway. A node has one. An empty text removes it.
            type: str
          address6:
            description: IPv6 address with its prefix. An empty text removes it.
            type: str
          gateway6:
            description: IPv6 default gateway. An empty text removes it.
            type: str
          mtu:
            description: The MTU.
            type: int
          autostart:
            description: Whether it is started at boot. A new interface is, when this is not given.
            type: bool
          comment:
            description: A note.
            type: str
          ports:
            description: Ports of a bridge; all of them, in any order.
            type: list
            elements: str
          vlan_aware:
            description: Whether a bridge carries VLAN tags of guests.
            type: bool
          vlans:
            description: VLANs that such a bridge lets pass, as numbers and ranges.
            type: list
            elements: str
          members:
            description: Interfaces that a bond joins.
            type: list
            elements: str
          mode:
            description: Mode of a bond.
            type: str
            choices: [balance-rr, active-backup, balance-xor, broadcast, 802.3ad, balance-tlb, balance-alb, balance-slb,
              lacp-balance-slb, lacp-balance-tcp]
          primary:
            description: The member that a bond in mode V(active-backup) prefers.
            type: str
          hash_policy:
            description: How a bond chooses a member.
            type: str
            choices: [layer2, layer2+3, layer3+4]
          vlan:
            description: Tag of a VLAN.
            type: int
          device:
            description: Interface that carries a VLAN.
            type: str
extends_documentation_fragment:
  - socle.platform.engine
  - socle.platform.proxmox
  - socle.platform.proxmox_try
seealso:
  - module: socle.platform.proxmox_networks_info
  - module: socle.platform.proxmox_firewall
"""

EXAMPLES = r"""
- name: The rack network as VLAN 100 of the second port, on a bridge for machines
  socle.platform.proxmox_networks:
    api_host: [203.0.113.11, 203.0.113.12]
    api_token_id: socle@pve!socle
    api_token_secret: "{{ lookup('socle.platform.secret', 'proxmox/token') }}"
    reach:
      pve1: 203.0.113.11
      pve2: 203.0.113.12
    nodes:
      - name: pve1
        interfaces:
          - {name: vmbr1, type: bridge, ports: [eno2.100], address: 10.10.10.1/16, mtu: 1400}
      - name: pve2
        interfaces:
          - {name: vmbr1, type: bridge, ports: [eno2.100], address: 10.10.10.2/16, mtu: 1400}
"""

RETURN = r"""
objects:
  description: Every node, with the fields of its interfaces that change, and what came of it.
  type: list
  elements: dict
  returned: always
plan:
  description: This task's section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run
from ansible_collections.socle.platform.plugins.module_utils._proxmox import networks
from ansible_collections.socle.platform.plugins.module_utils._proxmox.options import connection_spec
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import Session, missing_libraries


def main():
    session = Session()
    reader = networks.Networks(session)

    def open_reader(parameters):
        session.of(parameters)
        return reader

    run(
        Adapter(
            spec={**connection_spec(), **networks.spec()},
            desired=networks.desired,
            reader=open_reader,
            writer=lambda parameters: networks.NetworksWriter(session, parameters, reader),
            requires=missing_libraries(),
        )
    )


if __name__ == "__main__":
    main()
