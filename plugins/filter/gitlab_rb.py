# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gitlab_rb
author:
  - The Socle authors (@socle-platform)
short_description: The configuration of GitLab's Linux package
version_added: 0.1.0
description:
  - Turns a mapping into C(/etc/gitlab/gitlab.rb). No text in it is ever run as Ruby.
options:
  _input:
    description:
      - Values by name. One that is a mapping is a section, so that C(gitlab_rails.smtp_enable) becomes
        C(gitlab_rails['smtp_enable']). Others, such as C(external_url), stand for themselves.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Configure GitLab
  ansible.builtin.copy:
    content: "{{ {'external_url': 'https://gitlab.example.org', 'gitlab_rails': {'time_zone': 'UTC'}}
      | socle.platform.gitlab_rb }}"
    dest: /etc/gitlab/gitlab.rb
    mode: "0600"
"""

RETURN = r"""
_value:
  description: The text of C(gitlab.rb).
  type: str
"""

import re
import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError

_NAME = re.compile(r"[a-z][a-z0-9_]*")
# Keys that make `gitlab-ctl reconfigure` stop, and since when.
GONE = {"mattermost": "19.0 does not bring Mattermost any more", "mattermost_external_url": "19.0 does not bring it"}


def gitlab_rb(settings: Mapping[str, t.Any]) -> str:
    """One line for each setting, sorted, so that nothing moves when nothing changes."""
    lines = ["# Written by Ansible (socle.platform.gitlab). What is changed here is overwritten."]
    for name, value in sorted(settings.items(), key=lambda item: (isinstance(item[1], Mapping), item[0])):
        if not _NAME.fullmatch(str(name)):
            raise AnsibleFilterError(f"gitlab_rb: {name!r} is no name of a setting; names look like gitlab_rails")
        if name in GONE:
            raise AnsibleFilterError(f"gitlab_rb: {name}: {GONE[name]}; leave it out")
        if isinstance(value, Mapping):
            lines += [f"{name}[{_ruby(str(key))}] = {_ruby(item)}" for key, item in sorted(value.items())]
        else:
            lines.append(f"{name} {_ruby(value)}")
    return "\n".join(lines) + "\n"


def _ruby(value: t.Any) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(int(value)) if isinstance(value, int) else str(float(value))
    if isinstance(value, str):
        # In single quotes Ruby puts nothing in the place of anything.
        escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_ruby(str(key))} => {_ruby(item)}" for key, item in sorted(value.items())) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_ruby(item) for item in value) + "]"
    raise AnsibleFilterError(f"gitlab_rb: {value!r} is a {type(value).__name__}; wanted are plain values")


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"gitlab_rb": gitlab_rb}
