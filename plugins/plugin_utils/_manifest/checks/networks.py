# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Addresses: inside their networks, each once, and networks that do not overlap."""

from __future__ import annotations

import ipaddress
from bisect import bisect_left
from dataclasses import dataclass

from ..addresses import MACHINE_SEATS, Rack, ends
from ..catalogue import CLOUD_RESERVED
from ..errors import Path, dotted
from .context import Context


@dataclass(frozen=True)
class Range:
    """A network of the manifest."""

    path: Path
    network: ipaddress.IPv4Network
    scope: str
    stated: bool


def check(context: Context) -> None:
    ranges = _ranges(context)
    for entry in ranges:
        _unusable(context, entry)
    _overlaps(context, ranges)
    _sizes(context)
    if context.platform.rack is not None:
        _rack(context, context.platform.rack)
    _twice(context)
    _ids(context)


def _ranges(context: Context) -> list[Range]:
    manifest = context.manifest
    found: list[Range] = []

    def add(scope: str, section: object, *path: str) -> None:
        text = getattr(section, path[-1])
        stated = path[-1] in getattr(section, "model_fields_set", ())
        found.append(Range(path, ipaddress.IPv4Network(text), scope, stated))

    if manifest.hypervisors is not None:
        add("site", manifest.hypervisors.network, "hypervisors", "network", "rack")
    if manifest.kubernetes is not None:
        add("site", manifest.kubernetes, "kubernetes", "pods")
        add("site", manifest.kubernetes, "kubernetes", "services")
    if manifest.access.openvpn is not None:
        add("site", manifest.access.openvpn, "access", "openvpn", "network")
    if manifest.swarm is not None:
        add("site", manifest.swarm, "swarm", "network")
    for name, cloud in manifest.clouds.items():
        if cloud.kind in ("gke", "cloud_run"):
            keys = ["nodes"]
            keys += ["pods", "services", "control_plane"] if cloud.kind == "gke" else []
            keys += (
                ["private_services"]
                if cloud.database is not None or "private_services" in cloud.network.model_fields_set
                else []
            )
            for key in keys:
                add(name, cloud.network, "clouds", name, "network", key)
            continue
        add(name, cloud, "clouds", name, "network")
        for key in ("pods", "services"):
            if hasattr(cloud, key):
                add(name, cloud, "clouds", name, key)
    return found


def _unusable(context: Context, entry: Range) -> None:
    network = entry.network
    for text, why in (
        ("0.0.0.0/8", "'this' network"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local addresses"),
        ("224.0.0.0/3", "multicast and reserved addresses"),
    ):
        if network.overlaps(ipaddress.IPv4Network(text)):
            context.error(entry.path, f"{network} is {why}", "a private network such as 10.10.0.0/16")
            return
    if entry.scope != "site":
        kind = context.manifest.clouds[entry.scope].kind
        for text in CLOUD_RESERVED.get(kind, ()):
            if network.overlaps(ipaddress.IPv4Network(text)):
                context.error(
                    entry.path, f"{network} overlaps {text}, which {kind} keeps for itself", "another network"
                )


def _overlaps(context: Context, ranges: list[Range]) -> None:
    defaults_told: set[tuple[str, str]] = set()
    for index, one in enumerate(ranges):
        for other in ranges[:index]:
            if not one.stated and not other.stated and (one.scope, other.scope) in defaults_told:
                continue
            if one.network.overlaps(other.network) and _meet(context, one, other):
                if not one.stated and not other.stated and one.scope != other.scope:
                    defaults_told.add((one.scope, other.scope))
                late, early = (one, other) if one.stated or not other.stated else (other, one)
                what = f"{late.network} overlaps {early.network} ({dotted(early.path)})"
                context.error(late.path, what, "a network that nothing else of the platform uses", _free(late, ranges))


def _meet(context: Context, one: Range, other: Range) -> bool:
    """Two clouds that only have the same defaults, and are not joined, do not meet."""
    if one.scope == other.scope or "site" in (one.scope, other.scope) or one.stated or other.stated:
        return True
    clouds = context.manifest.clouds
    return one.scope in clouds[other.scope].peers or other.scope in clouds[one.scope].peers


def _free(late: Range, ranges: list[Range]) -> str:
    """The first private network of the same size that meets nothing."""
    size = late.network.num_addresses
    taken = [(int(entry.network[0]), int(entry.network[-1])) for entry in ranges if entry is not late]
    for base in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"):
        private = ipaddress.IPv4Network(base)
        start, end = int(private[0]), int(private[-1])
        while start + size - 1 <= end:
            clash = max((last for first, last in taken if first < start + size and last >= start), default=None)
            if clash is None:
                return f"{ipaddress.IPv4Network((start, late.network.prefixlen))} is free"
            start = -(-(clash + 1) // size) * size
    return ""


def _sizes(context: Context) -> None:
    manifest = context.manifest
    vpn = manifest.access.openvpn
    if vpn is not None:
        network = ipaddress.IPv4Network(vpn.network)
        # The network itself, the gateway and the broadcast are nobody's.
        if network.prefixlen > 29 or network.num_addresses - 3 < len(vpn.people):
            what = f"{network} has no address for each of {len(vpn.people)} people"
            context.error(("access", "openvpn", "network"), what, "a bigger network such as 10.8.0.0/24")
    kubernetes = manifest.kubernetes
    if kubernetes is not None:
        pods, services = ipaddress.IPv4Network(kubernetes.pods), ipaddress.IPv4Network(kubernetes.services)
        names = {
            name
            for function in context.platform.functions
            if function.parent == "kubernetes"
            for name in function.groups
        }
        nodes = sum(len(context.platform.of_group(name)) for name in names)
        if pods.prefixlen > 24 or 2 ** (24 - pods.prefixlen) < nodes:
            context.error(
                ("kubernetes", "pods"),
                f"{pods} has no /24 for each of {nodes} nodes",
                "a bigger network such as 10.244.0.0/16",
            )
        elif pods.prefixlen < 8:
            context.error(
                ("kubernetes", "pods"), f"{pods} is bigger than kubeadm takes", "a network between /8 and /24"
            )
        if not 12 <= services.prefixlen <= 24:
            context.error(
                ("kubernetes", "services"), f"{services} is not a size for Services", "a network between /12 and /24"
            )
    for name, cloud in manifest.clouds.items():
        path: Path = ("clouds", name, "network")
        if cloud.kind == "gke":
            control = ipaddress.IPv4Network(cloud.network.control_plane)
            if control.prefixlen != 28:
                context.error(
                    (*path, "control_plane"), f"{control} is a /{control.prefixlen}", "a /28, which GKE asks for"
                )
            if ipaddress.IPv4Network(cloud.network.pods).prefixlen > 21:
                context.error(
                    (*path, "pods"), f"{cloud.network.pods} is too small for pods", "at least a /21, as GKE recommends"
                )
        if cloud.kind in ("gke", "cloud_run") and ipaddress.IPv4Network(cloud.network.private_services).prefixlen > 24:
            context.error(
                (*path, "private_services"),
                f"{cloud.network.private_services} is too small",
                "at least a /24, as Google asks for",
            )
        if cloud.kind in ("ecs", "eks") and not 16 <= ipaddress.IPv4Network(cloud.network).prefixlen <= 24:
            context.error(
                path, f"{cloud.network} is not a size for a VPC over {cloud.zones} zones", "between /16 and /24"
            )
        if cloud.kind == "kapsule" and not 20 <= ipaddress.IPv4Network(cloud.network).prefixlen <= 28:
            context.error(path, f"{cloud.network} is not a size for a private network", "between /20 and /28")


def _rack(context: Context, rack: Rack) -> None:
    network, manifest = rack.network, context.manifest
    at: Path = ("hypervisors", "network")
    if network.prefixlen < 8:
        context.error((*at, "rack"), f"{network} is bigger than any private network", "a network between /8 and /24")
        return
    if not rack.unit:
        unpinned = [name for name, group in manifest.machines.items() if not group.addresses and group.count]
        if unpinned or any(node.rack_address is None for node in manifest.hypervisors.nodes.values()):
            what = f"{network} is too small to derive addresses in it"
            context.error(
                (*at, "rack"),
                what,
                "a /24 or bigger",
                "or state rack_address of each node and addresses of each machine group",
            )
    if rack.gateway and rack.gateway != "none":
        _inside(context, rack, (*at, "gateway"), rack.gateway, "the gateway")
    for name, node in manifest.hypervisors.nodes.items():
        path: Path = ("hypervisors", "nodes", name)
        if ipaddress.IPv4Address(node.address) in network:
            what = f"{node.address} lies in the rack network {network}"
            context.error(
                (*path, "address"), what, "the server's public address", f"did you mean rack_address: {node.address}?"
            )
        if node.rack_address is not None:
            _inside(context, rack, (*path, "rack_address"), node.rack_address, name)
    for name, group in manifest.machines.items():
        _group(context, rack, name, group)
        for index, address in enumerate(group.public_addresses):
            if ipaddress.IPv4Address(address) in network:
                what = f"{address} lies in the rack network {network}"
                at_address = ("machines", name, "public_addresses", index)
                context.error(at_address, what, "a public address; `addresses` pins those in the rack")
    if manifest.kubernetes is not None and manifest.kubernetes.vip is not None:
        _inside(context, rack, ("kubernetes", "vip"), manifest.kubernetes.vip, "the VIP")
    _vip_and_pool(context, rack)


def _inside(context: Context, rack: Rack, path: Path, address: str, what: str) -> None:
    if ipaddress.IPv4Address(address) not in rack.network:
        context.error(path, f"{address} ({what}) is outside of the rack network", f"an address in {rack.network}")
    elif ipaddress.IPv4Address(address) in (rack.network.network_address, rack.network.broadcast_address):
        kind = "network" if ipaddress.IPv4Address(address) == rack.network.network_address else "broadcast"
        context.error(path, f"{address} ({what}) is the {kind} address of {rack.network}", "an address between the two")


def _group(context: Context, rack: Rack, name: str, group: object) -> None:
    path: Path = ("machines", name)
    outside = False
    for index, text in enumerate(group.addresses):  # type: ignore[attr-defined]  # a model of the schema
        first, last = ends(text)
        if first < int(rack.network.network_address) or last > int(rack.network.broadcast_address):
            written = isinstance(context.root.at((*path, "addresses")).value, str)
            where = (*path, "addresses") if written else (*path, "addresses", index)
            context.error(where, f"{text} is outside of the rack network", f"a range in {rack.network}")
            outside = True
    hosts = context.platform.of_group(name)
    missing = [host for host in hosts if host.address is None]
    if missing and rack.unit and not outside:
        count = len(hosts) - len(missing)
        if group.addresses:  # type: ignore[attr-defined]  # as above
            what = f"the ranges hold {count} addresses for {len(hosts)} machines"
            context.error((*path, "addresses"), what, "a range for each machine", "add a second range to the list")
        else:
            what = f"there is room for {count} of {len(hosts)} machines in {rack.network}"
            context.error(path, what, "fewer machines, a bigger rack network, or a range in `addresses`", key=True)


def _vip_and_pool(context: Context, rack: Rack) -> None:
    platform = context.platform
    vip, pool = platform.vip(), platform.pool()
    stated = [
        (name, text)
        for name, group in context.manifest.machines.items()
        for text in group.addresses or ([rack.place(name)] if rack.unit and name in MACHINE_SEATS else [])
    ]
    pool_path: Path = ("services", "load_balancer", "pool")
    if pool is not None and pool_path and context.written(*pool_path):
        first, last = ends(pool)
        if first < int(rack.network.network_address) or last > int(rack.network.broadcast_address):
            context.error(pool_path, f"{pool} is outside of the rack network", f"a range in {rack.network}")
    if vip is not None:
        path: Path = ("kubernetes", "vip")
        value = int(ipaddress.IPv4Address(vip))
        for name, text in stated:
            first, last = ends(text)
            if first <= value <= last:
                what = f"the VIP {vip} lies in the range {text} of machines.{name}"
                if context.written(*path):
                    context.error(path, what, "an address that no machine can get")
                else:
                    context.error(("machines", name, "addresses"), what, "a range without it, or kubernetes.vip")
        if pool is not None and ends(pool)[0] <= value <= ends(pool)[1] and context.written("kubernetes", "vip"):
            context.error(
                path, f"the VIP {vip} lies in the load balancer's pool {pool}", "an address outside of the pool"
            )
    if pool is None:
        return
    first, last = ends(pool)
    told: set[Path] = set()
    for host in platform.hosts:
        if host.kind == "server" or host.address is None or _path_of(host) in told:
            continue
        if first <= int(ipaddress.IPv4Address(host.address)) <= last:
            path = _path_of(host)
            told.add(path)
            context.error(
                path,
                f"{host.address} ({host.name}) lies in the load balancer's pool {pool}",
                "an address outside of the pool",
                key=True,
            )


def _path_of(host: object) -> Path:
    kind, name, group = host.kind, host.name, host.group  # type: ignore[attr-defined]  # a Host
    if kind == "hypervisor":
        return ("hypervisors", "nodes", name)
    return ("machines" if kind == "machine" else "servers", group)


def _twice(context: Context) -> None:
    """No address belongs to two things. Of two machine groups that meet, one is to be pinned; nothing is moved."""
    platform, rack = context.platform, context.platform.rack
    owners: dict[str, tuple[str, Path]] = {}
    if rack is not None:
        at: Path = ("hypervisors", "network")
        owners[str(rack.network.network_address)] = ("the rack network itself", at)
        owners[str(rack.network.broadcast_address)] = ("the rack network's broadcast", at)
        if rack.gateway_address is not None:
            owners[rack.gateway_address] = ("the gateway", at)
        if context.manifest.hypervisors.network.public_gateway is not None:
            owners[context.manifest.hypervisors.network.public_gateway] = ("the gateway of the public side", at)
        vip = platform.vip()
        if vip is not None and vip in owners:
            context.error(("kubernetes", "vip"), f"{vip} is {owners[vip][0]}", "an address of its own")
        for host in platform.hosts:
            if vip is not None and vip in (host.address, host.public_address):
                _vip_taken(context, host, vip)
                break
    told: set[frozenset[str]] = set()
    # A group that does not fit at all is told so, and nothing else.
    overfull = {host.group for host in platform.hosts if host.kind == "machine" and host.address is None}
    for host in platform.hosts:
        if host.kind == "machine" and host.group in overfull:
            continue
        addresses = {host.address, host.public_address} - {None}
        for address in sorted(str(entry) for entry in addresses):
            owner = owners.setdefault(address, (host.name, _path_of(host)))
            if owner[0] == host.name:
                continue
            path = _path_of(host)
            pair = frozenset([host.name.rpartition("-")[0] or host.name, owner[0].rpartition("-")[0] or owner[0]])
            if pair in told and host.kind != "hypervisor":
                continue
            told.add(pair)
            _shared(context, host, path, address, owner)


def _vip_taken(context: Context, host: object, vip: str) -> None:
    kind, name, group = host.kind, host.name, host.group  # type: ignore[attr-defined]  # a Host
    rack = context.platform.rack
    usual = group in MACHINE_SEATS and rack is not None and rack.unit
    if kind == "machine" and (usual or context.manifest.machines[group].addresses):
        return  # told with its range
    path: Path = ("kubernetes", "vip")
    if not context.written(*path):
        path = (*_path_of(host), "rack_address" if kind == "hypervisor" else "addresses")
    context.error(path, f"{vip} belongs to both the VIP of Kubernetes and {name}", "an address of its own")


def _shared(context: Context, host: object, path: Path, address: str, owner: tuple[str, Path]) -> None:
    name, kind, group = host.name, host.kind, host.group  # type: ignore[attr-defined]  # a Host
    what = f"{address} belongs to both {owner[0]} and {name}"
    if kind == "hypervisor":
        node = context.manifest.hypervisors.nodes[name]
        key = "address" if node.address == address else "rack_address"
        hint = "" if context.written(*path, key) else f"write an address of your choice: {key}: ..."
        context.error((*path, key), what, "an address of its own", hint)
        return
    if kind == "server":
        context.error((*path, "addresses"), what, "an address of its own")
        return
    entry = context.manifest.machines[group]
    if address in entry.public_addresses:
        context.error((*path, "public_addresses"), what, "an address of its own")
        return
    pinned = bool(entry.addresses)
    hint = f"pin the newer group: addresses: {_free_range(context, entry.count)}"
    where = (*path, "addresses") if pinned else path
    context.error(where, what, "ranges that do not meet", hint, key=not pinned)


def _free_range(context: Context, count: int) -> str:
    rack = context.platform.rack
    if rack is None:
        return "..."
    taken = sorted(
        rack.offset(host.address) for host in context.platform.hosts if host.kind != "server" and host.address
    )
    room = max(count, min(64, rack.unit * 4, 16 if rack.unit == 1 else 64))
    start = rack.unit * 128 if context.promised is None else context.promised
    while start + room < rack.unit * 240:
        before = bisect_left(taken, start + room)
        if before == bisect_left(taken, start):
            context.promised = start + room
            return f"{rack.at(start)}-{rack.at(start + room - 1)}"
        start = taken[before - 1] + 1
    return "..."


def _ids(context: Context) -> None:
    owners: dict[int, str] = {}
    told: set[str] = set()
    for host in context.platform.hosts:
        if host.vm_id is None or host.group in told:
            continue
        owner = owners.setdefault(host.vm_id, host.name)
        path: Path = ("machines", host.group)
        stated = context.written(*path, "ids")
        where = (*path, "ids") if stated else path
        if owner != host.name:
            same = next((entry for entry in context.platform.hosts if entry.name == owner), None)
            if same is not None and same.address == host.address:
                continue
            told.add(host.group)
            context.error(
                where,
                f"the VM id {host.vm_id} belongs to both {owner} and {host.name}",
                "ids that do not meet",
                key=not stated,
            )
        elif not 100 <= host.vm_id <= 999_999_999:
            told.add(host.group)
            context.error(
                where,
                f"{host.name} would have the VM id {host.vm_id}",
                "an id from 100 to 999999999, as Proxmox takes",
                key=not stated,
            )
