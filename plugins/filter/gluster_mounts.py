# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gluster_mounts
author:
  - The Socle authors (@socle-platform)
short_description: How volumes of GlusterFS are mounted by systemd
version_added: 0.1.0
description:
  - Gives for each volume its mount point, the name of the mount's unit, and the options that have it mounted from
    whichever server answers.
options:
  _input:
    description: Mappings with the C(name) of each volume.
    type: list
    elements: dict
    required: true
  servers:
    description: Addresses of the servers.
    type: list
    elements: str
    required: true
  base:
    description: The folder in which each volume gets a mount point of its name.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Say where they are
  ansible.builtin.debug:
    msg: "{{ [{'name': 'k8s'}] | socle.platform.gluster_mounts(['10.10.80.1', '10.10.80.2'], '/mnt/gluster') }}"
"""

RETURN = r"""
_value:
  description: Mappings of C(volume), C(path), C(unit), C(what) and C(options).
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.socle.platform.plugins.plugin_utils._gluster import mounts


def gluster_mounts(wanted: t.Any, servers: t.Any, base: str) -> list[dict[str, str]]:
    """The mounts."""
    if not servers:
        raise AnsibleFilterError("gluster_mounts: there are no servers to mount from; wanted: their addresses")
    return mounts(wanted, servers, base)


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"gluster_mounts": gluster_mounts}
