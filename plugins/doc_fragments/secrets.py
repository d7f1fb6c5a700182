# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that everything about secrets shares."""

from __future__ import annotations


class ModuleDocFragment:
    """`secrets` for the lookup; `secrets.module` adds what its modules get from their action plugin."""

    DOCUMENTATION = r"""
options:
  backend:
    description:
      - Where secrets are kept, written as C(secrets) in the manifest.
      - By default the variable C(socle_secrets), which the manifest's inventory plugin sets.
    type: dict
    suboptions:
      backend:
        description: V(vault) for Vault and OpenBao, or V(file) for a file encrypted by ansible-vault.
        type: str
        choices: [file, vault]
        default: file
      file:
        description:
          - The file, by default C(.secrets.vault.yml) beside the manifest. (file)
          - It is opened with the vault passwords that Ansible was given.
        type: path
      vault_encrypt_identity:
        description: Which of several vault ids a new file is encrypted with. By default Ansible's own setting. (file)
        type: str
      address:
        description: The server's URL. By default C(BAO_ADDR) or C(VAULT_ADDR) of the environment. (vault)
        type: str
      mount:
        description: A mount of the KV secrets engine, version 2. By default V(socle). (vault)
        type: str
      prefix:
        description: A folder in the mount. (vault)
        type: str
      namespace:
        description: The namespace. By default C(BAO_NAMESPACE) or C(VAULT_NAMESPACE). (vault)
        type: str
      ca_file:
        description: The CA that signed the server's certificate. By default C(BAO_CACERT) or C(VAULT_CACERT). (vault)
        type: path
      timeout:
        description: How many seconds a request is tried (15), or the file's lock waited for (30).
        type: float
      auth:
        description: How to log in. (vault)
        type: dict
        suboptions:
          method:
            description: The auth method.
            type: str
            choices: [token, approle, kubernetes, jwt]
            default: token
          mount:
            description: Where the method is mounted, if not under its own name.
            type: str
          role:
            description: The role of the methods V(kubernetes) and V(jwt).
            type: str
          role_id:
            description: The role id of V(approle). By default C(BAO_ROLE_ID) or C(VAULT_ROLE_ID).
            type: str
          secret_id:
            description: The secret id of V(approle). By default C(BAO_SECRET_ID) or C(VAULT_SECRET_ID).
            type: str
          secret_id_file:
            description: A file that holds the secret id.
            type: path
          token:
            description: The token. By default C(BAO_TOKEN), C(VAULT_TOKEN), or the file C(~/.vault-token).
            type: str
          token_file:
            description: A file that holds the token.
            type: path
          jwt:
            description: The token of the method V(jwt).
            type: str
          jwt_file:
            description: A file with the token of V(jwt) or V(kubernetes), by default the pod's own for the latter.
            type: path
          jwt_env:
            description: The environment variable that holds the token of V(jwt). By default C(VAULT_ID_TOKEN).
            type: str
"""

    MODULE = r"""
options:
  folder:
    description: Where relative files are looked for. By default where the manifest is.
    type: path
  vault_passwords:
    description: Set by the collection itself from the vault passwords that Ansible was given.
    type: list
    elements: dict
    suboptions:
      id:
        description: The vault id.
        type: str
        required: true
      password:
        description: Its password.
        type: str
"""
