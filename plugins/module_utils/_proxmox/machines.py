# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Machines as a user asks for them, turned into what the engine compares."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._objects import Desired, DesiredError
from .._values import Unknown
from . import guests
from .identity import machine_id, machine_mac, machine_uuid, platform_tag
from .placement import Placed
from .sizes import GIB, MIB, parse_size, show_size

_NAME = re.compile(
    r"(?=.{1,63}(?:\.|$))[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*"
)
_TAG = re.compile(r"[a-z0-9_][a-z0-9_.+-]*", re.IGNORECASE)
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)
_PLAIN = ("cores", "sockets", "onboot", "protection", "agent", "description", "boot", "order", "pool")


@dataclass(frozen=True)
class Machine:
    """One machine of the platform; `fields` are what is compared."""

    name: str
    uuid: str
    present: bool = True
    id: int = 0
    fixed: bool = False  # the id was given, and does not follow from the name
    node: str = ""
    nodes: tuple[str, ...] = ()
    group: str = ""
    template: str = ""
    full: bool | None = None
    storage: str = ""
    memory: int = 0
    cores: int = 0
    addresses: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def placed(self) -> Placed:
        nodes = (self.node,) if self.node else self.nodes
        return Placed(self.name, self.group, self.memory, self.cores, nodes)

    @property
    def desired(self) -> Desired:
        return Desired(self.name, self.fields, present=self.present)


def machines_of(parameters: Mapping[str, Any]) -> list[Machine]:
    """The machines of a task, or every mistake in them at once."""
    platform = str(parameters["platform"])
    default_nodes = tuple(parameters.get("nodes", ()))
    rolling = parameters.get("reboot") == "rolling"
    found, problems = [], []
    for given in parameters["machines"]:
        name = str(given.get("name", ""))
        wrong: list[str] = []
        machine = _machine(platform, name, given, default_nodes, rolling, wrong)
        found.append(machine)
        problems += [f"machine {name or '(without a name)'}: {text}" for text in wrong]
    problems += _clashes(found)
    if problems:
        raise DesiredError(problems)
    return found


def _machine(
    platform: str,
    name: str,
    given: Mapping[str, Any],
    default_nodes: tuple[str, ...],
    rolling: bool,
    wrong: list[str],
) -> Machine:
    if not _NAME.fullmatch(name):
        wrong.append(f"{name!r} is no name for a machine: letters, digits and hyphens, as a host name")
    present = given.get("state", "present") == "present"
    vmid = int(given.get("id", 0))
    if "id" in given and not 100 <= vmid <= 999_999_999:
        wrong.append(f"id {vmid} is out of range; Proxmox takes 100 to 999999999")
    if present and not given.get("template"):
        wrong.append("template is missing: name the template (or its id) that it is cloned from")
    if given.get("full") is False and given.get("storage"):
        wrong.append(
            "a linked clone (full: false) lives on its template's storage; leave out storage, or set full: true"
        )
    common: dict[str, Any] = {
        "id": vmid or machine_id(platform, name),
        "fixed": bool(vmid),
        "node": given.get("node", ""),
        "nodes": tuple(given.get("nodes", default_nodes)),
        "group": given.get("group", ""),
    }
    uuid = machine_uuid(platform, name)
    if not present:
        return Machine(name, uuid, False, **common)
    fields = _fields(platform, name, given, rolling, wrong)
    nics = fields.get("cloud_init", {})
    addresses = [
        str(ip["address"]).partition("/")[0]
        for key, ip in nics.items()
        if key.startswith("ip") and isinstance(ip, Mapping) and ip.get("address", "dhcp") != "dhcp"
    ]
    return Machine(
        name,
        uuid,
        True,
        **common,
        template=str(given.get("template", "")),
        full=given.get("full"),
        storage=given.get("storage", ""),
        memory=_bytes(fields.get("memory")),
        cores=int(fields.get("cores", 1)) * int(fields.get("sockets", 1)),
        addresses=tuple(addresses),
        fields=fields,
    )


def _bytes(shown: Any) -> int:
    return parse_size(shown, 1) if isinstance(shown, str) and shown else 0


def _fields(platform: str, name: str, given: Mapping[str, Any], rolling: bool, wrong: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {"complete": True, "name": name, "started": bool(given.get("started", True))}
    if given.get("id"):
        fields["id"] = int(given["id"])
    fields.update({key: given[key] for key in _PLAIN if key in given})
    if "description" in fields and not isinstance(fields["description"], Unknown):
        fields["description"] = str(fields["description"]).rstrip("\n")
    for key in ("memory", "balloon"):
        if key in given:
            fields[key] = _size(given[key], MIB, key, wrong)
    if "tags" in given:
        bad = [tag for tag in given["tags"] if not _TAG.fullmatch(str(tag))]
        wrong += [f"tag {tag!r}: letters, digits and _ . + - only, as Proxmox has it" for tag in bad]
        fields["tags"] = sorted({str(tag).lower() for tag in given["tags"]} | {platform_tag(platform)})
    if "disks" in given:
        fields["disks"] = _disks(given["disks"], wrong)
    ips: dict[str, Any] = {}
    if "nics" in given:
        fields["nics"] = {f"net{i}": _nic(platform, name, i, nic, wrong) for i, nic in enumerate(given["nics"])}
        ips = {f"ip{i}": ip for i, nic in enumerate(given["nics"]) if (ip := _ip(i, nic, wrong))}
    if "cloud_init" in given or ips:
        fields["cloud_init"] = _cloud_init(given.get("cloud_init", {}), ips)
    if given.get("options"):
        fields["options"] = _options(given["options"], wrong)
    if rolling and fields["started"]:
        fields["pending"] = []
    return fields


def _size(value: Any, unit: int, what: str, wrong: list[str]) -> Any:
    if isinstance(value, Unknown):
        return value
    try:
        return show_size(parse_size(value, unit, what))
    except ValueError as error:
        wrong.append(str(error))
        return ""


def _disks(given: Sequence[Mapping[str, Any]], wrong: list[str]) -> dict[str, Any]:
    disks: dict[str, Any] = {}
    for index, disk in enumerate(given):
        slot = str(disk.get("slot", f"scsi{index}"))
        if not guests.DISK.fullmatch(slot):
            wrong.append(f"disk {slot!r} is no slot; use scsiN, virtioN, sataN or ideN")
        if slot in disks:
            wrong.append(f"disk {slot} is named twice")
        found: dict[str, Any] = {}
        if "size" in disk:
            found["size"] = _size(disk["size"], GIB, f"disk {slot}", wrong)
        if "storage" in disk:
            found["storage"] = disk["storage"]
        if disk.get("options"):
            found["options"] = {str(key): _text(str(key), value) for key, value in disk["options"].items()}
        disks[slot] = found
    return disks


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool):
        # `discard` is a choice of words; every other switch of a disk is 0 or 1.
        return ("on" if value else "ignore") if key == "discard" else str(int(value))
    return str(value)


def _nic(platform: str, name: str, index: int, given: Mapping[str, Any], wrong: list[str]) -> dict[str, Any]:
    found = {
        key: given[key]
        for key in ("model", "bridge", "vlan", "firewall", "mtu", "rate", "link_down", "queues")
        if key in given
    }
    # A card that is sent without a MAC would get a new one each time.
    found["mac"] = machine_mac(platform, name, f"net{index}")
    if "mac" in given:
        if not _MAC.fullmatch(str(given["mac"])):
            wrong.append(f"net{index}: {given['mac']!r} is no MAC address; write it as in BC:24:11:00:00:01")
        found["mac"] = str(given["mac"]).upper()
    if not given.get("bridge"):
        wrong.append(f"net{index}: bridge is missing: name the bridge of the node that it is plugged into")
    if not 1 <= int(given.get("vlan", 1)) <= 4094:
        wrong.append(f"net{index}: vlan {given['vlan']} is out of range; 1 to 4094")
    return found


def _ip(index: int, given: Mapping[str, Any], wrong: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, version in (("address", 4), ("gateway", 4), ("address6", 6), ("gateway6", 6)):
        value = given.get(key)
        if value is None:
            continue
        if isinstance(value, Unknown):
            found[key] = value
            continue
        text = str(value).strip().lower()
        try:
            if key.startswith("address"):
                if text not in ("dhcp", "auto")[: 1 if version == 4 else 2]:
                    if "/" not in text:
                        raise ValueError("it needs a prefix length, as in 10.0.0.5/24")
                    if ipaddress.ip_interface(text).version != version:
                        raise ValueError(f"it is no IPv{version} address")
            elif ipaddress.ip_address(text).version != version:
                raise ValueError(f"it is no IPv{version} address")
        except ValueError as error:
            wrong.append(f"net{index}: {key} {value!r}: {error}")
        found[key] = text
    return found


def _cloud_init(given: Mapping[str, Any], ips: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"drive": True, **ips}
    for key in ("user", "password", "upgrade"):
        if key in given:
            found[key] = given[key]
    if "ssh_keys" in given:
        found["ssh_keys"] = guests.ssh_keys([line for key in given["ssh_keys"] for line in str(key).splitlines()])
    for key in ("nameservers", "search_domains"):
        if key in given:
            found[key] = [str(item) for item in given[key]]
    return found


def _options(given: Mapping[str, Any], wrong: list[str]) -> dict[str, str]:
    found = {}
    for key, value in given.items():
        if key in guests.OWN or guests.own(key):
            wrong.append(f"options: {key} has an option of its own; use that")
        found[str(key)] = guests.raw(str(key), value)
    return found


def _clashes(machines: Sequence[Machine]) -> list[str]:
    """What cannot be told apart, or cannot be at the same time."""
    counted = Counter(machine.name.lower() for machine in machines)
    problems = [
        f"machine {name}: named {count} times in the desired set; keep one"
        for name, count in counted.items()
        if count > 1
    ]
    seen: dict[tuple[str, Any], str] = {}
    for machine in machines:
        keys: list[tuple[str, Any]] = [("id", machine.id)]
        keys += [("MAC address", nic["mac"]) for nic in machine.fields.get("nics", {}).values() if nic.get("mac")]
        keys += [("address", address) for address in machine.addresses]
        for key in keys:
            other = seen.setdefault(key, machine.name)
            if other != machine.name:
                problems.append(
                    f"machines {other} and {machine.name} both ask for {key[0]} {key[1]}; give each its own"
                )
    return problems
