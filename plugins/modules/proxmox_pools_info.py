#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_pools_info
short_description: Reads the pools of a Proxmox VE cluster
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads pools with their members, as a list that M(socle.platform.proxmox_pools) takes.
options:
  names:
    description: Names of the pools. All when not given.
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
  - module: socle.platform.proxmox_pools
"""

EXAMPLES = r"""
- name: Read all pools
  socle.platform.proxmox_pools_info:
    api_host: [pve1.example.org]
    api_token_id: socle@pve!socle
    api_token_secret: "{{ lookup('socle.platform.secret', 'proxmox/socle#token') }}"
  register: found
"""

RETURN = r"""
pools:
  description: The pools.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the pool.
      type: str
    comment:
      description: A note.
      type: str
    guests:
      description: Ids of its guests.
      type: list
      elements: int
    storages:
      description: Its storages.
      type: list
      elements: str
"""

from ansible_collections.socle.platform.plugins.module_utils._proxmox import pools
from ansible_collections.socle.platform.plugins.module_utils._proxmox.info import run_info


def main():
    run_info(pools.INFO, pools.info)


if __name__ == "__main__":
    main()
