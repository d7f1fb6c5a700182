# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: release_seconds
author:
  - The Socle authors (@socle-platform)
short_description: How long a release may take
version_added: 0.1.0
description: Gives the deadline for services, in which every step is watched, and versions have time to start.
options:
  _input:
    description: The services, as P(socle.platform.release_services#filter) gives them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Say how long it may take
  ansible.builtin.debug:
    msg: "{{ [{'name': 'web', 'bake': 300, 'steps': [10, 50]}] | socle.platform.release_seconds }}"
"""

RETURN = r"""
_value:
  description: Seconds.
  type: float
"""

import typing as t

from ansible_collections.socle.platform.plugins.plugin_utils import _releases


def release_seconds(wanted: t.Any) -> float:
    """The deadline."""
    return _releases.seconds(wanted)


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"release_seconds": release_seconds}
