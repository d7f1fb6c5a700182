# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Resource pools: which there are, and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._objects import AdapterError, Change, Current, Desired, Step
from .session import ApiReader, ApiWriter, Session, missing_names

POOL: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "comment": {"type": "str"},
    "guests": {"type": "list", "elements": "int"},
    "storages": {"type": "list", "elements": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def spec() -> dict[str, Any]:
    return {
        "pools": {"type": "list", "elements": "dict", "required": True, "options": POOL},
        "move": {"type": "bool", "default": False},
    }


def parent(name: str) -> str:
    return name.rpartition("/")[0]


def desired(parameters: Mapping[str, Any]) -> Iterator[Desired]:
    names = {pool["name"] for pool in parameters["pools"]}
    for pool in parameters["pools"]:
        fields: dict[str, Any] = {}
        if "comment" in pool:
            fields["comment"] = pool["comment"].rstrip()
        for kind in ("guests", "storages"):
            if kind in pool:
                fields[kind] = sorted(set(pool[kind]))
        above = parent(pool["name"])
        needs = frozenset({above} & names)
        yield Desired(pool["name"], fields, needs, present=pool["state"] == "present")


class Pools(ApiReader):
    kind = "pool"
    unordered = frozenset({"guests", "storages"})

    def __init__(self, session: Session, move: bool = False) -> None:
        super().__init__(session)
        self.move = move
        self.homes: dict[int, str] = {}

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        pve = self.session.pve
        rows = {str(row["poolid"]): row for row in pve.get("/pools")}
        # The list of pools has no members; they are asked for only where somebody cares.
        asked = [d.key for d in desired if d.key in rows and (not d.present or {"guests", "storages"} & set(d.fields))]
        members = dict(zip(asked, self.session.each(self.members, asked), strict=True))
        for name, row in rows.items():
            fields: dict[str, Any] = {"comment": str(row.get("comment") or "")}
            if name in members:
                fields.update(members[name])
            needs = frozenset({parent(name)} & rows.keys())
            yield Current(name, fields, {"name": name}, needs=needs)

    def members(self, name: str) -> dict[str, Any]:
        rows = self.session.pve.get("/pools", poolid=name)
        members = (rows[0].get("members") or []) if rows else []
        return {
            "guests": sorted(int(item["vmid"]) for item in members if item.get("type") in ("qemu", "lxc")),
            "storages": sorted({str(item["storage"]) for item in members if item.get("type") == "storage"}),
        }

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        leaving = {d.key for d in desired if not d.present}
        for item in desired:
            above = parent(item.key)
            if item.present and above and above not in current and above not in {d.key for d in desired}:
                yield f"pool {item.key}: its parent {above} does not exist; name {above} in pools too"
            found = current.get(item.key)
            if item.present or found is None:
                continue
            inside = [f"guest {vmid}" for vmid in found.fields["guests"]]
            inside += [f"storage {name}" for name in found.fields["storages"]]
            inside += [f"pool {key}" for key in current if parent(key) == item.key and key not in leaving]
            if inside:
                yield (
                    f"pool {item.key}: it is to be absent and holds {', '.join(inside)}; "
                    "Proxmox removes empty pools only: move these elsewhere first"
                )
        yield from self._members_exist(desired)

    def _members_exist(self, desired: Sequence[Desired]) -> Iterator[str]:
        """The API takes any id and any name as a member, there or not."""
        present = [item for item in desired if item.present]
        if any(item.fields.get("guests") for item in present):
            rows = self.session.pve.get("/cluster/resources", type="vm")
            self.homes = {int(row["vmid"]): str(row.get("pool") or "") for row in rows}
            for item in present:
                for vmid in item.fields.get("guests", ()):
                    if vmid not in self.homes:
                        yield f"pool {item.key}: there is no guest {vmid}; make it first, or correct the id"
                    elif self.homes[vmid] not in ("", item.key) and not self.move:
                        yield (
                            f"pool {item.key}: guest {vmid} belongs to pool {self.homes[vmid]}; "
                            "set move to true to take it from there"
                        )
            wanted: dict[int, str] = {}
            for item in present:
                for vmid in item.fields.get("guests", ()):
                    if vmid in wanted:
                        yield f"guest {vmid}: both pool {wanted[vmid]} and pool {item.key} want it; keep it in one"
                    wanted[vmid] = item.key
        if any(item.fields.get("storages") for item in present):
            there = [str(row["storage"]) for row in self.session.pve.get("/storage")]
            for item in present:
                yield from missing_names("storage", item.fields.get("storages", ()), there, f"pool {item.key}")


INFO = {"names": {"type": "list", "elements": "str"}}


def info(session: Session, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """For proxmox_pools_info."""
    reader = Pools(session)
    comments = {str(row["poolid"]): str(row.get("comment") or "") for row in session.pve.get("/pools")}
    names = parameters.get("names", sorted(comments))
    problems = missing_names("pool", names, list(comments), "names")
    if problems:
        raise AdapterError("; ".join(problems))
    members = session.each(reader.members, names)
    return {
        "pools": [
            {"name": name, "comment": comments[name], **inside} for name, inside in zip(names, members, strict=True)
        ]
    }


class PoolsWriter(ApiWriter):
    def __init__(self, session: Session, move: bool = False) -> None:
        super().__init__(session)
        self.move = move

    def create(self, change: Change, step: Step) -> None:
        del step
        self.session.pve.post("/pools", poolid=change.key, comment=change.after.get("comment") or None)
        self._members(change, {})

    def update(self, change: Change, step: Step) -> None:
        del step
        if "comment" in change.paths:
            self.session.pve.put("/pools", poolid=change.key, comment=change.after["comment"])
        self._members(change, change.current.fields if change.current else {})

    def _members(self, change: Change, before: Mapping[str, Any]) -> None:
        come: dict[str, str] = {}
        go: dict[str, str] = {}
        for field, option in (("guests", "vms"), ("storages", "storage")):
            wanted, had = set(change.desired.fields.get(field, before.get(field, ()))), set(before.get(field, ()))
            if wanted - had:
                come[option] = ",".join(str(item) for item in sorted(wanted - had))
            if had - wanted:
                go[option] = ",".join(str(item) for item in sorted(had - wanted))
        if come:
            moving = {"allow-move": True} if self.move and "vms" in come else {}
            self.session.pve.put("/pools", poolid=change.key, **come, **moving)
        if go:
            self.session.pve.put("/pools", poolid=change.key, delete=True, **go)

    def delete(self, change: Change, step: Step) -> None:
        del step
        self.session.pve.delete("/pools", poolid=change.key)
