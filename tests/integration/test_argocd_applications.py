# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""argocd_applications_info on a real kube-apiserver; each test is the Argo CD that writes the states."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._kubernetes import applications
from ansible_collections.socle.platform.plugins.module_utils._kubernetes.session import Session
from ansible_collections.socle.platform.plugins.module_utils._objects import AdapterError
from ansible_collections.socle.platform.plugins.module_utils._wait import Quiet

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab" / "apiserver"))
from apiserver import Cluster
from apiserver_tasks import crd, objects

pytest_plugins = ["apiserver_fixtures"]

MERGE = "application/merge-patch+json"
GOOD = {"sync": {"status": "Synced", "revision": "abc"}, "health": {"status": "Healthy"}}


class Told(Quiet):
    """Keeps what is said while it waits."""

    def __init__(self) -> None:
        self.causes: list[str] = []

    def waiting(self, what: str, cause: str, elapsed: float) -> None:
        self.causes.append(cause)


def info(cluster: Cluster, space: str, **parameters: Any) -> list[dict[str, Any]]:
    given = {"kubeconfig": str(cluster.kubeconfig), "namespace": space, "wait": False, "deadline": 60.0, **parameters}
    found: list[dict[str, Any]] = applications.info(Session().of(given), given, Told())["applications"]
    return found


@pytest.fixture(autouse=True)
def kind(cluster: Cluster) -> None:
    """Applications as a kind, as far as they are looked at."""
    made = crd("applications", "Application", group="argoproj.io")
    version = made["spec"]["versions"][0]
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version.update(name="v1alpha1", subresources={}, schema={"openAPIV3Schema": schema})
    assert not objects(cluster, made)["failed"]


def application(cluster: Cluster, space: str, name: str, wave: int, status: dict[str, Any]) -> None:
    metadata = {"name": name, "annotations": {"argocd.argoproj.io/sync-wave": str(wave)}}
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata, "status": status}
    cluster.call("POST", f"/apis/argoproj.io/v1alpha1/namespaces/{space}/applications", body)


def test_what_an_application_waits_for_is_one_sentence_with_the_event(cluster: Cluster, space: str) -> None:
    """Would catch `Progressing` without the object, its message and the event that explain it."""
    event = {
        "metadata": {"name": "why"}, "type": "Warning", "message": "image not found",
        "involvedObject": {"kind": "Pod", "name": "web-7f-x", "namespace": space},
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    cluster.call("POST", f"/api/v1/namespaces/{space}/events", event)
    sick = {"kind": "Deployment", "namespace": space, "name": "web", "status": "Synced",
            "health": {"status": "Degraded", "message": "no progress"}}  # fmt: skip
    well = {"kind": "Service", "namespace": space, "name": "svc", "status": "Synced", "health": {"status": "Healthy"}}
    application(cluster, space, "shop", 2, {**GOOD, "health": {"status": "Degraded"}, "resources": [sick, well]})
    application(cluster, space, "base", 1, GOOD)
    base, shop = info(cluster, space)
    assert (base["name"], base["wave"], base["waiting_for"], base["revision"]) == ("base", 1, "", "abc")
    assert shop["waiting_for"] == (
        f"Synced, Degraded; Deployment {space}/web is Degraded: no progress; last event: Pod web-7f-x: image not found"
    )
    assert [item["name"] for item in shop["resources"]] == ["web"]
    with pytest.raises(AdapterError, match="there are base, shop"):
        info(cluster, space, names=["shp"])


def test_all_are_waited_for_and_the_lowest_wave_is_named(cluster: Cluster, space: str) -> None:
    """Would catch a wait that ends early, and one that names what only waits for something else."""
    base = f"/apis/argoproj.io/v1alpha1/namespaces/{space}/applications"
    failed = {"operationState": {"phase": "Failed", "message": "chart value x is wrong"}}
    application(cluster, space, "one", 1, {"sync": {"status": "OutOfSync"}, "health": {"status": "Missing"}, **failed})
    application(cluster, space, "two", 2, {"sync": {"status": "OutOfSync"}, "health": {"status": "Missing"}})
    with pytest.raises(AdapterError) as failure:
        info(cluster, space, wait=True, deadline=1.5)
    lines = str(failure.value).splitlines()
    assert lines[1] == "Application one (wave 1): OutOfSync, Missing; its sync is Failed: chart value x is wrong"
    assert lines[2] == "Application two (wave 2): OutOfSync, Missing"
    healthy = {"status": {**GOOD, "operationState": {"phase": "Succeeded", "message": ""}}}
    done = [threading.Timer(0.5 + n, lambda name=name: cluster.call("PATCH", f"{base}/{name}", healthy, MERGE))
            for n, name in enumerate(("one", "two"))]  # fmt: skip
    for timer in done:
        timer.start()
    found = info(cluster, space, wait=True)
    for timer in done:
        timer.join()
    assert [app["health"] for app in found] == ["Healthy", "Healthy"]
