# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that every module on the engine has."""

from __future__ import annotations


class ModuleDocFragment:
    """`engine` for every module; `engine.replace` and `engine.prune` where the module supports them."""

    DOCUMENTATION = r"""
options:
  deadline:
    description:
      - Seconds that the whole task may take, with all its retries and waits.
      - What has not begun by then is reported as not tried; what is under way ends with the cause it waited for.
    type: float
    default: 600.0
  concurrency:
    description: How many objects are worked on at the same time at most.
    type: int
    default: 8
  plan_file:
    description:
      - A plan made earlier by C(playbooks/plan.yml).
      - The task does exactly what it says, or refuses, naming what has moved.
      - Ignored in check mode.
    type: path
  plan_scope:
    description: Tells apart the sections of the same task run for several hosts, in a plan file.
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in check mode and predict what it would do without doing it.
    support: full
  diff_mode:
    description: Says per object which fields differ; secrets are hidden.
    support: full
"""

    REPLACE = r"""
options:
  allow_replace:
    description:
      - Some changes can only be made by destroying an object and making it anew.
      - They are refused unless this is V(true).
    type: bool
    default: false
"""

    PRUNE = r"""
options:
  prune:
    description: Whether objects that are ours, and that nothing asks for any more, are deleted.
    type: bool
    default: false
"""
