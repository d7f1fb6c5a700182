#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_access
short_description: Keeps the roles, groups, users, API tokens and permissions of Proxmox VE
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Makes, changes and removes roles, groups, users, tokens and entries of the access control list as one set, in the
    order in which they depend on each other.
  - What is not named is left alone.
  - Proxmox tells the secret of a token once, when it is made. The module stores it where the platform's secrets are
    kept and never returns it. A token whose secret could not be stored is marked, and gets a new one in the next run.
options:
  roles:
    description: Roles.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the role.
        type: str
        required: true
      privileges:
        description: All privileges of the role. Left out, they stay as they are.
        type: list
        elements: str
      preset:
        description:
          - V(platform) stands for the privileges that the modules of this collection need, where root is not needed.
          - The documentation has the list, with the call that needs each of them.
        type: str
        choices: [platform]
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  groups:
    description: Groups of users.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the group.
        type: str
        required: true
      comment:
        description: What it is for.
        type: str
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  users:
    description: Users. Fields that are left out stay as they are.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name with the realm, as in V(socle@pve).
        type: str
        required: true
      comment:
        description: Who that is.
        type: str
      email:
        description: Mail address.
        type: str
      firstname:
        description: First name.
        type: str
      lastname:
        description: Last name.
        type: str
      enabled:
        description: Whether the user may log in.
        type: bool
      expire:
        description: When the account ends, in seconds since 1970; V(0) is never.
        type: int
      groups:
        description: All groups that the user is in.
        type: list
        elements: str
      password:
        description:
          - The password of a user of realm C(pve), given when the user is made.
          - Proxmox does not tell it, so a later change here changes nothing.
        type: str
      state:
        description: Whether the user is there. Removing a user removes the tokens and permissions too.
        type: str
        choices: [present, absent]
        default: present
  tokens:
    description: API tokens.
    type: list
    elements: dict
    default: []
    suboptions:
      user:
        description: Whose token it is, with the realm.
        type: str
        required: true
      name:
        description: Name of the token.
        type: str
        required: true
      comment:
        description: What it is for.
        type: str
      expire:
        description: When it ends, in seconds since 1970; V(0) is never.
        type: int
      privilege_separation:
        description: Whether the token has permissions of its own, instead of all that its user has. New tokens have.
        type: bool
      secret:
        description:
          - Where its secret is kept, as C(path) or C(path#field); the field is C(token) when not named.
          - Needed unless O(tokens[].state=absent). Read it with C(lookup('socle.platform.secret', 'path#token')).
        type: str
      rotate:
        description: Gives the token a new secret in this very run, and stores it. Needs Proxmox VE 9.2.
        type: bool
        default: false
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  acls:
    description: Entries of the access control list, each for one of O(acls[].user), O(acls[].group), O(acls[].token).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: What the permission is for, as in V(/), V(/pool/cater) or V(/storage/fast).
        type: str
        required: true
      role:
        description: What may be done there.
        type: str
        required: true
      user:
        description: Who, with the realm.
        type: str
      group:
        description: Whose members.
        type: str
      token:
        description: Which token, as in V(socle@pve!ci).
        type: str
      propagate:
        description: Whether it holds for everything below O(acls[].path) too.
        type: bool
        default: true
      state:
        description: Whether it is there.
        type: str
        choices: [present, absent]
        default: present
  prune:
    description:
      - Whether other permissions of the users, groups and tokens that this task names are removed.
      - Nothing else is ever removed by this.
    type: bool
    default: false
extends_documentation_fragment:
  - socle.platform.engine
  - socle.platform.proxmox
  - socle.platform.secrets
  - socle.platform.secrets.module
seealso:
  - module: socle.platform.proxmox_access_info
  - name: Access to Proxmox VE
    description: The platform's role, privilege by privilege.
    link: https://github.com/socle-platform/socle.platform/tree/main/docs/proxmox-access.md
"""

EXAMPLES = r"""
- name: The platform's own user, and a token for everything that does not need root
  socle.platform.proxmox_access:
    api_host: [pve1.example.org]
    api_user: root@pam
    api_password: "{{ lookup('socle.platform.secret', 'proxmox/root#password') }}"
    roles:
      - name: Socle
        preset: platform
    users:
      - name: socle@pve
        comment: The platform
    tokens:
      - user: socle@pve
        name: socle
        privilege_separation: false
        secret: proxmox/socle#token
    acls:
      - path: /
        role: Socle
        user: socle@pve

- name: People who may look, and nobody else of this group may do more
  socle.platform.proxmox_access:
    api_host: [pve1.example.org]
    api_user: root@pam
    api_password: "{{ lookup('socle.platform.secret', 'proxmox/root#password') }}"
    groups:
      - name: readers
    acls:
      - path: /
        role: PVEAuditor
        group: readers
    prune: true
"""

RETURN = r"""
objects:
  description:
    - Every object, with what was done and what came of it. A key is the kind and the name, as in C(user socle@pve).
    - A token's notes say where its secret is kept. The secret itself is nowhere in the result.
  type: list
  elements: dict
  returned: always
plan:
  description: This task's section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run
from ansible_collections.socle.platform.plugins.module_utils._proxmox import access
from ansible_collections.socle.platform.plugins.module_utils._proxmox.access_writer import AccessWriter
from ansible_collections.socle.platform.plugins.module_utils._proxmox.options import connection_spec
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import Session, missing_libraries


def main():
    session = Session()
    kept = []

    def keeping(parameters):
        if not kept:
            kept.append(access.Keeping(parameters))
        return kept[0]

    run(
        Adapter(
            spec={**connection_spec(), **access.spec()},
            desired=access.desired,
            reader=lambda parameters: access.Access(session.of(parameters), keeping(parameters)),
            writer=lambda parameters: AccessWriter(session.of(parameters), keeping(parameters)),
            prunes=True,
            requires=missing_libraries(),
        )
    )


if __name__ == "__main__":
    main()
