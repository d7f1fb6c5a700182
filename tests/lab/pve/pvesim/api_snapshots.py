# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of guests."""

from __future__ import annotations

import copy
from typing import Any

from . import disks, guests
from .errors import TaskError, fail
from .routes import Call, index, route
from .world import Guest, Task

S = "/nodes/{node}/qemu/{vmid}/snapshot"
index(S + "/{snapname}", "config", "rollback")


def _check_lock(guest: Guest) -> None:
    if guest.conf.get("lock"):
        raise TaskError(f"VM is locked ({guest.conf['lock']})")


@route(f"GET {S}")
def list_snapshots(call: Call) -> Any:
    guest = call.guest()
    rows = []
    for name, snap in guest.snapshots.items():
        row = {"name": name, "snaptime": snap["snaptime"], "vmstate": snap.get("vmstate", 0)}
        row["description"] = snap.get("description", "")
        if snap.get("parent"):
            row["parent"] = snap["parent"]
        rows.append(row)
    here = {"name": "current", "description": "You are here!", "digest": guest.digest, "running": int(guest.running)}
    if guest.conf.get("parent"):
        here["parent"] = guest.conf["parent"]
    return [*rows, here]


@route(f"POST {S}")
def create(call: Call) -> Any:
    guest, name = call.guest(), call.params["snapname"]
    if name == "current":
        raise fail("unable to use snapshot name 'current' (reserved name)")

    def work(task: Task) -> None:
        _check_lock(guest)
        if guest.conf.get("template"):
            raise TaskError("you can't take a snapshot if it's a template")
        if name in guest.snapshots:
            raise TaskError(f"snapshot name '{name}' already used")
        for key, drive in disks.drives(guest.conf).items():
            volume = disks.volume_of(call.site, guest.node, drive)
            if volume and not drive.is_cdrom:
                if volume.format == "raw" and "." in volume.volid.rpartition("/")[2]:
                    raise TaskError("snapshot feature is not available")
                task.lines.append(f"snapshotting 'drive-{key}' ({volume.volid})")
        conf = {key: value for key, value in copy.deepcopy(guest.conf).items() if key != "lock"}
        state = int(bool(call.get("vmstate")) and guest.running)
        snap = {"snaptime": int(call.now), "vmstate": state, "conf": conf, "description": call.get("description", "")}
        if guest.conf.get("parent"):
            snap["parent"] = guest.conf["parent"]
        guest.snapshots[name] = snap
        guest.conf["parent"] = name
        call.backend.snapshot(guest, name)

    return call.task("qmsnapshot", guest.vmid, work)


@route(f"DELETE {S}/{{snapname}}")
def delete(call: Call) -> Any:
    guest, name = call.guest(), call.params["snapname"]

    def work(_task: Task) -> None:
        if guest.conf.get("lock") and not call.get("force"):
            _check_lock(guest)
        if name not in guest.snapshots:
            raise TaskError(f"snapshot '{name}' does not exist")
        parent = guest.snapshots.pop(name).get("parent")
        call.backend.forget_snapshot(guest, name)
        for conf in (guest.conf, *guest.snapshots.values()):
            if conf.get("parent") == name:
                if parent:
                    conf["parent"] = parent
                else:
                    del conf["parent"]

    return call.task("qmdelsnapshot", guest.vmid, work)


@route(f"POST {S}/{{snapname}}/rollback")
def rollback(call: Call) -> Any:
    guest, name = call.guest(), call.params["snapname"]

    def work(_task: Task) -> None:
        _check_lock(guest)
        if guest.conf.get("template"):
            raise TaskError("you can't rollback if vm is a template")
        if name not in guest.snapshots:
            raise TaskError(f"snapshot '{name}' does not exist")
        if guest.running:
            guests.power_off(call, guest, hard=True)
        guest.conf = copy.deepcopy(guest.snapshots[name]["conf"])
        guest.conf["parent"] = name
        guest.pending.clear()
        guest.deletes.clear()
        guest.conf["vmgenid"] = call.fleet.uuid()
        call.backend.rollback(guest, name)
        if call.get("start"):
            guests.start_task(call, guest)

    return call.task("qmrollback", guest.vmid, work)


def _snapshot(call: Call) -> dict[str, Any]:
    found: dict[str, Any] | None = call.guest().snapshots.get(call.params["snapname"])
    if found is None:
        raise fail(f"snapshot '{call.params['snapname']}' does not exist")
    return found


@route(f"GET {S}/{{snapname}}/config")
def read(call: Call) -> Any:
    snap = _snapshot(call)
    out = {key: value for key, value in snap["conf"].items() if key != "cipassword"}
    out.update(snaptime=snap["snaptime"], description=snap.get("description", ""))
    return out


@route(f"PUT {S}/{{snapname}}/config")
def describe(call: Call) -> Any:
    if call.get("description") is not None:
        _snapshot(call)["description"] = call.params["description"]
