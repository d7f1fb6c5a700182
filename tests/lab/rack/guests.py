# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Proxmox simulator's guests as nodes of a lab: what its books say about a machine becomes a container."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from pvesim import cloudinit, disks, guests  # the simulator lies beside this package
from pvesim.world import Fleet, Guest  # as above

from .command import LabError
from .images import NEWEST, SUITES
from .network import Card
from .nodes import Node, Rack


class Containers:
    """A backend of the simulator. Each call returns at once; what it began goes on in order, guest by guest."""

    def __init__(self, rack: Rack, image: Callable[[str], str], workers: int = 4) -> None:
        self.rack, self._image = rack, image
        self.fleet: Fleet | None = None
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="guest")
        self._last: dict[int, Future[None]] = {}
        self._guard = threading.Lock()

    def start(self, guest: Guest) -> None:
        node = self._node(guest)
        self._queue(guest.vmid, lambda: self.rack.start(self._as_it_is(node)))

    def stop(self, guest: Guest, *, hard: bool) -> None:
        self._queue(guest.vmid, lambda: self.rack.stop(str(guest.vmid), hard=hard))

    def alive(self, guest: Guest) -> bool:
        """True when what was begun is done; the reason when it failed."""
        future = self._last.get(guest.vmid)
        if future is not None and not future.done():
            return False
        error = future.exception() if future is not None else None
        if error is not None:
            raise RuntimeError(str(error))
        return True

    def update(self, guest: Guest) -> None:
        """What changed in the books of a guest that runs."""
        node = self._node(guest)
        self._queue(guest.vmid, lambda: self.rack.update(self._as_it_is(node)))

    def destroy(self, guest: Guest) -> None:
        self._queue(guest.vmid, lambda: self.rack.destroy(str(guest.vmid)))

    def snapshot(self, guest: Guest, name: str) -> None:
        if self.rack.exists(str(guest.vmid)):
            self._queue(guest.vmid, lambda: self.rack.snapshot(str(guest.vmid), name))

    def rollback(self, guest: Guest, name: str) -> None:
        if self.rack.exists(str(guest.vmid)):
            node = self._node(guest)
            self._queue(guest.vmid, lambda: self.rack.rollback(node, name))

    def forget_snapshot(self, guest: Guest, name: str) -> None:
        self._queue(guest.vmid, lambda: self.rack.forget_snapshot(str(guest.vmid), name))

    def interfaces(self, guest: Guest) -> list[dict[str, Any]] | None:
        """As the guest agent reports them; None until the system in the node has begun."""
        try:
            links = self.rack.addresses(str(guest.vmid))
        except LabError:
            return None
        out: list[dict[str, Any]] = []
        for link in links:
            row: dict[str, Any] = {
                "name": link["ifname"],
                "hardware-address": link.get("address", "00:00:00:00:00:00"),
                "ip-addresses": [
                    {
                        "ip-address": found["local"],
                        "ip-address-type": "ipv4" if found["family"] == "inet" else "ipv6",
                        "prefix": found["prefixlen"],
                    }
                    for found in link.get("addr_info", [])
                ],
            }
            out.append(row)
        return out

    def execute(self, guest: Guest, command: list[str], text: str) -> tuple[int, str, str]:
        return self.rack.execute(str(guest.vmid), *command, text=text)

    def adopt(self, fleet: Fleet) -> None:
        """After a restart: guests whose containers run still run, and containers of no guest are removed."""
        self.fleet = fleet
        running = self.rack.running()
        known = {str(vmid): guest for site in fleet.sites for vmid, guest in site.guests.items()}
        for vmid, guest in known.items():
            guest.running = vmid in running
        for name in set(self.rack.names()) - set(known):
            self.rack.destroy(name)

    def close(self) -> None:
        self._pool.shutdown(wait=True)

    def _as_it_is(self, node: Node) -> Node:
        """With the image that it stands on by now: a rollback before this may have changed it."""
        known = self.rack.known(node.name)
        return dataclasses.replace(node, image=known.image) if known else node

    def _queue(self, vmid: int, work: Callable[[], None]) -> None:
        with self._guard:
            before = self._last.get(vmid)

            def turn() -> None:
                if before is not None:
                    before.exception()
                work()

            self._last[vmid] = self._pool.submit(turn)

    def _node(self, guest: Guest) -> Node:
        """What the books say, in the lab's terms."""
        conf = guest.conf
        site = next(site for site in self._fleet.sites if guest.vmid in site.guests)
        cards = [
            _card(int(key[3:]), str(value))
            for key, value in sorted(conf.items())
            if re.fullmatch(r"net\d+", key) and "bridge=" in str(value)
        ]
        boot, release = _boot_disk(conf), NEWEST
        sizes: dict[str, int] = {}
        aliases: dict[str, str] = {}
        for key, drive in disks.drives(conf).items():
            volume = disks.volume_of(site, guest.node, drive)
            if volume is None or drive.is_cdrom or drive.is_cloudinit:
                continue
            if key == boot:
                release = _release(volume.origin, guest)
                continue
            name = _device(key)
            sizes[name] = volume.size // guests.MIB
            aliases[name] = f"scsi-0QEMU_QEMU_HARDDISK_drive-{key}" if key.startswith("scsi") else f"virtio-{key}"
        holder = site.nodes[guest.node]
        seed = {
            "user-data": cloudinit.render(guest, "user", holder),
            "network-config": cloudinit.render(guest, "network", holder),
            "meta-data": cloudinit.render(guest, "meta", holder),
        }
        first = re.search(r"ip=([0-9.]+)/", " ".join(str(conf.get(f"ipconfig{n}", "")) for n in range(8)))
        return Node(
            name=str(guest.vmid),
            hostname=guest.name.partition(".")[0],
            image=self._image(release),
            cards=cards,
            seed=seed,
            disks=sizes,
            aliases=aliases,
            memory=guests.memory_bytes(conf) // guests.MIB,
            cores=guests.cpus(conf),
            address=first[1] if first else "",
            user=str(conf.get("ciuser", "root")),
        )

    @property
    def _fleet(self) -> Fleet:
        if self.fleet is None:
            raise RuntimeError("the backend was not given its fleet")
        return self.fleet


def _card(number: int, value: str) -> Card:
    options = dict(part.partition("=")[::2] for part in value.split(","))
    address = value.split(",", maxsplit=1)[0].partition("=")[2].lower()
    bridge = options["bridge"] + (f".{options['tag']}" if options.get("tag") else "")
    return Card(bridge, address, f"eth{number}")


def _boot_disk(conf: dict[str, Any]) -> str:
    order = str(conf.get("boot", "")).partition("order=")[2].split(";")
    return next((key for key in order if key in disks.drives(conf)), "scsi0")


def _device(key: str) -> str:
    """`scsi1` is /dev/sdb, `virtio1` is /dev/vdb."""
    match = re.fullmatch(r"([a-z]+)(\d+)", key)
    if match is None:
        raise RuntimeError(f"the lab cannot attach a disk as {key}")
    return ("vd" if match[1] == "virtio" else "sd") + chr(ord("a") + int(match[2]))


def _release(origin: str, guest: Guest) -> str:
    match = re.search(r"debian-(\d+)", origin)
    if match is None or match[1] not in SUITES:
        releases, found = " and ".join(SUITES), origin or "an empty disk"
        raise RuntimeError(f"the lab boots Debian {releases} only, and the disk of {guest.name} is made of {found}")
    return match[1]
