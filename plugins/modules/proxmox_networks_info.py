#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_networks_info
short_description: Reads the network interfaces of Proxmox VE nodes
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads the interfaces of nodes, in the words that M(socle.platform.proxmox_networks) takes. Says where changes are
    staged that are not applied.
options:
  nodes:
    description: Names of the nodes. All that are online when not given.
    type: list
    elements: str
extends_documentation_fragment:
  - socle.platform.proxmox
attributes:
  check_mode:
    description: Can run in check mode; it only reads.
    support: full
  diff_mode:
    description: Changes nothing, so shows no difference.
    support: none
seealso:
  - module: socle.platform.proxmox_networks
"""

EXAMPLES = r"""
- name: Read the interfaces of all nodes
  socle.platform.proxmox_networks_info:
    api_host: [203.0.113.11]
    api_token_id: socle@pve!socle
    api_token_secret: "{{ lookup('socle.platform.secret', 'proxmox/token') }}"
  register: proxmox
"""

RETURN = r"""
nodes:
  description: By name of the node, its interfaces by name, and whether changes are staged.
  type: dict
  returned: success
  sample:
    pve1:
      staged: false
      interfaces:
        vmbr0: {type: bridge, address: 203.0.113.11/24, gateway: 203.0.113.1, ports: [eno1], autostart: true}
"""

from ansible_collections.socle.platform.plugins.module_utils._proxmox import networks
from ansible_collections.socle.platform.plugins.module_utils._proxmox.info import run_info


def main():
    run_info(networks.INFO, networks.info)


if __name__ == "__main__":
    main()
