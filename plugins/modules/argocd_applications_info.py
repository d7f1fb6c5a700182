#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_applications_info
short_description: Reads how Argo CD's Applications are, and waits for them
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads Applications with their sync, their health, and what each of them waits for, in one sentence.
  - Asks the Kubernetes API, and needs no login to Argo CD.
options:
  names:
    description: Names of the Applications. All of the namespace when not given.
    type: list
    elements: str
  namespace:
    description: The namespace that they are in.
    type: str
    default: argocd
  wait:
    description:
      - Whether to wait until all of them are synced and healthy.
      - While it waits, progress says which Application of the lowest wave that is not healthy waits for what.
      - Applications that are named and not there yet are waited for, too.
    type: bool
    default: false
  deadline:
    description: Seconds to wait. At their end, the task fails with what each Application waits for, and why.
    type: float
    default: 600.0
extends_documentation_fragment:
  - socle.platform.kubernetes
attributes:
  check_mode:
    description: Can run in check mode; it only reads.
    support: full
  diff_mode:
    description: Changes nothing, so shows no difference.
    support: none
seealso:
  - module: socle.platform.kubernetes_objects
"""

EXAMPLES = r"""
- name: Wait for the platform
  socle.platform.argocd_applications_info:
    kubeconfig: /etc/kubernetes/admin.conf
    wait: true
    deadline: 900
  register: platform
"""

RETURN = r"""
applications:
  description: The Applications, by wave and name.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the Application.
      type: str
    namespace:
      description: Its namespace.
      type: str
    wave:
      description: Its sync wave.
      type: int
    sync:
      description: State of its sync, as V(Synced) or V(OutOfSync).
      type: str
    revision:
      description: The revision that it was compared with.
      type: str
    health:
      description: State of its health, as V(Healthy) or V(Degraded).
      type: str
    operation:
      description: State of its last sync, as V(Succeeded) or V(Running).
      type: str
    conditions:
      description: What Argo CD says about it.
      type: list
      elements: str
    resources:
      description: Its resources that are not healthy or not in sync.
      type: list
      elements: dict
    waiting_for:
      description: What it waits for, and the newest event that explains it. Empty when it is synced and healthy.
      type: str
"""

from ansible_collections.socle.platform.plugins.module_utils._kubernetes import applications
from ansible_collections.socle.platform.plugins.module_utils._kubernetes.info import run_info


def main():
    run_info(applications.INFO, applications.info)


if __name__ == "__main__":
    main()
