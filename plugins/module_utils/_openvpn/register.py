# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Every certificate that was ever issued, and the revocation lists that follow: one secret, changed as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from .pki import Authority, Damaged, windows


@dataclass(frozen=True)
class Entry:
    """One certificate. A serial is written down before its certificate is made, so that none is ever unknown."""

    name: str
    role: str
    serial: str
    issued: datetime
    until: datetime
    revoked: datetime | None = None


@dataclass(frozen=True)
class Lists:
    """How long a revocation list counts, and how far ahead lists are signed, in days."""

    days: int
    ahead: int


@dataclass(frozen=True)
class Register:
    entries: tuple[Entry, ...] = ()
    lists: tuple[str, ...] = ()
    number: int = 0
    plan: Lists | None = None
    extra: dict[str, str] = field(default_factory=dict)
    """Fields that a human added beside ours."""

    @classmethod
    def load(cls, fields: dict[str, str]) -> Register:
        try:
            rows = json.loads(fields["certificates"])
            entries = tuple(_entry(row) for row in rows)
            plan = json.loads(fields["plan"]) if "plan" in fields else None
            known = {"certificates", "lists", "number", "plan"}
            return cls(
                entries,
                tuple(json.loads(fields["lists"])),
                int(fields["number"]),
                Lists(plan["days"], plan["ahead"]) if plan else None,
                {name: value for name, value in fields.items() if name not in known},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged(f"it is not what this collection writes ({type(error).__name__}: {error})") from None

    def dump(self) -> dict[str, str]:
        fields = {
            **self.extra,
            "certificates": json.dumps([_row(entry) for entry in self.entries], indent=1),
            "lists": json.dumps(list(self.lists)),
            "number": str(self.number),
        }
        return fields | ({"plan": json.dumps(asdict(self.plan))} if self.plan else {})

    def by_serial(self, serial: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.serial == serial), None)

    def valid(self, role: str, name: str, moment: datetime) -> list[Entry]:
        """Certificates by which somebody gets in."""
        return [
            entry
            for entry in self.entries
            if (entry.role, entry.name) == (role, name) and entry.revoked is None and entry.until > moment
        ]

    def holders(self, moment: datetime) -> set[tuple[str, str]]:
        """Role and name of everybody who gets in."""
        return {(entry.role, entry.name) for entry in self.entries if entry.revoked is None and entry.until > moment}

    def revoked(self, moment: datetime) -> list[Entry]:
        """What has to be on a list: certificates that end by themselves need not be there any more."""
        return [entry for entry in self.entries if entry.revoked is not None and entry.until > moment]

    def with_entry(self, entry: Entry) -> Register:
        return replace(self, entries=(*self.entries, entry))

    def without(self, serials: Iterable[str], moment: datetime) -> Register:
        """The same with these revoked."""
        gone = set(serials)
        entries = tuple(
            replace(entry, revoked=moment) if entry.serial in gone and entry.revoked is None else entry
            for entry in self.entries
        )
        return replace(self, entries=entries)

    def signed(self, authority: Authority, plan: Lists, moment: datetime) -> Register:
        """With new lists, from now on."""
        revoked = [(entry.serial, entry.revoked) for entry in self.revoked(moment) if entry.revoked]
        spans = windows(moment, plan.days, plan.ahead)
        lists = tuple(authority.revocations(revoked, self.number + 1 + i, span) for i, span in enumerate(spans))
        return replace(self, lists=lists, number=self.number + len(lists), plan=plan)

    def lists_lack(self, authority: Authority, plan: Lists, moment: datetime) -> str:
        """What is wrong with the lists; empty when they are good for a long time."""
        seen = [authority.listed(text) for text in self.lists]
        if not seen:
            return "missing"
        if any(item is None for item in seen):
            return "not signed by this authority"
        found = [item for item in seen if item is not None]
        on_lists = {entry.serial for entry in self.revoked(moment)}
        if any(not on_lists <= serials for _window, serials in found):
            return "without certificates that are revoked"
        if self.plan != plan:
            return "signed for other times"
        ends = max(window.ends for window, _serials in found)
        # Renewed when half of the time is over: whoever runs this now and then never gets near the end.
        if ends - moment < timedelta(days=max(plan.days, plan.ahead)) / 2:
            return f"good until {ends:%Y-%m-%d} only"
        return ""

    def for_gateways(self, moment: datetime) -> str:
        """What a gateway gets: the lists, and whose sessions to end. Nothing in it is secret."""
        revoked = {entry.serial: entry.name for entry in self.revoked(moment)}
        return json.dumps({"lists": list(self.lists), "revoked": revoked}, indent=1, sort_keys=True) + "\n"


def _row(entry: Entry) -> dict[str, Any]:
    row = asdict(entry)
    for name in ("issued", "until", "revoked"):
        row[name] = row[name].strftime("%Y-%m-%dT%H:%M:%SZ") if row[name] else None
    return {name: value for name, value in row.items() if value is not None}


def _entry(row: dict[str, Any]) -> Entry:
    revoked = row.get("revoked")
    return Entry(
        row["name"],
        row["role"],
        row["serial"],
        moment_of(row["issued"]),
        moment_of(row["until"]),
        moment_of(revoked) if revoked else None,
    )


def moment_of(text: str) -> datetime:
    """A day or a moment, in UTC when it does not say otherwise."""
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
