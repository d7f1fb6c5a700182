# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The making of a template: image, guest, disk size, conversion; each step is found again by whoever comes after."""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from .._objects import AdapterError, Change, Current, Step
from .._wait import WaitFailed, Waiting
from . import identity
from .errors import Busy, Exists, Invalid, NotFound, ProxmoxError, TaskFailed, Uncertain
from .properties import compose_nic, parse, parse_nic
from .session import ApiWriter, Session, words
from .sizes import MIB, parse_size, show_size
from .templates import SHARED, TAG, Cluster, Mark, Wanted, mark_of

_TRIES = 20
# Longer than a run leaves between two of its steps.
GRACE = 6


class Shared:
    """What the workers of one task share: ids given out, and one download at a time for each image."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.taken: set[int] = set()
        self.images: dict[str, threading.Lock] = defaultdict(threading.Lock)


class TemplatesWriter(ApiWriter):
    def __init__(self, session: Session, cluster: Cluster, shared: Shared, first_id: int) -> None:
        super().__init__(session)
        self.cluster, self.shared, self.first_id = cluster, shared, first_id

    def create(self, change: Change, step: Step) -> Mapping[str, Any]:
        wanted = self.cluster.wanted[change.key]
        self._image(wanted, step)
        vmid = self._guest(wanted, change, step)
        path = f"/nodes/{wanted.node}/qemu/{vmid}"
        try:
            self._alone(wanted, vmid, step)
            self._grow(path, change, step)
            self._wait(self.session.pve.post(f"{path}/template"), "conversion", step)
            self.session.pve.put(f"{path}/config", description=wanted.mark.text(complete=True))
        except (AdapterError, WaitFailed) as error:
            # What the engine tries again it looks at first; anything else would stay behind as a torso.
            if not isinstance(error, (Busy, Uncertain, WaitFailed)):
                self._remove(wanted.node, vmid, wanted.mark, step)
            raise
        return {"id": vmid, "node": wanted.node}

    def _image(self, wanted: Wanted, step: Step) -> None:
        storage, _colon, name = wanted.mark.image.partition(":")
        base = f"/nodes/{wanted.node}/storage/{storage}"
        place = storage if wanted.mark.place == SHARED else f"{wanted.node}/{storage}"
        with self.shared.lock:
            lock = self.shared.images[f"{place}/{name}"]
        with lock:
            kind, _colon, digits = wanted.mark.checksum.partition(":")
            # For an image that is there Proxmox compares the checksum and fetches nothing.
            upid = self.session.pve.post(
                f"{base}/download-url",
                **{
                    "content": "import",
                    "filename": name.partition("/")[2],
                    "url": wanted.url,
                    "checksum": digits,
                    "checksum-algorithm": kind,
                    "verify-certificates": wanted.verify,
                },
            )
            try:
                self._wait(upid, f"fetching {wanted.url}", step)
            except ProxmoxError as error:
                if isinstance(error, (Busy, Uncertain)):
                    raise
                raise AdapterError(f"{wanted.url}: {error.sentence}", _image_hint(error.sentence)) from None

    def _guest(self, wanted: Wanted, change: Change, step: Step) -> int:
        """The guest with its disk. Marked by the very call that makes it, so that no torso is ever anonymous."""
        fields = change.after
        values: dict[str, Any] = {
            "name": wanted.mark.full,
            "description": wanted.mark.text(complete=False),
            "tags": ";".join(sorted({TAG, *fields["tags"]})),
            "smbios1": f"uuid={wanted.mark.uuid}",
            "ostype": "l26",
            "cores": fields["cores"],
            "memory": parse_size(fields["memory"], MIB) // MIB,
            "cpu": fields["cpu"],
            "scsihw": "virtio-scsi-single",
            "scsi0": f"{wanted.storage}:0,import-from={wanted.mark.image},discard=on,iothread=1",
            "ide2": f"{wanted.storage}:cloudinit",
            "boot": "order=scsi0",
            # Cloud images write their boot messages there, and some do not boot without one.
            "serial0": "socket",
            "vga": "serial0",
            "agent": "1",
        }
        if fields.get("bridge"):
            values["net0"] = compose_nic(_nic(fields))
        for _turn in range(_TRIES):
            vmid = self._free_id()
            try:
                upid = self._post_guest(wanted.node, vmid, values, step)
                try:
                    self._wait(upid, "making the guest", step)
                except (TaskFailed, Uncertain, WaitFailed):
                    self._nameless(wanted.node, vmid, step)
                    raise
                return vmid
            except Exists:
                # Somebody else took that id; perhaps for this very template.
                self._named(wanted.node, vmid, step)
                self._not_made_by_another_run(wanted, vmid=0)
        raise Busy(f"no free id at {self.first_id} or above after {_TRIES} tries", "others take them at the same time")

    def _nameless(self, node: str, vmid: int, step: Step) -> None:
        """Of a task that died Proxmox keeps an empty guest under a lock, with nothing that says whose it is.

        That it is ours is known here and now only: the id was given to our own request.
        """
        path = f"/nodes/{node}/qemu/{vmid}"

        def probe() -> bool | Waiting:
            try:
                config = self.session.pve.get(f"{path}/config")
                if config.get("lock") == "create" and not {"name", "description", "tags"} & set(config):
                    # A lock is passed by root only.
                    self._wait(self.session.pve.delete(path, purge=True, skiplock=True), "clearing up", step)
            except NotFound:
                pass
            except (Busy, Uncertain) as error:
                return Waiting(str(error))
            return True

        try:
            step.wait_for(f"removing guest {vmid}, which was left empty", probe)
        except (AdapterError, WaitFailed):
            step.warn(
                f"guest {vmid} on {node} was left empty and locked when its making broke off, and only root may remove "
                f"it; there: qm unlock {vmid} && qm destroy {vmid}"
            )

    def _post_guest(self, node: str, vmid: int, values: Mapping[str, Any], step: Step) -> Any:
        try:
            return self.session.pve.post(f"/nodes/{node}/qemu", vmid=vmid, **values)
        except Uncertain:
            # Perhaps it is being made, and cannot be told from others before that is over.
            with contextlib.suppress(AdapterError, WaitFailed):
                self._named(node, vmid, step)
            raise

    def _named(self, node: str, vmid: int, step: Step) -> None:
        """Until that guest says what it is: while its disk is made it is empty, and locked."""

        def probe() -> bool | Waiting:
            row = next((row for row in self.cluster.of("qemu") if row.get("vmid") == vmid), {"node": node})
            try:
                config = self.session.pve.get(f"/nodes/{row['node']}/qemu/{vmid}/config")
            except NotFound:
                return True
            empty = config.get("lock") == "create" and "name" not in config
            return Waiting(f"guest {vmid} is being made by somebody else") if empty else True

        self.cluster.read(self.session)
        step.wait_for(f"what guest {vmid} becomes", probe)

    def _not_made_by_another_run(self, wanted: Wanted, vmid: int) -> None:
        """`vmid` is our own guest, if there is one already."""
        self.cluster.read(self.session)
        for row in self.cluster.of("qemu"):
            other = int(row["vmid"])
            # The list says nothing of a guest in its first seconds.
            ours = TAG in words(row.get("tags")) or "name" not in row
            if not ours or other == vmid or other in self.cluster.configs:
                continue
            try:
                config = self.session.pve.get(f"/nodes/{row['node']}/qemu/{other}/config")
            except NotFound:
                continue
            if identity.uuid_of(config) == wanted.mark.uuid:
                raise Busy(f"another run is making {wanted.mark.key} as guest {other}", "it is waited for")

    def _alone(self, wanted: Wanted, vmid: int, step: Step) -> None:
        """Of two runs that marked a guest each, at least one sees the other here, and yields."""
        try:
            self._not_made_by_another_run(wanted, vmid)
        except Busy:
            self._remove(wanted.node, vmid, wanted.mark, step)
            raise

    def _free_id(self) -> int:
        with self.shared.lock:
            taken = self.cluster.ids() | self.shared.taken
            vmid = next(number for number in range(self.first_id, self.first_id + 1_000_000) if number not in taken)
            self.shared.taken.add(vmid)
        return vmid

    def _grow(self, path: str, change: Change, step: Step) -> None:
        if "disk" not in change.after:
            return
        has = parse_size(parse(str(self.session.pve.get(f"{path}/config")["scsi0"]), "volume")["size"], 1)
        wants = parse_size(change.after["disk"], 1)
        if wants < has:
            raise AdapterError(
                f"a disk of {show_size(wants)} is asked for, and the image's has {show_size(has)}: disks never shrink",
                "ask for at least that, or leave disk out",
            )
        if wants > has:
            upid = self.session.pve.put(f"{path}/resize", disk="scsi0", size=str(wants))
            self._wait(upid, "growing the disk", step)

    def update(self, change: Change, step: Step) -> None:
        del step
        config = self._ours(change)
        sent: dict[str, Any] = {"digest": config.get("digest")}
        paths = set(change.paths)
        fields = change.after
        for name in paths & {"cores", "cpu"}:
            sent[name] = fields[name]
        if "memory" in paths:
            sent["memory"] = parse_size(fields["memory"], MIB) // MIB
        if "tags" in paths:
            sent["tags"] = ";".join(sorted({TAG, *fields["tags"]}))
        if paths & {"bridge", "vlan"}:
            # A card without its MAC would get another one.
            sent["net0"] = compose_nic({**parse_nic(str(config.get("net0", ""))), **_nic(fields)})
        self.session.pve.put(f"{_path(change)}/config", **sent)

    def delete(self, change: Change, step: Step) -> None:
        config = self._ours(change)
        mark = mark_of(config)
        fields = _found(change).fields
        if _found(change).incomplete and fields["id"] not in self.shared.taken:
            self._forsaken(fields)
        self._wait(self._gone(change, config), "removing it", step)
        if mark is None or change.desired.fields.get("image") == mark.checksum:
            return
        others = [mark_of(other) for vmid, other in self.cluster.configs.items() if vmid != fields["id"]]
        if not any(other is not None and other.image == mark.image and _same_place(other, mark) for other in others):
            storage = mark.image.partition(":")[0]
            path = f"/nodes/{fields['node']}/storage/{storage}/content/{mark.image}"
            self._wait(self.session.pve.delete(path), "removing its image", step)

    def _gone(self, change: Change, config: Mapping[str, Any]) -> Any:
        """The task that removes it. A lock of its making outlives a worker that died; any other has a holder."""
        held = config.get("lock") == "create" and bool(_found(change).incomplete)
        try:
            return self.session.pve.delete(_path(change), purge=True, skiplock=True if held else None)
        except Invalid as error:
            if not held:
                raise
            vmid, node = (_found(change).fields[name] for name in ("id", "node"))
            raise AdapterError(
                f"guest {vmid} on {node} was left half made and locked when its making broke off: {error.said}",
                f"run this task as root@pam with its password, or there: qm unlock {vmid} && qm destroy {vmid}",
            ) from None

    def _forsaken(self, fields: Mapping[str, Any]) -> None:
        """A torso on which somebody worked a moment ago may be another run's that goes on."""
        found = self.session.pve.get(f"/nodes/{fields['node']}/tasks", vmid=fields["id"], source="all", limit=20)
        # It is there, so whatever removed it has failed: that was no work on it.
        tasks = [task for task in found if task.get("type") != "qmdestroy" or not task.get("endtime")]
        if not tasks:
            return
        now = int(self.session.pve.get(f"/nodes/{fields['node']}/time")["time"])
        ended = tasks[0].get("endtime")
        if not ended or now - int(ended) < GRACE:
            raise Busy(f"guest {fields['id']} is half made, and worked on a moment ago", "another run may be making it")

    def _ours(self, change: Change) -> Mapping[str, Any]:
        """The configuration as it is now; refused when the id is another guest's meanwhile."""
        found = _found(change)
        config: Mapping[str, Any] = self.session.pve.get(f"{_path(change)}/config")
        mark = mark_of(config)
        if mark is None or mark.uuid != found.identity["uuid"]:
            raise AdapterError(
                f"guest {found.fields['id']} is {config.get('name', 'a guest without a name')} now, and not "
                f"{change.label}: it was not touched",
                "find out who works on this cluster at the same time, then run again",
            )
        return config

    def _remove(self, node: str, vmid: int, mark: Mark, step: Step) -> None:
        """The torso of what has just failed for good. If that fails too, the next run finds it by its mark."""
        try:
            found = mark_of(self.session.pve.get(f"/nodes/{node}/qemu/{vmid}/config"))
            if found is not None and found.uuid == mark.uuid:
                self._wait(self.session.pve.delete(f"/nodes/{node}/qemu/{vmid}", purge=True), "clearing up", step)
        except NotFound:
            return
        except (AdapterError, WaitFailed) as error:
            step.warn(f"guest {vmid} on {node} is half made and could not be removed, the next run does it: {error}")

    def _wait(self, upid: Any, what: str, step: Step) -> None:
        # An image that is gone already has no task.
        if upid:
            self.session.pve.wait(upid, f"{step.change.label}: {what}", step.deadline, progress=step.progress)


def _nic(fields: Mapping[str, Any]) -> dict[str, str]:
    vlan = {"tag": str(fields["vlan"])} if fields.get("vlan") else {}
    return {"model": "virtio", "bridge": fields["bridge"], **vlan}


def _found(change: Change) -> Current:
    if change.current is None:
        raise AdapterError(f"{change.label} is not there any more", "run again")
    return change.current


def _path(change: Change) -> str:
    fields = _found(change).fields
    return f"/nodes/{fields['node']}/qemu/{fields['id']}"


def _same_place(one: Mark, other: Mark) -> bool:
    return one.place == other.place or SHARED in (one.place, other.place)


def _image_hint(sentence: str) -> str:
    if "checksum" in sentence:
        return "what is there now is not what the checksum was made of: correct checksum, and version with it"
    return "check the url from that node; nothing was made"
