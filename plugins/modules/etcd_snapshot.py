#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_snapshot
short_description: Takes a snapshot of a kubeadm cluster's etcd
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Takes a snapshot from the etcd on this control plane, as C(etcdctl snapshot save) does, and believes it only when
    the checksum at its end is right.
  - With O(recipient) it is sealed for whoever holds that certificate's key. Neither this machine nor who takes it can
    open it again.
  - Files have mode 0600 in a folder with 0700. What is half written is never found under the name of a snapshot.
options:
  folder:
    description: Where snapshots are kept.
    type: path
    default: /var/backups/etcd
  recipient:
    description:
      - A certificate as PEM, for which snapshots are sealed with AES-256-GCM. Without it they are kept in clear.
    type: str
    default: ""
  files:
    description: Files and folders that a rebuild needs too. They are kept beside the snapshot, sealed in the same way.
    type: list
    elements: path
    default: []
  keep:
    description: How many snapshots of this cluster are kept; V(0) for all of them.
    type: int
    default: 0
  keep_days:
    description: For how many days they are kept; V(0) for ever. The newest one is always kept.
    type: float
    default: 0.0
  fresh:
    description: Take none if there is one that is younger than so many seconds.
    type: float
    default: 0.0
extends_documentation_fragment:
  - socle.platform.kubeadm
attributes:
  check_mode:
    description: Says whether one would be taken.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: none
seealso:
  - module: socle.platform.kubeadm_gate
"""

EXAMPLES = r"""
- name: Keep a day of snapshots, with what a rebuild needs
  socle.platform.etcd_snapshot:
    recipient: "{{ lookup('socle.platform.secret', 'kubernetes/backup', field='certificate') }}"
    files: [/etc/kubernetes/pki]
    keep: 288
"""

RETURN = r"""
path:
  description: The snapshot; C(.cms) at its end says that it is sealed.
  type: str
  returned: success
sha256:
  description: Of the snapshot in clear, as it says itself; empty when none was taken.
  type: str
  returned: success
revision:
  description: Up to which revision of etcd it goes.
  type: int
  returned: success
cluster:
  description: The id of the cluster.
  type: str
  returned: success
size:
  description: Bytes of the file.
  type: int
  returned: success
files:
  description: The archive of O(files).
  type: str
  returned: success
pruned:
  description: Snapshots that were deleted.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.socle.platform.plugins.module_utils._cluster.plain import SNAPSHOT, snapshot
from ansible_collections.socle.platform.plugins.module_utils._cluster.run import run


def main():
    run(AnsibleModule(argument_spec=SNAPSHOT, supports_check_mode=True), snapshot)


if __name__ == "__main__":
    main()
