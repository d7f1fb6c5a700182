# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""From the manifest's `secrets:` (or the same mapping given elsewhere) to a store. Nothing is contacted here."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .ansible_vault import Password
from .errors import UsageError
from .file import FileStore
from .kv2 import VaultStore
from .session import Session
from .store import Store

# Hidden: Ansible tries to read every other file beside a manifest as one more inventory.
DEFAULT_FILE = ".secrets.vault.yml"
DEFAULT_MOUNT = "socle"
_VAULT = {"address", "mount", "prefix", "namespace", "ca_file", "auth"}
_FILE = {"file", "vault_encrypt_identity"}
_COMMON = {"backend", "timeout", "generate"}
_LOGIN = {
    "method", "mount", "role", "role_id", "secret_id", "secret_id_file",
    "token", "token_file", "jwt", "jwt_file", "jwt_env",
}  # fmt: skip


def backend_of(given: Mapping[str, Any] | None) -> str:
    """`vault` or `file`; the embedded file is the default."""
    backend = (given or {}).get("backend") or "file"
    if backend not in {"vault", "file"}:
        raise UsageError("secrets.backend", f"no backend {backend!r}", "Backends are vault and file.")
    return str(backend)


def open_store(
    given: Mapping[str, Any] | None,
    *,
    folder: str | None,
    passwords: Callable[[], Sequence[Password]],
    environ: Mapping[str, str] | None = None,
    remark: Callable[[str], None] = print,
) -> Store:
    """`folder` is where the manifest is; `passwords` is asked for the file backend only."""
    data = {str(k): v for k, v in (given or {}).items() if v is not None}
    environ = os.environ if environ is None else environ
    backend = backend_of(data)
    _only(data, _COMMON | _VAULT | _FILE, "secrets")
    # Forgetting `backend: vault` must not put secrets into a file.
    for key in ("file",) if backend == "vault" else ("address", "auth"):
        if key in data:
            raise UsageError(f"secrets.{key}", f"the backend is {backend}, which has no {key}", "Remove one of them.")
    timeout = _seconds(data.get("timeout"))
    if backend == "file":
        return FileStore(
            file=_file(data.get("file"), folder),
            passwords=list(passwords()),
            encrypt_id=data.get("vault_encrypt_identity") or None,
            timeout=timeout or 30.0,
            remark=remark,
        )
    login = data.get("auth") or {}
    login = {"method": login} if isinstance(login, str) else {k: v for k, v in login.items() if v is not None}
    _only(login, _LOGIN, "secrets.auth")
    ca_file = str(data.get("ca_file") or _first(environ, "CACERT"))
    if data.get("ca_file") and folder:
        ca_file = str(Path(folder) / Path(ca_file).expanduser())
    session = Session(
        address=_address(data.get("address") or _first(environ, "ADDR")),
        login=login,
        ca_file=ca_file,
        namespace=str(data.get("namespace") or _first(environ, "NAMESPACE")),
        environ=environ,
        timeout=timeout or 15.0,
    )
    return VaultStore(
        session=session,
        mount=str(data.get("mount") or DEFAULT_MOUNT).strip("/"),
        prefix=str(data.get("prefix") or "").strip("/"),
        remark=remark,
    )


def _first(environ: Mapping[str, str], name: str) -> str:
    return environ.get(f"BAO_{name}") or environ.get(f"VAULT_{name}") or ""


def _address(address: Any) -> str:
    text = str(address or "").rstrip("/")
    if not text:
        raise UsageError(
            "secrets.address",
            "the backend is vault, and no address is given",
            "Write it in the manifest (secrets: {backend: vault, address: ...}), or set VAULT_ADDR.",
        )
    if not text.startswith(("https://", "http://")) or text.endswith("//"):
        raise UsageError("secrets.address", f"{text!r} is no URL", "Write one such as https://vault.example.org:8200.")
    return text


def _seconds(value: Any) -> float:
    try:
        seconds = float(value or 0)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise UsageError("secrets.timeout", f"it is {value!r}", "Write seconds, at most 3600.")
    return seconds


def _file(given: Any, folder: str | None) -> Path:
    path = Path(str(given or DEFAULT_FILE)).expanduser()
    if path.is_absolute():
        return path
    if not folder:
        raise UsageError(
            "secrets.file",
            f"{path} has no folder: this run's inventory is not in one",
            "Write the whole path: secrets: {file: /path/to/secrets.vault.yml}.",
        )
    return Path(folder).absolute() / path


def _only(data: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Keys are {', '.join(sorted(known))}."
            raise UsageError(f"{where}.{key}", "there is no such key", hint)
