# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The embedded backend: one YAML file encrypted by ansible-vault, beside the manifest.

secrets:  {gitlab/root_password: {password: ...}}      # a human may add here with `ansible-vault edit`
metadata: {gitlab/root_password: {kind: password, created: ..., rotated: ..., generation: 1}}
previous: {gitlab/root_password: {password: ...}}      # of the last rotation
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._wait import Progress
from . import ansible_vault, lock
from .ansible_vault import Password
from .errors import Conflict, MissingLibrary, SecretError, StoreError
from .reference import Reference
from .store import Stored, unheard

HOW_TO_SET_UP = (
    "Make one once (a line of random characters: python3 -c 'import secrets; print(secrets.token_urlsafe(32))' "
    "> ~/.socle-vault-password && chmod 600 ~/.socle-vault-password), then name it in ansible.cfg under [defaults]: "
    "vault_password_file = ~/.socle-vault-password, or give --vault-password-file ~/.socle-vault-password. "
    "Keep a copy: without it the secrets are lost"
)
_SECTIONS = ("secrets", "metadata", "previous")


@dataclass
class FileStore:
    file: Path
    passwords: Sequence[Password] = field(repr=False)
    timeout: float = 30.0
    remark: Callable[[str], None] = unheard
    encrypt_id: str | None = None
    progress: Progress | None = None
    _cache: tuple[object, dict[str, Any], Password] | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        return str(self.file)

    def read(self, path: str) -> Stored | None:
        return _stored(self._load()[0], path, self.where)

    def list(self) -> list[str]:
        return sorted(self._load()[0]["secrets"])

    def create(self, path: str, secret: Stored) -> Stored:
        with self._locked():
            content, password = self._load()
            found = _stored(content, path, self.where)
            if found is not None:
                return found
            _put(content, path, secret)
            self._save(content, password)
            return secret

    def rotate(self, path: str, before: Stored, secret: Stored) -> Stored:
        with self._locked():
            content, password = self._load()
            found = _stored(content, path, self.where)
            if found is None or dict(found.fields) != dict(before.fields):
                raise Conflict(
                    f"secret {path}",
                    "another run changed it meanwhile",
                    "Nothing was written. Run again if it still has to be rotated.",
                    self.where,
                )
            content["previous"][path] = dict(before.fields)
            _put(content, path, secret)
            self._save(content, password)
            return secret

    def tell(self, progress: Progress) -> None:
        self.progress = progress

    def command_to_store(self, reference: Reference) -> str:
        name = reference.field or "password"
        verb = "edit" if self.file.exists() else "create"
        return (
            f"ansible-vault {verb} {shlex.quote(self.where)}, and write under `secrets:` the line "
            f"`{reference.path}: {{{name}: THE VALUE}}`"
        )

    @contextlib.contextmanager
    def _locked(self) -> Any:
        # Beside the real file: two names of one file must meet at one lock.
        target = self._target()
        if not target.parent.is_dir():
            raise StoreError(
                str(target), "its folder does not exist", f"Make it: mkdir -p {shlex.quote(str(target.parent))}"
            )
        with lock.held(target.with_name(target.name + ".lock"), str(target), self.timeout, self.progress) as note:
            if note:
                self.remark(note)
            yield

    def _target(self) -> Path:
        try:
            return Path(os.path.realpath(self.file, strict=False))
        except OSError as error:  # a loop of symbolic links
            raise StoreError(self.where, f"it cannot be followed: {error.strerror}", "Mend the link.") from error

    def _password(self) -> Password:
        if not self.passwords:
            raise StoreError(self.where, "Ansible was given no vault password to open it with", HOW_TO_SET_UP)
        for password in self.passwords:
            if password[0] == self.encrypt_id:
                return password
        if self.encrypt_id is not None:
            raise StoreError(
                self.where,
                f"vault_encrypt_identity is {self.encrypt_id}, and no vault id of that name was given",
                f"Give it with --vault-id {self.encrypt_id}@FILE, or change the setting.",
            )
        return self.passwords[0]

    def _load(self) -> tuple[dict[str, Any], Password]:
        empty: dict[str, Any] = {name: {} for name in _SECTIONS}
        try:
            text = self.file.read_bytes()
            status = self.file.stat()
        except FileNotFoundError:
            return empty, self._password()
        except OSError as error:
            raise StoreError(
                self.where, f"it cannot be read: {error.strerror}", "Check its permissions and its path."
            ) from error
        mark = (status.st_ino, status.st_mtime_ns, status.st_size, text[-64:])
        if self._cache is not None and self._cache[0] == mark:
            return {name: dict(section) for name, section in self._cache[1].items()}, self._cache[2]
        self._password()
        if not text.strip():
            raise StoreError(
                self.where, "it is empty", "Restore it from a backup; only if it never held a secret, remove it."
            )
        if not ansible_vault.is_vault(text):
            raise StoreError(
                self.where,
                "it is not encrypted",
                f"If it holds secrets in clear, encrypt it now: ansible-vault encrypt {shlex.quote(self.where)}",
            )
        plain, password = ansible_vault.decrypt(text, self.passwords, self.where)
        content = _parse(plain, self.where)
        self._cache = (mark, content, password)
        return {name: dict(section) for name, section in content.items()}, password

    def _save(self, content: dict[str, Any], password: Password) -> None:
        target = self._target()
        fresh = target.with_name(f".{target.name}.new")
        try:
            # One fixed name, written under the lock only: a killed run leaves at most this one, still encrypted.
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(ansible_vault.encrypt(_dump(content), password))
                out.flush()
                os.fsync(out.fileno())
            fresh.replace(target)
            folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            todo = "Make room there." if error.errno in {errno.ENOSPC, errno.EDQUOT} else "Check its permissions."
            raise StoreError(
                str(target), f"it cannot be written: {error.strerror}", f"{todo} What was stored before is unharmed."
            ) from error
        self._cache = None


def _stored(content: dict[str, Any], path: str, where: str) -> Stored | None:
    if path not in content["secrets"]:
        return None
    fields = content["secrets"][path]
    if isinstance(fields, str):
        fields = {"password": fields}
    empty = [name for name, value in fields.items() if not isinstance(value, str) or not value]
    if empty or not fields:
        raise StoreError(
            f"secret {path}",
            f"its field {empty[0]} holds no text" if empty else "it has no fields",
            f"Write a value: ansible-vault edit {shlex.quote(where)}",
            where,
        )
    about = content["metadata"].get(path)
    if not isinstance(about, dict):
        return Stored(fields=fields)
    generation = about.get("generation")
    return Stored(
        fields=fields,
        kind=about.get("kind"),
        created=about.get("created"),
        rotated=about.get("rotated"),
        generation=generation if isinstance(generation, int) else 1,
    )


def _put(content: dict[str, Any], path: str, secret: Stored) -> None:
    content["secrets"][path] = dict(secret.fields)
    about = {
        "kind": secret.kind,
        "created": secret.created or secret.rotated,
        "rotated": secret.rotated,
        "generation": secret.generation,
    }
    # Without nulls: every scalar is read back as text.
    content["metadata"][path] = {name: value for name, value in about.items() if value is not None}


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingLibrary("PyYAML", "secrets in a file", str(error)) from error
    return yaml


def _parse(plain: bytes, where: str) -> dict[str, Any]:
    """Every scalar as the text that stands there: a password 0123 or `yes` is no number and no boolean."""
    yaml = _yaml()
    fix = f"Mend it: ansible-vault edit {shlex.quote(where)}"
    try:
        node = yaml.compose(plain.decode("utf-8"), Loader=yaml.BaseLoader)
        content = _plain(node, yaml) if node is not None else {}
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        # The error's own text quotes the line, which is a secret's.
        mark = getattr(error, "problem_mark", None)
        spot = f" near line {mark.line + 1}" if mark else ""
        raise StoreError(where, f"its content is not YAML{spot}", fix) from None
    except _Twice as error:
        raise StoreError(where, f"the key {error} stands there twice", fix) from None
    if not isinstance(content, dict) or set(content) - set(_SECTIONS):
        other = sorted(set(content) - set(_SECTIONS)) if isinstance(content, dict) else ["a list or text"]
        raise StoreError(
            where, f"it holds {', '.join(other[:3])} beside {', '.join(_SECTIONS)}", f"Move it under secrets. {fix}"
        )
    for name in _SECTIONS:
        section = content.setdefault(name, {}) or {}
        content[name] = section
        if not isinstance(section, dict):
            raise StoreError(where, f"{name} is no mapping", fix)
    for about in content["metadata"].values():
        if isinstance(about, dict) and str(about.get("generation")).isdigit():
            about["generation"] = int(about["generation"])
    for path, fields in content["secrets"].items():
        if not isinstance(fields, (dict, str)):
            raise SecretError(f"secret {path}", "it is neither text nor a mapping of fields", fix, where)
    return content


class _Twice(Exception):
    pass


def _plain(node: Any, yaml: Any, depth: int = 0) -> Any:
    if depth > 20:
        raise RecursionError
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, yaml, depth + 1) for item in node.value]
    found: dict[str, Any] = {}
    for key, value in node.value:
        name = str(_plain(key, yaml, depth + 1))
        if name in found:
            raise _Twice(name)
        found[name] = _plain(value, yaml, depth + 1)
    return found


def _dump(content: dict[str, Any]) -> bytes:
    yaml = _yaml()

    class Dumper(yaml.SafeDumper):  # type: ignore[misc,name-defined]  # the library is imported lazily
        pass

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    Dumper.add_multi_representer(str, text)
    kept = {name: section for name, section in content.items() if section}
    return bytes(yaml.dump(kept, Dumper=Dumper, encoding="utf-8", allow_unicode=True, sort_keys=True, width=4096))
