#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is of a platform's virtual machines on Proxmox VE."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_machines_info
short_description: Read the virtual machines of a platform on Proxmox VE
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads the machines that M(socle.platform.proxmox_machines) keeps, with one request per machine, and changes nothing.
  - Only guests that prove to be a machine of the platform are told; a tag that somebody copied is no proof.
options:
  platform:
    description: Name of the platform.
    type: str
    required: true
  names:
    description: Only these machines. All when empty.
    type: list
    elements: str
    default: []
  agent:
    description:
      - Ask the agent of each running guest for its addresses.
      - Otherwise, and of a guest whose agent does not answer, the addresses are those that cloud-init was told.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode; it changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to show, since it changes nothing.
    support: none
extends_documentation_fragment:
  - socle.platform.proxmox
seealso:
  - module: socle.platform.proxmox_machines
"""

EXAMPLES = r"""
- name: Read the machines of the platform
  socle.platform.proxmox_machines_info:
    api_host: [pve1.example.org, pve2.example.org]
    api_token_id: socle@pve!machines
    api_token_secret: "{{ token }}"
    platform: cater
  register: found

- name: Name those that wait for a reboot
  ansible.builtin.debug:
    msg: "{{ found.machines | dict2items | selectattr('value.needs_reboot') | map(attribute='key') | list }}"
"""

RETURN = r"""
machines:
  description: The machines, by name.
  returned: success
  type: dict
  sample:
    control-1:
      id: 100231
      node: pve1
      uuid: 5f0c4b1e-2d7c-5a35-9b7e-0f6b1c2d3e4f
      status: running
      cores: 2
      memory: 4 GiB
      addresses: [10.10.0.11]
      needs_reboot: []
      complete: true
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.socle.platform.plugins.module_utils._objects import EngineError
from ansible_collections.socle.platform.plugins.module_utils._proxmox.client import LibraryMissing, Proxmox
from ansible_collections.socle.platform.plugins.module_utils._proxmox.live import Live
from ansible_collections.socle.platform.plugins.module_utils._proxmox.machine_info import machines_info
from ansible_collections.socle.platform.plugins.module_utils._proxmox.options import (
    connection_of,
    connection_problems,
    connection_spec,
)


def main() -> None:
    """Read and tell."""
    module = AnsibleModule(
        argument_spec={
            **connection_spec(),
            "platform": {"type": "str", "required": True},
            "names": {"type": "list", "elements": "str", "default": []},
            "agent": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    problems = connection_problems(module.params)
    if problems:
        module.fail_json(msg="; ".join(problems))
    try:
        live = Live(Proxmox(connection_of(module.params)), module.params["platform"], ())
        found = machines_info(live, module.params["names"], agent=module.params["agent"])
        live.close()
    except LibraryMissing as error:
        module.fail_json(msg=missing_required_lib(error.library))
    except EngineError as error:
        module.fail_json(msg=f"cannot read the machines of {module.params['platform']}: {error}")
    module.exit_json(changed=False, machines=found)


if __name__ == "__main__":
    main()
