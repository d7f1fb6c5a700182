# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What exists: sites (a standalone node or a cluster), their nodes, guests, storages and people.

Everything held here is plain data, so that a world can be written out and read back (`Fleet.dump`, `Fleet.load`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from . import privileges
from .errors import ApiError

GIB = 1024**3
RELEASE = {"release": "9.2", "version": "9.2.11", "repoid": "14a22df3"}
RECENT = 10.0


class Clock:
    """Seconds since the epoch, run `speed` times as fast as the wall and moved forward on request."""

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        self.speed = speed
        self._start = time.time() if start is None else start
        self._mark = time.monotonic()
        self._skipped = 0.0

    def now(self) -> float:
        return self._start + (time.monotonic() - self._mark) * self.speed + self._skipped

    def skip(self, seconds: float) -> None:
        self._skipped += seconds


def sha1(value: Any) -> str:
    return hashlib.sha1(json.dumps(value, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


@dataclass
class Guest:
    vmid: int
    node: str
    conf: dict[str, Any] = field(default_factory=dict)
    pending: dict[str, Any] = field(default_factory=dict)
    deletes: dict[str, int] = field(default_factory=dict)
    snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: bool = False
    paused: bool = False
    pid: int = 0
    started: float = 0.0
    created: float = 0.0
    cloudinit: dict[str, Any] = field(default_factory=dict)
    agent: dict[str, Any] = field(default_factory=dict)
    powered: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return sha1([self.conf, self.pending, self.deletes, self.snapshots])

    @property
    def name(self) -> str:
        return str(self.conf.get("name", f"VM {self.vmid}"))

    def merged(self) -> dict[str, Any]:
        """The configuration as it will be after the next full stop and start."""
        return {k: v for k, v in {**self.conf, **self.pending}.items() if k not in self.deletes}


@dataclass
class Volume:
    volid: str
    size: int
    format: str
    content: str = "images"
    vmid: int | None = None
    parent: str | None = None
    ctime: int = 0
    notes: str = ""
    protected: int = 0
    # The name of the image that it was made of, through all copies.
    origin: str = ""
    checksums: dict[str, str] = field(default_factory=dict)


@dataclass
class Storage:
    storage: str
    type: str
    conf: dict[str, Any] = field(default_factory=dict)
    total: int = 4 * GIB
    # node -> volume id -> volume; a shared storage keeps all under "".
    volumes: dict[str, dict[str, Volume]] = field(default_factory=dict)
    full: bool = False

    @property
    def shared(self) -> bool:
        return bool(self.conf.get("shared")) or self.type in ("nfs", "cifs", "cephfs", "rbd", "iscsi", "pbs", "esxi")

    def on(self, node: str) -> dict[str, Volume]:
        return self.volumes.setdefault("" if self.shared else node, {})

    def used(self, node: str) -> int:
        # What every empty file system of this size already holds, then a share of each image: they are sparse.
        return int(self.total * 0.02) + sum(min(v.size, max(v.size // 4, 4096)) for v in self.on(node).values())

    def allowed(self) -> set[str]:
        return set(str(self.conf.get("content", "")).split(","))

    def nodes(self) -> list[str]:
        return [n for n in str(self.conf.get("nodes", "")).split(",") if n]


@dataclass
class Node:
    name: str
    address: str
    fingerprint: str = ""
    online: bool = True
    nodeid: int = 1
    cpus: int = 16
    memory: int = 64 * GIB
    booted: float = 0.0
    interfaces: dict[str, dict[str, Any]] = field(default_factory=dict)
    staged: dict[str, dict[str, Any]] | None = None
    dns: dict[str, str] = field(default_factory=lambda: {"search": "test", "dns1": "127.0.0.1"})
    hosts: str = ""
    timezone: str = "UTC"
    conf: dict[str, Any] = field(default_factory=dict)
    firewall: dict[str, Any] = field(default_factory=dict)
    # Files outside any storage, by absolute path: their size in bytes.
    files: dict[str, int] = field(default_factory=dict)
    next_pid: int = 200
    # The cluster's links by number; without any, the first one is the node's own address.
    links: dict[str, str] = field(default_factory=dict)

    def rings(self) -> dict[str, str]:
        return {f"ring{number}_addr": address for number, address in (self.links or {"0": self.address}).items()}

    def listens_on(self, host: str) -> bool:
        addresses = {self.address, self.name, *self.links.values()}
        return host in addresses | {
            str(row.get("address", "")) for row in self.interfaces.values() if row.get("active")
        }


@dataclass
class Task:
    upid: str
    node: str
    type: str
    id: str
    user: str
    pid: int
    pstart: int
    starttime: int
    lines: list[str] = field(default_factory=list)
    endtime: int | None = None
    status: str | None = None

    def log(self) -> list[str]:
        return self.lines

    @property
    def warnings(self) -> int:
        return sum(line.startswith("WARN:") for line in self.lines)


def _password(text: str) -> str:
    salt = uuid.uuid4().hex
    return f"{salt}${hashlib.sha256((salt + text).encode()).hexdigest()}"


@dataclass
class Site:
    """One configuration database: a node on its own, or all the nodes of a cluster."""

    name: str
    nodes: dict[str, Node] = field(default_factory=dict)
    cluster: dict[str, Any] = field(default_factory=dict)
    guests: dict[int, Guest] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)
    pools: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    roles: dict[str, list[str]] = field(default_factory=dict)
    realms: dict[str, dict[str, Any]] = field(default_factory=dict)
    # path -> (user|group|token, who, role) -> propagate
    acl: dict[str, dict[tuple[str, str, str], int]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    firewall: dict[str, Any] = field(default_factory=dict)
    guest_firewalls: dict[int, dict[str, Any]] = field(default_factory=dict)
    ha: dict[str, dict[str, Any]] = field(default_factory=lambda: {"resources": {}, "rules": {}})
    sdn: dict[str, Any] = field(default_factory=lambda: {"zones": {}, "vnets": {}, "subnets": {}, "running": {}})
    backups: dict[str, dict[str, Any]] = field(default_factory=dict)
    replication: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    secret: str = ""
    quorum: bool = True
    # Bumped by every change, so that what was serialised once can be sent again.
    revision: int = 0

    def role(self, name: str) -> frozenset[str]:
        return privileges.ROLES[name] if name in privileges.ROLES else frozenset(self.roles.get(name, []))

    def user_enabled(self, userid: str, now: float | None = None) -> bool:
        user = self.users.get(userid)
        expire = user.get("expire", 0) if user else 0
        return bool(user and user.get("enable", 1) and (not expire or now is None or expire > now))

    def guest(self, vmid: int, node: str, text: str = "") -> Guest:
        guest = self.guests.get(vmid)
        if guest is None or guest.node != node:
            default = f"Configuration file 'nodes/{node}/qemu-server/{vmid}.conf' does not exist"
            raise ApiError(500, text or default)
        return guest

    def storage(self, name: str) -> Storage:
        if name not in self.storages:
            raise ApiError(500, f"storage '{name}' does not exist")
        return self.storages[name]

    def volume(self, volid: str, node: str) -> Volume | None:
        name = volid.partition(":")[0]
        return self.storages[name].on(node).get(volid) if name in self.storages else None

    def pool_of(self, vmid: int) -> str | None:
        return next((name for name, pool in self.pools.items() if vmid in pool["vms"]), None)

    def children(self, volid: str) -> list[str]:
        """Linked clones that stand on this volume."""
        return [
            v.volid
            for storage in self.storages.values()
            for volumes in storage.volumes.values()
            for v in volumes.values()
            if v.parent == volid
        ]


def _site(name: str, node: Node, seed: random.Random, root_password: str) -> Site:
    site = Site(name, {node.name: node}, secret=f"{seed.getrandbits(256):064x}")
    site.users["root@pam"] = {
        "enable": 1,
        "expire": 0,
        "groups": [],
        "tokens": {},
        "password": _password(root_password),
    }
    site.realms = {
        "pam": {"type": "pam", "comment": "Linux PAM standard authentication"},
        "pve": {"type": "pve", "comment": "Proxmox VE authentication server"},
    }
    site.storages["local"] = Storage(
        "local",
        "dir",
        {"path": "/var/lib/vz", "content": "images,rootdir,iso,backup,snippets,vztmpl", "prune-backups": "keep-all=1"},
    )
    return site


def fresh_node(name: str, index: int, now: float) -> Node:
    address = f"10.99.0.{index + 1}"
    bridge = {
        "type": "bridge",
        "method": "static",
        "method6": "manual",
        "address": address,
        "netmask": "24",
        "cidr": f"{address}/24",
        "bridge_ports": "",
        "bridge_stp": "off",
        "bridge_fd": "0",
        "autostart": 1,
        "active": 1,
        "priority": 3,
        "families": ["inet"],
    }
    hosts = f"127.0.0.1 localhost\n{address} {name}.test {name}\n"
    return Node(name, address, interfaces={"vmbr0": bridge}, hosts=hosts, booted=now - 3600)


class Fleet:
    """All sites of one simulator, and which node belongs to which."""

    def __init__(self, clock: Clock, seed: int = 0, root_password: str = "") -> None:
        self.clock = clock
        self.random = random.Random(seed)
        self.root_password = root_password
        self.sites: list[Site] = []
        self.durations: dict[str, float] = {}
        # (when, order, site, upid, step): see tasks.py
        self.agenda: list[Any] = []
        self.jobs: dict[str, Any] = {}
        # What the next task is to suffer: {"kind": "error", "text": ...} or {"kind": "dies"}.
        self.spoil: dict[str, Any] = {}
        self.stat_interval = RECENT
        self.tickets_since = 0.0
        # Whether anybody carries out what is asked of high availability.
        self.ha_manager = True
        # Storage servers that answer (NFS, CIFS and the like).
        self.servers: set[str] = set()
        # How long a request for an agent that does not answer is kept waiting.
        self.agent_patience = 3.0
        self.order = 0

    def add_node(self, name: str, index: int) -> Site:
        site = _site(name, fresh_node(name, index, self.clock.now()), self.random, self.root_password)
        self.sites.append(site)
        return site

    def join(self, names: list[str], cluster: str) -> Site:
        """A ready cluster of nodes that were on their own: the short way for tests."""
        first = self.site_of(names[0])
        first.cluster = {"name": cluster, "version": len(names)}
        for name in names[1:]:
            self.merge(first, name)
        return first

    def merge(self, into: Site, name: str) -> None:
        site = self.site_of(name)
        node = site.nodes.pop(name)
        self.sites.remove(site)
        node.nodeid = max((n.nodeid for n in into.nodes.values()), default=0) + 1
        into.nodes[name] = node
        into.revision += 1

    def site_of(self, node: str) -> Site:
        return next(site for site in self.sites if node in site.nodes)

    def node(self, name: str) -> Node:
        return self.site_of(name).nodes[name]

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def mac(self, site: Site) -> str:
        prefix = str(site.options.get("mac_prefix", "BC:24:11"))
        while prefix.count(":") < 5:
            prefix += f":{self.random.getrandbits(8):02X}"
        return prefix

    def dump(self) -> dict[str, Any]:
        """The whole world as JSON data; tasks that still run are not part of it."""
        out = []
        for site in self.sites:
            data = dataclasses.asdict(site)
            data["acl"] = [[path, *who, p] for path, rows in site.acl.items() for who, p in rows.items()]
            data["tasks"] = {upid: dataclasses.asdict(task) for upid, task in site.tasks.items() if task.status}
            out.append(data)
        return {"now": self.clock.now(), "sites": out}

    def load(self, data: dict[str, Any]) -> None:
        self.agenda.clear()
        self.jobs.clear()
        self.sites = [_load_site(dict(row)) for row in data["sites"]]


def _load_site(row: dict[str, Any]) -> Site:
    acl: dict[str, dict[tuple[str, str, str], int]] = {}
    for path, kind, who, role, propagate in row.pop("acl", []):
        acl.setdefault(path, {})[(kind, who, role)] = propagate
    site = Site(**row)
    site.acl = acl
    site.nodes = {name: Node(**node) for name, node in row.get("nodes", {}).items()}
    site.guests = {int(vmid): Guest(**guest) for vmid, guest in row.get("guests", {}).items()}
    site.guest_firewalls = {int(vmid): rows for vmid, rows in row.get("guest_firewalls", {}).items()}
    site.tasks = {upid: Task(**task) for upid, task in row.get("tasks", {}).items()}
    site.storages = {}
    for name, storage in row.get("storages", {}).items():
        loaded = Storage(**storage)
        loaded.volumes = {
            node: {volid: Volume(**volume) for volid, volume in volumes.items()}
            for node, volumes in storage["volumes"].items()
        }
        site.storages[name] = loaded
    return site


def check_password(site: Site, userid: str, text: str) -> bool:
    stored = str(site.users.get(userid, {}).get("password", ""))
    salt, _unused, digest = stored.partition("$")
    return bool(salt) and hashlib.sha256((salt + text).encode()).hexdigest() == digest


def set_password(site: Site, userid: str, text: str) -> None:
    site.users[userid]["password"] = _password(text)
