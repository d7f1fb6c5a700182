# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Vault's and OpenBao's KV version 2. The values are the fields, its versions and times are the ages; the kind goes
to custom_metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .._wait import Progress
from .errors import Conflict, SecretError, StoreError
from .reference import Reference
from .session import NotThere, Refused, Session
from .store import Stored, unheard

_MANAGED = "socle.platform"


@dataclass
class VaultStore:
    session: Session = field(repr=False)
    mount: str = "secret"
    prefix: str = ""
    remark: Callable[[str], None] = unheard
    _mount_checked: bool = False

    @property
    def where(self) -> str:
        return f"{self.session.address}, mount {self.mount}"

    def read(self, path: str) -> Stored | None:
        full = self._full(path)
        try:
            answer = self.session.call(
                f"secret {path}",
                _rule(f"{self.mount}/data/{full}", "read"),
                lambda client: client.secrets.kv.v2.read_secret_version(
                    path=full, mount_point=self.mount, raise_on_deleted_version=True
                ),
            )
        except NotThere as missing:
            self._check_not_deleted(path, full, missing.body)
            # Also 404: no such mount, and a KV version 1 mount, to which a write would go astray.
            self._check_mount(path)
            return None
        return self._stored(path, answer["data"])

    def create(self, path: str, secret: Stored) -> Stored:
        full = self._full(path)
        what = f"secret {path}"
        try:
            self._write(what, full, secret, cas=0)
        except Refused as refused:
            # Somebody was first, and theirs is the value; or it was our own write, whose answer was lost.
            found = self.read(path)
            if found is None:
                raise StoreError(what, f"the server refused it: {refused}", _ASK, self.where) from None
            if dict(found.fields) != dict(secret.fields):
                return found
        self._describe(what, full, secret)
        return secret

    def rotate(self, path: str, before: Stored, secret: Stored) -> Stored:
        full = self._full(path)
        what = f"secret {path}"
        try:
            self._write(what, full, secret, cas=before.generation)
        except Refused as refused:
            found = self.read(path)
            if found is not None and found.generation == before.generation:
                raise StoreError(what, f"the server refused it: {refused}", _ASK, self.where) from None
            if found is None or dict(found.fields) != dict(secret.fields):
                raise Conflict(
                    what,
                    "another run changed it meanwhile",
                    "Nothing was written. Run again if it still has to be rotated.",
                    self.where,
                ) from None
        if before.kind is None:
            self._describe(what, full, secret)
        return secret

    def list(self) -> list[str]:
        self._check_mount("")
        found: list[str] = []
        folders = [""]
        while folders:
            folder = folders.pop()
            full = self._full(folder) if folder else self.prefix
            try:
                answer = self.session.call(
                    f"the list of secrets under {folder or '/'}",
                    _rule(f"{self.mount}/metadata/{full}".rstrip("/") + "/*", "list"),
                    partial(self._names, full),
                )
            except NotThere:
                continue
            for name in answer["data"]["keys"]:
                (folders if name.endswith("/") else found).append(folder + name)
        return sorted(found)

    def tell(self, progress: Progress) -> None:
        self.session.progress = progress

    def command_to_store(self, reference: Reference) -> str:
        name = reference.field or "password"
        return (
            f"bao kv put -mount={self.mount} {self._full(reference.path)} {name}=- (it reads the value from its input)"
        )

    def _full(self, path: str) -> str:
        return f"{self.prefix}/{path}" if self.prefix else path

    def _names(self, full: str, client: Any) -> Any:
        return client.secrets.kv.v2.list_secrets(path=full, mount_point=self.mount)

    def _write(self, what: str, full: str, secret: Stored, cas: int) -> None:
        self.session.call(
            what,
            _rule(f"{self.mount}/data/{full}", "create", "update", "read"),
            lambda client: client.secrets.kv.v2.create_or_update_secret(
                path=full, secret=dict(secret.fields), cas=cas, mount_point=self.mount
            ),
        )

    def _describe(self, what: str, full: str, secret: Stored) -> None:
        """Only by who made the value, so that kind and value always belong together. Its loss harms no value."""
        noted = {"kind": secret.kind, "created": secret.created or secret.rotated, "managed_by": _MANAGED}
        about = {name: value for name, value in noted.items() if value is not None}
        rule = _rule(f"{self.mount}/metadata/{full}", "create", "update")
        try:
            self.session.call(
                what,
                rule,
                lambda client: client.secrets.kv.v2.update_metadata(
                    path=full, custom_metadata=about, mount_point=self.mount
                ),
            )
        except (SecretError, NotThere, Refused) as error:
            self.remark(f"{what} is kept, but its kind could not be noted beside it: {error}")

    def _stored(self, path: str, data: dict[str, Any]) -> Stored:
        about = data.get("metadata") or {}
        noted = about.get("custom_metadata") or {}
        fields = {str(name): _text(value) for name, value in (data.get("data") or {}).items()}
        if not fields or "" in fields.values():
            empty = next((name for name, value in fields.items() if not value), None)
            raise StoreError(
                f"secret {path}",
                f"its field {empty} is empty" if empty else "it has no fields",
                f"Store its value: {self.command_to_store(Reference(path, empty))}",
                self.where,
            )
        return Stored(
            fields=fields,
            kind=noted.get("kind"),
            created=noted.get("created"),
            rotated=_moment(about.get("created_time")),
            generation=int(about.get("version") or 1),
        )

    def _check_not_deleted(self, path: str, full: str, body: dict[str, Any]) -> None:
        about = (body.get("data") or {}).get("metadata") or {}
        version = about.get("version")
        what = f"secret {path}"
        if about.get("destroyed"):
            raise StoreError(
                what,
                f"its version {version} was destroyed; the value is gone for good",
                f"Bring back an older one (bao kv rollback -mount={self.mount} -version=N {full}), or clear the path "
                f"so that a new one is made: bao kv metadata delete -mount={self.mount} {full}",
                self.where,
            )
        if about.get("deletion_time"):
            raise StoreError(
                what,
                f"its version {version} was deleted at {_moment(about['deletion_time'])}; it was not made anew",
                f"Undelete it: bao kv undelete -mount={self.mount} -versions={version} {full}",
                self.where,
            )

    def _check_mount(self, path: str) -> None:
        if self._mount_checked:
            return
        what = f"secret {path}" if path else "the list of secrets"
        enable = f"bao secrets enable -path={self.mount} -version=2 kv"
        try:
            answer = self.session.call(
                what,
                _rule(f"{self.mount}/data/{self._full(path) if path else '*'}", "create", "update", "read")
                + f"; if there is no mount {self.mount} yet: {enable}",
                lambda client: client.adapter.get(f"/v1/sys/internal/ui/mounts/{self.mount}"),
            )
        except (NotThere, Refused) as error:
            raise StoreError(
                what,
                f"there is no mount {self.mount} ({error})",
                f"Name the right one (mount under secrets), or make it: {enable}",
                self.where,
            ) from None
        mount = answer.get("data") or {}
        version = (mount.get("options") or {}).get("version")
        if mount.get("type") != "kv" or version != "2":
            found = (
                f"a KV version {version or 1} mount" if mount.get("type") in {"kv", "generic"} else mount.get("type")
            )
            raise StoreError(
                what,
                f"mount {self.mount} is {found}; KV version 2 is needed, for its check-and-set",
                f"Upgrade it (bao kv enable-versioning {self.mount}), or name another mount under secrets.",
                self.where,
            )
        self._mount_checked = True


_ASK = "Look at the server's sentence and its log."


def _rule(path: str, *capabilities: str) -> str:
    quoted = ", ".join(f'"{name}"' for name in capabilities)
    return f'path "{path}" {{ capabilities = [{quoted}] }}'


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _moment(text: Any) -> str | None:
    return re.sub(r"\.\d+", "", str(text)) if text else None
