# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What the parts of the decision propose: steps, and problems that no step solves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from .gate import closed
from .picture import Picture
from .state import State
from .steps import RESTART, Step


@dataclass(frozen=True)
class Problem:
    """What ends in a refusal when nothing else is left to do. `action` is the word for what helps."""

    sentence: str
    action: str


Proposal: TypeAlias = "Step | Problem"


def step(host: str, verb: str, why: str, gate: str = "", member: str = "", **arguments: Any) -> Step:
    return Step(host, verb, why, gate, member, arguments)


def gated(picture: Picture, wish: Step) -> Iterator[Proposal]:
    """The step if its gate is open now, else what opens the gate, else why it stays closed."""
    reason = closed(picture.view, wish.gate, wish.member)
    member = picture.view.member(wish.member)
    if not reason:
        yield wish
    elif picture.view.has_quorum and member and member.id == picture.view.leader:
        heir = next((m for m in picture.view.healthy if m.id != member.id), None)
        host = picture.owner(member)
        # The leader alone can hand its leadership over.
        if heir is not None and host in picture.states:
            why = f"{host} leads etcd, and is about to be touched: {wish.why}"
            yield step(host, "move_leader", why, to=heir.id, name=heir.name)
        else:
            yield Problem(f"{wish.host}: {wish.verb} cannot be done: {reason}", "repair")
    else:
        yield Problem(f"{wish.host}: {wish.verb} ({wish.why}) is not safe now: {reason}", _action(picture))


def _action(picture: Picture) -> str:
    return "start_machine" if picture.unseen else "repair"


def waiting(name: str, state: State, what: str) -> Step:
    parts = [what, state.etcd.reason, state.api.reason, state.reason and f"its kubelet says: {state.reason}"]
    return step(name, "wait", "; ".join(part for part in parts if part))


def restarting(picture: Picture, name: str) -> tuple[str, str]:
    """Gate and member of an act that stops this machine's etcd: one that is down already has nothing to lose."""
    return (RESTART, name) if picture.states[name].etcd.healthy else ("", "")


__all__ = ["Problem", "Proposal", "gated", "restarting", "step", "waiting"]
