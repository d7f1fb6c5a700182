# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Where etcd has no quorum or no API is ready: wait for what can come back, and say when nothing can."""

from __future__ import annotations

from collections.abc import Iterator

from .gate import names
from .picture import Picture
from .proposals import Problem, Proposal, waiting
from .state import Member


def proposals(picture: Picture) -> Iterator[Proposal]:
    if picture.view.has_quorum:
        for name, state in picture.controls.items():
            if picture.member_of(name):
                yield waiting(name, state, "etcd is well, its API server is not ready")
    elif picture.etcd.members:
        yield from _known(picture)
    else:
        yield from _unknown(picture)


def _known(picture: Picture) -> Iterator[Proposal]:
    """etcd tells its members and does not commit."""
    voters = picture.view.voters
    lost = [member for member in voters if _lost(picture, member)]
    possible = [member for member in voters if member not in lost]
    needed = len(voters) // 2 + 1
    away = [member for member in possible if picture.owner(member) not in picture.states]
    if len(possible) < needed:
        said = f"etcd has lost its quorum for good: the data of {names(lost)} is gone"
        yield _restore(picture, f"{said}, {len(possible)} of {len(voters)} members are left, {needed} are needed")
    elif len(possible) - len(away) < needed:
        yield Problem(
            f"etcd has no quorum while {names(away)} cannot be asked: {len(possible) - len(away)} of {len(voters)} are "
            f"here, {needed} are needed. Start that machine; only when its disk is gone for good, name it in `replace`",
            "start_machine",
        )
    else:
        yield from _coming(picture)


def _lost(picture: Picture, member: Member) -> bool:
    owner = picture.owner(member)
    state = picture.states.get(owner)
    return owner in picture.wanted.replace if state is None else state.etcd.member != member.id


def _unknown(picture: Picture) -> Iterator[Proposal]:
    """No etcd says anything: all that is known is who has data."""
    away = [name for name in picture.unseen if name in picture.wanted.control_planes]
    if any(state.etcd.data for state in picture.controls.values()):
        yield from _coming(picture)
    elif away:
        yield Problem(
            f"no control plane that can be asked has etcd's data, and {', '.join(away)} cannot be asked: start it. "
            f"Only when its disk is gone for good too: {_how(picture)}",
            "start_machine",
        )
    else:
        yield _restore(picture, "no control plane has etcd's data any more")


def _coming(picture: Picture) -> Iterator[Proposal]:
    for name, state in picture.controls.items():
        if state.etcd.data and not state.etcd.healthy:
            yield waiting(name, state, "its etcd does not take part yet")


def _restore(picture: Picture, sentence: str) -> Problem:
    return Problem(f"{sentence}. The only safe next action: {_how(picture)}", "restore_needed")


def _how(picture: Picture) -> str:
    survivors = {name: state.etcd.revision for name, state in picture.controls.items() if state.etcd.data}
    best = max(survivors, key=lambda name: survivors[name], default="")
    if best:
        return f"playbooks/restore.yml from the data that {best} still has; change nothing on that machine before"
    if picture.wanted.snapshot:
        return f"playbooks/restore.yml from the snapshot {picture.wanted.snapshot}"
    return (
        "playbooks/restore.yml from a snapshot kept elsewhere; if there is none and nothing is to be kept, name every "
        "machine in `replace` to begin anew"
    )


__all__ = ["proposals"]
