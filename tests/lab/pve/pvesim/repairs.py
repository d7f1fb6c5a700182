# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a simulator into the state a recorded row was made in, where the recording does not lead there.

Three kinds of things are missing from a recording: what no request carries (an agent that is down, a guest that
ignores the power button, a hypervisor that could not do what it was asked, files laid on a node), requests whose
rows were removed, and the overlap of requests sent side by side. A removed request is sent again through the API
itself, as far as other rows tell what it was, and only where the numbering shows that rows are missing since the
same object was last touched. The row that follows is then answered by the simulator's own code and compared like
any other.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import disks, tasks
from .errors import TaskError
from .world import Guest, Task, Volume, fresh_node

if TYPE_CHECKING:
    from .replay import Replay

_UPID = re.compile(r"UPID:[^\s'\"/]+?:[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:[^:\s]+:[^:\s]*:[^:\s/]+:")
# Never sent again: made by the server, or tied to a volume.
_OWN = re.compile(r"digest|meta|smbios1|vmgenid|boot|parent|snaptime|lock|template|sshkeys|cipassword")


def api_path(path: str) -> str:
    return re.sub(r"^/api2/\w+", "", urlsplit(path).path)


def told_later(replay: Replay, index: int, row: dict[str, Any]) -> str:
    """How the task a row started, or asks about, came to its end."""
    data = (row.get("body") or {}).get("data") if isinstance(row.get("body"), dict) else None
    if isinstance(data, dict) and "exitstatus" in data:
        return str(data["exitstatus"])
    if not (isinstance(data, str) and data.startswith("UPID:")):
        return ""
    for later in replay.rows[index + 1 :]:
        body = (later.get("body") or {}).get("data") if isinstance(later.get("body"), dict) else None
        if data in later["path"] and isinstance(body, dict) and "exitstatus" in body:
            return str(body["exitstatus"])
        if data in later["path"] and isinstance(body, list) and body and "t" in body[-1]:
            text = str(body[-1]["t"])
            return "OK" if text == "TASK OK" else text.removeprefix("TASK ERROR: ")
    return ""


def _object(path: str) -> str:
    """The guest, storage, pool ... a path is about."""
    match = re.match(r"/nodes/[^/]+/(?:qemu/\d+|storage/[^/]+|network)|/(?:[a-z]+)(?:/[^/]+){0,2}", path)
    return re.sub(r"/nodes/[^/]+", "", match[0]) if match else path


class Repairs:
    """What the recording shows to have happened although no row of it makes it happen."""

    def __init__(self, replay: Replay, index: int, row: dict[str, Any]) -> None:
        self.replay, self.index, self.row = replay, index, row
        self.done = False
        self.path = api_path(row["path"])
        self.gap = self._rows_missing()

    def _rows_missing(self) -> bool:
        """Whether rows were removed since the object was last touched or, for a reading row, last read that way."""
        mine, reads = _object(self.path), self.row["method"] == "GET"
        n = self.row.get("n", self.index)
        before = [
            row
            for row in self.replay.rows[: self.index]
            if (api_path(row["path"]) == self.path if reads else _object(api_path(row["path"])) == mine)
        ]
        start = before[-1].get("n", 0) if before else -1
        kept = sum(start < row.get("n", i) < n for i, row in enumerate(self.replay.rows[: self.index]))
        return bool(n - start - 1 > kept)

    def _send(self, method: str, path: str, params: dict[str, Any] | None = None) -> Any:
        self.done = True
        got = self.replay.send(method, path, params)
        tasks.settle(self.replay.app.fleet)
        return got

    def run(self, *, lost: bool) -> None:
        self.gap = self.gap and lost
        self._guest_side()
        self._hypervisor()
        self._files()
        self._unreachable_node()
        if self.gap:
            self._lost_user_change()
            self._lost_condition()
        self._lost_task()
        if self.gap and self.row["method"] == "GET" and self.row["status"] == 200:
            self._lost_writes()

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

    def _hypervisor(self) -> None:
        """What a stand-in for a hypervisor or corosync failed to do: a recording shows only that it was not done."""
        body = self.row.get("body") or {}
        if self.row["method"] != "POST" or not isinstance(body.get("data"), str):
            return
        params = self.row.get("params") or {}
        guest = self._guest()
        failed = False
        if self.path.endswith("/clone") and guest and guest.running:
            rows = self._later(f"/qemu/{params.get('newid')}/config")
            failed = bool(rows) and rows[0]["status"] == 500
        elif self.path == "/cluster/config":
            later = self.replay.rows[self.index + 1 :]
            asked = [row for row in later if api_path(row["path"]).startswith("/cluster/config")]
            failed = any(row["status"] == 424 or "invalid corosync" in str(row.get("reason")) for row in asked[:5])
        if failed:
            self.replay.app.fleet.spoil = {"kind": "error", "text": "the stand-in could not do it"}

    def _lost_user_change(self) -> None:
        """A user who is let in although the last thing seen was that it is disabled; rights it is seen to have."""
        who = self.row.get("as")
        site = self.replay.site
        if not who or self.row["status"] == 401:
            return
        if who.startswith("token:"):
            user, _unused, name = who[len("token:") :].partition("!")
            if name and name not in site.users.get(user, {}).get("tokens", {}):
                self._send("POST", "/access/users", {"userid": user})
                self._send("POST", f"/access/users/{user}/token/{name}", {"privsep": int(user != "root@pam")})
            return
        if who in site.users and not site.user_enabled(who):
            self._send("PUT", f"/access/users/{who}", {"enable": 1})
        told = str(self.row.get("reason") or "")
        if "/qemu/" not in self.path or "(/vms/" in told:
            return
        passed = self.row["status"] in (200, 403) or "only root" in told
        names = sorted(_needed(self.row)) if passed else []
        match = re.search(r"/qemu/(\d+)", self.path)
        if names and match:
            self._send("POST", "/access/roles", {"roleid": "Lost", "privs": ",".join(names)})
            self._send("PUT", "/access/roles/Lost", {"privs": ",".join(names), "append": 1})
            self._send("PUT", "/access/acl", {"path": f"/vms/{match[1]}", "roles": "Lost", "users": who})
            own = [
                role for (_kind, user, role) in site.acl.get(f"/vms/{match[1]}", {}) if user == who and role != "Lost"
            ]
            if own:
                self._send("PUT", f"/access/roles/{own[0]}", {"privs": ",".join(names), "append": 1})

    def _lost_condition(self) -> None:
        """A refusal that tells what must have been so before."""
        told, site = str(self.row.get("reason") or ""), self.replay.site
        answer = (self.row.get("body") or {}).get("data") if isinstance(self.row.get("body"), dict) else None
        if isinstance(answer, str) and answer.startswith("UPID:"):
            told += json.dumps([row.get("body") for row in self._later(answer)])
        guest, base = self._guest(), self.path
        if guest and "protection mode enabled" in told and not guest.conf.get("protection"):
            self._send("PUT", re.sub(r"(/qemu/\d+).*", r"\1/config", base), {"protection": 1})
        disk = re.search(r"disk '(\w+)' does not exist", told)
        if guest and disk and disk[1] in guest.conf:
            self._send("PUT", re.sub(r"(/qemu/\d+).*", r"\1/config", base), {"delete": disk[1], "force": 1})
        gone = re.search(
            r"qemu-server/(\d+)\.conf' does not exist|configuration file for VM (\d+)|VM/CT (\d+) does not", told
        )
        if gone:
            vmid = next(number for number in gone.groups() if number)
            if int(vmid) in site.guests:
                node = site.guests[int(vmid)].node
                self._send("DELETE", f"/nodes/{node}/qemu/{vmid}")
        again = ("already exists" in told and "disk image" in told) or "already a pool member" in told
        gone_again = self.row["method"] == "DELETE" and re.search(r"storage '[^']+' does not exist", told)
        if again or gone_again:
            self._send(self.row["method"], base, self.row.get("params"))

    # --- writes whose rows are missing

    def _lost_writes(self) -> None:
        data = (self.row.get("body") or {}).get("data") if isinstance(self.row.get("body"), dict) else None
        if re.fullmatch(r"/nodes/[^/]+/qemu/\d+/config", self.path) and isinstance(data, dict):
            self._config(self.path, data)
        elif self.path.endswith("/pending") and isinstance(data, list):
            self._pending(self.path.replace("/pending", "/config"), data)
        elif re.fullmatch(r"/nodes/[^/]+/network/[^/]+", self.path) and isinstance(data, dict):
            self._interface(data)
        elif re.fullmatch(r"/access/(?:users|groups)/[^/]+", self.path) and isinstance(data, dict):
            self._membership(data)
        elif self.path == "/access/acl" and isinstance(data, list):
            self._acl(data)
        elif re.fullmatch(r"/storage/[^/]+", self.path) and isinstance(data, dict):
            self._storage(data)
        elif self.path == "/cluster/options" and isinstance(data, dict):
            self._options(data)
        elif self.path == "/cluster/ha/rules" and isinstance(data, list):
            self._rules(data)
        elif self.path == "/cluster/sdn/vnets" and isinstance(data, list):
            names = {row.get("vnet") for row in data}
            sdn = self.replay.site.sdn
            if names - set(sdn["vnets"]) and names <= set(sdn["running"].get("vnets", {})):
                self._send("POST", "/cluster/sdn/rollback")

    def _config(self, url: str, want: dict[str, Any]) -> None:
        guest = self._guest()
        if guest is None:
            return
        query = self.row.get("params") or {}
        have = guest.conf if query.get("current") else guest.merged()
        drives = {key for key in {*want, *have} if disks.is_drive(key)}
        gone = [k for k in have if k not in want and not _OWN.fullmatch(k) and not disks.UNUSED.fullmatch(k)]
        unused = {str(v): k for k, v in have.items() if disks.UNUSED.fullmatch(k)}
        kept = any(disks.UNUSED.fullmatch(key) for key in want)
        for key in gone:
            moved = next((k for k in drives if k in want and k not in have), None) if disks.is_drive(key) else None
            self._send(
                "PUT", url, {"delete": key, **({} if kept or moved or not disks.is_drive(key) else {"force": 1})}
            )
        for key in sorted(set(want) - set(have)):
            if disks.is_drive(key):
                self._disk(url, key, str(want[key]), unused)
            elif not _OWN.fullmatch(key) and not disks.UNUSED.fullmatch(key):
                self._send("PUT", url, {key: want[key]})
        left = [k for k in guest.merged() if disks.UNUSED.fullmatch(k) and k not in want]
        for key in left:
            self._send("PUT", url, {"delete": key})

    def _disk(self, url: str, key: str, text: str, unused: dict[str, str]) -> None:
        volid, _unused, options = text.partition(",")
        options = ",".join(part for part in options.split(",") if part and not part.startswith("size="))
        storage, fmt = volid.partition(":")[0], volid.rpartition(".")[2]
        spare = next((v for v in unused if v.rpartition(".")[2] == fmt), None)
        file = spare or f"{storage}:1,format={fmt}"
        self._send("PUT", url, {key: f"{file},{options}" if options else file})

    def _pending(self, url: str, rows: list[dict[str, Any]]) -> None:
        guest = self._guest()
        if guest is None:
            return
        now = {row["key"]: row["value"] for row in rows if "value" in row and not disks.is_drive(row["key"])}
        then = {row["key"]: row["pending"] for row in rows if "pending" in row}
        for key, value in {**now, **then}.items():
            held = guest.merged() if key in then else guest.conf
            if not _OWN.fullmatch(key) and not disks.UNUSED.fullmatch(key) and held.get(key) != value:
                self._send("PUT", url, {key: value})
        for row in rows:
            if row.get("delete") and row["key"] not in guest.deletes:
                self._send("PUT", url, {"delete": row["key"], **({"force": 1} if row["delete"] == 2 else {})})
        for key in [key for key in guest.pending if key not in then]:
            self._send("PUT", url, {"revert": key})

    def _interface(self, want: dict[str, Any]) -> None:
        name = self.path.rpartition("/")[2]
        have = self.replay.site.nodes[self.replay.node]
        staged = (have.staged or have.interfaces).get(name)
        if staged is not None and "cidr" in want and "cidr" not in staged:
            self._send("PUT", self.path, {"type": want["type"], "cidr": want["cidr"]})

    def _acl(self, want: list[dict[str, Any]]) -> None:
        held = {(path, *who) for path, rows in self.replay.site.acl.items() for who in rows}
        for row in want:
            if (row["path"], row["type"], row["ugid"], row["roleid"]) not in held:
                kinds = {"user": "users", "group": "groups", "token": "tokens"}
                keys = {"path": row["path"], "roles": row["roleid"], "propagate": row["propagate"]}
                self._send("POST", "/access/roles", {"roleid": row["roleid"]})
                self._send("POST", "/access/groups" if row["type"] == "group" else "/access/users", _principal(row))
                self._send("PUT", "/access/acl", {**keys, kinds[row["type"]]: row["ugid"]})
        seen = {(row["path"], row["type"], row["ugid"], row["roleid"]) for row in want}
        for path, kind, who, role in held - seen:
            self._send("PUT", "/access/acl", {"path": path, f"{kind}s": who, "roles": role, "delete": 1})

    def _storage(self, want: dict[str, Any]) -> None:
        name, site = self.path.rpartition("/")[2], self.replay.site
        fields = {key: value for key, value in want.items() if key not in ("digest", "storage", "type", "path")}
        if name not in site.storages:
            made = {**want, **({} if want["type"] in ("dir", "btrfs") else {"path": None})}
            self._send("POST", "/storage", {k: v for k, v in made.items() if v is not None and k != "digest"})
            return
        gone = [k for k in site.storages[name].conf if k not in want and k not in ("path", "password")]
        if gone:
            self._send("PUT", self.path, {"delete": ",".join(gone)})
        missing = {k: v for k, v in fields.items() if k not in site.storages[name].conf}
        if missing:
            self._send("PUT", self.path, missing)

    def _membership(self, want: dict[str, Any]) -> None:
        site, name = self.replay.site, self.path.rpartition("/")[2]
        if "/users/" in self.path and name in site.users:
            missing: dict[str, Any] = {
                k: want[k] for k in ("comment", "email") if k in want and k not in site.users[name]
            }
            if missing:
                self._send("PUT", f"/access/users/{name}", missing)
        if "/users/" in self.path and name in site.users and set(want["groups"]) - set(site.users[name]["groups"]):
            self._send("PUT", f"/access/users/{name}", {"groups": ",".join(want["groups"])})
        if "/groups/" in self.path:
            for user in want["members"]:
                if user in site.users and name not in site.users[user]["groups"]:
                    self._send("PUT", f"/access/users/{user}", {"groups": name, "append": 1})

    def _options(self, want: dict[str, Any]) -> None:
        have = self.replay.site.options
        for key, value in want.items():
            if key in have or key in ("allowed-tags", "mac_prefix", "description"):
                continue
            text = ",".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else value
            self._send("PUT", "/cluster/options", {key: text})

    def _rules(self, want: list[dict[str, Any]]) -> None:
        for rule in want:
            if rule["rule"] not in self.replay.site.ha["rules"]:
                self._send("POST", "/cluster/ha/rules", {k: v for k, v in rule.items() if k not in ("digest", "order")})

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
        match = re.match(r"/nodes/([^/]+)", api_path(self.row["path"]))
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
            # What it did to the world cannot be told from here: it is laid down as over, with its end.
            end = told_later(self.replay, self.index, self.row)

            def over(_task: Task) -> None:
                if end not in ("", "OK"):
                    raise TaskError(end)

            got = tasks.submit(self.replay.app.fleet, self.replay.site, node, upid.split(":")[7], kind, ident, over)
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
            volid, _unused, options = text.partition(",")
            size = re.search(r"size=(\d+)G", options)
            storage = volid.partition(":")[0]
            fmt = volid.rpartition(".")[2]
            params[key] = (
                f"{storage}:cloudinit" if "cloudinit" in volid else f"{storage}:{size[1] if size else 1},format={fmt}"
            )
        own = r"digest|meta|smbios1|vmgenid|boot|(?:scsi|ide|sata|virtio|unused)\d+"
        params.update({key: value for key, value in (config or {}).items() if not re.fullmatch(own, key)})
        return self.replay.send("POST", f"/nodes/{node}/qemu", params)


def _principal(row: dict[str, Any]) -> dict[str, Any]:
    if row["type"] == "group":
        return {"groupid": row["ugid"]}
    return {"userid": row["ugid"].partition("!")[0]}


def _needed(row: dict[str, Any]) -> set[str]:
    """The privileges a configuration write by an ordinary user needs to come as far as it did."""
    from .config import privilege

    params = row.get("params")
    if row["method"] == "GET" or not isinstance(params, dict):
        return {"VM.Audit"}
    return {privilege(key) for key in params} | {"VM.Config.Options"}
