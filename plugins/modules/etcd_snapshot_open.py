#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_snapshot_open
short_description: Opens the newest good snapshot of etcd, for a restore
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Looks through snapshots that M(socle.platform.etcd_snapshot) took, the newest first, and opens the first one that is
    whole, of the right cluster, and not changed since it was sealed. It says why newer ones were passed over.
  - The key goes to C(openssl) through a pipe and is never written.
options:
  source:
    description: A folder of snapshots, or one snapshot.
    type: path
    default: /var/backups/etcd
  path:
    description: Where it is put in clear, with mode 0600. Nothing may be there.
    type: path
    required: true
  cluster:
    description: The id of the cluster that it has to be of; any when left out.
    type: str
    default: ""
  certificate:
    description: The certificate for which snapshots were sealed, as PEM.
    type: str
    default: ""
  key:
    description: Its key, as PEM.
    type: str
    default: ""
attributes:
  check_mode:
    description: Opens it, and takes it away again.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: none
seealso:
  - module: socle.platform.etcd_snapshot
"""

EXAMPLES = r"""
- name: Open the newest good snapshot
  socle.platform.etcd_snapshot_open:
    path: /var/lib/etcd-restore.db
    certificate: "{{ lookup('socle.platform.secret', 'kubernetes/backup', field='certificate') }}"
    key: "{{ lookup('socle.platform.secret', 'kubernetes/backup') }}"
"""

RETURN = r"""
source:
  description: The snapshot that was opened.
  type: str
  returned: success
path:
  description: Where it lies in clear.
  type: str
  returned: success
sha256:
  description: Its checksum.
  type: str
  returned: success
cluster:
  description: The id of its cluster.
  type: str
  returned: success
revision:
  description: Up to which revision of etcd it goes.
  type: int
  returned: success
taken:
  description: When it was taken, in seconds since 1970.
  type: float
  returned: success
passed:
  description: Newer snapshots, and why each was passed over.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.socle.platform.plugins.module_utils._cluster.plain import OPEN, opened
from ansible_collections.socle.platform.plugins.module_utils._cluster.run import run


def main():
    run(AnsibleModule(argument_spec=OPEN, supports_check_mode=True), opened)


if __name__ == "__main__":
    main()
