# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubernetes_objects on a real kube-apiserver: what is asked is looked up in the server itself, by other means."""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab" / "apiserver"))
from apiserver import Cluster, writes
from apiserver_tasks import configmap, crd, deployment, objects, outcomes, paths, row

pytest_plugins = ["apiserver_fixtures"]

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace"}
APPLY = "application/apply-patch+yaml"


def apply_as(cluster: Cluster, manager: str, path: str, body: Any) -> None:
    cluster.call("PATCH", f"{path}?fieldManager={manager}&force=true", body, APPLY)


def data_of(cluster: Cluster, space: str, name: str) -> Any:
    found = cluster.get(f"/api/v1/namespaces/{space}/configmaps/{name}")
    return found and found.get("data")


def test_a_set_in_any_order_is_made_in_the_right_one_and_a_second_run_only_reads(cluster: Cluster) -> None:
    """Would catch objects before their namespace or kind, and a converged set that writes or tries something out."""
    inside = {"namespace": "ordered"}
    bodies = [
        {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "a", **inside}, "spec": {"size": 3}},
        deployment("web", "ordered", image="web:1", env=[{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
                   resources={"requests": {"cpu": "100m", "memory": "64Mi"}}, ports=[{"containerPort": 80}]),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", **inside},
         "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", **inside},
         "stringData": {"password": "hunter22"}},
        *(configmap(f"c{number}", "ordered", key="value") for number in range(6)),
        {**NAMESPACE, "metadata": {"name": "ordered"}},
        crd("widgets", "Widget"),
    ]  # fmt: skip
    result = objects(cluster, *bodies)
    assert not result["failed"], result["msg"]
    assert cluster.get("/apis/example.org/v1/namespaces/ordered/widgets/a")["spec"] == {"size": 3}
    secret = cluster.get("/api/v1/namespaces/ordered/secrets/s")
    assert base64.b64decode(secret["data"]["password"]) == b"hunter22"
    cluster.requests()
    again = objects(cluster, *bodies)
    asked = cluster.requests()
    assert (again["failed"], again["changed"]) == (False, False)
    assert writes(asked) == []
    # Only what the server fills into lists that are one value to it is tried out.
    assert [told["uri"] for told in asked if told["verb"] == "patch"] == []
    cluster.call("DELETE", "/api/v1/namespaces/ordered")


def test_many_are_read_by_a_list_and_not_one_by_one(cluster: Cluster, space: str) -> None:
    """Would catch a request for each unchanged object, also over several pages."""
    bodies = [configmap(f"c{number:04d}", space, number=str(number)) for number in range(1100)]
    result = objects(cluster, *bodies)
    assert not result["failed"], result["msg"]
    assert len(cluster.get(f"/api/v1/namespaces/{space}/configmaps")["items"]) >= 1100
    cluster.requests()
    assert not objects(cluster, *bodies)["changed"]
    asked = cluster.requests()
    assert len(asked) <= 4, [told["uri"] for told in asked]
    assert {told["verb"] for told in asked} <= {"get", "list"}


def test_fields_of_others_stay_and_ours_go_when_they_are_not_asked_for_any_more(cluster: Cluster, space: str) -> None:
    """Would catch a replace where an apply is meant, and fields of ours that nothing ever removes."""
    objects(cluster, configmap("shared", space, ours="1", going="1"))
    path = f"/api/v1/namespaces/{space}/configmaps/shared"
    apply_as(cluster, "somebody", path, {**configmap("shared", space, theirs="2")})
    assert not objects(cluster, configmap("shared", space, ours="1", going="1"))["changed"]
    result = objects(cluster, configmap("shared", space, ours="3"))
    assert paths(result, f"ConfigMap {space}/shared") == {"data.ours": ("1", "3"), "data.going": ("1", "(absent)")}
    assert data_of(cluster, space, "shared") == {"ours": "3", "theirs": "2"}


def test_a_whole_part_that_is_not_asked_for_any_more_goes(cluster: Cluster, space: str) -> None:
    """Would catch a removal that is not seen because nothing is left beside it to compare."""
    objects(cluster, configmap("c", space, a="1"))
    result = objects(cluster, configmap("c", space))
    assert paths(result, f"ConfigMap {space}/c") == {"data": ({"a": "1"}, "(absent)")}
    assert data_of(cluster, space, "c") is None
    high = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": space}, "value": 7}
    objects(cluster, {**high, "description": "words"})
    result = objects(cluster, high)
    assert paths(result, f"PriorityClass.scheduling.k8s.io {space}") == {
        "managed_by": ("socle, with description", "socle")
    }
    assert "description" not in cluster.get(f"/apis/scheduling.k8s.io/v1/priorityclasses/{space}")
    assert not objects(cluster, high)["changed"]
    objects(cluster, high, state="absent")


def test_a_conflict_names_the_manager_and_the_fields_and_force_takes_over(cluster: Cluster, space: str) -> None:
    """Would catch a conflict that is overwritten in silence, or told without who and what."""
    path = f"/apis/apps/v1/namespaces/{space}/deployments/web"
    objects(cluster, deployment("web", space))
    scaled = deployment("web", space, replicas=5)
    apply_as(cluster, "scaler", path, {**scaled, "spec": {**scaled["spec"], "replicas": 5}})
    result = objects(cluster, deployment("web", space), configmap("beside", space, a="b"))
    assert result["failed"]
    assert "scaler has spec.replicas" in result["msg"]
    assert "force" in result["msg"]
    assert cluster.get(path)["spec"]["replicas"] == 5
    assert data_of(cluster, space, "beside") == {"a": "b"}
    tried = objects(cluster, deployment("web", space), check=True)
    assert tried["failed"]
    assert "scaler has spec.replicas" in tried["msg"]
    assert not objects(cluster, deployment("web", space), force=True)["failed"]
    assert cluster.get(path)["spec"]["replicas"] == 1
    assert not objects(cluster, deployment("web", space))["changed"]


def test_what_was_edited_by_hand_is_seen_and_named(cluster: Cluster, space: str) -> None:
    """Would catch drift that the comparison of managed fields does not see."""
    objects(cluster, configmap("edited", space, a="1", b="2"))
    path = f"/api/v1/namespaces/{space}/configmaps/edited"
    merge = "application/merge-patch+json"
    cluster.call("PATCH", f"{path}?fieldManager=kubectl-edit", {"data": {"a": "9"}}, merge)
    result = objects(cluster, configmap("edited", space, a="1", b="2"))
    assert result["failed"]
    assert "kubectl-edit has data.a" in result["msg"]
    assert not objects(cluster, configmap("edited", space, a="1", b="2"), force=True)["failed"]
    assert data_of(cluster, space, "edited") == {"a": "1", "b": "2"}
    cluster.call("PATCH", f"{path}?fieldManager=kubectl-edit", {"data": {"b": None}}, merge)
    result = objects(cluster, configmap("edited", space, a="1", b="2"))
    assert paths(result, f"ConfigMap {space}/edited") == {"data.b": ("(absent)", "2")}
    assert data_of(cluster, space, "edited") == {"a": "1", "b": "2"}


def test_a_failing_object_is_named_and_the_rest_is_done(cluster: Cluster, space: str) -> None:
    """Would catch a set that stops at its first error, or that tries what cannot work without the failed one."""
    bodies = [
        configmap("good", space, a="b"),
        configmap("Bad_Name", space, a="b"),
        {**NAMESPACE, "metadata": {"name": "Bad_Namespace"}},
        configmap("orphan", "Bad_Namespace", a="b"),
        {"apiVersion": "nowhere.example.org/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": space}},
        configmap("also", space, a="b"),
    ]
    result = objects(cluster, *bodies)
    assert result["failed"]
    assert result["changed"]
    assert outcomes(result) == {
        f"ConfigMap {space}/good": "succeeded",
        f"ConfigMap {space}/Bad_Name": "failed",
        "Namespace Bad_Namespace": "failed",
        "ConfigMap Bad_Namespace/orphan": "not tried",
        f"Thing.nowhere.example.org {space}/t": "failed",
        f"ConfigMap {space}/also": "succeeded",
    }
    assert "the cluster has no kind Thing" in row(result, f"Thing.nowhere.example.org {space}/t")["error"]
    assert "Bad_Name" in row(result, f"ConfigMap {space}/Bad_Name")["error"]
    assert "Namespace Bad_Namespace" in row(result, "ConfigMap Bad_Namespace/orphan")["because"]
    assert data_of(cluster, space, "also") == {"a": "b"}


def test_an_object_that_fails_when_it_is_changed_does_not_stop_the_rest(cluster: Cluster, space: str) -> None:
    """Would catch what the server refuses in a dry run ending the whole set before anything is written."""
    objects(cluster, deployment("web", space), configmap("c", space, a="1"))
    broken = deployment("other", space)
    broken["metadata"]["name"] = "web"
    result = objects(cluster, broken, configmap("c", space, a="2"))
    assert outcomes(result) == {f"Deployment.apps {space}/web": "failed", f"ConfigMap {space}/c": "succeeded"}
    assert "immutable" in result["msg"]
    assert "allow_replace" in result["msg"]
    before = cluster.get(f"/apis/apps/v1/namespaces/{space}/deployments/web")["metadata"]["uid"]
    result = objects(cluster, broken, allow_replace=True)
    assert not result["failed"], result["msg"]
    after = cluster.get(f"/apis/apps/v1/namespaces/{space}/deployments/web")
    assert after["metadata"]["uid"] != before
    assert after["spec"]["selector"] == {"matchLabels": {"app": "other"}}


def test_check_mode_asks_the_server_and_writes_nothing(cluster: Cluster, space: str) -> None:
    """Would catch a check mode that writes, or that says yes to what the server will refuse."""
    objects(cluster, deployment("web", space), configmap("c", space, a="1", b="2"))
    cluster.requests()
    bodies = [deployment("web", space, image="web:2"), configmap("c", space, a="3"), configmap("new", space, a="1")]
    result = objects(cluster, *bodies, check=True)
    assert (result["failed"], result["changed"]) == (False, True)
    assert writes(cluster.requests()) == []
    image = "spec.template.spec.containers.[web].image"
    assert paths(result, f"Deployment.apps {space}/web") == {image: ("web:1", "web:2")}
    assert paths(result, f"ConfigMap {space}/c") == {"data.a": ("1", "3"), "data.b": ("2", "(absent)")}
    wrong = deployment("wrong", space)
    wrong["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Sometimes"
    result = objects(cluster, wrong, configmap("new", space, a="1"), check=True)
    assert result["failed"]
    assert "Sometimes" in result["msg"]
    assert f"Deployment.apps {space}/wrong" in result["msg"]
    assert writes(cluster.requests()) == []
    whole = [
        {**NAMESPACE, "metadata": {"name": "to-come"}},
        configmap("inside", "to-come", a="1"),
        crd("tocomes", "Tocome"),
        {"apiVersion": "example.org/v1", "kind": "Tocome", "metadata": {"name": "x", "namespace": space}},
    ]
    result = objects(cluster, *whole, check=True)
    assert not result["failed"], result["msg"]
    assert cluster.get("/api/v1/namespaces/to-come") is None


def test_secrets_are_not_shown(cluster: Cluster, space: str) -> None:
    """Would catch the content of a Secret in a diff, in the plan, or in an error."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": space}}
    first = objects(cluster, {**secret, "stringData": {"password": "correct-horse"}})
    changed = objects(cluster, {**secret, "stringData": {"password": "battery-staple"}}, check=True)
    refused = objects(cluster, {**secret, "type": "Opaque2", "data": {"password": "!not base64, staple-battery!"}})
    told = json.dumps([first, changed, refused], default=str)
    for text in ("correct-horse", "battery-staple", "staple-battery"):
        assert text not in told
        assert base64.b64encode(text.encode()).decode() not in told
    assert paths(changed, f"Secret {space}/s") == {"data.password": ("(secret)", "(secret, changed)")}
    folded = base64.b64encode(b"correct-horse").decode()
    assert not objects(cluster, {**secret, "data": {"password": f"{folded[:4]}\n  {folded[4:]}\n"}})["changed"]


def test_prune_takes_what_is_ours_and_only_that(cluster: Cluster, space: str) -> None:
    """Would catch prune without being asked, of other sets, of what others made, or of one kind only."""
    labels = {"example.org/set": f"one-{space}"}
    other = {"example.org/set": f"two-{space}"}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": space}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "svc", "namespace": space},
               "spec": {"selector": {"app": "x"}, "ports": [{"port": 80}]}}  # fmt: skip
    objects(cluster, configmap("keep", space, a="1"), configmap("go", space, a="1"), account, service, labels=labels)
    objects(cluster, configmap("other", space, a="1"), labels=other)
    objects(cluster, configmap("elsewise", space, a="1"), labels=labels, field_manager="another")
    by_hand = configmap("by-hand", space, a="1")
    by_hand["metadata"]["labels"] = labels
    cluster.call("POST", f"/api/v1/namespaces/{space}/configmaps", by_hand)
    keep = configmap("keep", space, a="1")
    assert not objects(cluster, keep, labels=labels)["changed"]
    tried = objects(cluster, keep, labels=labels, prune=True, check=True)
    gone = {f"ConfigMap {space}/go", f"ServiceAccount {space}/robot", f"Service {space}/svc"}
    assert {r["key"] for r in tried["objects"] if r["action"] == "delete"} == gone
    assert data_of(cluster, space, "go") == {"a": "1"}
    result = objects(cluster, keep, labels=labels, prune=True)
    assert not result["failed"], result["msg"]
    left = {item["metadata"]["name"] for item in cluster.get(f"/api/v1/namespaces/{space}/configmaps")["items"]}
    assert left - {"kube-root-ca.crt"} == {"keep", "other", "elsewise", "by-hand"}
    assert cluster.get(f"/api/v1/namespaces/{space}/serviceaccounts/robot") is None
    assert not objects(cluster, keep, labels=labels, prune=True)["changed"]
    assert "labels" in objects(cluster, keep, prune=True)["msg"]


def test_absent_goes_backwards_and_works_without_the_kind(cluster: Cluster, space: str) -> None:
    """Would catch a kind removed before its objects, and `absent` failing once the kind is gone."""
    bodies = [
        crd("gadgets", "Gadget", group="gone.example.org"),
        {"apiVersion": "gone.example.org/v1", "kind": "Gadget", "metadata": {"name": "g", "namespace": space}},
        configmap("c", space, a="1"),
    ]
    assert not objects(cluster, *bodies)["failed"]
    cluster.requests()
    result = objects(cluster, *bodies, state="absent")
    assert not result["failed"], result["msg"]
    order = [told["uri"].rsplit("/", maxsplit=1)[-1] for told in cluster.requests() if told["verb"] == "delete"]
    assert order.index("g") < order.index("gadgets.gone.example.org")
    assert cluster.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.gone.example.org") is None
    again = objects(cluster, *bodies, state="absent")
    assert (again["failed"], again["changed"]) == (False, False)


def test_a_kind_that_cannot_be_established_is_not_waited_for_in_vain(cluster: Cluster, space: str) -> None:
    """Would catch a definition called done that the server does not serve, and objects of it that are tried."""
    first = crd("taken", "Taken", group="names.example.org")
    second = crd("alsotaken", "Taken", group="names.example.org")
    body = {"apiVersion": "names.example.org/v1", "kind": "Taken", "metadata": {"name": "t", "namespace": space}}
    assert not objects(cluster, first)["failed"]
    result = objects(cluster, second, body, deadline=300)
    assert "its names are not accepted" in result["msg"]
    assert outcomes(result)[f"Taken.names.example.org {space}/t"] == "not tried"
    objects(cluster, first, second, state="absent")


def test_what_is_being_deleted_is_waited_for_and_made_anew(cluster: Cluster, space: str) -> None:
    """Would catch an apply to an object that is about to go: it would be gone a moment later."""
    held = configmap("held", space, a="1")
    held["metadata"]["finalizers"] = ["example.org/hold"]
    objects(cluster, held)
    path = f"/api/v1/namespaces/{space}/configmaps/held"
    uid = cluster.get(path)["metadata"]["uid"]
    cluster.call("DELETE", path)
    stuck = objects(cluster, configmap("held", space, a="1"), deadline=2)
    assert stuck["failed"]
    assert "finalizers example.org/hold" in stuck["msg"]
    release = threading.Timer(
        1.0, lambda: cluster.call("PATCH", path, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
    )
    release.start()
    result = objects(cluster, configmap("held", space, a="1"))
    release.join()
    assert not result["failed"], result["msg"]
    assert cluster.get(path)["metadata"]["uid"] != uid


@pytest.fixture
def limited(cluster: Cluster, space: str) -> Iterator[dict[str, Any]]:
    """A user who may read and apply single ConfigMaps of one namespace, and list nothing."""
    role = {"metadata": {"name": "limited"}, "rules": [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch"]}]}  # fmt: skip
    binding = {"metadata": {"name": "limited"}, "subjects": [{"kind": "User", "name": "limited"}],
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "limited"}}  # fmt: skip
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space}"
    cluster.call("POST", f"{base}/roles", role)
    cluster.call("POST", f"{base}/rolebindings", binding)
    yield cluster.kubeconfig_for(cluster.certificate_user(cluster.authority.issue("limited")))


def test_who_may_not_list_still_may_apply(cluster: Cluster, space: str, limited: dict[str, Any]) -> None:
    """Would catch a set that needs more rights than its objects do, and a refusal that does not say whose."""
    bodies = [configmap(f"c{number}", space, a="1") for number in range(8)]
    result = objects(cluster, *bodies, kubeconfig_data=json.dumps(limited))
    assert not result["failed"], result["msg"]
    assert data_of(cluster, space, "c7") == {"a": "1"}
    assert not objects(cluster, *bodies, kubeconfig_data=json.dumps(limited))["changed"]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": space}}
    refused = objects(cluster, secret, kubeconfig_data=json.dumps(limited))
    assert refused["failed"]
    assert 'User "limited" cannot get resource "secrets"' in refused["msg"]
