# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Whether an object does what it is there for, told from its status."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from .._wait import Hopeless, Waiting

Live = Mapping[str, Any]
NotReady: TypeAlias = "Waiting | Hopeless | None"


def conditions(live: Live) -> dict[str, Mapping[str, Any]]:
    rows = (live.get("status") or {}).get("conditions") or []
    return {str(row.get("type")): row for row in rows}


def _said(row: Mapping[str, Any]) -> str:
    return ": ".join(str(row[name]) for name in ("reason", "message") if row.get(name)) or "it does not say why"


def _seen(live: Live) -> NotReady:
    """Whether its controller has seen the last change."""
    told = (live.get("status") or {}).get("observedGeneration")
    if told is not None and told < live["metadata"].get("generation", 0):
        return Waiting("its controller has not seen the last change yet")
    return None


def crd(live: Live) -> NotReady:
    rows = conditions(live)
    if rows.get("NamesAccepted", {}).get("status") == "False":
        return Hopeless(f"its names are not accepted: {_said(rows['NamesAccepted'])}")
    if rows.get("Established", {}).get("status") == "True":
        return None
    return Waiting("it is not Established yet")


def _deployment(live: Live) -> NotReady:
    status, wanted = live.get("status") or {}, (live.get("spec") or {}).get("replicas", 1)
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 0):
        return Waiting("its controller has not seen the last change yet")
    progressing = conditions(live).get("Progressing", {})
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Hopeless(_said(progressing))
    updated, available, total = (status.get(f"{name}eplicas", 0) for name in ("updatedR", "availableR", "r"))
    if updated < wanted:
        return Waiting(f"{updated} of {wanted} replicas are of the new kind{_failure(live)}")
    if total > updated:
        return Waiting(f"{total - updated} replicas of the old kind are still there")
    if available < updated:
        return Waiting(f"{available} of {updated} replicas are available{_failure(live)}")
    return None


def _failure(live: Live) -> str:
    row = conditions(live).get("ReplicaFailure", {})
    return f": {_said(row)}" if row.get("status") == "True" else ""


def _stateful(live: Live) -> NotReady:
    status, spec = live.get("status") or {}, live.get("spec") or {}
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 0):
        return Waiting("its controller has not seen the last change yet")
    wanted, ready, updated = spec.get("replicas", 1), status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
    if ready < wanted:
        return Waiting(f"{ready} of {wanted} replicas are ready")
    strategy = spec.get("updateStrategy") or {}
    first = (strategy.get("rollingUpdate") or {}).get("partition", 0)
    if strategy.get("type", "RollingUpdate") == "RollingUpdate" and updated < wanted - first:
        return Waiting(f"{updated} of {wanted - first} replicas are of the new kind")
    return None


def _daemons(live: Live) -> NotReady:
    status, spec = live.get("status") or {}, live.get("spec") or {}
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 0):
        return Waiting("its controller has not seen the last change yet")
    wanted, updated = status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
    rolling = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
    if rolling and updated < wanted:
        return Waiting(f"{updated} of {wanted} nodes have the new kind")
    available = status.get("numberAvailable", 0)
    return Waiting(f"it is available on {available} of {wanted} nodes") if available < wanted else None


def _job(live: Live) -> NotReady:
    rows = conditions(live)
    if rows.get("Failed", {}).get("status") == "True":
        return Hopeless(f"it failed: {_said(rows['Failed'])}")
    if rows.get("Complete", {}).get("status") == "True" or (live.get("spec") or {}).get("suspend"):
        return None
    status = live.get("status") or {}
    done, wanted = status.get("succeeded", 0), (live.get("spec") or {}).get("completions", 1)
    return Waiting(f"{done} of {wanted} completions, {status.get('active', 0)} pods at work")


def _pod(live: Live) -> NotReady:
    status = live.get("status") or {}
    if status.get("phase") == "Failed":
        return Hopeless(f"it failed: {status.get('reason', '')} {status.get('message', '')}".strip())
    rows = conditions(live)
    if status.get("phase") == "Succeeded" or rows.get("Ready", {}).get("status") == "True":
        return None
    for container in status.get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            return Waiting(f"container {container['name']}: {_said(waiting)}")
    row = next((rows[name] for name in ("PodScheduled", "Ready") if rows.get(name, {}).get("status") == "False"), None)
    return Waiting(_said(row) if row else f"its phase is {status.get('phase', 'not told')}")


def _replicas(live: Live) -> NotReady:
    wanted = (live.get("spec") or {}).get("replicas", 1)
    available = (live.get("status") or {}).get("availableReplicas", 0)
    return Waiting(f"{available} of {wanted} replicas are available") if available < wanted else None


def _available(live: Live) -> NotReady:
    row = conditions(live).get("Available", {})
    return None if row.get("status") == "True" else Waiting(_said(row) if row else "it is not Available yet")


def _namespace(live: Live) -> NotReady:
    phase = (live.get("status") or {}).get("phase", "Active")
    return None if phase == "Active" else Waiting(f"its phase is {phase}")


def _own(live: Live) -> NotReady:
    """Kinds that are not Kubernetes' own, by the conditions that most of them have."""
    unseen = _seen(live)
    if unseen:
        return unseen
    rows = conditions(live)
    if rows.get("Stalled", {}).get("status") == "True":
        return Hopeless(_said(rows["Stalled"]))
    row = rows.get("Ready", {})
    return Waiting(_said(row)) if row and row.get("status") != "True" else None


RULES: Mapping[tuple[str, str], Callable[[Live], NotReady]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful,
    ("apps", "DaemonSet"): _daemons,
    ("apps", "ReplicaSet"): _replicas,
    ("", "ReplicationController"): _replicas,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "Namespace"): _namespace,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): crd,
    ("apiregistration.k8s.io", "APIService"): _available,
}


def not_ready(group: str, kind: str, live: Live, asked: Iterable[Mapping[str, Any]] = ()) -> NotReady:
    """Why this object is not ready; None when it is. `asked`: the user's own rules, which come first."""
    rules = [rule for rule in asked if _meant(rule, group, kind, live)]
    if rules:
        return next((said for rule in rules if (said := _as_asked(rule, live)) is not None), None)
    if (group, kind) in RULES:
        return RULES[group, kind](live)
    own = "." in group and not group.endswith(".k8s.io")
    return _own(live) if own else None


def _meant(rule: Mapping[str, Any], group: str, kind: str, live: Live) -> bool:
    if rule["kind"] != kind or rule.get("group", group) != group:
        return False
    return not rule.get("name") or rule["name"] == live["metadata"]["name"]


def _as_asked(rule: Mapping[str, Any], live: Live) -> NotReady:
    unseen = _seen(live)
    if unseen:
        return unseen
    name, wanted = rule["condition"], rule["status"]
    row = conditions(live).get(name)
    if row is None:
        return Waiting(f"it has no condition {name} yet, wanted {name}={wanted}")
    if str(row.get("status")) == wanted:
        return None
    return Waiting(f"{name}={row.get('status')}, wanted {wanted}: {_said(row)}")
