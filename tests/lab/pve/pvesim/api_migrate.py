# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving a guest to another node."""

from __future__ import annotations

from typing import Any

from . import disks, guests, tasks
from .errors import TaskError, bad, bad_params, fail, locked
from .routes import Call, route
from .world import Guest, Task

V = "/nodes/{node}/qemu/{vmid}"


@route(f"GET {V}/migrate")
def migrate_info(call: Call) -> Any:
    guest = call.guest()
    local = _local_disks(call, guest)
    out: dict[str, Any] = {"running": int(guest.running), "local_disks": local, "local_resources": []}
    out["mapped-resources"], out["mapped-resource-info"], out["has-dbus-vmstate"] = [], {}, 1
    if not guest.running:
        others = [n for n in sorted(call.site.nodes) if n != guest.node]
        out["allowed_nodes"] = others
        out["not_allowed_nodes"] = {}
    return out


def _local_disks(call: Call, guest: Guest) -> list[dict[str, Any]]:
    out = []
    for key, drive in disks.drives(guest.conf).items():
        volume = disks.volume_of(call.site, guest.node, drive)
        if volume and not call.site.storages[drive.file.partition(":")[0]].shared:
            out.append({"volid": volume.volid, "drivename": key, "size": volume.size, "cdrom": int(drive.is_cdrom)})
    return out


def _to_move(call: Call, guest: Guest, target: str, task: Task) -> list[str]:
    """Every volume that has to follow the guest, unused ones and those of snapshots included."""
    moving = []
    for volid in guests.volumes_of(call.site, guest):
        storage = call.site.storages[volid.partition(":")[0]]
        if storage.shared:
            continue
        if storage.nodes() and target not in storage.nodes():
            raise TaskError(f"storage '{storage.storage}' is not available on node '{target}'")
        volume = storage.on(guest.node)[volid]
        if volume.parent or call.site.children(volid):
            task.lines.append(f"can't migrate '{volid}' as it is, or has, a clone of a base image")
            raise TaskError("migration aborted")
        moving.append(volid)
    return moving


@route(f"POST {V}/migrate")
def migrate(call: Call) -> Any:
    guest = call.guest()
    target = call.params["target"]
    for name in ("force", "migration_type", "migration_network"):
        if name in call.params and not call.is_root:
            raise bad_params({name: "Only root may use this option."})
    if target == guest.node:
        raise bad(target="target is local node.")
    if target not in call.site.nodes:
        raise fail(f"no such cluster node '{target}'")
    if not call.site.nodes[target].online:
        raise fail(f"target node '{target}' is not online")
    if guest.running and not call.get("online"):
        raise fail("can't migrate running VM without --online")
    local = [row for row in _local_disks(call, guest) if not row["cdrom"]]
    if guest.running and local and not call.get("with-local-disks"):
        raise fail("can't live migrate attached local disks without with-local-disks option")
    kind = "hamigrate" if f"vm:{guest.vmid}" in call.site.ha["resources"] else "qmigrate"

    held: list[bool] = []

    def begin(_task: Task) -> None:
        if guest.conf.get("lock"):
            raise locked(str(guest.conf["lock"]))
        guest.conf["lock"] = "migrate"
        held.append(True)

    def finish(task: Task) -> None:
        moving = _to_move(call, guest, target, task)
        for volid in moving:
            storage = call.site.storages[volid.partition(":")[0]]
            storage.volumes.setdefault(target, {})[volid] = storage.on(guest.node).pop(volid)
            task.lines.append(f"copying local disk image '{volid}'")
        guest.node = target
        guest.conf.pop("lock", None)
        task.lines.append("migration finished successfully")

    def undo() -> None:
        # A lock that was there before is somebody else's.
        if held:
            guest.conf.pop("lock", None)

    return call.task(kind, guest.vmid, [(0.0, begin), (tasks.duration(call.fleet, "qmigrate"), finish)], undo)
