# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines: list, create, configure, clone, resize, move, migrate, remove."""

from __future__ import annotations

import re
from typing import Any

from . import config, disks, guests, tasks
from .errors import TaskError, bad, fail, forbidden, locked
from .routes import Call, Reply, index, route
from .world import Guest, Task

Q = "/nodes/{node}/qemu"
V = Q + "/{vmid}"
index(
    V,
    "config", "pending", "clone", "status", "agent", "snapshot", "firewall", "cloudinit", "feature",
    "migrate", "rrd", key="subdir"
)  # fmt: skip


@route(f"GET {Q}")
def list_guests(call: Call) -> Any:
    rows = [g for g in call.site.guests.values() if g.node == call.node.name]
    return [guests.live(call, g) for g in rows if call.may(f"/vms/{g.vmid}", "VM.Audit")]


@route("GET /nodes/{node}/lxc")
def list_containers(_call: Call) -> Any:
    return []


def _taken(call: Call, vmid: int) -> str | None:
    other = call.site.guests.get(vmid)
    return f"VM {vmid} already exists on node '{other.node}'" if other else None


@route(f"POST {Q}")
def create(call: Call) -> Any:
    params = dict(call.params)
    vmid, pool = params["vmid"], params.pop("pool", "")
    for name in (
        "archive",
        "force",
        "unique",
        "storage",
        "bwlimit",
        "live-restore",
        "ha-managed",
        "import-working-storage",
    ):
        params.pop(name, None)
    start = params.pop("start", 0)
    archive = call.get("archive")
    if pool:
        config.forbid_pool(call.site, pool)
    if not (call.may(f"/vms/{vmid}", "VM.Allocate") or (pool and call.may(f"/pool/{pool}", "VM.Allocate"))):
        raise forbidden()
    values = {key: value for key, value in params.items() if key not in config.CONTROL}
    config.check_rights(call, vmid, values, (), pool)
    taken = _taken(call, vmid)
    if taken:
        raise fail(f"unable to create VM {vmid} - {taken}")
    if archive:
        if call.site.volume(archive, call.node.name) is None:
            raise fail(f"volume '{archive}' does not exist")
        raise fail("restoring an archive is not part of this simulator")
    config.check_sources(call, call.node.name, values)
    guest = Guest(vmid, call.node.name, {"lock": "create"}, created=call.now)
    call.site.guests[vmid] = guest
    if pool:
        call.site.pools[pool]["vms"].append(vmid)

    def undo() -> None:
        call.site.guests.pop(vmid, None)
        if pool and vmid in call.site.pools.get(pool, {"vms": []})["vms"]:
            call.site.pools[pool]["vms"].remove(vmid)

    def work(task: Task) -> None:
        writer = config.Writer(call, guest)
        if values.get("template"):
            guest.conf["template"] = 1
        try:
            stored = {k: v for k, v in writer.values(values).items() if v is not None}
        except TaskError as error:
            raise TaskError(f"unable to create VM {vmid} - {error}") from error
        stored.setdefault("boot", config.default_boot(stored))
        try:
            config.check_consistency(stored, values)
        except Exception:
            writer.undo()
            raise
        stored.setdefault("smbios1", f"uuid={call.fleet.uuid()}")
        stored.setdefault("vmgenid", call.fleet.uuid())
        stored["meta"] = f"creation-qemu=11.0.0,ctime={int(call.now)}"
        guest.conf = stored
        guest.cloudinit = guests.cloudinit_values(stored)
        task.lines += writer.lines
        if start:
            task.lines.append("Execute autostart")
            guests.start_task(call, guest)

    return call.task("qmcreate", vmid, work, undo)


@route(f"DELETE {V}")
def destroy(call: Call) -> Any:
    guest = call.guest()
    vmid, purge = guest.vmid, call.get("purge")
    if call.get("skiplock") and not call.is_root:
        raise bad(skiplock="Only root may use this option.")
    if guest.conf.get("protection"):
        raise fail(f"can't remove VM {vmid} - protection mode enabled")
    if f"vm:{vmid}" in call.site.ha["resources"] and not purge:
        raise fail(f"unable to remove VM {vmid} - used in HA resources and purge parameter not set.")
    if guest.running:
        raise fail(f"VM {vmid} is running - destroy failed")

    def work(task: Task) -> None:
        site = call.site
        current = site.guest(vmid, guest.node)
        if current.running:
            raise TaskError(f"VM {vmid} is running - destroy failed")
        if current.conf.get("lock") and not call.get("skiplock"):
            raise locked(str(current.conf["lock"]))
        owned = guests.volumes_of(site, current)
        for volid in owned:
            disks.refuse_in_use(site, volid)
        if purge:
            task.lines.append(f"purging VM {vmid} from related configurations..")
            site.ha["resources"].pop(f"vm:{vmid}", None)
            for job in site.backups.values():
                left = [v for v in str(job.get("vmid", "")).split(",") if v and v != str(vmid)]
                if job.get("vmid"):
                    job["vmid"] = ",".join(left)
        for volid in owned:
            disks.free(site, current.node, volid)
        if call.get("destroy-unreferenced-disks"):
            for storage in site.storages.values():
                for volid in [v for v in storage.on(current.node) if disks.owner(v) == vmid]:
                    disks.free(site, current.node, volid)
        call.backend.destroy(current)
        del site.guests[vmid]
        site.guest_firewalls.pop(vmid, None)
        site.acl.pop(f"/vms/{vmid}", None)
        for pool in site.pools.values():
            if vmid in pool["vms"]:
                pool["vms"].remove(vmid)

    return call.task("qmdestroy", vmid, work)


@route(f"GET {V}/config")
def read_config(call: Call) -> Any:
    guest = call.guest()
    snapshot = call.get("snapshot")
    if snapshot:
        if snapshot not in guest.snapshots:
            raise fail(f"snapshot '{snapshot}' does not exist")
        return config.shown(guest.snapshots[snapshot]["conf"], guest.digest)
    return config.shown(guest.conf if call.get("current") else guest.merged(), guest.digest)


@route(f"GET {V}/pending")
def read_pending(call: Call) -> Any:
    guest = call.guest()
    rows = []
    conf, waiting = config.shown(guest.conf, guest.digest), config.shown(guest.pending, "")
    for key in {**conf, **guest.pending}:
        row: dict[str, Any] = {"key": key}
        if key in conf:
            row["value"] = conf[key]
        if key in guest.pending:
            row["pending"] = waiting[key]
        if key in guest.deletes:
            row["delete"] = guest.deletes[key]
        rows.append(row)
    return rows


@route(f"PUT {V}/config")
def put_config(call: Call) -> Any:
    guest = call.guest()
    config.early_checks(call, guest, call.params)
    try:
        config.write(call, guest, call.params)
    except TaskError as error:
        raise fail(str(error)) from error


@route(f"POST {V}/config")
def post_config(call: Call) -> Any:
    guest = call.guest()
    config.early_checks(call, guest, call.params)

    def work(task: Task) -> None:
        current = call.site.guest(guest.vmid, guest.node)
        digest, lock = call.get("digest"), current.conf.get("lock")
        if digest and digest != current.digest:
            raise TaskError("checksum mismatch (file change by other user?)")
        if lock and not call.get("skiplock"):
            raise locked(str(lock))
        values, _deletes, _reverts = config.split(call.params)
        shown = " ".join(f"-{k} {v}" for k, v in sorted(values.items()) if k != "cipassword")
        lines = config.write(call, current, call.params)
        task.lines += [f"update VM {guest.vmid}: {shown}", *lines]

    upid = call.task("qmconfig", guest.vmid, work)
    wait = call.get("background_delay")
    if wait and tasks.duration(call.fleet, "qmconfig") <= wait:
        task = call.site.tasks[upid]
        if task.status is None:
            tasks.settle(call.fleet)
        if task.status != "OK":
            raise fail(str(task.status))
        return None
    return upid


@route(f"POST {V}/clone")
def clone(call: Call) -> Any:
    from .clones import start

    return start(call)


@route(f"POST {V}/template")
def template(call: Call) -> Any:
    guest = call.guest(f"unable to find configuration file for VM {call.params['vmid']} on node '{call.node.name}'")
    _free_of_lock(guest)
    if guest.conf.get("template"):
        raise fail("you can't convert a template to a template")
    if guest.snapshots:
        raise fail("unable to create template, because VM contains snapshots")
    if guest.running:
        raise fail("you can't convert a VM to template if VM is running")

    def work(_task: Task) -> None:
        guest.conf["template"] = 1
        for key, drive in disks.drives(guest.conf).items():
            if not drive.is_cdrom and drive.file != "none":
                drive.file = disks.to_base(call.site, guest.node, drive.file)
                guest.conf[key] = drive.text()

    return call.task("qmtemplate", guest.vmid, work)


def _free_of_lock(guest: Guest, *, skip: bool = False) -> None:
    if guest.conf.get("lock") and not skip:
        raise locked(str(guest.conf["lock"]))


@route(f"PUT {V}/resize")
def resize(call: Call) -> Any:
    guest = call.guest()
    key, size = call.params["disk"], call.params["size"]
    digest = call.get("digest")
    if call.get("skiplock") and not call.is_root:
        raise bad(skiplock="Only root may use this option.")
    if digest and digest != guest.digest:
        raise fail("checksum mismatch (file change by other user?)")

    def work(task: Task) -> None:
        _free_of_lock(guest, skip=bool(call.get("skiplock")))
        if key not in guest.conf:
            raise TaskError(f"disk '{key}' does not exist")
        drive = disks.parse(key, guest.conf[key])
        if drive.is_cdrom:
            raise TaskError("you can't resize a cdrom")
        volume = disks.volume_of(call.site, guest.node, drive)
        if volume is None:
            raise TaskError(f"volume '{drive.file}' does not exist")
        target = volume.size + disks.to_bytes(size[1:]) if size.startswith("+") else disks.to_bytes(size)
        if target < volume.size:
            raise TaskError("shrinking disks is not supported")
        if target > volume.size:
            storage = call.site.storages[volume.volid.partition(":")[0]]
            if storage.full:
                raise TaskError(f"unable to resize '{volume.volid}': No space left on device")
            if (
                "/base-" in volume.volid.rpartition("/")[0] + "/" + volume.volid.rpartition("/")[2]
                and not volume.parent
            ):
                path = f"/var/lib/vz/images/{volume.volid.partition(':')[2]}"
                task.lines.append(
                    f"qemu-img.real: Could not open '{path}': Could not open '{path}': Operation not permitted"
                )
                command = f"/usr/bin/qemu-img resize '--preallocation=metadata' -f {volume.format} {path} {target}"
                raise TaskError(f"command '{command}' failed: exit code 1")
            volume.size = target
            drive.options["size"] = disks.to_text(target)
            guest.conf[key] = drive.text()
            task.lines.append("Image resized.")
            if guest.running:
                call.backend.update(guest)

    return call.task("resize", guest.vmid, work)


@route(f"POST {V}/move_disk")
def move_disk(call: Call) -> Any:
    guest = call.guest()
    key = call.params["disk"]
    digest = call.get("digest")
    if digest and digest != guest.digest:
        raise fail("checksum mismatch (file change by other user?)")
    _free_of_lock(guest)
    if call.get("target-vmid"):
        return _reassign(call, guest, key)
    if not call.get("storage"):
        raise bad(storage="required parameter")
    if key not in guest.conf:
        raise fail(f"disk '{key}' does not exist")
    drive = disks.parse(key, guest.conf[key])
    volume = disks.volume_of(call.site, guest.node, drive)
    if volume is None or drive.is_cdrom:
        raise fail("you can't move a cdrom")
    target = disks.usable(call.site, guest.node, call.params["storage"])
    call.require(f"/storage/{target.storage}", "Datastore.AllocateSpace")
    here = drive.file.partition(":")[0]
    wanted = call.get("format", volume.format)
    if target.storage == here and wanted == volume.format:
        raise fail("you can't move to the same storage with same format")

    def work(task: Task) -> None:
        where = f"from current storage '{here}' to target storage '{target.storage}'"
        task.lines.append(f"copying volume '{volume.volid}' {where}")
        task.lines.append(f"create full clone of drive {key} ({volume.volid})")
        new, lines = disks.copy_full(
            call.fleet, call.site, volume, (guest.node, target.storage), guest.vmid, call.get("format", "")
        )
        task.lines += lines
        drive.file = new.volid
        guest.conf[key] = drive.text()
        if call.get("delete"):
            disks.free(call.site, guest.node, volume.volid)
        else:
            unused = disks.add_unused(guest, volume.volid)
            task.lines.append(f"adding source volume '{volume.volid}' as '{unused}' to config")

    return call.task("qmmove", guest.vmid, work)


def _reassign(call: Call, guest: Guest, key: str) -> str:
    vmid = call.params["target-vmid"]
    slot = call.get("target-disk", key)
    call.require(f"/vms/{vmid}", "VM.Config.Disk")
    target = call.site.guests.get(vmid)
    if target is None:
        raise fail(f"could not find target VM {vmid}")
    if key not in guest.conf:
        raise fail(f"disk '{key}' does not exist")
    if slot in target.conf:
        raise fail(f"target disk key '{slot}' is already in use for VM '{vmid}'")
    if guest.running:
        raise fail("Cannot move disk of running VM to another VM")
    drive = disks.parse(key, guest.conf[key])

    def work(task: Task) -> None:
        volume = disks.volume_of(call.site, guest.node, drive)
        if volume is None:
            raise TaskError(f"volume '{drive.file}' does not exist")
        storage = call.site.storages[drive.file.partition(":")[0]]
        storage.on(guest.node).pop(volume.volid)
        name = disks._name(storage, guest.node, vmid, "disk", volume.format)
        base = drive.file.partition(":")[2].rpartition(f"{guest.vmid}/vm-{guest.vmid}")[0]
        volume.volid = f"{storage.storage}:{base}{name}"
        volume.vmid = vmid
        storage.on(guest.node)[volume.volid] = volume
        task.lines.append(f"reassign disk '{key}' from VM '{guest.vmid}' as '{slot}' to VM '{vmid}'")
        if key in str(guest.conf.get("boot", "")):
            task.lines.append(f"removing disk '{key}' from boot order config")
            config.drop_from_boot(guest.conf, key)
        task.lines.append(f"removing disk '{key}' from VM '{guest.vmid}' config")
        del guest.conf[key]
        drive.file = volume.volid
        target.conf[slot] = drive.text()
        task.lines.append(f"update VM {vmid}: -{slot} {drive.text()}")

    return call.task("qmmove", f"{guest.vmid}-{key}>{vmid}-{slot}", work)


@route(f"PUT {V}/unlink")
def unlink(call: Call) -> Any:
    guest = call.guest()
    call.params["delete"] = call.params.pop("idlist")
    config.early_checks(call, guest, call.params)
    config.write(call, guest, call.params)


@route(f"GET {V}/feature")
def feature(call: Call) -> Any:
    guest = call.guest()
    if call.get("snapname") and call.params["snapname"] not in guest.snapshots:
        raise fail(f"snapshot '{call.params['snapname']}' does not exist")
    able = True
    for drive in disks.drives(guest.conf).values():
        volume = disks.volume_of(call.site, guest.node, drive)
        if volume is None or drive.is_cdrom:
            continue
        block = volume.volid.partition(":")[2].count("/") == 0
        if call.params["feature"] == "snapshot":
            able &= volume.format == "qcow2" or block
        elif call.params["feature"] == "clone":
            able &= bool(re.search(r"base-\d+", volume.volid.rpartition("/")[2]))
    shared = all(
        call.site.storages[d.file.partition(":")[0]].shared
        for d in disks.drives(guest.conf).values()
        if disks.volume_of(call.site, guest.node, d)
    )
    return {"hasFeature": int(able), "nodes": sorted(call.site.nodes) if shared else [guest.node]}


@route(f"GET {V}/cloudinit")
def cloudinit(call: Call) -> Any:
    guest = call.guest()
    now, then = guests.cloudinit_values(guest.merged()), guest.cloudinit
    rows = []
    for key in sorted({**now, **then}):
        row: dict[str, Any] = {"key": key}
        if key in then:
            row["value"] = then[key]
        if now.get(key) != then.get(key):
            if key in now:
                row["pending"] = now[key]
            else:
                row["delete"] = 1
            rows.append(row)
        elif key == "cipassword":
            rows.append({"key": key, "value": "**********"})
    return rows


@route(f"PUT {V}/cloudinit")
def regenerate(call: Call) -> Any:
    guest = call.guest()
    guest.cloudinit = guests.cloudinit_values(guest.merged())


@route(f"GET {V}/cloudinit/dump")
def dump(call: Call) -> Any:
    from .cloudinit import render

    return Reply(render(call.guest(), call.params["type"], call.node))
