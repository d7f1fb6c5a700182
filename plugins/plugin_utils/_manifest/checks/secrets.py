# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Secrets: the backend has what it needs, and no secret stands in the manifest in clear."""

from __future__ import annotations

import re
from typing import Any

from ..base import SECRET, SecretRef, Section, is_template
from ..errors import Path
from .context import Context

_NAMED = re.compile(
    r"(?i)(?:^|_)(?:pass(?:word|wd|phrase)?|secret|token|api_?key|private_?key|access_?key|credentials?)(?:$|_)"
)
_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/@\s:]+:[^/@\s]+@", re.IGNORECASE)
# What has no place in the environment to come from.
_AUTH_NEEDS = {"approle": (), "kubernetes": ("role",), "jwt": ("role",), "token": ()}
_ONLY = {"file": ("file", "vault_encrypt_identity"), "vault": ("address", "namespace", "auth", "ca_file", "prefix")}
OPTIONS = {
    "password": ("length", "classes", "symbols"),
    "token": ("length",),
    "hex": ("length",),
    "key32": (),
    "uuid": (),
    "ed25519": ("name",),
    "ca": ("name", "days"),
}


def check(context: Context) -> None:
    _backend(context)
    _literals(context, (), context.manifest)


def _backend(context: Context) -> None:
    secrets = context.manifest.secrets
    path: Path = ("secrets",)
    if context.written("secrets", "backend") and context.root.at(("secrets", "backend")).value != secrets.backend:
        return
    if secrets.backend == "vault" and secrets.address is None and not context.written(*path, "address"):
        what = "no address: it is taken from BAO_ADDR or VAULT_ADDR of whoever runs this"
        context.warn((*path, "backend"), what, "address: https://... beside it")
    other = "file" if secrets.backend == "vault" else "vault"
    for key in _ONLY[other]:
        if getattr(secrets, key) is not None:
            context.error(
                (*path, key), f"only the {other} backend has {key}", f"backend: {other}, or no {key}", key=True
            )
    if secrets.auth is not None:
        _auth(context, (*path, "auth"), secrets.auth)
    for name, wanted in secrets.generate.items():
        _wanted(context, (*path, "generate", name), wanted)


def _auth(context: Context, path: Path, auth: Any) -> None:
    for key in _AUTH_NEEDS[auth.method]:
        if getattr(auth, key) is None and not context.written(*path, key):
            context.error(path, f"{auth.method} needs {key}", f"{key}: beside it")
    for key in type(auth).model_fields:
        if isinstance(getattr(auth, key), SecretRef):
            what = "what opens the secrets backend cannot be read from it"
            context.error((*path, key), what, "the environment, a template such as a lookup of it, or !vault")


def _wanted(context: Context, path: Path, wanted: Any) -> None:
    for key in type(wanted).model_fields:
        if key != "kind" and wanted.given(key) and key not in OPTIONS[wanted.kind]:
            options = ", ".join(OPTIONS[wanted.kind]) or "none"
            context.error(
                (*path, key), f"a secret of kind {wanted.kind} has no {key}", f"its options: {options}", key=True
            )
    if wanted.symbols is not None and "symbols" not in wanted.classes:
        context.error((*path, "symbols"), "symbols that no class asks for", "symbols among the classes", key=True)


def _literals(context: Context, path: Path, value: Any) -> None:
    """Warn about literals; the value itself is never shown."""
    if isinstance(value, Section):
        for name, entry in type(value).model_fields.items():
            inner = getattr(value, name)
            if inner is None or not value.given(name):
                continue
            if entry.json_schema_extra == SECRET:
                for at, text in _texts((*path, name), inner):
                    _literal(context, at, text)
            else:
                _literals(context, (*path, name), inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str) and path[-1:] == ("variables",) and _NAMED.search(name):
                _literal(context, (*path, name), inner)
            else:
                _literals(context, (*path, name), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _literals(context, (*path, index), inner)
    elif isinstance(value, str) and not is_template(value) and _IN_URL.match(value):
        _literal(context, path, value)


def _texts(path: Path, value: Any) -> list[tuple[Path, Any]]:
    if isinstance(value, dict):
        return [((*path, name), inner) for name, inner in value.items()]
    return [(path, value)]


def _literal(context: Context, path: Path, value: Any) -> None:
    if not isinstance(value, str) or is_template(value):
        return
    # A path of its own: `put` writes all fields of a path at once.
    name, field = "/".join(str(part) for part in path), path[-1]
    secrets = context.manifest.secrets
    wanted = "a reference: {secret: path#field}, a template, or !vault"
    # What opens the backend cannot be read from it.
    opens = path[0] == "secrets"
    if opens:
        wanted = "a template such as a lookup of the environment, a file, or !vault"
    if secrets.backend == "vault" and not opens:
        mount, prefix = secrets.mount, f"{secrets.prefix}/" if secrets.prefix else ""
        command = f"bao kv put -mount={mount} {prefix}{name} value=-  (it reads the value from its input)"
        hint = f"store it: {command}; then write {field}: {{secret: {name}#value}}"
    else:
        hint = f"store it: ansible-vault encrypt_string --stdin-name {field}  and put what it prints (!vault ...) here"
    context.warn(path, "a secret stands here in clear", wanted, hint)
