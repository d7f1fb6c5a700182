# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Argo CD's Applications: how they are, what each waits for, and the event that explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._objects import AdapterError, Fault
from .._wait import Backoff, Deadline, Progress, WaitFailed, Waiting, wait_for
from .api import Api
from .errors import classify
from .events import warning
from .session import Session

VERSION = "argoproj.io/v1alpha1"
WAVE = "argocd.argoproj.io/sync-wave"
SHOWN = 3

INFO: dict[str, Any] = {
    "names": {"type": "list", "elements": "str"},
    "namespace": {"type": "str", "default": "argocd"},
    "wait": {"type": "bool", "default": False},
    "deadline": {"type": "float", "default": 600.0},
}


def info(session: Session, parameters: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """For argocd_applications_info."""
    session.learn({VERSION})
    asked = parameters.get("names")
    if not parameters["wait"]:
        return {"applications": _told(session, parameters["namespace"], asked)}
    found: list[dict[str, Any]] = []

    def look() -> bool | Waiting:
        found[:] = _told(session, parameters["namespace"], asked)
        late = [app for app in found if app["waiting_for"]]
        if not late and found:
            return True
        # The lowest wave holds the others back: it is the one to look at.
        first = [app for app in late if app["wave"] == min(other["wave"] for other in late)]
        some = "; ".join(f"{app['name']}: {app['waiting_for']}" for app in first[:SHOWN])
        return Waiting(f"{len(late)} of {len(found)} are not, wave {first[0]['wave']}: {some}" if first else "none yet")

    try:
        wait_for(
            "Applications to be synced and healthy",
            look,
            Deadline(parameters["deadline"]),
            transient=lambda error: classify(error) is not Fault.PERMANENT or isinstance(error, NotYet),
            progress=progress,
            backoff=Backoff(most=5.0),
        )
    except WaitFailed as error:
        said = [
            f"Application {app['name']} (wave {app['wave']}): {app['waiting_for']}"
            for app in found
            if app["waiting_for"]
        ]
        raise AdapterError("\n".join([f"not healthy after {error.elapsed:.0f} s", *(said or [error.cause])])) from None
    return {"applications": found}


class NotYet(AdapterError):
    """An Application that is asked for is not there: its parent may be about to make it."""


def _told(session: Session, namespace: str, asked: Sequence[str] | None) -> list[dict[str, Any]]:
    resource = session.discovery.find(VERSION, "Application")
    if resource is None:
        raise NotYet("this cluster has no Applications: Argo CD is not installed in it", "install it, or wait for it")
    rows = {row["metadata"]["name"]: row for row in session.api.listed(resource.collection(namespace))}
    missing = sorted(set(asked or ()) - rows.keys())
    if missing:
        there = ", ".join(sorted(rows)) or "none"
        raise NotYet(f"Applications {', '.join(missing)} are not in namespace {namespace}", f"there are {there}")
    chosen = [rows[name] for name in (asked or sorted(rows))]
    told = [_application(session.api, row) for row in chosen]
    return sorted(told, key=lambda app: (app["wave"], app["name"]))


def _application(api: Api, row: Mapping[str, Any]) -> dict[str, Any]:
    status, metadata = row.get("status") or {}, row["metadata"]
    sync, health, operation = (status.get(name) or {} for name in ("sync", "health", "operationState"))
    resources = [
        {
            "kind": str(item.get("kind")),
            "namespace": str(item.get("namespace", "")),
            "name": str(item.get("name")),
            "sync": str(item.get("status", "")),
            "health": str((item.get("health") or {}).get("status", "")),
            "message": str((item.get("health") or {}).get("message", "")),
        }
        for item in status.get("resources") or ()
        if (item.get("health") or {}).get("status", "Healthy") != "Healthy" or item.get("status") == "OutOfSync"
    ]
    told: dict[str, Any] = {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "wave": _wave(metadata),
        "sync": str(sync.get("status", "Unknown")),
        "revision": str(sync.get("revision", "")),
        "health": str(health.get("status", "Unknown")),
        "operation": str(operation.get("phase", "")),
        "conditions": [f"{c.get('type')}: {c.get('message')}" for c in status.get("conditions") or ()],
        "resources": resources,
    }
    return {**told, "waiting_for": _waiting_for(api, told, operation)}


def _wave(metadata: Mapping[str, Any]) -> int:
    try:
        return int((metadata.get("annotations") or {}).get(WAVE, "0"))
    except ValueError:
        return 0


def _waiting_for(api: Api, told: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    """One sentence; empty when there is nothing to wait for."""
    busy = told["operation"] in ("Running", "Terminating")
    if told["sync"] == "Synced" and told["health"] == "Healthy" and not busy:
        return ""
    said = [f"{told['sync']}, {told['health']}"]
    if told["operation"] in ("Failed", "Error") or busy:
        said.append(f"its sync is {told['operation']}: {operation.get('message') or 'it does not say why'}")
    said += told["conditions"][:SHOWN]
    for item in told["resources"][:SHOWN]:
        where = f"{item['namespace']}/" if item["namespace"] else ""
        state = item["health"] if item["health"] not in ("", "Healthy") else item["sync"]
        message = f": {item['message']}" if item["message"] else ""
        event = warning(api, item["namespace"], item["name"])
        said.append(
            f"{item['kind']} {where}{item['name']} is {state}{message}" + (f"; last event: {event}" if event else "")
        )
    return "; ".join(said)
