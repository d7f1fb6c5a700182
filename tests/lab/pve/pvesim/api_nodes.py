# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes and their tasks."""

from __future__ import annotations

import time
from typing import Any

from . import guests, tasks
from .errors import TaskError, bad, fail
from .routes import Call, Reply, index, route
from .world import GIB, RELEASE, Task, Volume, sha1

N = "/nodes/{node}"
index(
    N, "qemu", "lxc", "storage", "network", "tasks", "status", "config", "dns", "hosts", "time", "version", "firewall",
    "vzdump", "startall", "stopall", "subscription",
)  # fmt: skip


@route("GET /version", f"GET {N}/version")
def version(_call: Call) -> Any:
    return dict(RELEASE)


@route("GET /nodes")
def list_nodes(call: Call) -> Any:
    rows = []
    for node in call.site.nodes.values():
        row: dict[str, Any] = {"id": f"node/{node.name}", "node": node.name, "type": "node", "level": ""}
        row["status"] = "online" if node.online else "offline"
        row["ssl_fingerprint"] = node.fingerprint
        if node.online and call.may(f"/nodes/{node.name}", "Sys.Audit"):
            used = sum(
                guests.memory_bytes(g.conf) for g in call.site.guests.values() if g.node == node.name and g.running
            )
            row.update(cpu=0.01, maxcpu=node.cpus, mem=2 * GIB + used, maxmem=node.memory)
            row.update(disk=4 * GIB, maxdisk=96 * GIB, uptime=int(call.now - node.booted))
        rows.append(row)
    return rows


@route(f"GET {N}/status")
def status(call: Call) -> Any:
    node = call.node
    memory = {"total": node.memory, "used": 2 * GIB, "free": node.memory - 2 * GIB, "available": node.memory - 2 * GIB}
    return {
        "uptime": int(call.now - node.booted),
        "cpu": 0.01,
        "wait": 0,
        "idle": 0,
        "loadavg": ["0.10", "0.12", "0.09"],
        "kversion": "Linux 6.17.2-1-pve #1 SMP",
        "current-kernel": {"sysname": "Linux", "release": "6.17.2-1-pve", "version": "#1 SMP", "machine": "x86_64"},
        "boot-info": {"mode": "efi", "secureboot": 0},
        "pveversion": f"pve-manager/{RELEASE['version']}/{RELEASE['repoid']}",
        "cpuinfo": {
            "cpus": node.cpus,
            "cores": node.cpus,
            "sockets": 1,
            "model": "Simulated CPU",
            "mhz": "2400.000",
            "hvm": "1",
            "user_hz": 100,
            "flags": "",
        },
        "memory": memory,
        "swap": {"total": 0, "used": 0, "free": 0},
        "rootfs": {"total": 96 * GIB, "used": 4 * GIB, "free": 92 * GIB, "avail": 92 * GIB},
        "ksm": {"shared": 0},
    }


@route(f"POST {N}/status")
def power(call: Call) -> Any:
    for guest in call.site.guests.values():
        if guest.node == call.node.name and guest.running:
            guests.power_off(call, guest, hard=True)
    if call.params["command"] == "shutdown":
        call.node.online = False
    call.node.booted = call.now


@route(f"GET {N}/config")
def read_config(call: Call) -> Any:
    conf = dict(call.node.conf)
    if not conf:
        return {}
    if conf.get("description"):
        conf["description"] += "\n"
    wanted = call.get("property")
    conf = {wanted: conf[wanted]} if wanted and wanted in conf else conf
    return {**conf, "digest": sha1(call.node.conf)}


@route(f"PUT {N}/config")
def write_config(call: Call) -> Any:
    digest = call.get("digest")
    if digest and digest != sha1(call.node.conf):
        raise fail("detected modified configuration - file changed by other user? Try again.")
    for key in [k for k in str(call.get("delete", "")).split(",") if k]:
        call.node.conf.pop(key, None)
    call.node.conf.update({k: v for k, v in call.params.items() if k not in ("node", "delete", "digest")})


@route(f"GET {N}/dns")
def read_dns(call: Call) -> Any:
    return dict(call.node.dns)


@route(f"PUT {N}/dns")
def write_dns(call: Call) -> Any:
    call.node.dns = {k: v for k, v in call.params.items() if k != "node"}


@route(f"GET {N}/hosts")
def read_hosts(call: Call) -> Any:
    return {"data": call.node.hosts, "digest": sha1(call.node.hosts)}


@route(f"POST {N}/hosts")
def write_hosts(call: Call) -> Any:
    digest = call.get("digest")
    if digest and digest != sha1(call.node.hosts):
        raise fail("detected modified configuration - file changed by other user? Try again.")
    call.node.hosts = call.params["data"]


@route(f"GET {N}/time")
def read_time(call: Call) -> Any:
    return {"time": int(call.now), "localtime": int(call.now), "timezone": call.node.timezone}


@route(f"PUT {N}/time")
def write_time(call: Call) -> Any:
    call.node.timezone = call.params["timezone"]


@route(f"GET {N}/subscription")
def subscription(call: Call) -> Any:
    return {"status": "notfound", "message": "There is no subscription key", "serverid": call.node.fingerprint[:32]}


@route(f"GET {N}/query-url-metadata")
def url_metadata(call: Call) -> Any:
    url = call.params["url"]
    return {"filename": url.rpartition("/")[2], "size": 0, "mimetype": "application/octet-stream"}


def _listed(call: Call) -> list[int]:
    wanted = [int(v) for v in str(call.get("vms", "")).replace(";", ",").split(",") if v.strip()]
    here = [g.vmid for g in call.site.guests.values() if g.node == call.node.name]
    chosen = [v for v in here if not wanted or v in wanted]
    for vmid in chosen:
        call.require(f"/vms/{vmid}", "VM.PowerMgmt")
    return chosen


@route(f"POST {N}/startall")
def start_all(call: Call) -> Any:
    chosen = _listed(call)

    def work(_task: Task) -> None:
        for vmid in chosen:
            guest = call.site.guests[vmid]
            wanted = call.get("force") or call.get("vms") or guest.conf.get("onboot")
            if wanted and not guest.running and not guest.conf.get("template"):
                guests.start_task(call, guest)

    return call.task("startall", "", work)


@route(f"POST {N}/stopall")
def stop_all(call: Call) -> Any:
    chosen = _listed(call)

    def work(task: Task) -> None:
        for vmid in chosen:
            guest = call.site.guests[vmid]
            if guest.running:
                task.lines.append(f"Stopping VM {vmid} (timeout = {call.get('timeout', 180)} seconds)")
                guests.power_off(call, guest, hard=False)

    return call.task("stopall", "", work)


@route(f"POST {N}/vzdump")
def vzdump(call: Call) -> Any:
    wanted = [int(v) for v in str(call.get("vmid", "")).split(",") if v]
    for vmid in wanted:
        if vmid in call.site.guests:
            call.require(f"/vms/{vmid}", "VM.Backup")

    def work(task: Task) -> None:
        failed = False
        for vmid in wanted:
            guest = call.site.guests.get(vmid)
            if guest is None or guest.node != call.node.name:
                task.lines.append(f"ERROR: Backup of VM {vmid} failed - unable to find VM '{vmid}'")
                failed = True
                continue
            stamp = time.strftime("%Y_%m_%d-%H_%M_%S", time.gmtime(call.now))
            storage = call.site.storage(call.get("storage", "local"))
            volid = f"{storage.storage}:backup/vzdump-qemu-{vmid}-{stamp}.vma.zst"
            storage.on(call.node.name)[volid] = Volume(volid, GIB, "vma.zst", "backup", vmid, ctime=int(call.now))
        if failed:
            raise TaskError("job errors")

    return call.task("vzdump", call.get("vmid", ""), work)


# --- tasks


def _visible(call: Call, task: Task, *names: str) -> bool:
    mine = task.user == call.user or tasks.split_user(task.user)[0] == call.user
    return mine or call.may(f"/nodes/{task.node}", *(names or ("Sys.Audit",)))


def _find(call: Call, *names: str) -> Task:
    upid = call.params["upid"]
    match = tasks.UPID.fullmatch(upid)
    if not match:
        raise bad(upid="unable to parse worker upid")
    task = call.site.tasks.get(upid)
    if task is None or match["node"] != call.node.name:
        raise bad(upid="no such task")
    if not _visible(call, task, *names):
        call.require(f"/nodes/{task.node}", *(names or ("Sys.Audit",)))
    return task


def _order(rows: list[Task]) -> list[Task]:
    return sorted(rows, key=lambda task: (task.endtime or task.starttime, task.pid), reverse=True)


@route(f"GET {N}/tasks")
def list_tasks(call: Call) -> Any:
    source = call.get("source", "archive")
    rows = [t for t in call.site.tasks.values() if t.node == call.node.name and _visible(call, t)]
    if source != "all":
        rows = [t for t in rows if (t.status is None) == (source == "active")]
    if call.get("errors"):
        rows = [t for t in rows if t.status not in (None, "OK")]
    if call.get("vmid"):
        rows = [t for t in rows if t.id == str(call.params["vmid"])]
    if call.get("typefilter"):
        rows = [t for t in rows if t.type == call.params["typefilter"]]
    if call.get("userfilter"):
        rows = [t for t in rows if call.params["userfilter"] in t.user]
    if call.get("since"):
        rows = [t for t in rows if t.starttime >= call.params["since"]]
    if call.get("until"):
        rows = [t for t in rows if t.starttime <= call.params["until"]]
    if call.get("statusfilter"):
        wanted = {item.lower() for item in str(call.params["statusfilter"]).split(",")}
        rows = [t for t in rows if _status_kind(t) in wanted]
    start, limit = call.get("start", 0), call.get("limit", 50)
    page = _order(rows)[start : start + limit if limit else None]
    shown = [{**tasks.summary(t), **({"status": "RUNNING"} if t.status is None else {})} for t in page]
    return Reply(shown, {} if source == "active" or not rows else {"total": len(rows)})


def _status_kind(task: Task) -> str:
    if task.status == "OK":
        return "ok"
    if task.status is None or task.status == "unexpected status":
        return "unknown"
    return "warning" if task.status.startswith("WARNINGS") else "error"


@route("GET /cluster/tasks")
def cluster_tasks(call: Call) -> Any:
    rows: list[dict[str, Any]] = []
    for task in _order([t for t in call.site.tasks.values() if _visible(call, t)])[:25]:
        row = {k: v for k, v in tasks.summary(task).items() if k not in ("pid", "pstart")}
        # Seen: the newest row has it as a number, the others as text.
        rows.append({**row, "saved": "1" if rows else 1} if task.status is not None else row)
    return rows


@route(f"GET {N}/tasks/{{upid}}")
def task_index(call: Call) -> Any:
    _find(call)
    return [{"name": "log"}, {"name": "status"}]


@route(f"GET {N}/tasks/{{upid}}/status")
def task_status(call: Call) -> Any:
    task = _find(call)
    row = tasks.summary(task)
    row.pop("endtime", None)
    row["status"] = "running" if task.status is None else "stopped"
    if task.status is not None:
        row["exitstatus"] = task.status
    return row


@route(f"GET {N}/tasks/{{upid}}/log")
def task_log(call: Call) -> Any:
    task = _find(call)
    lines = task.lines
    start, limit = call.get("start", 0), call.get("limit", 50)
    page = lines[start : start + limit if limit else None]
    return Reply([{"n": start + i + 1, "t": text} for i, text in enumerate(page)], {"total": len(lines)})


@route(f"DELETE {N}/tasks/{{upid}}")
def stop_task(call: Call) -> Any:
    task = _find(call, "Sys.Modify")
    if task.status is None:
        tasks.end(call.fleet, call.site, task, "received interrupt")
