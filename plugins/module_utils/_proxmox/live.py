# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What the cluster has right now, read with few requests and shared by the reader and every writer of one task."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from . import identity
from .client import Proxmox
from .errors import Busy, NotFound, ProxmoxError
from .guests import DISK, with_size
from .machines import Machine
from .properties import compose, parse

T = TypeVar("T")
READERS = 6


@dataclass(frozen=True)
class Guest:
    """A virtual machine as it is: its configuration with what is pending merged in, and what is pending."""

    vmid: int
    node: str
    config: Mapping[str, Any]
    pending: tuple[str, ...] = ()
    status: str = ""
    pool: str = ""
    # A disk that was told to grow, and the size that the next reading must show.
    grown: tuple[str, int] | None = None

    @property
    def digest(self) -> str:
        return str(self.config.get("digest", ""))

    @property
    def lock(self) -> str:
        return str(self.config.get("lock", ""))

    @property
    def name(self) -> str:
        return str(self.config.get("name", ""))

    @property
    def running(self) -> bool:
        return self.status == "running"

    def __str__(self) -> str:
        return f"{self.name or 'a guest without a name'} (id {self.vmid} on {self.node})"


@dataclass(frozen=True)
class Template:
    vmid: int
    node: str
    name: str


class Live:
    """One task's view of the cluster."""

    def __init__(self, pve: Proxmox, platform: str, machines: Sequence[Machine]) -> None:
        self.pve = pve
        self.platform = platform
        self.tag = identity.platform_tag(platform)
        self.machines = {machine.name: machine for machine in machines}
        self.uuids = {machine.uuid: machine.name for machine in machines}
        self.nodes: dict[str, dict[str, Any]] = {}
        self._kinds: dict[str, list[dict[str, Any]]] = {}
        self._ids: dict[int, dict[str, Any]] = {}
        self.spots: dict[str, tuple[int, str]] = {}
        self.destroy_detached = False
        self.prune = False
        self.overcommit = False
        self._fresh: dict[str, Guest] = {}
        self._pool: ThreadPoolExecutor | None = None
        self.lock = threading.RLock()
        self.one_at_a_time = threading.Lock()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self.pve.close()

    def each(self, work: Callable[[T], Any], items: Iterable[T]) -> list[Any]:
        """`work` for each item, side by side."""
        todo = list(items)
        if len(todo) < 2:
            return [work(item) for item in todo]
        with self.lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="proxmox-read")
        return list(self._pool.map(work, todo))

    def refresh(self) -> None:
        """The list of everything: one request. Its names and states are seconds old; ids, nodes, tags are not."""
        rows = [row for row in self.pve.get("/cluster/resources") if isinstance(row, dict)]
        kinds: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            kinds.setdefault(str(row.get("type")), []).append(row)
        with self.lock:
            self._kinds = kinds
            self._ids = {int(row["vmid"]): row for row in (*kinds.get("qemu", ()), *kinds.get("lxc", ()))}
            self.nodes = {str(row["node"]): row for row in kinds.get("node", ())}

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return self._kinds.get(kind, [])

    def ids(self) -> dict[int, dict[str, Any]]:
        return self._ids

    def templates(self, *, fresh: bool = False) -> list[Template]:
        """The templates. The big list learns of a new one after seconds, the nodes' own lists at once."""
        rows = self.of_type("qemu")
        if fresh:
            online = [name for name, row in self.nodes.items() if row.get("status") == "online"]
            lists = self.each(lambda node: [(node, row) for row in self.pve.get(f"/nodes/{node}/qemu")], online)
            rows = [{**row, "node": node} for found in lists for node, row in found]
        return [
            Template(int(row["vmid"]), str(row["node"]), str(row.get("name", "")))
            for row in sorted(rows, key=lambda row: int(row["vmid"]))
            if row.get("template")
        ]

    def guest(self, vmid: int, node: str) -> Guest:
        """One guest, as it is at this moment."""
        try:
            rows = self.pve.get(f"/nodes/{node}/qemu/{vmid}/pending")
        except ProxmoxError as error:
            if error.status >= 595:
                hint = "bring the node back, or take its machines out of this task; nothing is guessed about them"
                raise Busy(f"node {node}, where guest {vmid} lives, cannot be reached: {error.said}", hint) from None
            raise
        config: dict[str, Any] = {}
        pending = []
        for row in rows:
            key = str(row["key"])
            waits = "pending" in row or bool(row.get("delete"))
            if waits:
                pending.append(key)
            if row.get("delete"):
                continue
            config[key] = _coming(key, row) if "pending" in row else row.get("value")
        return Guest(vmid, node, config, tuple(sorted(pending)))

    def guest_or_none(self, vmid: int, node: str) -> Guest | None:
        try:
            return self.guest(vmid, node)
        except NotFound:
            return None

    def states(self, nodes: Iterable[str]) -> dict[int, dict[str, Any]]:
        """What each guest is doing, live, one request for each node."""
        lists = self.each(lambda node: self.pve.get(f"/nodes/{node}/qemu"), sorted(set(nodes)))
        return {int(row["vmid"]): row for rows in lists for row in rows}

    def statuses(self, nodes: Iterable[str]) -> dict[int, str]:
        """Running or not."""
        return {vmid: str(row.get("status", "")) for vmid, row in self.states(nodes).items()}

    def remember(self, name: str, guest: Guest) -> None:
        """What was read of a machine after the last write to it: the read-back uses it, once."""
        with self.lock:
            self.spots[name] = (guest.vmid, guest.node)
            self._fresh[name] = guest

    def forget(self, name: str) -> None:
        with self.lock:
            self.spots.pop(name, None)
            self._fresh.pop(name, None)

    def recall(self, names: Sequence[str]) -> dict[str, Guest] | None:
        """The remembered readings of all of `names`, if there is one of each."""
        with self.lock:
            if not names or any(name not in self._fresh for name in names):
                return None
            return {name: self._fresh.pop(name) for name in names}

    def owner(self, guest: Guest) -> str:
        """The machine of this platform that a guest is, by proof; empty when it is somebody else's."""
        name = self.uuids.get(identity.uuid_of(guest.config), "")
        if name:
            return name
        machine = identity.being_made(guest.config)[0]
        if machine.startswith(f"{self.platform}/"):
            return machine.removeprefix(f"{self.platform}/")
        named = guest.name
        if named and identity.uuid_of(guest.config) == identity.machine_uuid(self.platform, named):
            return named
        return ""

    def complete(self, guest: Guest, name: str) -> bool:
        """Whether every part of the making of a machine that cannot be repeated is behind it."""
        return identity.uuid_of(guest.config) == identity.machine_uuid(self.platform, name) and self.tag in (
            identity.tags_of(guest.config)
        )

    def clones_running(self) -> list[str]:
        """Clones under way. Such a task runs on its template's node, wherever the clone will be."""
        online = [name for name, row in self.nodes.items() if row.get("status") == "online"]
        lists = self.each(
            lambda node: self.pve.get(f"/nodes/{node}/tasks", source="active", typefilter="qmclone", limit=500), online
        )
        return [str(row["upid"]) for rows in lists for row in rows if not row.get("endtime")]


def _coming(key: str, row: Mapping[str, Any]) -> Any:
    """The pending value; of a disk that stays the same volume, with the size that it has by now."""
    if not DISK.fullmatch(key) or "value" not in row:
        return row["pending"]
    now, then = parse(str(row["value"]), "volume"), parse(str(row["pending"]), "volume")
    if now.get("volume") != then.get("volume") or "size" not in now:
        return row["pending"]
    return compose({**then, "size": now["size"]}, "volume")


def with_status(guest: Guest, status: str, pool: str = "") -> Guest:
    return replace(guest, status=status, pool=pool or guest.pool)


def as_told(guest: Guest, row: Mapping[str, Any]) -> Guest:
    """The guest with what its live state tells: whether it runs, and the size of the disk that was told to grow."""
    guest = with_status(guest, str(row.get("status", "")))
    if guest.grown is None or int(row.get("maxdisk") or 0) != guest.grown[1]:
        return guest
    slot, size = guest.grown
    return replace(guest, config=with_size(guest.config, slot, size), grown=None)
