# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest's configuration: what a write makes of it, who may write what, what waits for a restart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote

from . import disks, spec, validate
from .errors import TaskError, bad, bad_params, fail, forbidden, locked
from .routes import Call
from .world import GIB, Guest, Site

CREATE = ("POST", "/nodes/{node}/qemu")
UPDATE = ("PUT", "/nodes/{node}/qemu/{vmid}/config")
# Parameters of a write that are no configuration.
CONTROL = {
    "node",
    "vmid",
    "digest",
    "delete",
    "revert",
    "skiplock",
    "force",
    "background_delay",
    "import-working-storage",
}
CLOUDINIT_KEYS = re.compile(r"ciuser|cipassword|citype|ciupgrade|cicustom|sshkeys|nameserver|searchdomain|ipconfig\d+")
LIVE = {
    "name",
    "description",
    "onboot",
    "tags",
    "startup",
    "hookscript",
    "protection",
    "lock",
    "shares",
    "vmstatestorage",
    "migrate_downtime",
    "migrate_speed",
    "template",
}
_PRIVILEGES = {
    "VM.Config.CPU": {"cores", "cpu", "cpulimit", "cpuunits", "numa", "smp", "sockets", "vcpus", "affinity"},
    "VM.Config.Memory": {"memory", "balloon", "shares", "allow-ksm"},
    "VM.Config.Cloudinit": {"ciuser", "cipassword", "sshkeys", "citype", "ciupgrade"},
    "VM.Config.Network": {"nameserver", "searchdomain"},
    "VM.PowerMgmt": {"freeze"},
    "VM.Config.Options": {
        "acpi", "agent", "autostart", "boot", "bootdisk", "description", "hotplug", "kvm", "localtime",
        "migrate_downtime",
        "migrate_speed", "name", "onboot", "ostype", "protection", "reboot", "startdate", "startup", "tablet", "tags",
        "tdf", "template", "smbios1", "spice_enhancements", "watchdog", "vmgenid", "vmstatestorage", "cicustom",
    },
}  # fmt: skip
_ROOT_ONLY = {"args", "lock", "hookscript"}


def known(key: str) -> bool:
    return key not in CONTROL and spec.load()[UPDATE].find(key) is not None


def privilege(key: str) -> str:
    for name, keys in _PRIVILEGES.items():
        if key in keys:
            return name
    if re.fullmatch(r"net\d+|ipconfig\d+", key):
        return "VM.Config.Network"
    if disks.is_drive(key) or disks.UNUSED.fullmatch(key):
        return "VM.Config.Disk"
    return "VM.Config.HWType"


def check_rights(call: Call, vmid: int, values: dict[str, Any], deletes: Iterable[str], pool: str = "") -> None:
    """Refuse the first key this caller may not set, before anything has changed."""
    if call.is_root:
        return
    for key in (*deletes, *values):
        text = str(values.get(key, ""))
        _check_root_only(key, text)
        need = privilege(key)
        if disks.is_drive(key) and (re.match(r"none|cdrom", text) or "media=cdrom" in text):
            need = "VM.Config.CDROM"
        if disks.is_drive(key) and text.partition(",")[0].endswith(":cloudinit"):
            need = "VM.Config.Cloudinit"
        if not (pool and call.may(f"/pool/{pool}", need)):
            call.require(f"/vms/{vmid}", need)
        match = disks.ALLOCATE.match(text) if disks.is_drive(key) else None
        if match or text.partition(",")[0].endswith(":cloudinit"):
            call.require(f"/storage/{text.partition(':')[0]}", "Datastore.AllocateSpace")
        if re.fullmatch(r"net\d+", key) and text:
            _check_bridge(call, text)


def _check_root_only(key: str, text: str) -> None:
    if key in _ROOT_ONLY:
        raise fail(f"only root can set '{key}' config")
    if re.fullmatch(r"(?:serial|parallel)\d+", key) and text and text != "socket":
        raise fail(f"only root can modify '{key}' config for real devices")
    if re.fullmatch(r"hostpci\d+", key) and text and "mapping=" not in text:
        raise fail(f"only root can set '{key}' config for non-mapped devices")
    if re.fullmatch(r"usb\d+", key) and text and not re.search(r"spice|mapping=", text):
        raise fail(f"only root can set '{key}' config for real devices")
    if disks.is_drive(key) and text.startswith("/"):
        raise fail("Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 568.")


def _check_bridge(call: Call, text: str) -> None:
    parsed = validate.parse_property_string(spec.load()[CREATE].groups["net"], text)
    bridge, tag = parsed.get("bridge"), parsed.get("tag")
    if not bridge:
        return
    zone = call.site.sdn["vnets"].get(bridge, {}).get("zone", "localnetwork")
    path = f"/sdn/zones/{zone}/{bridge}"
    if tag and call.may(f"{path}/{tag}", "SDN.Use"):
        return
    call.require(path if not tag else f"{path}/{tag}", "SDN.Use")


def tags(text: str, site: Site) -> str:
    style = (
        validate.parse_property_string({}, "")
        if not site.options.get("tag-style")
        else dict(part.partition("=")[::2] for part in str(site.options["tag-style"]).split(","))
    )
    if style.get("case-sensitive") != "1":
        text = text.lower()
    items = list(dict.fromkeys(re.split(r"[,;\s]+", text.strip())))
    items = items if style.get("ordering") == "config" else sorted(items)
    return ";".join(item for item in items if item) or " "


def net(call: Call, value: str) -> str:
    keys = spec.load()[CREATE].groups["net"]
    parsed = validate.parse_property_string(keys, value)
    parsed.setdefault("macaddr", call.fleet.mac(call.site))
    parsed["macaddr"] = parsed["macaddr"].upper()
    return validate.render_property_string(keys, parsed)


def _ssh_keys(value: str) -> str:
    for line in unquote(value).splitlines():
        kinds = r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+)"
        if line.strip() and not line.startswith("#") and not re.search(rf"(?:^|\s){kinds}\s+[A-Za-z0-9+/=]+", line):
            raise fail("SSH public key validation error")
    return value


def _hookscript(call: Call, value: str) -> str:
    if not value.partition(":")[2].startswith("snippets/"):
        raise fail(f"'{value}' is not in the snippets directory")
    if call.site.volume(value, call.node.name) is None:
        raise fail(f"script '{value}' does not exist")
    return value


def plain(call: Call, key: str, value: Any) -> Any:
    """A value as it is stored; None means that the key goes away."""
    if key == "tags":
        return tags(str(value), call.site)
    if key == "description":
        return str(value).rstrip("\n") or None
    if re.fullmatch(r"net\d+", key):
        return net(call, str(value))
    if key == "sshkeys":
        return _ssh_keys(str(value))
    if key == "cipassword":
        return "$5$" + quote(str(value), safe="")[::-1]
    if key in ("vmgenid",) and value == "1":
        return call.fleet.uuid()
    if key == "smbios1" and "uuid=" not in str(value):
        return f"{value},uuid={call.fleet.uuid()}"
    if key == "hookscript":
        return _hookscript(call, str(value))
    if key == "memory":
        return str(value).removeprefix("current=")
    return value


def check_consistency(conf: dict[str, Any], changed: Iterable[str]) -> None:
    changed = set(changed)
    if changed & {"memory", "balloon"}:
        memory = int(str(conf.get("memory", "512")).removeprefix("current="))
        if int(conf.get("balloon", 0)) > memory:
            raise fail("balloon value too large (must be smaller than assigned memory)")
    if "boot" in changed and "order=" in str(conf.get("boot", "")):
        for device in str(conf["boot"]).partition("order=")[2].split(";"):
            if device and device not in conf:
                raise fail(f"invalid bootorder: device '{device}' does not exist'")


def default_boot(conf: dict[str, Any]) -> str:
    found = disks.drives(conf)
    order = [key for key, drive in found.items() if not drive.is_cdrom and key[:3] not in ("efi", "tpm")][:1]
    order += [key for key, drive in found.items() if drive.is_cdrom][:1]
    order += sorted(key for key in conf if re.fullmatch(r"net\d+", key))[:1]
    return f"order={';'.join(order)}" if order else " "


class Writer:
    """Carries one write to one guest out, and remembers what it made so that a failure leaves nothing behind."""

    def __init__(self, call: Call, guest: Guest) -> None:
        self.call, self.guest = call, guest
        self.lines: list[str] = []
        self.made: list[str] = []

    def undo(self) -> None:
        for volid in self.made:
            disks.free(self.call.site, self.guest.node, volid)

    def drive(self, key: str, value: str) -> str:
        """Make or check the volume a drive names; the text that goes into the configuration."""
        site, node, fleet = self.call.site, self.guest.node, self.call.fleet
        drive = disks.parse(key, value)
        source = drive.options.pop("import-from", "")
        fmt = drive.options.pop("format", "")
        match = disks.ALLOCATE.fullmatch(drive.file)
        if drive.file in ("none", "cdrom"):
            return drive.text()
        if drive.file.endswith(":cloudinit"):
            return self._cloudinit(key, drive, fmt)
        if match:
            drive.options.pop("size", None)
            size = disks.FIXED_SIZE.get(key, int(float(match["size"]) * GIB))
            if source:
                volume = self._imported(key, source, match["storage"], fmt)
            else:
                volume, lines = disks.allocate(fleet, site, node, match["storage"], self.guest.vmid, size, fmt)
                self._note(volume.volid, lines)
            drive.file = volume.volid
            if self.guest.conf.get("template"):
                drive.file = disks.to_base(site, node, drive.file)
                self.made[-1] = drive.file
            drive.options["size"] = disks.to_text(volume.size)
            self.lines.append(f"{key}: successfully created disk '{drive.text()}'")
            return drive.text()
        if drive.file.startswith("/"):
            if drive.file not in site.nodes[node].files:
                raise fail(f"volume {drive.file} does not exist")
            return drive.text()
        volume = disks.parse_volume_name(site, node, drive.file)
        if volume.content == "images":
            drive.options["size"] = disks.to_text(volume.size)
        return drive.text()

    def _note(self, volid: str, lines: list[str]) -> None:
        self.made.append(volid)
        self.lines += lines

    def _cloudinit(self, key: str, drive: disks.Drive, fmt: str) -> str:
        for other, present in disks.drives(self.guest.merged()).items():
            if other != key and present.is_cloudinit:
                raise fail(f"{key} - cloud-init drive is already attached at '{other}'")
        name = drive.file.partition(":")[0]
        where = (self.call.fleet, self.call.site, self.guest.node)
        old = self.guest.merged().get(key)
        if old and disks.parse(key, old).is_cloudinit:
            disks.free(self.call.site, self.guest.node, disks.parse(key, old).file)
        volume, lines = disks.allocate(*where, name, self.guest.vmid, disks.CLOUDINIT_SIZE, fmt, "cloudinit")
        self._note(volume.volid, lines)
        drive.file = volume.volid
        drive.options = {"media": "cdrom"}
        self.lines.append(f"{key}: successfully created disk '{drive.text()}'")
        return drive.text()

    def _imported(self, key: str, source: str, storage: str, fmt: str) -> Any:
        site, node, fleet = self.call.site, self.guest.node, self.call.fleet
        origin = disks.import_source(site, node, key, source, is_root=self.call.is_root)
        target_format = fmt or ("" if source.startswith("/") else origin.format)
        whole = f"{origin.size / GIB:.1f} GiB"
        volume, lines = disks.allocate(fleet, site, node, storage, self.guest.vmid, origin.size, target_format)
        lines += [f"transferred 0.0 B of {whole} (0.00%)", f"transferred {whole} of {whole} (100.00%)"]
        if not source.startswith("/"):
            lines[:0] = [f"create full clone of drive ({source})"]
        volume.origin = origin.origin or origin.volid
        self._note(volume.volid, lines)
        return volume

    def values(self, values: dict[str, Any]) -> dict[str, Any]:
        """Every value as it will be stored, volumes made; nothing of the guest has changed yet."""
        out: dict[str, Any] = {}
        try:
            for key in sorted(values):
                out[key] = (
                    self.drive(key, str(values[key])) if disks.is_drive(key) else plain(self.call, key, values[key])
                )
        except Exception:
            self.undo()
            raise
        return out

    def detach(self, key: str, *, destroy: bool) -> None:
        """What happens to the volume of a drive that leaves its slot."""
        old = self.guest.conf.get(key)
        if not old or not disks.is_drive(key):
            return
        drive = disks.parse(key, old)
        volid = drive.file
        if disks.volume_of(self.call.site, self.guest.node, drive) is None:
            return
        if drive.is_cloudinit:
            disks.free(self.call.site, self.guest.node, volid)
        elif drive.is_cdrom or disks.owner(volid) != self.guest.vmid:
            return
        elif destroy:
            self.guest.conf.pop(key, None)
            if not disks.in_use(self.guest, volid):
                disks.free(self.call.site, self.guest.node, volid)
        else:
            disks.add_unused(self.guest, volid)

    def delete(self, key: str, *, force: bool) -> None:
        guest = self.guest
        if disks.is_drive(key) and key in guest.conf and guest.conf.get("protection") and force:
            raise fail(f"can't remove drive '{key}' - protection mode enabled")
        if disks.UNUSED.fullmatch(key):
            if key in guest.conf:
                if guest.conf.get("protection"):
                    raise fail(f"can't remove drive '{key}' - protection mode enabled")
                volid = str(guest.conf.pop(key)).partition(",")[0]
                if not disks.in_use(guest, volid):
                    disks.refuse_in_use(self.call.site, volid)
                    disks.free(self.call.site, guest.node, volid)
            return
        self.detach(key, destroy=force)
        guest.conf.pop(key, None)
        if disks.is_drive(key) or re.fullmatch(r"net\d+", key):
            drop_from_boot(guest.conf, key)


def drop_from_boot(conf: dict[str, Any], key: str) -> None:
    """A device that is gone leaves the boot order too."""
    boot = str(conf.get("boot", ""))
    if "order=" in boot:
        order = [device for device in boot.partition("order=")[2].split(";") if device != key]
        conf["boot"] = f"order={';'.join(order)}" if order else " "


def hotplugs(guest: Guest, key: str) -> bool:
    """Whether a change of this key reaches a running guest."""
    if key in LIVE or CLOUDINIT_KEYS.fullmatch(key) or disks.UNUSED.fullmatch(key):
        return True
    features = str(guest.conf.get("hotplug", "network,disk,usb"))
    features = {"0": "", "1": "network,disk,usb"}.get(features, features)
    if re.fullmatch(r"(?:scsi|virtio)\d+", key):
        return "disk" in features
    if re.fullmatch(r"net\d+", key):
        return "network" in features
    if key in ("cores", "sockets", "vcpus", "cpulimit", "cpuunits"):
        return "cpu" in features or key in ("cpulimit", "cpuunits")
    return key == "memory" and "memory" in features


def split(params: dict[str, Any]) -> tuple[dict[str, Any], list[str], list[str]]:
    """What to set, what to delete, what to take back; refuses what contradicts itself."""
    values = {key: value for key, value in params.items() if key not in CONTROL}
    deletes = validate.split_list(str(params.get("delete", "")))
    reverts = validate.split_list(str(params.get("revert", "")))
    for key in deletes:
        if key in values:
            raise bad(delete=f"you can't use '-{key}' and -delete {key}' at the same time")
        if not known(key):
            raise bad(delete=f"unknown option '{key}'")
    for key in reverts:
        if not known(key):
            raise bad(revert=f"unknown option '{key}'")
    if not values and not deletes and not reverts:
        raise fail("no options specified")
    return values, deletes, reverts


def early_checks(call: Call, guest: Guest, params: dict[str, Any]) -> None:
    """What is refused before a task is even made."""
    values, deletes, _reverts = split(params)
    if params.get("skiplock") and not call.is_root:
        raise bad(skiplock="Only root may use this option.")
    check_rights(call, guest.vmid, values, deletes)
    check_sources(call, guest.node, values)
    digest = params.get("digest")
    if digest and digest != guest.digest:
        raise fail("checksum mismatch (file change by other user?)")
    lock = guest.conf.get("lock")
    if lock and not params.get("skiplock"):
        raise locked(str(lock))


def check_sources(call: Call, node: str, values: dict[str, Any]) -> None:
    """Storages and volumes a write names must be there."""
    for key, value in values.items():
        if not disks.is_drive(key):
            continue
        drive = disks.parse(key, value)
        source = drive.options.get("import-from", "")
        match = disks.ALLOCATE.fullmatch(drive.file)
        if source:
            if not match or float(match["size"]) != 0:
                form = "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>"
                raise bad_params({key: form})
            try:
                disks.import_source(call.site, node, key, source, is_root=call.is_root)
            except TaskError:
                continue
        if match or drive.file.endswith(":cloudinit"):
            disks.usable(call.site, node, drive.file.partition(":")[0])
        elif drive.file not in ("none", "cdrom") and not drive.file.startswith("/"):
            disks.parse_volume_name(call.site, node, drive.file)


def write(call: Call, guest: Guest, params: dict[str, Any]) -> list[str]:
    """Change the configuration; the lines for a task log."""
    values, deletes, reverts = split(params)
    for key in reverts:
        guest.pending.pop(key, None)
        guest.deletes.pop(key, None)
    writer = Writer(call, guest)
    # The same volume in its own slot is a change of options, checked against what is there.
    stored = writer.values(values)
    try:
        merged = {**guest.merged(), **{k: v for k, v in stored.items() if v is not None}}
        check_consistency({k: v for k, v in merged.items() if k not in deletes}, stored)
    except Exception:
        writer.undo()
        raise
    for key in deletes:
        guest.pending.pop(key, None)
        if guest.running and not hotplugs(guest, key) and key in guest.conf:
            guest.deletes[key] = 2 if params.get("force") else 1
        else:
            writer.delete(key, force=bool(params.get("force")))
    for key, value in stored.items():
        guest.deletes.pop(key, None)
        if value is None:
            guest.conf.pop(key, None)
            guest.pending.pop(key, None)
        elif guest.running and not applies_now(guest, key, value):
            replaced = disks.parse(key, guest.pending[key]).file if disks.is_drive(key) and key in guest.pending else ""
            guest.pending[key] = value
            if replaced not in ("", "none", "cdrom") and not disks.in_use(guest, replaced):
                disks.add_unused(guest, replaced)
        else:
            put(writer, key, value)
    if guest.running:
        call.backend.update(guest)
    return writer.lines


def applies_now(guest: Guest, key: str, value: Any) -> bool:
    if not hotplugs(guest, key):
        return False
    old = guest.conf.get(key)
    if disks.is_drive(key) and old:
        # A drive's cache and the like cannot change under a running guest.
        return disks.parse(key, old).file != disks.parse(key, value).file and disks.parse(key, value).is_cdrom
    if re.fullmatch(r"net\d+", key) and old:
        # The model cannot be swapped under a running guest; bridge, tag and rate can.
        return str(old).partition("=")[0] == str(value).partition("=")[0]
    return True


def put(writer: Writer, key: str, value: Any) -> None:
    guest = writer.guest
    old = guest.conf.get(key)
    if old is not None and disks.is_drive(key) and disks.parse(key, old).file != disks.parse(key, value).file:
        writer.detach(key, destroy=False)
    if disks.is_drive(key):
        volid = disks.parse(key, value).file
        for name in [k for k, v in guest.conf.items() if disks.UNUSED.fullmatch(k) and str(v) == volid]:
            del guest.conf[name]
    guest.conf[key] = value
    guest.pending.pop(key, None)


def apply_pending(call: Call, guest: Guest) -> None:
    """What a full stop does to changes that waited."""
    writer = Writer(call, guest)
    for key, mode in list(guest.deletes.items()):
        writer.delete(key, force=mode == 2)
    guest.deletes.clear()
    for key, value in list(guest.pending.items()):
        put(writer, key, value)
    guest.pending.clear()


def shown(conf: dict[str, Any], digest: str) -> dict[str, Any]:
    """A configuration as a client reads it."""
    out = dict(conf)
    if "cipassword" in out:
        out["cipassword"] = "**********"
    out["digest"] = digest
    return out


def forbid_pool(site: Site, pool: str) -> None:
    if pool not in site.pools:
        raise forbidden(f"pool '{pool}' does not exist")
