# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several endpoints say about a guest, and how one is started."""

from __future__ import annotations

import re
from typing import Any

from . import config, disks, tasks
from .errors import TaskError
from .routes import Call
from .world import Guest, Site, Task

MIB = 1024**2


def memory_bytes(conf: dict[str, Any]) -> int:
    return int(str(conf.get("memory", "512")).removeprefix("current=")) * MIB


def cpus(conf: dict[str, Any]) -> int:
    return int(conf.get("vcpus", 0)) or int(conf.get("sockets", 1)) * int(conf.get("cores", 1))


def max_disk(site: Site, guest: Guest) -> int:
    order = str(guest.conf.get("boot", "")).partition("order=")[2].split(";")
    found = disks.drives(guest.conf)
    for key in [*order, *found]:
        drive = found.get(key)
        if drive and not drive.is_cdrom and "size" in drive.options:
            return disks.to_bytes(drive.options["size"])
    return 0


def base(call: Call, guest: Guest) -> dict[str, Any]:
    """The numbers every list has."""
    conf = guest.conf
    row: dict[str, Any] = {
        "vmid": guest.vmid,
        "name": guest.name,
        "status": "running" if guest.running else "stopped",
        "cpu": 0,
        "cpus": cpus(conf),
        "mem": int(memory_bytes(conf) * 0.4) if guest.running else 0,
        "memhost": 0,
        "maxmem": memory_bytes(conf),
        "disk": 0,
        "maxdisk": max_disk(call.site, guest),
        "netin": 0,
        "netout": 0,
        "uptime": int(call.now - guest.started) if guest.running else 0,
    }
    if conf.get("template"):
        row["template"] = 1
    for key in ("tags", "lock"):
        if str(conf.get(key, "")).strip():
            row[key] = conf[key]
    return row


def _pressure() -> dict[str, int]:
    return {f"pressure{what}{how}": 0 for what in ("cpu", "io", "memory") for how in ("full", "some")}


def live(call: Call, guest: Guest) -> dict[str, Any]:
    """A row of a node's own list."""
    row = base(call, guest)
    if guest.running:
        row.update(pid=guest.pid, diskread=0, diskwrite=0, **_pressure())
    return row


def agent_enabled(conf: dict[str, Any]) -> bool:
    first = str(conf.get("agent", "0")).split(",", maxsplit=1)[0]
    return first in ("1", "enabled=1")


def current(call: Call, guest: Guest) -> dict[str, Any]:
    """Everything about one guest's state."""
    row = base(call, guest)
    managed = call.site.ha["resources"].get(f"vm:{guest.vmid}")
    row["ha"] = {"managed": 1, "state": managed.get("state", "started"), "group": None} if managed else {"managed": 0}
    row["qmpstatus"] = "paused" if guest.paused else row["status"]
    powered = guest.powered or guest.conf
    if agent_enabled(powered) and guest.running:
        row["agent"] = 1
    if guest.running:
        whole = row["maxmem"]
        balloon = {"actual": whole, "max_mem": whole, "total_mem": whole, "free_mem": whole // 2}
        row.update(
            pid=guest.pid,
            balloon=whole,
            ballooninfo={**balloon, "last_update": int(call.now)},
            freemem=whole // 2,
            diskread=0,
            diskwrite=0,
            **_pressure(),
        )
        row["proxmox-support"] = {"pbs-dirty-bitmap": True, "pbs-library-version": "1"}
        row["running-machine"], row["running-qemu"] = "pc-i440fx-11.0", "11.0.0"
    return row


def volumes_of(site: Site, guest: Guest) -> list[str]:
    """Every volume that belongs to the guest: attached, unused, pending or in a snapshot."""
    out: dict[str, None] = {}
    for conf in (guest.conf, guest.pending, *(snap.get("conf", {}) for snap in guest.snapshots.values())):
        for key, value in conf.items():
            if disks.is_drive(key) or disks.UNUSED.fullmatch(key):
                volid = str(value).partition(",")[0]
                volume = site.volume(volid, guest.node)
                if volume and disks.owner(volid) == guest.vmid:
                    out[volid] = None
    return list(out)


def cloudinit_values(conf: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in conf.items() if config.CLOUDINIT_KEYS.fullmatch(key)}


def has_cloudinit_drive(conf: dict[str, Any]) -> bool:
    return any(drive.is_cloudinit for drive in disks.drives(conf).values())


def check_bridges(call: Call, guest: Guest) -> None:
    """A bridge that is not there is found only when the guest starts."""
    node = call.site.nodes[guest.node]
    for key, value in sorted(guest.conf.items()):
        match = re.search(r"(?:^|,)bridge=([^,]+)", str(value)) if re.fullmatch(r"net\d+", key) else None
        if match and match[1] not in node.interfaces and match[1] not in call.site.sdn["running"].get("vnets", {}):
            raise TaskError(f"bridge '{match[1]}' does not exist")


def start_task(call: Call, guest: Guest, *, kind: str = "qmstart", skiplock: bool = False) -> str:
    def begin(task: Task) -> None:
        if guest.running:
            raise TaskError(f"VM {guest.vmid} already running")
        if guest.conf.get("lock") and not skiplock:
            raise TaskError(f"VM is locked ({guest.conf['lock']})")
        if guest.conf.get("template"):
            raise TaskError("you can't start a vm if it's a template")
        config.apply_pending(call, guest)
        check_bridges(call, guest)
        if has_cloudinit_drive(guest.conf):
            guest.cloudinit = cloudinit_values(guest.conf)
            task.lines.append("generating cloud-init ISO")
        guest.powered = dict(guest.conf)
        try:
            call.backend.start(guest)
        except RuntimeError as error:
            raise TaskError(f"start failed: {error}") from error

    def wait(_task: Task) -> float | None:
        try:
            if not call.backend.alive(guest):
                return 0.2
        except RuntimeError as error:
            raise TaskError(f"start failed: {error}") from error
        node = call.site.nodes[guest.node]
        node.next_pid += 1
        guest.running, guest.paused = True, False
        guest.pid, guest.started = node.next_pid, call.now
        call.changed()
        return None

    steps = [(0.0, begin), (tasks.duration(call.fleet, kind), wait)]
    return call.task(kind, guest.vmid, steps, node=guest.node)


def power_off(call: Call, guest: Guest, *, hard: bool) -> None:
    call.backend.stop(guest, hard=hard)
    guest.running = guest.paused = False
    guest.pid = 0
    guest.powered = {}
    config.apply_pending(call, guest)
    call.changed()
