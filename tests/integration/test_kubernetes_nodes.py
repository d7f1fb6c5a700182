# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubernetes_nodes on a real kube-apiserver, with real controllers; each test is scheduler and kubelet of its pods."""

from __future__ import annotations

import itertools
import json
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab" / "apiserver"))
from apiserver import Cluster, writes
from apiserver_tasks import nodes, outcomes, paths, row

pytest_plugins = ["apiserver_fixtures"]

MERGE = "application/merge-patch+json"
NUMBERS = itertools.count(1)
GPU = {"key": "example.org/gpu", "effect": "NoSchedule"}


@pytest.fixture
def node(cluster: Cluster) -> Iterator[str]:
    """A node of this test alone."""
    name = f"node-{next(NUMBERS)}"
    cluster.call("POST", "/api/v1/nodes", {"metadata": {"name": name}})
    # Its kubelet has said that it is ready.
    cluster.call("PATCH", f"/api/v1/nodes/{name}", {"spec": {"taints": None}}, MERGE)
    cluster.requests()
    yield name
    cluster.call("DELETE", f"/api/v1/nodes/{name}", ok=(404,))


def live(cluster: Cluster, node: str) -> Any:
    return cluster.get(f"/api/v1/nodes/{node}")


def taints(cluster: Cluster, node: str) -> set[str]:
    rows = live(cluster, node)["spec"].get("taints", [])
    return {f"{item['key']}:{item['effect']}" for item in rows if not item["key"].startswith("node.kubernetes.io/")}


def cordoned(cluster: Cluster, node: str) -> bool:
    return bool(live(cluster, node)["spec"].get("unschedulable", False))


def labels(cluster: Cluster, node: str) -> dict[str, str]:
    return dict(live(cluster, node)["metadata"].get("labels", {}))


def run_on(cluster: Cluster, space: str, name: str, node: str) -> str:
    """What scheduler and kubelet do: this pod runs on that node."""
    base = f"/api/v1/namespaces/{space}/pods/{name}"
    binding = {"metadata": {"name": name}, "target": {"apiVersion": "v1", "kind": "Node", "name": node}}
    cluster.call("POST", f"{base}/binding", {"apiVersion": "v1", "kind": "Binding", **binding})
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    cluster.call("PATCH", f"{base}/status", {"status": status}, MERGE)
    return f"{space}/{name}"


def alone(cluster: Cluster, space: str, name: str, node: str) -> str:
    """A pod that no controller knows."""
    spec = {"containers": [{"name": "c", "image": "c:1"}]}
    cluster.call("POST", f"/api/v1/namespaces/{space}/pods", {"metadata": {"name": name}, "spec": spec})
    return run_on(cluster, space, name, node)


def owned(cluster: Cluster, space: str, node: str, kind: str = "ReplicaSet", **spec: Any) -> str:
    """A pod of a real controller, which makes another one when it goes."""
    app = {"app": kind.lower()}
    inner = {"containers": [{"name": "c", "image": "c:1"}], "nodeSelector": {"only": node}, **spec}
    body: dict[str, Any] = {"metadata": {"name": kind.lower()}, "spec": {
        "selector": {"matchLabels": app}, "template": {"metadata": {"labels": app}, "spec": inner}}}  # fmt: skip
    if kind == "ReplicaSet":
        body["spec"]["replicas"] = 1
    cluster.call("PATCH", f"/api/v1/nodes/{node}", {"metadata": {"labels": {"only": node}}}, MERGE)
    cluster.call("POST", f"/apis/apps/v1/namespaces/{space}/{kind.lower()}s", body)
    path = f"/api/v1/namespaces/{space}/pods?labelSelector=app={kind.lower()}"
    until(lambda: bool(cluster.get(path)["items"]), f"the pod of a {kind}")
    return run_on(cluster, space, cluster.get(path)["items"][0]["metadata"]["name"], node)


def until(done: Callable[[], bool], what: str) -> None:
    """For a minute at most."""
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end, f"waited a minute for {what}"
        select.select([], [], [], 0.05)


@contextmanager
def kubelet(cluster: Cluster, space: str) -> Iterator[None]:
    """Lets go of every pod that is being deleted."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.1):
            for item in cluster.get(f"/api/v1/namespaces/{space}/pods")["items"]:
                if item["metadata"].get("deletionTimestamp"):
                    path = f"/api/v1/namespaces/{space}/pods/{item['metadata']['name']}"
                    cluster.call("DELETE", path, {"gracePeriodSeconds": 0}, ok=(404,))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def pods(cluster: Cluster, space: str, node: str) -> set[str]:
    """The pods of a namespace on a node."""
    items = cluster.get(f"/api/v1/namespaces/{space}/pods")["items"]
    return {f"{space}/{item['metadata']['name']}" for item in items if item["spec"].get("nodeName") == node}


def test_labels_and_taints_come_and_go_and_those_of_others_stay(cluster: Cluster, node: str) -> None:
    """Would catch labels that are only ever added, or a list of taints that is replaced with ours."""
    theirs = {"metadata": {"labels": {"cloud": "x", "example.org/same": "1"}},
              "spec": {"taints": [{"key": "theirs", "effect": "NoExecute"}]}}  # fmt: skip
    cluster.call("PATCH", f"/api/v1/nodes/{node}", theirs, MERGE)
    wanted = {"name": node, "labels": {"example.org/disk": "fast", "example.org/same": "1", "n": 3}, "taints": [GPU]}
    assert not nodes(cluster, wanted)["failed"]
    assert labels(cluster, node).items() >= {"cloud": "x", "example.org/disk": "fast", "n": "3"}.items()
    assert taints(cluster, node) == {"theirs:NoExecute", "example.org/gpu:NoSchedule"}
    cluster.requests()
    assert not nodes(cluster, wanted)["changed"]
    assert writes(cluster.requests()) == []
    result = nodes(cluster, {"name": node, "labels": {"n": "4"}, "taints": []})
    assert paths(result, node) == {
        "labels.n": ("3", "4"),
        "labels.example.org/disk": ("fast", "(absent)"),
        "taints.example.org/gpu:NoSchedule": ("", "(absent)"),
    }
    left = labels(cluster, node)
    assert (left["n"], left["example.org/same"]) == ("4", "1")
    assert "example.org/disk" not in left
    assert taints(cluster, node) == {"theirs:NoExecute"}
    nodes(cluster, {"name": node, "remove_labels": ["cloud"], "remove_taints": ["theirs"]})
    assert "cloud" not in labels(cluster, node)
    assert labels(cluster, node)["n"] == "4"
    assert taints(cluster, node) == set()


def test_cordon_and_back_and_check_mode(cluster: Cluster, node: str) -> None:
    """Would catch a check mode that writes, and a node that is not taken back into use."""
    assert nodes(cluster, {"name": node, "schedulable": False}, check=True)["changed"]
    assert not cordoned(cluster, node)
    nodes(cluster, {"name": node, "schedulable": False})
    assert cordoned(cluster, node)
    assert not nodes(cluster, {"name": node, "schedulable": False, "labels": {}})["changed"]
    nodes(cluster, {"name": node, "schedulable": True})
    assert not cordoned(cluster, node)


def test_a_name_that_is_no_node_is_refused_before_anything_is_written(cluster: Cluster, node: str) -> None:
    """Would catch a node object that is made of a spelling mistake."""
    result = nodes(cluster, {"name": node, "labels": {"a": "b"}}, {"name": f"{node}x", "labels": {"a": "b"}})
    assert result["failed"]
    assert f"node {node}x: it is not in the cluster; did you mean {node}?" in result["msg"]
    assert "a" not in labels(cluster, node)
    assert live(cluster, f"{node}x") is None
    assert not nodes(cluster, {"name": "never-there", "state": "absent"})["changed"]


def test_a_drain_evicts_what_may_go_and_leaves_what_stays(cluster: Cluster, node: str, space: str) -> None:
    """Would catch pods deleted past their budgets, DaemonSets in the way, a drain that ends before the pods do."""
    web = owned(cluster, space, node)
    daemon = owned(cluster, space, node, "DaemonSet")
    assert pods(cluster, space, node) == {web, daemon}
    cluster.requests()
    with kubelet(cluster, space):
        result = nodes(cluster, {"name": node, "state": "drained"})
    assert not result["failed"], result["msg"]
    assert pods(cluster, space, node) == {daemon}
    assert cordoned(cluster, node)
    asked = [told for told in cluster.requests() if told["agent"] == "socle.platform"]
    assert any(told["uri"].endswith(f"/pods/{web.partition('/')[2]}/eviction") for told in asked)
    assert not [told for told in asked if told["verb"] == "delete"]
    assert row(result, node)["notes"] == ["drained: 1 pods left; 1 of DaemonSets and 0 static ones stay"]
    assert not nodes(cluster, {"name": node, "state": "drained"})["changed"]


def test_what_would_be_lost_is_said_before_anything_is_written(cluster: Cluster, node: str, space: str) -> None:
    """Would catch data that a drain throws away, and a node that is cordoned although it cannot be drained."""
    single = alone(cluster, space, "alone", node)
    scratch = owned(cluster, space, node, volumes=[{"name": "v", "emptyDir": {}}])
    for check in (True, False):
        result = nodes(cluster, {"name": node, "state": "drained"}, check=check)
        assert result["failed"]
        assert f"pod {single} has no controller" in result["msg"]
        assert f"pod {scratch} has an emptyDir volume" in result["msg"]
        assert not cordoned(cluster, node)
    rules = {"delete_empty_dir": True, "delete_unmanaged": True}
    with kubelet(cluster, space):
        result = nodes(cluster, {"name": node, "state": "drained"}, drain=rules)
    assert not result["failed"], result["msg"]
    assert pods(cluster, space, node) == set()


def budget(cluster: Cluster, space: str, least: int) -> None:
    spec = {"minAvailable": least, "selector": {"matchLabels": {"app": "replicaset"}}}
    path = f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets"
    cluster.call("POST", path, {"metadata": {"name": "careful"}, "spec": spec})
    until(lambda: counted(cluster.get(f"{path}/careful")), "the budget to be counted")


def counted(found: Any) -> bool:
    return bool(found.get("status", {}).get("currentHealthy") == 1)


@pytest.mark.parametrize("state", ["drained", "absent"])
def test_a_budget_in_the_way_is_named_and_the_cordon_undone(
    cluster: Cluster, node: str, space: str, state: str
) -> None:
    """Would catch a node left half-cordoned in silence, removed without being empty, a wait without a reason."""
    web = owned(cluster, space, node)
    budget(cluster, space, 1)
    with kubelet(cluster, space):
        result = nodes(cluster, {"name": node, "state": state}, deadline=3)
    assert result["failed"]
    assert f"{web} is not evicted: PodDisruptionBudget {space}/careful allows no disruption now" in result["msg"]
    assert "1 pods are healthy, 1 must stay" in result["msg"]
    assert "it was cordoned for this and takes pods again" in result["msg"]
    assert f"{space}/careful can never allow one" in row(result, node)["hint"]
    assert not cordoned(cluster, node)
    assert pods(cluster, space, node) == {web}
    nodes(cluster, {"name": node, "schedulable": False})
    with kubelet(cluster, space):
        result = nodes(cluster, {"name": node, "state": state}, deadline=3)
    assert "it was cordoned before this and stays so" in result["msg"]
    assert cordoned(cluster, node)
    cluster.call("DELETE", f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets/careful")
    with kubelet(cluster, space):
        result = nodes(cluster, {"name": node, "state": state})
    assert not result["failed"], result["msg"]
    assert pods(cluster, space, node) == set()
    assert (live(cluster, node) is None) is (state == "absent")


def test_a_pod_that_does_not_end_keeps_the_node(cluster: Cluster, node: str, space: str) -> None:
    """Would catch a node removed while its pods may still write, and a dead one that can never be removed."""
    name = owned(cluster, space, node, terminationGracePeriodSeconds=1)
    result = nodes(cluster, {"name": node, "state": "absent"}, deadline=3)
    assert result["failed"]
    assert f"pod {name} is ending" in result["msg"]
    assert live(cluster, node) is not None
    assert not cordoned(cluster, node)
    result = nodes(cluster, {"name": node, "state": "absent"}, drain={"skip_terminating_after": 0})
    assert not result["failed"], result["msg"]
    assert live(cluster, node) is None


def test_one_node_that_fails_does_not_stop_the_others(cluster: Cluster, node: str, space: str) -> None:
    """Would catch a set that ends with its first node."""
    other = f"{node}-b"
    cluster.call("POST", "/api/v1/nodes", {"metadata": {"name": other}})
    owned(cluster, space, node)
    budget(cluster, space, 1)
    with kubelet(cluster, space):
        result = nodes(cluster, {"name": node, "state": "absent"}, {"name": other, "state": "absent"}, deadline=4)
    assert outcomes(result) == {node: "failed", other: "succeeded"}
    assert live(cluster, other) is None


keys = st.sampled_from(["a", "b", "c"])
named = st.dictionaries(keys, st.sampled_from(["1", "2"]), max_size=3)
steps = st.one_of(
    st.tuples(st.just("ours"), named, st.lists(keys, unique=True, max_size=3)),
    st.tuples(st.just("theirs"), keys, st.sampled_from(["x", "y"])),
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(sequence=st.lists(steps, min_size=1, max_size=6))
def test_any_sequence_of_sets_ends_with_the_last_one(cluster: Cluster, sequence: list[Any]) -> None:
    """Would catch labels or taints of an earlier set that stay, or one of somebody else that goes."""
    name = f"any-{next(NUMBERS)}"
    cluster.call("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": {"keep": "1"}}})
    mine: set[str] = set()
    there: dict[str, str] = {"keep": "1"}
    for step in sequence:
        if step[0] == "theirs":
            cluster.call("PATCH", f"/api/v1/nodes/{name}", {"metadata": {"labels": {step[1]: step[2]}}}, MERGE)
            there[step[1]] = step[2]
            continue
        wanted = {"name": name, "labels": step[1], "taints": [{"key": key, "effect": "NoSchedule"} for key in step[2]]}
        assert not nodes(cluster, wanted)["failed"]
        moved = {key for key, value in step[1].items() if there.get(key) != value}
        there = {key: value for key, value in there.items() if key not in mine or key in step[1]} | step[1]
        mine = (mine | moved) & step[1].keys()
        assert labels(cluster, name) == there
        assert taints(cluster, name) == {f"{key}:NoSchedule" for key in step[2]}
        cluster.requests()
        assert not nodes(cluster, wanted)["changed"]
        assert writes(cluster.requests()) == []
    books = json.loads(live(cluster, name)["metadata"].get("annotations", {}).get("socle.platform/managed", "{}"))
    assert set(books.get("labels", [])) == mine
    cluster.call("DELETE", f"/api/v1/nodes/{name}")
