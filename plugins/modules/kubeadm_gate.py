#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_gate
short_description: Waits until an act on a control plane is safe
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Stands before every act on a control plane. It passes when etcd keeps its quorum and the API one ready server while
    the act goes on; it moves etcd's leadership away first. Otherwise it waits, and fails with the reason.
  - Run it on any control plane whose etcd works, at best on another one than is to be touched.
options:
  act:
    description:
      - V(restart) is whatever stops the member's etcd for a while.
      - V(remove) takes it out of the list, V(join) adds one.
    type: str
    choices: [restart, remove, join]
    required: true
  member:
    description: Name, address or id of the member that is to be touched.
    type: str
    default: ""
  control_planes:
    description: Addresses by name of the control planes whose API servers count.
    type: dict
    default: {}
  move_leader:
    description: Move etcd's leadership to another member if this one has it.
    type: bool
    default: true
  timeout:
    description: Seconds to wait at most.
    type: float
    default: 120.0
extends_documentation_fragment:
  - socle.platform.kubeadm
attributes:
  check_mode:
    description: Looks once, and moves no leadership.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: none
seealso:
  - module: socle.platform.kubeadm_next
"""

EXAMPLES = r"""
- name: Stand before the upgrade of a control plane
  socle.platform.kubeadm_gate:
    act: restart
    member: control-2
    control_planes: {control-1: 10.10.0.11, control-2: 10.10.0.12, control-3: 10.10.0.13}
  delegate_to: control-1
"""

RETURN = r"""
members:
  description: The members of etcd, with C(id), C(name), C(address), C(learner), C(healthy), C(url).
  type: list
  elements: dict
  returned: success
leader:
  description: The id of the member that leads.
  type: str
  returned: success
apis:
  description: Whether each API server is ready.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.socle.platform.plugins.module_utils._cluster.plain import GATE, gate
from ansible_collections.socle.platform.plugins.module_utils._cluster.run import run


def main():
    run(AnsibleModule(argument_spec=GATE, supports_check_mode=True), gate)


if __name__ == "__main__":
    main()
