#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_ready
short_description: Waits until the API of Proxmox VE nodes answers
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Waits until each node takes connections, as after its installation.
  - In check mode it does not wait. Nodes that refuse a connection are named as those that Proxmox VE would be installed
    on, and C(playbooks/plan.yml) lists what stands on them as known only later.
  - It needs no login and changes nothing.
options:
  nodes:
    description: The address at which each node is reached, by name; with or without a port.
    type: dict
    required: true
  port:
    description: The port where an address has none.
    type: int
    default: 8006
  timeout:
    description: Seconds to wait at most.
    type: float
    default: 300.0
  all:
    description: Whether all nodes are needed, or one that answers is enough. Looked at in check mode only.
    type: bool
    default: true
  first:
    description: Steps of the same run that have to come first, as truth values by name. Looked at in check mode only.
    type: dict
    default: {}
  makes:
    description:
      - Hosts that are made on these nodes later. C(playbooks/plan.yml) does not count it as a fault that they cannot be
        reached as long as the nodes are not there.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Looks once instead of waiting.
    support: full
  diff_mode:
    description: Changes nothing, so shows no difference.
    support: none
seealso:
  - module: socle.platform.proxmox_cluster
"""

EXAMPLES = r"""
- name: Wait for the nodes
  socle.platform.proxmox_ready:
    nodes: {compute1: 203.0.113.11, storage1: "203.0.113.21:8006"}

- name: Say in a plan that machines are planned when their templates are there
  socle.platform.proxmox_ready:
    nodes: {compute1: 203.0.113.11}
    first: {templates are made: "{{ templates is changed }}"}
    makes: [worker-1, worker-2]
  register: ready
"""

RETURN = r"""
ready:
  description: The nodes that answer.
  type: list
  elements: str
  returned: success
bare:
  description: In check mode, the nodes that refuse a connection.
  type: list
  elements: str
  returned: success
known_after:
  description: In check mode, what has to happen before anything on these nodes can be planned.
  type: str
  returned: when there is any
makes:
  description: As given.
  type: list
  elements: str
  returned: with known_after
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.socle.platform.plugins.module_utils._progress import Progress
from ansible_collections.socle.platform.plugins.module_utils._proxmox import ready
from ansible_collections.socle.platform.plugins.module_utils._wait import Deadline


def main():
    module = AnsibleModule(argument_spec=ready.SPEC, supports_check_mode=True)
    found = ready.doors(module.params["nodes"], module.params["port"])
    if module.check_mode:
        module.exit_json(changed=False, **ready.in_check_mode(found, module.params))
    progress = Progress.from_environment(module._name)
    failures = ready.wait(found, Deadline(module.params["timeout"]), progress)
    progress.close()
    if failures:
        module.fail_json(msg="; ".join(failures))
    module.exit_json(changed=False, ready=[door.node for door in found], bare=[])


if __name__ == "__main__":
    main()
