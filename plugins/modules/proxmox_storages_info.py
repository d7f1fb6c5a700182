#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_storages_info
short_description: Reads the storages of a Proxmox VE cluster
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads definitions of storages, as a list that M(socle.platform.proxmox_storages) takes, and how full each is on
    each node.
  - The API never tells passwords and keys.
options:
  names:
    description: Names of the storages. All when not given.
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
  - module: socle.platform.proxmox_storages
"""

EXAMPLES = r"""
- name: Read all storages
  socle.platform.proxmox_storages_info:
    api_host: [pve1.example.org]
    api_token_id: socle@pve!socle
    api_token_secret: "{{ lookup('socle.platform.secret', 'proxmox/socle#token') }}"
  register: found
"""

RETURN = r"""
storages:
  description: The definitions.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the storage.
      type: str
    type:
      description: Its type.
      type: str
    content:
      description: What may lie on it.
      type: list
      elements: str
    nodes:
      description: The nodes that have it, where not all have.
      type: list
      elements: str
    enabled:
      description: Whether it is in use.
      type: bool
    options:
      description: Its other options.
      type: dict
usage:
  description: By name of the storage and of the node, whether it can be used there, its bytes in all and those in use.
  type: dict
  returned: success
  sample:
    local:
      pve1: {active: true, shared: false, total: 4294967296, used: 85899345}
"""

from ansible_collections.socle.platform.plugins.module_utils._proxmox import storages
from ansible_collections.socle.platform.plugins.module_utils._proxmox.info import run_info


def main():
    run_info(storages.INFO, storages.info)


if __name__ == "__main__":
    main()
