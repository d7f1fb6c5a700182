# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gluster_volumes
author:
  - The Socle authors (@socle-platform)
short_description: Volumes of the role glusterfs as the module gluster_volumes wants them
version_added: 0.1.0
description:
  - Says on which servers the bricks of each volume lie, and which options it has for its use.
  - Each three servers in a row hold the same files. Servers beyond the last whole set of three have none.
options:
  _input:
    description: Mappings of C(name), C(size), C(replicas), C(arbiter), C(use) (V(rwx) or V(vm)) and C(options).
    type: list
    elements: dict
    required: true
  servers:
    description: Addresses of the servers.
    type: list
    elements: str
    required: true
  path:
    description: Where the disk of the bricks is mounted.
    type: str
    required: true
  tls:
    description: Whether bricks take clients by TLS only.
    type: bool
    default: true
  absent:
    description: Names of volumes that are to be removed.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Keep the volumes
  socle.platform.gluster_volumes:
    servers: "{{ servers }}"
    volumes: "{{ [{'name': 'k8s', 'size': '200 GiB'}] | socle.platform.gluster_volumes(servers, '/srv/gluster') }}"
"""

RETURN = r"""
_value:
  description: The volumes, for the module.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.socle.platform.plugins.plugin_utils._gluster import volumes


def gluster_volumes(
    wanted: t.Any, servers: t.Any, path: str, tls: bool = True, absent: t.Any = ()
) -> list[dict[str, t.Any]]:
    """The module's volumes."""
    try:
        return volumes(wanted, servers, path, tls, absent)
    except ValueError as error:
        raise AnsibleFilterError(f"gluster_volumes: {error}") from None


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"gluster_volumes": gluster_volumes}
