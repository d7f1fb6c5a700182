# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A service on Cloud Run: versions are revisions, users are its traffic, the record is an annotation of the service."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from .._objects import AdapterError
from .google import Google
from .model import Health, Phase, Rate, Record, Stand, Version, Wish, there

KEY = "socle.platform/release"
LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
# The API refuses annotations that are larger than this, all together.
LONGEST_REASON = 2000


class CloudRun:
    """The port of one service."""

    def __init__(
        self, google: Google, project: str, location: str, service: str, *, tag: str = "next", container: str = ""
    ) -> None:
        self.google = google
        self.project, self.location, self.service = project, location, service
        self.tag, self.container = tag, container
        self.path = f"v2/projects/{project}/locations/{location}/services/{service}"
        self.what = f"Cloud Run service {service} in {project}/{location}"
        self.found: dict[str, Any] = {}
        self.named: dict[str, str] = {}

    # -- reading

    def read(self) -> Stand:
        found = self.google.get(self.what, self.path)
        self.found = found
        written = _written(found)
        self.named = {role: str(written.get(role) or "") for role in ("new", "old")}
        record = _record(written)
        percents = served(found)
        new_name = self.named["new"]
        old_name = self.named["old"]
        latest = _short(found.get("latestCreatedRevision", ""))
        if record.phase is Phase.NONE or not old_name:
            old_name = max(
                percents, key=lambda name: percents[name], default=_short(found.get("latestReadyRevision", ""))
            )
        revisions = {name: self._revision(name, percents) for name in (new_name, old_name) if name}
        # It has a name only once Cloud Run has made it.
        if record.phase is Phase.OPEN and not new_name and latest != old_name:
            born = self._revision(latest, percents)
            if born is not None and born.image == record.image:
                revisions[latest], new_name = born, latest
        self.named["new"], self.named["old"] = new_name, old_name
        urls = {
            status.get("revision"): str(status.get("uri") or "")
            for status in found.get("trafficStatuses", [])
            if status.get("tag") == self.tag
        }
        new = revisions.get(new_name)
        if new is not None:
            new = replace(new, url=urls.get(new_name, ""))
        return Stand(
            service=self.service,
            record=record,
            new=new,
            old=revisions.get(old_name),
            moving=_moving(found),
            trouble=_trouble(found),
            token=str(found.get("etag") or ""),
        )

    def _revision(self, name: str, percents: Mapping[str, int]) -> Version | None:
        try:
            found = self.google.get(f"revision {name} of {self.what}", f"{self.path}/revisions/{name}")
        except AdapterError as error:
            if "(NOT_FOUND)" in error.sentence:
                return None
            raise
        health, why = _health(found)
        return Version(
            name=name,
            image=self._image(found.get("containers", [])),
            percent=percents.get(name, 0),
            health=health,
            why=why,
            since=str(found.get("createTime") or ""),
        )

    def _image(self, containers: Sequence[Mapping[str, Any]]) -> str:
        return str(self._container(containers).get("image") or "")

    def _container(self, containers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        if not self.container:
            # With sidecars, the one that takes requests is the service.
            return next((one for one in containers if one.get("ports")), containers[0] if containers else {})
        for one in containers:
            if one.get("name") == self.container:
                return one
        names = ", ".join(str(one.get("name") or "(unnamed)") for one in containers) or "none"
        raise AdapterError(f"{self.what}: it has no container {self.container}; there are {names}", "correct container")

    # -- writing

    def make(self, stand: Stand, wish: Wish) -> None:
        image = wish.image
        template = copy.deepcopy(self.found.get("template", {}))
        # Cloud Run names it: a name of ours would be in the way of whoever changes the template next.
        template.pop("revision", None)
        self._container(template.get("containers", []))["image"] = image  # type: ignore[index]  # a dict from JSON
        record = Record(Phase.OPEN, image, wish.version, wish.commit, wish.by, _now())
        again = stand.record.phase is Phase.FAILED and stand.record.image == image
        body = {"template": template, "traffic": pinned(self.found)}
        serving = max(served(self.found), key=lambda name: served(self.found)[name], default=self.named["old"])
        self._patch(body, record, {"new": "", "old": serving}, **({"forceNewRevision": "true"} if again else {}))

    def expose(self, stand: Stand) -> None:
        tagged = {"type": REVISION, "revision": there(stand.new, "new").name, "tag": self.tag}
        traffic = [*pinned(self.found, without=self.tag), tagged]
        self._patch({"traffic": traffic}, stand.record)

    def passed(self, stand: Stand) -> None:
        self._patch({}, replace(stand.record, tested=True))

    def shift(self, stand: Stand, percent: int) -> None:
        new, old = there(stand.new, "new").name, there(stand.old, "old").name
        self._patch({"traffic": self._split(new, old, percent)}, stand.record)

    def _split(self, new: str, old: str, percent: int) -> list[dict[str, Any]]:
        users = [
            {"type": REVISION, "revision": name, "percent": share}
            for name, share in ((new, percent), (old, 100 - percent))
            if share
        ]
        return [*users, {"type": REVISION, "revision": new, "tag": self.tag}, *_other_tags(self.found, self.tag)]

    def reject(self, stand: Stand, reason: str) -> None:
        record = replace(stand.record, phase=Phase.FAILED, reason=reason[:LONGEST_REASON])
        if stand.new is None or stand.old is None or stand.new.percent == 0:
            traffic = pinned(self.found, without=self.tag)
        else:
            whole = {"type": REVISION, "revision": stand.old.name, "percent": 100}
            traffic = [whole, *_other_tags(self.found, self.tag)]
        self._patch({"traffic": traffic}, record)

    def start_old(self, stand: Stand) -> None:
        """A revision starts by itself with its first request."""

    def close(self, stand: Stand) -> None:
        whole = {"type": REVISION, "revision": there(stand.new, "new").name, "percent": 100}
        self._patch({"traffic": [whole, *_other_tags(self.found, self.tag)]}, replace(stand.record, phase=Phase.DONE))

    def put_away(self, stand: Stand) -> None:
        """Revisions without users cost nothing and stay."""

    def _patch(
        self, body: dict[str, Any], record: Record, named: Mapping[str, str] | None = None, **query: str
    ) -> None:
        """Record and change in one request, and only on what was read: two runs cannot overwrite each other."""
        written = {**asdict(record), "phase": record.phase.value, **(named or self.named)}
        text = json.dumps({key: value for key, value in written.items() if value}, sort_keys=True)
        body = {**body, "annotations": {**self.found.get("annotations", {}), KEY: text}}
        query["updateMask"] = ",".join(sorted(body))
        self.google.call(
            "PATCH", self.what, self.path, query, {**body, "name": self.path[3:], "etag": self.found.get("etag", "")}
        )

    # -- what users got

    def rate(self, stand: Stand, seconds: float) -> Rate | None:
        name = there(stand.new, "new").name
        end = time.time()
        query = {
            "filter": (
                'metric.type = "run.googleapis.com/request_count" AND resource.type = "cloud_run_revision" AND '
                f'resource.labels.service_name = "{self.service}" AND '
                f'resource.labels.location = "{self.location}" AND '
                f'resource.labels.revision_name = "{name}"'
            ),
            "interval.startTime": _stamp(end - seconds),
            "interval.endTime": _stamp(end),
        }
        found = self.google.get(
            f"requests of {self.what}", f"v3/projects/{self.project}/timeSeries", query, api="monitoring"
        )
        counts = {"all": 0, "5xx": 0}
        for series in found.get("timeSeries", []):
            total = sum(int(point["value"].get("int64Value", 0)) for point in series.get("points", []))
            counts["all"] += total
            if series.get("metric", {}).get("labels", {}).get("response_code_class") == "5xx":
                counts["5xx"] += total
        return Rate(counts["all"], counts["5xx"])

    def alarms(self, stand: Stand) -> Sequence[str]:
        """Cloud Monitoring has no state of an alert to ask for; `rate` is looked at instead."""
        del stand
        return ()


def _written(found: Mapping[str, Any]) -> dict[str, Any]:
    try:
        written = json.loads(found.get("annotations", {}).get(KEY, "{}"))
    except ValueError:
        return {}
    return written if isinstance(written, dict) else {}


def _record(written: Mapping[str, Any]) -> Record:
    texts = {name: str(written.get(name) or "") for name in ("image", "version", "commit", "by", "at", "reason")}
    try:
        phase = Phase(written.get("phase") or Phase.NONE)
    except ValueError:
        phase = Phase.NONE
    return Record(phase=phase, tested=bool(written.get("tested")), **texts)


def served(found: Mapping[str, Any]) -> dict[str, int]:
    """Who has how many users now. Before the first status, the newest ready revision has them all."""
    ready = _short(found.get("latestReadyRevision", ""))
    percents: dict[str, int] = {}
    for status in found.get("trafficStatuses", []):
        name = status.get("revision") or ready
        if status.get("percent"):
            percents[name] = percents.get(name, 0) + int(status["percent"])
    return percents or ({ready: 100} if ready else {})


def pinned(found: Mapping[str, Any], without: str = "") -> list[dict[str, Any]]:
    """Users and tags as they are, by name: "the latest" would be the new version the moment it is ready."""
    users = [{"type": REVISION, "revision": name, "percent": share} for name, share in served(found).items()]
    return [*users, *_other_tags(found, without)]


def _other_tags(found: Mapping[str, Any], without: str) -> list[dict[str, Any]]:
    ready = _short(found.get("latestReadyRevision", ""))
    return [
        {"type": REVISION, "revision": status.get("revision") or ready, "tag": status["tag"]}
        for status in found.get("trafficStatuses", [])
        if status.get("tag") and status["tag"] != without
    ]


def _short(name: str) -> str:
    return name.rpartition("/")[2]


def _moving(found: Mapping[str, Any]) -> str:
    seen, wanted = found.get("observedGeneration"), found.get("generation")
    if not found.get("reconciling") and (seen == wanted or seen is None):
        return ""
    said = found.get("terminalCondition", {}).get("message")
    return f"Cloud Run is at work on it{': ' + said if said else ''}"


def _trouble(found: Mapping[str, Any]) -> str:
    condition = found.get("terminalCondition", {})
    return _said(condition) if condition.get("state") == "CONDITION_FAILED" else ""


def _said(condition: Mapping[str, Any]) -> str:
    reason = condition.get("revisionReason") or condition.get("reason") or condition.get("state", "")
    return f"{condition.get('message') or 'no reason given'} ({reason})"


def _health(found: Mapping[str, Any]) -> tuple[Health, str]:
    conditions = {condition.get("type"): condition for condition in found.get("conditions", [])}
    ready = conditions.get("Ready", {})
    state = ready.get("state")
    if state == "CONDITION_FAILED":
        return Health.FAILED, _said(ready)
    if state == "CONDITION_SUCCEEDED":
        return Health.READY, ""
    return Health.COMING, f"its revision is not ready yet{': ' + ready['message'] if ready.get('message') else ''}"


def _stamp(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _now() -> str:
    return _stamp(time.time())
