# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Which hosts `--limit` can leave. Said too widely costs requests; said too narrowly would lose facts."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ansible.inventory.manager import split_host_pattern

_GLOB = re.compile(r"[*?\[]")


def terms(subset: str | Iterable[str] | None) -> list[str]:
    """The parts of a limit, as Ansible itself takes it apart; `@file` names a file with one on each line."""
    found: list[str] = []
    for piece in split_host_pattern(subset or ""):
        if piece.startswith("@"):
            try:
                lines = Path(piece[1:]).expanduser().read_text(encoding="utf-8").splitlines()
            except OSError:
                lines = ["*"]
            found += [line.strip() for line in lines if line.strip()]
        elif piece:
            found.append(piece)
    return found


def limited(
    limit: Iterable[str], hosts: Mapping[str, Collection[str]], others: Collection[str], constructed: bool
) -> set[str] | None:
    """The hosts that may be left, of `hosts` with the groups that each is in; None when it cannot be said.

    `others` are hosts of other inventories. `constructed`: there will be groups that are not known yet.
    """
    positive = [term for term in limit if not term.startswith(("!", "&"))]
    if not positive:
        return None
    groups: dict[str, set[str]] = {"all": set(hosts), "ungrouped": set()}
    for host, names in hosts.items():
        for name in names:
            groups.setdefault(name, set()).add(host)
    left: set[str] = set()
    for term in positive:
        if term in hosts:
            left.add(term)
        elif term in groups:
            left |= groups[term]
        elif term in others or term in ("localhost", "127.0.0.1"):
            continue
        elif constructed or not (term.startswith("~") or _GLOB.search(term)):
            # Perhaps a group that is made later, here or in another inventory.
            return None
        else:
            matching = _matching(term, [*hosts, *groups])
            if matching is None:
                return None
            for name in matching:
                left |= {name} if name in hosts else groups[name]
    return left


def _matching(term: str, names: Collection[str]) -> list[str] | None:
    if term.startswith("~"):
        try:
            pattern = re.compile(term[1:])
        except re.error:
            return None
        return [name for name in names if pattern.match(name)]
    if re.search(r"\[-?\d*:?-?\d*\]$", term):
        # A choice by position depends on every other inventory.
        return None
    return [name for name in names if fnmatch.fnmatchcase(name, term)]
