# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated cluster with a template on it, and runs of `proxmox_machines` against it without Ansible."""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.socle.platform.plugins.module_utils._proxmox import identity, machine_adapter
from ansible_collections.socle.platform.plugins.module_utils._proxmox.client import Connection, Proxmox
from ansible_collections.socle.platform.plugins.module_utils._reconcile import (
    Deadline,
    EngineError,
    Options,
    Plan,
    Result,
    Secret,
    apply,
    plan,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab" / "pve"))

from pvesim.simulator import Settings, Simulator  # the simulator is a program of its own
from pvesim.world import GIB, Guest, Storage, Volume  # as above

PLATFORM = "cater"
PASSWORD = "cloud-init-Pa55word"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ops@example"
Machine = dict[str, Any]


def machine(name: str, **more: Any) -> Machine:
    """One machine as a task has it once Ansible has filled in the defaults."""
    number = int(re.sub(r"\D", "", name) or 0) % 250 + 1
    base: Machine = {
        "name": name,
        "state": "present",
        "started": True,
        "protection": True,
        "template": "debian-13",
        "cores": 2,
        "memory": "2 GiB",
        "disks": [{"size": "10 GiB"}],
        "nics": [{"bridge": "vmbr0", "address": f"10.0.0.{number}/24", "gateway": "10.0.0.254"}],
        "cloud_init": {"user": "ops", "password": Secret(PASSWORD), "ssh_keys": [KEY]},
    }
    return {key: value for key, value in {**base, **more}.items() if value is not None}


def absent(name: str) -> Machine:
    return {"name": name, "state": "absent", "started": True, "protection": True}


@dataclass
class Run:
    """What came of one task."""

    plan: Plan
    result: Result | None
    machines: dict[str, Any]
    log: list[dict[str, Any]]

    @property
    def changed(self) -> bool:
        return self.result.wrote if self.result else self.plan.changed

    @property
    def actions(self) -> dict[str, str]:
        return {change.key: change.action.value for change in self.plan.pending}

    @property
    def paths(self) -> dict[str, tuple[str, ...]]:
        return {change.key: change.paths for change in self.plan.pending}

    @property
    def message(self) -> str:
        return self.result.message() if self.result else "\n".join(self.plan.refusals)

    @property
    def writes(self) -> list[str]:
        return [f"{row['method']} {row['path']}" for row in self.log if row["method"] != "GET"]

    def notes(self, name: str) -> list[str]:
        assert self.result is not None
        return next(outcome.notes for outcome in self.result.outcomes if outcome.key == name)

    def count(self) -> Counter[str]:
        return Counter(f"{row['method']} {re.sub(r'/[0-9]+|UPID[^/]+', '/N', row['path'])}" for row in self.log)


class Cluster:
    """One simulator; its nodes' storage `local` is not shared, `shared` is."""

    def __init__(self, folder: Path, nodes: Sequence[str] = ("pve1",), **settings: Any) -> None:
        self.simulator = Simulator(
            Settings(nodes=tuple(nodes), cluster="lab" if len(nodes) > 1 else "", refusal_delay=0.0, **settings), folder
        )
        self.simulator.start()
        self.about = self.simulator.about()
        self.fleet = self.simulator.fleet
        self.site = self.fleet.sites[0]
        self.nodes = list(nodes)
        for storage in self.site.storages.values():
            storage.total = 4000 * GIB
        shared = Storage(
            "shared", "nfs", {"content": "images,import", "server": "10.9.9.9", "export": "/x"}, 4000 * GIB
        )
        self.site.storages["shared"] = shared
        self.token = self._token()
        self.settle()

    def close(self) -> None:
        self.simulator.stop()

    def _token(self) -> str:
        with self.root() as pve:
            return str(pve.post("/access/users/root@pam/token/ci", privsep=0)["value"])

    def settle(self) -> None:
        """Let every task end and the statistics catch up with the world."""
        self.control("POST", "settle")
        self.control("POST", "clock", skip=30)

    def control(self, method: str, action: str, /, **args: Any) -> Any:
        headers = {"x-control-token": self.about["control_token"]}
        body = json.dumps(args).encode() if args else b""
        status, answer = self.simulator.control.handle(method, f"/control/{action}", headers, body)
        assert status == 200, answer
        return answer

    def fault(self, kind: str, **args: Any) -> None:
        self.control("POST", "faults", kind=kind, **args)

    @property
    def hosts(self) -> list[str]:
        return [f"{self.about['address']}:{node['port']}" for node in self.about["nodes"].values()]

    @property
    def log(self) -> list[dict[str, Any]]:
        return self.simulator.app.log

    def root(self) -> Proxmox:
        connection = Connection(
            hosts=tuple(self.hosts), user="root@pam", password=Secret("secret"), verify=self.about["ca"], timeout=20
        )
        return Proxmox(connection)

    def template(
        self, vmid: int = 9000, name: str = "debian-13", node: str = "", storage: str = "shared", gib: int = 3
    ) -> None:
        """A template with a disk and a cloud-init drive, as `proxmox_templates` leaves one."""
        node = node or self.nodes[0]
        folder = f"{vmid}/" if self.site.storages[storage].type in ("dir", "nfs") else ""
        disk, drive = f"{storage}:{folder}base-{vmid}-disk-0.qcow2", f"{storage}:{folder}vm-{vmid}-cloudinit.qcow2"
        volumes = self.site.storages[storage].on(node)
        volumes[disk] = Volume(disk, gib * GIB, "qcow2", vmid=vmid)
        volumes[drive] = Volume(drive, 4 * 1024**2, "qcow2", vmid=vmid)
        self.site.guests[vmid] = Guest(
            vmid,
            node,
            {
                "name": name,
                "template": 1,
                "memory": "1024",
                "scsihw": "virtio-scsi-single",
                "scsi0": f"{disk},size={gib}G",
                "ide2": f"{drive},media=cdrom",
                "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0",
                "boot": "order=scsi0;ide2;net0",
                "agent": "1",
                "smbios1": f"uuid={uuid.UUID(int=vmid)}",
                "vmgenid": str(uuid.UUID(int=vmid + 1)),
            },
            created=0.0,
        )
        self.site.revision += 1
        self.settle()

    def foreign(self, vmid: int, name: str, **more: Any) -> Guest:
        """A guest that somebody else made."""
        conf = {"name": name, **more}
        self.control("POST", "guests", count=1, first=vmid, nodes=[self.nodes[0]], conf=conf)
        self.settle()
        return self.site.guests[vmid]

    def guest(self, name: str) -> Guest:
        """The one guest of that name."""
        found = [guest for guest in self.site.guests.values() if guest.conf.get("name") == name]
        assert len(found) == 1, [(guest.vmid, guest.conf) for guest in found]
        return found[0]

    def parameters(self, machines: Sequence[Machine], **more: Any) -> dict[str, Any]:
        return {
            "api_host": self.hosts,
            "api_user": "root@pam",
            "api_token_id": "ci",
            "api_token_secret": Secret(self.token),
            "ca_path": self.about["ca"],
            "api_timeout": 20,
            "platform": PLATFORM,
            "machines": list(machines),
            **more,
        }

    def run(self, machines: Sequence[Machine], *, check: bool = False, deadline: float = 60, **more: Any) -> Run:
        """One task, to its end."""
        begin = len(self.log)
        parameters = self.parameters(machines, **more)
        options = Options(deadline=deadline, concurrency=more.get("concurrency", 20), prune=more.get("prune", False))
        parts = machine_adapter.Machines()
        reader = parts.reader(parameters)
        made = plan(parts.desired(parameters), reader, options)
        result = None
        if not check and not made.refusals:
            result = apply(made, lambda: parts.writer(parameters), reader=reader, options=options)
        told = parts.more(made, result)["machines"]
        return Run(made, result, told, list(self.log[begin:]))

    def problems(self, names: Sequence[str]) -> list[str]:
        """What is wrong with the world if exactly these machines, complete and running, shall be all there is."""
        self.control("POST", "settle")
        wrong: list[str] = []
        guests = {v: g for v, g in self.site.guests.items() if not g.conf.get("template")}
        counted = Counter(str(guest.conf.get("name", "?")) for guest in guests.values())
        wrong += [f"{name} is there {count} times" for name, count in counted.items() if count > 1]
        wrong += [f"{name} is missing" for name in names if name not in counted]
        wrong += [f"{name} should not be there" for name in counted if name not in names]
        for guest in guests.values():
            name = str(guest.conf.get("name", "?"))
            if guest.conf.get("lock"):
                wrong.append(f"{name} keeps the lock {guest.conf['lock']}")
            if identity.uuid_of(guest.conf) != identity.machine_uuid(PLATFORM, name):
                wrong.append(f"{name} was left half-made: {guest.conf}")
            if not guest.running:
                wrong.append(f"{name} does not run")
        for storage in self.site.storages.values():
            for volumes in storage.volumes.values():
                for volid, volume in volumes.items():
                    owner = self.site.guests.get(volume.vmid or 0)
                    if volume.vmid and (owner is None or not any(volid in str(v) for v in owner.conf.values())):
                        wrong.append(f"orphan disk {volid}")
        return wrong


def settings_of(guest: Guest) -> Mapping[str, Any]:
    return guest.merged()


__all__ = [
    "KEY",
    "PASSWORD",
    "PLATFORM",
    "Cluster",
    "Deadline",
    "EngineError",
    "Run",
    "absent",
    "machine",
    "settings_of",
]
