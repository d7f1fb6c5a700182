# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gitlab_upgrade_stops
author:
  - The Socle authors (@socle-platform)
short_description: The versions that an upgrade of GitLab stops at
version_added: 0.1.0
description:
  - GitLab cannot jump over some of its versions. This says through which ones the way to a version leads.
options:
  _input:
    description: The version that is installed, as in V(18.4.2-ce.0).
    type: str
    required: true
  wanted:
    description: The version that is wanted, as in V(19.3) or V(19.3.1).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Say the way
  ansible.builtin.debug:
    msg: "{{ '18.4.2' | socle.platform.gitlab_upgrade_stops('19.3.1') }}" # 18.5, 18.8, 18.11, 19.2, 19.3.1
"""

RETURN = r"""
_value:
  description:
    - The versions in their order, the wanted one last. Those before have no patch, since the last one is to be taken.
      Empty when it is installed already.
  type: list
  elements: str
"""

import re
import typing as t

from ansible.errors import AnsibleFilterError

STOPS = [
    (15, 0), (15, 4), (15, 11), (16, 3), (16, 7), (16, 11), (17, 3), (17, 5), (17, 8), (17, 11),
]  # fmt: skip
# From 17.5 on, each major has these.
MINORS = (2, 5, 8, 11)
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?(?:[-+~].*)?")


def gitlab_upgrade_stops(installed: str, wanted: str) -> list[str]:
    """Every step, the wanted version last."""
    now, then = _parsed(installed), _parsed(wanted)
    if now[:2] == then[:2] and (then[2] is None or then[2] == now[2]):
        return []
    if then[:2] < now[:2] or (then[:2] == now[:2] and (then[2] or 0) < (now[2] or 0)):
        raise AnsibleFilterError(
            f"gitlab_upgrade_stops: {installed} is installed and {wanted} is older: GitLab cannot go back; restore a "
            "backup of that version on a new machine instead"
        )
    if now[:2] < (15, 0):
        raise AnsibleFilterError(f"gitlab_upgrade_stops: {installed} is too old; bring it to 15.0 by hand first")
    stops = [*STOPS, *((major, minor) for major in range(18, then[0] + 1) for minor in MINORS)]
    return [f"{major}.{minor}" for major, minor in stops if now[:2] < (major, minor) < then[:2]] + [wanted]


def _parsed(text: str) -> tuple[int, int, int | None]:
    found = _VERSION.fullmatch(str(text).strip())
    if not found:
        raise AnsibleFilterError(f"gitlab_upgrade_stops: {text!r} is no version; write it as 19.3 or 19.3.1")
    return int(found[1]), int(found[2]), int(found[3]) if found[3] else None


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"gitlab_upgrade_stops": gitlab_upgrade_stops}
