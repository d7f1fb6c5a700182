# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is concluded from answers: unchanged or not, ready or not, passing or not, shown or not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._kubernetes import drain, errors, managed, ready, shown
from ansible_collections.socle.platform.plugins.module_utils._objects import Fault
from ansible_collections.socle.platform.plugins.module_utils._values import Secret
from ansible_collections.socle.platform.plugins.module_utils._wait import Hopeless, Waiting

BODY = {
    "apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "finalizers": ["b"]},
    "spec": {"list": [{"name": "a", "v": 1}, {"name": "b", "v": 2}], "one": [1, 2], "empty": {}},
}  # fmt: skip
FIELDS = {
    "f:metadata": {"f:finalizers": {".": {}, 'v:"b"': {}}},
    "f:spec": {
        "f:list": {
            'k:{"name":"a"}': {".": {}, "f:name": {}, "f:v": {}},
            'k:{"name":"b"}': {".": {}, "f:name": {}, "f:v": {}},
        },
        "f:one": {},
        "f:empty": {},
    },
}


def live(**more: Any) -> dict[str, Any]:
    row = {"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": FIELDS}
    items = [{"name": "z", "v": 0}, {"name": "a", "v": 1, "theirs": 1}, {"name": "b", "v": 2}]
    return {
        "metadata": {"name": "x", "finalizers": ["a", "b"], "managedFields": [{**row, **more}]},
        "spec": {"list": items, "one": [1, 2], "empty": {}},
    }


def test_an_object_whose_books_are_ours_is_unchanged() -> None:
    """Would catch a dry run, or a write, for each object of a converged set."""
    assert managed.as_applied(BODY, live(), "m")


def changed(path: str, value: Any, of: Any) -> Any:
    """A copy with another value at a path; None takes it away."""
    name, _unused, rest = path.partition(".")
    key: Any = int(name) if isinstance(of, list) else name
    copied = list(of) if isinstance(of, list) else dict(of)
    if rest:
        copied[key] = changed(rest, value, copied[key])
    elif value is None:
        del copied[key]
    else:
        copied[key] = value
    return copied


@pytest.mark.parametrize(
    ("path", "value"),
    [("spec.list.0.v", 2), ("spec.list.0.v", True), ("spec.list.0.more", 1), ("spec.list.1", None),
     ("spec.one", [2, 1]), ("spec.one", None), ("spec.empty", {"a": 1}), ("spec.more", "x"),
     ("metadata.finalizers", ["c"]),
     ("spec.list", [{"name": "b", "v": 2}, {"name": "a", "v": 1}]), ("apiVersion", "v2")],
)  # fmt: skip
def test_whatever_is_asked_otherwise_is_seen(path: str, value: Any) -> None:
    """Would catch a change of the manifest that is taken for nothing: of a value, an order, a field more or less."""
    assert not managed.as_applied(changed(path, value, BODY), live(), "m")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.list.1.v", 7),
        ("spec.list.1", None),
        ("spec.one", [1]),
        ("spec.empty", None),
        ("metadata.finalizers", ["a"]),
    ],
)
def test_whatever_is_there_otherwise_is_seen(path: str, value: Any) -> None:
    """Would catch drift."""
    assert not managed.as_applied(BODY, changed(path, value, live()), "m")


def test_books_of_others_do_not_count() -> None:
    """Would catch another manager's fields, an update's or a subresource's, taken for what we applied."""
    for more in ({"manager": "n"}, {"operation": "Update"}, {"subresource": "status"}, {"fieldsType": "FieldsV9"}):
        assert not managed.as_applied(BODY, live(**more), "m")


def test_what_would_change_is_shown_and_nothing_else() -> None:
    """Would catch fields of others, or defaults, in a diff; and a field that goes without being said."""
    wanted = {"spec": {"a": 1, "c": {"[x]": {"v": 1}}}}
    now = {"spec": {"a": 2, "c": {"[x]": {"v": 1, "old": 1}}, "theirs": 5, "default": 1}}
    then = {"spec": {"a": 1, "c": {"[x]": {"v": 1}}, "theirs": 5, "default": 2}}
    assert shown.before(wanted, now, then) == {"spec": {"a": 2, "c": {"[x]": {"v": 1, "old": 1}}}}


def test_secrets_are_known_by_their_clear_text() -> None:
    """Would catch a password that is hidden in base64 only, and one in what kubectl left in an annotation."""
    note = {shown.LAST_APPLIED: '{"data":"x"}'}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": note}, "data": {"p": "aHVudGVyMg=="}}
    found = shown.fields(secret)
    assert found["data"]["p"] == Secret("hunter2")
    assert isinstance(found["metadata"]["annotations"][shown.LAST_APPLIED], Secret)


def condition(kind: str, status: str, **more: str) -> dict[str, Any]:
    return {"type": kind, "status": status, **more}


def seen(spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "x", "generation": 2}, "spec": spec, "status": status}


ROLLED = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "readyReplicas": 3}


@pytest.mark.parametrize(
    ("group", "kind", "spec", "status", "verdict"),
    [
        ("apps", "Deployment", {"replicas": 3}, ROLLED, None),
        ("apps", "Deployment", {"replicas": 3}, {**ROLLED, "observedGeneration": 1}, Waiting),
        ("apps", "Deployment", {"replicas": 3}, {**ROLLED, "replicas": 4}, Waiting),
        ("apps", "Deployment", {"replicas": 3}, {**ROLLED, "availableReplicas": 2}, Waiting),
        ("apps", "Deployment", {"replicas": 3}, {**ROLLED, "availableReplicas": 2, "conditions": [
            condition("Progressing", "False", reason="ProgressDeadlineExceeded")]}, Hopeless),
        ("apps", "StatefulSet", {"replicas": 3}, ROLLED, None),
        ("apps", "StatefulSet", {"replicas": 3}, {**ROLLED, "updatedReplicas": 1}, Waiting),
        ("apps", "StatefulSet", {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
         {**ROLLED, "updatedReplicas": 1}, None),
        ("apps", "DaemonSet", {}, {"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2,
                                   "numberAvailable": 2}, None),
        ("apps", "DaemonSet", {}, {"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 1,
                                   "numberAvailable": 2}, Waiting),
        ("batch", "Job", {}, {"conditions": [condition("Complete", "True")]}, None),
        ("batch", "Job", {}, {"conditions": [condition("Failed", "True")]}, Hopeless),
        ("batch", "Job", {}, {"active": 1}, Waiting),
        ("batch", "Job", {"suspend": True}, {}, None),
        ("", "Pod", {}, {"phase": "Succeeded"}, None),
        ("", "Pod", {}, {"phase": "Failed"}, Hopeless),
        ("", "Pod", {}, {"phase": "Running", "conditions": [condition("Ready", "True")]}, None),
        ("", "ConfigMap", {}, {}, None),
        ("e.org", "W", {}, {}, None),
        ("e.org", "W", {}, {"observedGeneration": 1}, Waiting),
        ("e.org", "W", {}, {"conditions": [condition("Ready", "False")]}, Waiting),
        ("e.org", "W", {}, {"conditions": [condition("Stalled", "True")]}, Hopeless),
        ("networking.k8s.io", "Ingress", {}, {"conditions": [condition("Ready", "False")]}, None),
    ],
)  # fmt: skip
def test_ready_is_told_from_the_status(group: str, kind: str, spec: Any, status: Any, verdict: Any) -> None:
    """Would catch a rollout that is over before it has begun, and waiting for what cannot come."""
    found = ready.not_ready(group, kind, seen(spec, status))
    assert found is None if verdict is None else isinstance(found, verdict), found


@pytest.mark.parametrize(
    ("status", "reason", "message", "fault"),
    [(429, "TooManyRequests", "", Fault.TRANSIENT), (503, "ServiceUnavailable", "", Fault.TRANSIENT),
     (409, "Conflict", "the object has been modified", Fault.TRANSIENT), (504, "Timeout", "", Fault.UNCERTAIN),
     (500, "InternalError", "failed calling webhook x: connection refused", Fault.UNCERTAIN),
     (500, "InternalError", "it is broken", Fault.PERMANENT), (422, "Invalid", "", Fault.PERMANENT),
     (403, "Forbidden", "", Fault.PERMANENT)],
)  # fmt: skip
def test_only_what_passes_is_tried_again(status: int, reason: str, message: str, fault: Fault) -> None:
    """Would catch retries of what can never work, and giving up on a webhook whose pods are just starting."""
    assert errors.classify(errors.ApiError(status, reason, message)) is fault


def test_a_conflict_of_managers_is_permanent_and_names_each() -> None:
    """Would catch endless retries against another manager, and fields without an owner."""
    causes = [
        {"reason": "FieldManagerConflict", "message": 'conflict with "helm" using v1', "field": ".spec.a"},
        {"reason": "FieldManagerConflict", "message": 'conflict with "helm" using v1', "field": ".spec.b"},
        {"reason": "FieldManagerConflict", "message": 'conflict with "hpa" using v1', "field": ".spec.c"},
    ]
    error = errors.ApiError(409, "Conflict", "", causes)
    assert errors.classify(error) is Fault.PERMANENT
    assert errors.sentence(error).endswith("helm has spec.a, spec.b; hpa has spec.c")


@pytest.mark.parametrize(
    ("selector", "taken"),
    [({"matchLabels": {"a": "1"}}, True), ({"matchLabels": {"a": "2"}}, False), ({}, True), (None, False),
     ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, True),
     ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True),
     ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, False),
     ({"matchExpressions": [{"key": "a", "operator": "Exists"}], "matchLabels": {"b": "1"}}, False)],
)  # fmt: skip
def test_a_budget_is_known_by_its_selector(selector: Any, taken: bool) -> None:
    """Would catch a drain that names a budget which does not hold the pod."""
    assert drain.selects(selector, {"a": "1"}) is taken
