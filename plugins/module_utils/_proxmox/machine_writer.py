# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The writing half of `proxmox_machines`: what is written to is read right before, and must prove to be the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._diff import differences
from .._objects import AdapterError, Change, Step, Writer
from .._wait import Backoff, Waiting
from . import guest_waits, identity, preflight
from .errors import Busy, Exists, Invalid, Moved, NotFound, ProxmoxError, TaskFailed, Uncertain
from .guests import boot_disk, fields_of
from .live import Guest, Live, Template, as_told, with_status
from .machine_config import Settings, settings_for
from .machine_reader import UNBORN, MachineReader
from .machines import Machine
from .sizes import parse_size

# A clone takes seconds at least; asking earlier only costs requests.
CLONING = Backoff(first=0.3, most=4.0, factor=2.0)
POWERING = Backoff(first=0.15, most=2.0, factor=2.0)


@dataclass(frozen=True)
class Policy:
    """How far a task may go with a guest that runs."""

    wait: str = "started"
    wait_timeout: float = 300.0
    reboot: str = "never"
    shutdown_timeout: float = 60.0


class MachineWriter(Writer):
    def __init__(self, live: Live, reader: MachineReader, policy: Policy) -> None:
        self.live, self.reader, self.policy = live, reader, policy
        self.pve = live.pve

    def create(self, change: Change, step: Step) -> Mapping[str, Any] | None:
        """Clone and finish. The id is claimed by the clone itself; who comes second is told, and looks again."""
        machine = self.live.machines[change.key]
        node, template = self._where(machine)
        vmid = machine.id
        with self.live.lock:
            self.live.spots[machine.name] = (vmid, node)
        guest = self._clone(machine, template, vmid, node, step)
        return self._converge(change, step, machine, guest)

    def update(self, change: Change, step: Step) -> Mapping[str, Any] | None:
        machine = self.live.machines[change.key]
        self._not_away(machine.name)
        guest = self._same(change, step)
        return self._converge(change, step, machine, guest)

    def delete(self, change: Change, step: Step) -> None:
        self._not_away(change.key)
        guest = self._same(change, step)
        if guest.lock in UNBORN:
            self._remove(guest, change, step, skiplock=True)
            return
        guest = self._stopped(guest, change, step)
        if str(guest.config.get("protection", "0")) == "1":
            # With the digest: from here on only the guest that was just read is without protection.
            self._put(guest, {"protection": 0}, [])
            guest = self._same(change, step, moved=True)
        self._remove(guest, change, step)

    def _not_away(self, name: str) -> None:
        if name in self.reader.away:
            hint = "bring the node back, or take its machines out of this task; nothing is guessed about them"
            raise AdapterError(f"{self.reader.away[name][2]}: nothing was done with it", hint)

    # -- making ----------------------------------------------------------------------------------------------------

    def _where(self, machine: Machine) -> tuple[str, Template]:
        plan = self.reader.plan
        if machine.name not in plan.nodes or machine.name not in plan.templates:
            # An earlier look found the machine, and it is gone since: decide again, as the plan would have.
            plan = preflight.placement(self.live, [machine], {})
        if machine.name not in plan.nodes or machine.name not in plan.templates:
            raise AdapterError("; ".join(plan.lacking) or "there is no node or template for it")
        return plan.nodes[machine.name], plan.templates[machine.name]

    def _clone(self, machine: Machine, template: Template, vmid: int, node: str, step: Step) -> Guest:
        full = preflight.is_full(machine)
        wanted: dict[str, Any] = {
            "newid": vmid,
            "name": machine.name,
            "description": identity.making(self.live.platform, machine.name, machine.template),
            "full": full,
            "pool": machine.fields.get("pool"),
            "target": node if node != template.node else None,
            "storage": machine.storage or None,
        }
        seen: list[Guest] = []

        def born() -> bool:
            # Whoever lost the race for the id finds another guest under it: only our mark says that it is our clone.
            guest = self.live.guest(vmid, node)
            done = guest.lock not in UNBORN and self.live.owner(guest) == machine.name
            seen[:] = [guest] if done else []
            return done

        try:
            upid = self.pve.post(f"/nodes/{template.node}/qemu/{template.vmid}/clone", **wanted)
            self.pve.wait(
                upid,
                f"{step.change.label}: clone of {template.name}",
                step.deadline,
                progress=step.progress,
                alone=born,
                pace=CLONING,
            )
        except Exists as error:
            raise self._taken(machine, vmid, error) from None
        except TaskFailed as error:
            raise self._clone_failed(error, template) from None
        guest = seen[0] if seen else self.live.guest(vmid, node)
        if self.live.owner(guest) != machine.name:
            raise Uncertain(f"the clone is done, and guest {vmid} on {node} is {guest} now")
        return guest

    def _taken(self, machine: Machine, vmid: int, error: ProxmoxError) -> AdapterError:
        """Somebody has the id. If it is this machine, made by another controller, a further look finds it."""
        self.live.refresh()
        row = self.live.ids().get(vmid)
        whose = "another guest"
        if row is None:
            return Uncertain(error.said, "whoever took that id is gone again", where=error.where)
        if row.get("type") == "qemu":
            guest = self.live.guest_or_none(vmid, str(row["node"]))
            if guest is None or guest.lock == "clone" or self.live.owner(guest) == machine.name:
                return Uncertain(error.said, "another run is making the same machine", where=error.where)
            whose = str(guest)
        return AdapterError(error.sentence, f"{whose} took that id meanwhile; give the machine an id of its own")

    def _clone_failed(self, error: TaskFailed, template: Template) -> AdapterError:
        return AdapterError(f"cloning {template.name} failed: {error.sentence}", error.hint)

    # -- proof -----------------------------------------------------------------------------------------------------

    def _same(self, change: Change, step: Step, *, moved: bool = False) -> Guest:
        """The guest, read now, if it still is what the change was planned from; else nothing is done with it."""
        current = change.current
        if current is None:
            raise AdapterError("there is nothing to change", "this is a defect; please report it")
        vmid, node = int(current.fields["id"]), str(current.fields["node"])
        guest = self._born(change, step, vmid, node)
        dead = bool(current.incomplete) and guest.lock == "clone" and not guest.name and not self.live.clones_running()
        if self.live.owner(guest) != change.key and not dead:
            raise Moved(
                f"guest {vmid} on {node} is not this machine any more: it is {guest.name or 'without a name'}, uuid "
                f"{identity.uuid_of(guest.config) or 'unknown'}; nothing was done to it",
                "somebody gave the id to another guest; run again",
            )
        if current.fields.get("complete") and not moved and guest.digest != current.revision:
            said = f"guest {vmid} on {node} has changed since it was looked at; nothing was done to it"
            if step.attempt > 1:
                # Another run works on the same machine: what is left to do is seen by looking again.
                raise Busy(said)
            raise Moved(said, "somebody else works on it; run again")
        return guest

    def _born(self, change: Change, step: Step, vmid: int, node: str) -> Guest:
        """The guest once nobody is cloning it any more."""
        current = change.current
        dead = bool(current and current.incomplete)

        def probe() -> Guest | Waiting:
            guest = self.live.guest(vmid, node)
            if guest.lock in UNBORN and not dead:
                if self.live.clones_running():
                    return Waiting(f"guest {vmid} on {node} is being cloned by another run (lock '{guest.lock}')")
                again = self.live.guest(vmid, node)
                if again.lock in UNBORN:
                    raise Uncertain(f"the clone of guest {vmid} on {node} died midway (lock '{again.lock}')")
                return again
            return guest

        try:
            return step.wait_for("the clone that is under way", probe)
        except NotFound as error:
            raise Uncertain(error.said, "it was removed meanwhile", where=error.where) from None

    # -- changing --------------------------------------------------------------------------------------------------

    def _converge(self, change: Change, step: Step, machine: Machine, guest: Guest) -> Mapping[str, Any]:
        """Bring the guest to what the machine shall be; what another run did meanwhile is seen by looking again."""
        try:
            return self._steps(change, step, machine, guest)
        except Moved as error:
            settled = change.current is not None and bool(change.current.fields.get("complete"))
            # Refused by the digest, while two runs make the same machine: nobody's work is lost by going on.
            if error.status and (step.attempt > 1 or not settled):
                raise Busy(error.said, error.hint, where=error.where) from None
            raise

    def _steps(self, change: Change, step: Step, machine: Machine, guest: Guest) -> Mapping[str, Any]:
        """Set what differs, grow what is too small, start or stop, wait for what was asked."""
        paths = self._paths(change, guest)
        settings = self._settings(machine, paths, guest)
        status = str(change.current.fields.get("started")) if change.current is not None else "False"
        running = status == "True"
        if "pool" in paths and change.current is not None:
            self._into_pool(guest, machine, change)
        if settings:
            guest = self._apply(guest, settings, step)
        wanted = bool(machine.fields["started"])
        growing = ""
        if wanted and not running and list(settings.grow) == [boot_disk(guest.config)]:
            # The start waits for the lock that growing holds, and then tells the size: nothing else is to be asked.
            guest, growing = self._begin_to_grow(guest, *next(iter(settings.grow.items())))
        else:
            for slot, size in settings.grow.items():
                guest = self._grow(guest, slot, size, step)
        if wanted and not running:
            guest = self._start(guest, step)
            if growing:
                guest = self._grown(guest, growing, step)
        elif running and not wanted:
            guest = self._stopped(guest, change, step)
        elif running:
            guest = self._pending(guest, machine, step)
        if wanted and (not running or machine.fields.get("pending") == []):
            guest_waits.wait(self.live, self.policy, machine, guest, step)
        self.live.remember(machine.name, guest)
        return {"id": guest.vmid, "node": guest.node}

    def _paths(self, change: Change, guest: Guest) -> list[str]:
        """What is to be set. A machine that is being made is compared with what its clone turned out to be."""
        if change.current is not None and change.current.fields.get("complete"):
            return list(change.paths)
        found = fields_of(guest.config)
        found.update(complete=False, id=guest.vmid, started=False, pending=[], pool=change.desired.fields.get("pool"))
        return [item.path for item in differences(change.desired.fields, found, self.reader.rules)]

    def _settings(self, machine: Machine, paths: list[str], guest: Guest) -> Settings:
        # What the machine shall be once it is complete, as far as the call that completes it can say it.
        beyond = ("started", "pool", "pending", "id", "node")
        own = [path for path in paths if path.split(".")[0] not in beyond]
        return settings_for(self.live.platform, machine.name, machine.fields, own, guest.config, machine.storage)

    def _put(self, guest: Guest, values: Mapping[str, Any], delete: list[str]) -> None:
        self.pve.put(
            f"/nodes/{guest.node}/qemu/{guest.vmid}/config",
            **values,
            delete=",".join(sorted(delete)) or None,
            digest=guest.digest,
        )

    def _apply(self, guest: Guest, settings: Settings, step: Step) -> Guest:
        try:
            self._put(guest, settings.set, settings.delete)
        except Invalid as error:
            # A change that could not be made live is kept by Proxmox for the next start.
            if not error.parameters or not all("hotplug problem" in text for text in error.parameters.values()):
                raise
            step.note("could not be changed while it runs: " + "; ".join(error.parameters.values()))
        # What comes next carries the digest that this call made.
        return self._reread(guest, step)

    def _reread(self, guest: Guest, step: Step) -> Guest:
        again = self.live.guest(guest.vmid, guest.node)
        if self.live.owner(again) != step.change.key:
            raise Moved(
                f"guest {guest.vmid} on {guest.node} became another one while it was worked on: {again}",
                "find out who works on this cluster at the same time, then run again",
            )
        return with_status(again, guest.status, guest.pool)

    def _grow(self, guest: Guest, slot: str, size: str, step: Step) -> Guest:
        path = f"/nodes/{guest.node}/qemu/{guest.vmid}/resize"
        upid = self.pve.put(path, disk=slot, size=size, digest=guest.digest)
        seen: list[Guest] = []
        before = guest.config.get(slot)

        def grown() -> bool:
            seen[:] = [self._reread(guest, step)]
            return bool(seen[0].config.get(slot) != before)

        if upid:
            what = f"{step.change.label}: growing {slot} to {size}"
            self.pve.wait(upid, what, step.deadline, progress=step.progress, alone=grown, pace=POWERING)
        return seen[0] if seen and seen[0].config.get(slot) != before else self._reread(guest, step)

    def _begin_to_grow(self, guest: Guest, slot: str, size: str) -> tuple[Guest, str]:
        path = f"/nodes/{guest.node}/qemu/{guest.vmid}/resize"
        upid = self.pve.put(path, disk=slot, size=size, digest=guest.digest)
        if upid:
            self.pve.expect(upid)
        return replace(guest, grown=(slot, parse_size(size, 1))), str(upid or "")

    def _grown(self, guest: Guest, upid: str, step: Step) -> Guest:
        """The end of growing, as far as it is not told already."""
        self.pve.told(upid)
        if guest.grown is None or not guest.status:
            return guest
        self.pve.wait(upid, f"{step.change.label}: growing", step.deadline, progress=step.progress, pace=POWERING)
        return self._reread(guest, step)

    def _into_pool(self, guest: Guest, machine: Machine, change: Change) -> None:
        before = change.current.fields.get("pool") if change.current is not None else ""
        move = {"allow-move": 1} if before else {}
        self.pve.put("/pools", poolid=machine.fields["pool"], vms=str(guest.vmid), **move)

    # -- power -----------------------------------------------------------------------------------------------------

    def _state(self, guest: Guest) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.pve.get(f"/nodes/{guest.node}/qemu/{guest.vmid}/status/current")
        return found

    def _running(self, guest: Guest) -> bool:
        return self._state(guest).get("status") == "running"

    def _start(self, guest: Guest, step: Step) -> Guest:
        path = f"/nodes/{guest.node}/qemu/{guest.vmid}/status/start"
        seen: list[Mapping[str, Any]] = []
        upid = self.pve.post(path)

        def up() -> bool:
            state = self._state(guest)
            if state.get("status") == "running":
                seen.append(state)
            return bool(seen)

        try:
            what = f"{step.change.label}: start"
            self.pve.wait(upid, what, step.deadline, progress=step.progress, alone=up, pace=POWERING)
        except TaskFailed as error:
            if not ("already running" in error.said and self._running(guest)):
                raise
        return as_told(guest, seen[-1]) if seen else with_status(guest, "")

    def _stopped(self, guest: Guest, change: Change, step: Step) -> Guest:
        """The guest once it is off: asked to shut down, then switched off."""
        if not self._running(guest):
            return with_status(guest, "stopped")
        path = f"/nodes/{guest.node}/qemu/{guest.vmid}/status"
        seconds = int(min(self.policy.shutdown_timeout, max(1.0, step.deadline.remaining())))
        if change.desired.present:
            upid = self.pve.post(f"{path}/shutdown", timeout=seconds, forceStop=1)
        else:
            upid = self.pve.post(f"{path}/stop")
        self.pve.wait(upid, f"{step.change.label}: stop", step.deadline, progress=step.progress, pace=POWERING)
        guest = self._reread(guest, step)
        return with_status(guest, "")

    def _pending(self, guest: Guest, machine: Machine, step: Step) -> Guest:
        """What a running guest takes only at its next start: said, or done when it was asked for."""
        guest = guest if guest.status else with_status(guest, "running")
        if not guest.pending:
            return guest
        waits = ", ".join(guest.pending)
        if self.policy.reboot != "rolling":
            step.note(f"needs a reboot for {waits}")
            return guest
        with self.live.one_at_a_time:
            guest = self._reread(guest, step)
            path = f"/nodes/{guest.node}/qemu/{guest.vmid}/status/reboot"
            upid = self.pve.post(path, timeout=int(self.policy.shutdown_timeout))
            self.pve.wait(upid, f"{step.change.label}: reboot", step.deadline, progress=step.progress, pace=POWERING)

            def back() -> Guest | Waiting:
                again = self._reread(guest, step)
                if again.pending:
                    return Waiting(f"the new settings are not in effect yet: {', '.join(again.pending)}")
                return with_status(again, "running") if self._running(again) else Waiting("it is not running yet")

            guest = step.wait_for("to be back after its reboot", back, at_most=self.policy.wait_timeout)
            guest_waits.wait(self.live, self.policy, machine, guest, step)
            step.note(f"rebooted for {waits}")
        return guest

    def _remove(self, guest: Guest, change: Change, step: Step, *, skiplock: bool = False) -> None:
        path = f"/nodes/{guest.node}/qemu/{guest.vmid}"
        try:
            upid = self.pve.delete(path, purge=1, skiplock=1 if skiplock and self._is_root() else None)
            self.pve.wait(upid, f"{step.change.label}: removal", step.deadline, progress=step.progress, pace=POWERING)
        except NotFound:
            pass
        except Busy as error:
            if skiplock:
                said = f"qm unlock {guest.vmid} && qm destroy {guest.vmid}"
                raise AdapterError(
                    f"guest {guest.vmid} on {guest.node} is a dead clone and keeps its lock: {error.said}",
                    f"run `{said}` on {guest.node}, or this task as root@pam with its password: no token may unlock",
                ) from None
            raise
        self.live.forget(change.key)

    def _is_root(self) -> bool:
        who = self.pve.connection
        return who.user == "root@pam" and who.token_secret is None
