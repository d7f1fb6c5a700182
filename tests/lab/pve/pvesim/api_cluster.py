# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster: its inventory, options, ids, members and jobs."""

from __future__ import annotations

from typing import Any

from . import guests, tasks
from .api_storage import status_of
from .errors import ApiError, TaskError, bad, fail
from .routes import Call, index, route
from .validate import split_list
from .world import GIB, Guest, Site, Storage, Task, check_password, sha1

index(
    "/cluster",
    "resources",
    "tasks",
    "status",
    "nextid",
    "options",
    "log",
    "config",
    "ha",
    "backup",
    "firewall",
    "sdn",
    "replication",
)
index("/cluster/config", "nodes", "totem", "join", "qdevice", "apiversion")
_NOT_CLUSTERED = "node is not in a cluster, no join info available!"


# --- inventory


def stat_round(call: Call) -> int:
    """Which of the regular collections of statistics is the newest."""
    every = call.fleet.stat_interval
    return int(call.now // every) if every else 0


def guest_row(call: Call, guest: Guest) -> dict[str, Any]:
    """A guest as the cluster's inventory shows it: what changes is up to one round old, a new one is hardly known."""
    row: dict[str, Any] = {"id": f"qemu/{guest.vmid}", "type": "qemu", "vmid": guest.vmid, "node": guest.node}
    every = call.fleet.stat_interval
    if every and guest.created >= (call.now // every) * every:
        row["status"] = "unknown"
    else:
        numbers = guests.base(call, guest)
        row.update(
            {key: numbers[key] for key in ("name", "status", "cpu", "mem", "memhost", "maxmem", "disk", "maxdisk")}
        )
        row.update(maxcpu=numbers["cpus"], uptime=numbers["uptime"], netin=0, netout=0, diskread=0, diskwrite=0)
        row["template"] = int(bool(guest.conf.get("template")))
    for key in ("tags", "lock"):
        if str(guest.conf.get(key, "")).strip() and row["status"] != "unknown":
            row[key] = guest.conf[key]
    managed = call.site.ha["resources"].get(f"vm:{guest.vmid}")
    if managed:
        row["hastate"] = managed.get("state", "started")
    return row


def storage_row(storage: Storage, node: str) -> dict[str, Any]:
    now = status_of(storage, node)
    return {
        "id": f"storage/{node}/{storage.storage}",
        "type": "storage",
        "storage": storage.storage,
        "node": node,
        "plugintype": storage.type,
        "content": now["content"],
        "shared": now["shared"],
        "disk": now["used"],
        "maxdisk": now["total"],
        "status": "available",
    }


def _node_rows(call: Call) -> list[dict[str, Any]]:
    rows = []
    for node in call.site.nodes.values():
        row: dict[str, Any] = {
            "id": f"node/{node.name}",
            "type": "node",
            "node": node.name,
            "level": "",
            "cgroup-mode": 2,
        }
        row["status"] = "online" if node.online else "offline"
        if node.online and call.may(f"/nodes/{node.name}", "Sys.Audit"):
            used = sum(
                guests.memory_bytes(g.conf) for g in call.site.guests.values() if g.node == node.name and g.running
            )
            row.update(cpu=0.01, maxcpu=node.cpus, mem=2 * GIB + used, maxmem=node.memory)
            row.update(disk=4 * GIB, maxdisk=96 * GIB, uptime=int(call.now - node.booted))
        rows.append(row)
    return rows


def resources(call: Call) -> list[dict[str, Any]]:
    wanted = call.get("type")
    rows: list[dict[str, Any]] = []
    if wanted is None:
        pools_seen = [name for name in call.site.pools if call.may(f"/pool/{name}", "Pool.Audit")]
        rows += [{"id": f"/pool/{name}", "type": "pool", "pool": name} for name in pools_seen]
    if wanted in (None, "vm"):
        pools = {vmid: name for name, pool in call.site.pools.items() for vmid in pool["vms"]}
        for guest in call.site.guests.values():
            if call.may(f"/vms/{guest.vmid}", "VM.Audit"):
                row = guest_row(call, guest)
                rows.append({**row, "pool": pools[guest.vmid]} if guest.vmid in pools else row)
    if wanted in (None, "node"):
        rows += _node_rows(call)
    if wanted in (None, "storage"):
        for storage in call.site.storages.values():
            if call.may(f"/storage/{storage.storage}", "Datastore.Audit"):
                here = storage.nodes() or list(call.site.nodes)
                rows += [storage_row(storage, node) for node in call.site.nodes if node in here]
    if wanted in (None, "sdn"):
        rows += _network_rows(call)
    return rows


def _network_rows(call: Call) -> list[dict[str, Any]]:
    rows = []
    for zone in ["localnetwork", *call.site.sdn["running"].get("zones", {})]:
        if call.may(f"/sdn/zones/{zone}", "SDN.Audit", "SDN.Use"):
            for node in call.site.nodes:
                row = {"id": f"network/{node}/zone/{zone}", "type": "network", "network": zone, "node": node}
                row.update({"network-type": "zone", "status": "ok"})
                rows.append(row)
    return rows


@route("GET /cluster/resources")
def read_resources(call: Call) -> Any:
    return resources(call)


@route("GET /cluster/status")
def status(call: Call) -> Any:
    rows: list[dict[str, Any]] = []
    nodes = call.site.nodes
    if call.site.cluster:
        quorate = int(call.site.quorum and sum(n.online for n in nodes.values()) * 2 > len(nodes))
        name, version = call.site.cluster["name"], call.site.cluster.get("version", 1)
        rows.append(
            {
                "type": "cluster",
                "id": "cluster",
                "name": name,
                "nodes": len(nodes),
                "quorate": quorate,
                "version": version,
            }
        )
    for node in nodes.values():
        row: dict[str, Any] = {
            "type": "node",
            "id": f"node/{node.name}",
            "name": node.name,
            "ip": node.address,
            "level": "",
        }
        row.update(local=int(node.name == call.node.name), online=int(node.online))
        row["nodeid"] = node.nodeid if call.site.cluster else 0
        rows.append(row)
    return rows


@route("GET /cluster/nextid")
def next_id(call: Call) -> Any:
    wanted = call.get("vmid")
    if wanted is not None:
        if wanted in call.site.guests:
            raise bad(vmid=f"VM {wanted} already exists")
        return str(wanted)
    span = dict(part.partition("=")[::2] for part in str(call.site.options.get("next-id", "")).split(",") if part)
    low, high = int(span.get("lower", 100)), int(span.get("upper", 1_000_000))
    for vmid in range(low, high):
        if vmid not in call.site.guests:
            return str(vmid)
    raise fail(f"unable to get any free VMID in range [{low}, {high}]")


@route("GET /cluster/log")
def log(call: Call) -> Any:
    rows = []
    done = sorted(
        (t for t in call.site.tasks.values() if t.status), key=lambda t: (t.endtime or 0, t.pid), reverse=True
    )
    for number, task in enumerate(done[: call.get("max", 50)]):
        user = tasks.split_user(task.user)[0]
        if user != call.user and not call.may("/", "Sys.Syslog"):
            continue
        row: dict[str, Any] = {
            "id": f"{len(done) - number}:{task.node}",
            "uid": str(len(done) - number),
            "user": user,
            "node": task.node,
        }
        row.update(msg=f"end task {task.upid} {task.status}", pid=task.pid, pri=6, tag="pvedaemon", time=task.endtime)
        rows.append(row)
    return rows


# --- options

_NESTED = {"migration", "next-id", "tag-style", "ha", "crs", "bwlimit", "notify", "u2f", "webauthn", "replication"}
_FIRST = {"migration": "type"}


@route("GET /cluster/options")
def read_options(call: Call) -> Any:
    seen = {t for g in call.site.guests.values() for t in str(g.conf.get("tags", "")).split(";") if t.strip()}
    out: dict[str, Any] = {"mac_prefix": "BC:24:11", "allowed-tags": sorted(seen), "description": ""}
    for key, value in call.site.options.items():
        if key in _NESTED:
            parts = [part.partition("=") for part in str(value).split(",")]
            out[key] = {k if eq else _FIRST.get(key, "type"): v if eq else k for k, eq, v in parts}
        else:
            out[key] = f"{value}\n" if key == "description" else value
    return out


@route("PUT /cluster/options")
def write_options(call: Call) -> Any:
    for key in split_list(call.get("delete", "")):
        call.site.options.pop(key, None)
    call.site.options.update({k: v for k, v in call.params.items() if k != "delete"})


# --- members


@route("GET /cluster/config/apiversion")
def api_version(_call: Call) -> Any:
    return "1"


@route("GET /cluster/config/qdevice")
def qdevice(_call: Call) -> Any:
    return {}


@route("GET /cluster/config/nodes")
def members(call: Call) -> Any:
    if not call.site.cluster:
        return []
    return [_member(node) for node in call.site.nodes.values()]


def _member(node: Any) -> dict[str, Any]:
    return {
        "node": node.name,
        "name": node.name,
        "nodeid": str(node.nodeid),
        "quorum_votes": "1",
        **node.rings(),
    }


@route("GET /cluster/config/totem")
def totem(call: Call) -> Any:
    return _totem(call.site) if call.site.cluster else None


def _totem(site: Site) -> dict[str, Any]:
    cluster = site.cluster
    base = {"cluster_name": cluster["name"], "config_version": str(cluster.get("version", 1)), "ip_version": "ipv4-6"}
    return {**base, "link_mode": "passive", "secauth": "on", "version": "2", "interface": {"0": {"linknumber": "0"}}}


def _links(call: Call) -> dict[str, str]:
    """What the parameters link0, link1 ... name: an address, with or without its key, and more after a comma."""
    given = {key[4:]: str(value) for key, value in call.params.items() if key.startswith("link") and key[4:].isdigit()}
    return {number: text.partition(",")[0].removeprefix("address=") for number, text in given.items()}


@route("POST /cluster/config")
def create_cluster(call: Call) -> Any:
    if call.site.cluster:
        raise fail("cluster config '/etc/pve/corosync.conf' already exists")
    name = call.params["clustername"]

    def work(task: Task) -> None:
        if call.site.cluster:
            raise TaskError("cluster config '/etc/pve/corosync.conf' already exists")
        call.site.cluster = {"name": name, "version": 1}
        call.node.nodeid = call.get("nodeid", 1)
        call.node.links = _links(call)
        task.lines += [
            "Corosync Cluster Engine Authentication key generator.",
            "Writing corosync config to /etc/pve/corosync.conf",
        ]

    return call.task("clustercreate", name, work)


@route("GET /cluster/config/join")
def join_info(call: Call) -> Any:
    if not call.site.cluster:
        raise ApiError(424, _NOT_CLUSTERED, newline=False)
    rows = []
    for node in call.site.nodes.values():
        row = {"name": node.name, "nodeid": str(node.nodeid), "quorum_votes": "1", **node.rings()}
        rows.append({**row, "pve_addr": node.address, "pve_fp": node.fingerprint})
    preferred = call.get("node", call.node.name)
    return {
        "nodelist": rows,
        "preferred_node": preferred,
        "totem": _totem(call.site),
        "config_digest": sha1(call.site.cluster),
    }


@route("POST /cluster/config/join")
def join(call: Call) -> Any:
    """On the node that joins: everything it knows is replaced by what the cluster knows."""
    host = call.params["hostname"]

    def work(task: Task) -> None:
        task.lines.append(f"Establishing API connection with host '{host}'")
        found = [
            (site, node)
            for site in call.fleet.sites
            for node in site.nodes.values()
            if node.listens_on(host) and node.online
        ]
        if not found:
            raise TaskError(f"500 Can't connect to {host}:8006 (Network is unreachable)")
        site, node = found[0]
        if node.fingerprint and call.params["fingerprint"].upper() != node.fingerprint:
            raise TaskError("500 fingerprint not verified, abort!")
        if not check_password(site, "root@pam", call.params["password"]):
            raise TaskError("401 authentication failure")
        if not site.cluster:
            raise TaskError("424 node is not in a cluster, no join info available!")
        if call.site.cluster or (call.site.guests and not call.get("force")):
            why = (
                "authentication key already exists"
                if call.site.cluster
                else "this host already contains virtual guests"
            )
            task.lines.append(f"detected the following error(s):\n* {why}")
            raise TaskError("Check if node may join a cluster failed!")
        if not site.quorum:
            raise TaskError("500 cluster not ready - no quorum?")
        task.lines.append("Request addition of this node")
        call.node.links = _links(call)
        call.fleet.merge(site, call.node.name)
        site.cluster["version"] = site.cluster.get("version", 1) + 1
        task.lines.append("Join request OK, finishing setup locally")

    return call.task("clusterjoin", "", work)


@route("POST /cluster/config/nodes/{node}")
def add_member(call: Call) -> Any:
    if not call.site.cluster:
        raise ApiError(500, "invalid corosync.conf", {"error0": "no nodes found"})
    raise fail("adding a node by hand is not part of this simulator: use POST /cluster/config/join on the node")


@route("DELETE /cluster/config/nodes/{node}")
def remove_member(call: Call) -> Any:
    name = call.params["node"]
    if name not in call.site.nodes:
        raise fail(f"Node/IP: {name} is not a known host of the cluster.")
    if name == call.node.name:
        raise fail("Cannot delete myself from cluster!")
    if any(guest.node == name for guest in call.site.guests.values()):
        raise fail(f"node '{name}' still has guests")
    del call.site.nodes[name]
    call.site.cluster["version"] = call.site.cluster.get("version", 1) + 1


# --- backup jobs and replication


def _job(call: Call) -> dict[str, Any]:
    name = call.params["id"]
    if name not in call.site.backups:
        raise bad(id=f"No such job '{name}'")
    return call.site.backups[name]


@route("GET /cluster/backup")
def list_jobs(call: Call) -> Any:
    return [{**job, "next-run": {}} for job in call.site.backups.values()]


@route("POST /cluster/backup")
def create_job(call: Call) -> Any:
    name = call.get("id", f"backup-{call.fleet.uuid()[:13]}")
    if name in call.site.backups:
        raise fail(f"Job '{name}' already exists")
    call.site.backups[name] = {"id": name, "type": "vzdump", "enabled": 1, **call.params}


@route("GET /cluster/backup/{id}")
def read_job(call: Call) -> Any:
    return _job(call)


@route("PUT /cluster/backup/{id}")
def update_job(call: Call) -> Any:
    job = _job(call)
    for key in split_list(call.get("delete", "")):
        job.pop(key, None)
    job.update({k: v for k, v in call.params.items() if k != "delete"})


@route("DELETE /cluster/backup/{id}")
def delete_job(call: Call) -> Any:
    try:
        _job(call)
    except ApiError as error:
        # The inner refusal is reported as a text here.
        raise fail(f"400 {error.message}\nid: No such job '{call.params['id']}'") from error
    del call.site.backups[call.params["id"]]


@route("GET /cluster/replication")
def list_replication(call: Call) -> Any:
    return [row for row in call.site.replication.values() if call.may(f"/vms/{row['guest']}", "VM.Audit")]


def _replica(call: Call) -> dict[str, Any]:
    found = call.site.replication.get(call.params["id"])
    if found is None:
        raise fail(f"no such replication job '{call.params['id']}'")
    return found


@route("POST /cluster/replication")
def create_replication(call: Call) -> Any:
    name, target = call.params["id"], call.params["target"]
    guest = int(name.partition("-")[0])
    call.require(f"/vms/{guest}", "VM.Replicate")
    if target not in call.site.nodes:
        raise fail(f"Target '{target}' does not exist.")
    if name in call.site.replication:
        raise fail(f"replication job '{name}' already exists")
    number = int(name.partition("-")[2])
    call.site.replication[name] = {"schedule": "*/15", **call.params, "guest": guest, "jobnum": number}


@route("GET /cluster/replication/{id}")
def read_replication(call: Call) -> Any:
    row = _replica(call)
    call.require(f"/vms/{row['guest']}", "VM.Audit")
    return {**row, "digest": sha1(call.site.replication)}


@route("PUT /cluster/replication/{id}")
def update_replication(call: Call) -> Any:
    row = _replica(call)
    call.require(f"/vms/{row['guest']}", "VM.Replicate")
    for key in split_list(call.get("delete", "")):
        row.pop(key, None)
    row.update({k: v for k, v in call.params.items() if k not in ("delete", "digest")})


@route("DELETE /cluster/replication/{id}")
def delete_replication(call: Call) -> Any:
    row = _replica(call)
    call.require(f"/vms/{row['guest']}", "VM.Replicate")
    del call.site.replication[call.params["id"]]
