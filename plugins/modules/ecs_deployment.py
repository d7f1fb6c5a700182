#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_deployment
short_description: Releases versions of ECS services behind a load balancer, and takes them back
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Starts a new version beside the old one, reached by the test rule; checks it; moves the users all at once or in
    steps; watches it; takes it back when it fails or an alarm rings.
  - A service whose deployments are C(ROLLING) is released by the weights of two target groups. The new version runs in
    a second service; at the end the service itself gets it while nobody looks, users come home, and the second one
    stops. That works with any Application Load Balancer that has a rule for users and one for tests over two target
    groups.
  - A service whose deployments are C(BLUE_GREEN), C(CANARY) or C(LINEAR) is moved by ECS itself, by its own steps. The
    release holds it at a pause before the first user, and watches it from there on.
  - How far a release is, is read from AWS. A run that dies anywhere is continued by the next one.
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
  services:
    description: The services.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the service.
        type: str
        required: true
      state:
        description:
          - V(deployed) starts the new version beside the old one, without users, and checks it at its own address.
          - V(released) does that where it was not done yet, checks again, and moves the users.
          - V(rolled_back) gives all users the version before. A release that is under way ends; one that is done is
            undone.
        type: str
        choices: [deployed, released, rolled_back]
        default: released
      image:
        description:
          - The image of the new version, best by its digest.
          - Left out with V(released), the version that is deployed is released.
        type: str
      version:
        description: What the team calls the version. Written down in the cloud.
        type: str
      commit:
        description: The commit that it was built from. Written down in the cloud.
        type: str
      by:
        description: Who releases it. Written down in the cloud.
        type: str
      reason:
        description: Why it is rolled back. Written down in the cloud.
        type: str
      again:
        description: Try a version once more that was taken back.
        type: bool
        default: false
      steps:
        description:
          - Shares of the users, in percent, that get the new version on the way to all, as in V([5, 25]).
          - All at once when empty. Where ECS moves users itself, its own steps count.
        type: list
        elements: int
        default: []
      percent:
        description:
          - The share of the users to stop at.
          - A release that is left there is under way until it is promoted or rolled back.
        type: int
        default: 100
      bake:
        description:
          - Seconds that the new version is watched after each step, and after the last one.
          - Metrics of clouds are minutes late. Less than V(180) sees no error rate.
        type: float
        default: 0
      health:
        description:
          - A path that must answer with less than 400.
          - Three times in a row before the first user; three failures in a row after that take the version back.
        type: str
      headers:
        description: Headers for the requests to O(services[].health), such as the caller's identity token.
        type: dict
      patience:
        description: Seconds in which the new version must be ready, and once more as many to get healthy.
        type: float
        default: 300
      smoke:
        description:
          - A command with its arguments, run where the module runs, that must end with 0 before the first user.
          - It finds the address of the new version in E(SOCLE_URL), and E(SOCLE_SERVICE) and E(SOCLE_IMAGE).
        type: list
        elements: str
        default: []
      smoke_timeout:
        description: Seconds that the command may take.
        type: float
        default: 300
      max_errors:
        description:
          - The share of answers to users, in percent, that may be errors of the server. More takes the version back.
          - Fewer than twenty answers say nothing.
        type: float
      url:
        description: Where the new version is reached for the checks, when not at the address that the cloud gives it.
        type: str
      container:
        description:
          - The container that gets the image, where a task has several.
          - The one named as the service when not set.
        type: str
      alarms:
        description: Alarms of CloudWatch that take the version back. Those of the service's own deployments when empty.
        type: list
        elements: str
        default: []
      production_rule:
        description: ARN of the rule for users. Found by its name or its place in the order when not set.
        type: str
      test_rule:
        description: ARN of the rule for tests. Found by its name or its place in the order when not set.
        type: str
      green:
        description: ARN of the second target group. The other one of the rule for users when not set.
        type: str
extends_documentation_fragment:
  - socle.platform.engine
requirements:
  - boto3
seealso:
  - module: socle.platform.ecs_deployment_info
  - module: socle.platform.cloud_run_traffic
"""

EXAMPLES = r"""
- name: Deploy a version that nobody sees
  socle.platform.ecs_deployment:
    cluster: shop-paris
    region: eu-west-3
    services:
      - name: web
        state: deployed
        image: 123456789012.dkr.ecr.eu-west-3.amazonaws.com/shop-paris/web:1.4.0
        version: 1.4.0
        url: https://shop.example.org/next
        health: /health

- name: Give it to users, a tenth first
  socle.platform.ecs_deployment:
    cluster: shop-paris
    region: eu-west-3
    deadline: 1800
    services:
      - name: web
        steps: [10, 50]
        bake: 300
        max_errors: 1
        alarms: [shop-paris-web-errors]
        url: https://shop.example.org/next
        health: /health

- name: Back to the version before
  socle.platform.ecs_deployment:
    cluster: shop-paris
    region: eu-west-3
    services:
      - name: web
        state: rolled_back
        reason: orders are lost
"""

RETURN = r"""
releases:
  description: What runs where, for each service.
  type: list
  elements: dict
  returned: always
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
objects:
  description: Every service, with what was done and what came of it.
  type: list
  elements: dict
  returned: always
plan:
  description: This task's section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run
from ansible_collections.socle.platform.plugins.module_utils._releases import ecs_options
from ansible_collections.socle.platform.plugins.module_utils._releases.adapter import (
    ReleaseReader,
    Releases,
    ReleaseWriter,
    more,
)
from ansible_collections.socle.platform.plugins.module_utils._releases.amazon import missing_libraries


def main():
    releases = Releases(ecs_options.port)
    run(
        Adapter(
            spec=ecs_options.spec(),
            desired=releases.desired,
            reader=lambda parameters: ReleaseReader(releases.of(parameters)),
            writer=lambda parameters: ReleaseWriter(releases.of(parameters)),
            requires=missing_libraries(),
            more=more(releases),
        )
    )


if __name__ == "__main__":
    main()
