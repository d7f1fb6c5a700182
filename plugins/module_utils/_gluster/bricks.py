# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Which bricks a volume has, and which steps lead from there to those it shall have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .state import WIDTH


@dataclass(frozen=True)
class Steps:
    """`replaced`: pairs of old and new. `added`: whole sets, in order. `problem`: why there is no way."""

    replaced: tuple[tuple[str, str], ...] = ()
    added: tuple[str, ...] = ()
    problem: str = ""


def server(brick: str) -> str:
    return brick.rpartition(":")[0]


def steps(current: Sequence[str], wanted: Sequence[str]) -> Steps:
    """A brick that goes hands its place to the one that is wanted at the same place, else to the next new one."""
    gone = [brick for brick in current if brick not in wanted]
    new = [brick for brick in wanted if brick not in current]
    if len(gone) > len(new):
        return Steps(
            problem=f"{', '.join(gone)} would have to be emptied and removed; nothing is ever taken away: name "
            "these bricks again, or remove them by hand (`gluster volume remove-brick`)"
        )
    pairs: dict[str, str] = {}
    for old in gone:
        index = list(current).index(old)
        if index < len(wanted) and wanted[index] in new:
            pairs[old] = wanted[index]
            new.remove(wanted[index])
    for old in gone:
        if old not in pairs:
            pairs[old] = new.pop(0)
    if len(new) % WIDTH:
        return Steps(problem=f"{len(new)} more bricks ({', '.join(new)}) make no whole sets of {WIDTH}")
    after = [*(pairs.get(brick, brick) for brick in current), *new]
    together = same_server(after)
    if together:
        return Steps(problem=together)
    return Steps(tuple(pairs.items()), tuple(new))


def same_server(bricks: Sequence[str]) -> str:
    """Copies of a file on one server are lost together."""
    for start in range(0, len(bricks), WIDTH):
        three = bricks[start : start + WIDTH]
        servers = [server(brick) for brick in three]
        if len(set(servers)) < len(servers):
            return f"{', '.join(three)} hold the same files and are not all on different servers"
    return ""
