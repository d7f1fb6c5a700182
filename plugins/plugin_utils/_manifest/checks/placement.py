# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What lies where: machines on hypervisors that exist and have room, copies apart, roles that have machines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..base import mebibytes
from ..errors import Path
from ..platform import Host
from .context import Context


def check(context: Context) -> None:
    if context.sound("machines") or context.names("machines"):
        _functions(context)
    _counts(context)
    _gluster(context)
    _control_plane(context)
    _openings(context)
    if context.sound("hypervisors"):
        _on(context)
        _capacity(context)


def _functions(context: Context) -> None:
    """The sections name machine groups; these exist."""
    groups = context.names("machines") + context.names("servers")
    for function in context.platform.functions:
        for index, name in enumerate(function.groups):
            if name in groups:
                continue
            path = (*function.path, index) if context.root.at(function.path).kind == "list" else function.path
            if not context.written(*function.path):
                path = function.path[:-1]
                key = function.path[-1]
                what = f"no machine group does this: '{name}' (the default of {key}) does not exist"
                context.error(path, what, f"a group `{name}` in machines, or {key}: with another name", key=True)
                continue
            context.known(path, name, groups, "a machine group")


def _on(context: Context) -> None:
    manifest = context.manifest
    if manifest.machines and not context.written("hypervisors"):
        if context.misspelt("hypervisors"):
            return
        context.error(
            ("machines",),
            "there are machines but no hypervisors",
            "the section hypervisors, or servers instead",
            key=True,
        )
        return
    if manifest.hypervisors is None:
        return
    nodes = manifest.hypervisors.nodes
    words = [*nodes, *sorted({node.role for node in nodes.values()} - set(nodes))]
    for name, group in manifest.machines.items():
        single = context.root.at(("machines", name, "on")).kind != "list"
        for index, word in enumerate(group.on):
            path = ("machines", name, "on") if single else ("machines", name, "on", index)
            context.known(path, word, words, "a hypervisor role or node")


def _counts(context: Context) -> None:
    for name, group in context.manifest.machines.items():
        path = ("machines", name)
        if group.public_addresses and not group.public:
            context.error(
                (*path, "public_addresses"), "the machines are not public", "public: true beside it", key=True
            )
        elif group.public_addresses and len(group.public_addresses) != group.count:
            what = f"{len(group.public_addresses)} public addresses for {group.count} machines"
            context.error((*path, "public_addresses"), what, "one for each machine")


def _candidates(context: Context, on: str | None) -> frozenset[str]:
    """The nodes that a machine may lie on."""
    nodes = context.manifest.hypervisors.nodes
    if on is None:
        return frozenset(nodes)
    if on in nodes:
        return frozenset([on])
    return frozenset(name for name, node in nodes.items() if node.role == on)


@dataclass(frozen=True)
class Demand:
    """What some machines of a group want together, and the hypervisors that they may lie on."""

    group: str
    nodes: frozenset[str]
    count: int
    memory: float
    cores: int


def _capacity(context: Context) -> None:
    """More memory or cores than hypervisors have, where the manifest says how much that is."""
    hypervisors = context.manifest.hypervisors
    if hypervisors is None:
        return
    candidates = {
        on: _candidates(context, on) for group in context.manifest.machines.values() for on in (None, *group.on)
    }
    demands = []
    for name, group in context.manifest.machines.items():
        numbers = Counter(host.on for host in context.platform.of_group(name))
        for on, count in numbers.items():
            if candidates[on]:
                demands.append(Demand(name, candidates[on], count, mebibytes(group.memory) / 1024, group.cores))
    nodes = hypervisors.nodes
    memory = {name: mebibytes(node.memory) / 1024 for name, node in nodes.items() if node.memory is not None}
    cores = {name: float(node.cores) for name, node in nodes.items() if node.cores is not None}
    told: set[str] = set()
    for place in sorted(
        {frozenset(nodes), *(demand.nodes for demand in demands)}, key=lambda entry: (len(entry), sorted(entry))
    ):
        here = [demand for demand in demands if demand.nodes <= place]
        where = ", ".join(sorted(place))
        if here and place <= set(memory):
            wants = {demand: demand.memory for demand in here}
            _room(context, "memory", wants, [memory[name] for name in place], 1, where, told)
        if here and place <= set(cores):
            wants = {demand: float(demand.cores) for demand in here}
            _room(context, "cores", wants, [cores[name] for name in place], hypervisors.overcommit, where, told)


def _room(
    context: Context,
    what: str,
    wants: dict[Demand, float],
    have: list[float],
    overcommit: float,
    where: str,
    told: set[str],
) -> None:
    """One machine against the biggest hypervisor, all against all of them; one error for each kind of room."""
    unit = "GiB of memory" if what == "memory" else "cores"
    total: Counter[str] = Counter()
    for demand, each in wants.items():
        total[demand.group] += int(each * demand.count)
        if each > max(have) and f"{what} {demand.group}" not in told:
            told.update({what, f"{what} {demand.group}"})
            found = f"one machine wants {each:g} {unit}, the biggest of {where} has {max(have):g}"
            context.error(("machines", demand.group, what), found, "less, or a bigger hypervisor in `on`")
    together = sum(each * demand.count for demand, each in wants.items())
    if together > sum(have) * overcommit and what not in told:
        told.add(what)
        carries = f" (overcommit {overcommit:g}: {sum(have) * overcommit:g})" if overcommit != 1 else ""
        found = f"machines on {where} want {together:g} {unit} together, but there is {sum(have):g}{carries}"
        wanted = "fewer or smaller machines, or others in `on`"
        context.error(("machines", total.most_common(1)[0][0]), found, wanted, key=True)


def _apart(context: Context, hosts: list[Host]) -> int:
    """On how many different hypervisors these can lie (the biggest matching)."""
    options = [sorted(_candidates(context, host.on)) for host in hosts]
    taken: dict[str, int] = {}

    def place(index: int, seen: set[str]) -> bool:
        for node in options[index]:
            if node in seen:
                continue
            seen.add(node)
            if node not in taken or place(taken[node], seen):
                taken[node] = index
                return True
        return False

    return sum(place(index, set()) for index in range(len(hosts)))


def _gluster(context: Context) -> None:
    gluster = context.manifest.storage.glusterfs
    if gluster is None:
        return
    path = ("storage", "glusterfs")
    group = context.manifest.machines.get(gluster.machines)
    where = ("machines", gluster.machines)
    settings: list[tuple[Path, int, bool]] = [(path, gluster.replicas, gluster.arbiter)]
    for name, volume in gluster.volumes.items():
        replicas = volume.replicas or gluster.replicas
        arbiter = gluster.arbiter if volume.arbiter is None else volume.arbiter
        if volume.replicas is not None or volume.arbiter is not None:
            settings.append(((*path, "volumes", name), replicas, arbiter))
    for place, replicas, arbiter in settings:
        at = (*place, "replicas") if context.written(*place, "replicas") else place
        if replicas == 2 and not arbiter:
            context.error(
                at,
                "two copies without an arbiter end in a split brain",
                "replicas: 3, or replicas: 2 with arbiter: true",
            )
        if replicas == 3 and arbiter:
            at = (*place, "arbiter") if context.written(*place, "arbiter") else at
            context.error(
                at, "three full copies need no arbiter", "replicas: 2 with arbiter: true, or replicas: 3 alone"
            )
        servers = len(context.platform.of_group(gluster.machines))
        if gluster.machines in context.platform.host_groups and servers < 3:
            what = f"{servers} Gluster servers for {replicas} copies" + (" and an arbiter" if arbiter else "")
            context.error((*where, "count"), what, "at least 3", key=True)
            break
    if group is None:
        return
    if group.count >= 3 and group.count % 3:
        what = f"{group.count} Gluster servers make sets of three and leave {group.count % 3} without use"
        context.warn((*where, "count"), what, "a multiple of 3")
    _gluster_room(context, gluster, group, where)
    _copies_apart(context, where, context.platform.of_group(gluster.machines), "copies of the same file")


def _gluster_room(context: Context, gluster: Any, group: Any, where: tuple[str, str]) -> None:
    if group.data_disk is None:
        if gluster.volumes:
            context.error(
                where, "Gluster servers have no data disk", "data_disk: with the size of a brick's disk", key=True
            )
        return
    have = mebibytes(group.data_disk) * max(1, group.count // 3)
    used = 0
    for name, volume in gluster.volumes.items():
        size = mebibytes(volume.size)
        used += size
        path = ("storage", "glusterfs", "volumes", name, "size")
        if size > have:
            what = f"{volume.size} is more than the bricks hold ({have / 1024:g} GiB in {group.count} servers)"
            context.error(path, what, "a smaller volume, a bigger data_disk or three more servers")
        elif used > have:
            what = f"the volumes want {used / 1024:g} GiB together, the bricks hold {have / 1024:g} GiB"
            context.error(path, what, "smaller volumes, a bigger data_disk or three more servers")


def _copies_apart(context: Context, where: tuple[str, str], hosts: list[Host], what: str) -> None:
    hypervisors = context.manifest.hypervisors
    if (
        hypervisors is None
        or not context.sound("hypervisors")
        or any(not _candidates(context, host.on) for host in hosts)
    ):
        return
    for start in range(0, len(hosts) - 2, 3):
        three = hosts[start : start + 3]
        apart = _apart(context, three)
        if apart == 3:
            continue
        names = ", ".join(host.name for host in three)
        found = f"{what} lie on the same hypervisor: {names} have {apart} to share"
        at = (*where, "on") if context.written(*where, "on") else where
        if len(hypervisors.nodes) >= 3:
            context.error(
                at, found, "hypervisors for three that lie apart", "name three different ones in `on`, or leave it out"
            )
        else:
            context.warn(at, found, "at least three hypervisors")
        return


def _control_plane(context: Context) -> None:
    kubernetes = context.manifest.kubernetes
    if kubernetes is None or kubernetes.control_plane not in context.platform.host_groups:
        return
    hosts = context.platform.of_group(kubernetes.control_plane)
    section = "machines" if kubernetes.control_plane in context.manifest.machines else "servers"
    where = (section, kubernetes.control_plane)
    at = (*where, "count") if section == "machines" else (*where, "addresses")
    if len(hosts) % 2 == 0:
        what = f"{len(hosts)} control planes: an even number survives no more failures than one less, and splits"
        context.error(at, what, "1, 3, 5 or 7", f"did you mean {len(hosts) + 1}?")
    elif len(hosts) > 7:
        context.error(at, f"{len(hosts)} control planes slow etcd down", "1, 3, 5 or 7")
    if section == "machines" and 3 <= len(hosts) <= 7 and context.manifest.hypervisors is not None:
        nodes = len(context.manifest.hypervisors.nodes)
        if nodes >= 2 and all(_candidates(context, host.on) for host in hosts) and _apart(context, hosts) < 2:
            context.warn(
                (*where, "on"), "all control planes lie on one hypervisor", "hypervisors for them that lie apart"
            )
    if kubernetes.control_plane in kubernetes.workers:
        context.error(
            ("kubernetes", "workers"), f"'{kubernetes.control_plane}' is the control plane", "other machine groups"
        )


def _openings(context: Context) -> None:
    groups = context.names("machines") + context.names("servers")
    for name, opening in context.manifest.access.open.items():
        single = context.root.at(("access", "open", name, "machines")).kind != "list"
        for index, group in enumerate(opening.machines):
            path = ("access", "open", name, "machines")
            context.known(path if single else (*path, index), group, groups, "a machine group")
    vpn = context.manifest.access.openvpn
    group = context.manifest.machines.get(vpn.machines) if vpn is not None else None
    if group is not None and not group.public:
        what = "the VPN gateways are not public: nobody reaches them from outside"
        context.warn(("machines", vpn.machines), what, "public: true", key=True)
