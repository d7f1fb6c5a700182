# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent inside a guest."""

from __future__ import annotations

import shlex
from typing import Any

from . import guests
from .errors import ApiError, fail
from .routes import ROUTES, Call, route
from .world import Guest

A = "/nodes/{node}/qemu/{vmid}/agent"
COMMANDS = (
    "exec", "exec-status", "file-read", "file-write", "fsfreeze-freeze", "fsfreeze-status", "fsfreeze-thaw",
    "fstrim",
    "get-fsinfo", "get-host-name", "get-memory-block-info", "get-memory-blocks", "get-osinfo", "get-time",
    "get-timezone",
    "get-users", "get-vcpus", "info", "network-get-interfaces", "ping", "set-user-password", "shutdown",
    "suspend-disk",
    "suspend-hybrid", "suspend-ram",
)  # fmt: skip


@route(f"GET {A}")
def list_commands(_call: Call) -> Any:
    return [{"name": name} for name in COMMANDS]


def _alive(call: Call) -> Guest:
    """The guest, if its agent answers."""
    guest = call.guest()
    if not guests.agent_enabled(guest.merged() if not guest.running else guest.powered or guest.conf):
        raise fail("No QEMU guest agent configured")
    if not guest.running:
        raise fail(f"VM {guest.vmid} is not running")
    late = float(guest.agent.get("delay", 0.0))
    if guest.agent.get("down") or call.now < guest.started + late or call.backend.interfaces(guest) is None:
        raise ApiError(500, "QEMU guest agent is not running", delay=call.fleet.agent_patience)
    return guest


def _answer(call: Call, command: str) -> Any:
    guest = _alive(call)
    if command == "network-get-interfaces":
        return {"result": guest.agent.get("interfaces") or call.backend.interfaces(guest)}
    if command == "info":
        return {"result": {"version": "8.0", "supported_commands": []}}
    if command == "get-osinfo":
        names = {"id": "debian", "name": "Debian GNU/Linux", "version-id": "13"}
        return {"result": {**names, "pretty-name": "Debian GNU/Linux 13 (trixie)", "machine": "x86_64"}}
    if command == "get-host-name":
        return {"result": {"host-name": str(guest.name)}}
    if command == "get-time":
        return {"result": int(call.now * 1e9)}
    if command == "get-timezone":
        return {"result": {"zone": "UTC", "offset": 0}}
    if command == "fsfreeze-status":
        return {"result": "thawed"}
    if command in ("fsfreeze-freeze", "fsfreeze-thaw"):
        return {"result": 1}
    if command in ("shutdown", "suspend-disk", "suspend-hybrid", "suspend-ram"):
        if command == "shutdown":
            guests.power_off(call, guest, hard=False)
        return {"result": None}
    if command.startswith("get-"):
        return {"result": []}
    return {"result": {}}


def _register(method: str, command: str) -> None:
    ROUTES[method, f"{A}/{command}"] = lambda call: _answer(call, command)


for _name in (
    "get-fsinfo", "get-host-name", "get-memory-block-info", "get-memory-blocks", "get-osinfo", "get-time",
    "get-timezone",
    "get-users", "get-vcpus", "info", "network-get-interfaces",
):  # fmt: skip
    _register("GET", _name)
for _name in (
    "fsfreeze-freeze", "fsfreeze-status", "fsfreeze-thaw", "fstrim", "ping", "shutdown", "suspend-disk",
    "suspend-hybrid",
    "suspend-ram",
):  # fmt: skip
    _register("POST", _name)


@route(f"POST {A}")
def run_command(call: Call) -> Any:
    return _answer(call, call.params["command"])


@route(f"POST {A}/exec")
def execute(call: Call) -> Any:
    guest = _alive(call)
    command = call.params["command"]
    if len(command) == 1:
        command = shlex.split(command[0])
    code, out, err = call.backend.execute(guest, command, call.get("input-data", ""))
    jobs = guest.agent.setdefault("jobs", {})
    pid = 1234 + len(jobs)
    jobs[str(pid)] = {"exited": 1, "exitcode": code, "out-data": out, "err-data": err}
    return {"pid": pid}


@route(f"GET {A}/exec-status")
def execute_status(call: Call) -> Any:
    guest = _alive(call)
    job = guest.agent.get("jobs", {}).get(str(call.params["pid"]))
    if job is None:
        raise fail("Agent error: Invalid parameter 'pid'")
    return {key: value for key, value in job.items() if value != ""}


@route(f"GET {A}/file-read")
def file_read(call: Call) -> Any:
    guest = _alive(call)
    files = guest.agent.get("files", {})
    name = call.params["file"]
    if name not in files:
        raise fail(f"Agent error: Failed to open file '{name}' (mode: 'r'): No such file or directory")
    content = files[name]
    return {"content": content, "bytes-read": len(content), "truncated": 0}


@route(f"POST {A}/file-write")
def file_write(call: Call) -> Any:
    guest = _alive(call)
    guest.agent.setdefault("files", {})[call.params["file"]] = call.params["content"]


@route(f"POST {A}/set-user-password")
def set_password(call: Call) -> Any:
    _alive(call)
    return {"result": {}}
