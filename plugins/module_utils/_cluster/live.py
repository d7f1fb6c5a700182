# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The gate on the real thing: asked from one control plane, at the very moment before an act."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from .._wait import Deadline, Progress, Waiting, wait_for
from . import etcd, kube
from .call import Identity, Unanswered
from .gate import View, closed, names
from .machine import Places, api_url, etcd_identity, etcd_url, kubeconfig
from .state import Etcd, Member
from .steps import REMOVE


class Refused(Exception):
    """What was asked for is not safe, or could not be done."""


@dataclass(frozen=True)
class Door:
    """How etcd and the API servers are asked from here."""

    etcd: str
    identity: Identity
    apis: Mapping[str, str]
    admin: Identity | None

    def look(self) -> tuple[View, Etcd]:
        told = etcd.ask(self.etcd, self.identity)
        with ThreadPoolExecutor(max_workers=8) as pool:
            ready = list(pool.map(self._ready, self.apis.values()))
        members = tuple(replace(member, healthy=member.healthy and told.healthy) for member in told.members)
        return View(members, told.leader, dict(zip(self.apis, ready, strict=True))), told

    def _ready(self, url: str) -> bool:
        return self.admin is not None and kube.ready(url, self.admin)

    def url_of(self, member: Member) -> str:
        return member.url or self.etcd


def door(places: Places, control_planes: Mapping[str, str]) -> Door:
    """`control_planes`: addresses by name, of those whose API servers count."""
    manifests = places.kubernetes / "manifests"
    identity, reason = etcd_identity(places)
    if identity is None:
        raise Refused(f"{reason}; run this on a control plane")
    try:
        etcd_manifest = (manifests / "etcd.yaml").read_text()
        api_manifest = (manifests / "kube-apiserver.yaml").read_text() if control_planes else ""
        admin = kubeconfig(places.kubernetes / "admin.conf")[1] if control_planes else None
    except (OSError, ValueError) as error:
        raise Refused(f"this is no whole control plane: {error}") from None
    apis = {name: api_url(address, api_manifest) for name, address in control_planes.items()}
    return Door(etcd_url(etcd_manifest), identity, apis, admin)


@dataclass(frozen=True)
class Passed:
    moved: bool
    view: View


def wait_open(
    door: Door, act: str, key: str, deadline: Deadline, *, move: bool, progress: Progress | None = None
) -> Passed:
    """Until the gate is open, the leadership moved away where `move` allows it; WaitFailed says why it stayed shut."""
    moved = False

    def probe() -> Passed | Waiting:
        nonlocal moved
        view, told = door.look()
        if not told.answers:
            return Waiting(told.reason)
        alarms = ", ".join(told.alarms)
        if alarms:
            return Waiting(f"etcd raises the alarm {alarms}")
        reason = closed(view, act, key)
        if not reason:
            return Passed(moved, view)
        leading = view.member(key)
        if move and leading is not None and leading.id == view.leader and view.has_quorum:
            _hand_over(door, view, leading)
            moved = True
        return Waiting(reason)

    return wait_for(f"the gate before `{act}` of {key}", probe, deadline, progress=progress)


def _hand_over(door: Door, view: View, leading: Member) -> None:
    heirs = [member for member in view.healthy if member.id != leading.id]
    if heirs:
        try:
            etcd.move_leader(door.url_of(leading), door.identity, heirs[0].id)
        except Unanswered:
            # It is asked again, and either the leadership has moved by then or the wait says that it has not.
            return


def remove_member(door: Door, key: str, deadline: Deadline, *, dry: bool, progress: Progress | None = None) -> bool:
    """Take a member out of the list, which is compared before and after; whether it was in it."""
    before, told = door.look()
    if not told.answers:
        raise Refused(told.reason)
    member = before.member(key)
    if member is None:
        return False
    if dry:
        reason = closed(before, REMOVE, member.id)
        if reason and member.id != before.leader:
            raise Refused(f"{key} cannot be taken out of etcd: {reason}")
        return True
    wait_open(door, REMOVE, member.id, deadline, move=True, progress=progress)
    try:
        etcd.remove(door.etcd, door.identity, member.id)
    except Unanswered as error:
        if error.status:
            raise Refused(f"etcd does not take {key} out: {error}") from None

    def gone() -> View | Waiting:
        after, told = door.look()
        if not told.healthy:
            return Waiting(told.reason)
        wanted = {item.id for item in before.members} - {member.id}
        found = {item.id for item in after.members}
        if found != wanted:
            return Waiting(f"the members are {names(after.members)}")
        return after if after.has_quorum else Waiting("etcd has no quorum")

    wait_for(f"etcd without {key}", gone, deadline, progress=progress)
    return True


__all__ = ["Door", "Passed", "Refused", "door", "remove_member", "wait_open"]
