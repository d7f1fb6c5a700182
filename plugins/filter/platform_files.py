# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: platform_files
author:
  - The Socle authors (@socle-platform)
short_description: Files of a platform's Git repository
version_added: 0.1.0
description:
  - Gives every file that Argo CD needs for the services of a platform, as a mapping of paths to contents, for
    M(socle.platform.platform_repository).
options:
  _input:
    description:
      - What the platform is, with the keys C(name), C(domain), C(repository), C(branch), C(clusters), C(teams),
        C(environments), C(backups), C(external), C(secrets), C(charts), C(oidc) and C(overrides).
      - The role P(socle.platform.platform_repository#role) describes them.
    type: dict
    required: true
  install:
    description: Argo CD's released manifests, as text.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Show which files there are
  ansible.builtin.debug:
    msg: "{{ (platform | socle.platform.platform_files).keys() }}"
"""

RETURN = r"""
_value:
  description: Contents by path.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.socle.platform.plugins.plugin_utils._services.declaration import CatalogueError
from ansible_collections.socle.platform.plugins.plugin_utils._services.files import files
from ansible_collections.socle.platform.plugins.plugin_utils._services.platform import plain, platform


def platform_files(given: t.Mapping[str, t.Any], install: str = "") -> t.Any:
    """The files. Some hold what looks like a template of Ansible's, and is one of Argo CD's."""
    try:
        return wrap_var(files(platform(given), plain(install)))
    except CatalogueError as exc:
        raise AnsibleFilterError(f"platform_files: {exc}") from exc


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"platform_files": platform_files}
