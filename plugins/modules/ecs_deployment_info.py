#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_deployment_info
short_description: Tells which versions of ECS services run, since when, and for whom
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads from AWS what runs where, from which version and commit, who released it, and how many users have it.
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  region:
    description: The region. What AWS's own tools would take when not set.
    type: str
  profile:
    description: The profile to sign in with. What AWS's own tools would take when not set.
    type: str
  endpoint:
    description: Address of the APIs, when it is not AWS's own.
    type: str
  names:
    description: Names of the services.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    description: Can run in check mode; it only reads.
    support: full
  diff_mode:
    description: Changes nothing, so shows no difference.
    support: none
requirements:
  - boto3
seealso:
  - module: socle.platform.ecs_deployment
"""

EXAMPLES = r"""
- name: What runs
  socle.platform.ecs_deployment_info:
    cluster: shop-paris
    region: eu-west-3
    names: [web]
  register: found
"""

RETURN = r"""
releases:
  description: What runs where, for each service.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The service.
      type: str
    phase:
      description: How far the newest release is (V(none), V(open), V(done) or V(failed)).
      type: str
    version:
      description: What the team calls the newest release.
      type: str
    commit:
      description: The commit that it was built from.
      type: str
    by:
      description: Who released it.
      type: str
    at:
      description: When it began.
      type: str
    reason:
      description: Why it was taken back.
      type: str
    moving:
      description: What the cloud is in the middle of.
      type: str
    trouble:
      description: What the cloud complains about.
      type: str
    versions:
      description: The new version and the one before.
      type: list
      elements: dict
      contains:
        name:
          description: What the cloud calls it.
          type: str
        image:
          description: Its image.
          type: str
        percent:
          description: The share of the users that have it now.
          type: int
        health:
          description: V(ready), V(coming), V(failed) or V(stopped).
          type: str
        why:
          description: Why it is not ready.
          type: str
        url:
          description: Where it is tested.
          type: str
        since:
          description: When it was made.
          type: str
"""

from ansible_collections.socle.platform.plugins.module_utils._releases import ecs_options
from ansible_collections.socle.platform.plugins.module_utils._releases.amazon import missing_libraries
from ansible_collections.socle.platform.plugins.module_utils._releases.info import run_info


def main():
    run_info(ecs_options.info_spec(), ecs_options.port, missing_libraries())


if __name__ == "__main__":
    main()
