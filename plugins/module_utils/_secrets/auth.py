# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""How to log in to Vault or OpenBao: each method is one small function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import UsageError

_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"

Settings = Mapping[str, Any]
Environment = Mapping[str, str]


def _file(path: str, what: str) -> str:
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(what, f"{path} cannot be read: {error.strerror}", "Name the right file.") from error
    if not text:
        raise UsageError(what, f"{path} is empty", "Write it anew.")
    return text


def _first(env: Environment, *names: str) -> str:
    return next((env[name] for name in names if env.get(name)), "")


def _need(value: Any, what: str, todo: str) -> str:
    if not value:
        raise UsageError(what, "it is not set", todo)
    return str(value)


def token(settings: Settings, env: Environment) -> str:
    """The token to use as it is; the file `~/.vault-token` is where `vault login` and `bao login` leave it."""
    if settings.get("token"):
        return str(settings["token"])
    if settings.get("token_file"):
        return _file(str(settings["token_file"]), "the Vault token")
    found = _first(env, "BAO_TOKEN", "VAULT_TOKEN")
    helper = Path(env.get("HOME") or "~").expanduser() / ".vault-token"
    if not found and helper.is_file():
        found = _file(str(helper), "the Vault token")
    return _need(
        found,
        "the Vault token",
        "Log in (bao login, vault login), or set VAULT_TOKEN, or choose another method: "
        "secrets: {auth: {method: approle}} (or kubernetes, jwt).",
    )


def _approle(client: Any, settings: Settings, env: Environment) -> None:
    secret_id = settings.get("secret_id")
    if not secret_id and settings.get("secret_id_file"):
        secret_id = _file(str(settings["secret_id_file"]), "AppRole's secret_id")
    client.auth.approle.login(
        role_id=_need(
            settings.get("role_id") or _first(env, "BAO_ROLE_ID", "VAULT_ROLE_ID"),
            "AppRole's role_id",
            "Set role_id under secrets.auth, or VAULT_ROLE_ID.",
        ),
        # A role may be made without one (bind_secret_id=false).
        secret_id=secret_id or _first(env, "BAO_SECRET_ID", "VAULT_SECRET_ID") or None,
        mount_point=settings.get("mount") or "approle",
    )


def _kubernetes(client: Any, settings: Settings, env: Environment) -> None:
    del env
    client.auth.kubernetes.login(
        role=_need(settings.get("role"), "the role for Kubernetes auth", "Set role under secrets.auth."),
        jwt=_file(str(settings.get("jwt_file") or _SERVICE_ACCOUNT), "the service account's token"),
        mount_point=settings.get("mount") or "kubernetes",
    )


def _jwt(client: Any, settings: Settings, env: Environment) -> None:
    if settings.get("jwt"):
        jwt = str(settings["jwt"])
    elif settings.get("jwt_file"):
        jwt = _file(str(settings["jwt_file"]), "the JWT")
    else:
        name = str(settings.get("jwt_env") or "VAULT_ID_TOKEN")
        jwt = _need(
            env.get(name),
            f"the JWT in the environment variable {name}",
            "Set it (in GitLab CI: id_tokens), or name a file: jwt_file under secrets.auth.",
        )
    client.auth.jwt.jwt_login(
        role=_need(settings.get("role"), "the role for JWT auth", "Set role under secrets.auth."),
        jwt=jwt,
        path=settings.get("mount") or "jwt",
    )


LOGINS: dict[str, Callable[[Any, Settings, Environment], None]] = {
    "approle": _approle,
    "kubernetes": _kubernetes,
    "jwt": _jwt,
}
METHODS = ("token", *LOGINS)
