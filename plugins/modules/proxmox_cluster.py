#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_cluster
short_description: Makes a cluster of Proxmox VE nodes
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Makes the cluster on the first node and lets the others join it, one after the other, over the links that are named.
  - A node that has joined counts once the cluster itself has it online and has a quorum.
  - Nodes of the cluster that are not named are left alone.
  - A cluster of two nodes, or of any even number without a QDevice, gets a warning.
options:
  name:
    description: Name of the cluster, of at most 15 letters, digits and hyphens.
    type: str
    required: true
  nodes:
    description: The nodes. The first one makes the cluster when there is none.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the node, as it calls itself.
        type: str
        required: true
      api_host:
        description: Address of its API, as V(name), V(address) or V(address:port).
        type: str
        required: true
      links:
        description:
          - Addresses of the cluster's own traffic, one for each link, such as that in the rack network.
          - All nodes have as many. Proxmox chooses one when none is named.
        type: list
        elements: str
        default: []
      password:
        description: Password of root on it, where it is not O(api_password).
        type: str
      fingerprint:
        description: Fingerprint of its certificate, where the one that the cluster tells is not to be trusted.
        type: str
      votes:
        description: Its votes.
        type: int
      state:
        description:
          - Whether it is in the cluster.
          - One that is to leave must be powered off, and must never come back with its present configuration.
        type: str
        choices: [present, absent]
        default: present
  api_host:
    description: Not needed, since each node has its own.
    type: list
    elements: str
    required: false
extends_documentation_fragment:
  - socle.platform.engine
  - socle.platform.proxmox
seealso:
  - module: socle.platform.proxmox_cluster_info
notes:
  - Proxmox lets only C(root@pam) with its password make and join clusters; a token is not enough.
"""

EXAMPLES = r"""
- name: Four servers, one cluster
  socle.platform.proxmox_cluster:
    api_user: root@pam
    api_password: "{{ lookup('socle.platform.secret', 'proxmox/root_password') }}"
    name: cater
    nodes:
      - {name: compute1, api_host: 203.0.113.11, links: [10.10.10.1]}
      - {name: compute2, api_host: 203.0.113.12, links: [10.10.10.2]}
      - {name: storage1, api_host: 203.0.113.21, links: [10.10.20.1]}
      - {name: storage2, api_host: 203.0.113.22, links: [10.10.20.2]}
"""

RETURN = r"""
objects:
  description: Every node, with what was done and what came of it.
  type: list
  elements: dict
  returned: always
plan:
  description: This task's section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run
from ansible_collections.socle.platform.plugins.module_utils._proxmox import cluster
from ansible_collections.socle.platform.plugins.module_utils._proxmox.options import connection_spec
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import missing_libraries


def main():
    connection = connection_spec()
    connection["api_host"] = {"type": "list", "elements": "str"}
    readers = []

    def open_reader(parameters):
        readers.append(cluster.Members(parameters, cluster.connector(parameters)))
        return readers[0]

    run(
        Adapter(
            spec={**connection, **cluster.spec()},
            desired=cluster.desired,
            reader=open_reader,
            writer=lambda _parameters: cluster.MembersWriter(readers[0]),
            requires=missing_libraries(),
        )
    )


if __name__ == "__main__":
    main()
