#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: check
short_description: Prints what a platform would be
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Prints the hosts, groups, addresses, VM ids, phases and services of the platform that the inventory describes.
  - Runs on the controller, connects to nothing and changes nothing.
  - C(playbooks/check.yml) is this task and nothing else.
options:
  manifest:
    description:
      - The manifest. Its path is in the variable C(socle_manifest) of every host.
      - Left out, what Ansible knows about hosts and groups is printed.
    type: path
  playbooks:
    description: The folder with the phases; one that is not there is marked as not built.
    type: path
attributes:
  action:
    description: Runs on the controller alone.
    support: full
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: none
"""

EXAMPLES = r"""
- name: Print what the platform would be
  socle.platform.check:
    manifest: "{{ socle_manifest | default(omit) }}"
    playbooks: "{{ playbook_dir }}"
  run_once: true
"""

RETURN = r"""
platform:
  description: What was printed, as data.
  type: dict
  returned: success
"""
