# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Writes of a firewall: in an order in which nothing refers to what is not there, in try mode where it matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from .._objects import AdapterError, Change, Current, Step
from .._values import ABSENT
from . import firewall_rules as rules
from . import trymode
from .firewall import SWITCH, Firewalls, some
from .session import ApiWriter, Session


class FirewallsWriter(ApiWriter):
    def __init__(self, session: Session, reader: Firewalls, tools: trymode.Tools | None = None) -> None:
        super().__init__(session)
        self.reader, self._tools = reader, tools

    def update(self, change: Change, step: Step) -> None:
        reader, pve = self.reader, self.session.pve
        planned = change.current
        now = reader.one(change.key)
        if planned is None or (now.fields, now.identity) != (planned.fields, planned.identity):
            raise AdapterError(f"{change.label}: it was changed by somebody while this task ran", "run again")
        doors = self._doors(change)
        if not doors:
            self._write(change, now, step)
            return
        tools = self._tools or trymode.tools_of(pve.connection)
        doors = [trymode.with_ports(door, reader.parameters["try_ports"], tools) for door in doors]
        terms = trymode.Terms(
            seconds=float(reader.parameters["try_seconds"]),
            settle=float(reader.parameters["try_settle"]),
            scope="firewall",
        )
        trymode.attempt(doors, lambda: self._write(change, now, step), step, tools, terms)

    def _doors(self, change: Change) -> list[trymode.Door]:
        """The nodes that this change could lock somebody out of."""
        reader = self.reader
        kind, _sign, name = change.key.partition(" ")
        if not reader.parameters["try_mode"] or kind == "guest":
            return []
        if change.key != SWITCH and not reader.one(SWITCH).fields["options"]["enable"]:
            # While the whole is off nothing of it has an effect; it is switched on in a change of its own.
            return []
        names = [name] if kind == "node" else [node for node, up in reader.nodes().items() if up]
        found = trymode.doors(names, reader.parameters["reach"], reader.status, self.session.pve.connection)
        return list(found.values())

    def _write(self, change: Change, now: Current, step: Step) -> None:
        pve, base, wanted = self.session.pve, self.reader.base(change.key), change.desired.fields
        gone: list[Callable[[], Any]] = []
        for name, alias in self._named("aliases", wanted, now):
            if alias is ABSENT:
                gone.append(partial(pve.delete, f"{base}/aliases/{name}"))
            elif name in now.fields["aliases"]:
                pve.put(f"{base}/aliases/{name}", **{**now.fields["aliases"][name], **alias})
            else:
                pve.post(f"{base}/aliases", name=name, **alias)
        for name, ipset in self._named("ipsets", wanted, now):
            if ipset is ABSENT:
                gone.append(partial(pve.delete, f"{base}/ipset/{name}", force=1))
            else:
                self._ipset(f"{base}/ipset", name, ipset, now.fields["ipsets"].get(name))
        for name, group in self._named("groups", wanted, now):
            if group is ABSENT:
                gone.append(partial(self._drop_group, f"{base}/groups", name, step))
            else:
                self._group(f"{base}/groups", name, group, now.fields["groups"].get(name), step)
        if "rules" in wanted:
            self._list(
                f"{base}/rules", rules.target(wanted["rules"], now.fields["rules"], exact=self.reader.prune), step
            )
        options = {k: v for k, v in wanted.get("options", {}).items() if now.fields["options"].get(k) != v}
        if options:
            digest = pve.get(f"{base}/options").get("digest")
            pve.put(f"{base}/options", **options, digest=digest)
        for work in reversed(gone):
            work()

    def _named(self, kind: str, wanted: Mapping[str, Any], now: Current) -> Iterator[tuple[str, Any]]:
        if kind not in wanted:
            return
        for name, value in wanted[kind].items():
            have = now.fields[kind].get(name)
            if value is ABSENT and have is None:
                continue
            if have is None or value is ABSENT or any(have.get(key) != item for key, item in value.items()):
                yield name, value
        if self.reader.prune:
            yield from ((name, ABSENT) for name in now.fields[kind] if name not in wanted[kind])

    def _ipset(self, path: str, name: str, wanted: Mapping[str, Any], have: Mapping[str, Any] | None) -> None:
        pve = self.session.pve
        if have is None:
            pve.post(path, name=name, **some(wanted, "comment"))
        elif wanted.get("comment", have["comment"]) != have["comment"]:
            pve.post(path, name=name, rename=name, comment=wanted["comment"])
        if "members" not in wanted:
            return
        there = have["members"] if have else {}
        for cidr, member in wanted["members"].items():
            if cidr not in there:
                pve.post(f"{path}/{name}", cidr=cidr, **member)
            elif there[cidr] != {**there[cidr], **member}:
                pve.put(f"{path}/{name}/{cidr}", **{**there[cidr], **member})
        for cidr in there:
            if cidr not in wanted["members"]:
                pve.delete(f"{path}/{name}/{cidr}")

    def _group(
        self, path: str, name: str, wanted: Mapping[str, Any], have: Mapping[str, Any] | None, step: Step
    ) -> None:
        if have is None:
            self.session.pve.post(path, group=name, **some(wanted, "comment"))
        elif wanted.get("comment", have["comment"]) != have["comment"]:
            self.session.pve.post(path, group=name, rename=name, comment=wanted["comment"])
        if "rules" in wanted:
            self._list(f"{path}/{name}", wanted["rules"], step)

    def _drop_group(self, path: str, name: str, step: Step) -> None:
        self._list(f"{path}/{name}", [], step)
        self.session.pve.delete(f"{path}/{name}")

    def _list(self, path: str, goal: Sequence[rules.Rule], step: Step) -> None:
        """Until the list is so: each write names the digest of the list that it was thought out for."""
        pve = self.session.pve
        for _turn in range(4 * len(goal) + 400):
            rows = pve.get(path)
            move = rules.next_move([rules.normal(row) for row in rows], goal)
            if move is None:
                return
            digest = rows[0].get("digest") if rows else None
            step.progress.event(step.change.label, f"{move.action} rule '{rules.show(move.rule)}'", 0, 0)
            if move.action == "insert":
                pve.post(path, pos=move.pos, digest=digest, **rules.params(move.rule))
            elif move.action == "move":
                pve.put(f"{path}/{move.pos}", moveto=move.to, digest=digest)
            else:
                pve.delete(f"{path}/{move.pos}", digest=digest)
        raise AdapterError(f"{path}: the list of rules does not come to rest", "somebody else may be changing it")
