# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Nodes: their labels, their taints, whether they take pods, emptying and removing them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._objects import AdapterError, Change, Current, Desired, Step, Writer
from .._values import ABSENT
from .._wait import Progress
from .api import MERGE, Api, each, segment
from .drain import CORDONED, Drain, Rules, Sorted, given_up, in_the_way, name_of, pods_on
from .errors import ApiError
from .session import ApiReader, Session

# On a node: which labels and taints we put there, so that they go when nothing asks for them any more.
OURS = "socle.platform/managed"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
GONE = ("drained", "absent")

Live = dict[str, Any]


def spec() -> dict[str, Any]:
    taint = {
        "key": {"type": "str", "required": True, "no_log": False},
        "value": {"type": "str", "default": ""},
        "effect": {"type": "str", "choices": list(EFFECTS), "required": True},
    }
    node = {
        "name": {"type": "str", "required": True},
        "labels": {"type": "dict"},
        "remove_labels": {"type": "list", "elements": "str", "default": []},
        "taints": {"type": "list", "elements": "dict", "options": taint},
        "remove_taints": {"type": "list", "elements": "str", "default": []},
        "schedulable": {"type": "bool"},
        "state": {"type": "str", "choices": ["present", "drained", "absent"], "default": "present"},
    }
    drain = {
        "delete_empty_dir": {"type": "bool", "default": False},
        "delete_unmanaged": {"type": "bool", "default": False},
        "grace_period": {"type": "int"},
        "timeout": {"type": "float"},
        "skip_terminating_after": {"type": "float"},
    }
    return {
        "nodes": {"type": "list", "elements": "dict", "required": True, "options": node},
        "drain": {"type": "dict", "default": {}, "options": drain},
    }


@dataclass(frozen=True)
class Asked:
    """What the parameters say beside the fields of each node."""

    rules: Rules
    states: Mapping[str, str]
    whole: frozenset[tuple[str, str]]
    """Nodes and parts (labels, taints) that are told whole: what is ours beyond them is to go."""


def asked(parameters: Mapping[str, Any]) -> Asked:
    nodes = parameters["nodes"]
    return Asked(
        Rules(**(parameters.get("drain") or {})),
        {node["name"]: node["state"] for node in nodes},
        frozenset((node["name"], part) for node in nodes for part in ("labels", "taints") if part in node),
    )


def taint_key(taint: Mapping[str, Any]) -> str:
    return f"{taint['key']}:{taint['effect']}"


def desired(parameters: Mapping[str, Any]) -> Iterator[Desired]:
    for node in parameters["nodes"]:
        if node["state"] == "absent":
            yield Desired(node["name"], {"pods": []}, present=False)
            continue
        fields: dict[str, Any] = {}
        if "labels" in node or node["remove_labels"]:
            labels = {str(key): _text(value) for key, value in node.get("labels", {}).items()}
            fields["labels"] = {**dict.fromkeys(node["remove_labels"], ABSENT), **labels}
        if "taints" in node or node["remove_taints"]:
            fields["taints"] = {**_removed(node["remove_taints"]), **_taints(node.get("taints", ()))}
        if node["state"] == "drained":
            fields.update(schedulable=False, pods=[])
        elif "schedulable" in node:
            fields["schedulable"] = node["schedulable"]
        yield Desired(node["name"], fields)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _taints(taints: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {taint_key(taint): str(taint.get("value") or "") for taint in taints}


def _removed(names: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in names:
        key, colon, effect = name.partition(":")
        if colon and effect not in EFFECTS:
            raise AdapterError(f"remove_taints: {name}: {effect!r} is no effect", f"use one of {', '.join(EFFECTS)}")
        found.update({f"{key}:{one}": ABSENT for one in ([effect] if colon else EFFECTS)})
    return found


def owned(live: Live) -> dict[str, list[str]]:
    """What we put on a node, by its annotation."""
    text = (live["metadata"].get("annotations") or {}).get(OURS, "{}")
    try:
        told = json.loads(text)
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    return {name: [str(item) for item in told.get(name) or ()] for name in ("labels", "taints")}


def labels_of(live: Live) -> dict[str, str]:
    return dict(live["metadata"].get("labels") or {})


def taints_of(live: Live) -> dict[str, str]:
    return _taints((live.get("spec") or {}).get("taints") or ())


class Nodes(ApiReader):
    kind = "node"
    # Beyond what is wanted, `read` tells only what is ours or to be removed.
    exact = frozenset({"labels", "taints"})
    # A node's pods come and go by themselves.
    volatile = frozenset({"pods"})

    def __init__(self, session: Session, asked: Asked) -> None:
        super().__init__(session)
        self.asked = asked
        self.names: list[str] = []
        self.pods: dict[str, Sorted] = {}

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        api = self.session.api
        wanted = {item.key: item for item in desired}
        if len(wanted) == 1:
            found = [api.find(f"/api/v1/nodes/{segment(name)}") for name in wanted]
        else:
            found = api.listed("/api/v1/nodes")
            self.names = [live["metadata"]["name"] for live in found]
        rows = [live for live in found if live is not None]
        going = [
            live["metadata"]["name"]
            for live in rows
            if live["metadata"]["name"] in wanted and self.asked.states.get(live["metadata"]["name"]) in GONE
        ]
        self.pods.update(zip(going, each(lambda name: pods_on(api, name), going), strict=True))
        for live in rows:
            name = live["metadata"]["name"]
            if name in wanted:
                yield self._current(live, wanted[name])

    def _current(self, live: Live, item: Desired) -> Current:
        mine = owned(live)
        fields: dict[str, Any] = {"schedulable": not (live.get("spec") or {}).get("unschedulable", False)}
        for part, there in (("labels", labels_of(live)), ("taints", taints_of(live))):
            named = {*item.fields.get(part, ()), *(mine[part] if (item.key, part) in self.asked.whole else ())}
            fields[part] = {key: value for key, value in there.items() if key in named}
        name = live["metadata"]["name"]
        if name in self.pods:
            fields["pods"] = sorted(
                name_of(pod) for pod in self.pods[name].leaving if not given_up(pod, self.asked.rules)
            )
        return Current(name, fields, {"uid": live["metadata"]["uid"]}, str(live["metadata"]["resourceVersion"]))

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        for item in desired:
            if item.key not in current:
                if item.present:
                    yield self._missing(item.key)
            elif item.key in self.pods:
                yield from in_the_way(item.key, self.pods[item.key].leaving, self.asked.rules)

    def _missing(self, name: str) -> str:
        there = self.names or [row["metadata"]["name"] for row in self.session.api.listed("/api/v1/nodes")]
        near = difflib.get_close_matches(name, there, 1)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(there)) or 'none'};"
        return f"node {name}: it is not in the cluster; {meant} a node comes by joining, not by this"


class NodesWriter(Writer):
    def __init__(self, session: Session, asked: Asked) -> None:
        self.session, self.asked = session, asked

    @property
    def api(self) -> Api:
        return self.session.api

    def update(self, change: Change, step: Step) -> None:
        draining = "pods" in change.desired.fields
        body = self._patch(change, with_schedulable=not draining)
        if body:
            self.api.call("PATCH", f"/api/v1/nodes/{segment(change.key)}", body=body, content=MERGE)
        if draining:
            Drain(self.api, change.key, self.asked.rules, step).run()

    def delete(self, change: Change, step: Step) -> None:
        path = f"/api/v1/nodes/{segment(change.key)}"
        live = self.api.find(path)
        if live is None:
            return
        Drain(self.api, change.key, self.asked.rules, step).run()
        try:
            self.api.call("DELETE", path, body={"preconditions": {"uid": live["metadata"]["uid"]}})
        except ApiError as error:
            if error.status != 404:
                raise

    def _patch(self, change: Change, *, with_schedulable: bool) -> dict[str, Any]:
        """One patch for everything that differs; it fails, and is made again, when the node has moved meanwhile."""
        live = self.api.get(f"/api/v1/nodes/{segment(change.key)}")
        wanted, mine = change.desired.fields, owned(live)
        metadata: dict[str, Any] = {}
        about: dict[str, Any] = {}
        books = dict(mine)
        if "labels" in wanted:
            put, gone, books["labels"] = self._moves(change, "labels", labels_of(live), mine)
            if put or gone:
                metadata["labels"] = {**put, **dict.fromkeys(gone)}
        if "taints" in wanted:
            put, gone, books["taints"] = self._moves(change, "taints", taints_of(live), mine)
            if put or gone:
                about["taints"] = _taint_rows(live, put, gone)
        notes: dict[str, Any] = {}
        if books != mine:
            notes[OURS] = json.dumps(books, separators=(",", ":")) if any(books.values()) else None
        if with_schedulable and "schedulable" in wanted:
            about["unschedulable"] = None if wanted["schedulable"] else True
            if CORDONED in (live["metadata"].get("annotations") or {}):
                notes[CORDONED] = None
        if notes:
            metadata["annotations"] = notes
        if not metadata and not about:
            return {}
        metadata["resourceVersion"] = live["metadata"]["resourceVersion"]
        return {"metadata": metadata, "spec": about} if about else {"metadata": metadata}

    def _moves(
        self, change: Change, part: str, there: Mapping[str, str], books: Mapping[str, Sequence[str]]
    ) -> tuple[dict[str, str], list[str], list[str]]:
        """What to put and to take away, and what is ours then: never what somebody else had put there the same."""
        wanted: Mapping[str, Any] = change.desired.fields[part]
        mine, whole = books[part], (change.key, part) in self.asked.whole
        keep = {key: value for key, value in wanted.items() if value is not ABSENT}
        put = {key: value for key, value in keep.items() if there.get(key) != value}
        gone = [key for key in there if wanted.get(key) is ABSENT or (whole and key in mine and key not in wanted)]
        left = mine if not whole else ()
        return put, gone, sorted({*(key for key in keep if key in put or key in mine), *left} - set(gone))


def _taint_rows(live: Live, put: Mapping[str, str], gone: Sequence[str]) -> list[dict[str, Any]]:
    rows = [
        row
        for row in (live.get("spec") or {}).get("taints") or ()
        if taint_key(row) not in put and taint_key(row) not in gone
    ]
    for name, value in put.items():
        key, _unused, effect = name.rpartition(":")
        rows.append({"key": key, "effect": effect, **({"value": value} if value else {})})
    return rows


INFO: dict[str, Any] = {"names": {"type": "list", "elements": "str"}}


def info(session: Session, parameters: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """For kubernetes_nodes_info."""
    del progress
    rows = {live["metadata"]["name"]: live for live in session.api.listed("/api/v1/nodes")}
    asked = parameters.get("names", sorted(rows))
    missing = [name for name in asked if name not in rows]
    if missing:
        raise AdapterError(
            f"nodes {', '.join(missing)} are not in the cluster", f"there are {', '.join(sorted(rows)) or 'none'}"
        )
    return {"nodes": [_told(rows[name]) for name in asked]}


def _told(live: Live) -> dict[str, Any]:
    status, labels = live.get("status") or {}, labels_of(live)
    ready: Live = next((row for row in status.get("conditions") or () if row.get("type") == "Ready"), {})
    role = "node-role.kubernetes.io/"
    return {
        "name": live["metadata"]["name"],
        "ready": ready.get("status") == "True",
        "reason": "" if ready.get("status") == "True" else str(ready.get("message") or "its kubelet has said nothing"),
        "schedulable": not (live.get("spec") or {}).get("unschedulable", False),
        "roles": sorted(key.removeprefix(role) for key in labels if key.startswith(role)),
        "labels": labels,
        "taints": [
            {"key": row["key"], "value": row.get("value", ""), "effect": row["effect"]}
            for row in (live.get("spec") or {}).get("taints") or ()
        ],
        "addresses": {row["type"]: row["address"] for row in status.get("addresses") or ()},
        "kubelet": (status.get("nodeInfo") or {}).get("kubeletVersion", ""),
    }
