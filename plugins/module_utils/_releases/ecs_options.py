# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The options of the modules for ECS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .adapter import SERVICE
from .amazon import Amazon
from .ecs import Ecs
from .ecs_native import EcsNative, describe, is_native
from .model import Port

CONNECTION: dict[str, dict[str, Any]] = {
    "cluster": {"type": "str", "required": True},
    "region": {"type": "str"},
    "profile": {"type": "str"},
    "endpoint": {"type": "str"},
}
OWN: dict[str, dict[str, Any]] = {
    "container": {"type": "str"},
    "alarms": {"type": "list", "elements": "str", "default": []},
    "production_rule": {"type": "str"},
    "test_rule": {"type": "str"},
    "green": {"type": "str"},
}


def spec() -> dict[str, Any]:
    return {
        **CONNECTION,
        "services": {"type": "list", "elements": "dict", "required": True, "options": {**SERVICE, **OWN}},
    }


def info_spec() -> dict[str, Any]:
    return {**CONNECTION, "names": {"type": "list", "elements": "str", "required": True}}


def port(parameters: Mapping[str, Any], service: Mapping[str, Any]) -> Port:
    """By the way that the service itself is set to be deployed."""
    amazon = Amazon(parameters.get("region", ""), parameters.get("endpoint", ""), parameters.get("profile", ""))
    cluster, name = parameters["cluster"], service["name"]
    found = describe(amazon, f"ECS service {name} in cluster {cluster}", cluster, name)
    if is_native(found):
        return EcsNative(
            amazon,
            parameters["cluster"],
            service["name"],
            container=service.get("container", ""),
            alarms=service.get("alarms", ()),
        )
    rules = {name: str(service[name]) for name in ("production_rule", "test_rule", "green") if service.get(name)}
    return Ecs(
        amazon,
        parameters["cluster"],
        service["name"],
        container=service.get("container", ""),
        alarms=service.get("alarms", ()),
        rules=rules,
    )
