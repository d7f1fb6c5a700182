# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: service_objects
author: The Socle authors (@socle-platform)
version_added: 0.1.0
short_description: Gives what a cluster has before Argo CD rolls out services in it
description:
  - Returns namespaces with their Pod Security level, and the Secrets that services are given by name. Their values come
    from the secrets backend, as with the lookup P(socle.platform.secret#lookup), which makes what is missing.
  - For the cluster that carries Argo CD, O(install) adds Argo CD itself, as the repository's bootstrap has it.
options:
  _terms:
    description: Names of clusters.
    required: true
    type: list
    elements: str
  platform:
    description: What the platform is, as the filter P(socle.platform.platform_files#filter) takes it.
    type: dict
    required: true
  install:
    description: Argo CD's released manifests. With them, its own objects are returned instead.
    type: str
    default: ''
  values:
    description:
      - Values that the manifest has and the backend has not, by name. C(access_key) and C(secret_key) of the backups'
        bucket, C(dns_token), and C(webhook) of alerts.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Before Argo CD
  socle.platform.kubernetes_objects:
    objects: "{{ query('socle.platform.service_objects', 'kubernetes', platform=platform) }}"
"""

RETURN = r"""
_raw:
  description: The objects.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.socle.platform.plugins.plugin_utils._services import install
from ansible_collections.socle.platform.plugins.plugin_utils._services.declaration import CatalogueError
from ansible_collections.socle.platform.plugins.plugin_utils._services.platform import plain, platform


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        secret = lookup_loader.get("socle.platform.secret", loader=self._loader, templar=self._templar)

        def value(reference, kind):
            (found,) = secret.run([reference], variables=variables, kind=kind)
            return found

        try:
            whole = platform(self.get_option("platform"))
            if self.get_option("install"):
                return wrap_var(install.built(whole, plain(self.get_option("install"))))
            found = []
            for name in terms:
                if name not in whole.clusters:
                    raise AnsibleLookupError(
                        f"service_objects: there is no cluster {name}; there are {', '.join(whole.clusters)}"
                    )
                found += install.beforehand(whole, plain(name), value, plain(self.get_option("values")))
            return wrap_var(found)
        except CatalogueError as exc:
            raise AnsibleLookupError(f"service_objects: {exc}") from exc
