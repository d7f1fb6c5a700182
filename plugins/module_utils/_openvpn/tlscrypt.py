# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Keys of tls-crypt-v2 (OpenVPN's doc/tls-crypt-v2.txt): one for the gateways, and one for each person wrapped by it.

Made here, because the machine that keeps the authority has no OpenVPN; a gateway unwraps each with the real one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from .pki import Damaged

_SERVER, _CLIENT = "OpenVPN tls-crypt-v2 server key", "OpenVPN tls-crypt-v2 client key"
_SERVER_SIZE, _CLIENT_SIZE, _TAG = 128, 256, 32
_MOST_METADATA = 1024 - (_CLIENT_SIZE + _TAG + 2)
_USER_DATA = b"\x00"


def server_key() -> str:
    return _pem(_SERVER, os.urandom(_SERVER_SIZE))


def client_key(server: str, name: str) -> str:
    """A person's key, with a copy of it that only the gateways can open and that names the person."""
    key = os.urandom(_CLIENT_SIZE)
    metadata = _USER_DATA + name.encode()[: _MOST_METADATA - 1]
    cipher, mac = _halves(server)
    length = (_TAG + len(key) + len(metadata) + 2).to_bytes(2, "big")
    tag = hmac.new(mac, length + key + metadata, hashlib.sha256).digest()
    return _pem(_CLIENT, key + tag + _counter(cipher, tag, key + metadata) + length)


def opens(server: str, client: str) -> str | None:
    """The name in a person's key, if this is the gateways' key that wrapped it."""
    try:
        raw = _raw(_CLIENT, client)
        key, tag, sealed, length = raw[:256], raw[256:288], raw[288:-2], raw[-2:]
        cipher, mac = _halves(server)
    except Damaged:
        return None
    plain = _counter(cipher, tag, sealed)
    good = hmac.compare_digest(hmac.new(mac, length + plain, hashlib.sha256).digest(), tag)
    if not good or plain[:256] != key or int.from_bytes(length, "big") != len(raw) - 256:
        return None
    return plain[257:].decode(errors="replace")


def _halves(server: str) -> tuple[bytes, bytes]:
    raw = _raw(_SERVER, server)
    if len(raw) != _SERVER_SIZE:
        raise Damaged(f"the gateways' tls-crypt-v2 key has {len(raw)} bytes instead of {_SERVER_SIZE}")
    return raw[:32], raw[64:96]


def _counter(key: bytes, tag: bytes, data: bytes) -> bytes:
    """AES-256 in counter mode, the same both ways."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    step = Cipher(algorithms.AES(key), modes.CTR(tag[:16])).encryptor()
    return step.update(data) + step.finalize()


def _pem(label: str, raw: bytes) -> str:
    body = base64.b64encode(raw).decode()
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def _raw(label: str, text: str) -> bytes:
    begin, end = f"-----BEGIN {label}-----", f"-----END {label}-----"
    _before, found, rest = text.partition(begin)
    body, closed, _after = rest.partition(end)
    try:
        raw = base64.b64decode("".join(body.split()), validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if not found or not closed or not raw:
        raise Damaged(f"this is no {label}")
    return raw
