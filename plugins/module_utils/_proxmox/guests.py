# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A guest's configuration as fields that can be compared, in one spelling for each value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from .._values import UNREADABLE
from .identity import tags_of
from .properties import compose, parse, parse_nic
from .sizes import GIB, MIB, parse_size, show_size

DISK = re.compile(r"(?:scsi|virtio|sata|ide)\d+")
NIC = re.compile(r"net\d+")
# What Proxmox takes for granted when a key is not set, in the spelling of the fields below.
DEFAULTS: dict[str, Any] = {
    "cores": 1,
    "sockets": 1,
    "memory": show_size(512 * MIB),
    "onboot": False,
    "protection": False,
    "agent": False,
    "order": None,
    "description": "",
}
_RAW_DEFAULTS = {
    "acpi": "1",
    "bios": "seabios",
    "cpu": "kvm64",
    "cpuunits": "100",
    "hotplug": "network,disk,usb",
    "kvm": "1",
    "numa": "0",
    "ostype": "other",
    "scsihw": "lsi",
    "tablet": "1",
    "vga": "std",
}
_BOOLEANS = {"1": "1", "on": "1", "yes": "1", "true": "1", "0": "0", "off": "0", "no": "0", "false": "0"}


def disk_slots(config: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The disks, without CD drives: `volume`, `storage`, `size` and the options of each."""
    found = {}
    for key, value in config.items():
        if DISK.fullmatch(key):
            parts = parse(str(value), "volume")
            if parts.get("media") != "cdrom" and parts.get("volume") not in (None, "none"):
                parts["storage"] = parts["volume"].split(":", 1)[0]
                found[key] = parts
    return found


def disk_bytes(parts: Mapping[str, str]) -> int:
    return parse_size(parts["size"], 1) if parts.get("size") else 0


def boot_disk(config: Mapping[str, Any]) -> str:
    """The disk that a guest boots from, whose size Proxmox tells as the guest's `maxdisk`; empty when it names none."""
    slots = disk_slots(config)
    return next((device for device in boot_order(config) if device in slots), "")


def with_size(config: Mapping[str, Any], slot: str, size: int) -> dict[str, Any]:
    """The configuration with the size that this disk has been reported to have."""
    parts = parse(str(config[slot]), "volume")
    return {**config, slot: compose({**parts, "size": str(size)}, "volume")}


def cloud_init_drive(config: Mapping[str, Any]) -> str:
    """The slot of the cloud-init drive; empty when there is none."""
    for key, value in config.items():
        if DISK.fullmatch(key) and "cloudinit" in str(value).partition(",")[0]:
            return key
    return ""


def detached(config: Mapping[str, Any]) -> dict[str, str]:
    """Volumes that belong to the guest and hang on nothing."""
    return {key: str(value) for key, value in config.items() if re.fullmatch(r"unused\d+", key)}


def fields_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting that a machine can ask for, with Proxmox's defaults where nothing is set."""
    nics = {key: _nic(value) for key, value in config.items() if NIC.fullmatch(key)}
    memory = parse(str(config.get("memory", 512)), "current").get("current", "512")
    startup = parse(str(config.get("startup", "")), "order").get("order", "")
    return {
        "name": str(config.get("name", "")),
        "cores": int(config.get("cores", 1)),
        "sockets": int(config.get("sockets", 1)),
        "memory": show_size(int(memory) * MIB),
        "balloon": show_size(int(config["balloon"]) * MIB) if int(config.get("balloon") or 0) else None,
        "onboot": flag(config.get("onboot")),
        "protection": flag(config.get("protection")),
        "agent": flag(parse(str(config.get("agent", "0")), "enabled").get("enabled")),
        "description": str(config.get("description", "")).rstrip("\n"),
        "tags": tags_of(config),
        "boot": boot_order(config),
        "order": int(startup) if startup.isdigit() else None,
        "disks": {slot: _disk(parts) for slot, parts in disk_slots(config).items()},
        "nics": nics,
        "cloud_init": cloud_init(config),
        "options": {key: raw(key, value) for key, value in config.items() if key not in OWN and not own(key)},
    }


OWN = frozenset(
    (
        *("name", "cores", "sockets", "memory", "balloon", "onboot", "protection", "agent", "description", "tags"),
        *("boot", "startup", "digest", "smbios1", "vmgenid", "meta", "lock", "pending", "template", "snapshots"),
        *("ciuser", "cipassword", "sshkeys", "nameserver", "searchdomain", "ciupgrade", "parent"),
    )
)


def own(key: str) -> bool:
    return bool(DISK.fullmatch(key) or NIC.fullmatch(key) or re.fullmatch(r"ipconfig\d+|unused\d+", key))


def raw(key: str, value: Any) -> str:
    """A setting that we pass on as it is, in the spelling in which it is compared."""
    text = str(int(value)) if isinstance(value, bool) else str(value).strip()
    default = _RAW_DEFAULTS.get(key)
    if default in ("0", "1"):
        return _BOOLEANS.get(text.lower(), text)
    if key == "cpu":
        return ",".join(sorted(text.removeprefix("cputype=").split(",")))
    if "," in text and "=" in text:
        return ",".join(sorted(text.split(",")))
    return text


def raw_default(key: str) -> str:
    return _RAW_DEFAULTS.get(key, "")


def flag(value: Any) -> bool:
    return _BOOLEANS.get(str(value).lower(), "0") == "1"


def boot_order(config: Mapping[str, Any]) -> list[str]:
    order = parse(str(config.get("boot", "")), "legacy").get("order", "")
    return [device for device in order.split(";") if device.strip()]


def _disk(parts: Mapping[str, str]) -> dict[str, Any]:
    size = disk_bytes(parts)
    options = {key: value for key, value in parts.items() if key not in ("volume", "storage", "size")}
    return {"size": show_size(size) if size else None, "storage": parts["storage"], "options": options}


def _nic(text: Any) -> dict[str, Any]:
    parts = parse_nic(str(text))
    return {
        "model": parts.get("model", "virtio"),
        "mac": parts.get("mac", ""),
        "bridge": parts.get("bridge", ""),
        "vlan": int(parts["tag"]) if parts.get("tag") else None,
        "firewall": flag(parts.get("firewall")),
        "mtu": int(parts["mtu"]) if parts.get("mtu") else None,
        "rate": float(parts["rate"]) if parts.get("rate") else None,
        "link_down": flag(parts.get("link_down")),
        "queues": int(parts["queues"]) if parts.get("queues") else None,
    }


def cloud_init(config: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "user": str(config.get("ciuser", "")),
        "ssh_keys": ssh_keys(unquote(str(config.get("sshkeys", "")))),
        "nameservers": words(config.get("nameserver")),
        "search_domains": words(config.get("searchdomain")),
        "upgrade": flag(config.get("ciupgrade", "1")),
        "drive": bool(cloud_init_drive(config)),
    }
    if config.get("cipassword"):
        found["password"] = UNREADABLE
    for key, value in config.items():
        if key.startswith("ipconfig"):
            found["ip" + key.removeprefix("ipconfig")] = ip_config(str(value))
    return found


def ip_config(text: str) -> dict[str, str]:
    parts = parse(text, "ip")
    names = {"ip": "address", "gw": "gateway", "ip6": "address6", "gw6": "gateway6"}
    return {ours: parts[theirs].lower() for theirs, ours in names.items() if parts.get(theirs)}


def ssh_keys(text: Any) -> list[str]:
    lines = text if isinstance(text, (list, tuple)) else str(text).splitlines()
    return sorted({line.strip() for line in lines if line.strip() and not line.strip().startswith("#")})


def words(value: Any) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    return [word for word in re.split(r"[\s,;]+", str(value or "")) if word]


__all__ = ["DEFAULTS", "GIB", "cloud_init_drive", "detached", "disk_bytes", "disk_slots", "fields_of", "flag", "raw"]
