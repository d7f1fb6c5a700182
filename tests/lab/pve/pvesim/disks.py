# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks of guests: how they are written in a configuration, and the volumes behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from . import spec, validate
from .errors import ApiError, TaskError, bad, bad_params, fail
from .world import GIB, Fleet, Guest, Site, Storage, Volume

DRIVE = re.compile(r"(?:ide|sata|scsi|virtio)\d+|efidisk0|tpmstate0")
UNUSED = re.compile(r"unused\d+")
ALLOCATE = re.compile(r"(?P<storage>[^/:\s]+):(?P<size>\d+(?:\.\d+)?)")
FILE_BASED = {"dir", "nfs", "cifs", "cephfs", "btrfs"}
FIXED_SIZE = {"efidisk0": 528 * 1024, "tpmstate0": 4 * 1024**2}
CLOUDINIT_SIZE = 4 * 1024**2
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


@dataclass
class Drive:
    """A drive as written: the volume (or `none`) and its options."""

    file: str
    options: dict[str, str]

    @property
    def is_cdrom(self) -> bool:
        return self.options.get("media") == "cdrom"

    @property
    def is_cloudinit(self) -> bool:
        return bool(re.search(r"[:/](?:vm-\d+-)?cloudinit(?:\.\w+)?$", self.file))

    def text(self) -> str:
        return ",".join([self.file, *(f"{key}={self.options[key]}" for key in sorted(self.options))])


def is_drive(key: str) -> bool:
    return bool(DRIVE.fullmatch(key))


def parse(key: str, value: Any) -> Drive:
    endpoint = spec.load()["POST", "/nodes/{node}/qemu"]
    param = endpoint.find(key)
    groups = endpoint.groups
    parsed = validate.parse_property_string(groups[param.keys], str(value)) if param else {"file": str(value)}
    return Drive(parsed.pop("file"), parsed)


def drives(conf: dict[str, Any]) -> dict[str, Drive]:
    return {key: parse(key, conf[key]) for key in sorted(conf) if is_drive(key)}


def to_bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)(?:iB)?", text)
    if not match:
        raise ValueError(text)
    return int(float(match[1]) * _UNITS[match[2]])


def to_text(size: int) -> str:
    for unit in ("", "K", "M", "G"):
        if size % 1024 or not size:
            return f"{size}{unit}"
        size //= 1024
    return f"{size}T"


def usable(site: Site, node: str, name: str) -> Storage:
    """The storage, if it can hold disks on this node."""
    storage = site.storage(name)
    if storage.conf.get("disable"):
        raise fail(f"storage '{name}' is disabled")
    if storage.nodes() and node not in storage.nodes():
        raise fail(f"storage '{name}' is not available on node '{node}'")
    if "images" not in storage.allowed():
        raise bad(storage=f"storage '{name}' does not support vm images")
    return storage


def _room(storage: Storage, node: str, size: int) -> None:
    thick = storage.type == "lvm"
    if storage.full or (thick and storage.used(node) + size > storage.total):
        raise TaskError(
            f"unable to create image: no space left on storage '{storage.storage}' (No space left on device)"
        )


def _name(storage: Storage, node: str, vmid: int, kind: str, fmt: str) -> str:
    """A free volume name: the lowest number no volume of this guest has here."""
    if kind == "cloudinit":
        stem = f"vm-{vmid}-cloudinit"
    else:
        taken = {
            int(m[1])
            for volid in storage.on(node)
            if (m := re.search(rf"(?:vm|base)-{vmid}-disk-(\d+)(?:\.\w+)?$", volid))
        }
        stem = f"vm-{vmid}-disk-{next(n for n in range(10_000) if n not in taken)}"
    return f"{vmid}/{stem}.{fmt}" if storage.type in FILE_BASED else stem


def _formatting(storage: Storage, volume: Volume) -> str:
    path = f"{storage.conf.get('path', '/mnt/pve/' + storage.storage)}/images/{volume.volid.rpartition(':')[2]}"
    if volume.format == "qcow2":
        rest = (
            "fmt=qcow2 cluster_size=65536 extended_l2=off preallocation=metadata compression_type=zlib"
            f" size={volume.size} lazy_refcounts=off refcount_bits=16"
        )
    elif volume.format == "vmdk":
        rest = f"fmt=vmdk size={volume.size} compat6=off hwversion=undefined"
    else:
        rest = f"fmt=raw size={volume.size} preallocation=off"
    return f"Formatting '{path}', {rest}"


def allocate(
    fleet: Fleet, site: Site, node: str, name: str, vmid: int, size: int, fmt: str = "", kind: str = "disk"
) -> tuple[Volume, list[str]]:
    """A new empty volume and the lines a task log gets for it."""
    storage = usable(site, node, name)
    _room(storage, node, size)
    if storage.type not in FILE_BASED:
        fmt = "raw"
    fmt = fmt or ("qcow2" if kind == "cloudinit" else "raw")
    volid = f"{name}:{_name(storage, node, vmid, kind, fmt)}"
    volume = Volume(volid, size, fmt, vmid=vmid, ctime=int(fleet.clock.now()))
    storage.on(node)[volid] = volume
    return volume, [_formatting(storage, volume)] if storage.type in FILE_BASED else []


def free(site: Site, node: str, volid: str) -> None:
    storage = site.storages.get(volid.partition(":")[0])
    if storage:
        storage.on(node).pop(volid, None)


def owner(volid: str) -> int | None:
    match = re.search(r"(?:vm|base)-(\d+)-[^/]*$", volid)
    return int(match[1]) if match else None


def volume_of(site: Site, node: str, drive: Drive) -> Volume | None:
    return None if drive.file in ("none", "cdrom") else site.volume(drive.file, node)


def parse_volume_name(site: Site, node: str, volid: str) -> Volume:
    """The volume of an id a client sent; every way it can be wrong has its own text."""
    name, _unused, rest = volid.partition(":")
    storage = site.storage(name)
    if storage.type in FILE_BASED and "/" not in rest:
        raise fail(f"unable to parse directory volume name '{rest}'")
    volume = site.volume(volid, node)
    if volume is None:
        raise fail(f"volume '{volid}' does not exist")
    return volume


def copy_full(
    fleet: Fleet, site: Site, source: Volume, where: tuple[str, str], vmid: int, fmt: str, kind: str = "disk"
) -> tuple[Volume, list[str]]:
    """A full copy on `where` = (node, storage)."""
    node, name = where
    volume, lines = allocate(fleet, site, node, name, vmid, source.size, fmt or source.format, kind)
    volume.origin = source.origin or source.volid
    lines.append(f"allocated target volume '{volume.volid}'")
    if kind == "disk":
        whole = f"{source.size / GIB:.1f} GiB"
        lines += [f"transferred 0.0 B of {whole} (0.00%)", f"transferred {whole} of {whole} (100.00%)"]
    return volume, lines


def copy_linked(fleet: Fleet, site: Site, node: str, source: Volume, vmid: int) -> tuple[Volume, list[str]]:
    """A volume that stands on a base image."""
    name, _unused, base = source.volid.partition(":")
    storage = site.storage(name)
    _room(storage, node, 0)
    fmt = "qcow2" if storage.type in FILE_BASED else "raw"
    own = _name(storage, node, vmid, "disk", fmt)
    volid = f"{name}:{own}" if storage.type == "lvmthin" else f"{name}:{base}/{own}"
    volume = Volume(volid, source.size, fmt, vmid=vmid, parent=source.volid, ctime=int(fleet.clock.now()))
    volume.origin = source.origin
    storage.on(node)[volid] = volume
    leaf = own.rpartition("/")[2]
    lines = [f"clone {base}: images, {leaf}, {vmid} to {leaf} (base=../{base})"]
    return volume, [*lines, _formatting(storage, volume)] if storage.type in FILE_BASED else lines


def to_base(site: Site, node: str, volid: str) -> str:
    """Turn a volume into a base image; its new id."""
    volume = site.volume(volid, node)
    storage = site.storages[volid.partition(":")[0]]
    if volume is None or "base-" in volid.rpartition("/")[2]:
        return volid
    renamed = re.sub(r"vm-(\d+-disk-\d+(?:\.\w+)?)$", r"base-\1", volid)
    storage.on(node).pop(volid)
    volume.volid = renamed
    storage.on(node)[renamed] = volume
    return renamed


def import_source(site: Site, node: str, key: str, source: str, *, is_root: bool) -> Volume:
    """What `import-from` names, refused at once when it cannot be used at all."""
    if source.startswith("/"):
        if not is_root:
            raise fail("Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 568.")
        size = site.nodes[node].files.get(source)
        if size is None:
            raise TaskError(f"cannot import from '{source}' - file does not exist")
        return Volume(source, size, source.rpartition(".")[2])
    name, _unused, rest = source.partition(":")
    storage = site.storage(name)
    volume = storage.on(node).get(source)
    kind = volume.content if volume else rest.partition("/")[0] if storage.type in FILE_BASED else "images"
    if kind.isdigit():
        kind = "images"
    if kind not in ("images", "import"):
        raise bad_params({key: f"{source} has wrong type '{kind}' - needs to be 'images' or 'import'"})
    if volume is None:
        raise TaskError(f"cannot import from '{source}' - could not get size of {source}")
    return volume


def add_unused(guest: Guest, volid: str) -> str:
    """Keep a detached volume in the configuration."""
    for conf in (guest.conf, guest.pending):
        for key, value in conf.items():
            if UNUSED.fullmatch(key) and value == volid:
                return key
    key = next(f"unused{n}" for n in range(256) if f"unused{n}" not in guest.conf)
    guest.conf[key] = volid
    return key


def in_use(guest: Guest, volid: str) -> bool:
    """Whether the configuration, what is pending, or a snapshot still names the volume."""
    confs = [guest.conf, guest.pending, *(snap.get("conf", {}) for snap in guest.snapshots.values())]
    return any(
        str(value).split(",", maxsplit=1)[0] == volid for conf in confs for key, value in conf.items() if is_drive(key)
    )


def refuse_in_use(site: Site, volid: str) -> None:
    if site.children(volid):
        raise ApiError(500, f"base volume '{volid}' is still in use by linked cloned")
