# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storages, what is on them, and how images get there."""

from __future__ import annotations

import hashlib
import ssl
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from . import disks
from .errors import ApiError, TaskError, bad, fail
from .routes import Call, index, route
from .world import GIB, Site, Storage, Task, Volume, sha1

S = "/nodes/{node}/storage"
ONE = S + "/{storage}"
index(ONE, "content", "download-url", "status", "upload", key="subdir")
# The files of multipart requests, from the HTTP layer to the handler.
UPLOADS: dict[str, bytes] = {}
CHANGED = "detected modified configuration - file changed by other user? Try again."
# What each type must be given, what it may hold, and what cannot be changed later.
REQUIRED: dict[str, tuple[str, ...]] = {
    "dir": ("path",),
    "btrfs": ("path",),
    "nfs": ("server", "export"),
    "cifs": ("server", "share"),
    "cephfs": (),
    "rbd": (),
    "lvm": ("vgname",),
    "lvmthin": ("vgname", "thinpool"),
    "zfspool": ("pool",),
    "zfs": ("pool", "portal", "target", "iscsiprovider"),
    "iscsi": ("portal", "target"),
    "iscsidirect": ("portal", "target"),
    "pbs": ("server", "datastore"),
    "esxi": ("server",),
}
DEFAULT_CONTENT = {"lvm": "images,rootdir", "lvmthin": "images,rootdir", "zfspool": "images,rootdir", "pbs": "backup"}
REMOTE = {"nfs", "cifs", "iscsi", "pbs", "esxi"}
HIDDEN = {"password", "keyring", "encryption-key", "master-pubkey"}


def _shown(site: Site, storage: Storage) -> dict[str, Any]:
    digest = sha1({name: [s.type, s.conf] for name, s in site.storages.items()})
    conf = {key: value for key, value in storage.conf.items() if key not in HIDDEN}
    return {"storage": storage.storage, "type": storage.type, "digest": digest, **conf}


@route("GET /storage")
def list_storages(call: Call) -> Any:
    wanted = call.get("type")
    return [
        _shown(call.site, storage)
        for storage in call.site.storages.values()
        if (not wanted or storage.type == wanted)
        and call.may(f"/storage/{storage.storage}", "Datastore.Audit", "Datastore.AllocateSpace", "Datastore.Allocate")
    ]


def _content(text: str) -> str:
    return ",".join(dict.fromkeys(part for part in text.replace(";", ",").replace(" ", ",").split(",") if part))


@route("POST /storage")
def create(call: Call) -> Any:
    params = dict(call.params)
    name, kind = params.pop("storage"), params.pop("type")
    for option in REQUIRED[kind]:
        if option not in params:
            raise fail(f"missing value for required option '{option}'")
    if name in call.site.storages:
        raise fail(f"create storage failed: storage ID '{name}' already defined")
    here = [n for n in str(params.get("nodes", "")).split(",") if n]
    if kind in REMOTE and (not here or call.node.name in here) and params.get("server") not in call.fleet.servers:
        raise fail(f"create storage failed: storage '{name}' is not online")
    params["content"] = _content(params.get("content", DEFAULT_CONTENT.get(kind, "images")))
    if kind in ("nfs", "cifs", "cephfs"):
        params.setdefault("path", f"/mnt/pve/{name}")
    if kind in REMOTE or kind in ("cephfs", "rbd"):
        params["shared"] = 1
    if not params.get("disable"):
        params.pop("disable", None)
    total = 4 * GIB if kind == "dir" else 1024 * GIB
    call.site.storages[name] = Storage(name, kind, params, total=total)
    return {"storage": name, "type": kind}


@route("GET /storage/{storage}")
def read(call: Call) -> Any:
    return _shown(call.site, call.site.storage(call.params["storage"]))


@route("PUT /storage/{storage}")
def update(call: Call) -> Any:
    name = call.params["storage"]
    if name not in call.site.storages:
        raise fail(f"update storage failed: storage '{name}' does not exist")
    storage = call.site.storages[name]
    digest = call.get("digest")
    if digest and digest != _shown(call.site, storage)["digest"]:
        raise fail(f"update storage failed: {CHANGED}")
    for key in [k for k in str(call.get("delete", "")).split(",") if k]:
        if key in REQUIRED[storage.type]:
            raise fail(f"update storage failed: unable to delete required option '{key}'")
        storage.conf.pop(key, None)
    for key, value in call.params.items():
        if key in ("storage", "delete", "digest"):
            continue
        storage.conf[key] = _content(value) if key == "content" else value
    if not storage.conf.get("disable"):
        storage.conf.pop("disable", None)
    return {"storage": name, "type": storage.type}


@route("DELETE /storage/{storage}")
def delete(call: Call) -> Any:
    name = call.params["storage"]
    if name not in call.site.storages:
        raise fail(f"delete storage failed: storage '{name}' does not exist")
    del call.site.storages[name]


# --- as a node sees them


def _enabled(storage: Storage, node: str) -> bool:
    return not storage.conf.get("disable") and (not storage.nodes() or node in storage.nodes())


def status_of(storage: Storage, node: str) -> dict[str, Any]:
    on = _enabled(storage, node)
    used = storage.total if storage.full else min(storage.used(node), storage.total)
    return {
        "type": storage.type,
        "content": storage.conf.get("content", ""),
        "active": int(on),
        "enabled": int(on),
        "shared": int(storage.shared),
        "total": storage.total if on else 0,
        "used": used if on else 0,
        "avail": storage.total - used if on else 0,
    }


@route(f"GET {S}")
def on_node(call: Call) -> Any:
    rows = []
    for storage in call.site.storages.values():
        if not call.may(f"/storage/{storage.storage}", "Datastore.Audit", "Datastore.AllocateSpace"):
            continue
        if storage.nodes() and call.node.name not in storage.nodes():
            continue
        if call.get("storage") not in (None, storage.storage):
            continue
        wanted = set(str(call.get("content", "")).split(",")) - {""}
        if wanted and not wanted & storage.allowed():
            continue
        row = {"storage": storage.storage, **status_of(storage, call.node.name)}
        if call.get("enabled") and not row["enabled"]:
            continue
        if row["total"]:
            row["used_fraction"] = row["used"] / row["total"]
        rows.append(row)
    return rows


def _here(call: Call) -> Storage:
    name = call.params["storage"]
    if name not in call.site.storages:
        raise bad(storage="No such storage.")
    return call.site.storages[name]


@route(f"GET {ONE}/status")
def node_status(call: Call) -> Any:
    return status_of(_here(call), call.node.name)


def _usable(call: Call) -> Storage:
    storage = call.site.storage(call.params["storage"])
    if storage.conf.get("disable"):
        raise fail(f"storage '{storage.storage}' is disabled")
    if not _enabled(storage, call.node.name):
        raise fail(f"storage '{storage.storage}' is not available on node '{call.node.name}'")
    return storage


@route(f"GET {ONE}/content")
def content(call: Call) -> Any:
    storage = _usable(call)
    rows = []
    for volume in sorted(storage.on(call.node.name).values(), key=lambda v: v.volid):
        if call.get("content") not in (None, volume.content) or call.get("vmid") not in (None, volume.vmid):
            continue
        own = call.may(f"/storage/{storage.storage}", "Datastore.Allocate")
        if volume.content == "images" and not own and not call.may(f"/vms/{volume.vmid}", "VM.Config.Disk"):
            continue
        rows.append(_row(volume))
    return rows


def _row(volume: Volume) -> dict[str, Any]:
    row: dict[str, Any] = {
        "volid": volume.volid,
        "content": volume.content,
        "format": volume.format,
        "size": volume.size,
        "ctime": volume.ctime,
    }
    if volume.content == "images":
        parent = volume.parent.partition(":")[2] if volume.parent else None
        row.update(vmid=volume.vmid, parent=f"../{parent}" if parent else None, used=volume.size // 4)
    if volume.content == "backup":
        row.update(vmid=volume.vmid, subtype="qemu")
    if volume.notes:
        row["notes"] = volume.notes
    if volume.protected:
        row["protected"] = 1
    return row


def _path(storage: Storage, rest: str) -> str:
    base = storage.conf.get("path", f"/mnt/pve/{storage.storage}")
    kind, _unused, name = rest.partition("/")
    folders = {
        "iso": "template/iso",
        "vztmpl": "template/cache",
        "backup": "dump",
        "snippets": "snippets",
        "import": "import",
    }
    if kind in folders:
        return f"{base}/{folders[kind]}/{name}"
    return f"{base}/images/{rest}" if storage.type in disks.FILE_BASED else f"/dev/{storage.storage}/{rest}"


def _volid(call: Call) -> str:
    volume = str(call.params["volume"])
    return volume if ":" in volume else f"{call.params['storage']}:{volume}"


def _check_volume(call: Call, volid: str, *, write: bool) -> None:
    """Who may see or remove a volume: its guest's people, or the storage's."""
    storage = volid.partition(":")[0]
    rest = volid.partition(":")[2]
    vmid = disks.owner(volid)
    if call.may(f"/storage/{storage}", "Datastore.Allocate"):
        return
    if vmid is not None and not rest.startswith(("iso", "vztmpl", "import", "snippets")):
        call.require(f"/vms/{vmid}", "VM.Config.Disk" if not rest.startswith("backup") else "VM.Backup")
    names = ("Datastore.AllocateTemplate",) if write else ("Datastore.Audit", "Datastore.AllocateSpace")
    call.require(f"/storage/{storage}", *names, any_of=True)


@route(f"GET {ONE}/content/{{volume}}")
def volume_info(call: Call) -> Any:
    volid = _volid(call)
    _check_volume(call, volid, write=False)
    storage = _usable(call)
    volume = storage.on(call.node.name).get(volid)
    if volume is None:
        raise fail(f"volume '{volid}' does not exist")
    row = {"path": _path(storage, volid.partition(":")[2]), "size": volume.size, "format": volume.format}
    row["used"] = volume.size // 4
    if volume.notes:
        row["notes"] = volume.notes
    return row


@route(f"PUT {ONE}/content/{{volume}}")
def volume_update(call: Call) -> Any:
    volid = _volid(call)
    _check_volume(call, volid, write=True)
    volume = _usable(call).on(call.node.name).get(volid)
    if volume is None:
        raise fail(f"volume '{volid}' does not exist")
    volume.notes = call.get("notes", volume.notes)
    volume.protected = call.get("protected", volume.protected)


@route(f"DELETE {ONE}/content/{{volume}}")
def volume_delete(call: Call) -> Any:
    volid = _volid(call)
    _check_volume(call, volid, write=True)
    storage = _usable(call)
    rest = volid.partition(":")[2]
    vmid = disks.owner(volid)
    is_image = rest.partition("/")[0].isdigit() or (vmid is not None and "/" not in rest)
    ident = f"{vmid}@{storage.storage}" if is_image else storage.storage

    def work(task: Task) -> None:
        volume = storage.on(call.node.name).get(volid)
        disks.refuse_in_use(call.site, volid)
        if volume and volume.protected:
            raise TaskError(f"can't remove protected volume '{volid}'")
        if volume is None:
            task.lines.append(f"disk image '{_path(storage, rest)}' does not exist")
        disks.free(call.site, call.node.name, volid)
        task.lines.append(f"Removed volume '{volid}'")

    return call.task("imgdel", ident, work)


@route(f"POST {ONE}/content")
def allocate(call: Call) -> Any:
    storage, name, vmid = _usable(call), call.params["filename"], call.params["vmid"]
    fmt = call.get("format") or (name.rpartition(".")[2] if "." in name else "raw")
    volid = f"{storage.storage}:{vmid}/{name}" if storage.type in disks.FILE_BASED else f"{storage.storage}:{name}"
    if volid in storage.on(call.node.name):
        raise fail(f"disk image '{_path(storage, volid.partition(':')[2])}' already exists")
    if storage.full:
        raise fail("unable to create image: No space left on device")
    # A number alone means kilobytes here, unlike anywhere else.
    size = call.params["size"]
    size = disks.to_bytes(size) if size[-1] in "MG" else int(size) * 1024
    storage.on(call.node.name)[volid] = Volume(volid, size, fmt, vmid=vmid, ctime=int(call.now))
    return volid


def _put_file(call: Call, storage: Storage, kind: str, name: str, data: bytes) -> Volume:
    if storage.full:
        raise TaskError(f"unable to write '{name}': No space left on device")
    sums = {algorithm: hashlib.new(algorithm, data).hexdigest() for algorithm in ("md5", "sha1", "sha256", "sha512")}
    size = _virtual_size(data, name)
    fmt = name.rpartition(".")[2].lower()
    volid = f"{storage.storage}:{kind}/{name}"
    volume = Volume(volid, size, "tgz" if kind == "vztmpl" else fmt, kind, ctime=int(call.now), checksums=sums)
    storage.on(call.node.name)[volid] = volume
    return volume


def _virtual_size(data: bytes, name: str) -> int:
    """A qcow2 image says in its header how large the disk is."""
    if data[:4] == b"QFI\xfb" and len(data) >= 32:
        return int.from_bytes(data[24:32], "big")
    return len(data)


def _verify(call: Call, data: bytes) -> None:
    algorithm, wanted = call.get("checksum-algorithm"), call.get("checksum", "")
    if algorithm:
        got = hashlib.new(algorithm, data).hexdigest()
        if got.lower() != wanted.lower():
            raise TaskError(f"checksum mismatch: got '{got}' != expect '{wanted}'")


def _check_content(storage: Storage, kind: str) -> None:
    if kind not in storage.allowed():
        raise fail(f"storage '{storage.storage}' is not configured for content-type '{kind}'")


def _fetch(call: Call, url: str) -> bytes:
    context = ssl.create_default_context()
    if not call.get("verify-certificates", 1):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    where = f"Connecting to {urlsplit(url).hostname}:{urlsplit(url).port or 80}..."
    try:
        # The table of endpoints lets only http and https through.
        with urllib.request.urlopen(url, timeout=30, context=context) as answer:  # noqa: S310  # see above
            body: bytes = answer.read()
            return body
    except urllib.error.HTTPError as error:
        raise TaskError(f"download failed: {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        reason = str(getattr(error.reason, "strerror", error.reason))
        raise TaskError(f"download failed: {where} failed: {reason}.") from error
    except OSError as error:
        raise TaskError(f"download failed: {where} failed: {error}.") from error


@route(f"POST {ONE}/download-url")
def download(call: Call) -> Any:
    storage, kind, name, url = _usable(call), call.params["content"], call.params["filename"], call.params["url"]
    _check_content(storage, kind)
    endings = {
        "iso": (".iso", ".img"),
        "vztmpl": (".tar.gz", ".tar.xz", ".tar.zst"),
        "import": (".qcow2", ".raw", ".vmdk", ".ova"),
    }
    if not name.lower().endswith(endings[kind]):
        raise bad(filename="wrong file extension")
    volid = f"{storage.storage}:{kind}/{name}"
    path = _path(storage, f"{kind}/{name}")

    def work(task: Task) -> None:
        present = storage.on(call.node.name).get(volid)
        algorithm = call.get("checksum-algorithm")
        if present:
            task.lines.append(f"file '{path}' exists already")
            if algorithm and present.checksums.get(algorithm, "").lower() != call.get("checksum", "").lower():
                raise TaskError(f"mismatching checksum: refusing to override existing file '{path}'")
            if algorithm:
                return
            raise TaskError(f"refusing to override existing file '{path}'")
        task.lines.append(f"downloading {url} to {path}")
        task.lines.append(f"--  {url}")
        data = _fetch(call, url)
        if algorithm:
            task.lines.append("calculating checksum...")
        _verify(call, data)
        _put_file(call, storage, kind, name, data)
        task.lines.append(f"download of '{url}' to '{path}' finished")

    return call.task("download", name, work)


@route(f"POST {ONE}/upload")
def upload(call: Call) -> Any:
    storage, kind, name = _usable(call), call.params["content"], call.params["filename"]
    _check_content(storage, kind)
    data = UPLOADS.pop(name, None)
    if data is None:
        raise ApiError(400, "Parameter verification failed.", {"filename": "no file was sent"})

    def work(_task: Task) -> None:
        _verify(call, data)
        _put_file(call, storage, kind, name, data)

    return call.task("imgcopy", "", work)
