# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: argocd_credentials
author:
  - The Socle authors (@socle-platform)
short_description: Secrets that Argo CD reads to reach a repository and clusters
version_added: 0.1.0
description:
  - Gives Secrets in Argo CD's namespace. One for the platform's repository, one for each further cluster, and one with
    the client's secret of single sign-on.
options:
  _input:
    description: What the platform is, as the filter P(socle.platform.platform_files#filter) takes it.
    type: dict
    required: true
  repository:
    description: How the repository is reached, with C(username) and C(password), or C(sshPrivateKey).
    type: dict
    required: true
  clusters:
    description: Further clusters by name, each with C(server), C(token) and C(ca_data) in base64.
    type: dict
    required: true
  oidc_secret:
    description: The secret of the client at whoever knows people.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: What Argo CD reads
  socle.platform.kubernetes_objects:
    objects: "{{ platform | socle.platform.argocd_credentials({'username': 'oauth2', 'password': token}, {}) }}"
"""

RETURN = r"""
_value:
  description: The Secrets.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.socle.platform.plugins.plugin_utils._services import argocd
from ansible_collections.socle.platform.plugins.plugin_utils._services.declaration import CatalogueError
from ansible_collections.socle.platform.plugins.plugin_utils._services.platform import plain, platform


def argocd_credentials(given: t.Any, repository: t.Any, clusters: t.Any, oidc_secret: str = "") -> t.Any:
    """The Secrets."""
    try:
        told = plain(repository), plain(clusters), plain(oidc_secret)
        return wrap_var(list(argocd.credentials(platform(given), *told)))
    except CatalogueError as exc:
        raise AnsibleFilterError(f"argocd_credentials: {exc}") from exc


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"argocd_credentials": argocd_credentials}
