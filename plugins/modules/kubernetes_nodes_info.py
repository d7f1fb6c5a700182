#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubernetes_nodes_info
short_description: Reads the nodes of a Kubernetes cluster
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads nodes with what M(socle.platform.kubernetes_nodes) sets, and whether they are ready.
options:
  names:
    description: Names of the nodes. All when not given.
    type: list
    elements: str
extends_documentation_fragment:
  - socle.platform.kubernetes
attributes:
  check_mode:
    description: Can run in check mode; it only reads.
    support: full
  diff_mode:
    description: Changes nothing, so shows no difference.
    support: none
seealso:
  - module: socle.platform.kubernetes_nodes
"""

EXAMPLES = r"""
- name: Read all nodes
  socle.platform.kubernetes_nodes_info:
    kubeconfig: /etc/kubernetes/admin.conf
  register: found

- name: All of them are ready
  ansible.builtin.assert:
    that: found.nodes | rejectattr('ready') | length == 0
"""

RETURN = r"""
nodes:
  description: The nodes.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the node.
      type: str
    ready:
      description: Whether its kubelet says that it is ready.
      type: bool
    reason:
      description: Why it is not.
      type: str
    schedulable:
      description: Whether new pods may come.
      type: bool
    roles:
      description: Its roles, by its labels.
      type: list
      elements: str
    labels:
      description: Its labels.
      type: dict
    taints:
      description: Its taints.
      type: list
      elements: dict
    addresses:
      description: Its addresses, by their type.
      type: dict
    kubelet:
      description: Version of its kubelet.
      type: str
"""

from ansible_collections.socle.platform.plugins.module_utils._kubernetes import nodes
from ansible_collections.socle.platform.plugins.module_utils._kubernetes.info import run_info


def main():
    run_info(nodes.INFO, nodes.info)


if __name__ == "__main__":
    main()
