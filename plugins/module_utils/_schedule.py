# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The order of steps: needs before those who need them, removals the other way round."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ._objects import Action, Change

MAKE, REMOVE = "make", "remove"
_REMOVING = (Action.DELETE, Action.REPLACE)


@dataclass(eq=False)
class Node:
    """One step. A replacement has two. An object with nothing to do has one too: order goes through it."""

    change: Change
    phase: str
    real: bool
    followers: list[Node] = field(default_factory=list)
    waits: int = 0

    @property
    def key(self) -> str:
        return self.change.key


class Schedule:
    """Hands out steps that may run now. Not thread-safe: its user locks."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.nodes: list[Node] = []
        self.ready: deque[Node] = deque()
        self.left = 0
        self._over: set[int] = set()
        self._build(changes)

    def take(self, most: int = 1) -> list[Node]:
        """Up to `most` steps of one action that may run now."""
        if not self.ready:
            return []
        first = self.ready.popleft()
        taken = [first]
        while len(taken) < most and self.ready and _alike(self.ready[0], first):
            taken.append(self.ready.popleft())
        return taken

    def done(self, node: Node) -> None:
        """`node` succeeded: what waited for it alone may run."""
        pending = [node]
        while pending:
            current = pending.pop()
            self._leave(current)
            for follower in current.followers:
                follower.waits -= 1
                if follower.waits == 0 and id(follower) not in self._over:
                    if follower.real:
                        self.ready.append(follower)
                    else:
                        pending.append(follower)

    def failed(self, node: Node) -> list[Node]:
        """`node` failed: the real steps that will now never run."""
        self._leave(node)
        dropped: list[Node] = []
        pending = list(node.followers)
        while pending:
            current = pending.pop()
            if id(current) in self._over:
                continue
            self._leave(current)
            if current.real:
                dropped.append(current)
            pending.extend(current.followers)
        return dropped

    def never(self) -> list[Node]:
        """Give up what has not been handed out."""
        self.ready.clear()
        return [node for node in self.nodes if node.real and id(node) not in self._over]

    def _leave(self, node: Node) -> None:
        if id(node) not in self._over:
            self._over.add(id(node))
            self.left -= 1

    def _build(self, changes: Sequence[Change]) -> None:
        make: dict[str, Node] = {}
        remove: dict[str, Node] = {}
        for change in changes:
            acts = change.action is not Action.NOTHING
            if change.action in _REMOVING or not change.desired.present:
                remove[change.key] = Node(change, REMOVE, acts)
            if change.desired.present:
                make[change.key] = Node(change, MAKE, acts)
        self.nodes = [*remove.values(), *make.values()]
        hard, soft = _edges(changes, make, remove)
        left = self._stuck([*hard, *soft])
        if left:
            # Wishes beside the desired order closed a circle: inside it, the desired order alone counts.
            soft = [(one, two) for one, two in soft if id(one) not in left or id(two) not in left]
        for one, two in [*hard, *soft]:
            one.followers.append(two)
            two.waits += 1
        self.left = len(self.nodes)
        idle = [node for node in self.nodes if node.waits == 0]
        self.ready.extend(node for node in idle if node.real)
        for node in idle:
            if not node.real:
                self.done(node)

    def _stuck(self, edges: Iterable[tuple[Node, Node]]) -> set[int]:
        waits = {id(node): 0 for node in self.nodes}
        followers: dict[int, list[int]] = {id(node): [] for node in self.nodes}
        for one, two in edges:
            followers[id(one)].append(id(two))
            waits[id(two)] += 1
        free = [key for key, count in waits.items() if count == 0]
        while free:
            key = free.pop()
            del waits[key]
            for follower in followers[key]:
                waits[follower] -= 1
                if waits[follower] == 0:
                    free.append(follower)
        return set(waits)


def _alike(one: Node, other: Node) -> bool:
    return one.phase == other.phase and one.change.action is other.change.action


def _edges(
    changes: Sequence[Change], make: dict[str, Node], remove: dict[str, Node]
) -> tuple[list[tuple[Node, Node]], list[tuple[Node, Node]]]:
    hard: list[tuple[Node, Node]] = []
    soft: list[tuple[Node, Node]] = []
    for change in changes:
        mine, going = make.get(change.key), remove.get(change.key)
        uses = change.current.needs - change.desired.needs - {change.key} if change.current else frozenset()
        if mine and going:
            hard.append((going, mine))
        for need in sorted(change.desired.needs):
            if mine and need in make:
                hard.append((make[need], mine))
            if going and need in remove:
                hard.append((going, remove[need]))
            if mine and going and need in make and need not in remove:
                # A replacement is torn down only when what its successor needs is there.
                soft.append((make[need], going))
        for need in sorted(uses):
            last = going or mine
            if last and need in remove and (last is going or need not in make):
                soft.append((last, remove[need]))
    return hard, soft
