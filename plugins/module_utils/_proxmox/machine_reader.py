# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The reading half of `proxmox_machines`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._objects import Current, Desired, Fault, Reader
from . import client, identity, preflight
from .guests import detached, fields_of
from .live import Guest, Live, as_told, with_status
from .machines import Machine

# Guests in these states of making carry no name yet.
UNBORN = frozenset(("clone", "create"))


class MachineReader(Reader):
    """Finds each machine by proof of identity, in one request, one for each node, and one for each machine."""

    kind = "machine"
    exact = frozenset(f"cloud_init.ip{index}" for index in range(32))
    unordered = frozenset(("tags", "cloud_init.ssh_keys"))
    computed = ("id", "node")
    settle = 3.0

    # Set before the first read, once the task's parameters have proved to be sound.
    live: Live

    def __init__(self, live: Live | None = None) -> None:
        if live is not None:
            self.live = live
        self.findings: list[str] = []
        self.away: dict[str, tuple[int, str, str]] = {}
        """Machines on nodes that are offline, which nobody can look at: id, node, and why."""
        self.plan: preflight.Placement = preflight.Placement()

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        wanted = [self.live.machines[item.key] for item in desired if item.key in self.live.machines]
        recalled = self.live.recall([machine.name for machine in wanted if machine.present])
        if recalled is not None and all(machine.present for machine in wanted):
            return self._recalled(recalled)
        self.findings = []
        return self._look(wanted)

    def _recalled(self, recalled: Mapping[str, Guest]) -> list[Current]:
        """Read by the writers after their last write; only what they did not see is asked for, for all at once."""
        unseen = [guest.node for guest in recalled.values() if not guest.status or guest.grown]
        states = self.live.states(unseen) if unseen else {}
        if any("pool" in self.live.machines[name].fields for name in recalled):
            self.live.refresh()
        pools = {vmid: str(row.get("pool", "")) for vmid, row in self.live.ids().items()}
        found = []
        for name, guest in recalled.items():
            if guest.vmid in states and (not guest.status or guest.grown):
                guest = as_told(guest, states[guest.vmid])
            if guest.grown is not None:
                # Not grown as far as its state tells: its configuration has the last word.
                guest = with_status(self.live.guest(guest.vmid, guest.node), guest.status)
            found.append(self._current(name, with_status(guest, guest.status, pools.get(guest.vmid, ""))))
        return found

    def _look(self, wanted: Sequence[Machine]) -> list[Current]:
        live = self.live
        live.refresh()
        rows = live.ids()
        likely = self._answering(self._candidates(wanted, rows))
        owners, strangers = self._owners(likely, wanted)
        if live.prune or not all(owners[machine.name] for machine in wanted):
            # Before a machine is said not to be there, every guest that could be it has shown its uuid.
            seen = {row["vmid"] for row in likely}
            more, others = self._owners(
                [row for row in self._answering(self._tagged(rows)) if row["vmid"] not in seen], wanted
            )
            for name, guests in more.items():
                owners.setdefault(name, []).extend(guests)
            strangers += others
        self._report(owners, strangers, rows, wanted)
        self._note_away(wanted, owners, rows)
        managed = {name for name, guests in owners.items() if guests}
        states = live.statuses(guest.node for name in managed for guest in owners[name])
        found = []
        for name in sorted(managed):
            first, *others = owners[name]
            if others:
                self.findings.append(
                    f"machine {name}: two guests prove to be it: {first} and {', '.join(map(str, others))} (one is a "
                    "copy or was restored from a backup); remove one, or give one a new uuid (smbios1)"
                )
            pool = str(rows.get(first.vmid, {}).get("pool", ""))
            with live.lock:
                live.spots[name] = (first.vmid, first.node)
            found.append(self._current(name, with_status(first, states.get(first.vmid, ""), pool)))
        return [*found, *(self._unseen(machine) for machine in wanted if machine.name in self.away)]

    def _offline(self) -> set[str]:
        return {name for name, row in self.live.nodes.items() if row.get("status") == "offline"}

    def _answering(self, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Those on nodes that can be asked."""
        offline = self._offline()
        return [row for row in rows if row["node"] not in offline]

    def _note_away(
        self,
        wanted: Sequence[Machine],
        owners: Mapping[str, Sequence[Guest]],
        rows: Mapping[int, Mapping[str, Any]],
    ) -> None:
        """Whoever may live on a node that is offline is neither there nor not there: left alone, and made nowhere."""
        offline = self._offline()
        silent = {vmid: row for vmid, row in rows.items() if _virtual(row) and row["node"] in offline}
        ids = {machine.id for machine in wanted}
        by_name = {str(row["name"]).lower(): row for row in silent.values() if row.get("name")}
        nameless = [row for row in self._tagged(silent) if not row.get("name") and row["vmid"] not in ids]
        for machine in wanted:
            self.away.pop(machine.name, None)
            if owners.get(machine.name):
                continue
            row = silent.get(machine.id) or by_name.get(machine.name.lower())
            verb = "lives"
            if row is None and machine.present and nameless:
                row, verb = nameless[0], "may live"
            if row is not None:
                why = f"node {row['node']}, where it {verb} as guest {row['vmid']}, is offline"
                self.away[machine.name] = (int(row["vmid"]), str(row["node"]), why)

    def _unseen(self, machine: Machine) -> Current:
        """As it is wanted, and still not whole: the writer says why."""
        vmid, node, _why = self.away[machine.name]
        fields = {"id": vmid, "node": node, "detached": {}, "pending": [], **machine.fields, "complete": False}
        identity_ = {"id": vmid, "machine": f"{self.live.platform}/{machine.name}"}
        return Current(machine.name, fields, identity=identity_)

    def _candidates(self, wanted: Sequence[Machine], rows: Mapping[int, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Guests that are likely one of the machines: by id, by name, or too new to have shown a name."""
        names = {machine.name.lower() for machine in wanted}
        ids = {machine.id for machine in wanted}
        ids |= {self.live.spots[machine.name][0] for machine in wanted if machine.name in self.live.spots}
        return [
            row
            for vmid, row in rows.items()
            if _virtual(row) and (vmid in ids or str(row.get("name", "")).lower() in names or _new(row))
        ]

    def _tagged(self, rows: Mapping[int, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Guests that carry our tag, or an id out of our series (a clone gets its tags last)."""
        return [
            row
            for vmid, row in rows.items()
            if _virtual(row)
            and (self.live.tag in identity.tags_of(row) or identity.FIRST_ID <= vmid <= identity.LAST_ID)
        ]

    def _owners(
        self, candidates: Sequence[Mapping[str, Any]], wanted: Sequence[Machine]
    ) -> tuple[dict[str, list[Guest]], list[Guest]]:
        """Each machine's guests, and those that are nobody's of ours."""
        live = self.live
        read = live.each(lambda row: live.guest_or_none(int(row["vmid"]), str(row["node"])), candidates)
        owners: dict[str, list[Guest]] = {machine.name: [] for machine in wanted}
        expected = {machine.id: machine.name for machine in wanted}
        strangers: list[Guest] = []
        for guest in read:
            if guest is None:
                continue
            name = live.owner(guest)
            if not name and guest.lock == "clone" and not guest.name:
                # A clone under way shows nothing but its lock; whose it is, is checked again when it is done.
                name = expected.get(guest.vmid, "")
            if name:
                owners.setdefault(name, []).append(guest)
            else:
                strangers.append(guest)
        return owners, strangers

    def _report(
        self,
        owners: Mapping[str, list[Guest]],
        strangers: Sequence[Guest],
        rows: Mapping[int, Mapping[str, Any]],
        wanted: Sequence[Machine],
    ) -> None:
        """Whoever has a wanted id or name without being that machine is a finding."""
        # A machine that shall be absent and was given no id is simply not there when its id is somebody else's.
        by_id = {machine.id: machine for machine in wanted if machine.present or machine.fixed}
        by_name = {machine.name.lower(): machine.name for machine in wanted}
        for name, guests in owners.items():
            for guest in guests:
                self._misnamed(name, guest)
        for guest in strangers:
            self._stranger(guest, by_id, by_name, owners)
        for vmid, machine in by_id.items():
            row = rows.get(vmid)
            if row is not None and row.get("type") == "lxc" and not owners.get(machine.name):
                self.findings.append(_taken(machine, f"container {row.get('name', '')} on {row.get('node')}"))

    def _misnamed(self, name: str, guest: Guest) -> None:
        machine = self.live.machines.get(name)
        if machine is None:
            return
        if machine.fixed and machine.id != guest.vmid:
            self.findings.append(
                f"machine {name}: it exists with id {guest.vmid} on {guest.node}, and id {machine.id} is wanted; ids "
                f"cannot change: write id {guest.vmid}, or remove the machine and make it anew"
            )
        if guest.name and guest.name.lower() != name.lower() and self.live.complete(guest, name):
            self.findings.append(
                f"machine {name}: guest {guest.vmid} on {guest.node} proves to be it, and is named {guest.name!r} now; "
                f"rename it back to {name!r} in Proxmox, or name the machine {guest.name!r} only after removing it"
            )

    def _stranger(
        self,
        guest: Guest,
        by_id: Mapping[int, Machine],
        by_name: Mapping[str, str],
        owners: Mapping[str, list[Guest]],
    ) -> None:
        machine = by_id.get(guest.vmid)
        name = by_name.get(guest.name.lower(), "")
        if machine is not None and not owners.get(machine.name):
            self.findings.append(_taken(machine, str(guest)))
        elif name:
            ours = f"; the machine itself is {owners[name][0]}" if owners.get(name) else ""
            self.findings.append(
                f"machine {name}: {guest} has the same name and was not made by this platform{ours}; it is not "
                "touched: rename or remove it, or choose another name for the machine"
            )

    def _current(self, name: str, guest: Guest) -> Current:
        live = self.live
        fields = fields_of(guest.config)
        complete = live.complete(guest, name)
        machine = live.machines.get(name)
        fields.update(
            complete=complete,
            id=guest.vmid,
            node=guest.node,
            started=guest.running,
            pool=guest.pool,
            detached=detached(guest.config),
            pending=list(guest.pending) if guest.running else [],
        )
        incomplete = ""
        if not complete and guest.lock in UNBORN and not live.clones_running():
            # A clone that nobody makes any more can be no healthy machine, whosever it was.
            incomplete = f"the clone died midway (guest {guest.vmid} on {guest.node} keeps the lock '{guest.lock}')"
        elif not complete and machine is not None and machine.present:
            template = identity.being_made(guest.config)[1]
            if template and template != machine.template:
                incomplete = (
                    f"guest {guest.vmid} was being cloned from {template}, and {machine.template} is wanted now"
                )
        return Current(
            name,
            fields,
            identity={"id": guest.vmid, "machine": f"{live.platform}/{name}"},
            revision=guest.digest,
            owned=bool(live.owner(guest)),
            incomplete=incomplete,
        )

    def same(self, path: str, wanted: Any, found: Any) -> bool:
        return path == "name" and str(wanted).lower() == str(found).lower()

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        wanted = self._seen(desired)
        self.plan = preflight.placement(self.live, wanted, current)
        return [*self.findings, *preflight.findings(self.live, wanted, current, self.plan)]

    def warn(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        nodes: dict[str, list[str]] = {}
        for name, (_vmid, node, _why) in sorted(self.away.items()):
            nodes.setdefault(node, []).append(name)
        away = [
            f"node {node} is offline: {', '.join(names)} can neither be checked nor changed; the others go on"
            for node, names in nodes.items()
        ]
        return [*away, *preflight.warnings(self.live, self._seen(desired), current, self.plan)]

    def _seen(self, desired: Sequence[Desired]) -> list[Machine]:
        return [self.live.machines[item.key] for item in desired if item.key not in self.away]

    def classify(self, error: Exception) -> Fault:
        return client.classify(error)

    def explain(self, error: Exception) -> tuple[str, str]:
        return client.explain(error)


def _virtual(row: Mapping[str, Any]) -> bool:
    return row.get("type") == "qemu" and not row.get("template")


def _new(row: Mapping[str, Any]) -> bool:
    return row.get("lock") in UNBORN or not row.get("name") or row.get("status") == "unknown"


def _taken(machine: Machine, by: str) -> str:
    return (
        f"machine {machine.name}: id {machine.id} is taken by {by}, which is not this machine; it is not touched: "
        "give the machine an id of its own that is free, or remove that guest"
    )
