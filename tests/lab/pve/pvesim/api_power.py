# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, stop and what lies between."""

from __future__ import annotations

from typing import Any

from . import guests, tasks
from .errors import TaskError, bad, fail
from .routes import Call, index, route
from .world import Guest, Task

S = "/nodes/{node}/qemu/{vmid}/status"
index(S, "current", "start", "stop", "reset", "shutdown", "suspend", "reboot", "resume", key="subdir")


def _root_options(call: Call) -> None:
    for name in ("skiplock", "keepActive"):
        if call.get(name) and not call.is_root:
            raise bad(**{name: "Only root may use this option."})


def _running(call: Call) -> Guest:
    guest = call.guest()
    if not guest.running:
        raise fail(f"VM {guest.vmid} not running")
    return guest


def _managed(call: Call, guest: Guest) -> dict[str, Any] | None:
    found: dict[str, Any] | None = call.site.ha["resources"].get(f"vm:{guest.vmid}")
    return found


@route(f"GET {S}/current")
def current(call: Call) -> Any:
    return guests.current(call, call.guest())


@route(f"POST {S}/start")
def start(call: Call) -> Any:
    guest = call.guest()
    _root_options(call)
    managed = _managed(call, guest)
    if managed:

        def ask(_task: Task) -> None:
            managed["state"] = "started"
            if call.fleet.ha_manager and not guest.running and not guest.conf.get("template"):
                guests.start_task(call, guest)

        return call.task("hastart", guest.vmid, ask)
    return guests.start_task(call, guest, skiplock=bool(call.get("skiplock")))


@route(f"POST {S}/stop")
def stop(call: Call) -> Any:
    guest = call.guest()
    _root_options(call)
    managed = _managed(call, guest)

    def work(_task: Task) -> None:
        if managed:
            managed["state"] = "stopped"
        if not guest.running:
            return
        if guest.conf.get("lock") and not call.get("skiplock"):
            raise TaskError(f"VM is locked ({guest.conf['lock']})")
        guests.power_off(call, guest, hard=True)

    if call.get("overrule-shutdown"):
        for task in call.site.tasks.values():
            if task.type == "qmshutdown" and task.id == str(guest.vmid) and task.status is None:
                tasks.end(call.fleet, call.site, task, "unexpected status")
    return call.task("hastop" if managed else "qmstop", guest.vmid, work)


@route(f"POST {S}/shutdown")
def shutdown(call: Call) -> Any:
    guest = call.guest()
    _root_options(call)
    if guest.paused:
        raise fail("VM is paused - cannot shutdown")
    managed = _managed(call, guest)
    timeout = float(call.get("timeout", 60))
    needed = tasks.duration(call.fleet, "qmshutdown")
    # Nobody listens to the power button, or the guest takes longer than it is given.
    deaf = bool(guest.agent.get("deaf")) or needed > timeout

    def work(task: Task) -> None:
        if managed:
            managed["state"] = "stopped"
        if not guest.running:
            return
        if guest.conf.get("lock") and not call.get("skiplock"):
            raise TaskError(f"VM is locked ({guest.conf['lock']})")
        if deaf and not call.get("forceStop"):
            raise TaskError("VM quit/powerdown failed - got timeout")
        if deaf:
            task.lines.append("VM still running - terminating now with SIGTERM")
        guests.power_off(call, guest, hard=deaf)

    wait = timeout if deaf and guest.running else needed
    return call.task("hastop" if managed else "qmshutdown", guest.vmid, [(wait, work)])


@route(f"POST {S}/reboot")
def reboot(call: Call) -> Any:
    guest = _running(call)

    def work(_task: Task) -> None:
        if guest.conf.get("lock"):
            raise TaskError(f"VM is locked ({guest.conf['lock']})")
        guests.power_off(call, guest, hard=False)
        guests.start_task(call, guest)

    return call.task("qmreboot", guest.vmid, work)


@route(f"POST {S}/reset")
def reset(call: Call) -> Any:
    guest = _running(call)
    _root_options(call)

    def work(_task: Task) -> None:
        guest.started = call.now

    return call.task("qmreset", guest.vmid, work)


@route(f"POST {S}/suspend")
def suspend(call: Call) -> Any:
    guest = _running(call)
    _root_options(call)

    def work(_task: Task) -> None:
        if call.get("todisk"):
            guests.power_off(call, guest, hard=True)
            guest.conf["lock"] = "suspended"
        else:
            guest.paused = True

    return call.task("qmsuspend" if call.get("todisk") else "qmpause", guest.vmid, work)


@route(f"POST {S}/resume")
def resume(call: Call) -> Any:
    guest = call.guest()
    _root_options(call)
    if not guest.running and guest.conf.get("lock") != "suspended":
        raise fail(f"VM {guest.vmid} not running")

    def work(_task: Task) -> None:
        if guest.conf.get("lock") == "suspended":
            del guest.conf["lock"]
            guests.start_task(call, guest)
        guest.paused = False

    return call.task("qmresume", guest.vmid, work)
