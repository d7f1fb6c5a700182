# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The named formats a parameter's value can be held to, with the text each refusal carries."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

_OCTET = r"(?:25[0-5]|(?:2[0-4]|1[0-9]|[1-9])?[0-9])"
IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9\-]*[a-zA-Z0-9])?"
_STORAGE = r"(?i:[a-z][a-z0-9\-_.]*[a-z0-9])"
_WORD = r"[A-Za-z0-9.\-_]+"
_REALM = r"[A-Za-z][A-Za-z0-9.\-_]+"
BOOT_DEVICE = (
    r"(?:ide[0-3]|scsi(?:[12]?[0-9]|30)|virtio(?:1[0-5]|[0-9])|sata[0-5]|net(?:[12]?[0-9]|3[01])"
    r"|usb(?:1[0-3]|[0-9])|hostpci(?:1[0-5]|[0-9]))"
)

# name: (full match, refusal); {v} is the value.
PATTERNS: dict[str, tuple[str, str]] = {
    "CIDRv4": (rf"{IPV4}/(?:[89]|[12][0-9]|3[0-2])", "value does not look like a valid IPv4 CIDR network"),
    "disk-size": (r"\d+(?:\.\d+)?(?:[KMGT](?:iB)?)?", "value does not look like a valid disk size: {v}"),
    "dns-name": (rf"(?:{_LABEL}\.)*{_LABEL}", "value does not look like a valid DNS name"),
    "email": (
        r"[\w+\-~]+(?:\.[\w+\-~]+)*@[a-zA-Z0-9\-]+(?:\.[a-zA-Z0-9\-]+)*",
        "value does not look like a valid email address",
    ),
    "email-or-username": (
        r"[\w+\-~]+(?:\.[\w+\-~]+)*(?:@[a-zA-Z0-9\-]+(?:\.[a-zA-Z0-9\-]+)*)?",
        "value does not look like a valid email address or user name",
    ),
    "ipv4": (IPV4, "value does not look like a valid IPv4 address"),
    "ldap-simple-attr": (r"[a-zA-Z0-9]+", "value '{v}' does not look like a simple ldap attribute name"),
    "mac-addr": (
        r"(?i:[a-f0-9][02468ace](?::[a-f0-9]{2}){5})",
        "value does not look like a valid unicast MAC address",
    ),
    "mac-prefix": (
        r"(?i:[a-f0-9][02468ace](?::[a-f0-9]{2}){0,2}(?::[a-f0-9]?)?)",
        "value is not a valid unicast MAC address prefix",
    ),
    "pve-acme-alias": (
        r"(?i:[a-z0-9_][a-z0-9_-]*(?:\.[a-z0-9_][a-z0-9_-]*)+)",
        "value '{v}' does not look like a valid alias name!",
    ),
    "pve-acme-domain": (
        r"(?i:[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9][a-z0-9_-]*)+)",
        "value '{v}' does not look like a valid domain name!",
    ),
    "pve-bridge-id": (r"[-_.\w]+", "invalid bridge ID '{v}'"),
    "pve-configid": (r"(?i:[a-z][a-z0-9_-]+)", "invalid configuration ID '{v}'"),
    "pve-cpuset": (r"\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*", "unable to parse cpuset option"),
    "pve-day-of-week": (r"mon|tue|wed|thu|fri|sat|sun", "invalid day '{v}'"),
    "pve-dir-override": (r"[a-z]+=(?!.*\.\.).+", "invalid override '{v}'"),
    "pve-fw-protocol-spec": (r"[a-z0-9\-.]+", "unknown protocol '{v}'"),
    "pve-groupid": (_WORD, "group name '{v}' contains invalid characters"),
    "pve-ha-node": (rf"{_LABEL}(?::\d+)?", "value does not look like a valid ha node name"),
    "pve-ha-resource-id": (r"[a-z]+:\S+", "value does not look like a valid ha resource id"),
    "pve-ha-resource-or-vm-id": (r"[a-z]+:\S+|\d+", "value does not look like a valid ha resource id"),
    "pve-hotplug-features": (
        r"[01]|(?:(?:network|disk|cpu|memory|usb|cloudinit)[,; ]?)*",
        "unable to parse hotplug option",
    ),
    "pve-iface": (r"(?i:[a-z][a-z0-9_]{1,20}(?:[:.]\d+)?)", "invalid network interface name '{v}'"),
    "pve-node": (_LABEL, "value does not look like a valid node name"),
    "pve-phys-bits": (r"host|[89]|[1-5][0-9]|6[0-4]", "value must be an integer between 8 and 64 or 'host'"),
    "pve-qm-bootdev": (BOOT_DEVICE, "invalid boot device '{v}'"),
    "pve-qm-bootdisk": (
        r"(?:ide[0-3]|scsi(?:[12]?[0-9]|30)|virtio(?:1[0-5]|[0-9])|sata[0-5]|efidisk0|tpmstate0)",
        "invalid boot disk '{v}'",
    ),
    "pve-realm": (_REALM, "value does not look like a valid realm"),
    "pve-replication-job-id": (r"\d{3,9}-\d+", "invalid replication job id '{v}'"),
    "pve-roleid": (_WORD, "role name '{v}' contains invalid characters"),
    "pve-sdn-fabric-id": (
        r"[a-zA-Z0-9][a-zA-Z0-9-]{0,6}[a-zA-Z0-9]?",
        "Fabric ID '{v}' contains illegal characters",
    ),
    "pve-startup-order": (
        r"\s*(?:(?:(?:order=)?\d+|up=\d+|down=\d+)(?:,|$))+",
        "unable to parse startup options",
    ),
    "pve-storage-content": (
        r"images|rootdir|vztmpl|iso|backup|snippets|none|import",
        "invalid content type '{v}'",
    ),
    "pve-storage-options": (r"\S+", "invalid options '{v}'"),
    "pve-storage-path": (r"/[^;()]+.*", "value does not look like a valid absolute path"),
    "pve-storage-vgname": (
        r"(?i:[a-z0-9][a-z0-9\-_.]*[a-z0-9])",
        "lvm name '{v}' contains illegal characters",
    ),
    "pve-storage-zfs-blocksize": (r"(?i:[1-9][0-9]*[km]?)", "invalid block size '{v}'"),
    "pve-tag": (r"(?i:[a-z0-9_][a-z0-9_\-+.]*)", "invalid characters in tag"),
    "pve-task-status-type": (r"(?i:ok|error|warning|unknown)", "invalid status '{v}'"),
    "pve-tokenid": (
        rf"[^\s:/]+@{_REALM}!{_REALM}",
        "value '{v}' does not look like a valid token ID",
    ),
    "pve-vmid": (r"[1-9][0-9]{2,8}", "value does not look like a valid VM ID"),
    "pve-volume-id": (rf"{_STORAGE}:.+", "unable to parse volume ID '{v}'"),
    "pve-volume-id-or-absolute-path": (rf"/.*|{_STORAGE}:.+", "unable to parse volume ID '{v}'"),
    "pve-volume-id-or-qm-path": (rf"none|cdrom|/.*|{_STORAGE}:.+", "unable to parse volume ID '{v}'"),
    "urlencoded": (r"[-%a-zA-Z0-9_.!~*'()]*", "invalid urlencoded string: {v}"),
}
_COMPILED = {name: (re.compile(pattern, re.DOTALL), text) for name, (pattern, text) in PATTERNS.items()}


def _ip(value: str, *, v6: bool = False) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return address.version == 6 if v6 else True


def _cidr(value: str, version: int = 0) -> bool:
    if "/" not in value:
        return False
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return network.prefixlen >= 8 and version in (0, network.version)


def _dns(value: str) -> bool:
    return bool(_COMPILED["dns-name"][0].fullmatch(value))


def _host_port(value: str) -> bool:
    match = re.fullmatch(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::\d{1,5})?", value)
    if not match:
        return False
    return _ip(match["six"], v6=True) if match["six"] else _ip(match["host"]) or _dns(match["host"])


def _userid(value: str) -> str | None:
    if len(value) < 3:
        return f"user name '{value}' is too short"
    if len(value) > 64:
        return f"user name '{value}' is too long ({len(value)} > 64)"
    if not re.fullmatch(rf"[^\s:/]+@{_REALM}", value):
        return f"value '{value}' does not look like a valid user name"
    return None


def _storage_id(value: str) -> str | None:
    if len(value) < 2:
        return f"storage ID '{value}' cannot be shorter than 2 characters"
    return None if re.fullmatch(_STORAGE, value) else f"storage ID '{value}' contains illegal characters"


def _pool_id(value: str) -> str | None:
    if not re.fullmatch(rf"{_WORD}(?:/{_WORD})*", value):
        return f"pool name '{value}' contains invalid characters"
    return f"pool name '{value}' is nested too deeply (max levels = 3)" if value.count("/") > 2 else None


def _vlan(value: str) -> str | None:
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", value)
    if not match:
        return f"invalid VLAN configuration '{value}'"
    low, high = int(match[1]), int(match[2] or match[1])
    in_order = low < high if match[2] else True
    return None if 2 <= low <= 4094 and high <= 4094 and in_order else f"invalid VLAN configuration '{value}'"


def _port(value: str) -> str | None:
    parts = value.split(",")
    for part in parts:
        match = re.fullmatch(r"(\d+)(?::(\d+))?|[a-z][a-z0-9\-]*", part)
        numbers = [int(number) for number in match.groups() if number] if match else [65536]
        if any(number > 65535 for number in numbers) or (len(numbers) == 2 and numbers[0] > numbers[1]):
            return f"invalid port '{part}'"
    return None if len(parts) <= 15 else "too many entries in port list (> 15 numbers)"


def _address_spec(value: str) -> str | None:
    for part in value.split(","):
        plain = part.lstrip("+")
        if re.fullmatch(r"(?:dc/|guest/|sdn/)?[A-Za-z][A-Za-z0-9\-_]+", plain) or _ip(part) or _cidr(part):
            continue
        ends = part.split("-")
        if len(ends) == 2 and all(_ip(end) for end in ends):
            continue
        return f"invalid address specification '{part}'" if part else "empty address list entry"
    return None


def _calendar(value: str) -> str | None:
    if re.fullmatch(r"[A-Za-z0-9*:/,.\- ]+", value):
        return None
    return f"unable to parse calendar event '{value}'"


def _netmask(value: str) -> bool:
    try:
        ipaddress.ip_network(f"0.0.0.0/{value}")
    except ValueError:
        return False
    return "." in value


def _says(test: Callable[[str], bool], text: str) -> Callable[[str], str | None]:
    return lambda value: None if test(value) else text.format(v=value)


_CODE: dict[str, Callable[[str], str | None]] = {
    "CIDR": _says(_cidr, "value does not look like a valid CIDR network"),
    "CIDRv6": _says(lambda v: _cidr(v, 6), "value does not look like a valid IPv6 CIDR network"),
    "IPorCIDR": _says(lambda v: _ip(v) or _cidr(v), "value does not look like a valid IP address or CIDR network"),
    "IPorCIDRorAlias": _says(
        lambda v: _ip(v) or _cidr(v) or bool(re.fullmatch(r"(?:dc/|guest/)?[A-Za-z][A-Za-z0-9\-_]+", v)),
        "value does not look like a valid IP address or CIDR network",
    ),
    "address": _says(lambda v: _ip(v) or _dns(v), "value does not look like a valid address: {v}"),
    "ip": _says(_ip, "value does not look like a valid IP address"),
    "ipv4mask": _says(_netmask, "value does not look like a valid IP netmask"),
    "ipv6": _says(lambda v: _ip(v, v6=True), "value does not look like a valid IPv6 address"),
    "pve-calendar-event": _calendar,
    "pve-fw-addr-spec": _address_spec,
    "pve-fw-conntrack-helper": lambda _value: None,
    "pve-fw-dport-spec": _port,
    "pve-fw-icmp-type-spec": _says(
        lambda v: bool(re.fullmatch(r"any|[a-z0-9\-/]+", v)), "invalid icmp-type value '{v}'"
    ),
    "pve-fw-sport-spec": _port,
    "pve-ipv4-config": _says(
        lambda v: v in ("dhcp", "manual") or _cidr(v, 4),
        "value does not look like a valid ipv4 network configuration",
    ),
    "pve-ipv6-config": _says(
        lambda v: v in ("auto", "dhcp", "manual") or _cidr(v, 6),
        "value does not look like a valid ipv6 network configuration",
    ),
    "pve-poolid": _pool_id,
    "pve-sdn-bgp-rt": lambda _value: None,
    "pve-sdn-subnet-id": _says(
        lambda v: _cidr(v) or bool(re.fullmatch(r"[a-zA-Z0-9]+-[0-9a-fA-F.:]+-\d+", v)),
        "value does not look like a valid CIDR network",
    ),
    "pve-storage-id": _storage_id,
    "pve-storage-portal-dns": _says(_host_port, "value does not look like a valid portal address"),
    "pve-storage-server": _says(
        lambda v: _ip(v) or _dns(v), "value does not look like a valid server name or IP address"
    ),
    "pve-userid": _userid,
    "pve-vlan-id-or-range": _vlan,
    "storage-pair": _says(
        lambda v: v == "1" or all(_storage_id(part) is None for part in v.split(":", 1)), "invalid storage pair '{v}'"
    ),
}


def known(name: str) -> bool:
    return name in _COMPILED or name in _CODE or name == "pve-priv"


def check(name: str, value: str) -> str | None:
    """Why `value` is not a `name`; None when it is one."""
    if name in _COMPILED:
        pattern, text = _COMPILED[name]
        return None if pattern.fullmatch(value) else text.format(v=value)
    if name == "pve-priv":
        from .privileges import ALL

        return None if value in ALL else f"invalid privilege '{value}'"
    return _CODE[name](value)
