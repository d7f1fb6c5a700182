#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubernetes_objects
short_description: Keeps a set of Kubernetes objects, applied server-side
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Applies a whole set of objects in one task, each server-side under one field manager.
  - Namespaces and custom resource definitions come before what needs them; the rest goes side by side.
  - An object that is as it should be costs its share of one list, and no write.
  - An object that fails is named, what needs it is left out, and the rest is done.
options:
  objects:
    description:
      - Objects, each as a mapping or as a text of YAML.
      - Texts of O(objects), O(files) and O(stream) may hold many documents, and lists such as C(kind=List).
    type: list
    elements: raw
  files:
    description:
      - Files of YAML or JSON, and folders of them with all their folders, where the module runs.
    type: list
    elements: path
  stream:
    description: A text of YAML, such as the output of C(kustomize build) or C(helm template).
    type: str
  namespace:
    description: Namespace of the objects that name none and live in one. V(default) when not set.
    type: str
  labels:
    description:
      - Labels that every object of the set gets. They say which objects are of this set when O(prune=true).
    type: dict
  field_manager:
    description: Under which name fields are applied.
    type: str
    default: socle
  force:
    description:
      - Whether fields that another field manager has set to another value are taken over.
      - Otherwise such an object fails, and says who has which fields.
    type: bool
    default: false
  state:
    description: Whether the objects are there. Objects whose kind is not known to the cluster any more are absent.
    type: str
    choices: [present, absent]
    default: present
  propagation:
    description: What happens to what belongs to a deleted object.
    type: str
    choices: [background, foreground, orphan]
    default: background
  wait:
    description:
      - Whether to wait until everything of the set is ready.
      - Deployments, StatefulSets and DaemonSets are rolled out, Jobs complete, Pods ready, APIServices available,
        custom resources have C(Ready) true where they have that condition.
    type: bool
    default: false
  wait_for:
    description: Conditions to wait for. They take the place of what O(wait) would do for these objects.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: Kind of the objects.
        type: str
        required: true
      group:
        description: API group of the kind, where there are several of that name.
        type: str
      name:
        description: Name of one object. All of the kind when not set.
        type: str
      condition:
        description: Type of the condition.
        type: str
        required: true
      status:
        description: What the condition has to say.
        type: str
        default: "True"
  prune:
    description:
      - Whether objects that carry all of O(labels), in which O(field_manager) has applied fields, and which are not in
        the set, are deleted. Every kind is looked at.
    type: bool
    default: false
extends_documentation_fragment:
  - socle.platform.engine
  - socle.platform.engine.replace
  - socle.platform.kubernetes
notes:
  - In check mode the server itself tries out every change (a dry run), except in namespaces and of kinds that the set
    is yet to make.
seealso:
  - module: socle.platform.kubernetes_nodes
  - module: kubernetes.core.k8s
"""

EXAMPLES = r"""
- name: Everything of an app
  socle.platform.kubernetes_objects:
    kubeconfig: /etc/kubernetes/admin.conf
    files: [/srv/app/manifests]
    namespace: shop
    labels:
      app.kubernetes.io/part-of: shop
    prune: true
    wait: true

- name: What kustomize built, adopted by Argo CD later
  socle.platform.kubernetes_objects:
    stream: "{{ built.stdout }}"
    field_manager: argocd-controller
    force: true

- name: A certificate, and the moment when it is there
  socle.platform.kubernetes_objects:
    objects:
      - apiVersion: cert-manager.io/v1
        kind: Certificate
        metadata:
          name: web
          namespace: shop
        spec:
          secretName: web-tls
          dnsNames: [shop.example.org]
          issuerRef:
            name: internal
            kind: ClusterIssuer
    wait_for:
      - kind: Certificate
        condition: Ready
"""

RETURN = r"""
objects:
  description: Every object, with what was done and what came of it.
  type: list
  elements: dict
  returned: always
plan:
  description: This task's section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._kubernetes import objects
from ansible_collections.socle.platform.plugins.module_utils._kubernetes.options import (
    connection_rules,
    connection_spec,
)
from ansible_collections.socle.platform.plugins.module_utils._kubernetes.session import Session, missing_libraries
from ansible_collections.socle.platform.plugins.module_utils._kubernetes.waits import until_ready
from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run


def adapter():
    work = objects.Work(Session())
    return Adapter(
        spec={**connection_spec(), **objects.spec()},
        desired=lambda parameters: work.of(parameters).desired(parameters),
        reader=lambda parameters: objects.Objects(work.of(parameters)),
        writer=lambda parameters: objects.ObjectsWriter(work.of(parameters)),
        rehearse=lambda plan: objects.rehearse(work, plan),
        afterwards=lambda result, deadline, progress: until_ready(work, result, deadline, progress),
        prunes=True,
        replaces=True,
        requires=missing_libraries(),
        rules={**connection_rules(), "required_one_of": [("objects", "files", "stream")]},
    )


def main():
    run(adapter())


if __name__ == "__main__":
    main()
