# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: secret_file
author: The Socle authors (@socle-platform)
version_added: 0.1.0
short_description: Gives the path of a file that holds a secret as long as this run lasts
description:
  - For programs that take a secret from a file only, such as C(ssh) its private key.
  - The file lies in the folder that Ansible makes for a run and removes at its end, and only the caller may read it.
  - It is read once in a run, whatever the number of hosts.
  - The path is empty for a secret that cannot be had, because it does not exist yet in check mode or because the
    backend does not open. That is a warning and no error, so that tasks which need no such file go on, and C(ssh)
    tries the caller's own keys.
extends_documentation_fragment:
  - socle.platform.secrets
options:
  _terms:
    description: Which secrets, as C(path) or C(path#field). Without a field it is the private one of a pair.
    required: true
    type: list
    elements: str
  backend:
    vars:
      - name: socle_secrets
"""

EXAMPLES = r"""
- name: Reach machines with the key that the platform made for them
  ansible.builtin.ping:
  vars:
    ansible_ssh_private_key_file: "{{ lookup('socle.platform.secret_file', 'machines/ssh') }}"
"""

RETURN = r"""
_raw:
  description: One path for each term.
  type: list
  elements: path
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path

from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible_collections.socle.platform.plugins.module_utils._secrets import keeper, reference
from ansible_collections.socle.platform.plugins.module_utils._secrets.errors import SecretError

display = Display()


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        variables = variables or {}
        self.set_options(var_options=variables, direct=kwargs)
        where = json.dumps([variables.get("socle_manifest"), kwargs], sort_keys=True, default=str)
        return [self._path(term, where, variables, kwargs) for term in terms]

    def _path(self, term, where, variables, kwargs):
        name = hashlib.sha256(f"{where}\0{term}".encode()).hexdigest()[:24]
        path = Path(constants.DEFAULT_LOCAL_TMP) / f"socle-secret-{name}"
        if path.exists():
            return str(path)
        secret = lookup_loader.get("socle.platform.secret", loader=self._loader, templar=self._templar)
        try:
            # In check mode nothing is made, and what is missing is told by a placeholder instead of an error.
            value = secret.run([term], variables, create=bool(variables.get("ansible_check_mode")), **kwargs)[0]
        except (AnsibleLookupError, SecretError) as error:
            # Ansible renders a host's connection for every task, also for one that never connects.
            display.warning(f"No file is made of the secret {term}: {error}")
            return ""
        if value == keeper.placeholder(str(reference.parse(term))):
            return ""
        # Whole or not at all: another host's task may look at this moment.
        handle, unfinished = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w") as file:
            file.write(value if value.endswith("\n") else value + "\n")
        Path(unfinished).replace(path)
        return str(path)
