# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What the machines name against what the nodes have: every finding, before the first change."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._objects import Current
from . import guests
from .errors import NotFound, ProxmoxError
from .guests import disk_bytes, disk_slots
from .live import Live, Template
from .machines import Machine
from .placement import Place, Placed, place
from .sizes import parse_size, show_size


@dataclass
class Placement:
    """Where the new machines go, and what each is cloned from."""

    nodes: dict[str, str] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    configs: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    lacking: list[str] = field(default_factory=list)


def placement(live: Live, wanted: Sequence[Machine], current: Mapping[str, Current]) -> Placement:
    """Decide it; what cannot be decided is in `lacking`."""
    result = Placement()
    new = [machine for machine in wanted if machine.present and _to_be_made(current.get(machine.name))]
    if not new:
        return result
    online = {str(row["node"]): row for row in live.of_type("node") if row.get("status") == "online"}
    places = [Place(name, int(row.get("maxmem") or 0), int(row.get("maxcpu") or 0)) for name, row in online.items()]
    fits = _templates(live, new, result)
    storages = _Storages(live)
    result.nodes = place(
        [_within(machine, fits.get(machine.template, []), result, storages) for machine in new],
        _there(live),
        sorted(places, key=lambda item: item.node),
    )
    for machine in new:
        node = result.nodes.get(machine.name, "")
        if not node:
            asked = [machine.node] if machine.node else list(machine.nodes)
            result.lacking.append(_no_node(live, machine, asked, sorted(online)))
        near = [t for t in fits.get(machine.template, []) if t.node == node] or fits.get(machine.template, [])
        if near:
            result.templates[machine.name] = near[0]
    return result


def _there(live: Live) -> list[Placed]:
    """Every guest that takes room, with the group of those that are ours."""
    names = {spot[0]: name for name, spot in live.spots.items()}
    found = []
    for vmid, row in live.ids().items():
        if not row.get("template"):
            name = names.get(vmid, "")
            group = live.machines[name].group if name in live.machines else ""
            found.append(Placed(name or str(vmid), group, int(row.get("maxmem") or 0), node=str(row["node"])))
    return found


def _within(machine: Machine, fits: Sequence[Template], result: Placement, storages: _Storages) -> Placed:
    """The machine with its candidates cut to the nodes that can clone its template."""
    able: set[str] = set()
    for template in fits:
        slots = disk_slots(result.configs.get(template.vmid, {}))
        if all(storages.shared(parts["storage"]) for parts in slots.values()):
            return machine.placed
        able.add(template.node)
    placed = machine.placed
    both = tuple(node for node in placed.nodes if node in able) if placed.nodes else tuple(sorted(able))
    return replace(placed, nodes=both or placed.nodes)


def _to_be_made(current: Current | None) -> bool:
    return current is None or bool(current.incomplete)


def _no_node(live: Live, machine: Machine, asked: Sequence[str], online: Sequence[str]) -> str:
    known = {str(row["node"]): str(row.get("status", "")) for row in live.of_type("node")}
    said = [f"{name} is {known[name]}" if name in known else f"there is no node {name}" for name in asked]
    near = [match for name in asked for match in difflib.get_close_matches(name, known, 1) if name not in known]
    meant = f" (did you mean {near[0]}?)" if near else ""
    there = f"nodes that are online: {', '.join(online) or 'none'}"
    return f"machine {machine.name}: no node to put it on: {', '.join(said) or 'none is online'}{meant}; {there}"


def _templates(live: Live, new: Sequence[Machine], result: Placement) -> dict[str, list[Template]]:
    """The templates of each name asked for, with their configurations in `result`."""
    templates = live.templates()
    names = {machine.template for machine in new}
    if any(not _fitting(templates, name) for name in names):
        templates = live.templates(fresh=True)
    known = sorted({template.name for template in templates if template.name})
    fits = {name: _fitting(templates, name) for name in names}
    for machine in new:
        if not fits[machine.template]:
            near = difflib.get_close_matches(machine.template, known, 1)
            meant = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known) or 'none'}"
            result.lacking.append(f"machine {machine.name}: there is no template {machine.template}{meant}")

    def config(template: Template) -> tuple[int, Mapping[str, Any]]:
        try:
            return template.vmid, live.pve.get(f"/nodes/{template.node}/qemu/{template.vmid}/config")
        except NotFound as error:
            result.lacking.append(f"template {template.name}: {error.said}")
            return template.vmid, {}

    result.configs = dict(live.each(config, {t.vmid: t for found in fits.values() for t in found}.values()))
    return fits


def _fitting(templates: Sequence[Template], asked: str) -> list[Template]:
    return [template for template in templates if asked in (template.name, str(template.vmid))]


def findings(live: Live, wanted: Sequence[Machine], current: Mapping[str, Current], plan: Placement) -> Iterator[str]:
    """Everything that would go wrong, each as a sentence."""
    yield from plan.lacking
    storages = _Storages(live)
    bridges = _bridges(live, wanted, current, plan)
    pools = {str(row.get("pool")) for row in live.of_type("pool")}
    for machine in wanted:
        if not machine.present:
            yield from _destroyable(live, machine, current.get(machine.name))
            continue
        found = current.get(machine.name)
        made = not _to_be_made(found)
        node = str(found.fields["node"]) if found is not None and made else plan.nodes.get(machine.name, "")
        if not node:
            continue
        for text in (
            *_disks(machine, found if made else None, node, plan, storages),
            *_nics(machine, found if made else None, node, bridges),
            *_hardware(live, machine, node),
            *_pool(machine, found, pools),
        ):
            yield f"machine {machine.name}: {text}"
    if not live.overcommit:
        yield from storages.overdrawn()


def _destroyable(live: Live, machine: Machine, found: Current | None) -> Iterator[str]:
    if found is None:
        return
    loose = found.fields.get("detached") or {}
    if loose and not live.destroy_detached:
        yield (
            f"machine {machine.name}: destroying it would destroy its detached disks too: {', '.join(loose.values())}; "
            "move them to another guest, or set destroy_detached_disks to true"
        )


def _disks(machine: Machine, found: Current | None, node: str, plan: Placement, storages: _Storages) -> Iterator[str]:
    template = plan.templates.get(machine.name)
    has: dict[str, Any] = {}
    home: dict[str, str] = {}
    of = "it"
    if (found is None and template is None) or (found is not None and not found.fields["complete"]):
        # The disks of a clone under way come one after the other: they are compared once all are there.
        return
    if found is not None:
        has = {slot: disk.get("size") for slot, disk in found.fields["disks"].items()}
        home = {slot: disk.get("storage", "") for slot, disk in found.fields["disks"].items()}
    elif template is not None:
        config = plan.configs.get(template.vmid, {})
        slots = disk_slots(config)
        has = {slot: show_size(disk_bytes(parts)) if disk_bytes(parts) else None for slot, parts in slots.items()}
        home = {slot: machine.storage or parts["storage"] for slot, parts in slots.items()}
        of = f"template {template.name}"
        if machine.fields.get("cloud_init") and not guests.cloud_init_drive(config) and not any(home.values()):
            yield f"{of} has no cloud-init drive and no disk; name the storage for one with `storage`"
        yield from _clone_storage(machine, template, slots, node, storages)
    for slot, disk in machine.fields.get("disks", {}).items():
        size, storage = disk.get("size"), disk.get("storage", "")
        if slot in has:
            if size and has[slot] and parse_size(size, 1) < parse_size(has[slot], 1):
                yield (
                    f"disk {slot} of {of} has {has[slot]}, and {size} is wanted: Proxmox cannot shrink a disk, and "
                    f"the file system in it would be lost; ask for at least {has[slot]}"
                )
            if found is not None and storage and home[slot] and storage != home[slot]:
                yield (
                    f"disk {slot} is on storage {home[slot]}, and {storage} is wanted: moving disks is not done here; "
                    f"move it in Proxmox, or write {home[slot]}"
                )
            elif found is not None and size and has[slot]:
                storages.take(node, home[slot], parse_size(size, 1) - parse_size(has[slot], 1), machine.name)
            continue
        where = storage or machine.storage or next(iter(home.values()), "")
        if not size:
            yield f"disk {slot} is not there yet and has no size; say how large it shall be"
        elif not where:
            yield f"disk {slot} has no storage to be made on; name one"
        else:
            wrong = storages.wrong(where, node)
            if wrong:
                yield f"disk {slot}: {wrong}"
            else:
                storages.take(node, where, parse_size(size, 1), machine.name)


def _clone_storage(
    machine: Machine,
    template: Template,
    slots: Mapping[str, Mapping[str, str]],
    node: str,
    storages: _Storages,
) -> Iterator[str]:
    if machine.storage:
        wrong = storages.wrong(machine.storage, node)
        if wrong:
            yield wrong
    if template.node != node:
        local = sorted({p["storage"] for p in slots.values() if not storages.shared(p["storage"])})
        if local:
            yield (
                f"template {template.name} lies on node {template.node} on storage {', '.join(local)}, which {node} "
                f"does not share: make the template on {node} too, or name {template.node} as the machine's node"
            )
        elif machine.storage and not storages.shared(machine.storage):
            yield (
                f"a clone from {template.node} to {node} needs a storage that both share; "
                f"{machine.storage} is local to each"
            )
    if is_full(machine):
        for slot, parts in slots.items():
            size = max(disk_bytes(parts), _wanted_bytes(machine, slot))
            storages.take(node, machine.storage or parts["storage"], size, machine.name)


def _wanted_bytes(machine: Machine, slot: str) -> int:
    size = machine.fields.get("disks", {}).get(slot, {}).get("size")
    return parse_size(size, 1) if isinstance(size, str) and size else 0


def is_full(machine: Machine) -> bool:
    """Whether the clone copies its template's disks: as Proxmox does it, not unless a storage is named."""
    return bool(machine.full) if machine.full is not None else bool(machine.storage)


class _Storages:
    """The storages of each node, and what this task will take from them."""

    def __init__(self, live: Live) -> None:
        self.rows = {(str(r["node"]), str(r["storage"])): r for r in live.of_type("storage")}
        self.names = sorted({key[1] for key in self.rows})
        self._shared = {key[1] for key, row in self.rows.items() if row.get("shared")}
        self.taken: dict[tuple[str, str], int] = {}
        self.takers: dict[tuple[str, str], list[str]] = {}

    def shared(self, name: str) -> bool:
        return name in self._shared

    def wrong(self, name: str, node: str) -> str:
        row = self.rows.get((node, name))
        if row is None:
            near = difflib.get_close_matches(name, self.names, 1)
            meant = f"did you mean {near[0]}?" if near else f"there are: {', '.join(self.names) or 'none'}"
            if name in self.names:
                meant = f"only on {', '.join(sorted(n for n, s in self.rows if s == name))}"
            return f"there is no storage {name} on node {node}; {meant}"
        if str(row.get("status", "available")) != "available":
            return f"storage {name} on node {node} is {row.get('status')}; bring it back or name another"
        content = {item.strip() for item in str(row.get("content", "images")).split(",")}
        if "images" not in content:
            return f"storage {name} does not take disk images (it takes {', '.join(sorted(content))}); name another"
        return ""

    def take(self, node: str, name: str, size: int, who: str) -> None:
        row = self.rows.get((node, name))
        if row is None or size <= 0:
            return
        key = ("", name) if row.get("shared") else (node, name)
        self.taken[key] = self.taken.get(key, 0) + size
        self.takers.setdefault(key, []).append(who)

    def overdrawn(self) -> Iterator[str]:
        for (node, name), size in sorted(self.taken.items()):
            row = next((r for (n, s), r in self.rows.items() if s == name and node in ("", n)), {})
            free = int(row.get("maxdisk") or 0) - int(row.get("disk") or 0)
            if row.get("maxdisk") and size > free:
                who = sorted(set(self.takers[node, name]))
                names = ", ".join(who[:5]) + (f" and {len(who) - 5} more" if len(who) > 5 else "")
                where = f" on node {node}" if node else ""
                yield (
                    f"storage {name}{where}: {show_mib(size)} are asked for by {names}, and {show_mib(free)} are free; "
                    "free some, name another storage, ask for less, or set overcommit if the storage is thin"
                )


def show_mib(size: int) -> str:
    return show_size(max(0, size) // 1024**2 * 1024**2)


def _bridges(
    live: Live, wanted: Sequence[Machine], current: Mapping[str, Current], plan: Placement
) -> dict[str, set[str]]:
    """The bridges of every node that gets a network card; nothing is asked when none does."""
    nodes = set()
    for machine in wanted:
        found = current.get(machine.name)
        made = found is not None and not found.incomplete
        nics = machine.fields.get("nics", {})
        has = found.fields.get("nics", {}) if found is not None and made else {}
        changed = any(nic.get("bridge") != has.get(key, {}).get("bridge") for key, nic in nics.items())
        node = str(found.fields["node"]) if found is not None and made else plan.nodes.get(machine.name, "")
        if machine.present and changed and node:
            nodes.add(node)

    def of(node: str) -> tuple[str, set[str]]:
        try:
            rows = live.pve.get(f"/nodes/{node}/network")
        except ProxmoxError as error:
            plan.lacking.append(f"node {node}: its bridges cannot be read: {error}")
            return node, set()
        kinds = ("bridge", "OVSBridge", "vnet")
        return node, {str(row["iface"]) for row in rows if row.get("type") in kinds}

    return dict(live.each(of, sorted(nodes)))


def _nics(machine: Machine, found: Current | None, node: str, bridges: Mapping[str, set[str]]) -> Iterator[str]:
    for key, nic in machine.fields.get("nics", {}).items():
        has = found.fields["nics"].get(key, {}).get("bridge") if found is not None else None
        bridge = nic.get("bridge")
        if bridge != has and node in bridges and bridge not in bridges[node]:
            near = difflib.get_close_matches(str(bridge), bridges[node], 1)
            meant = f"did you mean {near[0]}?" if near else f"it has: {', '.join(sorted(bridges[node])) or 'none'}"
            yield f"{key}: node {node} has no bridge {bridge}; {meant}"


def _hardware(live: Live, machine: Machine, node: str) -> Iterator[str]:
    row = live.nodes.get(node, {})
    if machine.memory and row.get("maxmem") and machine.memory > int(row["maxmem"]):
        yield f"{machine.fields['memory']} of memory are wanted, and node {node} has {show_mib(int(row['maxmem']))}"
    if row.get("maxcpu") and machine.cores > int(row["maxcpu"]):
        yield f"{machine.cores} cores are wanted, and node {node} has {row['maxcpu']}"


def _pool(machine: Machine, found: Current | None, pools: set[str]) -> Iterator[str]:
    pool = machine.fields.get("pool")
    if pool and pool not in pools and (found is None or found.fields.get("pool") != pool):
        near = difflib.get_close_matches(str(pool), pools, 1)
        meant = f"did you mean {near[0]}?" if near else "make it first (proxmox_pools), or leave it out"
        yield f"there is no pool {pool}; {meant}"


def warnings(live: Live, wanted: Sequence[Machine], current: Mapping[str, Current], plan: Placement) -> Iterable[str]:
    """Worth knowing, forbids nothing."""
    said = []
    asked: dict[str, int] = {}
    for machine in wanted:
        found = current.get(machine.name)
        if found is not None and machine.present and not found.incomplete:
            asked_for = (machine.node,) if machine.node else machine.nodes
            if asked_for and found.fields["node"] not in asked_for:
                said.append(
                    f"machine {machine.name}: it lives on {found.fields['node']}, not on {' or '.join(asked_for)}; "
                    "it is left there: whoever wants it elsewhere migrates it in Proxmox"
                )
            if found.fields["pending"]:
                waits = ", ".join(found.fields["pending"])
                said.append(f"machine {machine.name}: needs a reboot for {waits}; `reboot: rolling` does it")
        node = plan.nodes.get(machine.name, "")
        if node and machine.present:
            asked[node] = asked.get(node, 0) + machine.memory
    for row in live.of_type("node"):
        node = str(row.get("node"))
        used = sum(
            int(r.get("maxmem") or 0) for r in live.of_type("qemu") if r.get("node") == node and not r.get("template")
        )
        if row.get("maxmem") and asked.get(node) and used + asked[node] > int(row["maxmem"]):
            total, has = show_mib(used + asked[node]), show_mib(int(row["maxmem"]))
            said.append(f"node {node}: its guests may use {total} of memory together, and it has {has}")
    return said
