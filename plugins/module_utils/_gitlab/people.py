# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Users and groups by name, and lists of who may do something: names on our side, ids and numbers on the API's."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._objects import AdapterError
from .client import Api, enc

LEVELS = {"minimal": 5, "guest": 10, "planner": 15, "reporter": 20, "developer": 30, "maintainer": 40, "owner": 50}
ROLES = {"nobody": 0, "developers": 30, "maintainers": 40, "admins": 60}
_LEVEL_NAMES = {number: name for name, number in LEVELS.items()}
_ROLE_NAMES = {number: name for name, number in ROLES.items()}


def level_name(number: Any) -> str:
    return _LEVEL_NAMES.get(int(number), str(number))


def access_problem(text: str, roles: Iterable[str]) -> str:
    """What is wrong with one entry of a list of who may; empty when nothing is."""
    kind, colon, name = text.partition(":")
    if colon and kind in ("user", "group") and name.strip():
        return ""
    if text in roles:
        return ""
    return f"{text!r} is none of {', '.join(roles)}, user:NAME, group:PATH"


def named(entries: Iterable[str], kind: str) -> list[str]:
    """The users, or the groups, among the entries of a list."""
    return [entry.partition(":")[2] for entry in entries if entry.startswith(f"{kind}:")]


def only_roles(entries: Iterable[str]) -> bool:
    return all(":" not in entry for entry in entries)


class People:
    """Who has which id. Names are asked for once."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._lock = threading.Lock()
        self._users: dict[str, int | None] = {}
        self._groups: dict[str, int | None] = {}
        self._names: dict[tuple[str, int], str] = {}

    def know(self, kind: str, name: str, number: int) -> None:
        with self._lock:
            (self._users if kind == "user" else self._groups)[name.lower()] = number
            self._names[kind, number] = name

    def learn(self, users: Iterable[str], groups: Iterable[str]) -> None:
        """Ask for those not known yet, side by side."""
        with self._lock:
            wanted = [("user", name) for name in sorted(set(users)) if not self._users.get(name.lower())]
            wanted += [("group", name) for name in sorted(set(groups)) if not self._groups.get(name.lower())]
        self.api.each(self._ask, wanted)

    def _ask(self, item: tuple[str, str]) -> None:
        kind, name = item
        if kind == "user":
            rows = self.api.get("/users", username=name)
            row = rows[0] if rows else None
        else:
            row = self.api.find(f"/groups/{enc(name)}", with_projects="false")
        if row:
            self.know(kind, name, int(row["id"]))
            return
        with self._lock:
            (self._users if kind == "user" else self._groups).setdefault(name.lower(), None)

    def known(self, kind: str, name: str) -> int | None:
        with self._lock:
            return (self._users if kind == "user" else self._groups).get(name.lower())

    def id(self, kind: str, name: str) -> int:
        found = self.known(kind, name)
        if found is None:
            self.learn([name] if kind == "user" else [], [name] if kind == "group" else [])
            found = self.known(kind, name)
        if found is None:
            raise AdapterError(f"there is no {kind} {name}", "correct the name, or make it first")
        return found

    def entry(self, row: Mapping[str, Any]) -> str:
        """One row of a list of who may, as we write it."""
        for kind in ("user", "group"):
            number = row.get(f"{kind}_id")
            if number:
                with self._lock:
                    return f"{kind}:{self._names.get((kind, int(number)), f'#{number}')}"
        if row.get("deploy_key_id"):
            return f"key:#{row['deploy_key_id']}"
        return _ROLE_NAMES.get(int(row.get("access_level") or 0), str(row.get("access_level")))

    def entries(self, rows: Iterable[Mapping[str, Any]] | None) -> list[str]:
        return sorted({self.entry(row) for row in rows or ()})

    def who(self, entry: str) -> dict[str, int]:
        """One entry as the API takes it."""
        kind, colon, name = entry.partition(":")
        if not colon:
            return {"access_level": ROLES[entry]}
        return {f"{kind}_id": int(name[1:]) if name.startswith("#") else self.id(kind, name)}

    def difference(self, wanted: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What makes the API's list the wanted one: it adds what has no id, and removes what says so."""
        there = {self.entry(row): row for row in rows}
        come: list[dict[str, Any]] = [dict(self.who(entry)) for entry in wanted if entry not in there]
        return come + [{"id": row["id"], "_destroy": True} for entry, row in there.items() if entry not in wanted]
