#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_access_info
short_description: Reads who may do what in Proxmox VE
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads roles, groups, users with their tokens, and permissions, in four requests.
  - The lists have the form of the options of M(socle.platform.proxmox_access).
  - Proxmox leaves out, without a word, what the login may not see.
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
  - module: socle.platform.proxmox_access
"""

EXAMPLES = r"""
- name: Read who may do what
  socle.platform.proxmox_access_info:
    api_host: [pve1.example.org]
    api_user: root@pam
    api_password: "{{ lookup('socle.platform.secret', 'proxmox/root#password') }}"
  register: who

- name: Show the tokens that never end
  ansible.builtin.debug:
    msg: "{{ who.tokens | selectattr('expire', 'equalto', 0) | map(attribute='name') }}"
"""

RETURN = r"""
roles:
  description: Roles, with C(builtin) for Proxmox's own.
  type: list
  elements: dict
  returned: success
groups:
  description: Groups.
  type: list
  elements: dict
  returned: success
users:
  description: Users.
  type: list
  elements: dict
  returned: success
tokens:
  description: Tokens, without their secrets, which nobody can read.
  type: list
  elements: dict
  returned: success
acls:
  description: Permissions.
  type: list
  elements: dict
  returned: success
"""

from ansible_collections.socle.platform.plugins.module_utils._proxmox import access
from ansible_collections.socle.platform.plugins.module_utils._proxmox.info import run_info


def main():
    run_info({}, lambda session, _: access.everything(session))


if __name__ == "__main__":
    main()
