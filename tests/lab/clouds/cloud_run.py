# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cloud Run's v2 API, and the way of requests to revisions. README.md says what it does not do."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .discovery import RefusedError, discovery
from .images import Images

PARENT = "projects/shop/locations/europe-west1"
SERVICE = "GoogleCloudRunV2Service"
REVISION = "GoogleCloudRunV2Revision"
LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
BY_NAME = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
# Set by whoever patches; the rest is Cloud Run's own.
OURS = ("annotations", "labels", "template", "traffic", "description", "ingress", "invokerIamDisabled", "scaling")


@dataclass
class Service:
    name: str
    own: dict[str, Any]
    generation: int = 1
    observed: int = 0
    etag: int = 1
    created: str = ""
    ready: str = ""
    statuses: list[dict[str, Any]] = field(default_factory=list)
    reads_left: int = 0
    failure: dict[str, Any] = field(default_factory=dict)
    revisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: int = 0

    @property
    def short(self) -> str:
        return self.name.rpartition("/")[2]


@dataclass
class Fault:
    """`at`: the n-th request from now that matches. `after`: the effect happens, the answer is lost."""

    method: str
    at: int = 1
    kind: str = "reset"
    after: bool = False
    body: RefusedError | None = None


class ResetError(ConnectionError):
    """The connection broke."""


class CloudRun:
    """A project's services. `patience` is how many reads a change takes to settle."""

    def __init__(self, images: Images, *, patience: int = 1) -> None:
        self.images, self.patience = images, patience
        self.base = "http://127.0.0.1:0"
        self.services: dict[str, Service] = {}
        self.operations: dict[str, tuple[str, int]] = {}
        self.log: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.numbers = itertools.count(1)
        self.lock = threading.RLock()
        self.before: Callable[[str, str], None] = lambda _method, _path: None
        self.api, self.monitoring = discovery("run.v2"), discovery("monitoring.v3")

    # -- requests

    def handle(self, method: str, path: str, query: Mapping[str, str], body: Any) -> tuple[int, dict[str, Any]]:
        # Whoever waits there must not hold up the others.
        self.before(method, path)
        with self.lock:
            self.log.append((method, path))
            fault = self._fault(method)
            if fault is not None and not fault.after:
                return self._break(fault)
            try:
                answer = 200, self._handle(method, path, query, body)
            except RefusedError as error:
                answer = error.code, error.body()
            return self._break(fault) if fault is not None else answer

    def _fault(self, method: str) -> Fault | None:
        due = None
        for fault in self.faults:
            if fault.method in ("*", method):
                fault.at -= 1
                due = fault if fault.at == 0 else due
        self.faults = [fault for fault in self.faults if fault.at > 0]
        return due

    @staticmethod
    def _break(fault: Fault) -> tuple[int, dict[str, Any]]:
        if fault.body is not None:
            return fault.body.code, fault.body.body()
        raise ResetError("the connection was reset")

    def _handle(self, method: str, path: str, query: Mapping[str, str], body: Any) -> dict[str, Any]:
        if path.startswith("v3/"):
            self.monitoring.find(method, path, query)
            return self._time_series(query)
        found, names = self.api.find(method, path, query)
        if found.request:
            self.api.hold(body or {}, found.request)
        actions: dict[str, Callable[[], dict[str, Any]]] = {
            "run.projects.locations.services.create": lambda: self._create(names, query, body),
            "run.projects.locations.services.get": lambda: self._show(self._read(self._service(path))),
            "run.projects.locations.services.list": lambda: self._list(path),
            "run.projects.locations.services.patch": lambda: self._patch(self._service(path), query, body),
            "run.projects.locations.services.revisions.get": lambda: self._revision(path),
            "run.projects.locations.services.revisions.list": lambda: self._revisions(path),
            "run.projects.locations.operations.get": lambda: self._operation(path),
        }
        if found.id not in actions:
            raise RefusedError(501, "UNIMPLEMENTED", f"the simulator does not know {found.id}")
        answer = actions[found.id]()
        self.api.hold(answer, found.response)
        return answer

    def _service(self, path: str) -> Service:
        name = path.removeprefix("v2/")
        if name not in self.services:
            raise RefusedError(
                404, "NOT_FOUND", f"Resource '{name.rpartition('/')[2]}' of kind 'SERVICE' does not exist."
            )
        return self.services[name]

    def _read(self, service: Service) -> Service:
        if service.reads_left:
            service.reads_left -= 1
            if not service.reads_left:
                self._settle(service)
        return service

    # -- services

    def _create(self, names: tuple[str, ...], query: Mapping[str, str], body: dict[str, Any]) -> dict[str, Any]:
        parent = f"projects/{names[0]}/locations/{names[1]}"
        name = f"{parent}/services/{query['serviceId']}"
        if name in self.services:
            raise RefusedError(409, "ALREADY_EXISTS", f"Resource '{query['serviceId']}' already exists.")
        service = Service(name, {key: copy.deepcopy(body[key]) for key in OURS if key in body})
        self.services[name] = service
        self._born(service)
        service.reads_left = self.patience
        return self._begun(service)

    def _patch(self, service: Service, query: Mapping[str, str], body: dict[str, Any]) -> dict[str, Any]:
        if body.get("etag") and body["etag"] != self._etag(service):
            said = f"version '{body['etag']}' was specified but current version is '{self._etag(service)}'."
            raise RefusedError(409, "ABORTED", f"Conflict for resource '{service.short}': {said}")
        mask = [part for part in query.get("updateMask", "").split(",") if part] or [key for key in OURS if key in body]
        strange = sorted(set(mask) - set(OURS))
        if strange:
            raise RefusedError(400, "INVALID_ARGUMENT", f"updateMask: {strange[0]} cannot be updated")
        after = copy.deepcopy(service.own)
        for key in mask:
            after.pop(key, None)
            if key in body:
                after[key] = copy.deepcopy(body[key])
        self._traffic_is_sound(service, after.get("traffic", []))
        renewed = after["template"] != service.own["template"] or query.get("forceNewRevision") == "true"
        named = after["template"].get("revision")
        if renewed and named and f"{service.name}/revisions/{named}" in service.revisions:
            raise RefusedError(
                409, "ALREADY_EXISTS", f"Revision named '{named}' with different configuration already exists."
            )
        if query.get("validateOnly") == "true":
            return {"name": self._operation_name(service), "done": True, "response": {"@type": "", **after}}
        moved = after != service.own or renewed
        service.own = after
        service.etag += 1
        if moved:
            service.generation += 1
            if renewed:
                self._born(service)
            service.reads_left = self.patience
            if not self.patience:
                self._settle(service)
        return self._begun(service)

    def _traffic_is_sound(self, service: Service, traffic: list[dict[str, Any]]) -> None:
        if traffic and sum(target.get("percent", 0) for target in traffic) != 100:
            raise RefusedError(400, "INVALID_ARGUMENT", "service.traffic: the percents must add up to 100")
        tags = [target["tag"] for target in traffic if "tag" in target]
        if len(tags) != len(set(tags)):
            raise RefusedError(400, "INVALID_ARGUMENT", "service.traffic: a tag is used twice")
        for target in traffic:
            named = target.get("revision")
            if target.get("type") == BY_NAME and f"{service.name}/revisions/{named}" not in service.revisions:
                raise RefusedError(400, "INVALID_ARGUMENT", f"service.traffic: there is no revision {named}")
            if target.get("type") == LATEST and named:
                raise RefusedError(400, "INVALID_ARGUMENT", "service.traffic: the latest revision has no name here")

    def _born(self, service: Service) -> None:
        number = next(self.numbers)
        template = service.own["template"]
        code = hashlib.sha256(f"{service.short}{number}".encode()).hexdigest()[:3]
        short = template.get("revision") or f"{service.short}-{number:05d}-{code}"
        service.created = f"{service.name}/revisions/{short}"
        service.revisions[service.created] = {
            "name": service.created,
            "service": service.short,
            "createTime": f"2026-11-21T10:{number // 60 % 60:02d}:{number % 60:02d}Z",
            "containers": copy.deepcopy(template.get("containers", [])),
            "conditions": [{"type": "Ready", "state": "CONDITION_RECONCILING", "message": "Deploying revision."}],
        }

    def _settle(self, service: Service) -> None:
        service.observed = service.generation
        revision = service.revisions[service.created]
        ready = revision["conditions"][0]
        if ready["state"] == "CONDITION_RECONCILING":
            revision["conditions"] = [ready := self._started(service, revision)]
        if ready["state"] == "CONDITION_SUCCEEDED":
            service.ready = service.created
        service.failure = ready if ready["state"] == "CONDITION_FAILED" else {}
        # Users stay where they are while a version that they are to get is not ready.
        wanted = service.own.get("traffic") or [{"type": LATEST, "percent": 100}]
        targets = [self._target(service, target) for target in wanted]
        if all(
            name and service.revisions[name]["conditions"][0]["state"] == "CONDITION_SUCCEEDED"
            for name, _status in targets
        ):
            service.statuses = [status for _name, status in targets]

    def _started(self, service: Service, revision: dict[str, Any]) -> dict[str, Any]:
        image = revision["containers"][0].get("image", "")
        known = self.images.known.get(image)
        if known is None:
            return {
                "type": "Ready", "state": "CONDITION_FAILED", "reason": "CONTAINER_MISSING", "severity": "ERROR",
                "message": f"Image '{image}' not found.",
            }  # fmt: skip
        if known.starts:
            return {
                "type": "Ready", "state": "CONDITION_FAILED", "revisionReason": "HEALTH_CHECK_CONTAINER_ERROR",
                "severity": "ERROR", "message": known.starts,
            }  # fmt: skip
        return {"type": "Ready", "state": "CONDITION_SUCCEEDED"}

    def _target(self, service: Service, target: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        named = target.get("revision")
        name = f"{service.name}/revisions/{named}" if named else service.ready
        status = dict(target)
        if target.get("tag"):
            status["uri"] = f"{self.base}/{target['tag']}---{service.short}"
        return name, status

    def _show(self, service: Service) -> dict[str, Any]:
        settled = service.observed == service.generation
        state = "CONDITION_FAILED" if service.failure else "CONDITION_SUCCEEDED"
        condition = {"type": "Ready", "state": state if settled else "CONDITION_RECONCILING"}
        if settled and service.failure:
            short = service.created.rpartition("/")[2]
            condition["message"] = (
                f"Revision '{short}' is not ready and cannot serve traffic. {service.failure['message']}"
            )
        shown = {
            **copy.deepcopy(service.own),
            "name": service.name,
            "generation": str(service.generation),
            "observedGeneration": str(service.observed),
            "etag": self._etag(service),
            "latestCreatedRevision": service.created,
            "latestReadyRevision": service.ready,
            "trafficStatuses": copy.deepcopy(service.statuses),
            "uri": f"{self.base}/{service.short}",
            "terminalCondition": condition,
        }
        if not settled:
            shown["reconciling"] = True
        # Lists and texts that are empty are left out.
        return {key: value for key, value in shown.items() if value not in ("", [])}

    def _etag(self, service: Service) -> str:
        return f'"{service.etag}-{service.generation}"'

    def _list(self, path: str) -> dict[str, Any]:
        parent = path.removeprefix("v2/")
        found = [self._show(self._read(one)) for name, one in self.services.items() if name.startswith(parent)]
        return {"services": found} if found else {}

    def _revision(self, path: str) -> dict[str, Any]:
        name = path.removeprefix("v2/")
        service = self._service(path.rpartition("/revisions/")[0])
        if name not in service.revisions:
            raise RefusedError(
                404, "NOT_FOUND", f"Resource '{name.rpartition('/')[2]}' of kind 'REVISION' does not exist."
            )
        return copy.deepcopy(service.revisions[name])

    def _revisions(self, path: str) -> dict[str, Any]:
        service = self._service(path.removesuffix("/revisions"))
        return {"revisions": [copy.deepcopy(one) for one in reversed(service.revisions.values())]}

    # -- operations

    def _operation_name(self, service: Service) -> str:
        return f"{service.name.rpartition('/services/')[0]}/operations/{next(self.numbers)}"

    def _begun(self, service: Service) -> dict[str, Any]:
        name = self._operation_name(service)
        self.operations[name] = (service.name, service.generation)
        return {"name": name, "metadata": {"@type": f"type.googleapis.com/{SERVICE}", "name": service.name}}

    def _operation(self, path: str) -> dict[str, Any]:
        name = path.removeprefix("v2/")
        if name not in self.operations:
            raise RefusedError(404, "NOT_FOUND", "Operation does not exist.")
        service = self._read(self.services[self.operations[name][0]])
        answer: dict[str, Any] = {"name": name, "metadata": {"@type": "", "name": service.name}}
        if service.observed >= self.operations[name][1]:
            answer["done"] = True
            if service.failure:
                answer["error"] = {"code": 9, "message": service.failure["message"]}
            else:
                answer["response"] = {"@type": "", **self._show(service)}
        return answer

    # -- metrics

    def _time_series(self, query: Mapping[str, str]) -> dict[str, Any]:
        asked = query.get("filter", "")
        counts: dict[str, int] = {}
        for hit in list(self.images.hits):
            if f'"{hit.version}"' in asked and f'"{hit.service}"' in asked and hit.users:
                kind = f"{hit.status // 100}xx"
                counts[kind] = counts.get(kind, 0) + 1
        series = [
            {
                "metric": {"type": "run.googleapis.com/request_count", "labels": {"response_code_class": kind}},
                "points": [{"value": {"int64Value": str(count)}}],
            }
            for kind, count in counts.items()
        ]
        answer = {"timeSeries": series} if series else {}
        self.monitoring.hold(answer, "ListTimeSeriesResponse")
        return answer

    # -- users

    def serve(self, host: str, path: str) -> tuple[int, str]:
        """A request to a service's main address, or to a tag's (`TAG---SERVICE`)."""
        tag, _dashes, short = host.rpartition("---")
        with self.lock:
            service = next((one for one in self.services.values() if one.short == short), None)
            chosen = self._choose(service, tag) if service is not None else ""
            image = service.revisions[chosen]["containers"][0]["image"] if service is not None and chosen else ""
        if not image:
            return 404, "nothing here"
        return self.images.answer(short, chosen.rpartition("/")[2], image, users=not tag, path=path)

    def _choose(self, service: Service, tag: str) -> str:
        if tag:
            found = next((status for status in service.statuses if status.get("tag") == tag), None)
            return self._target(service, found)[0] if found else ""
        # 37 and 100 have no common divisor: every hundred requests meet each place once.
        place = service.requests * 37 % 100
        service.requests += 1
        for status in service.statuses:
            place -= status.get("percent", 0)
            if place < 0:
                return self._target(service, status)[0]
        return ""


def make_service(
    run: CloudRun, short: str, image: str, parent: str = "projects/shop/locations/europe-west1"
) -> Service:
    """A service as the layer makes it: one version, and users go to the latest."""
    body = {"template": {"containers": [{"image": image, "ports": [{"containerPort": 8080}]}]}}
    status, _answer = run.handle("POST", f"v2/{parent}/services", {"serviceId": short}, json.loads(json.dumps(body)))
    assert status == 200
    service = run.services[f"{parent}/services/{short}"]
    service.reads_left = 0
    run._settle(service)
    return service
