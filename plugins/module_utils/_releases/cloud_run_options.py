# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The options of the modules for Cloud Run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .adapter import SERVICE
from .cloud_run import CloudRun
from .google import Google

CONNECTION: dict[str, dict[str, Any]] = {
    "project": {"type": "str", "required": True},
    "location": {"type": "str", "required": True},
    "access_token": {"type": "str", "no_log": True},
    "endpoint": {"type": "str"},
    "monitoring_endpoint": {"type": "str"},
    "tag": {"type": "str", "default": "next"},
}


def spec() -> dict[str, Any]:
    service = {**SERVICE, "container": {"type": "str"}}
    return {**CONNECTION, "services": {"type": "list", "elements": "dict", "required": True, "options": service}}


def info_spec() -> dict[str, Any]:
    return {**CONNECTION, "names": {"type": "list", "elements": "str", "required": True}}


def port(parameters: Mapping[str, Any], service: Mapping[str, Any]) -> CloudRun:
    google = Google(
        parameters.get("endpoint", ""), parameters.get("monitoring_endpoint", ""), parameters.get("access_token")
    )
    return CloudRun(
        google,
        parameters["project"],
        parameters["location"],
        service["name"],
        tag=parameters["tag"],
        container=service.get("container", ""),
    )
