# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubernetes_objects over any sequence of sets and of other people's writes, and over a network that breaks."""

from __future__ import annotations

import contextlib
import copy
import itertools
import os
import random
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.socle.platform.plugins.module_utils._kubernetes import managed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab" / "apiserver"))
from apiserver import Cluster, writes
from apiserver_tasks import configmap, objects

pytest_plugins = ["apiserver_fixtures"]

APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
NUMBERS = itertools.count(1)

names = st.sampled_from(["c0", "c1", "c2"])
ours = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["1", "2"]), max_size=3)
steps = st.one_of(
    st.tuples(st.just("apply"), st.dictionaries(names, ours, min_size=1, max_size=3)),
    st.tuples(st.just("theirs"), names, st.sampled_from(["x", "y"]), st.sampled_from(["7", "8"])),
    st.tuples(st.just("edit"), names, st.sampled_from(["a", "b", "c"]), st.sampled_from(["e1", "e2"])),
    st.tuples(st.just("delete"), names),
)


class Model:
    """What the server must hold: for each object our fields, and those of others."""

    def __init__(self) -> None:
        self.ours: dict[str, set[str]] = {}
        self.theirs: dict[str, dict[str, str]] = {}
        self.data: dict[str, dict[str, str]] = {}

    def apply(self, wanted: dict[str, dict[str, str]]) -> None:
        for name in [name for name in self.ours if name not in wanted]:
            self.delete(name)
        for name, fields in wanted.items():
            data = self.data.setdefault(name, {})
            for key in self.ours.get(name, set()) - fields.keys():
                data.pop(key, None)
            data.update(fields)
            self.ours[name] = set(fields)

    def write(self, name: str, key: str, value: str) -> None:
        self.data.setdefault(name, {})[key] = value
        if name in self.ours:
            self.ours[name].discard(key)

    def delete(self, name: str) -> None:
        self.ours.pop(name, None)
        self.data.pop(name, None)


@settings(
    max_examples=100 if os.environ.get("SOCLE_LONG") else 12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=st.lists(steps, min_size=1, max_size=7))
def test_any_sequence_ends_with_exactly_ours_and_what_others_have(
    cluster: Cluster, space: str, sequence: list[Any]
) -> None:
    """Would catch fields of ours that stay, fields of others that go, a second run that writes."""
    run = f"r{next(NUMBERS)}"
    labels = {"example.org/run": run}
    base = f"/api/v1/namespaces/{space}/configmaps"
    model = Model()
    for step in [*sequence, ("apply", {"c0": {"a": "1"}})]:
        if step[0] == "apply":
            bodies = [configmap(f"{run}-{name}", space, **fields) for name, fields in step[1].items()]
            result = objects(cluster, *bodies, labels=labels, prune=True, force=True)
            assert not result["failed"], result["msg"]
            model.apply(step[1])
            cluster.requests()
            again = objects(cluster, *bodies, labels=labels, prune=True, force=True)
            assert (again["failed"], again["changed"]) == (False, False)
            assert [told for told in cluster.requests() if told["verb"] == "patch"] == []
        elif step[0] == "theirs":
            body = configmap(f"{run}-{step[1]}", space, **{step[2]: step[3]})
            cluster.call("PATCH", f"{base}/{run}-{step[1]}?fieldManager=they-{step[2]}", body, APPLY)
            model.write(step[1], step[2], step[3])
        elif step[0] == "edit" and step[1] in model.data:
            body = {"data": {step[2]: step[3]}}
            cluster.call("PATCH", f"{base}/{run}-{step[1]}?fieldManager=editor", body, MERGE)
            model.write(step[1], step[2], step[3])
        elif step[0] == "delete" and step[1] in model.data:
            cluster.call("DELETE", f"{base}/{run}-{step[1]}")
            model.delete(step[1])
        found = {
            item["metadata"]["name"].removeprefix(f"{run}-"): item.get("data", {})
            for item in cluster.get(base)["items"]
            if item["metadata"]["name"].startswith(f"{run}-")
        }
        assert found == model.data, step


class Cutter:
    """A wire between us and the server that breaks now and then: before a request has gone through, or after it."""

    def __init__(self, target: str, cuts: int, seed: int) -> None:
        host, _unused, port = target.removeprefix("https://").partition(":")
        self.target = (host, int(port))
        self.cuts, self.done = cuts, 0
        self.random = random.Random(seed)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.lock = threading.Lock()
        self.threads: list[threading.Thread] = []
        self.open: list[socket.socket] = []

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _unused = self.listener.accept()
                server = socket.create_connection(self.target)
                self.open += [client, server]
                for one, other in ((client, server), (server, client)):
                    thread = threading.Thread(target=self.pump, args=(one, other), daemon=True)
                    self.threads.append(thread)
                    thread.start()

    def pump(self, one: socket.socket, other: socket.socket) -> None:
        chunks = 0
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                chunks += 1
                # The first ones are the handshake.
                if chunks > 3 and self.cut():
                    break
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> bool:
        with self.lock:
            now = self.done < self.cuts and self.random.random() < 0.08
            self.done += now
            return now


@contextlib.contextmanager
def cutting(target: str, cuts: int, seed: int) -> Iterator[Cutter]:
    wire = Cutter(target, cuts, seed)
    thread = threading.Thread(target=wire.serve, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        for one in [wire.listener, *wire.open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        thread.join(10)


def test_lost_answers_are_looked_up_and_nothing_is_lost_or_done_twice(cluster: Cluster, space: str) -> None:
    """Would catch a broken connection that fails a set, or a removal that hits what came after."""
    labels = {"example.org/run": space}
    old = [configmap(f"old{number}", space, a="1") for number in range(25)]
    bodies = [configmap(f"c{number}", space, a=str(number)) for number in range(40)]
    objects(cluster, *old, labels=labels)
    for seed in (1, 2, 3):
        with cutting(cluster.host, 6, seed) as wire:
            access = {"host": wire.address, "token": cluster.token, "ca_path": str(cluster.ca_path)}
            result = objects(cluster, *bodies, labels=labels, prune=True, **access)
        assert not result["failed"], result["msg"]
        assert wire.done > 0
        items = cluster.get(f"/api/v1/namespaces/{space}/configmaps?labelSelector=example.org/run={space}")["items"]
        assert {item["metadata"]["name"]: item["data"] for item in items} == {
            body["metadata"]["name"]: body["data"] for body in bodies
        }
        bodies = [configmap(f"c{number}", space, a=f"{seed}-{number}") for number in range(seed, 40)]
    cluster.requests()
    objects(cluster, *bodies, labels=labels, prune=True)
    assert len(writes(cluster.requests())) > 0
    assert not objects(cluster, *bodies, labels=labels, prune=True)["changed"]


# A kind with everything that a pod has, and no controller that would write to it meanwhile.
RICH: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PodTemplate",
    "metadata": {"labels": {"a": "1"}, "annotations": {"b": "2"}, "finalizers": ["example.org/one", "example.org/two"]},
    "template": {
        "metadata": {"labels": {"app": "x", "more": "y"}},
        "spec": {
            "nodeSelector": {"n": "1", "m": "2"},
            "tolerations": [{"key": "t", "operator": "Exists"}, {"key": "u", "operator": "Exists"}],
            "volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "configMap": {"name": "c"}}],
            "containers": [
                {
                    "name": "one",
                    "image": "i:1",
                    "args": ["p", "q"],
                    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                    "ports": [{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}],
                    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}},
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": "w", "mountPath": "/w"}],
                    "securityContext": {"capabilities": {"drop": ["ALL"]}},
                },
                {"name": "two", "image": "i:2"},
            ],
        },
    },
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place inside an object, without what decides which object it is."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        if (*path, key) not in (("apiVersion",), ("kind",), ("metadata",), ("metadata", "name")):
            yield (*path, key)
            yield from places(item, (*path, key))


def moved(body: Any, path: tuple[Any, ...], how: str) -> Any:
    """A copy of an object with one place of it otherwise."""
    copied = copy.deepcopy(body)
    inside = copied
    for key in path[:-1]:
        inside = inside[key]
    value, key = inside[path[-1]], path[-1]
    if how == "drop":
        del inside[key]
    elif isinstance(value, list):
        inside[key] = [*reversed(value)] if how == "turn" else [*value, *copy.deepcopy(value[:1])]
    elif isinstance(value, dict):
        inside[key] = dict(reversed(value.items())) if how == "turn" else {**value, "added": "1"}
    elif isinstance(value, str):
        inside[key] = {"turn": f"{value}x", "more": "0.1"}[how]
    else:
        inside[key] = value + 1
    return copied


@settings(max_examples=400 if os.environ.get("SOCLE_LONG") else 60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_called_unchanged_is_so_to_the_server(cluster: Cluster, space: str, data: st.DataObject) -> None:
    """Would catch a change that the comparison of managed fields does not see: the server's own dry run would."""
    name = f"rich{next(NUMBERS)}"
    path = f"/api/v1/namespaces/{space}/podtemplates/{name}"
    asked = f"{path}?fieldManager=socle&force=true"
    body = {**RICH, "metadata": {**RICH["metadata"], "name": name, "namespace": space}}
    whole, live = body, cluster.call("PATCH", asked, body, APPLY)
    assert managed.as_applied(body, live, "socle")
    turns = st.lists(
        st.tuples(st.sampled_from(list(places(RICH))), st.sampled_from(["drop", "turn", "more"])), max_size=1
    )
    for who in ("we", "they"):
        for place, how in data.draw(turns):
            other = moved(whole, place, how)
            if who == "we":
                body = other
            else:
                with contextlib.suppress(AssertionError):
                    live = cluster.call(
                        "PATCH", f"{path}?fieldManager=them", {"template": other.get("template")}, MERGE
                    )
    try:
        tried = cluster.call("PATCH", f"{asked}&dryRun=All", body, APPLY)
    except AssertionError:
        # What the server refuses must not be called unchanged either.
        tried = None
    if managed.as_applied(body, live, "socle"):
        assert tried is not None
        assert without_times(tried) == without_times(live)


def without_times(found: Any) -> Any:
    rows = [
        {key: value for key, value in row.items() if key != "time"}
        for row in found["metadata"]["managedFields"]
        if not row.get("subresource")
    ]
    metadata = {**found["metadata"], "managedFields": rows, "resourceVersion": "", "generation": 0}
    return {"metadata": metadata, "template": found.get("template")}
