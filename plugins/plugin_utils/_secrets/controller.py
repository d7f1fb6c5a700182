# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What only the controller knows: vault passwords, where the manifest is, whether this task may write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible import constants
from ansible_collections.socle.platform.plugins.module_utils._secrets.config import open_store
from ansible_collections.socle.platform.plugins.module_utils._secrets.errors import UsageError
from ansible_collections.socle.platform.plugins.module_utils._secrets.keeper import Keeper
from ansible_collections.socle.platform.plugins.plugin_utils._secrets import masking

MANIFESTS = (".socle.yml", ".socle.yaml")
_keepers: dict[tuple[int, str], Keeper] = {}


def passwords(loader: Any) -> list[tuple[str, bytes]]:
    """The vault passwords that Ansible was given: prompts, files and scripts have been asked by it already."""
    vault = getattr(loader, "_vault", None)
    found = []
    for vault_id, secret in getattr(vault, "secrets", None) or []:
        if secret is not None and secret.bytes:
            found.append((str(vault_id), bytes(secret.bytes)))
    return found


def encrypt_id() -> str | None:
    """The vault id that Ansible would encrypt with, when the user chose one."""
    return getattr(constants, "DEFAULT_VAULT_ENCRYPT_IDENTITY", None) or None


def folder(variables: Mapping[str, Any]) -> str | None:
    """Where the manifest is: beside it the file of secrets is kept."""
    manifest = variables.get("socle_manifest")
    if isinstance(manifest, str) and Path(manifest).is_file():
        return str(Path(manifest).absolute().parent)
    sources = [Path(str(source)) for source in variables.get("ansible_inventory_sources") or []]
    for source in sources:
        if source.name.endswith(MANIFESTS):
            return str(source.absolute().parent)
        if source.is_dir() and any(entry.name.endswith(MANIFESTS) for entry in source.iterdir()):
            return str(source.absolute())
    beside = variables.get("inventory_dir")
    if beside:
        return str(beside)
    existing = [source.absolute() for source in sources if source.exists()]
    return str(existing[0] if existing[0].is_dir() else existing[0].parent) if existing else None


def check_mode(variables: Mapping[str, Any]) -> bool:
    """Of the task, when there is one; else of the run."""
    task = masking.running_task()
    mode = getattr(task, "check_mode", None)
    return mode if isinstance(mode, bool) else bool(variables.get("ansible_check_mode"))


def settled(option: Any, templar: Any) -> dict[str, Any]:
    """A mapping from variables, whose templates are still closed when a lookup gets it."""
    found: Any = templar.template(option) if option else {}
    if not isinstance(found, Mapping):
        raise UsageError("socle_secrets", f"it is {type(found).__name__}", "Write a mapping, as in the manifest.")
    plain: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return plain


def keeper(settings: Mapping[str, Any] | None, place: str | None, loader: Any, remark: Callable[[str], None]) -> Keeper:
    """One for each backend and process: a forked worker must not share its parent's connection."""
    settings = dict(settings or {})
    settings.setdefault("vault_encrypt_identity", encrypt_id())

    def ask() -> Sequence[tuple[str, bytes]]:
        return passwords(loader)

    key = (os.getpid(), json.dumps([settings, place], sort_keys=True, default=str))
    if key not in _keepers:
        _keepers[key] = Keeper(open_store(settings, folder=place, passwords=ask, remark=remark))
    return _keepers[key]
