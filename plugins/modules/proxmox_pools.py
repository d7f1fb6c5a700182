#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_pools
short_description: Keeps the resource pools of a Proxmox VE cluster
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Makes, changes and removes pools, and says which guests and storages belong to them, for a whole set in one task.
  - Pools that are not named are left alone.
options:
  pools:
    description: The pools.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the pool. A pool inside of another one is written V(outer/inner).
        type: str
        required: true
      comment:
        description: What the pool is for. An empty text removes it; left out, it stays as it is.
        type: str
      guests:
        description:
          - Ids of the guests that belong to it, all of them.
          - Left out, the members stay as they are.
          - M(socle.platform.proxmox_machines) sets the pool of each machine itself.
        type: list
        elements: int
      storages:
        description: Names of the storages that belong to it, all of them. Left out, they stay as they are.
        type: list
        elements: str
      state:
        description: Whether the pool is there. Only an empty pool can be removed.
        type: str
        choices: [present, absent]
        default: present
  move:
    description: Whether a guest may be taken from the pool that it belongs to now.
    type: bool
    default: false
extends_documentation_fragment:
  - socle.platform.engine
  - socle.platform.proxmox
seealso:
  - module: socle.platform.proxmox_machines
"""

EXAMPLES = r"""
- name: A pool for each environment, inside of the platform's own
  socle.platform.proxmox_pools:
    api_host: [pve1.example.org, pve2.example.org]
    api_token_id: socle@pve!socle
    api_token_secret: "{{ lookup('socle.platform.secret', 'proxmox/token') }}"
    pools:
      - name: cater
        comment: The platform
      - name: cater/production
        storages: [fast]
      - name: cater/old
        state: absent
"""

RETURN = r"""
objects:
  description: Every pool, with what was done and what came of it.
  type: list
  elements: dict
  returned: always
plan:
  description: This task's section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run
from ansible_collections.socle.platform.plugins.module_utils._proxmox import pools
from ansible_collections.socle.platform.plugins.module_utils._proxmox.options import connection_spec
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import Session, missing_libraries


def main():
    session = Session()
    run(
        Adapter(
            spec={**connection_spec(), **pools.spec()},
            desired=pools.desired,
            reader=lambda parameters: pools.Pools(session.of(parameters), parameters["move"]),
            writer=lambda parameters: pools.PoolsWriter(session.of(parameters), parameters["move"]),
            requires=missing_libraries(),
        )
    )


if __name__ == "__main__":
    main()
