# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Where the authority, the register and everybody's keys are kept: paths in the secrets backend."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._objects import AdapterError, TransientError
from .._secrets import kinds, store
from .._secrets.adapter import explained, opened
from .._secrets.errors import Conflict
from .._secrets.keeper import Keeper
from .._secrets.store import Stored
from .pki import GATEWAY, PERSON, Authority, Damaged
from .register import Register

_FOLDERS = {PERSON: "people", GATEWAY: "gateways"}
_ATTEMPTS = 50

# Workers of one run must not take turns at failing each other's check-and-set.
_turn = threading.Lock()


@dataclass
class Vault:
    """One connection to the backend; each worker has its own."""

    parameters: Mapping[str, Any]
    remarks: list[str] = field(default_factory=list)
    _keeper: Keeper | None = None

    @property
    def keeper(self) -> Keeper:
        if self._keeper is None:
            with explained():
                self._keeper = opened(self.parameters, self.remarks.append)
        return self._keeper

    def path(self, *parts: str) -> str:
        return "/".join([str(self.parameters["path"]).strip("/"), *parts])

    def holder(self, role: str, name: str) -> str:
        return self.path(_FOLDERS[role], name)

    def read(self, path: str) -> Stored | None:
        with explained():
            return self.keeper.store.read(path)

    def write(self, path: str, fields: Mapping[str, str]) -> None:
        """Keep these fields, whatever was there; the version before stays in the backend."""
        with explained():
            before = self.keeper.store.read(path)
            if before is None:
                kept = self.keeper.store.create(path, store.new(fields, None))
                if dict(kept.fields) != dict(fields):
                    raise TransientError(f"secret {path}: another run made it at the same moment")
                return
            self.keeper.store.rotate(path, before, _next(before, {**before.fields, **fields}))

    def authority(self) -> Authority | None:
        path = self.path("ca")
        found = self.read(path)
        if found is None:
            return None
        try:
            return Authority.load(found.fields["certificate"], found.fields["key"])
        except KeyError as missing:
            raise self._damaged(path, f"it has no field {missing.args[0]}") from None
        except Damaged as error:
            raise self._damaged(path, str(error)) from None

    def make_authority(self, name: str, days: int) -> None:
        with explained():
            spec = kinds.Spec(kind="ca", name=f"{name} VPN"[:64], days=days)
            self.keeper.ensure(self.path("ca"), spec)

    def tls_crypt(self) -> str | None:
        path = self.path("tls_crypt_v2")
        found = self.read(path)
        if found is None:
            return None
        if "key" not in found.fields:
            raise self._damaged(path, "it has no field key")
        return found.fields["key"]

    def make_tls_crypt(self, key: str) -> None:
        with explained():
            self.keeper.store.create(self.path("tls_crypt_v2"), store.new({"key": key}, None))

    def register(self) -> Register:
        path = self.path("register")
        found = self.read(path)
        return self._loaded(path, found) if found else Register()

    def change_register(self, change: Callable[[Register], Register]) -> Register:
        """Read, change, and write if nobody else did meanwhile; else again with what is there now."""
        path = self.path("register")
        with _turn, explained():
            for _attempt in range(_ATTEMPTS):
                before = self.keeper.store.read(path)
                found = self._loaded(path, before) if before else Register()
                after = change(found)
                if after == found:
                    return found
                fields = after.dump()
                if before is None:
                    kept = self.keeper.store.create(path, store.new(fields, None))
                    if dict(kept.fields) == fields:
                        return after
                    continue
                try:
                    self.keeper.store.rotate(path, before, _next(before, fields))
                except Conflict:
                    continue
                return after
        raise TransientError(f"secret {path}: other runs changed it {_ATTEMPTS} times meanwhile", "Run again.")

    def _loaded(self, path: str, found: Stored) -> Register:
        try:
            return Register.load(dict(found.fields))
        except Damaged as error:
            raise self._damaged(path, str(error)) from None

    def _damaged(self, path: str, why: str) -> AdapterError:
        where = self.keeper.store.where
        return AdapterError(
            f"secret {path} ({where}): {why}",
            "Restore its version before (the backend keeps it); nothing was touched.",
        )


def _next(before: Stored, fields: Mapping[str, str]) -> Stored:
    return replace(before, fields=dict(fields), rotated=store.now(), generation=before.generation + 1)
