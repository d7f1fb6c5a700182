# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Runners and deploy tokens: the API tells their tokens once, so they go to the secrets backend at once."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .._objects import Current, Desired
from .._secrets import store
from .._secrets.adapter import explained, opened
from .._secrets.keeper import Keeper
from .._secrets.store import Stored
from .client import Api
from .section import STATE, Asked, Do, Item, Row, Section, Site, Where, changed, number

KEPT, LOST = "kept", "not kept here"
_ONCE = "GitLab tells its token once, and whoever uses the old one needs the new one"
_TORSO = "it was made, and its token did not reach the secrets backend"
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


class Tokens:
    """Where tokens are kept. Opened by the first use."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters
        self.remarks: list[str] = []
        self._lock = threading.RLock()
        self._keeper: Keeper | None = None
        self._me = ""

    def me(self, api: Api) -> str:
        """The name of the token's own user."""
        with self._lock:
            if not self._me:
                self._me = str(api.get("/user")["username"])
            return self._me

    @property
    def keeper(self) -> Keeper:
        if self._keeper is None:
            with explained():
                self._keeper = opened(self.parameters, self.remarks.append)
        return self._keeper

    def read(self, path: str) -> Stored | None:
        with self._lock, explained():
            return self.keeper.store.read(path)

    def keep(self, path: str, fields: Mapping[str, str]) -> None:
        with self._lock, explained():
            before = self.keeper.store.read(path)
            if before is None:
                self.keeper.store.create(path, store.new(fields, None))
                return
            after = replace(before, fields=dict(fields), rotated=store.now(), generation=before.generation + 1)
            self.keeper.store.rotate(path, before, after)

    def state(self, path: str, ident: Any) -> tuple[str, str]:
        """Whether the token of this object is kept, and why the object is only half made."""
        stored = self.read(path)
        if stored is None:
            return LOST, ""
        if stored.fields.get("id") == str(ident) and stored.fields.get("token"):
            return KEPT, ""
        return LOST, _TORSO if stored.fields.get("pending") else ""


def place(where: Where, kind: str, name: str) -> str:
    parts = [*(where.path or "instance").split("/"), kind, name]
    return "/".join(["gitlab", *(_UNSAFE.sub("-", part).strip("-.") or "-" for part in parts)])


class Kept(Section):
    """A section whose objects have a token."""

    folder = ""
    immutable: Mapping[str, str] = {"token": _ONCE}

    def kept_at(self, where: Where, name: str, keep: Any) -> str:
        return str(keep) if keep else place(where, self.folder, name)

    def fields(self, item: Item) -> dict[str, Any]:
        fields = {name: value for name, value in item.items() if name not in ("name", "state", "keep")}
        return {**fields, "token": KEPT, "keep": str(item.get("keep") or "")}

    def current(self, site: Site, where: Where, row: Mapping[str, Any], wanted: Desired | None, name: str) -> Current:
        found = Row(site, where, row, wanted)
        fields = self.row_fields(found)
        torso = ""
        if wanted is not None and wanted.present:
            keep = wanted.fields.get("keep")
            fields["token"], torso = site.tokens.state(self.kept_at(where, name, keep), row["id"])
            fields["keep"] = keep
        return Current("", fields, {"id": row["id"]}, owned=self.ours(found), incomplete=torso)

    def found(
        self, site: Site, where: Where, rows: Sequence[dict[str, Any]], wanted: Mapping[str, Desired]
    ) -> Iterable[tuple[str, Current]]:
        for row in rows:
            name = self.row_name(row)
            yield name, self.current(site, where, row, wanted.get(name), name)

    def make(self, do: Do) -> dict[str, Any]:
        """The API's answer, with the token in it."""
        raise NotImplementedError

    def told(self, answer: Mapping[str, Any]) -> dict[str, str]:
        return {"id": str(answer["id"]), "token": str(answer["token"])}

    def create(self, do: Do) -> None:
        path = self.kept_at(do.ref.where, do.name, do.change.after.get("keep"))
        # Should the answer be lost, the next look knows that what it finds is ours and of no use.
        do.site.tokens.keep(path, {"pending": uuid.uuid4().hex})
        do.site.tokens.keep(path, self.told(self.make(do)))
        do.step.note(f"its token is kept as secret {path}")


SCOPES = [
    "read_repository", "read_registry", "write_registry", "read_package_registry", "write_package_registry",
    "read_virtual_registry", "write_virtual_registry",
]  # fmt: skip


class DeployTokens(Kept):
    option = "deploy_tokens"
    word = "deploy token"
    kinds = ("project", "group")
    path = "deploy_tokens"
    folder = "deploy_tokens"
    unordered = frozenset({"scopes"})
    immutable: Mapping[str, str] = dict.fromkeys(("token", "scopes", "expires", "username"), _ONCE)
    spec: Mapping[str, Any] = {
        "name": {"type": "str", "required": True},
        "scopes": {"type": "list", "elements": "str", "choices": SCOPES, "default": ["read_repository"]},
        "expires": {"type": "str"},
        "username": {"type": "str"},
        "keep": {"type": "str"},
        "state": STATE,
    }

    def rows(self, site: Site, where: Where) -> list[dict[str, Any]]:
        # Revoked ones stay listed for ever.
        rows = site.api.all(f"{where.base}/{self.path}", active="true")
        return [row for row in rows if not row.get("revoked") and not row.get("expired")]

    def row_fields(self, row: Row) -> dict[str, Any]:
        return {
            "scopes": sorted(row.data.get("scopes") or ()),
            "expires": str(row.data.get("expires_at") or "")[:10],
            "username": row.data.get("username") or "",
        }

    def make(self, do: Do) -> dict[str, Any]:
        after = do.change.after
        body: dict[str, Any] = {"name": do.name, "scopes": list(after["scopes"])}
        if after.get("expires"):
            body["expires_at"] = after["expires"]
        if after.get("username"):
            body["username"] = after["username"]
        made: dict[str, Any] = do.api.send("POST", f"{do.base}/{self.path}", body)
        return made

    def told(self, answer: Mapping[str, Any]) -> dict[str, str]:
        return {**super().told(answer), "username": str(answer["username"])}


class Runners(Kept):
    option = "runners"
    word = "runner"
    kinds = ("project", "group", "instance")
    folder = "runners"
    unordered = frozenset({"tags"})
    names: Mapping[str, str] = {
        "tags": "tag_list",
        "run_untagged": "run_untagged",
        "locked": "locked",
        "paused": "paused",
        "maximum_timeout": "maximum_timeout",
        "note": "maintenance_note",
    }
    spec: Mapping[str, Any] = {
        "name": {"type": "str", "required": True},
        "tags": {"type": "list", "elements": "str"},
        "run_untagged": {"type": "bool"},
        "locked": {"type": "bool"},
        "protected": {"type": "bool"},
        "paused": {"type": "bool"},
        "maximum_timeout": {"type": "int"},
        "note": {"type": "str"},
        "keep": {"type": "str"},
        "state": STATE,
    }

    def problems(self, asked: Asked) -> Iterable[str]:
        if asked.item.get("maximum_timeout", 600) < 600:
            yield f"maximum_timeout is {asked.item['maximum_timeout']}, GitLab takes 600 seconds or more"
        if asked.item.get("run_untagged") is False and not asked.item.get("tags"):
            yield "it takes no job without tags and has no tags: give tags, or run_untagged: true"

    def rows(self, site: Site, where: Where) -> list[dict[str, Any]]:
        kind = f"{where.kind}_type"
        path = "/runners/all" if where.kind == "instance" else f"{where.base}/runners"
        return site.api.all(path, type=kind)

    def row_name(self, row: Mapping[str, Any]) -> str:
        return str(row.get("description") or f"#{row['id']}")

    def found(
        self, site: Site, where: Where, rows: Sequence[dict[str, Any]], wanted: Mapping[str, Desired]
    ) -> Iterable[tuple[str, Current]]:
        # A list has neither tags nor owners.
        asked = [row for row in rows if self.row_name(row) in wanted or self.option in site.prune]
        for row in site.api.each(lambda row: site.api.find(f"/runners/{row['id']}"), asked):
            if row is None or not self._own(site, where, row):
                continue
            name = self.row_name(row)
            yield name, self.current(site, where, row, wanted.get(name), name)

    def _own(self, site: Site, where: Where, row: Mapping[str, Any]) -> bool:
        """A group's list holds the runners of the groups above, too."""
        if where.kind != "group":
            return bool(row["runner_type"] == f"{where.kind}_type")
        return any(int(group["id"]) == site.people.id("group", where.path) for group in row.get("groups") or ())

    def row_fields(self, row: Row) -> dict[str, Any]:
        fields = {name: row.data.get(sent) for name, sent in self.names.items()}
        fields["note"] = fields["note"] or ""
        return {**fields, "protected": row.data.get("access_level") == "ref_protected"}

    def ours(self, row: Row) -> bool:
        return bool(row.data["runner_type"] != "instance_type")

    def body(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        body = {sent: fields[name] for name, sent in self.names.items() if fields.get(name) is not None}
        if "protected" in fields:
            body["access_level"] = "ref_protected" if fields["protected"] else "not_protected"
        return body

    def make(self, do: Do) -> dict[str, Any]:
        kind = do.ref.where.kind
        body: dict[str, Any] = {"runner_type": f"{kind}_type", "description": do.name, **self.body(do.change.after)}
        if kind == "group":
            body["group_id"] = do.site.people.id("group", do.ref.where.path)
        elif kind == "project":
            body["project_id"] = int(do.api.get(do.base)["id"])
        made: dict[str, Any] = do.api.send("POST", "/user/runners", body)
        return made

    def update(self, do: Do) -> None:
        do.api.send("PUT", f"/runners/{number(do.change)}", self.body(changed(do.change)))

    def delete(self, do: Do) -> None:
        do.api.drop(f"/runners/{number(do.change)}")
