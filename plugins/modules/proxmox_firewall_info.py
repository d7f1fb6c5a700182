#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_firewall_info
short_description: Reads the firewall of a Proxmox VE cluster, its nodes and its guests
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads options, rules, aliases, IP sets and security groups, as M(socle.platform.proxmox_firewall) takes them.
    What nobody has set is told with its default.
options:
  nodes:
    description: Names of the nodes. All that are online when not given.
    type: list
    elements: str
  guests:
    description: Ids of guests whose own firewall is read too.
    type: list
    elements: int
    default: []
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
  - module: socle.platform.proxmox_firewall
"""

EXAMPLES = r"""
- name: Read who gets in, to the nodes and to two of their guests
  socle.platform.proxmox_firewall_info:
    api_host: [pve1.example.org]
    api_token_id: socle@pve!socle
    api_token_secret: "{{ lookup('socle.platform.secret', 'proxmox/socle#token') }}"
    guests: [100, 101]
  register: found
"""

RETURN = r"""
cluster:
  description: What applies to all nodes.
  type: dict
  returned: success
  contains:
    options:
      description: Options.
      type: dict
    aliases:
      description: Names for addresses.
      type: list
      elements: dict
    ipsets:
      description: Sets of addresses with their members.
      type: list
      elements: dict
    groups:
      description: Security groups with their rules.
      type: list
      elements: dict
    rules:
      description: Rules, in order.
      type: list
      elements: dict
nodes:
  description: For each node its name, options and rules.
  type: list
  elements: dict
  returned: success
guests:
  description: For each guest its id, name, options, rules, aliases and ipsets.
  type: list
  elements: dict
  returned: success
"""

from ansible_collections.socle.platform.plugins.module_utils._proxmox import firewall
from ansible_collections.socle.platform.plugins.module_utils._proxmox.info import run_info


def main():
    run_info(firewall.INFO, firewall.info)


if __name__ == "__main__":
    main()
