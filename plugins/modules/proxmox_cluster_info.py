#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_cluster_info
short_description: Reads who is in a cluster of Proxmox VE nodes
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads the cluster that a node is in, whether it has a quorum, and each of its nodes with its links and votes.
  - Of a server that is in no cluster the name is empty, and the list holds that server alone.
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
  - module: socle.platform.proxmox_cluster
"""

EXAMPLES = r"""
- name: Read who is there
  socle.platform.proxmox_cluster_info:
    api_host: [pve1.example.org]
    api_token_id: socle@pve!socle
    api_token_secret: "{{ lookup('socle.platform.secret', 'proxmox/socle#token') }}"
  register: found

- name: Go on only while the cluster can decide
  ansible.builtin.assert:
    that: found.quorate
"""

RETURN = r"""
name:
  description: Name of the cluster; empty where there is none.
  type: str
  returned: success
quorate:
  description: Whether it has a quorum. A server that stands alone has.
  type: bool
  returned: success
qdevice:
  description: Whether a QDevice votes beside its nodes.
  type: bool
  returned: success
nodes:
  description: Its nodes by name.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the node.
      type: str
    address:
      description: Address at which the others reach it.
      type: str
    online:
      description: Whether it is there.
      type: bool
    links:
      description: Addresses of the cluster's own traffic.
      type: list
      elements: str
    votes:
      description: Its votes.
      type: int
"""

from ansible_collections.socle.platform.plugins.module_utils._proxmox import cluster
from ansible_collections.socle.platform.plugins.module_utils._proxmox.info import run_info


def main():
    run_info({}, cluster.info)


if __name__ == "__main__":
    main()
