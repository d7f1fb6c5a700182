# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Roles, groups, users, tokens and ACL entries as one set: what is wanted, and what there is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._objects import Current, Desired
from .._secrets.adapter import SPEC, opened
from .._secrets.errors import SecretError
from .._secrets.reference import parse
from .._secrets.store import Store
from .._values import UNREADABLE
from .privileges import PRESETS
from .session import ApiReader, Session, flag, words

# Stands in a token's comment from before its secret exists until it is kept: whoever finds it knows that nobody has it.
PENDING = "(socle: secret not kept yet)"
KEPT, NOT_KEPT, ROTATED = "kept", "not kept", "rotated"
SECTIONS = ("roles", "groups", "users", "tokens", "acls")
_USER_FIELDS = ("comment", "email", "firstname", "lastname", "enabled", "expire", "groups", "password")

_STATE: dict[str, Any] = {"type": "str", "choices": ["present", "absent"], "default": "present"}
_TEXT: dict[str, Any] = {"type": "str"}
_LIST: dict[str, Any] = {"type": "list", "elements": "str"}
ROLE = {
    "name": {"type": "str", "required": True},
    "privileges": _LIST,
    "preset": {"type": "str", "choices": sorted(PRESETS)},
    "state": _STATE,
}
GROUP = {"name": {"type": "str", "required": True}, "comment": _TEXT, "state": _STATE}
USER = {
    "name": {"type": "str", "required": True},
    "comment": _TEXT,
    "email": _TEXT,
    "firstname": _TEXT,
    "lastname": _TEXT,
    "enabled": {"type": "bool"},
    "expire": {"type": "int"},
    "groups": _LIST,
    "password": {"type": "str", "no_log": True},
    "state": _STATE,
}
TOKEN = {
    "user": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "comment": _TEXT,
    "expire": {"type": "int"},
    "privilege_separation": {"type": "bool"},
    "secret": {"type": "str", "no_log": False},
    "rotate": {"type": "bool", "default": False},
    "state": _STATE,
}
ACL = {
    "path": {"type": "str", "required": True},
    "role": {"type": "str", "required": True},
    "user": _TEXT,
    "group": _TEXT,
    "token": {"type": "str", "no_log": False},
    "propagate": {"type": "bool", "default": True},
    "state": _STATE,
}
_PRINCIPAL = ("user", "group", "token")


def _section(options: Mapping[str, Any], **rules: Any) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "default": [], "options": options, **rules}


def spec() -> dict[str, Any]:
    return {
        "roles": _section(ROLE, mutually_exclusive=[("privileges", "preset")]),
        "groups": _section(GROUP),
        "users": _section(USER),
        "tokens": {**_section(TOKEN, required_if=[("state", "present", ("secret",))]), "no_log": False},
        "acls": _section(ACL, mutually_exclusive=[_PRINCIPAL], required_one_of=[_PRINCIPAL]),
        **SPEC,
    }


def desired(parameters: Mapping[str, Any]) -> Iterator[Desired]:
    """Every object of the five lists, each needing those of the set that it stands on."""
    made = [
        *_roles(parameters["roles"]),
        *_plain("group", parameters["groups"], ("comment",)),
        *_plain("user", parameters["users"], _USER_FIELDS),
        *_tokens(parameters["tokens"]),
        *_acls(parameters["acls"]),
    ]
    keys = {item.key for item in made}
    for item in made:
        needs = frozenset(need for need in item.needs if need in keys)
        yield Desired(item.key, item.fields, needs, present=item.present)


def _roles(roles: Sequence[Mapping[str, Any]]) -> Iterator[Desired]:
    for role in roles:
        fields = {}
        if "preset" in role:
            fields["privileges"] = list(PRESETS[role["preset"]])
        elif "privileges" in role:
            fields["privileges"] = sorted(set(role["privileges"]))
        yield Desired(f"role {role['name']}", fields, present=role["state"] == "present")


def _plain(kind: str, objects: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterator[Desired]:
    for item in objects:
        fields = {name: item[name] for name in names if name in item}
        if "groups" in fields:
            fields["groups"] = sorted(set(fields["groups"]))
        needs = frozenset(f"group {group}" for group in fields.get("groups", ()))
        yield Desired(f"{kind} {item['name']}", fields, needs, present=item["state"] == "present")


def _tokens(tokens: Sequence[Mapping[str, Any]]) -> Iterator[Desired]:
    for item in tokens:
        fields = {name: item[name] for name in ("comment", "expire", "privilege_separation") if name in item}
        fields["secret"] = ROTATED if item["rotate"] else KEPT
        key, needs = f"token {item['user']}!{item['name']}", frozenset({f"user {item['user']}"})
        yield Desired(key, fields, needs, present=item["state"] == "present")


def _acls(acls: Sequence[Mapping[str, Any]]) -> Iterator[Desired]:
    for item in acls:
        (kind,) = [name for name in _PRINCIPAL if name in item]
        key = acl_key(item["path"], kind, item[kind], item["role"])
        needs = frozenset({f"role {item['role']}", f"{kind} {item[kind]}"})
        yield Desired(key, {"propagate": item["propagate"]}, needs, present=item["state"] == "present")


def acl_key(path: str, kind: str, who: str, role: str) -> str:
    return f"acl /{path.strip('/')} {kind} {who} {role}"


def acl_parts(key: str) -> tuple[str, str, str, str]:
    """Path, kind, who, role."""
    _section_name, path, kind, who, role = key.split(" ", 4)
    return path, kind, who, role


class Keeping:
    """Where the secrets of tokens are kept. The store is opened when the first token is looked at."""

    def __init__(self, parameters: Mapping[str, Any], store: Store | None = None) -> None:
        self._parameters, self._store = parameters, store
        tokens = parameters["tokens"]
        self.places = {f"token {t['user']}!{t['name']}": t["secret"] for t in tokens if "secret" in t}
        self.rotated: set[str] = set()
        self.remarks: list[str] = []

    @property
    def store(self) -> Store:
        if self._store is None:
            self._store = opened(self._parameters, self.remarks.append).store
        return self._store

    def place(self, key: str) -> tuple[str, str]:
        """Path and field."""
        reference = parse(self.places[key])
        return reference.path, reference.field or "token"

    def has(self, key: str) -> bool:
        path, field = self.place(key)
        found = self.store.read(path)
        return found is not None and bool(found.fields.get(field))


class Access(ApiReader):
    kind = "access"
    unordered = frozenset({"privileges", "groups"})

    def __init__(self, session: Session, keeping: Keeping) -> None:
        super().__init__(session)
        self.keeping = keeping
        self.builtin: set[str] = set()
        self.privileges: set[str] = set()

    def explain(self, error: Exception) -> tuple[str, str]:
        if isinstance(error, SecretError):
            place = f" ({error.where})" if error.where else ""
            return f"{error.what}{place}: {error.found.rstrip('.')}", error.todo
        return super().explain(error)

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        pve = self.session.pve
        kinds = {item.key.split(" ", 1)[0] for item in desired}
        named = {item.key for item in desired if item.present}
        found: list[Current] = []
        if kinds & {"role", "acl"}:
            found += self._read_roles(pve.get("/access/roles"))
        if kinds & {"group", "acl", "user"}:
            rows = pve.get("/access/groups")
            found += [Current(f"group {row['groupid']}", {"comment": str(row.get("comment") or "")}) for row in rows]
        if kinds & {"user", "token", "acl"}:
            found += self._read_users(pve.get("/access/users", full=True))
        if "acl" in kinds:
            found += [_acl(row, named) for row in pve.get("/access/acl")]
        return found

    def _read_roles(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Current]:
        for row in rows:
            privileges = words(row.get("privs"))
            self.privileges |= set(privileges)
            if flag(row.get("special")):
                self.builtin.add(str(row["roleid"]))
            yield Current(f"role {row['roleid']}", {"privileges": privileges})

    def _read_users(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Current]:
        for row in rows:
            name = str(row["userid"])
            fields: dict[str, Any] = {key: str(row.get(key) or "") for key in _USER_FIELDS[:4]}
            fields["enabled"] = flag(row.get("enable", 1))
            fields["expire"] = int(row.get("expire") or 0)
            fields["groups"] = words(row.get("groups"))
            fields["password"] = UNREADABLE
            yield Current(f"user {name}", fields, needs=frozenset(f"group {group}" for group in fields["groups"]))
            for token in row.get("tokens") or []:
                yield self._token(name, token)

    def _token(self, user: str, row: Mapping[str, Any]) -> Current:
        key = f"token {user}!{row['tokenid']}"
        comment = str(row.get("comment") or "")
        pending = PENDING in comment
        fields: dict[str, Any] = {
            "comment": comment.replace(PENDING, "").strip(),
            "expire": int(row.get("expire") or 0),
            "privilege_separation": flag(row.get("privsep", 1)),
        }
        if key in self.keeping.places:
            kept = not pending and self.keeping.has(key)
            fields["secret"] = ROTATED if kept and key in self.keeping.rotated else KEPT if kept else NOT_KEPT
        return Current(key, fields, {"pending": pending}, needs=frozenset({f"user {user}"}))

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        wanted = {item.key: item for item in desired}
        for item in desired:
            kind, name = item.key.split(" ", 1)
            found = current.get(item.key)
            if item.present:
                yield from self._exist(item, wanted, current)
            elif found is not None and kind in ("user", "token") and name in ("root@pam", *self._me()):
                yield f"{item.key}: it is to be absent, and it is root or what this task is logged in with; keep it"
            if kind == "user" and item.present and item.fields.get("enabled") is False and name in self._me():
                yield f"{item.key}: it is to be disabled and this task is logged in with it; log in as somebody else"
            if kind == "role":
                yield from self._role_allowed(name, item, found)
            if kind == "token" and item.present:
                yield from self._token_known(item, found)

    def _me(self) -> tuple[str, ...]:
        """The user and the token that this task is logged in with."""
        connection = self.session.pve.connection
        token = connection.token_id
        if "!" in token:
            return token.partition("!")[0], token
        return (connection.user, f"{connection.user}!{token}") if token else (connection.user,)

    def _role_allowed(self, name: str, item: Desired, found: Current | None) -> Iterator[str]:
        if name in self.builtin:
            same = found is not None and item.present
            if not same or set(item.fields.get("privileges", ())) - set(found.fields["privileges"] if found else ()):
                yield f"role {name}: it is one of Proxmox's own and cannot be changed; make one under another name"
        elif name.upper().startswith("PVE"):
            yield f"role {name}: names that begin with PVE are Proxmox's own; give it another name"
        for privilege in item.fields.get("privileges", ()):
            if self.privileges and privilege not in self.privileges:
                yield f"role {name}: Proxmox has no privilege {privilege}{_near(privilege, self.privileges)}"

    def _token_known(self, item: Desired, found: Current | None) -> Iterator[str]:
        """A token that somebody else made and uses must not get another secret behind his back."""
        if found is None or item.fields["secret"] == ROTATED or found.identity["pending"]:
            return
        if found.fields.get("secret") == NOT_KEPT:
            path, field = self.keeping.place(item.key)
            yield (
                f"{item.key}: it exists, and its secret is not kept at {path}#{field}; Proxmox does not tell it again: "
                f"store it there, or set rotate to true once to give the token a new one"
            )

    def _exist(self, item: Desired, wanted: Mapping[str, Desired], current: Mapping[str, Current]) -> Iterator[str]:
        """What an object stands on is in the set or there already."""
        kind, name = item.key.split(" ", 1)
        on: list[str] = []
        if kind == "token":
            on = [f"user {name.partition('!')[0]}"]
        elif kind == "user":
            on = [f"group {group}" for group in item.fields.get("groups", ())]
            if "@" not in name:
                yield f"{item.key}: a user's name has a realm, as in {name}@pve"
        elif kind == "acl":
            _path, who_kind, who, role = acl_parts(item.key)
            on = [f"role {role}", f"{who_kind} {who}"]
        for key in on:
            if key not in current and key not in wanted:
                others = [other for other in (*current, *wanted) if other.split(" ", 1)[0] == key.split(" ", 1)[0]]
                yield f"{item.key}: there is no {key}{_near(key, others)}; name it in this task, or correct it"


def _acl(row: Mapping[str, Any], named: set[str]) -> Current:
    kind, who = str(row["type"]), str(row["ugid"])
    principal = f"{kind} {who}"
    key = acl_key(str(row["path"]), kind, who, str(row["roleid"]))
    needs = frozenset({principal, f"role {row['roleid']}"})
    fields = {"propagate": flag(row.get("propagate", 1))}
    return Current(key, fields, owned=principal in named, needs=needs)


def _near(name: str, among: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(among), 1)
    return f"; did you mean {near[0]}?" if near else ""


def everything(session: Session) -> dict[str, Any]:
    """All there is, in the form of the module's options."""
    reader = Access(session, Keeping({"tokens": []}))
    found: dict[str, list[dict[str, Any]]] = {section: [] for section in SECTIONS}
    for item in reader.read([Desired("acl any")]):
        kind, name = item.key.split(" ", 1)
        fields = {key: value for key, value in item.fields.items() if key != "password"}
        if kind == "token":
            user, _mark, token = name.partition("!")
            fields = {"user": user, "name": token, **fields}
        elif kind == "acl":
            path, who_kind, who, role = acl_parts(item.key)
            fields = {"path": path, "role": role, who_kind: who, **fields}
        else:
            fields = {"name": name, **fields}
        if kind == "role":
            fields["builtin"] = name in reader.builtin
        found[f"{kind}s"].append(fields)
    return dict(found)
