#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Prints what a playbook would change, by system
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Runs a playbook in check mode, in a second process started with the same inventory, limit, tags, variables and vault
    passwords as this run, and prints one summary of everything it would change.
  - The second process is always in check mode, however this one was started.
  - Fails when the plan cannot be made for everything, or when something in it is refused.
  - C(playbooks/plan.yml) is this task and nothing else.
options:
  playbook:
    description: The playbook to plan.
    type: path
    required: true
  plan_file:
    description:
      - Where to write the plan. A later run of the playbook with C(-e socle_plan_file) does exactly what it says.
      - Not written when the plan is not whole.
    type: path
  json:
    description: Where to write the summary as JSON.
    type: path
  title:
    description: What the plan is of. The name of the playbook when left out.
    type: str
  fail_on_changes:
    description: Whether the task fails when there is something to change, to notice drift in a scheduled job.
    type: bool
    default: false
attributes:
  action:
    description: Runs on the controller alone.
    support: full
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: What it prints is the difference.
    support: none
"""

EXAMPLES = r"""
- name: Show what would change
  socle.platform.plan:
    playbook: "{{ playbook_dir }}/site.yml"
    plan_file: plan.json
  run_once: true
"""

RETURN = r"""
planned:
  description: Whether there is anything to change.
  type: bool
  returned: always
counts:
  description: How many objects would be created, updated, replaced and deleted.
  type: dict
  returned: always
  sample: {create: 3, update: 1}
"""
