#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: secrets
short_description: Makes secrets that do not exist yet, and keeps them
version_added: 0.1.0
author: The Socle authors (@socle-platform)
description:
  - After this task every secret of the set exists. Those that exist already are not touched.
  - Two runs at once agree on one value.
  - No value is ever part of the result. Public fields, such as public keys and certificates, are.
  - Secrets in a file are kept on the controller, so run this on localhost.
extends_documentation_fragment:
  - socle.platform.engine
  - socle.platform.secrets
  - socle.platform.secrets.module
options:
  secrets:
    description:
      - What must exist, by path. Each is a mapping with C(kind) (by default V(password)) and its options, as in the
        lookup plugin P(socle.platform.secret#lookup).
      - An existing secret of another kind is an error, and then nothing is written at all.
    type: dict
    required: true
  rotate:
    description:
      - Paths of O(secrets) to make anew. Every run with this option makes another version of them.
      - The one before is kept, in Vault as an older version, in a file under C(previous).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: What the platform needs exists
  socle.platform.secrets:
    secrets:
      gitlab/root_password: {}
      gitlab/deploy_key: {kind: ed25519, name: deploy@gitlab}
      kubernetes/encryption: {kind: key32}
      vpn/ca: {kind: ca, name: Cater VPN, days: 3650}
  delegate_to: localhost

- name: The password was seen by somebody
  socle.platform.secrets:
    secrets:
      gitlab/root_password: {}
    rotate: [gitlab/root_password]
  delegate_to: localhost
"""

RETURN = r"""
secrets:
  description: What is kept of each path, without values.
  type: dict
  returned: always
  sample:
    gitlab/deploy_key:
      kind: ed25519
      created: "2026-01-01T00:00:00Z"
      rotated: "2026-01-01T00:00:00Z"
      generation: 1
      fields: [private_key, public_key]
      public: {public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI deploy@gitlab}
remarks:
  description: What happened beside, such as a lock taken over from a run that had died.
  type: list
  elements: str
  returned: always
objects:
  description: Every secret by path, what was to be done with it and what came of it.
  type: list
  elements: dict
  returned: always
plan:
  description: The section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run
from ansible_collections.socle.platform.plugins.module_utils._secrets.adapter import SPEC, Wanted


def main():
    wanted = Wanted()
    own = {
        "secrets": {"type": "dict", "required": True, "no_log": False},
        "rotate": {"type": "list", "elements": "str", "default": []},
    }
    run(
        Adapter(
            spec={**SPEC, **own},
            desired=wanted.desired,
            reader=wanted.reader,
            writer=wanted.writer,
            more=wanted.more,
        )
    )


if __name__ == "__main__":
    main()
