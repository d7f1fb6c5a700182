# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What `proxmox_machines` gives to the engine: argument spec, desired set, reader and writer, around one live view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._objects import Desired, DesiredError, Plan, Reader, Writer
from .._values import bare
from .client import Connection, LibraryMissing, Proxmox
from .errors import LoginFailed
from .live import Live
from .machine_reader import MachineReader
from .machine_writer import MachineWriter, Policy
from .machines import machines_of
from .options import connection_of, connection_problems, connection_spec

_NIC: dict[str, Any] = {
    "bridge": {"type": "str", "required": True},
    "model": {"type": "str"},
    "mac": {"type": "str"},
    "vlan": {"type": "int"},
    "firewall": {"type": "bool"},
    "mtu": {"type": "int"},
    "rate": {"type": "float"},
    "link_down": {"type": "bool"},
    "queues": {"type": "int"},
    "address": {"type": "str"},
    "gateway": {"type": "str"},
    "address6": {"type": "str"},
    "gateway6": {"type": "str"},
}
_CLOUD_INIT: dict[str, Any] = {
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ssh_keys": {"type": "list", "elements": "str", "no_log": False},
    "nameservers": {"type": "list", "elements": "str"},
    "search_domains": {"type": "list", "elements": "str"},
    "upgrade": {"type": "bool"},
}
_DISK: dict[str, Any] = {
    "slot": {"type": "str"},
    "size": {"type": "raw"},
    "storage": {"type": "str"},
    "options": {"type": "dict"},
}
_MACHINE: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "id": {"type": "int"},
    "node": {"type": "str"},
    "nodes": {"type": "list", "elements": "str"},
    "group": {"type": "str"},
    "template": {"type": "str"},
    "full": {"type": "bool"},
    "storage": {"type": "str"},
    "started": {"type": "bool", "default": True},
    "cores": {"type": "int"},
    "sockets": {"type": "int"},
    "memory": {"type": "raw"},
    "balloon": {"type": "raw"},
    "disks": {"type": "list", "elements": "dict", "options": _DISK},
    "nics": {"type": "list", "elements": "dict", "options": _NIC},
    "cloud_init": {"type": "dict", "options": _CLOUD_INIT},
    "tags": {"type": "list", "elements": "str"},
    "pool": {"type": "str"},
    "description": {"type": "str"},
    "onboot": {"type": "bool"},
    "order": {"type": "int"},
    "boot": {"type": "list", "elements": "str"},
    "agent": {"type": "bool"},
    "protection": {"type": "bool", "default": True},
    "options": {"type": "dict"},
}


def argument_spec() -> dict[str, Any]:
    return {
        **connection_spec(),
        "platform": {"type": "str", "required": True},
        "machines": {"type": "list", "elements": "dict", "required": True, "options": _MACHINE},
        "nodes": {"type": "list", "elements": "str"},
        "wait": {"type": "str", "choices": ["started", "agent", "ssh", "cloud_init"], "default": "started"},
        "wait_timeout": {"type": "float", "default": 300.0},
        "reboot": {"type": "str", "choices": ["never", "rolling"], "default": "never"},
        "shutdown_timeout": {"type": "float", "default": 60.0},
        "destroy_detached_disks": {"type": "bool", "default": False},
        "overcommit": {"type": "bool", "default": False},
        "concurrency": {"type": "int", "default": 20},
        "deadline": {"type": "float", "default": 1800.0},
    }


class Machines:
    """The parts of one task. Nothing is opened before the reader reads, and check mode asks for no writer."""

    def __init__(self) -> None:
        self.machine_reader = MachineReader()

    def reader(self, _parameters: Mapping[str, Any]) -> Reader:
        return self.machine_reader

    def desired(self, parameters: Mapping[str, Any]) -> list[Desired]:
        clear = {key: bare(value) for key, value in parameters.items() if key != "machines"}
        problems = connection_problems(clear)
        if problems:
            raise DesiredError(problems)
        machines = machines_of(parameters)
        live = Live(_open(connection_of(clear)), str(parameters["platform"]), machines)
        live.destroy_detached = bool(parameters.get("destroy_detached_disks"))
        live.overcommit = bool(parameters.get("overcommit"))
        live.prune = bool(parameters.get("prune"))
        self.machine_reader.live = live
        return [machine.desired for machine in machines]

    def writer(self, parameters: Mapping[str, Any]) -> Writer:
        policy = Policy(
            wait=parameters.get("wait", "started"),
            wait_timeout=float(parameters.get("wait_timeout", 300.0)),
            reboot=parameters.get("reboot", "never"),
            shutdown_timeout=float(parameters.get("shutdown_timeout", 60.0)),
        )
        return MachineWriter(self.machine_reader.live, self.machine_reader, policy)

    def more(self, plan: Plan, _result: Any) -> dict[str, Any]:
        """Where each machine is: id and node, of new ones as planned in check mode."""
        live, planned = self.machine_reader.live, self.machine_reader.plan.nodes
        found: dict[str, Any] = {}
        for change in plan.changes:
            machine = live.machines.get(change.key)
            if machine is None or not machine.present:
                continue
            vmid, node = live.spots.get(change.key, (0, ""))
            found[change.key] = {
                "id": vmid or machine.id,
                "node": node or planned.get(change.key, ""),
                "uuid": machine.uuid,
                "addresses": list(machine.addresses),
            }
        live.close()
        return {"machines": found}


def _open(connection: Connection) -> Proxmox:
    try:
        return Proxmox(connection)
    except LibraryMissing as error:
        raise LoginFailed(f"the Python library {error.library} is missing", f"install {error.library}") from None
