#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_member
short_description: Takes a member out of etcd
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Takes a member out of the list of a kubeadm cluster's etcd when that is safe, and compares the list before and
    after. A leader hands over first. What is not in the list is no change.
  - Deletes no data. Run it on a control plane whose etcd works.
options:
  member:
    description: Id, name or address of the member.
    type: str
    required: true
  timeout:
    description: Seconds to wait at most, until it is safe and again until it is gone.
    type: float
    default: 120.0
extends_documentation_fragment:
  - socle.platform.kubeadm
attributes:
  check_mode:
    description: Says whether it would be taken out, or why not.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: none
seealso:
  - module: socle.platform.kubeadm_next
"""

EXAMPLES = r"""
- name: Take the member of a lost machine out of etcd
  socle.platform.etcd_member:
    member: 91bc3c398fb3c146
"""

RETURN = r"""
members:
  description: The members of etcd, with C(id), C(name), C(address), C(learner), C(healthy), C(url).
  type: list
  elements: dict
  returned: success
leader:
  description: The id of the member that leads.
  type: str
  returned: success
apis:
  description: Always empty.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.socle.platform.plugins.module_utils._cluster.plain import MEMBER, without_member
from ansible_collections.socle.platform.plugins.module_utils._cluster.run import run


def main():
    run(AnsibleModule(argument_spec=MEMBER, supports_check_mode=True), without_member)


if __name__ == "__main__":
    main()
