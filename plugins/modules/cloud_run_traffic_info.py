#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cloud_run_traffic_info
short_description: Tells which versions of Cloud Run services run, since when, and for whom
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads from Cloud Run what runs where, from which version and commit, who released it, and how many users have it.
options:
  project:
    description: Id of the project.
    type: str
    required: true
  location:
    description: The region.
    type: str
    required: true
  access_token:
    description: A token to sign in with. What Google's libraries find on this machine when not set.
    type: str
  endpoint:
    description: Address of the API, when it is not Google's own.
    type: str
  monitoring_endpoint:
    description: Address of the API of Cloud Monitoring, when it is not Google's own.
    type: str
  tag:
    description: The tag under which a new version is reached before it has users.
    type: str
    default: next
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
  - google-auth
  - requests
seealso:
  - module: socle.platform.cloud_run_traffic
"""

EXAMPLES = r"""
- name: What runs
  socle.platform.cloud_run_traffic_info:
    project: shop-prod
    location: europe-west1
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

from ansible_collections.socle.platform.plugins.module_utils._releases import cloud_run_options
from ansible_collections.socle.platform.plugins.module_utils._releases.google import missing_libraries
from ansible_collections.socle.platform.plugins.module_utils._releases.info import run_info


def main():
    run_info(cloud_run_options.info_spec(), cloud_run_options.port, missing_libraries())


if __name__ == "__main__":
    main()
