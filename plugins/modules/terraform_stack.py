#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: terraform_stack
short_description: Keeps layers of Terraform, each with its own state
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Plans and applies several root modules, the layers, in one task. They are worked on in the order of their
    dependencies, independent ones at once; outputs of one are variables of the next, by declaration.
  - A layer without changes costs two calls of the binary. What is applied is the saved plan that was shown.
  - In check mode the real plan is shown, a diff for each resource. A layer whose inputs are only known later is planned
    with these values unknown.
  - Databases, buckets, clusters, addresses and their like are never destroyed or replaced unless O(allow) names them.
options:
  name:
    description: Name of the stack. It is part of the path of each state.
    type: str
    default: default
  layers:
    description: The layers, in any order.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the layer. It is part of the path of its state.
        type: str
        required: true
      source:
        description:
          - Folder of the root module. It is copied, never written to.
          - It holds no backend block and no import blocks; both are made from this task's options.
        type: path
        required: true
      variables:
        description: Values of its variables. Those that are null are left to their defaults.
        type: dict
        default: {}
      secrets:
        description: Values of its sensitive variables.
        type: dict
        default: {}
      inputs:
        description: >-
          Variables that are outputs of other layers of this task: for each variable's name, C(layer) and C(output).
          An output that is null is left to the variable's default.
        type: dict
        default: {}
      needs:
        description: Layers that come before this one although it takes nothing from them.
        type: list
        elements: str
        default: []
      protected:
        description: More kinds of resources that are never destroyed unless named.
        type: list
        elements: str
        default: []
      present:
        description: Whether it is there. If not, what it made is destroyed.
        type: bool
        default: true
  present:
    description: Whether the whole stack is there.
    type: bool
    default: true
  state:
    description: Where states are kept.
    type: dict
    default: {}
    suboptions:
      backend:
        description: The kind of place. V(http) is GitLab's and whatever speaks like it.
        type: str
        choices: [local, gcs, s3, scaleway, http]
        default: local
      path:
        description: Folder of local states.
        type: path
      bucket:
        description: The bucket (V(gcs), V(s3), V(scaleway)).
        type: str
      prefix:
        description: Folder inside of it.
        type: str
        default: ""
      region:
        description: The bucket's region (V(s3), V(scaleway); for V(gcs) its location when it is made).
        type: str
      project:
        description: The Google Cloud project that a missing bucket is made in.
        type: str
      endpoint:
        description: Address of the storage, when it is neither Amazon's, Google's nor Scaleway's own.
        type: str
      kms_key:
        description: The customer's key that encrypts states.
        type: str
      access_key:
        description: Access key for the states alone. Left out, the layers' own credentials are used.
        type: str
      secret_key:
        description: Its secret.
        type: str
      address:
        description: Address of the states (V(http)), such as GitLab's C(.../api/v4/projects/1/terraform/state).
        type: str
      username:
        description: The user (V(http)).
        type: str
      password:
        description: The password or token (V(http)).
        type: str
      create:
        description: Make a missing bucket first, versioned, encrypted and private.
        type: bool
        default: true
  binary:
    description: The program, by name or path. Left out, C(terraform) is taken, or C(tofu) where that is missing.
    type: str
  work_dir:
    description: Folder of copies, provider plugins and local states. Left out, it is in the user's state folder.
    type: path
  allow:
    description: >-
      What may be destroyed or replaced although it is protected: addresses, kinds, or either with the layer's name and
      a colon before it.
    type: list
    elements: str
    default: []
  unlock:
    description: >-
      Ids of locks that nobody holds any more, as the error told them. They are removed before the layer is applied.
    type: list
    elements: str
    default: []
  lock_timeout:
    description: Seconds to wait for a state that somebody else has locked.
    type: int
    default: 30
  imports:
    description: Objects that exist already and are to be taken over.
    type: list
    elements: dict
    default: []
    suboptions:
      layer:
        description: The layer that they come to.
        type: str
        required: true
      to:
        description: The address there.
        type: str
        required: true
      id:
        description: The object's id, as the provider writes it.
        type: str
        required: true
  environment:
    description: Variables of the binary's environment.
    type: dict
    default: {}
  credentials:
    description: Variables of its environment that are secret, such as access keys and tokens of the clouds.
    type: dict
    default: {}
  deadline:
    description:
      - Seconds that the whole task may take.
      - When it passes, the binary is interrupted once. It finishes what is under way and saves its state.
    type: float
    default: 5400.0
extends_documentation_fragment:
  - socle.platform.engine
requirements:
  - Terraform or OpenTofu, 1.11 or newer
  - boto3, when a bucket of V(s3) or V(scaleway) is looked for
  - google-auth and requests, when a bucket of V(gcs) is looked for
"""

EXAMPLES = r"""
- name: A network and a cluster in it
  socle.platform.terraform_stack:
    name: canada
    state: {backend: gcs, bucket: cater-states, project: cater-prod, region: northamerica-northeast1}
    layers:
      - name: network
        source: "{{ playbook_dir }}/layers/network"
        variables: {project: cater-prod, region: northamerica-northeast1}
      - name: cluster
        source: "{{ playbook_dir }}/layers/cluster"
        variables: {project: cater-prod}
        inputs:
          subnet: {layer: network, output: subnet}
  register: canada

- name: Take it down, and the cluster with it
  socle.platform.terraform_stack:
    name: canada
    state: {backend: gcs, bucket: cater-states, project: cater-prod, region: northamerica-northeast1}
    present: false
    allow: [google_container_cluster]
    layers:
      - name: cluster
        source: "{{ playbook_dir }}/layers/cluster"
        variables: {project: cater-prod}
"""

RETURN = r"""
objects:
  description: Every layer, with what was done and what came of it.
  type: list
  elements: dict
  returned: always
outputs:
  description:
    - Each layer's outputs. Those that are sensitive are hidden.
    - In check mode, values that are not known yet read C((known after apply)).
  type: dict
  returned: when the layers could be planned
calls:
  description: How often the binary was called.
  type: int
  returned: when the layers could be planned
binary:
  description: Which binary.
  type: str
  returned: when the layers could be planned
plan:
  description: This task's section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run
from ansible_collections.socle.platform.plugins.module_utils._terraform import adapter
from ansible_collections.socle.platform.plugins.module_utils._terraform.options import spec


def main():
    session = adapter.Session("terraform_stack")
    try:
        run(
            Adapter(
                spec=spec(),
                desired=lambda parameters: adapter.desired(session.of(parameters)),
                reader=session.reader,
                writer=session.writer,
                more=session.more,
            )
        )
    finally:
        session.close()


if __name__ == "__main__":
    main()
