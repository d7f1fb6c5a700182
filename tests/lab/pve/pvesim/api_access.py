# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logins, users, groups, roles, tokens, ACLs, realms."""

from __future__ import annotations

import re
from typing import Any

from . import auth, privileges
from .errors import ApiError, bad, bad_params, fail, forbidden
from .routes import Call, index, route
from .validate import split_list
from .world import Site, check_password, set_password, sha1

index("/access", "users", "groups", "roles", "acl", "domains", "ticket", "password", "permissions", key="subdir")
_ACL_PATH = re.compile(
    r"/|/access(?:/groups(?:/[^/]+)?|/realm(?:/[^/]+)?)?|/nodes(?:/[^/]+)?|/pool(?:/[^/]+){0,3}"
    r"|/sdn(?:/(?:zones|controllers|dns|ipams|fabrics)(?:/[^/]+){0,3})?|/storage(?:/[^/]+)?|/vms(?:/\d+)?"
    r"|/mapping(?:/[^/]+){0,2}"
)
_CAPS = {
    "vms": "VM",
    "storage": "Datastore",
    "access": "User",
    "nodes": "Sys",
    "dc": "Sys",
    "sdn": "SDN",
    "mapping": "Mapping",
}


@route("GET /access/ticket")
def ticket_form(_call: Call) -> Any:
    return None


@route("POST /access/ticket")
def login(call: Call) -> Any:
    user, password = call.params["username"], call.params["password"]
    if "@" not in user:
        user = f"{user}@{call.get('realm', 'pam')}"
    if not auth.password_ok(call.fleet, call.site, user, password):
        raise ApiError(401, "authentication failure")
    caps = {
        name: {p: 1 for p in privileges.of(call.site, user, "/") if p.startswith(f"{group}.")}
        for name, group in _CAPS.items()
    }
    out = {
        "ticket": auth.ticket(call.site, user, call.now),
        "CSRFPreventionToken": auth.csrf(call.site, user, call.now),
        "username": user,
        "cap": caps,
    }
    if call.site.cluster:
        out["clustername"] = call.site.cluster["name"]
    return out


@route("PUT /access/password")
def change_password(call: Call) -> Any:
    user = call.params["userid"]
    if not call.is_root:
        if "confirmation-password" not in call.params:
            raise bad(confirmation_password="confirmation-password is required")
        if not check_password(call.site, call.user, call.params["confirmation-password"]):
            raise ApiError(401, "authentication failure")
    if user not in call.site.users:
        raise fail(f"no such user ('{user}')")
    set_password(call.site, user, call.params["password"])


@route("GET /access/permissions")
def permissions(call: Call) -> Any:
    who = call.get("userid", call.user)
    if who != call.user and who.partition("!")[0] != call.user:
        call.require("/access", "Sys.Audit")
    site = call.site
    if call.get("path"):
        paths = [call.params["path"]]
    else:
        paths = sorted(
            set(site.acl)
            | ({"/", "/access", "/nodes", "/pool", "/sdn", "/storage", "/vms"} if who == "root@pam" else set())
        )
    found = {path: privileges.of(site, who, path) for path in paths}
    return {path: held for path, held in found.items() if held or call.get("path")}


# --- users


def _user(site: Site, userid: str) -> dict[str, Any]:
    if userid not in site.users:
        raise fail(f"no such user ('{userid}')")
    return site.users[userid]


_FIELDS = ("comment", "email", "firstname", "lastname", "keys")


def _tokens(user: dict[str, Any]) -> dict[str, Any] | None:
    return {name: _token_shown(t) for name, t in user["tokens"].items()} or None


def _token_shown(token: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in token.items() if key != "secret"}


@route("GET /access/users")
def list_users(call: Call) -> Any:
    rows = []
    for userid, user in sorted(call.site.users.items()):
        own = userid == call.user
        if not own and not call.may("/access/groups", "User.Modify", "Sys.Audit"):
            groups = user["groups"]
            if not any(call.may(f"/access/groups/{g}", "User.Modify", "Sys.Audit") for g in groups):
                continue
        if call.get("enabled") is not None and bool(user.get("enable", 1)) != bool(call.params["enabled"]):
            continue
        row = {"userid": userid, "enable": user.get("enable", 1), "expire": user.get("expire", 0)}
        row.update({key: user[key] for key in _FIELDS if key in user})
        row["realm-type"] = call.site.realms.get(userid.rpartition("@")[2], {}).get("type", "")
        if call.get("full"):
            row["groups"] = ",".join(user["groups"])
            tokens = [{"tokenid": name, **_token_shown(t)} for name, t in user["tokens"].items()]
            row["tokens"] = tokens or None
        rows.append(row)
    return rows


@route("GET /access/users/{userid}")
def read_user(call: Call) -> Any:
    user = _user(call.site, call.params["userid"])
    out = {"enable": user.get("enable", 1), "expire": user.get("expire", 0), "groups": list(user["groups"])}
    out.update({key: user[key] for key in _FIELDS if key in user})
    return {**out, "tokens": _tokens(user)}


def _groups(call: Call, text: str, doing: str) -> list[str]:
    wanted = split_list(text)
    for name in wanted:
        if name not in call.site.groups:
            raise fail(f"{doing} user failed: no such group '{name}'")
    return wanted


@route("POST /access/users")
def create_user(call: Call) -> Any:
    userid = call.params["userid"]
    if userid in call.site.users:
        raise fail(f"create user failed: user '{userid}' already exists")
    user: dict[str, Any] = {"enable": call.get("enable", 1), "expire": call.get("expire", 0), "tokens": {}}
    user["groups"] = _groups(call, call.get("groups", ""), "create")
    user.update({key: call.params[key] for key in _FIELDS if call.get(key)})
    call.site.users[userid] = user
    if call.get("password"):
        set_password(call.site, userid, call.params["password"])


@route("PUT /access/users/{userid}")
def update_user(call: Call) -> Any:
    userid = call.params["userid"]
    if userid not in call.site.users:
        raise fail(f"update user failed: no such user ('{userid}')")
    user = call.site.users[userid]
    for key in (*_FIELDS, "enable", "expire"):
        if key in call.params:
            user[key] = call.params[key]
    if "groups" in call.params:
        wanted = _groups(call, call.params["groups"], "update")
        user["groups"] = list(dict.fromkeys([*(user["groups"] if call.get("append") else []), *wanted]))


@route("DELETE /access/users/{userid}")
def delete_user(call: Call) -> Any:
    userid = call.params["userid"]
    if userid == "root@pam":
        raise fail("delete user failed: can't delete root@pam")
    call.site.users.pop(userid, None)
    _forget(call.site, "user", userid)
    for kind, who in {(kind, who) for rows in call.site.acl.values() for (kind, who, _role) in rows}:
        if kind == "token" and who.startswith(f"{userid}!"):
            _forget(call.site, "token", who)


def _forget(site: Site, kind: str, who: str) -> None:
    for rows in site.acl.values():
        for key in [key for key in rows if key[:2] == (kind, who)]:
            del rows[key]


# --- tokens

T = "/access/users/{userid}/token"


@route(f"GET {T}")
def list_tokens(call: Call) -> Any:
    user = _user(call.site, call.params["userid"])
    return [{"tokenid": name, **_token_shown(token)} for name, token in user["tokens"].items()]


def _token(call: Call) -> dict[str, Any]:
    userid, name = call.params["userid"], call.params["tokenid"]
    found: dict[str, Any] | None = _user(call.site, userid)["tokens"].get(name)
    if found is None:
        raise fail(f"no such token '{name}' for user '{userid}'")
    return found


@route(f"GET {T}/{{tokenid}}")
def read_token(call: Call) -> Any:
    return _token_shown(_token(call))


@route(f"POST {T}/{{tokenid}}")
def create_token(call: Call) -> Any:
    userid, name = call.params["userid"], call.params["tokenid"]
    user = _user(call.site, userid)
    if name in user["tokens"]:
        raise bad(tokenid="Token already exists.")
    token: dict[str, Any] = {"expire": call.get("expire", 0), "privsep": call.get("privsep", 1)}
    if call.get("comment"):
        token["comment"] = call.params["comment"]
    info = {key: str(value) if key == "privsep" else value for key, value in token.items() if key != "expire"}
    if call.get("expire"):
        info["expire"] = str(token["expire"])
    token["secret"] = call.fleet.uuid()
    user["tokens"][name] = token
    return {"full-tokenid": f"{userid}!{name}", "info": info, "value": token["secret"]}


@route(f"PUT {T}/{{tokenid}}")
def update_token(call: Call) -> Any:
    token = _token(call)
    for key in split_list(call.get("delete", "")):
        token.pop(key, None)
    token.update({key: call.params[key] for key in ("comment", "expire", "privsep") if key in call.params})
    out = _token_shown(token)
    if "expire" in call.params:
        out["expire"] = str(out["expire"])
    if call.get("regenerate"):
        token["secret"] = call.fleet.uuid()
        out["value"] = token["secret"]
        out["full-tokenid"] = f"{call.params['userid']}!{call.params['tokenid']}"
    return out


@route(f"DELETE {T}/{{tokenid}}")
def delete_token(call: Call) -> Any:
    _token(call)
    userid, name = call.params["userid"], call.params["tokenid"]
    del call.site.users[userid]["tokens"][name]
    _forget(call.site, "token", f"{userid}!{name}")


# --- groups


@route("GET /access/groups")
def list_groups(call: Call) -> Any:
    rows = []
    for name, group in sorted(call.site.groups.items()):
        if call.may("/access/groups", "User.Modify", "Sys.Audit", "Group.Allocate") or call.may(
            f"/access/groups/{name}", "User.Modify", "Sys.Audit", "Group.Allocate"
        ):
            row = {"groupid": name, "users": ",".join(_members(call.site, name))}
            rows.append({**row, "comment": group["comment"]} if group.get("comment") else row)
    return rows


def _members(site: Site, group: str) -> list[str]:
    return sorted(userid for userid, user in site.users.items() if group in user["groups"])


def _group(call: Call, doing: str = "") -> dict[str, Any]:
    name = call.params["groupid"]
    if name not in call.site.groups:
        raise fail(f"{doing}group '{name}' does not exist")
    return call.site.groups[name]


@route("GET /access/groups/{groupid}")
def read_group(call: Call) -> Any:
    group = _group(call)
    out: dict[str, Any] = {"members": _members(call.site, call.params["groupid"])}
    return {**out, "comment": group["comment"]} if group.get("comment") else out


@route("POST /access/groups")
def create_group(call: Call) -> Any:
    name = call.params["groupid"]
    if name in call.site.groups:
        raise fail(f"create group failed: group '{name}' already exists")
    call.site.groups[name] = {"comment": call.get("comment", "")}


@route("PUT /access/groups/{groupid}")
def update_group(call: Call) -> Any:
    group = _group(call, "update group failed: ")
    if "comment" in call.params:
        group["comment"] = call.params["comment"]


@route("DELETE /access/groups/{groupid}")
def delete_group(call: Call) -> Any:
    _group(call, "delete group failed: ")
    name = call.params["groupid"]
    del call.site.groups[name]
    _forget(call.site, "group", name)
    for user in call.site.users.values():
        user["groups"] = [g for g in user["groups"] if g != name]


# --- roles


@route("GET /access/roles")
def list_roles(call: Call) -> Any:
    rows = []
    for name in [*privileges.ROLES, *call.site.roles]:
        row: dict[str, Any] = {"roleid": name, "privs": ",".join(sorted(call.site.role(name)))}
        row["special"] = int(name in privileges.ROLES)
        rows.append(row)
    return rows


@route("GET /access/roles/{roleid}")
def read_role(call: Call) -> Any:
    name = call.params["roleid"]
    if name not in privileges.ROLES and name not in call.site.roles:
        raise fail(f"role '{name}' does not exist")
    return dict.fromkeys(sorted(call.site.role(name)), 1)


@route("POST /access/roles")
def create_role(call: Call) -> Any:
    name = call.params["roleid"]
    if name.lower().startswith("pve"):
        raise bad(roleid="cannot use role ID starting with the (case-insensitive) 'PVE' namespace")
    if name in call.site.roles or name in privileges.ROLES:
        raise fail(f"create role failed: role '{name}' already exists")
    call.site.roles[name] = split_list(call.get("privs", ""))


@route("PUT /access/roles/{roleid}")
def update_role(call: Call) -> Any:
    name = call.params["roleid"]
    if name in privileges.ROLES:
        raise fail(f"auto-generated role '{name}' cannot be modified")
    if name not in call.site.roles:
        raise fail(f"update role failed: role '{name}' does not exist")
    given = split_list(call.get("privs", ""))
    kept = call.site.roles[name] if call.get("append") else []
    call.site.roles[name] = list(dict.fromkeys([*kept, *given]))


@route("DELETE /access/roles/{roleid}")
def delete_role(call: Call) -> Any:
    name = call.params["roleid"]
    if name in privileges.ROLES:
        raise fail(f"auto-generated role '{name}' cannot be deleted")
    if name not in call.site.roles:
        raise fail(f"delete role failed: role '{name}' does not exist")
    del call.site.roles[name]


# --- ACL


@route("GET /access/acl")
def read_acl(call: Call) -> Any:
    rows = []
    for path, entries in sorted(call.site.acl.items()):
        if not call.may("/access", "Sys.Audit") and not call.may(path, "Permissions.Modify"):
            continue
        for (kind, who, role), propagate in entries.items():
            rows.append({"path": path, "type": kind, "ugid": who, "roleid": role, "propagate": propagate})
    return rows


@route("PUT /access/acl")
def write_acl(call: Call) -> Any:
    given = {kind: split_list(call.get(f"{kind}s", "")) for kind in ("user", "group", "token")}
    if not any(given.values()):
        text = "either 'users', 'groups' or 'tokens' is required."
        raise bad(users=text, groups=text, tokens=text)
    path = "/" + "/".join(part for part in call.params["path"].split("/") if part)
    if not _ACL_PATH.fullmatch(path):
        raise bad(path=f"invalid ACL path '{call.params['path']}'")
    site, remove = call.site, call.get("delete")
    roles = split_list(call.params["roles"])
    for role in roles:
        if role not in privileges.ROLES and role not in site.roles:
            raise fail(f"ACL update failed: role '{role}' does not exist")
    if not remove:
        _check_principals(site, given)
    if not call.may("/", "Permissions.Modify") and not call.may(path, "Permissions.Modify"):
        mine = privileges.of(site, call.user, path)
        if any(privilege not in mine for role in roles for privilege in site.role(role)):
            raise forbidden(f"{path}, Permissions.Modify")
    rows = site.acl.setdefault(path, {})
    for kind, names in given.items():
        for who in names:
            for role in roles:
                if remove:
                    rows.pop((kind, who, role), None)
                else:
                    rows[kind, who, role] = call.get("propagate", 1)
    if not rows:
        del site.acl[path]


def _check_principals(site: Site, given: dict[str, list[str]]) -> None:
    for who in given["group"]:
        if who not in site.groups:
            raise fail(f"ACL update failed: group '{who}' does not exist")
    for who in given["user"]:
        if who not in site.users:
            raise fail(f"ACL update failed: no such user ('{who}')")
    for who in given["token"]:
        user, _unused, name = who.partition("!")
        if name not in site.users.get(user, {}).get("tokens", {}):
            raise fail(f"ACL update failed: no such token '{name}' for user '{user}'")


# --- realms


@route("GET /access/domains")
def list_realms(call: Call) -> Any:
    return [{"realm": name, **_realm_row(realm)} for name, realm in sorted(call.site.realms.items())]


def _realm_row(realm: dict[str, Any]) -> dict[str, Any]:
    return {key: realm[key] for key in ("type", "comment", "default", "tfa") if key in realm}


def _realm(call: Call) -> dict[str, Any]:
    name = call.params["realm"]
    if name not in call.site.realms:
        raise fail(f"domain '{name}' does not exist")
    return call.site.realms[name]


@route("GET /access/domains/{realm}")
def read_realm(call: Call) -> Any:
    realm = _realm(call)
    return {**{k: v for k, v in realm.items() if k != "password"}, "digest": sha1(call.site.realms)}


@route("POST /access/domains")
def create_realm(call: Call) -> Any:
    name, kind = call.params["realm"], call.params["type"]
    if name in call.site.realms:
        raise fail(f"add auth server failed: domain '{name}' already exists")
    if kind in ("pam", "pve"):
        raise fail(f"add auth server failed: unable to create builtin type '{kind}'")
    needed = {
        "openid": ("issuer-url", "client-id"),
        "ldap": ("base_dn", "user_attr", "server1"),
        "ad": ("domain", "server1"),
    }
    missing = {key: "property is missing and it is not optional" for key in needed[kind] if key not in call.params}
    if missing:
        raise bad_params(missing)
    call.site.realms[name] = {k: v for k, v in call.params.items() if k != "realm"}


@route("PUT /access/domains/{realm}")
def update_realm(call: Call) -> Any:
    realm = _realm(call)
    digest = call.get("digest")
    if digest and digest != sha1(call.site.realms):
        raise fail(
            "update auth server failed: detected modified configuration - file changed by other user? Try again."
        )
    for key in split_list(call.get("delete", "")):
        realm.pop(key, None)
    realm.update({k: v for k, v in call.params.items() if k not in ("realm", "delete", "digest")})


@route("DELETE /access/domains/{realm}")
def delete_realm(call: Call) -> Any:
    _realm(call)
    del call.site.realms[call.params["realm"]]
