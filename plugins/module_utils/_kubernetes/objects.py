# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Sets of any objects, applied server-side under one field manager."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._objects import Change, Current, Desired, Plan, Step, Writer
from .._wait import Hopeless, Waiting
from . import managed, shown
from .api import APPLY, Api, each
from .discovery import Resource
from .errors import ApiError, explain
from .manifests import CRD, Manifest, gather, manifests, needs, of_crd
from .prune import prunable
from .reading import Live, Wanted, read
from .ready import crd
from .session import ApiReader, Session

# How long a kind may take to be served after its CustomResourceDefinition is Established.
SERVED = 60.0
OURS = "managed_by"


def spec() -> dict[str, Any]:
    return {
        "objects": {"type": "list", "elements": "raw"},
        "files": {"type": "list", "elements": "path"},
        "stream": {"type": "str"},
        "namespace": {"type": "str"},
        "labels": {"type": "dict"},
        "field_manager": {"type": "str", "default": "socle"},
        "force": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "propagation": {"type": "str", "choices": ["background", "foreground", "orphan"], "default": "background"},
        "wait": {"type": "bool", "default": False},
        "wait_for": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "kind": {"type": "str", "required": True},
                "group": {"type": "str"},
                "name": {"type": "str"},
                "condition": {"type": "str", "required": True},
                "status": {"type": "str", "default": "True"},
            },
        },
    }


class Work:
    """One task's set, and what its reader and its writers know of it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.parameters: Mapping[str, Any] = {}
        self.manifests: dict[str, Manifest] = {}
        self.refused: dict[str, ApiError] = {}
        """What the server said no to when the change was tried out."""
        self.written: dict[str, str] = {}
        """The revision that our own write made: as long as it stands, the object is as applied."""
        self.lives: dict[str, Live] = {}
        self.unsure: set[str] = set()
        self._lock = threading.Lock()

    @property
    def manager(self) -> str:
        return str(self.parameters["field_manager"])

    @property
    def query(self) -> dict[str, Any]:
        return {"fieldManager": self.manager, "force": "true" if self.parameters["force"] else ""}

    @property
    def api(self) -> Api:
        return self.session.api

    def of(self, parameters: Mapping[str, Any]) -> Work:
        self.parameters = parameters
        self.session.of(parameters)
        return self

    def desired(self, parameters: Mapping[str, Any]) -> Iterable[Desired]:
        found = gather(parameters)
        discovery = self.session.learn({str(item["apiVersion"]) for item, _unused in found})
        namespaced: dict[tuple[str, str], bool] = {}
        for item, _unused in found:
            group = str(item["apiVersion"]).rpartition("/")[0]
            told = of_crd(item) if (group, item["kind"]) == CRD else None
            if told:
                namespaced[told[0], told[1]] = told[2]
        for item, _unused in found:
            known = discovery.known(str(item["apiVersion"]), str(item["kind"]))
            if known:
                namespaced[known.group, known.kind] = known.namespaced
        made = manifests(parameters, namespaced, found)
        self.manifests = {manifest.key: manifest for manifest in made}
        before = needs(made)
        present = parameters["state"] == "present"
        for manifest in made:
            fields = {OURS: self.manager, **shown.whole(manifest.body)} if present else {}
            yield Desired(manifest.key, fields, before[manifest.key], present=present)

    def resource(self, manifest: Manifest) -> Resource | None:
        return self.session.discovery.find(manifest.api_version, manifest.kind)

    def wanted(self, key: str) -> Wanted | None:
        """How to look up an object: of the set, or one that is to be pruned."""
        manifest, live = self.manifests.get(key), self.lives.get(key)
        if manifest is not None:
            resource = self.resource(manifest)
            return Wanted(key, resource, manifest.namespace, manifest.name) if resource else None
        if live is None:
            return None
        resource = self.session.discovery.find(live["apiVersion"], live["kind"])
        metadata = live["metadata"]
        return Wanted(key, resource, metadata.get("namespace") or "", metadata["name"]) if resource else None

    def path(self, manifest: Manifest, resource: Resource) -> str:
        return resource.path(manifest.namespace, manifest.name)

    def apply(self, manifest: Manifest, *, dry: bool) -> Live:
        """Apply on the server; what it made, or would make, of the object."""
        resource = self.resource(manifest)
        if resource is None:
            raise unknown_kind(manifest, self.session.discovery.kinds(manifest.api_version))
        query = {**self.query, "dryRun": "All"} if dry else self.query
        made: Live = self.api.call("PATCH", self.path(manifest, resource), query, manifest.body, content=APPLY)
        return made

    def wrote(self, key: str, made: Live) -> None:
        with self._lock:
            self.written[key] = made["metadata"]["resourceVersion"]
            self.lives[key] = made


def unknown_kind(manifest: Manifest, there: Sequence[str]) -> ApiError:
    said = f"the cluster has no kind {manifest.kind} in {manifest.api_version}"
    said += f"; there are {', '.join(there)}" if there else ", nor anything else there"
    error = ApiError(404, "NotFound", said)
    error.hint = "its CustomResourceDefinition is not there: add it to the set, or correct apiVersion and kind"
    return error


class Objects(ApiReader):
    kind = "Kubernetes"
    exact = shown.Everything()

    def __init__(self, work: Work) -> None:
        super().__init__(work.session)
        self.work = work
        self.warnings: list[str] = []

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        work = self.work
        wanted = [one for item in desired if (one := work.wanted(item.key)) is not None]
        labels = {str(k): str(v) for k, v in (work.parameters.get("labels") or {}).items()}
        found = read(work.api, wanted, labels)
        work.lives.update(found)
        present = {item.key: item for item in desired if item.present}
        todo = [key for key in found if key in present and not self._certain(present[key], found[key])]
        after = dict(zip(todo, each(self._rehearsed, todo), strict=True))
        for key, live in found.items():
            yield self._current(key, live, present.get(key), after.get(key))
        # A single object is looked up again after a fault: what is to be pruned is not looked for each time.
        if work.parameters.get("prune") and len(desired) == len(work.manifests):
            others, said = prunable(self.session, work.manager, labels, set(work.manifests))
            self.warnings = said
            for key, (live, resource) in others.items():
                work.lives[key] = live
                yield self._other(key, live, resource)

    def _certain(self, item: Desired, live: Live) -> bool:
        work = self.work
        manifest = work.manifests[item.key]
        if live["metadata"].get("deletionTimestamp"):
            return True
        if work.written.get(item.key) == live["metadata"].get("resourceVersion"):
            return True
        return not manifest.unknown and managed.as_applied(manifest.body, live, work.manager)

    def _rehearsed(self, key: str) -> Live | ApiError | None:
        manifest = self.work.manifests[key]
        if manifest.unknown:
            return None
        try:
            return self.work.apply(manifest, dry=True)
        except ApiError as error:
            if error.status in (429, 502, 503, 504) or error.status == 401:
                raise
            return error

    def _current(self, key: str, live: Live, item: Desired | None, after: Live | ApiError | None) -> Current:
        metadata = live["metadata"]
        identity = {"uid": metadata["uid"]}
        revision = str(metadata.get("resourceVersion", ""))
        incomplete = "it is being deleted" if metadata.get("deletionTimestamp") and item is not None else ""
        if item is None or incomplete:
            fields = {OURS: self.work.manager, **shown.fields(live)}
        elif key not in self.work.unsure and self._certain(item, live):
            fields = dict(item.fields)
        else:
            fields = self._differing(key, live, item, after)
        return Current(key, fields, identity, revision, incomplete=incomplete)

    def _differing(self, key: str, live: Live, item: Desired, after: Live | ApiError | None) -> dict[str, Any]:
        wanted = {name: value for name, value in item.fields.items() if name != OURS}
        now = shown.fields(live)
        manager = self.work.manager
        if not isinstance(after, dict):
            # Not tried out, or refused: shown by what we can see, and the server says the rest when it is written.
            said = "" if after is None else "what the server refuses"
            if after is not None:
                self.work.refused[key] = after
            return {OURS: said or manager, **shown.projected(wanted, now)}
        self.work.refused.pop(key, None)
        then = shown.fields(after)
        fields = shown.before(wanted, now, then)
        moved = _books(live, manager) != _books(after, manager)
        gone = sorted(set(now) - set(then) - set(wanted))
        if gone:
            return {OURS: f"{manager}, with {', '.join(gone)}", **fields}
        if fields != wanted:
            return {OURS: manager, **fields}
        if now != then or _order(live) != _order(after):
            return {OURS: f"{manager}, with another order or other defaults", **fields}
        if moved:
            others = ", ".join(managed.managers(live, manager)) or "nobody"
            ours = managed.entry(live, manager) is not None
            return {OURS: f"{manager}, other fields" if ours else others, **fields}
        return {OURS: manager, **fields}

    def _other(self, key: str, live: Live, resource: Resource) -> Current:
        metadata = live["metadata"]
        fields = {OURS: self.work.manager, "metadata": {"labels": dict(metadata.get("labels") or {})}}
        namespace = f"Namespace {metadata.get('namespace')}"
        return Current(
            key, fields, {"uid": metadata["uid"]}, str(metadata.get("resourceVersion", "")), owned=True,
            needs=frozenset({namespace} if resource.namespaced else ()),
        )  # fmt: skip

    def warn(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del desired, current
        return self.warnings

    def replaces(self, desired: Desired, current: Current, fields: Sequence[Any]) -> str:
        del current, fields
        refused = self.work.refused.get(desired.key)
        if refused is not None and refused.immutable and self.work.parameters.get("allow_replace"):
            return refused.message
        return ""


def _books(live: Live, manager: str) -> Any:
    row = managed.entry(live, manager)
    return (row.get("apiVersion"), row.get("fieldsV1")) if row else None


def _order(live: Live) -> Any:
    return {name: value for name, value in live.items() if name not in ("metadata", "status")}


class ObjectsWriter(Writer):
    def __init__(self, work: Work) -> None:
        self.work = work

    def create(self, change: Change, step: Step) -> None:
        work = self.work
        manifest = work.manifests[change.key]
        if work.resource(manifest) is None and change.desired.needs:
            self._until_served(manifest, step)
        made = work.apply(manifest, dry=False)
        work.wrote(change.key, made)
        if (manifest.group, manifest.kind) == CRD:
            self._until_established(change, manifest, step)

    update = create

    def delete(self, change: Change, step: Step) -> None:
        work = self.work
        live = work.lives[change.key]
        manifest = work.manifests.get(change.key)
        group_version, kind = (
            (manifest.api_version, manifest.kind) if manifest else (live["apiVersion"], str(live["kind"]))
        )
        resource = work.session.discovery.find(group_version, kind)
        if resource is None:
            return
        metadata = live["metadata"]
        path = resource.path(metadata.get("namespace") or "", metadata["name"])
        uid = metadata["uid"]
        body = {
            "kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid},
            "propagationPolicy": work.parameters["propagation"].capitalize(),
        }  # fmt: skip
        try:
            work.api.call("DELETE", path, body=body)
        except ApiError as error:
            # Gone, or another object took the name since: ours is not there either way.
            if error.status == 404 or (error.status == 409 and "UID" in error.message):
                return
            raise

        def gone() -> bool | Waiting:
            now = work.api.find(path)
            if now is None or now["metadata"]["uid"] != uid:
                return True
            return Waiting(_what_holds(now))

        step.wait_for("to be gone", gone)

    def _until_served(self, manifest: Manifest, step: Step) -> None:
        def served() -> bool | Waiting:
            if self.work.resource(manifest) is not None:
                return True
            return Waiting(f"{manifest.api_version} {manifest.kind} is not among the kinds that the cluster tells")

        step.wait_for("its kind to be served", served, at_most=SERVED)

    def _until_established(self, change: Change, manifest: Manifest, step: Step) -> None:
        resource = self.work.resource(manifest)
        if resource is None:
            raise unknown_kind(manifest, ())
        path = self.work.path(manifest, resource)

        def established() -> bool | Waiting | Hopeless:
            now = self.work.api.find(path)
            if now is None:
                return Hopeless("somebody deleted it")
            said = crd(now)
            if said is None:
                self.work.wrote(change.key, now)
                return True
            return said

        step.wait_for("to be Established", established)


def _what_holds(live: Live) -> str:
    finalizers = live["metadata"].get("finalizers") or (live.get("spec") or {}).get("finalizers") or []
    said = [
        str(row.get("message"))
        for row in (live.get("status") or {}).get("conditions") or []
        if row.get("status") == "True" and row.get("message")
    ]
    waits = f"finalizers {', '.join(finalizers)} are still on it" if finalizers else "it is still there"
    return "; ".join([waits, *said[:3]])


def rehearse(work: Work, plan: Plan) -> list[str]:
    """In check mode: let the server try out what would be made; what it refuses, by name."""
    coming = {change.key for change in plan.changes if change.action.value in ("create", "replace")}

    def refused(change: Change) -> ApiError | None:
        manifest = work.manifests.get(change.key)
        if manifest is None or manifest.unknown or change.desired.needs & coming:
            return None
        if change.action.value == "create":
            try:
                work.apply(manifest, dry=True)
            except ApiError as error:
                return error
            return None
        return work.refused.get(change.key) if change.action.value == "update" else None

    pending = [change for change in plan.pending if change.desired.present]
    found = each(refused, pending)
    said = []
    for change, error in zip(pending, found, strict=True):
        if error is not None:
            sentence, hint = explain(error)
            said.append(
                f"{change.label}: {change.action.value} would fail: {sentence}" + (f" ({hint})" if hint else "")
            )
    return said
