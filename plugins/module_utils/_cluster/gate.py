# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The gate before every act on a control plane: whether etcd keeps its quorum and the API stays there meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .state import Member
from .steps import JOIN, REMOVE, RESTART

# Below three voters there is no member to spare: whatever stops one, stops etcd.
SPARE = 3


@dataclass(frozen=True)
class View:
    """etcd and the API servers at one moment. `apis` tells of each control plane, by name, whether its API is ready."""

    members: tuple[Member, ...] = ()
    leader: str = ""
    apis: Mapping[str, bool] = field(default_factory=dict)

    @property
    def voters(self) -> tuple[Member, ...]:
        return tuple(member for member in self.members if not member.learner)

    @property
    def healthy(self) -> tuple[Member, ...]:
        return tuple(member for member in self.voters if member.healthy)

    @property
    def has_quorum(self) -> bool:
        return bool(self.voters) and len(self.healthy) >= quorum(len(self.voters))

    def member(self, key: str) -> Member | None:
        """By id, name or address."""
        wanted = [m for m in self.members if key and key in (m.id, m.name, m.address)]
        return next(iter(wanted), None)


def quorum(voters: int) -> int:
    return voters // 2 + 1


def closed(view: View, act: str, key: str) -> str:
    """Why `act` on the member `key` has to wait; empty when it may be done now."""
    if not view.has_quorum:
        return f"etcd has no quorum: {count(view)}"
    if act == JOIN:
        return _join(view)
    member = view.member(key)
    if member is None:
        return "" if act == REMOVE else f"{key} is not in etcd's member list ({names(view.members)})"
    if member.id == view.leader and len(view.voters) > 1:
        return f"{key} leads etcd: the leadership has to be moved away first"
    return _restart(view, member, key) if act == RESTART else _remove(view, member, key)


def _join(view: View) -> str:
    away = [member for member in view.voters if not member.healthy]
    if away:
        return f"a member more would need a bigger quorum while {names(away)} is away: {count(view)}"
    return ""


def _restart(view: View, member: Member, key: str) -> str:
    learners = [other for other in view.members if other.learner and other.id != member.id]
    if learners:
        return f"{names(learners)} is only just joining etcd"
    if not member.healthy or member.learner:
        return ""
    if len(view.voters) < SPARE:
        away = [other for other in view.voters if not other.healthy]
        return f"{names(away)} is away: {count(view)}" if away else ""
    left, needed = len(view.healthy) - 1, quorum(len(view.voters))
    if left < needed:
        return f"without {key} {left} of {len(view.voters)} members would be left, {needed} are needed"
    others = {name: ready for name, ready in view.apis.items() if name != key}
    if others and not any(others.values()):
        return f"without {key} no API server would be ready: {', '.join(sorted(others))} are not"
    return ""


def _remove(view: View, member: Member, key: str) -> str:
    if member.learner:
        return ""
    voters = len(view.voters) - 1
    left, needed = len(view.healthy) - member.healthy, quorum(voters)
    if not voters:
        return f"{key} is the last member of etcd"
    if left < needed:
        return f"without {key} {left} of {voters} members would be left, {needed} are needed"
    return ""


def count(view: View) -> str:
    return f"{len(view.healthy)} of {len(view.voters)} members are healthy, {quorum(len(view.voters))} are needed"


def names(members: tuple[Member, ...] | list[Member]) -> str:
    return ", ".join(member.name or member.address or member.id for member in members)


__all__ = ["View", "closed", "count", "names", "quorum"]
