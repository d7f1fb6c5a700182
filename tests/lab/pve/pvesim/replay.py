# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends a recording's requests to a simulator and compares the answers.

A recording has gaps, and it lacks what its requests do not carry: token secrets, what a guest's agent does, files laid on a
node by hand. `Facts` takes these from the recording as a whole, never from a row's own answer where the API could have
produced it.
"""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from . import auth, tasks
from .app import App, Request
from .compare import difference
from .routes import ROUTES
from .world import Clock, Fleet, Guest, Site, Volume, fresh_node

ROOT = "root@pam"
_UPID = re.compile(r"UPID:[^\s'\"/]+?:[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:[^:\s]+:[^:\s]*:[^:\s/]+:")


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


def _api(path: str) -> str:
    return re.sub(r"^/api2/\w+", "", path)


def _time_of(text: str) -> int | None:
    match = re.search(r"UPID:[^:]+:[0-9A-F]{8}:[0-9A-F]{8,9}:([0-9A-F]{8}):", text)
    return int(match[1], 16) if match else None


class Replay:
    """One recording against one simulator, row by row."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.report = Report()
        self.upids: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        self.previous = -1
        self.gap = False
        self.app = self._world(rows[0] if rows else {})

    # --- the world at the start

    def _world(self, row: dict[str, Any]) -> App:
        later = self.rows[self.rows.index(row) :] if row in self.rows else []
        start = next((t for r in later if (t := _time_of(json.dumps(r.get("body"))))), 1_795_228_000)
        fleet = Fleet(Clock(0.0, float(start)), seed=1)
        name = next((m[1] for r in later if (m := re.match(r"/nodes/([^/]+)", _api(r["path"])))), "pve1")
        fleet.add_node(name, 0)
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
            self.gap = row.get("n", 0) != self.previous + 1
            self.previous = row.get("n", self.previous + 1)
            self.report.verdicts.append(self._row(index, row))
        return self.report

    def _row(self, index: int, row: dict[str, Any]) -> Verdict:
        path = _api(urlsplit(row["path"]).path)
        verdict = Verdict(row.get("n", index), row["method"], path, "matched")
        if not self._implemented(row):
            verdict.kind = "unknown"
            return verdict
        self._clock(row)
        repairs = Repairs(self, index, row)
        repairs.run()
        verdict.repaired = repairs.done
        response = self.app.handle(self._request(row))
        text = response.body.decode("utf-8", "replace")
        try:
            body = json.loads(text) if response.content_type.startswith("application/json") else text
        except ValueError:
            body = text
        answer = {"status": response.status, "reason": response.reason, "body": body}
        verdict.why = difference(path, row, answer)
        verdict.kind = "different" if verdict.why else "matched"
        self._learn(row, body)
        if not self._burst(index):
            tasks.settle(self.app.fleet)
        return verdict

    def _implemented(self, row: dict[str, Any]) -> bool:
        path = "/" + "/".join(p for p in _api(urlsplit(row["path"]).path).split("/") if p)
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
            body = json.dumps(self._digested(params)).encode()
            headers.setdefault("content-type", "application/json")
        elif params:
            body = urlencode(self._digested(params), doseq=True).encode()
        headers.update(self._login(row, headers))
        return Request(method, path, headers, body, self.node)

    def _digested(self, params: dict[str, Any]) -> dict[str, Any]:
        return {k: self.digests.get(v, v) if k == "digest" else v for k, v in params.items()}

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
            user, _, name = who[len("token:") :].partition("!")
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


class Repairs:
    """What the recording shows to have happened although no row of it makes it happen."""

    def __init__(self, replay: Replay, index: int, row: dict[str, Any]) -> None:
        self.replay, self.index, self.row = replay, index, row
        self.done = False

    def run(self) -> None:
        self._guest_side()
        self._files()
        self._unreachable_node()
        self._lost_task()

    def _later(self, text: str) -> list[dict[str, Any]]:
        return [row for row in self.replay.rows[self.index :] if text in row["path"]]

    def _guest(self) -> Guest | None:
        match = re.search(r"/qemu/(\d+)", self.row["path"])
        return self.replay.site.guests.get(int(match[1])) if match else None

    def _guest_side(self) -> None:
        """Whether an agent answers and whether a guest heeds the power button is decided inside the guest."""
        guest = self._guest()
        if guest is None:
            return
        path, body = self.row["path"], self.row.get("body") or {}
        if "/agent/" in path:
            guest.agent["down"] = "agent is not running" in (self.row.get("reason") or "")
        if path.endswith("/agent/exec-status") and isinstance(body.get("data"), dict):
            # Another process than the last: what it printed is the guest's own affair.
            jobs = guest.agent.get("jobs", {})
            pid = str((self.row.get("params") or {}).get("pid"))
            if jobs and pid in jobs:
                jobs[pid] = jobs[max(jobs)]
        if path.endswith(("/shutdown", "/reboot")) and isinstance(body.get("data"), str):
            lines = json.dumps([row.get("body") for row in self._later(body["data"])])
            guest.agent["deaf"] = "got timeout" in lines or "terminating now with SIGTERM" in lines

    def _files(self) -> None:
        """Images laid on the node by hand before they are imported."""
        params = self.row.get("params")
        sources = re.findall(r"import-from=([^,\"]+)", json.dumps(params)) if isinstance(params, dict) else []
        for source in sources:
            if self.row["status"] != 200 or "/base-" in source:
                continue
            size = 3 * 1024**3
            if source.startswith("/"):
                self.replay.site.nodes[self.replay.node].files.setdefault(source, size)
            elif ":import/" in source:
                storage = self.replay.site.storage(source.partition(":")[0])
                storage.on(self.replay.node).setdefault(
                    source, Volume(source, size, source.rpartition(".")[2], "import")
                )

    def _unreachable_node(self) -> None:
        match = re.match(r"/nodes/([^/]+)", _api(self.row["path"]))
        if self.row["status"] == 595 and match and match[1] not in self.replay.site.nodes:
            node = fresh_node(match[1], len(self.replay.site.nodes), self.replay.app.fleet.clock.now())
            node.online = False
            self.replay.site.nodes[match[1]] = node
            self.done = True

    def _lost_task(self) -> None:
        """A task whose beginning is missing: send what began it, as far as the recording tells."""
        match = _UPID.search(self.row["path"])
        if not match or match[0] in self.replay.upids or self.row["status"] != 200:
            return
        upid = match[0]
        node, kind, ident = upid.split(":")[1], upid.split(":")[5], upid.split(":")[6]
        rows = [row.get("body") or {} for row in self._later(upid)]
        told = json.dumps(rows)
        self.done = True
        got = self._again(kind, ident, node, told)
        if not isinstance(got, str):
            # It leaves no trace in the world that could be told from here.
            got = tasks.submit(
                self.replay.app.fleet, self.replay.site, node, upid.split(":")[7], kind, ident, lambda _task: None
            )
        tasks.settle(self.replay.app.fleet)
        self.replay.upids[upid] = got

    def _again(self, kind: str, ident: str, node: str, told: str) -> Any:
        base = f"/nodes/{node}/qemu/{ident}"
        power = {
            "qmstart": "start",
            "qmstop": "stop",
            "qmshutdown": "shutdown",
            "qmreboot": "reboot",
            "qmresume": "resume",
        }
        send = self.replay.send
        if kind in power:
            return send("POST", f"{base}/status/{power[kind]}")
        if kind == "qmtemplate":
            return send("POST", f"{base}/template")
        if kind == "qmdestroy":
            return send("DELETE", base)
        if kind == "qmsnapshot":
            name = re.search(r"snapshot name '([^']+)' already used", told)
            return send("POST", f"{base}/snapshot", {"snapname": name[1] if name else "snap"})
        if kind == "qmclone":
            return self._clone(base, told)
        if kind == "qmconfig":
            line = re.search(r"update VM \d+: ((?:-\S+ \S+ ?)+)", told)
            pairs = dict(re.findall(r"-(\S+) (\S+)", line[1])) if line else {}
            return send("POST", f"{base}/config", pairs) if pairs else None
        if kind == "qmcreate" and int(ident) not in self.replay.site.guests:
            return self._create(node, ident, told)
        return None

    def _clone(self, base: str, told: str) -> Any:
        match = re.search(r"creating a clone of VM \d+ with ID (\d+)", told)
        if not match:
            return None
        params: dict[str, Any] = {"newid": match[1]}
        if "create full clone of drive scsi" in told or "create full clone of drive virtio" in told:
            params["full"] = 1
        config = next((r["body"]["data"] for r in self._later(f"/qemu/{match[1]}/config") if r["status"] == 200), None)
        if config and isinstance(config, dict) and "name" in config:
            params["name"] = config["name"]
            if "description" in config:
                params["description"] = config["description"]
        return self.replay.send("POST", f"{base}/clone", params)

    def _create(self, node: str, vmid: str, told: str) -> Any:
        params: dict[str, Any] = {"vmid": vmid}
        config = next((r["body"]["data"] for r in self._later(f"/qemu/{vmid}/config") if r["status"] == 200), None)
        made = dict(re.findall(r"(\w+\d): successfully created disk '([^']+)'", told))
        for key, text in made.items():
            volid, _, options = text.partition(",")
            size = re.search(r"size=(\d+)G", options)
            storage = volid.partition(":")[0]
            fmt = volid.rpartition(".")[2]
            params[key] = (
                f"{storage}:cloudinit" if "cloudinit" in volid else f"{storage}:{size[1] if size else 1},format={fmt}"
            )
        for key, value in (config or {}).items():
            if not re.fullmatch(r"digest|meta|smbios1|vmgenid|boot|(?:scsi|ide|sata|virtio|unused)\d+", key):
                params[key] = value
        return self.replay.send("POST", f"/nodes/{node}/qemu", params)
