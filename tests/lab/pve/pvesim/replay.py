# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends a recording's requests to a simulator and compares the answers.

A recording has gaps, and it lacks what its requests do not carry: token secrets, what a guest's agent does, files
laid on a node by hand. repairs.py and explain.py make up for that before a row is sent; whatever they do is a
request to the simulator itself, and the row is then answered by its own code.
"""

from __future__ import annotations

import gzip
import json
import pickle
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from . import auth, tasks
from .app import App, Request
from .compare import difference, masked
from .explain import candidates
from .repairs import Repairs, api_path, told_later
from .routes import ROUTES
from .world import Clock, Fleet, Site

ROOT = "root@pam"
# What a task says when a program on the node, or the hypervisor, did not do its part.
_HOST = re.compile(r"command '.*' failed|exit code \d+|QMP|monitor socket|unable to connect to|got signal \d+")


@dataclass
class Verdict:
    n: int
    method: str
    path: str
    kind: str  # matched, different, unknown
    why: str = ""
    repaired: bool = False


@dataclass
class Report:
    verdicts: list[Verdict] = field(default_factory=list)

    def count(self, kind: str) -> int:
        return sum(v.kind == kind for v in self.verdicts)


def read(path: Path) -> list[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def _time_of(text: str) -> int | None:
    match = re.search(r"UPID:[^:]+:[0-9A-F]{8}:[0-9A-F]{8,9}:([0-9A-F]{8}):", text)
    return int(match[1], 16) if match else None


class Replay:
    """One recording against one simulator, row by row."""

    def __init__(self, rows: list[dict[str, Any]], *, repair: bool = True) -> None:
        self.rows, self.repair = rows, repair
        self.report = Report()
        self.upids: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        self.said = ""
        self.app = self._world(rows[0] if rows else {})

    # --- the world at the start

    def _world(self, row: dict[str, Any]) -> App:
        later = self.rows[self.rows.index(row) :] if row in self.rows else []
        start = next((t for r in later if (t := _time_of(json.dumps(r.get("body"))))), 1_795_228_000)
        fleet = Fleet(Clock(0.0, float(start)), seed=1)
        name = next((m[1] for r in later if (m := re.match(r"/nodes/([^/]+)", api_path(r["path"])))), "pve1")
        fleet.add_node(name, 0)
        # What recordings are made on: nobody carries out what is asked of high availability.
        fleet.ha_manager = False
        app = App(fleet)
        self.upids, self.digests = {}, {}
        return app

    @property
    def site(self) -> Site:
        return self.app.fleet.sites[0]

    @property
    def node(self) -> str:
        return next(iter(self.site.nodes))

    # --- one row

    def run(self) -> Report:
        for index, row in enumerate(self.rows):
            if row.get("fresh_node") and index:
                self.app = self._world(row)
            self.report.verdicts.append(self._row(index, row))
        return self.report

    def _row(self, index: int, row: dict[str, Any]) -> Verdict:
        verdict = Verdict(row.get("n", index), row["method"], api_path(row["path"]), "matched")
        if not self._implemented(row):
            verdict.kind = "unknown"
            return verdict
        self._clock(row)
        repairs = Repairs(self, index, row)
        failed_there = row["method"] != "GET" and _HOST.search(told_later(self, index, row))
        kept = self._keep() if self.repair and (repairs.gap or failed_there) else b""
        why, later = self._attempt(repairs)
        if kept and (why or later) and self._explained(repairs, kept, why):
            why = ""
        verdict.why, verdict.repaired = why, repairs.done
        verdict.kind = "different" if why else "matched"
        return verdict

    def _attempt(self, repairs: Repairs) -> tuple[str, str]:
        """Send the row; how its answer differs, and how the end of its task does from what is told later."""
        index, row = repairs.index, repairs.row
        repairs.run(lost=self.repair)
        response = self.app.handle(self._request(row))
        text = response.body.decode("utf-8", "replace")
        try:
            body = json.loads(text) if response.content_type.startswith("application/json") else text
        except ValueError:
            body = text
        why = difference(
            api_path(row["path"]), row, {"status": response.status, "reason": response.reason, "body": body}
        )
        self._learn(row, body)
        if not self._burst(index):
            tasks.settle(self.app.fleet)
        self.said = response.reason if response.status >= 400 else ""
        if isinstance(body, dict) and body.get("errors"):
            self.said += " " + " ".join(body["errors"].values())
        end = told_later(self, index, row)
        data = body.get("data") if isinstance(body, dict) else None
        task = self.site.tasks.get(data) if isinstance(data, str) else None
        if isinstance(data, dict) and "exitstatus" in data:
            self.said = str(data["exitstatus"])
        later = ""
        if task and task.status and end and masked(task.status) != masked(end):
            self.said = later = task.status
        return why, later

    def _explained(self, repairs: Repairs, kept: bytes, why: str) -> bool:
        """Look for missing requests after which the row is answered as recorded; the world is left accordingly."""
        said, index, row = self.said, repairs.index, repairs.row
        self._restore(kept)
        for actions in list(candidates(self, index, row, said)):
            for method, path, params in actions:
                self.send(method, path, params)
                tasks.settle(self.app.fleet)
            again = Repairs(self, index, row)
            now, later = self._attempt(again)
            if not now and not later:
                repairs.done = True
                return True
            self._restore(kept)
        if self._host_failed(repairs):
            return True
        self._attempt(Repairs(self, index, row))
        return not why

    def _host_failed(self, repairs: Repairs) -> bool:
        """A task that ended because a program on the node failed: that is no matter of the API."""
        end = told_later(self, repairs.index, repairs.row)
        if repairs.row["method"] == "GET" or not _HOST.search(end):
            return False
        self.app.fleet.spoil = {"kind": "error", "text": end}
        why, later = self._attempt(Repairs(self, repairs.index, repairs.row))
        return not why and not later

    def _keep(self) -> bytes:
        return pickle.dumps((self.app.fleet.sites, self.upids, self.digests))

    def _restore(self, kept: bytes) -> None:
        # The bytes were made by _keep() of this very object.
        self.app.fleet.sites, self.upids, self.digests = pickle.loads(kept)  # noqa: S301  # see above
        self.app.fleet.agenda.clear()
        self.app.fleet.jobs.clear()
        self.app.fleet.spoil = {}

    def _implemented(self, row: dict[str, Any]) -> bool:
        path = "/" + "/".join(p for p in api_path(row["path"]).split("/") if p)
        found = self.app.matcher.find(row["method"], path)
        if found is None:
            return row["status"] in (501, 500) or "/api2/extjs" in row["path"]
        return (row["method"], found[0]) in ROUTES

    def _burst(self, index: int) -> bool:
        """Equal requests one after the other were sent side by side: their tasks overlap."""
        if index + 1 >= len(self.rows):
            return False
        here, then = self.rows[index], self.rows[index + 1]
        return here["method"] == "POST" and all(here.get(k) == then.get(k) for k in ("method", "path", "params"))

    def _clock(self, row: dict[str, Any]) -> None:
        when = _time_of(json.dumps(row.get("body"))) if row["method"] != "GET" else None
        now = self.app.fleet.clock.now()
        if when and when > now:
            self.app.fleet.clock.skip(when - now)

    def _learn(self, row: dict[str, Any], body: Any) -> None:
        want = row.get("body")
        if not isinstance(want, dict) or not isinstance(body, dict):
            return
        before, after = want.get("data"), body.get("data")
        if isinstance(before, str) and before.startswith("UPID:") and isinstance(after, str):
            self.upids[before] = after
        if isinstance(before, dict) and isinstance(after, dict) and "digest" in before and "digest" in after:
            self.digests[str(before["digest"])] = str(after["digest"])

    # --- the request

    def _request(self, row: dict[str, Any]) -> Request:
        params, encoding, method = row.get("params"), row.get("encoding"), row["method"]
        path, body = self._translate(row["path"]), b""
        headers = {name.lower(): value for name, value in (row.get("headers") or {}).items()}
        if isinstance(params, str):
            match = re.fullmatch(r"\((\w+) of (\d+) characters\)", params)
            body = (f"{match[1]}={'x' * int(match[2])}" if match else params).encode()
        elif params and (method in ("GET", "DELETE") or encoding == "query"):
            path += "?" + urlencode(params, doseq=True)
        elif params and encoding == "json":
            body = json.dumps(self._digested(params, row)).encode()
            headers.setdefault("content-type", "application/json")
        elif params:
            body = urlencode(self._digested(params, row), doseq=True).encode()
        headers.update(self._login(row, headers))
        return Request(method, path, headers, body, self.node)

    def _digested(self, params: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
        digest = params.get("digest")
        if digest is None:
            return params
        match = re.search(r"/qemu/(\d+)/", row["path"])
        guest = self.site.guests.get(int(match[1])) if match else None
        known = self.digests.get(digest, digest)
        # One that was accepted was the newest, even where the row it was read from is missing.
        return {**params, "digest": guest.digest if guest and row["status"] == 200 else known}

    def _translate(self, path: str) -> str:
        for before, after in self.upids.items():
            path = path.replace(before, after)
        return quote(path, safe="/:@!?=&%+,;()*'~.-_<>") if " " in path else path

    def _login(self, row: dict[str, Any], headers: dict[str, str]) -> dict[str, str]:
        who = row.get("as", ROOT)
        fleet, site = self.app.fleet, self.site
        if who is None:
            if "authorization" in headers:
                return {"authorization": self._secret_in(headers["authorization"])}
            return {}
        if who.startswith("token:"):
            user, _unused, name = who[len("token:") :].partition("!")
            token = site.users.get(user, {}).get("tokens", {}).get(name)
            # Secrets are not in a recording; that one was wrong shows only in the refusal.
            secret = token["secret"] if token and row["status"] != 401 else "wrong"
            return {"authorization": f"PVEAPIToken={user}!{name}={secret}"}
        now = fleet.clock.now()
        ticket = quote(auth.ticket(site, who, now), safe="")
        return {"cookie": f"PVEAuthCookie={ticket}", "csrfpreventiontoken": auth.csrf(site, who, now)}

    def _secret_in(self, header: str) -> str:
        match = re.match(r"(PVEAPIToken[= ])([^!]+)!([^=]+)=", header)
        token = self.site.users.get(match[2], {}).get("tokens", {}).get(match[3]) if match else None
        return f"{match[1]}{match[2]}!{match[3]}={token['secret']}" if match and token else header

    def send(self, method: str, path: str, params: dict[str, Any] | None = None) -> Any:
        """A request of our own, as root."""
        row = {"method": method, "path": f"/api2/json{path}", "params": params, "status": 200, "encoding": "form"}
        response = self.app.handle(self._request(row))
        try:
            return json.loads(response.body).get("data") if response.status == 200 else None
        except ValueError:
            return None
