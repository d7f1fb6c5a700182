#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_templates_info
short_description: Reads the templates that this collection has made
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads the templates made by M(socle.platform.proxmox_templates), of any platform, and which is the newest of a name.
extends_documentation_fragment:
  - socle.platform.proxmox
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: none
seealso:
  - module: socle.platform.proxmox_templates
"""

EXAMPLES = r"""
- name: Read the templates
  socle.platform.proxmox_templates_info:
    api_host: [pve1.example.org]
    api_token_id: socle@pve!socle
    api_token_secret: "{{ lookup('socle.platform.secret', 'proxmox/socle#token') }}"
  register: made

- name: Show which Debian new machines would get
  ansible.builtin.debug:
    msg: "{{ made.latest['debian-13'] | default('none yet') }}"
"""

RETURN = r"""
templates:
  description: The templates, the newest of each name last.
  type: list
  elements: dict
  returned: success
  contains:
    template:
      description: Its whole name.
      type: str
    name:
      description: What it is.
      type: str
    version:
      description: Which one.
      type: str
    platform:
      description: Whose it is.
      type: str
    node:
      description: Where it is.
      type: str
    id:
      description: Its id.
      type: int
    storage:
      description: Where its disk is.
      type: str
    disk:
      description: Size of its disk.
      type: str
    checksum:
      description: Checksum of its image.
      type: str
    shared:
      description: Whether it serves all nodes.
      type: bool
    complete:
      description: Whether it may be cloned; V(false) while it is being made, or when that was interrupted.
      type: bool
    made:
      description: When it was made, in seconds since 1970.
      type: int
latest:
  description: The newest complete template of each name.
  type: dict
  returned: success
"""

from ansible_collections.socle.platform.plugins.module_utils._proxmox import templates
from ansible_collections.socle.platform.plugins.module_utils._proxmox.info import run_info


def main():
    run_info({}, lambda session, _: templates.everything(session))


if __name__ == "__main__":
    main()
