# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The connection options that every GitLab module of this collection has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.common.parameters import env_fallback

from .._values import Secret


@dataclass(frozen=True)
class Connection:
    url: str
    token: Secret
    verify: bool | str = True
    timeout: float = 60.0


def connection_spec() -> dict[str, Any]:
    """The argument spec; `plugins/doc_fragments/gitlab.py` documents it."""
    return {
        "api_url": {"type": "str", "required": True, "fallback": (env_fallback, ["GITLAB_URL"])},
        "api_token": {"type": "str", "required": True, "no_log": True, "fallback": (env_fallback, ["GITLAB_TOKEN"])},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "api_timeout": {"type": "float", "default": 60.0},
    }


def connection_of(params: Mapping[str, Any]) -> Connection:
    verify: bool | str = bool(params.get("validate_certs", True))
    if verify and params.get("ca_path"):
        verify = str(params["ca_path"])
    url = str(params["api_url"]).rstrip("/").removesuffix("/api/v4")
    return Connection(url, Secret(params["api_token"]), verify, float(params.get("api_timeout") or 60.0))
