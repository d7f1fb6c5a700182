#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gitlab_info
short_description: Reads groups and projects of GitLab, and the token that asks
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Reads groups and projects with what belongs to them, much as M(socle.platform.gitlab_configuration) takes it.
  - Values of variables and secrets of webhooks are never part of the result.
options:
  groups:
    description: Whole paths of groups.
    type: list
    elements: str
    default: []
  projects:
    description: Whole paths of projects.
    type: list
    elements: str
    default: []
  sections:
    description: What to read of each. One that the server does not have, or does not show to us, is C(null).
    type: list
    elements: str
    choices:
      - members
      - protected_branches
      - protected_tags
      - environments
      - environment_protections
      - freeze_periods
      - push_rule
      - variables
      - hooks
      - deploy_keys
      - deploy_tokens
      - runners
    default: []
extends_documentation_fragment:
  - socle.platform.gitlab
attributes:
  check_mode:
    description: Can run in check mode; it only reads.
    support: full
  diff_mode:
    description: Changes nothing, so shows no difference.
    support: none
seealso:
  - module: socle.platform.gitlab_configuration
"""

EXAMPLES = r"""
- name: Read who may do what
  socle.platform.gitlab_info:
    api_url: https://gitlab.example.org
    api_token: "{{ lookup('socle.platform.secret', 'gitlab/api#token') }}"
    projects: [cater/shop]
    sections: [members, protected_branches, environment_protections]
  register: found
"""

RETURN = r"""
groups:
  description: The groups, each with C(path), C(id), its attributes and sections.
  type: list
  elements: dict
  returned: success
projects:
  description: The projects, likewise.
  type: list
  elements: dict
  returned: success
server:
  description: The server's C(version), and whether it is the C(enterprise) package.
  type: dict
  returned: success
token:
  description: The C(user), C(name), C(scopes) and C(expires_at) of the token that asks.
  type: dict
  returned: success
"""

from ansible_collections.socle.platform.plugins.module_utils._gitlab.info import run_info


def main():
    run_info()


if __name__ == "__main__":
    main()
