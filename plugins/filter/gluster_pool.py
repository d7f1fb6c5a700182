# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gluster_pool
author:
  - The Socle authors (@socle-platform)
short_description: Who speaks for a pool of GlusterFS servers, and which of them are new machines in an old place
version_added: 0.1.0
description:
  - From what M(socle.platform.gluster_volumes_info) found on each server, says which one knows the pool best, which
    ones the pool knows and they do not know it (their machines are new), and which bricks are empty.
  - A brick's folder that holds other files is an error.
options:
  _input:
    description: What was found, by host.
    type: dict
    required: true
  servers:
    description: Addresses of all servers that belong to the pool.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say who is asked
  ansible.builtin.debug:
    msg: "{{ {'g1': found} | socle.platform.gluster_pool(['10.10.80.1']) }}"
"""

RETURN = r"""
_value:
  description:
    - C(manager) is the host that speaks for the pool, C(manager_address) its address.
    - C(introduce) lists hosts that come back as new machines, C(restore) has the numbers by which the pool knows those
      that do not have theirs. C(blank) lists bricks whose folders are empty, C(complete) says that the
      pool knows all servers.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.socle.platform.plugins.plugin_utils._gluster import pool


def gluster_pool(found: t.Any, servers: t.Any) -> dict[str, t.Any]:
    """Who does what."""
    try:
        return pool(found, servers)
    except ValueError as error:
        raise AnsibleFilterError(f"gluster_pool: {error}") from None


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"gluster_pool": gluster_pool}
