#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_templates
short_description: Keeps templates for machines, made of cloud images
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Lets the nodes fetch cloud images, compares them with their checksums, and makes templates of them, with a
    cloud-init drive, a serial console and the guest agent switched on.
  - The version is part of a template's name. A new image makes a new template; machines made of the old one keep it.
  - Where the storage is shared one template serves all nodes. Otherwise each node gets its own, under the same name,
    and M(socle.platform.proxmox_machines) takes the one that is on the machine's node.
  - A template that was left half made is removed and made anew.
options:
  templates:
    description: The templates.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What it is, as in V(debian-13). The template is called C(name-version).
        type: str
        required: true
      version:
        description:
          - Which one, as in V(20261101). The first digits of the checksum when not set.
          - Needed with O(templates[].state=absent).
        type: str
      url:
        description: Where the nodes fetch the image, by http or https. Needed unless O(templates[].state=absent).
        type: str
      checksum:
        description: Its checksum, as in C(sha256:0123...). Needed unless O(templates[].state=absent).
        type: str
      validate_url_certs:
        description: Whether the certificate of that server must be valid.
        type: bool
        default: true
      storage:
        description: Where the template's disk is. Needed unless O(templates[].state=absent).
        type: str
      image_storage:
        description: Where the image is put, a storage with content C(import). The first that there is when not set.
        type: str
      nodes:
        description: The nodes that get one. All that are online and have O(templates[].storage) when not set.
        type: list
        elements: str
      cores:
        description: Cores.
        type: int
        default: 1
      memory:
        description: Memory, as in V(2 GiB). A number alone is in MiB.
        type: str
        default: 1 GiB
      disk:
        description: Size of the disk, as in V(20 GiB). A number alone is in GiB. The image's own when not set.
        type: str
      cpu:
        description: Type of processor that machines see.
        type: str
        default: x86-64-v2-AES
      bridge:
        description: Bridge of its network card. No card when not set.
        type: str
      vlan:
        description: VLAN of its network card.
        type: int
      tags:
        description: Further tags; C(socle-template) is always one.
        type: list
        elements: str
        default: []
      state:
        description: Whether it is there. Proxmox removes no template that linked clones stand on.
        type: str
        choices: [present, absent]
        default: present
  platform:
    description: Whose templates these are. O(prune) removes this platform's only; others find and use them.
    type: str
    default: socle
  first_id:
    description: Templates get the first free ids from here on.
    type: int
    default: 9000
extends_documentation_fragment:
  - socle.platform.engine
  - socle.platform.engine.prune
  - socle.platform.engine.replace
  - socle.platform.proxmox
seealso:
  - module: socle.platform.proxmox_machines
  - module: socle.platform.proxmox_templates_info
"""

EXAMPLES = r"""
- name: Debian for machines, on each node that has the storage
  socle.platform.proxmox_templates:
    api_host: [pve1.example.org]
    api_token_id: socle@pve!socle
    api_token_secret: "{{ lookup('socle.platform.secret', 'proxmox/socle#token') }}"
    templates:
      - name: debian-13
        version: "20261101"
        url: https://cloud.example.org/trixie/20261101/debian-13-genericcloud-amd64-20261101.qcow2
        checksum: sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
        storage: fast
        disk: 8 GiB
        bridge: vmbr1
"""

RETURN = r"""
templates:
  description: Every template of the set that is there now.
  type: list
  elements: dict
  returned: success
  contains:
    template:
      description: Its whole name.
      type: str
    node:
      description: Where it is.
      type: str
    id:
      description: Its id.
      type: int
objects:
  description: Every template and place, with what was done and what came of it.
  type: list
  elements: dict
  returned: always
plan:
  description: This task's section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run
from ansible_collections.socle.platform.plugins.module_utils._proxmox import templates
from ansible_collections.socle.platform.plugins.module_utils._proxmox.options import connection_spec
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import Session, missing_libraries
from ansible_collections.socle.platform.plugins.module_utils._proxmox.templates_writer import Shared, TemplatesWriter


def main():
    session, cluster, shared = Session(), templates.Cluster(), Shared()

    def reader(parameters):
        session.of(parameters)
        return templates.Templates(session, cluster, parameters["platform"], parameters["prune"])

    run(
        Adapter(
            spec={**connection_spec(), **templates.spec()},
            desired=lambda parameters: templates.desired(parameters, session, cluster),
            reader=reader,
            writer=lambda parameters: TemplatesWriter(session, cluster, shared, parameters["first_id"]),
            replaces=True,
            prunes=True,
            requires=missing_libraries(),
            more=templates.there,
        )
    )


if __name__ == "__main__":
    main()
