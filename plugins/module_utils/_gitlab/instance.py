# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What belongs to the whole server: its users and its settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._objects import AdapterError, Current, Desired
from .errors import ApiError
from .section import STATE, Do, Item, Row, Section, Site, Where, changed, number

_SETTINGS = "/application/settings"


class Users(Section):
    option = "users"
    word = "user"
    kinds = ("instance",)
    spec: Mapping[str, Any] = {
        "name": {"type": "str", "required": True},
        "full_name": {"type": "str"},
        "email": {"type": "str", "required": True},
        "state": {**STATE, "choices": ["present", "blocked"]},
    }

    def fields(self, item: Item) -> dict[str, Any]:
        return {
            "email": item["email"],
            "full_name": item.get("full_name") or item["name"],
            "blocked": item["state"] == "blocked",
        }

    def rows(self, site: Site, where: Where) -> list[dict[str, Any]]:
        raise NotImplementedError

    def found(
        self, site: Site, where: Where, rows: Sequence[dict[str, Any]], wanted: Mapping[str, Desired]
    ) -> Iterable[tuple[str, Current]]:
        for name, row in zip(wanted, rows, strict=True):
            if row:
                fields = self.row_fields(Row(site, where, row, wanted[name]))
                yield name, Current("", fields, {"id": row["id"]})

    def ask(self, site: Site, names: Iterable[str]) -> list[dict[str, Any]]:
        """One request for each: a list of all could be long. An empty row stands for nobody."""

        def one(name: str) -> dict[str, Any]:
            rows = site.api.get("/users", username=name)
            return dict(rows[0]) if rows else {}

        return site.api.each(one, names)

    def row_fields(self, row: Row) -> dict[str, Any]:
        fields = {"full_name": row.data["name"], "blocked": row.data.get("state") == "blocked"}
        row.site.people.know("user", str(row.data["username"]), int(row.data["id"]))
        # Only administrators are told addresses.
        email = row.data.get("email")
        return {**fields, "email": email if email is not None else row.wanted and row.wanted.fields["email"]}

    def create(self, do: Do) -> None:
        after = do.change.after
        body = {
            "username": do.name, "name": after["full_name"], "email": after["email"],
            # Nobody knows the password: people come by single sign-on, or ask for a new one by mail.
            "force_random_password": True, "skip_confirmation": True,
        }  # fmt: skip
        row = do.api.send("POST", "/users", body)
        do.site.people.know("user", do.name, int(row["id"]))
        if after["blocked"]:
            do.api.send("POST", f"/users/{row['id']}/block")

    def update(self, do: Do) -> None:
        wanted, path = changed(do.change), f"/users/{number(do.change)}"
        if "blocked" in wanted:
            do.api.send("POST", f"{path}/{'block' if wanted['blocked'] else 'unblock'}")
        names = {"email": "email", "full_name": "name"}
        body = {sent: wanted[name] for name, sent in names.items() if name in wanted}
        if "email" in body:
            body["skip_reconfirmation"] = True
        if body:
            do.api.send("PUT", path, body)


class Settings(Section):
    option = "settings"
    word = "settings"
    kinds = ("instance",)

    def items(self, given: Item) -> Sequence[Item] | None:
        settings = given.get("settings")
        return None if settings is None else [{"settings": settings, "state": "present"}]

    def name(self, item: Item) -> str:
        del item
        return ""

    def fields(self, item: Item) -> dict[str, Any]:
        return dict(item["settings"])

    def rows(self, site: Site, where: Where) -> list[dict[str, Any]]:
        del where
        return [site.api.get(_SETTINGS)]

    def row_name(self, row: Mapping[str, Any]) -> str:
        del row
        return ""

    def row_fields(self, row: Row) -> dict[str, Any]:
        asked = row.wanted.fields if row.wanted else {}
        for name in asked:
            if name not in row.data:
                near = difflib.get_close_matches(name, sorted(row.data), 1)
                raise AdapterError(
                    f"settings has {name}, which the server does not tell of and would ignore",
                    f"did you mean {near[0]}?" if near else "it may be misspelt, a secret, or need GitLab Premium",
                )
        return {name: row.data[name] for name in asked}

    def create(self, do: Do) -> None:
        del do
        raise ApiError(404, "the server has no settings")

    def update(self, do: Do) -> None:
        do.api.send("PUT", _SETTINGS, changed(do.change))
