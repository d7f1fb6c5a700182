# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The format of ansible-vault (1.1 and 1.2, AES256), for modules: Ansible's own code exists on the controller only."""

from __future__ import annotations

import hashlib
import hmac
import os
from binascii import Error as HexError
from binascii import hexlify, unhexlify
from collections.abc import Sequence

from .errors import MissingLibrary, StoreError

_MAGIC = "$ANSIBLE_VAULT"
_DEFAULT_ID = "default"

Password = tuple[str, bytes]  # vault id, password


class WrongPassword(StoreError):
    """None of the passwords opens it."""


def is_vault(text: bytes) -> bool:
    return text.startswith(_MAGIC.encode())


def encrypt(plain: bytes, password: Password) -> bytes:
    """The bytes of a file that `ansible-vault view` opens with this password."""
    vault_id, secret = password
    salt = os.urandom(32)
    key, mac_key, iv = _keys(secret, salt)
    pad = 16 - len(plain) % 16
    sealed = _cipher(key, iv, plain + bytes([pad]) * pad)
    mac = hmac.new(mac_key, sealed, hashlib.sha256).hexdigest().encode()
    body = hexlify(b"\n".join([hexlify(salt), mac, hexlify(sealed)]))
    named = vault_id and vault_id != _DEFAULT_ID
    header = f"{_MAGIC};1.2;AES256;{vault_id}" if named else f"{_MAGIC};1.1;AES256"
    lines = [header.encode()] + [body[i : i + 80] for i in range(0, len(body), 80)]
    return b"\n".join(lines) + b"\n"


def decrypt(text: bytes, passwords: Sequence[Password], what: str) -> tuple[bytes, Password]:
    """The plain bytes, and the password that opened it (a rewrite uses the same one)."""
    vault_id, salt, mac, sealed = _envelope(text, what)
    # The named one first, then all: ansible-vault does the same unless told to match ids.
    for password in sorted(passwords, key=lambda p: p[0] != vault_id):
        key, mac_key, iv = _keys(password[1], salt)
        if hmac.compare_digest(hmac.new(mac_key, sealed, hashlib.sha256).digest(), mac):
            plain = _cipher(key, iv, sealed)
            # Rewritten under its own label.
            return plain[: -plain[-1]], (vault_id, password[1])
    tried = ", ".join(sorted({p[0] for p in passwords})) or "none"
    label = f" It is labelled {vault_id}." if vault_id != _DEFAULT_ID else ""
    raise WrongPassword(
        what,
        f"none of the vault passwords that Ansible was given opens it (tried: {tried}), or its content was altered",
        f"Give the right one with --vault-password-file or --vault-id, and check with: ansible-vault view {what}."
        + label,
    )


def _envelope(text: bytes, what: str) -> tuple[str, bytes, bytes, bytes]:
    lines = text.split()
    try:
        header = lines[0].decode("ascii").split(";")
        version, cipher = header[1], header[2]
        if header[0] != _MAGIC or cipher != "AES256" or version not in {"1.1", "1.2"}:
            raise ValueError(f"its first line is {lines[0][:60].decode('ascii')!r}")
        vault_id = header[3] if len(header) > 3 else _DEFAULT_ID
        parts = unhexlify(b"".join(lines[1:])).split(b"\n", 2)
        salt, mac, sealed = (unhexlify(part) for part in parts)
        if not sealed or len(sealed) % 16 or len(mac) != 32:
            raise ValueError("it is cut short")
    except (ValueError, IndexError, HexError) as error:
        raise StoreError(
            what,
            f"it is damaged: not a whole file of ansible-vault ({error})",
            "Restore it from version control or a backup. It was not touched.",
        ) from error
    return vault_id, salt, mac, sealed


def _keys(secret: bytes, salt: bytes) -> tuple[bytes, bytes, bytes]:
    derived = hashlib.pbkdf2_hmac("sha256", secret, salt, 10000, 80)
    return derived[:32], derived[32:64], derived[64:]


def _cipher(key: bytes, iv: bytes, data: bytes) -> bytes:
    """AES-256 in counter mode: the same both ways."""
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    except ImportError as error:
        raise MissingLibrary("cryptography", "secrets in a file", str(error)) from error
    step = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
    return step.update(data) + step.finalize()
