# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubernetes_objects waiting for what it made; there are no nodes, so each test is the kubelet of its pods."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab" / "apiserver"))
from apiserver import Cluster
from apiserver_tasks import configmap, crd, deployment, objects, outcomes

pytest_plugins = ["apiserver_fixtures"]

MERGE = "application/merge-patch+json"
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


@contextmanager
def kubelet(cluster: Cluster, space: str, status: dict[str, Any]) -> Iterator[None]:
    """Reports this status for every pod of the namespace that has none yet."""
    stop = threading.Event()

    def report() -> None:
        while not stop.wait(0.1):
            for pod in cluster.get(f"/api/v1/namespaces/{space}/pods")["items"]:
                if pod.get("status", {}).get("phase") != status["phase"]:
                    path = f"/api/v1/namespaces/{space}/pods/{pod['metadata']['name']}/status"
                    cluster.call("PATCH", path, {"status": status}, MERGE, ok=(404,))

    worker = threading.Thread(target=report)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def job(name: str, space: str) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "job:1"}]}
    spec = {"template": {"spec": pod}, "backoffLimit": 0}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": space}, "spec": spec}


def test_a_rollout_is_waited_for_and_a_second_run_waits_for_nothing(cluster: Cluster, space: str) -> None:
    """Would catch a task that ends before its pods are there, and one that writes again to wait again."""
    with kubelet(cluster, space, READY):
        result = objects(cluster, deployment("web", space, replicas=2), configmap("c", space, a="1"), wait=True)
    assert not result["failed"], result["msg"]
    status = cluster.get(f"/apis/apps/v1/namespaces/{space}/deployments/web")["status"]
    assert status["availableReplicas"] == 2
    again = objects(cluster, deployment("web", space, replicas=2), configmap("c", space, a="1"), wait=True)
    assert (again["failed"], again["changed"]) == (False, False)


def test_what_does_not_become_ready_is_named_with_its_cause(cluster: Cluster, space: str) -> None:
    """Would catch a wait that ends without saying why, and an unchanged object that is not waited for any more."""
    event = {
        "metadata": {"name": "why"}, "type": "Warning", "reason": "FailedScheduling", "message": "0/0 nodes: too dark",
        "involvedObject": {"kind": "Pod", "name": "web-1-2", "namespace": space},
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    cluster.call("POST", f"/api/v1/namespaces/{space}/events", event)
    for _run in ("first", "second"):
        result = objects(cluster, deployment("web", space), configmap("c", space, a="1"), wait=True, deadline=3)
        assert result["failed"]
        assert f"Deployment.apps {space}/web: not ready: 0 of 1 replicas are available" in result["msg"]
        assert "0/0 nodes: too dark" in result["msg"]
        assert outcomes(result)[f"Deployment.apps {space}/web"] == "failed"
        assert outcomes(result)[f"ConfigMap {space}/c"] != "failed"
    assert not result["changed"]


def test_a_job_that_failed_ends_the_wait_at_once(cluster: Cluster, space: str) -> None:
    """Would catch waiting until the deadline for what can never come."""
    with kubelet(cluster, space, {"phase": "Failed", "reason": "Oops", "message": "no"}):
        result = objects(cluster, job("bad", space), wait=True, deadline=300)
    assert result["failed"]
    assert "it failed: BackoffLimitExceeded" in result["msg"]
    with kubelet(cluster, space, {"phase": "Succeeded"}):
        result = objects(cluster, job("good", space), wait=True)
    assert not result["failed"], result["msg"]
    rows = cluster.get(f"/apis/batch/v1/namespaces/{space}/jobs/good")["status"]["conditions"]
    assert "Complete" in {item["type"] for item in rows if item["status"] == "True"}


def test_a_condition_of_a_custom_resource_is_waited_for(cluster: Cluster, space: str) -> None:
    """Would catch a resource taken for ready before its controller has said so, or a reason that is not passed on."""
    body = {"apiVersion": "waits.example.org/v1", "kind": "Slow", "metadata": {"name": "s", "namespace": space},
            "spec": {"size": 1}}  # fmt: skip
    rule = [{"kind": "Slow", "condition": "Issued"}]
    bodies = [crd("slows", "Slow", group="waits.example.org"), body]
    early = objects(cluster, *bodies, wait_for=rule, deadline=2)
    assert "it has no condition Issued yet" in early["msg"]
    path = f"/apis/waits.example.org/v1/namespaces/{space}/slows/s/status"
    pending = {"conditions": [{"type": "Issued", "status": "False", "reason": "Pending", "message": "order is open"}]}
    cluster.call("PATCH", path, {"status": pending}, MERGE)
    assert (
        "Issued=False, wanted True: Pending: order is open"
        in objects(cluster, *bodies, wait_for=rule, deadline=2)["msg"]
    )
    done = {"conditions": [{"type": "Issued", "status": "True"}]}
    later = threading.Timer(1.0, lambda: cluster.call("PATCH", path, {"status": done}, MERGE))
    later.start()
    result = objects(cluster, *bodies, wait_for=rule)
    later.join()
    assert (result["failed"], result["changed"]) == (False, False)
