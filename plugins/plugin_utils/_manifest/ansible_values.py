# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Values that are looked up later, as the running version of Ansible wants them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .base import SecretRef
from .load import Unsafe, Vault


def decrypted(path: str, loader: Any) -> bytes | None:
    """A manifest that is encrypted as a whole, decrypted by Ansible; None for one that is read as it is."""
    try:
        with Path(path).open("rb") as file:
            if file.read(15) != b"$ANSIBLE_VAULT;":
                return None
    except OSError:
        return None
    content, _show = loader._get_file_contents(path)
    return bytes(content)


def native(value: Any, loader: Any) -> Any:
    """Text is trusted as it is in any inventory, references to secrets become a lookup, encrypted text stays so."""
    if isinstance(value, dict):
        return {name: native(entry, loader) for name, entry in value.items()}
    if isinstance(value, list):
        return [native(entry, loader) for entry in value]
    if isinstance(value, SecretRef):
        quoted = value.secret.replace("\\", "\\\\").replace("'", "\\'")
        return _trusted("{{ lookup('socle.platform.secret', '" + quoted + "') }}")
    if isinstance(value, Vault):
        return _encrypted(value.ciphertext, loader)
    if isinstance(value, Unsafe):
        return _unsafe(str(value))
    return _trusted(value) if isinstance(value, str) else value


def _trusted(text: str) -> Any:
    try:
        from ansible.template import trust_as_template
    except ImportError:  # before ansible-core 2.19 every text is trusted
        return text
    return trust_as_template(text)


def _unsafe(text: str) -> Any:
    from ansible.utils.unsafe_proxy import wrap_var

    return wrap_var(text)


def _encrypted(ciphertext: str, loader: Any) -> Any:
    try:
        from ansible.parsing.vault import EncryptedString
    except ImportError:  # before ansible-core 2.19
        from ansible.parsing.yaml.objects import AnsibleVaultEncryptedUnicode

        value = AnsibleVaultEncryptedUnicode(ciphertext)
        value.vault = loader._vault
        return value
    return EncryptedString(ciphertext=ciphertext)
