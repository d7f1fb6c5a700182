# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Emptying a node: which pods go, which stay, what stands in the way, and by which budget."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._objects import AdapterError, Step
from .._wait import WaitFailed, Waiting
from .api import MERGE, Api, segment
from .errors import ApiError

MIRROR = "kubernetes.io/config.mirror"
# On a node that a drain cordoned: a run that was killed leaves it, and the next one knows whose cordon it is.
CORDONED = "socle.platform/cordoned-for-drain"
SHOWN = 3

Pod = dict[str, Any]


@dataclass(frozen=True)
class Rules:
    """What a drain may do."""

    delete_empty_dir: bool = False
    delete_unmanaged: bool = False
    grace_period: int | None = None
    timeout: float | None = None
    skip_terminating_after: float | None = None


@dataclass
class Sorted:
    """The pods of a node."""

    leaving: list[Pod] = field(default_factory=list)
    daemons: list[Pod] = field(default_factory=list)
    static: list[Pod] = field(default_factory=list)


def name_of(pod: Pod) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def pods_on(api: Api, node: str) -> Sorted:
    """Every pod of a node, by what a drain does with it."""
    found = Sorted()
    for pod in api.listed("/api/v1/pods", {"fieldSelector": f"spec.nodeName={node}"}):
        metadata = pod["metadata"]
        if MIRROR in (metadata.get("annotations") or {}):
            found.static.append(pod)
        elif _owner(pod).get("kind") == "DaemonSet" and not _over(pod):
            found.daemons.append(pod)
        else:
            found.leaving.append(pod)
    return found


def _owner(pod: Pod) -> Mapping[str, Any]:
    rows = pod["metadata"].get("ownerReferences") or ()
    return next((row for row in rows if row.get("controller")), {})


def _over(pod: Pod) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def given_up(pod: Pod, rules: Rules) -> bool:
    """Whether a pod has been ending for so long that it is not waited for."""
    since, after = pod["metadata"].get("deletionTimestamp"), rules.skip_terminating_after
    if since is None or after is None:
        return False
    moment = datetime.datetime.fromisoformat(str(since).replace("Z", "+00:00"))
    return (datetime.datetime.now(datetime.timezone.utc) - moment).total_seconds() > after


def in_the_way(node: str, pods: Iterable[Pod], rules: Rules) -> list[str]:
    """Sentences for pods that a drain may not touch without being told so."""
    loses, alone = [], []
    for pod in pods:
        if _over(pod) or pod["metadata"].get("deletionTimestamp"):
            continue
        if not _owner(pod):
            alone.append(name_of(pod))
        if any("emptyDir" in volume for volume in (pod.get("spec") or {}).get("volumes") or ()):
            loses.append(name_of(pod))
    said = []
    if alone and not rules.delete_unmanaged:
        said.append(
            f"node {node}: {_some(alone)} {_has(alone)} no controller and would not come back elsewhere; "
            "delete them yourself, or set drain.delete_unmanaged to true"
        )
    if loses and not rules.delete_empty_dir:
        said.append(
            f"node {node}: {_some(loses)} {_has(loses)} an emptyDir volume, whose content would be lost; "
            "set drain.delete_empty_dir to true if it may be"
        )
    return said


def _has(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _some(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{'pod' if len(names) == 1 else 'pods'} {shown}{more}"


class Drain:
    """One node being emptied."""

    def __init__(self, api: Api, node: str, rules: Rules, step: Step) -> None:
        self.api, self.node, self.rules, self.step = api, node, rules, step
        self.total = 0
        self.blocked: dict[str, str] = {}
        self.hints: list[str] = []

    def run(self) -> None:
        """Cordon, evict, wait; where that fails, a cordon that was made for it is undone, and said."""
        ours = self._cordon()
        try:
            self.step.wait_for("to be drained", self._look, at_most=self.rules.timeout)
        except WaitFailed as error:
            self._undo(ours, f"{error}", error)
        except AdapterError as error:
            self._undo(ours, error.sentence, error)
        stay = pods_on(self.api, self.node)
        staying = f"{len(stay.daemons)} of DaemonSets and {len(stay.static)} static ones stay"
        self.step.note(f"drained: {self.total} pods left; {staying}")

    def _cordon(self) -> bool:
        live = self.api.get(self._path)
        if (live.get("spec") or {}).get("unschedulable"):
            return CORDONED in (live["metadata"].get("annotations") or {})
        body = {"metadata": {"annotations": {CORDONED: "true"}}, "spec": {"unschedulable": True}}
        self.api.call("PATCH", self._path, body=body, content=MERGE)
        return True

    def _undo(self, ours: bool, cause: str, error: Exception) -> None:
        hint = "; ".join(dict.fromkeys(self.hints)) or "see why these pods do not end, or raise `deadline`"
        if not ours:
            state = "it was cordoned before this and stays so"
        else:
            try:
                body = {"metadata": {"annotations": {CORDONED: None}}, "spec": {"unschedulable": None}}
                self.api.call("PATCH", self._path, body=body, content=MERGE)
                state = "it was cordoned for this and takes pods again"
            except AdapterError as failed:
                state = f"it was cordoned for this and STILL IS, because that could not be undone: {failed.sentence}"
        raise AdapterError(f"{cause}; node {self.node}: {state}", hint) from error

    @property
    def _path(self) -> str:
        return f"/api/v1/nodes/{segment(self.node)}"

    def _look(self) -> bool | Waiting:
        left = [pod for pod in pods_on(self.api, self.node).leaving if not given_up(pod, self.rules)]
        self.total = max(self.total, len(left))
        self.blocked.clear()
        self.hints.clear()
        ending = [name_of(pod) for pod in left if pod["metadata"].get("deletionTimestamp") or self._evicted(pod)]
        if not left:
            return True
        said = [f"{pod} is not evicted: {why}" for pod, why in list(self.blocked.items())[:SHOWN]]
        if len(self.blocked) > SHOWN:
            said.append(f"{len(self.blocked) - SHOWN} more are not evicted")
        if ending:
            said.append(f"{_some(ending)} {'is' if len(ending) == 1 else 'are'} ending")
        return Waiting(f"{len(left)} of {self.total} pods are still on it: {'; '.join(said)}")

    def _evicted(self, pod: Pod) -> bool:
        metadata = pod["metadata"]
        options: dict[str, Any] = {"preconditions": {"uid": metadata["uid"]}}
        if self.rules.grace_period is not None:
            options["gracePeriodSeconds"] = self.rules.grace_period
        path = f"/api/v1/namespaces/{segment(metadata['namespace'])}/pods/{segment(metadata['name'])}/eviction"
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
            "deleteOptions": options,
        }
        try:
            self.api.call("POST", path, body=body)
        except ApiError as error:
            if error.status == 404 or (error.status == 409 and "UID" in error.message):
                return True
            several = error.status == 500 and "more than one PodDisruptionBudget" in error.message
            if error.status != 429 and not several:
                raise
            self.blocked[name_of(pod)] = self._why(pod, error)
            return False
        return True

    def _why(self, pod: Pod, error: ApiError) -> str:
        """The budgets that hold this pod, by name and with their figures."""
        namespace = pod["metadata"]["namespace"]
        rows = self.api.get(f"/apis/policy/v1/namespaces/{segment(namespace)}/poddisruptionbudgets").get("items") or []
        labels = pod["metadata"].get("labels") or {}
        holding = [row for row in rows if selects((row.get("spec") or {}).get("selector"), labels)]
        if not holding:
            return error.message
        said = []
        for row in holding:
            status, name = row.get("status") or {}, f"{namespace}/{row['metadata']['name']}"
            figures = f"{status.get('currentHealthy', 0)} pods are healthy, {status.get('desiredHealthy', 0)} must stay"
            said.append(f"PodDisruptionBudget {name} allows no disruption now ({figures})")
            healthy, needed = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
            if status.get("expectedPods", 0) and needed >= status.get("expectedPods", 0):
                advice = f"{name} can never allow one: run more replicas than it needs, or change it"
            elif healthy < needed or healthy == needed:
                advice = f"make more of the pods of {name} healthy, or change it"
            else:
                advice = f"wait for {name}, its controller has not counted yet"
            self.hints.append(advice)
        if len(holding) > 1:
            self.hints.append("a pod may be held by one budget only: remove the others")
        return " and ".join(said)


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes these labels; an empty one takes all, none takes nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression(row, labels) for row in selector.get("matchExpressions") or ())


def _expression(row: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = row["key"], row.get("values") or ()
    if row["operator"] == "In":
        return labels.get(key) in values
    if row["operator"] == "NotIn":
        return labels.get(key) not in values
    return (key in labels) is (row["operator"] == "Exists")
