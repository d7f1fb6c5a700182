#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_storages
short_description: Keeps the storage definitions of a Proxmox VE cluster
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Defines storages, changes their definitions and forgets them, for a whole set in one task.
  - Storages that are not named are left alone. Removing a definition deletes nothing of what is stored there.
options:
  storages:
    description: The storages.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the storage.
        type: str
        required: true
      type:
        description: What kind of storage it is. Needed unless O(storages[].state=absent).
        type: str
        choices:
          - btrfs
          - cephfs
          - cifs
          - dir
          - esxi
          - iscsi
          - iscsidirect
          - lvm
          - lvmthin
          - nfs
          - pbs
          - rbd
          - zfs
          - zfspool
      content:
        description: What may be on it, as in V(images), V(import), V(iso), V(backup). Left out, it stays as it is.
        type: list
        elements: str
      nodes:
        description: The nodes that have it. An empty list means all. Left out, they stay as they are.
        type: list
        elements: str
      enabled:
        description: Whether it is used.
        type: bool
      options:
        description:
          - The options of that type under Proxmox's own names, as in C(path), C(server), C(export), C(pool), C(vgname),
            C(thinpool), C(prune-backups). An underscore is as good as a hyphen.
          - Options that are left out stay as they are; an empty text removes one.
          - C(prune-backups) and C(bwlimit) may be written as mappings.
          - Some are fixed when the storage is defined, as C(path) is. Another value means that the definition is
            removed and made anew, which needs O(allow_replace).
        type: dict
      password:
        description: Password for the server behind it. It is sent when the storage is defined; Proxmox never tells it.
        type: str
      keyring:
        description: Ceph's keyring. As O(storages[].password).
        type: str
      encryption_key:
        description: Encryption key of a Proxmox Backup Server. As O(storages[].password).
        type: str
      state:
        description: Whether it is defined.
        type: str
        choices: [present, absent]
        default: present
extends_documentation_fragment:
  - socle.platform.engine
  - socle.platform.engine.replace
  - socle.platform.proxmox
"""

EXAMPLES = r"""
- name: Machines on a ZFS pool, images and backups in a directory
  socle.platform.proxmox_storages:
    api_host: [pve1.example.org]
    api_token_id: socle@pve!socle
    api_token_secret: "{{ lookup('socle.platform.secret', 'proxmox/socle#token') }}"
    storages:
      - name: fast
        type: zfspool
        content: [images, rootdir]
        options: {pool: rpool/data, sparse: true}
      - name: images
        type: dir
        content: [import, iso, snippets]
        options: {path: /srv/images}
      - name: backup
        type: dir
        content: [backup]
        nodes: [pve1]
        options:
          path: /srv/backup
          prune-backups: {keep-daily: 7, keep-weekly: 4}
"""

RETURN = r"""
objects:
  description: Every storage, with what was done and what came of it.
  type: list
  elements: dict
  returned: always
plan:
  description: This task's section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run
from ansible_collections.socle.platform.plugins.module_utils._proxmox import storages
from ansible_collections.socle.platform.plugins.module_utils._proxmox.options import connection_spec
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import Session, missing_libraries


def main():
    session = Session()
    run(
        Adapter(
            spec={**connection_spec(), **storages.spec()},
            desired=storages.desired,
            reader=lambda parameters: storages.Storages(session.of(parameters)),
            writer=lambda parameters: storages.StoragesWriter(session.of(parameters)),
            replaces=True,
            requires=missing_libraries(),
        )
    )


if __name__ == "__main__":
    main()
