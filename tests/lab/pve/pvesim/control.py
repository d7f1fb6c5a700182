# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The back door for tests: faults, the request log, the clock, the world itself. Guarded by a random token."""

from __future__ import annotations

import dataclasses
import hmac
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import tasks, world
from .app import App


class Control:
    def __init__(self, app: App, token: str) -> None:
        self.app = app
        self.token = token
        self._fresh: dict[str, Any] = {}

    def remember(self) -> None:
        """What `reset` goes back to."""
        self._fresh = json.loads(json.dumps(self.app.fleet.dump()))

    def handle(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        if not hmac.compare_digest(headers.get("x-control-token", ""), self.token):
            return 403, {"error": "wrong control token"}
        url = urlsplit(target)
        action = getattr(self, f"_{method.lower()}_{url.path.rpartition('/')[2]}", None)
        if action is None:
            known = sorted(
                name[1:].replace("_", " ", 1) for name in dir(self) if name.startswith(("_get_", "_post_", "_delete_"))
            )
            return 404, {"error": f"no {method} {url.path}", "known": known}
        args = {name: values[0] for name, values in parse_qs(url.query).items()}
        try:
            args.update(json.loads(body) if body else {})
            with self.app.lock:
                tasks.advance(self.app.fleet)
                return 200, action(args)
        except (KeyError, ValueError, TypeError, StopIteration) as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}

    # --- faults and the log

    def _post_faults(self, args: dict[str, Any]) -> Any:
        return {"id": self.app.faults.add(args).id}

    def _get_faults(self, _args: dict[str, Any]) -> Any:
        return [{k: v for k, v in dataclasses.asdict(f).items() if k != "_dice"} for f in self.app.faults.rows]

    def _delete_faults(self, args: dict[str, Any]) -> Any:
        self.app.faults.clear(int(args["id"]) if "id" in args else None)

    def _get_log(self, args: dict[str, Any]) -> Any:
        return self.app.log[int(args.get("since", 0)) :]

    def _delete_log(self, _args: dict[str, Any]) -> Any:
        self.app.log.clear()

    # --- time

    def _post_clock(self, args: dict[str, Any]) -> Any:
        fleet = self.app.fleet
        if "speed" in args:
            now = fleet.clock.now()
            fleet.clock = world.Clock(float(args["speed"]), now)
        if "set" in args:
            fleet.clock = world.Clock(fleet.clock.speed, float(args["set"]))
        fleet.clock.skip(float(args.get("skip", 0)))
        tasks.advance(fleet)
        return {"now": fleet.clock.now(), "running": len(fleet.agenda)}

    def _post_settle(self, _args: dict[str, Any]) -> Any:
        tasks.settle(self.app.fleet)

    def _post_durations(self, args: dict[str, Any]) -> Any:
        self.app.fleet.durations.update({kind: float(seconds) for kind, seconds in args.items()})
        return self.app.fleet.durations

    def _post_settings(self, args: dict[str, Any]) -> Any:
        """stat_interval, agent_patience, refusal_delay, servers."""
        fleet = self.app.fleet
        for name in ("stat_interval", "agent_patience"):
            if name in args:
                setattr(fleet, name, float(args[name]))
        if "refusal_delay" in args:
            self.app.refusal_delay = float(args["refusal_delay"])
        fleet.servers.update(args.get("servers", []))

    # --- the world

    def _get_dump(self, _args: dict[str, Any]) -> Any:
        return self.app.fleet.dump()

    def _post_load(self, args: dict[str, Any]) -> Any:
        self.app.fleet.load(args)
        self.app.cache.clear()

    def _post_reset(self, _args: dict[str, Any]) -> Any:
        self.app.faults.clear()
        self._post_load(json.loads(json.dumps(self._fresh)))
        self.app.log.clear()

    def _site(self, args: dict[str, Any]) -> world.Site:
        return self.app.fleet.site_of(args["node"]) if "node" in args else self.app.fleet.sites[0]

    def _post_guests(self, args: dict[str, Any]) -> Any:
        """Many guests at once: count, first (id), nodes, name (prefix), running, conf, disk (bytes), storage."""
        site, fleet = self._site(args), self.app.fleet
        nodes = args.get("nodes") or list(site.nodes)
        made = []
        for i in range(int(args.get("count", 1))):
            vmid = int(args.get("first", 100)) + i
            guest = world.Guest(vmid, nodes[i % len(nodes)], created=0.0)
            storage = site.storage(args.get("storage", "local"))
            name = f"{vmid}/vm-{vmid}-disk-0.qcow2" if storage.type in ("dir", "nfs", "cifs") else f"vm-{vmid}-disk-0"
            volid = f"{storage.storage}:{name}"
            size = int(args.get("disk", 8 * world.GIB))
            storage.on(guest.node)[volid] = world.Volume(volid, size, "qcow2", vmid=vmid, ctime=int(fleet.clock.now()))
            guest.conf = {
                "name": f"{args.get('name', 'guest')}-{vmid}",
                "memory": "1024",
                "cores": 2,
                "boot": "order=scsi0;net0",
                "scsi0": f"{volid},size={size // world.GIB}G",
                "net0": f"virtio={fleet.mac(site)},bridge=vmbr0",
                "smbios1": f"uuid={fleet.uuid()}",
                "vmgenid": fleet.uuid(),
                "meta": f"creation-qemu=11.0.0,ctime={int(fleet.clock.now())}",
                **args.get("conf", {}),
            }
            if args.get("running"):
                guest.running, guest.started, guest.pid = True, fleet.clock.now(), 1000 + i
                guest.powered = dict(guest.conf)
                self.app.backend.start(guest)
            site.guests[vmid] = guest
            made.append(vmid)
        site.revision += 1
        return made

    def _post_guest(self, args: dict[str, Any]) -> Any:
        """Something about one guest: agent (down, delay, deaf, interfaces), conf (merged in), running."""
        site = self._site(args)
        guest = site.guests[int(args["vmid"])]
        guest.agent.update(args.get("agent", {}))
        for key, value in args.get("conf", {}).items():
            if value is None:
                guest.conf.pop(key, None)
            else:
                guest.conf[key] = value
        if "running" in args:
            guest.running = bool(args["running"])
            guest.started = self.app.fleet.clock.now()
            guest.powered = dict(guest.conf) if guest.running else {}
            (self.app.backend.start if guest.running else lambda g: self.app.backend.stop(g, hard=True))(guest)
        site.revision += 1

    def _post_volume(self, args: dict[str, Any]) -> Any:
        """A volume that is simply there: node, volid, size, format, content, vmid."""
        site, node = self._site(args), args.get("node") or next(iter(self.app.fleet.sites[0].nodes))
        volid = args["volid"]
        volume = world.Volume(
            volid,
            int(args.get("size", world.GIB)),
            args.get("format", volid.rpartition(".")[2]),
            args.get("content", "images"),
            args.get("vmid"),
            ctime=int(self.app.fleet.clock.now()),
        )
        site.storage(volid.partition(":")[0]).on(node)[volid] = volume
        site.revision += 1

    def _post_file(self, args: dict[str, Any]) -> Any:
        """A file on a node, outside of any storage: node, path, size."""
        self.app.fleet.node(args["node"]).files[args["path"]] = int(args.get("size", world.GIB))

    def _post_storage(self, args: dict[str, Any]) -> Any:
        """How large a storage is, or whether it is full: storage, total, full."""
        storage = self._site(args).storage(args["storage"])
        storage.total = int(args.get("total", storage.total))
        storage.full = bool(args.get("full", storage.full))
        self._site(args).revision += 1

    def _post_node(self, args: dict[str, Any]) -> Any:
        """A node of the first site: name, online; made when it is not there."""
        fleet = self.app.fleet
        site = fleet.sites[0]
        name = args["name"]
        if name not in site.nodes:
            site.nodes[name] = world.fresh_node(name, len(site.nodes), fleet.clock.now())
            site.nodes[name].nodeid = len(site.nodes)
        site.nodes[name].online = bool(args.get("online", True))
        site.revision += 1
