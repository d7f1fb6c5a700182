# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewalls of the cluster, of nodes and of guests: rules by position, aliases, IP sets, security groups, options."""

from __future__ import annotations

from typing import Any

from .errors import ApiError, bad, fail
from .routes import ROUTES, Call, index
from .validate import split_list
from .world import sha1

CLUSTER, NODE, GUEST = "/cluster/firewall", "/nodes/{node}/firewall", "/nodes/{node}/qemu/{vmid}/firewall"
_CHANGED = "detected modified configuration - file changed by other user? Try again."
_MACROS = (
    "SSH",
    "HTTP",
    "HTTPS",
    "DNS",
    "Ping",
    "NTP",
    "SMTP",
    "Web",
    "Ceph",
    "PostgreSQL",
    "MySQL",
    "BGP",
    "VNC",
    "SNMP",
)
_RULE_SKIP = {"node", "vmid", "group", "pos", "digest", "delete", "moveto", "vnet"}


def _book(call: Call) -> dict[str, Any]:
    """The firewall a request is about."""
    if call.path.startswith(GUEST):
        call.guest()
        book = call.site.guest_firewalls.setdefault(call.params["vmid"], {})
    elif call.path.startswith(NODE):
        book = call.node.firewall
    else:
        book = call.site.firewall
    for key, empty in (("rules", []), ("options", {}), ("aliases", {}), ("ipset", {}), ("groups", {})):
        book.setdefault(key, empty.copy())
    return book


def _check(call: Call, value: Any) -> None:
    digest = call.get("digest")
    if digest and digest != sha1(value):
        raise fail(_CHANGED)


# --- rules


def _rules(call: Call) -> list[dict[str, Any]]:
    book = _book(call)
    if "{group}" in call.path:
        group = call.params["group"]
        if group not in book["groups"]:
            raise fail(f"no such security group '{group}'")
        return list_of(book["groups"][group])
    return list_of(book)


def list_of(book: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = book["rules"]
    return rows


def list_rules(call: Call) -> Any:
    rows = _rules(call)
    digest = sha1(rows)
    return [{"pos": pos, "digest": digest, **row} for pos, row in enumerate(rows)]


def _checked(call: Call, rule: dict[str, Any]) -> dict[str, Any]:
    if ("dport" in rule or "sport" in rule) and "proto" not in rule and "macro" not in rule:
        key = "dport" if "dport" in rule else "sport"
        raise bad(proto=f"missing property - '{key}' requires this property")
    if rule["type"] == "group":
        groups = call.site.firewall.get("groups", {})
        if rule["action"] not in groups:
            raise bad(action=f"no such security group '{rule['action']}'")
    elif rule["action"] not in ("ACCEPT", "DROP", "REJECT"):
        raise bad(action=f"unknown action '{rule['action']}'")
    if rule.get("macro") and rule["macro"] not in _MACROS:
        raise bad(macro=f"unknown macro '{rule['macro']}'")
    for key in ("source", "dest"):
        for part in split_list(str(rule.get(key, ""))):
            name = part.removeprefix("+").rpartition("/")[2] if part.startswith("+") else ""
            if name and not _set_known(call, name):
                raise bad(**{key: f"no such ipset '{name}'"})
    return rule


def _set_known(call: Call, name: str) -> bool:
    return name in _book(call)["ipset"] or name in call.site.firewall.get("ipset", {}) or name == "management"


def create_rule(call: Call) -> Any:
    rows = _rules(call)
    _check(call, rows)
    rule = {"enable": 0, **{k: v for k, v in call.params.items() if k not in _RULE_SKIP}}
    pos = min(call.get("pos", 0), len(rows))
    rows.insert(pos, _checked(call, rule))


def _at(call: Call) -> dict[str, Any]:
    rows: list[dict[str, Any]] = _rules(call)
    if call.params["pos"] >= len(rows):
        raise fail(f"no rule at position {call.params['pos']}")
    row: dict[str, Any] = rows[call.params["pos"]]
    return row


def read_rule(call: Call) -> Any:
    return {"pos": call.params["pos"], "digest": sha1(_rules(call)), **_at(call)}


def update_rule(call: Call) -> Any:
    rows, rule = _rules(call), _at(call)
    _check(call, rows)
    if "moveto" in call.params:
        target = call.params["moveto"]
        rows.insert(target, rule)
        del rows[call.params["pos"] + (1 if target <= call.params["pos"] else 0)]
        return
    new = {**rule, **{k: v for k, v in call.params.items() if k not in _RULE_SKIP}}
    for key in split_list(call.get("delete", "")):
        new.pop(key, None)
    rows[call.params["pos"]] = _checked(call, new)


def delete_rule(call: Call) -> Any:
    rows = _rules(call)
    _at(call)
    _check(call, rows)
    del rows[call.params["pos"]]


# --- options


def read_options(call: Call) -> Any:
    options = _book(call)["options"]
    return {**options, "digest": sha1(options)}


def write_options(call: Call) -> Any:
    options = _book(call)["options"]
    _check(call, options)
    for key in split_list(call.get("delete", "")):
        options.pop(key, None)
    options.update({k: v for k, v in call.params.items() if k not in ("node", "vmid", "delete", "digest")})


# --- aliases


def list_aliases(call: Call) -> Any:
    rows = _book(call)["aliases"]
    return [{"name": name, "digest": sha1(rows), **row} for name, row in rows.items()]


def create_alias(call: Call) -> Any:
    rows, name = _book(call)["aliases"], call.params["name"]
    if name in rows:
        raise bad(name=f"alias '{name}' already exists")
    rows[name] = {k: v for k, v in call.params.items() if k in ("cidr", "comment")}


def _named(call: Call, kind: str, text: str) -> Any:
    rows, name = _book(call)[kind], call.params["name"]
    if name not in rows:
        raise fail(text.format(name)) if kind == "ipset" else bad(name=text.format(name))
    return rows[name]


def read_alias(call: Call) -> Any:
    return {"name": call.params["name"], **_named(call, "aliases", "no such alias")}


def update_alias(call: Call) -> Any:
    rows, name = _book(call)["aliases"], call.params["name"]
    _named(call, "aliases", "no such alias")
    _check(call, rows)
    del rows[name]
    rows[call.get("rename", name)] = {k: v for k, v in call.params.items() if k in ("cidr", "comment")}


def delete_alias(call: Call) -> Any:
    _check(call, _book(call)["aliases"])
    _book(call)["aliases"].pop(call.params["name"], None)


# --- IP sets


def list_sets(call: Call) -> Any:
    rows = []
    sets = _book(call)["ipset"]
    for name, row in sets.items():
        out = {"name": name, "digest": sha1(sets)}
        rows.append({**out, "comment": row["comment"]} if row.get("comment") else out)
    return rows


def create_set(call: Call) -> Any:
    sets, name, rename = _book(call)["ipset"], call.params["name"], call.get("rename")
    _check(call, sets)
    if rename:
        if rename not in sets:
            raise fail(f"IPSet '{rename}' does not exist")
        sets[name] = sets.pop(rename)
        if "comment" in call.params:
            sets[name]["comment"] = call.params["comment"]
        return
    if name in sets:
        raise fail(f"IPSet '{name}' already exists")
    sets[name] = {"comment": call.get("comment", ""), "members": {}}


def _set(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = _named(call, "ipset", "no such IPSet '{}'")
    return found


def read_set(call: Call) -> Any:
    members = _set(call)["members"]
    return [{"cidr": cidr, "digest": sha1(members), **row} for cidr, row in members.items()]


def delete_set(call: Call) -> Any:
    if _set(call)["members"] and not call.get("force"):
        raise fail(f"IPSet '{call.params['name']}' is not empty")
    del _book(call)["ipset"][call.params["name"]]


def add_member(call: Call) -> Any:
    members, cidr = _set(call)["members"], call.params["cidr"]
    if cidr in members:
        raise bad(cidr=f"address '{cidr}' already exists")
    members[cidr] = {k: v for k, v in call.params.items() if k in ("comment", "nomatch")}


def _member(call: Call) -> dict[str, Any]:
    members = _set(call)["members"]
    if call.params["cidr"] not in members:
        raise bad(cidr="no such IP/Network")
    found: dict[str, Any] = members[call.params["cidr"]]
    return found


def read_member(call: Call) -> Any:
    return {"cidr": call.params["cidr"], **_member(call)}


def update_member(call: Call) -> Any:
    _member(call).update({k: v for k, v in call.params.items() if k in ("comment", "nomatch")})


def delete_member(call: Call) -> Any:
    _set(call)["members"].pop(call.params["cidr"], None)


# --- security groups, the rest


def list_groups(call: Call) -> Any:
    groups = _book(call)["groups"]
    rows = []
    for name, row in groups.items():
        out = {"group": name, "digest": sha1(groups)}
        rows.append({**out, "comment": row["comment"]} if row.get("comment") else out)
    return rows


def create_group(call: Call) -> Any:
    groups, name, rename = _book(call)["groups"], call.params["group"], call.get("rename")
    _check(call, groups)
    if rename:
        if rename not in groups:
            raise fail(f"Security group '{rename}' does not exist")
        groups[name] = groups.pop(rename)
        if "comment" in call.params:
            groups[name]["comment"] = call.params["comment"]
        return
    if name in groups:
        raise fail(f"Security group '{name}' already exists")
    groups[name] = {"comment": call.get("comment", ""), "rules": []}


def delete_group(call: Call) -> Any:
    groups, name = _book(call)["groups"], call.params["group"]
    if name not in groups:
        raise ApiError(500, f"Security group '{name}' does not exist")
    if groups[name]["rules"]:
        raise fail(f"Security group '{name}' is not empty")
    del groups[name]


def macros(_call: Call) -> Any:
    return [{"macro": name, "descr": f"{name} traffic"} for name in _MACROS]


def refs(call: Call) -> Any:
    rows = []
    books = [("guest", _book(call))] if call.path.startswith(GUEST) else []
    books.append(("dc", call.site.firewall))
    for scope, book in books:
        for kind, key in (("alias", "aliases"), ("ipset", "ipset")):
            for name in book.get(key, {}):
                ref = f"+{scope}/{name}" if kind == "ipset" else f"{scope}/{name}"
                rows.append({"type": kind, "name": name, "ref": ref, "scope": scope})
    return [row for row in rows if call.get("type") in (None, row["type"])]


def log(_call: Call) -> Any:
    return []


def _register() -> None:
    rules = {"GET": list_rules, "POST": create_rule}
    one = {"GET": read_rule, "PUT": update_rule, "DELETE": delete_rule}
    for base in (CLUSTER, NODE, GUEST):
        paths: dict[str, dict[str, Any]] = {
            "/rules": rules,
            "/rules/{pos}": one,
            "/options": {"GET": read_options, "PUT": write_options},
        }
        if base != NODE:
            paths["/aliases"] = {"GET": list_aliases, "POST": create_alias}
            paths["/aliases/{name}"] = {"GET": read_alias, "PUT": update_alias, "DELETE": delete_alias}
            paths["/ipset"] = {"GET": list_sets, "POST": create_set}
            paths["/ipset/{name}"] = {"GET": read_set, "POST": add_member, "DELETE": delete_set}
            paths["/ipset/{name}/{cidr}"] = {"GET": read_member, "PUT": update_member, "DELETE": delete_member}
            paths["/refs"] = {"GET": refs}
        if base == CLUSTER:
            paths["/groups"] = {"GET": list_groups, "POST": create_group}
            paths["/groups/{group}"] = {**rules, "DELETE": delete_group}
            paths["/groups/{group}/{pos}"] = one
            paths["/macros"] = {"GET": macros}
        else:
            paths["/log"] = {"GET": log}
        for path, methods in paths.items():
            for method, handler in methods.items():
                ROUTES[method, base + path] = handler
    index(CLUSTER, "rules", "groups", "ipset", "aliases", "options", "macros", "refs")
    index(NODE, "rules", "options", "log")
    index(GUEST, "rules", "options", "aliases", "ipset", "log", "refs")


_register()
