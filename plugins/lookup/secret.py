# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: secret
author: The Socle authors (@socle-platform)
version_added: 0.1.0
short_description: Gives a secret, and makes and keeps it if there is none
description:
  - Returns a field of a secret. If there is no such secret it is made and kept; every later run gets the same value.
  - Two runs at once agree on one value. A secret is never rewritten by this lookup, whatever its options say.
  - Nothing is contacted until the value is used.
  - In check mode nothing is made. A secret that does not exist yet is then a text that holds C((known after apply)).
    A task that runs for real in a check mode run (C(check_mode=false)) gets an error instead.
  - Values are blanked in what Ansible prints and gives to callbacks. Where that is not possible, because neither the
    inventory plugin nor the progress callback of this collection is in use, the whole task is hidden, like with
    C(no_log).
extends_documentation_fragment:
  - socle.platform.secrets
options:
  _terms:
    description:
      - Which secrets, as C(path) or C(path#field).
      - Without a field it is the one field of the kind, or the private one of a pair.
    required: true
    type: list
    elements: str
  backend:
    vars:
      - name: socle_secrets
  kind:
    description:
      - What to make if there is none. By default what O(wanted) says of this path, else a password.
      - C(password) has the field C(password), C(token) the field C(token), C(hex) the field C(hex), C(uuid) the field
        C(uuid), C(key32) the field C(key) with 32 random bytes in base64, C(ed25519) the fields C(private_key) and
        C(public_key) in OpenSSH's format, C(ca) the fields C(certificate) and C(key) in PEM.
      - An existing secret of another kind is an error.
    type: str
    choices: [password, token, hex, key32, uuid, ed25519, ca]
  length:
    description: How many characters a password (32), token (43) or hex text (64) has.
    type: int
  classes:
    description:
      - The classes of characters in a password; at least one of each is in it.
      - Some of C(lower), C(upper), C(digits), C(symbols). The first three by default.
    type: list
    elements: str
  symbols:
    description: The characters of the class C(symbols).
    type: str
  name:
    description: The common name of a CA, or the comment of a key pair. The path by default.
    type: str
  days:
    description: How long a CA is valid. Ten years by default.
    type: int
  create:
    description: Whether to make the secret if there is none. If not, a missing one is an error.
    type: bool
    default: true
  wanted:
    description: What to make, by path. Written as C(secrets.generate) in the manifest.
    type: dict
    vars:
      - name: socle_secrets_wanted
"""

EXAMPLES = r"""
- name: The same password in every run
  ansible.builtin.set_fact:
    password: "{{ lookup('socle.platform.secret', 'gitlab/root_password') }}"

- name: The public half of a key pair
  ansible.posix.authorized_key:
    user: deploy
    key: "{{ lookup('socle.platform.secret', 'gitlab/deploy_key#public_key', kind='ed25519') }}"

- name: A credential that somebody else makes
  ansible.builtin.debug:
    msg: "{{ lookup('socle.platform.secret', 'aws/backup#access_key', create=false) | length }}"
"""

RETURN = r"""
_raw:
  description: One value for each term.
  type: list
  elements: str
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible_collections.socle.platform.plugins.module_utils._secrets import keeper as engine
from ansible_collections.socle.platform.plugins.module_utils._secrets import kinds, reference
from ansible_collections.socle.platform.plugins.module_utils._secrets.errors import MissingSecret, SecretError
from ansible_collections.socle.platform.plugins.plugin_utils._secrets import controller, masking

display = Display()


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        variables = variables or {}
        self.set_options(var_options=variables, direct=kwargs)
        asked = {name: self.get_option(name) for name in ("kind", *kinds.OPTIONS)}
        asked = {name: value for name, value in asked.items() if value is not None}
        try:
            settings = controller.settled(self.get_option("backend"), self._templar)
            wanted = controller.settled(self.get_option("wanted"), self._templar)
            keeper = controller.keeper(settings, controller.folder(variables), self._loader, display.warning)
            return [self._value(keeper, term, asked, wanted, variables) for term in terms]
        except SecretError as error:
            # Without the cause: the library's own errors may quote what they could not read.
            raise AnsibleLookupError(str(error)) from None

    def _value(self, keeper, term, asked, wanted, variables):
        ref = reference.parse(term)
        spec = None
        if asked or ref.path in wanted:
            spec = kinds.spec_from(asked if "kind" in asked else {**_mapping(wanted.get(ref.path)), **asked}, ref.path)
        real_task = not controller.check_mode(variables)
        real_run = not variables.get("ansible_check_mode")
        create = self.get_option("create")
        value = keeper.value(ref, spec, create=create and real_task and real_run)
        if value is None:
            return self._missing(keeper, ref, create, real_task)
        found = keeper.find(ref.path)
        if found is None or value not in kinds.public_fields(found.kind, found.fields).values():
            masking.hide([value])
        return value

    def _missing(self, keeper, ref, create, real_task):
        where = keeper.store.where
        if not create:
            raise MissingSecret(f"secret {ref}", "there is none", engine.how_to_store(keeper.store, ref), where)
        if real_task:
            raise MissingSecret(
                f"secret {ref}",
                "there is none yet, nothing is made in check mode, and this task runs for real (check_mode: false)",
                "Make the secrets first: ansible-playbook socle.platform.secrets, or skip this task in check mode.",
                where,
            )
        return engine.placeholder(str(ref))


def _mapping(spec):
    return {"kind": spec} if isinstance(spec, str) else dict(spec or {})
