#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: secrets_info
short_description: Tells the kinds and ages of secrets
version_added: 0.1.0
author: The Socle authors (@socle-platform)
description:
  - Says what is kept, since when, and when it was last rotated. No value is ever part of the result.
extends_documentation_fragment:
  - socle.platform.secrets
  - socle.platform.secrets.module
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows differences; this module changes nothing.
    support: none
options:
  paths:
    description: The secrets to look at. By default all there are; with Vault this needs the right to list them.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Read the ages
  socle.platform.secrets_info:
  delegate_to: localhost
  register: kept

- name: Say which were never rotated
  ansible.builtin.debug:
    msg: "{{ kept.secrets | dict2items | selectattr('value.generation', 'equalto', 1) | map(attribute='key') }}"
"""

RETURN = r"""
secrets:
  description: What is kept of each path. A path that was asked for and does not exist is null.
  type: dict
  returned: always
  sample:
    gitlab/root_password:
      kind: password
      created: "2026-01-01T00:00:00Z"
      rotated: "2026-03-01T00:00:00Z"
      generation: 2
      fields: [password]
      public: {}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.socle.platform.plugins.module_utils._secrets.adapter import SPEC, about, opened
from ansible_collections.socle.platform.plugins.module_utils._secrets.errors import SecretError
from ansible_collections.socle.platform.plugins.module_utils._secrets.reference import check_path


def main():
    spec = {**SPEC, "paths": {"type": "list", "elements": "str"}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    try:
        store = opened(module.params, module.warn).store
        paths = module.params["paths"]
        wanted = store.list() if paths is None else [check_path(path) for path in paths]
        found = {path: store.read(path) for path in wanted}
    except SecretError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, secrets={path: kept and about(kept) for path, kept in found.items()})


if __name__ == "__main__":
    main()
