# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Secrets as objects of the engine: the set that must exist, and those to be rotated."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._reconcile import AdapterError, Change, Current, Desired, Plan, Reader, Result, Secret, Step, Writer
from . import kinds
from .config import open_store
from .errors import KindMismatch, SecretError, UsageError
from .keeper import Keeper
from .kinds import Spec
from .reference import check_path
from .store import Stored

LOGIN = {
    "method": {"type": "str", "choices": ["token", "approle", "kubernetes", "jwt"], "default": "token"},
    "mount": {"type": "str"},
    "role": {"type": "str"},
    "role_id": {"type": "str"},
    "secret_id": {"type": "str", "no_log": True},
    "secret_id_file": {"type": "path", "no_log": False},
    "token": {"type": "str", "no_log": True},
    "token_file": {"type": "path", "no_log": False},
    "jwt": {"type": "str", "no_log": True},
    "jwt_file": {"type": "path"},
    "jwt_env": {"type": "str"},
}
BACKEND = {
    "backend": {"type": "str", "choices": ["file", "vault"], "default": "file"},
    "file": {"type": "path"},
    "vault_encrypt_identity": {"type": "str"},
    "address": {"type": "str"},
    "mount": {"type": "str"},
    "prefix": {"type": "str"},
    "namespace": {"type": "str"},
    "ca_file": {"type": "path"},
    "auth": {"type": "dict", "options": LOGIN},
    "timeout": {"type": "float"},
}
SPEC: dict[str, dict[str, Any]] = {
    "backend": {"type": "dict", "options": BACKEND},
    "folder": {"type": "path"},
    "vault_passwords": {
        "type": "list",
        "elements": "dict",
        "no_log": False,
        "options": {"id": {"type": "str", "required": True}, "password": {"type": "str", "no_log": True}},
    },
}


def clear(value: Any) -> Any:
    """Parameters as the engine hands them over, with their secrets readable and what was not given left out."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: clear(item) for key, item in value.items() if item is not None}
    return [clear(item) for item in value] if isinstance(value, list) else value


def opened(parameters: Mapping[str, Any], remark: Callable[[str], None]) -> Keeper:
    """The store that a module's parameters name."""
    data = clear(parameters)
    passwords = [
        (item["id"], item["password"].encode("utf-8", "surrogateescape"))
        for item in data.get("vault_passwords") or []
        if item.get("password")
    ]
    store = open_store(data.get("backend"), folder=data.get("folder"), passwords=lambda: passwords, remark=remark)
    return Keeper(store)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """The engine's own errors carry a sentence and a hint."""
    try:
        yield
    except SecretError as error:
        place = f" ({error.where})" if error.where else ""
        raise AdapterError(f"{error.what}{place}: {error.found}", error.todo) from None


class Wanted:
    """One task's set. Opened when it is first used; each worker opens its own."""

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}
        self.remarks: list[str] = []
        self.specs: dict[str, Spec] = {}
        self._keeper: Keeper | None = None

    @property
    def keeper(self) -> Keeper:
        if self._keeper is None:
            self._keeper = opened(self.parameters, self.remarks.append)
        return self._keeper

    def desired(self, parameters: Mapping[str, Any]) -> list[Desired]:
        """Every wanted path, and for those to be rotated the generation after the present one."""
        self.parameters = dict(parameters)
        with explained():
            given = parameters.get("secrets") or {}
            self.specs = {check_path(str(path)): kinds.spec_from(spec, str(path)) for path, spec in given.items()}
            rotate = parameters.get("rotate") or []
            for path in rotate:
                if path not in self.specs:
                    raise UsageError(
                        f"secret {path}", "it is to be rotated and is not among secrets", "Name it there with its kind."
                    )
            return [self._one(path, path in rotate) for path in self.specs]

    def _one(self, path: str, rotate: bool) -> Desired:
        fields: dict[str, Any] = {"kind": self.specs[path].kind}
        found = self.keeper.find(path) if rotate else None
        if found is not None:
            fields["generation"] = found.generation + 1
        return Desired(path, fields)

    def reader(self, parameters: Mapping[str, Any]) -> Reader:
        del parameters
        return SecretsReader(self)

    def writer(self, parameters: Mapping[str, Any]) -> Writer:
        return SecretsWriter(opened(parameters, self.remarks.append), self.specs)

    def more(self, plan: Plan, result: Result | None) -> dict[str, Any]:
        """Kind, age and public fields of what exists now."""
        del result
        found = {}
        for change in plan.changes:
            try:
                stored = self.keeper.store.read(change.key)
            except SecretError:
                continue  # the task fails with this already
            if stored is not None:
                found[change.key] = about(stored)
        return {"secrets": found, "remarks": list(dict.fromkeys(self.remarks))}


class SecretsReader(Reader):
    kind = "secret"
    # Exists once it is made; what it will be is never guessed.
    computed = ("value",)

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self._seen: dict[str, Stored] = {}

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        found = []
        for item in desired:
            with explained():
                # Past the keeper's memory: this is also how a write is read back.
                stored = self.wanted.keeper.store.read(item.key)
            if stored is not None:
                self._seen[item.key] = stored
                found.append(self._current(item.key, stored))
        return found

    def _current(self, path: str, stored: Stored) -> Current:
        fields = {"kind": stored.kind or self.wanted.specs[path].kind, "generation": stored.generation}
        return Current(path, fields, revision=str(stored.generation))

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        """Another kind under a wanted path forbids every write: something is mixed up."""
        for item in desired:
            if item.key in current:
                stored, spec = self._seen[item.key], self.wanted.specs[item.key]
                try:
                    kinds.check_kind(item.key, self.wanted.keeper.store.where, spec, stored.kind, list(stored.fields))
                except KindMismatch as error:
                    yield str(error)


class SecretsWriter(Writer):
    def __init__(self, keeper: Keeper, specs: Mapping[str, Spec]) -> None:
        self.keeper = keeper
        self.specs = specs

    def create(self, change: Change, step: Step) -> None:
        self.keeper.store.tell(step.progress)
        with explained():
            _kept, made = self.keeper.ensure(change.key, self.specs[change.key])
        if not made:
            step.note("another run made it at the same moment; its value is used")

    def update(self, change: Change, step: Step) -> None:
        self.keeper.store.tell(step.progress)
        with explained():
            before = self.keeper.find(change.key)
            expected = change.current.revision if change.current else ""
            if before is None or str(before.generation) != expected:
                raise UsageError(f"secret {change.key}", "it changed since it was planned", "Run again.")
            self.keeper.rotate(change.key, self.specs[change.key], expect=before)


def about(stored: Stored) -> dict[str, Any]:
    """What may be shown of a secret."""
    return {**stored.about(), "public": kinds.public_fields(stored.kind, stored.fields)}
