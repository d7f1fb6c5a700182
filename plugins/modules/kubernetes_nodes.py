#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubernetes_nodes
short_description: Keeps the labels and taints of nodes, empties and removes them
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Sets labels, taints and whether pods are scheduled, for a whole set of nodes in one task.
  - Labels and taints that a node has from others stay. Those that this module put there go when they are not named any
    more; the annotation C(socle.platform/managed) says which these are.
  - A node is emptied by evictions, so budgets are kept. It is removed only after that has succeeded.
  - Nodes that are not named are left alone.
options:
  nodes:
    description: The nodes.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the node.
        type: str
        required: true
      labels:
        description: Its labels. Left out, they stay as they are; empty, those of ours go.
        type: dict
      remove_labels:
        description: Labels that must not be there, whoever put them there.
        type: list
        elements: str
        default: []
      taints:
        description: Its taints. Left out, they stay as they are; empty, those of ours go.
        type: list
        elements: dict
        suboptions:
          key:
            description: Key of the taint.
            type: str
            required: true
          value:
            description: Value of the taint.
            type: str
            default: ""
          effect:
            description: What it does.
            type: str
            choices: [NoSchedule, PreferNoSchedule, NoExecute]
            required: true
      remove_taints:
        description: Taints that must not be there, whoever put them there, as V(key:effect) or V(key).
        type: list
        elements: str
        default: []
      schedulable:
        description: Whether new pods may come (V(false) cordons it). Left out, it stays as it is.
        type: bool
      state:
        description:
          - V(drained) cordons the node and evicts its pods.
          - V(absent) does that, and removes the node when all are gone.
          - Pods of DaemonSets and static pods stay.
        type: str
        choices: [present, drained, absent]
        default: present
  drain:
    description: How nodes are emptied. What a rule forbids is said before anything is written.
    type: dict
    default: {}
    suboptions:
      delete_empty_dir:
        description: Whether pods with an emptyDir volume may go, and its content with them.
        type: bool
        default: false
      delete_unmanaged:
        description: Whether pods may go that no controller makes anew.
        type: bool
        default: false
      grace_period:
        description: Seconds that pods have to end. What they themselves say when not set.
        type: int
      timeout:
        description: Seconds that one node may take. O(deadline) alone when not set.
        type: float
      skip_terminating_after:
        description:
          - Pods that are still there so many seconds after their time to end was over are not waited for.
          - For nodes that are gone for good, where nothing can end a pod. All are waited for when not set.
        type: float
extends_documentation_fragment:
  - socle.platform.engine
  - socle.platform.kubernetes
notes:
  - When a drain fails, a node that was cordoned for it takes pods again; the error says so, and which budget is in
    the way.
  - Several nodes are emptied side by side; set O(concurrency=1) to go one by one.
seealso:
  - module: socle.platform.kubernetes_nodes_info
  - module: socle.platform.kubernetes_objects
"""

EXAMPLES = r"""
- name: What the manifest says about nodes
  socle.platform.kubernetes_nodes:
    kubeconfig: /etc/kubernetes/admin.conf
    nodes:
      - name: worker-1
        labels:
          example.org/disk: fast
        taints:
          - key: example.org/gpu
            effect: NoSchedule
      - name: control-1
        remove_taints: [node-role.kubernetes.io/control-plane]

- name: One node away
  socle.platform.kubernetes_nodes:
    nodes:
      - name: worker-3
        state: absent
    drain:
      delete_empty_dir: true
    deadline: 900
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

from ansible_collections.socle.platform.plugins.module_utils._kubernetes import nodes
from ansible_collections.socle.platform.plugins.module_utils._kubernetes.options import (
    connection_rules,
    connection_spec,
)
from ansible_collections.socle.platform.plugins.module_utils._kubernetes.session import Session, missing_libraries
from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run


def adapter():
    session = Session()
    return Adapter(
        spec={**connection_spec(), **nodes.spec()},
        desired=nodes.desired,
        reader=lambda parameters: nodes.Nodes(session.of(parameters), nodes.asked(parameters)),
        writer=lambda parameters: nodes.NodesWriter(session.of(parameters), nodes.asked(parameters)),
        requires=missing_libraries(),
        rules=connection_rules(),
    )


def main():
    run(adapter())


if __name__ == "__main__":
    main()
