# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The connection options that every Proxmox module of this collection has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.parameters import env_fallback

from .._values import Secret
from .client import Connection


def connection_spec() -> dict[str, Any]:
    """The argument spec; `plugins/doc_fragments/proxmox.py` documents it."""
    return {
        "api_host": {
            "type": "list",
            "elements": "str",
            "required": True,
            "fallback": (env_fallback, ["PROXMOX_HOST"]),
        },
        "api_port": {"type": "int", "default": 8006, "fallback": (env_fallback, ["PROXMOX_PORT"])},
        "api_user": {"type": "str", "fallback": (env_fallback, ["PROXMOX_USER"])},
        "api_password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["PROXMOX_PASSWORD"])},
        "api_token_id": {"type": "str", "no_log": False, "fallback": (env_fallback, ["PROXMOX_TOKEN_ID"])},
        "api_token_secret": {"type": "str", "no_log": True, "fallback": (env_fallback, ["PROXMOX_TOKEN_SECRET"])},
        "validate_certs": {"type": "bool", "default": True, "fallback": (env_fallback, ["PROXMOX_VALIDATE_CERTS"])},
        "ca_path": {"type": "path", "fallback": (env_fallback, ["PROXMOX_CA_PATH"])},
        "api_timeout": {"type": "float", "default": 60.0},
    }


def connection_problems(params: Mapping[str, Any]) -> list[str]:
    """What the parameters lack, in sentences; Ansible's own rules cannot say these."""
    problems = []
    token_id, secret = params.get("api_token_id") or "", params.get("api_token_secret")
    if bool(token_id) != bool(secret):
        problems.append("api_token_id and api_token_secret belong together: give both, or api_password")
    if not secret and not params.get("api_password"):
        problems.append("no credentials: give api_token_id with api_token_secret, or api_password")
    if "!" not in token_id and not params.get("api_user"):
        problems.append("api_user is missing (as in root@pam); a token may bring it: api_token_id=user@realm!name")
    elif "!" not in token_id and "@" not in (params.get("api_user") or ""):
        problems.append(f"api_user is {params.get('api_user')!r} without a realm; write it as in root@pam")
    return problems


def connection_of(params: Mapping[str, Any]) -> Connection:
    """The connection that a module's parameters describe."""
    password, secret = params.get("api_password"), params.get("api_token_secret")
    verify: bool | str = bool(params.get("validate_certs", True))
    if verify and params.get("ca_path"):
        verify = str(params["ca_path"])
    return Connection(
        hosts=tuple(host.strip() for host in params["api_host"] if host.strip()),
        user=params.get("api_user") or "",
        password=Secret(password) if password and not secret else None,
        token_id=params.get("api_token_id") or "",
        token_secret=Secret(secret) if secret else None,
        verify=verify,
        port=int(params.get("api_port") or 8006),
        timeout=float(params.get("api_timeout") or 60.0),
    )
