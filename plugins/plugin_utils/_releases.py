# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What is released where: from the variables of a cloud's host to the services of its module."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

Variables = Mapping[str, Any]
# What a user of the playbooks may say about a release; the rest follows from the cloud.
SAID = (
    "image",
    "version",
    "commit",
    "by",
    "reason",
    "again",
    "steps",
    "percent",
    "bake",
    "health",
    "headers",
    "patience",
    "smoke",
    "smoke_timeout",
    "max_errors",
    "url",
)
KINDS = ("cloud_run", "ecs")


def kind_of(host: Variables) -> str:
    """How this host's services are released; empty when no module here does."""
    return next((kind for kind in KINDS if f"{kind}_services" in host), "")


def services_of(host: Variables) -> Mapping[str, Any]:
    kind = kind_of(host)
    found: Mapping[str, Any] = host[f"{kind}_services"] if kind else {}
    return found


def places(hosts: Mapping[str, Variables], app: str) -> list[str]:
    """The clouds that have `app`. Raises ValueError, with what there is, when none has it."""
    found = sorted(name for name, host in hosts.items() if app in services_of(host))
    if found:
        return found
    there = sorted({service for host in hosts.values() for service in services_of(host)})
    near = difflib.get_close_matches(app, there, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(
        f"no cloud of this run has an app {app or '(release_app is missing)'}{meant} "
        f"There are: {', '.join(there) or 'none'}. Write -e release_app=NAME"
    )


def services(host: Variables, app: str, state: str, said: Variables) -> list[dict[str, Any]]:
    """The option `services` of cloud_run_traffic and ecs_deployment; empty where the app is not."""
    if app not in services_of(host):
        return []
    strange = sorted(set(said) - set(SAID))
    if strange:
        near = difflib.get_close_matches(strange[0], SAID, 1)
        raise ValueError(f"a release has no {strange[0]}{f'; did you mean {near[0]}?' if near else ''}")
    own = _cloud_run(host, app) if kind_of(host) == "cloud_run" else _ecs(host, app)
    given = {name: value for name, value in said.items() if value is not None}
    return [{"name": app, "state": state, **own, **given}]


def _cloud_run(host: Variables, app: str) -> dict[str, Any]:
    health = host["cloud_run_services"][app].get("health")
    return {"health": health} if health else {}


def _ecs(host: Variables, app: str) -> dict[str, Any]:
    service = host["ecs_services"][app]
    own: dict[str, Any] = {"bake": 60.0 * float(host.get("ecs_bake_minutes", 10))}
    if host.get("ecs_strategy") == "CANARY":
        own["steps"] = [int(host.get("ecs_step_percent", 10))]
    if service.get("health"):
        own["health"] = service["health"]
    own["alarms"] = [f"{host['ecs_name']}-{app}-errors"]
    if service.get("slow_seconds") is not None:
        own["alarms"].append(f"{host['ecs_name']}-{app}-slow")
    name = (service.get("hosts") or [host["ecs_domain"]])[0]
    path = host.get("ecs_test_path")
    own["url"] = f"https://{name}{path}" if path else f"https://{name}:{host.get('ecs_test_port', 8443)}"
    return own


def seconds(wanted: Sequence[Variables]) -> float:
    """How long it may take: every step watched, and time for tasks to start and to go home."""
    longest = max((float(one.get("bake") or 0) * (1 + len(one.get("steps") or ())) for one in wanted), default=0.0)
    patience = max((float(one.get("patience") or 300) for one in wanted), default=0.0)
    return longest + 2 * patience + 1200.0
