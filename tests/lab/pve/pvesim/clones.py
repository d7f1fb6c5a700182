# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cloning: early checks, the claim of the new id, the copy, and what is taken back when it fails."""

from __future__ import annotations

import copy
import re
from typing import Any

from . import config, disks, tasks
from .errors import TaskError, fail, locked
from .routes import Call
from .world import Guest, Site, Task

_NOT_COPIED = {"lock", "parent", "snaptime", "template", "vmgenid", "smbios1"}


def start(call: Call) -> str:
    vmid, newid, here = call.params["vmid"], call.params["newid"], call.node.name
    source = call.guest(f"unable to find configuration file for VM {vmid} on node '{here}'")
    pool, target, storage = call.get("pool", ""), call.get("target", here), call.get("storage", "")
    if pool:
        config.forbid_pool(call.site, pool)
    if storage:
        disks.usable(call.site, target, storage) if target in call.site.nodes else call.site.storage(storage)
        call.require(f"/storage/{storage}", "Datastore.AllocateSpace")
    if target not in call.site.nodes:
        raise fail(f"no such cluster node '{target}'")
    if source.conf.get("lock"):
        raise locked(str(source.conf["lock"]))
    snapname = call.get("snapname")
    if snapname and snapname not in source.snapshots:
        raise fail(f"snapshot '{snapname}' does not exist")
    conf = source.snapshots[snapname]["conf"] if snapname else source.merged()
    # Two clones may both come this far: the id is claimed only when the task begins.
    if newid in call.site.guests:
        raise fail(f"unable to create VM {newid}: config file already exists")
    full = bool(call.get("full", 0 if source.conf.get("template") else 1))
    _check_disks(call, source, conf, full=full, target=target)
    return _submit(call, source, conf, full=full)


def _check_disks(call: Call, source: Guest, conf: dict[str, Any], *, full: bool, target: str) -> None:
    if not full:
        for name in ("storage", "format"):
            if call.get(name):
                raise fail(f"parameter '{name}' not allowed for linked clones")
    for key, drive in disks.drives(conf).items():
        volume = disks.volume_of(call.site, source.node, drive)
        if volume is None or drive.is_cdrom:
            continue
        if not full and not re.search(r"base-\d+-disk", volume.volid.rpartition("/")[2]):
            raise fail(f"Linked clone feature is not supported for '{volume.volid}' ({key})")
        local = not call.site.storages[volume.volid.partition(":")[0]].shared
        if target != source.node and local:
            raise fail(f"can't clone VM to node '{target}' (VM uses local storage)")
    wanted = call.get("storage")
    if wanted and target != source.node and not call.site.storages[wanted].shared:
        raise fail(f"can't clone to non-shared storage '{wanted}'")


def _submit(call: Call, source: Guest, conf: dict[str, Any], *, full: bool) -> str:
    site, fleet, newid = call.site, call.fleet, call.params["newid"]
    target, pool = call.get("target", call.node.name), call.get("pool", "")
    made: list[str] = []
    claimed: list[Guest] = []

    def claim(_task: Task) -> None:
        if newid in site.guests:
            raise TaskError(f"unable to create VM {newid}: config file already exists")
        guest = Guest(newid, target, {"lock": "clone"}, created=call.now)
        site.guests[newid] = guest
        claimed.append(guest)
        if pool and pool in site.pools:
            site.pools[pool]["vms"].append(newid)
        call.changed()

    def copy_all(task: Task) -> None:
        guest = claimed[0]
        task.lines.append(f"creating a clone of VM {source.vmid} with ID {newid}")
        new = {key: copy.deepcopy(value) for key, value in conf.items() if key not in _NOT_COPIED}
        for key in list(new):
            if disks.UNUSED.fullmatch(key):
                del new[key]
            elif disks.is_drive(key):
                new[key] = _drive(call, source, key, new[key], (target, full), made, task)
            elif re.fullmatch(r"net\d+", key):
                new[key] = config.net(call, re.sub(r"^(\w[\w-]*)=[0-9A-Fa-f:]{17}", r"\1", str(new[key])))
        new["name"] = call.get("name", f"Copy-of-VM-{source.conf.get('name', source.vmid)}")
        if call.get("description") is not None:
            new["description"] = call.params["description"]
        new["smbios1"] = _new_uuid(str(conf.get("smbios1", "")), fleet.uuid())
        new["vmgenid"] = fleet.uuid()
        guest.conf = {key: value for key, value in new.items() if value not in ("", None)}
        call.changed()

    def undo() -> None:
        for volid in made:
            disks.free(site, target, volid)
        if claimed and site.guests.get(newid) is claimed[0]:
            del site.guests[newid]
            if pool in site.pools and newid in site.pools[pool]["vms"]:
                site.pools[pool]["vms"].remove(newid)
        call.changed()

    steps = [(fleet.durations.get("claim", 0.0), claim), (tasks.duration(fleet, "qmclone"), copy_all)]
    return call.task("qmclone", source.vmid, steps, undo)


def _drive(call: Call, source: Guest, key: str, value: str, how: tuple[str, bool], made: list[str], task: Task) -> str:
    target, full = how
    site: Site = call.site
    drive = disks.parse(key, value)
    volume = disks.volume_of(site, source.node, drive)
    if volume is None or (drive.is_cdrom and not drive.is_cloudinit):
        return value
    storage = call.get("storage") or volume.volid.partition(":")[0]
    if full or drive.is_cloudinit:
        task.lines.append(f"create full clone of drive {key} ({volume.volid})")
        kind = "cloudinit" if drive.is_cloudinit else "disk"
        fmt = call.get("format", "")
        new, lines = disks.copy_full(call.fleet, site, volume, (target, storage), call.params["newid"], fmt, kind)
    else:
        task.lines.append(f"create linked clone of drive {key} ({volume.volid})")
        new, lines = disks.copy_linked(call.fleet, site, target, volume, call.params["newid"])
    made.append(new.volid)
    task.lines += lines
    drive.file = new.volid
    drive.options["size"] = disks.to_text(new.size)
    return drive.text()


def _new_uuid(smbios: str, uuid: str) -> str:
    rest = [part for part in smbios.split(",") if part and not part.startswith("uuid=")]
    return ",".join([f"uuid={uuid}", *rest])
