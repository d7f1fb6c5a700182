#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_accounts
short_description: Keeps the accounts of people on a machine, all of them in one task
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Makes an account for each person, without a password, and keeps the keys of all in C(/etc/ssh/authorized_keys.d).
  - Accounts that it made are in the group C(socle-people). One of those whose person is no longer named is closed, is
    logged out and loses its groups; its files stay. Accounts that it did not make are never touched.
options:
  people:
    description: The people, all of them.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the account.
        type: str
        required: true
      comment:
        description: Full name of the person.
        type: str
        default: ""
      admin:
        description: Whether the person is in the group C(socle-admins), whose members may become root.
        type: bool
        default: false
      keys:
        description: Public SSH keys, all of them.
        type: list
        elements: str
        default: []
  groups:
    description: Groups that exist, without members if they are new.
    type: list
    elements: str
    default: []
  close_system_accounts:
    description: Whether accounts of daemons get no shell.
    type: bool
    default: false
attributes:
  check_mode:
    description: Tells what would change.
    support: full
  diff_mode:
    description: Shows the commands.
    support: full
"""

EXAMPLES = r"""
- name: Two people, one of whom may become root
  socle.platform.machine_accounts:
    people:
      - {name: ada, comment: Ada Lovelace, admin: true, keys: ["{{ lookup('ansible.builtin.file', 'ada.pub') }}"]}
      - {name: grace}
"""

RETURN = r"""
steps:
  description: What was done, one sentence each.
  type: list
  elements: str
  returned: always
"""

import grp
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.socle.platform.plugins.module_utils._machine import accounts
from ansible_collections.socle.platform.plugins.module_utils._machine.files import Files, FilesError, described
from ansible_collections.socle.platform.plugins.module_utils._machine.way_back import really_run

KEYS = "/etc/ssh/authorized_keys.d"

PERSON = {
    "name": {"type": "str", "required": True},
    "comment": {"type": "str", "default": ""},
    "admin": {"type": "bool", "default": False},
    "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
}


def main():
    spec = {
        "people": {"type": "list", "elements": "dict", "required": True, "options": PERSON},
        "groups": {"type": "list", "elements": "str", "default": []},
        "close_system_accounts": {"type": "bool", "default": False},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    given = module.params
    people = [accounts.Person(row["name"], row["comment"], row["admin"], tuple(row["keys"])) for row in given["people"]]
    files = Files(missing_owners_are_new=module.check_mode)
    try:
        groups = {group.gr_name for group in grp.getgrall()}
        found = accounts.current(Path("/etc/shadow").read_text())
        steps = accounts.plan(people, groups, found, given["groups"], given["close_system_accounts"])
        changes = files.plan(accounts.key_files(people, KEYS), [KEYS])
        if not module.check_mode:
            # Keys first: they are what somebody who goes has left.
            files.write(changes, "", 0)
            accounts.apply(steps, really_run)
        # Every change of an account leaves the old file behind, whoever made it: a package that brings an account, too.
        # So these are kept as they shall be, and are no change of what this module was asked for.
        backups = files.plan(accounts.BACKUPS)
        if not module.check_mode:
            files.write(backups, "", 0)
    except (accounts.AccountsError, FilesError, OSError) as error:
        module.fail_json(msg=str(error))
    told = [f"{step.name}: {step.what}" for step in steps]
    diff = [{"prepared": "".join(f"{line}\n" for line in told)}, *map(described, changes)]
    module.exit_json(changed=bool(steps or changes), steps=told, diff=diff)


if __name__ == "__main__":
    main()
