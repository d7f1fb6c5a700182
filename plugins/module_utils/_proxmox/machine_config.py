# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""From what differs to the parameters of the one call that changes it. Pure: nothing is sent from here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from .._objects import AdapterError
from .._values import bare
from . import identity
from .guests import cloud_init_drive, disk_bytes, disk_slots
from .properties import compose, compose_nic, parse, parse_nic
from .sizes import GIB, MIB, parse_size

# In Proxmox each of these waits on the guest's own bus; the first free one is taken for a cloud-init drive.
_CD_SLOTS = ("ide2", "ide0", "ide1", "ide3", "sata5", "scsi30")
_CLOUD_INIT = {
    "user": "ciuser",
    "password": "cipassword",
    "upgrade": "ciupgrade",
    "nameservers": "nameserver",
    "search_domains": "searchdomain",
}


@dataclass
class Settings:
    """What one call sets and deletes, and which disks grow after it."""

    set: dict[str, Any] = field(default_factory=dict)
    delete: list[str] = field(default_factory=list)
    grow: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.set or self.delete)


def settings_for(
    platform: str, name: str, fields: Mapping[str, Any], paths: Iterable[str], config: Mapping[str, Any], storage: str
) -> Settings:
    """The settings that bring the fields at `paths` to what `fields` asks for; everything else stays as it is."""
    result = Settings()
    parts = [path.split(".") for path in paths]
    tops = {part[0] for part in parts}
    for key in ("cores", "sockets", "onboot", "protection", "name"):
        if key in tops:
            result.set[key] = fields[key]
    if "memory" in tops:
        result.set["memory"] = parse_size(fields["memory"], 1) // MIB
    if "balloon" in tops:
        result.set["balloon"] = parse_size(fields["balloon"], 1) // MIB
    if "agent" in tops:
        result.set["agent"] = _default_key(config, "agent", "enabled", str(int(fields["agent"])))
    if "order" in tops:
        result.set["startup"] = compose(
            {**parse(str(config.get("startup", "")), "order"), "order": str(fields["order"])}, ""
        )
    if "boot" in tops:
        result.set["boot"] = "order=" + ";".join(fields["boot"])
    if "description" in tops:
        _set_or_delete(result, "description", fields["description"])
    if "tags" in tops:
        result.set["tags"] = ";".join(fields["tags"])
    _options(result, fields, parts)
    _nics(result, fields, parts, config)
    _disks(result, fields, parts, config, storage)
    _cloud_init(result, fields, parts, config, storage)
    if "complete" in tops:
        _complete(result, platform, name, config)
    return result


def _set_or_delete(result: Settings, key: str, value: Any) -> None:
    if bare(value) in ("", None, []):
        result.delete.append(key)
    else:
        result.set[key] = value


def _default_key(config: Mapping[str, Any], key: str, default: str, value: str) -> str:
    """A property string with its first key changed, the others as they are."""
    return compose({**parse(str(config.get(key, "")), default), default: value}, default)


def _options(result: Settings, fields: Mapping[str, Any], parts: Iterable[list[str]]) -> None:
    for part in parts:
        if part[0] == "options":
            key = part[1]
            _set_or_delete(result, key, fields["options"][key])


def _complete(result: Settings, platform: str, name: str, config: Mapping[str, Any]) -> None:
    result.set["smbios1"] = identity.with_uuid(config, identity.machine_uuid(platform, name))
    tag = identity.platform_tag(platform)
    if "tags" not in result.set:
        result.set["tags"] = ";".join(sorted({*identity.tags_of(config), tag}))
    if "description" not in result.set and "description" not in result.delete and config.get("description"):
        result.delete.append("description")


def _nics(result: Settings, fields: Mapping[str, Any], parts: list[list[str]], config: Mapping[str, Any]) -> None:
    for key in sorted({part[1] for part in parts if part[0] == "nics"}):
        wanted = fields["nics"][key]
        values = parse_nic(str(config[key])) if key in config else {}
        names = {"vlan": "tag"}
        for ours, value in wanted.items():
            theirs = names.get(ours, ours)
            if isinstance(value, bool):
                values.pop(theirs, None)
                if value:
                    values[theirs] = "1"
            else:
                values[theirs] = _number(value)
        result.set[key] = compose_nic(values)


def _number(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _disks(
    result: Settings, fields: Mapping[str, Any], parts: list[list[str]], config: Mapping[str, Any], storage: str
) -> None:
    slots = disk_slots(config)
    for slot in sorted({part[1] for part in parts if part[0] == "disks"}):
        wanted = fields["disks"][slot]
        options = dict(wanted.get("options", {}))
        if slot not in slots:
            where = wanted.get("storage") or storage or next((p["storage"] for p in slots.values()), "")
            if not wanted.get("size") or not where:
                raise AdapterError(f"disk {slot} is not there, and cannot be made without a size and a storage")
            result.set[slot] = ",".join(
                [f"{where}:{_gib(wanted['size'])}", *(f"{k}={options[k]}" for k in sorted(options))]
            )
            continue
        has = slots[slot]
        size = wanted.get("size")
        if size and has.get("size") and parse_size(size, 1) != disk_bytes(has):
            if parse_size(size, 1) < disk_bytes(has):
                raise AdapterError(
                    f"disk {slot} has {has['size']} and would have to shrink to {size}", "ask for at least that"
                )
            result.grow[slot] = _whole(size)
        if any(has.get(key) != value for key, value in options.items()):
            keep = {key: value for key, value in has.items() if key not in ("storage", "size")}
            result.set[slot] = compose({**keep, **options}, "volume")


def _gib(size: str) -> str:
    gib = parse_size(size, 1) / GIB
    return str(int(gib)) if gib.is_integer() else f"{gib:.6f}".rstrip("0")


def _whole(size: str) -> str:
    count = parse_size(size, 1)
    return f"{count // GIB}G" if count % GIB == 0 else f"{-(-count // MIB)}M"


def _cloud_init(
    result: Settings, fields: Mapping[str, Any], parts: list[list[str]], config: Mapping[str, Any], storage: str
) -> None:
    keys = {part[1] for part in parts if part[0] == "cloud_init"}
    wanted = fields.get("cloud_init", {})
    for key in sorted(keys):
        if key == "drive":
            if not cloud_init_drive(config):
                slot = next(slot for slot in _CD_SLOTS if slot not in config)
                where = storage or next((p["storage"] for p in disk_slots(config).values()), "")
                if not where:
                    raise AdapterError("there is no storage to put a cloud-init drive on", "name one with `storage`")
                result.set[slot] = f"{where}:cloudinit"
        elif key == "ssh_keys":
            # The API decodes this one value twice.
            text = "\n".join(wanted["ssh_keys"])
            _set_or_delete(result, "sshkeys", quote(text, safe="") if text else "")
        elif key in _CLOUD_INIT:
            value = wanted[key]
            value = " ".join(value) if isinstance(value, list) else value
            _set_or_delete(result, _CLOUD_INIT[key], value)
        elif key.startswith("ip"):
            _set_or_delete(result, "ipconfig" + key[2:], _ip(wanted.get(key, {})))


def _ip(wanted: Mapping[str, str]) -> str:
    names = {"address": "ip", "gateway": "gw", "address6": "ip6", "gateway6": "gw6"}
    return ",".join(f"{names[key]}={wanted[key]}" for key in names if wanted.get(key))
