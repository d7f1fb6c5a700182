# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Changes to roles, groups, users, tokens and ACL entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._objects import AdapterError, Change, Step
from .._secrets import store as stores
from .access import KEPT, PENDING, ROTATED, Keeping, acl_parts
from .errors import Invalid
from .session import ApiWriter, Session

_NAMES = {"enabled": "enable", "privilege_separation": "privsep"}


class AccessWriter(ApiWriter):
    def __init__(self, session: Session, keeping: Keeping) -> None:
        super().__init__(session)
        self.keeping = keeping

    def create(self, change: Change, step: Step) -> None:
        kind, name = change.key.split(" ", 1)
        pve, fields = self.session.pve, change.after
        if kind == "role":
            pve.post("/access/roles", roleid=name, privs=",".join(fields.get("privileges", ())))
        elif kind == "group":
            pve.post("/access/groups", groupid=name, comment=fields.get("comment") or None)
        elif kind == "user":
            pve.post("/access/users", userid=name, **_sent(fields))
        elif kind == "token":
            self._make_token(change, step)
        else:
            self._acl(change, delete=False)

    def update(self, change: Change, step: Step) -> None:
        kind, name = change.key.split(" ", 1)
        pve = self.session.pve
        changed = {path: change.after[path] for path in change.paths}
        if kind == "role":
            pve.put(f"/access/roles/{name}", privs=",".join(change.after["privileges"]))
        elif kind == "group":
            pve.put(f"/access/groups/{name}", comment=changed["comment"])
        elif kind == "user":
            pve.put(f"/access/users/{name}", **_sent(changed))
        elif kind == "token":
            self._change_token(change, changed, step)
        else:
            self._acl(change, delete=False)

    def delete(self, change: Change, step: Step) -> None:
        del step
        kind, name = change.key.split(" ", 1)
        if kind == "token":
            self.session.pve.delete(_token_path(name))
        elif kind == "acl":
            self._acl(change, delete=True)
        else:
            self.session.pve.delete(f"/access/{kind}s/{name}")

    def _acl(self, change: Change, delete: bool) -> None:
        path, kind, who, role = acl_parts(change.key)
        propagate = (change.current.fields if delete and change.current else change.after)["propagate"]
        more = {"delete": True} if delete else {"propagate": propagate}
        self.session.pve.request("PUT", "/access/acl", {"path": path, "roles": role, f"{kind}s": who, **more})

    def _make_token(self, change: Change, step: Step) -> None:
        name, fields = change.key.split(" ", 1)[1], change.after
        sent = {key: value for key, value in fields.items() if key != "secret"}
        comment = f"{fields.get('comment', '')} {PENDING}".strip()
        answer = self.session.pve.post(_token_path(name), **_sent({**sent, "comment": comment}))
        self._keep(change, answer["value"], step)

    def _change_token(self, change: Change, changed: Mapping[str, Any], step: Step) -> None:
        path = _token_path(change.key.split(" ", 1)[1])
        plain = {key: value for key, value in changed.items() if key != "secret"}
        if "secret" not in changed:
            self.session.pve.put(path, **_sent(plain))
            return
        comment = f"{change.after.get('comment', '')} {PENDING}".strip()
        try:
            answer = self.session.pve.put(path, regenerate=True, **_sent({**plain, "comment": comment}))
        except Invalid as error:
            if "regenerate" not in error.parameters:
                raise
            raise AdapterError(
                "this Proxmox VE release cannot give a token another secret (9.2 and later can)",
                "remove the token with state: absent, then make it again",
            ) from None
        self._keep(change, answer["value"], step)

    def _keep(self, change: Change, value: str, step: Step) -> None:
        """Into the store first; only then does the token's comment say that somebody has its secret."""
        path, field = self.keeping.place(change.key)
        store = self.keeping.store
        found = store.read(path)
        if found is None:
            # No kind: it is Proxmox's value, and no rotation of ours may replace it by one that we draw.
            made = stores.new({field: value}, "")
            store.create(path, replace(made, kind=None))
        else:
            after = replace(found, fields={**found.fields, field: value}, rotated=stores.now())
            store.rotate(path, found, replace(after, kind=None, generation=found.generation + 1))
        kept = store.read(path)
        if kept is None or kept.fields.get(field) != value:
            raise AdapterError(
                f"another run stored another secret at {path}#{field} at the same time",
                "run again: the token is marked, and gets a new secret",
            )
        name = change.key.split(" ", 1)[1]
        self.session.pve.put(_token_path(name), comment=change.after.get("comment", ""))
        if change.after["secret"] == ROTATED:
            self.keeping.rotated.add(change.key)
        step.note(f"its secret is {KEPT} at {path}#{field} in {store.where}")


def _token_path(name: str) -> str:
    user, _mark, token = name.partition("!")
    return f"/access/users/{user}/token/{token}"


def _sent(fields: Mapping[str, Any]) -> dict[str, Any]:
    sent = {_NAMES.get(key, key): value for key, value in fields.items()}
    if "groups" in sent:
        sent["groups"] = ",".join(sent["groups"])
    return sent
