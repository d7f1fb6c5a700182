# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Firewalls of the cluster, of nodes and of guests. Each of them is one object: what belongs together changes together.

The cluster's own options are an object of their own that comes last: what is switched on must be complete by then.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .._objects import AdapterError, Current, Desired, DesiredError
from .._values import ABSENT
from . import firewall_rules as rules
from . import trymode
from .networks import try_spec
from .session import ApiReader, Session, flag, missing_names

CLUSTER, SWITCH = "cluster", "cluster options"
WAYS_IN = (8006, 22)
LEVELS = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "nolog"]
POLICIES = ["ACCEPT", "REJECT", "DROP"]
# What an option is when nobody has set it.
DEFAULTS: dict[str, dict[str, Any]] = {
    "cluster": {
        "enable": False,
        "ebtables": True,
        "policy_in": "DROP",
        "policy_out": "ACCEPT",
        "policy_forward": "ACCEPT",
    },
    "node": {
        "enable": True,
        "nftables": False,
        "ndp": True,
        "nosmurfs": True,
        "tcpflags": False,
        "protection_synflood": False,
        "nf_conntrack_max": 262144,
        "log_level_in": "nolog",
        "log_level_out": "nolog",
        "log_level_forward": "nolog",
    },
    "guest": {
        "enable": False,
        "dhcp": False,
        "ndp": True,
        "radv": False,
        "macfilter": True,
        "ipfilter": False,
        "policy_in": "DROP",
        "policy_out": "ACCEPT",
        "log_level_in": "nolog",
        "log_level_out": "nolog",
    },
}


def _options_spec(level: str) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    for name, default in DEFAULTS[level].items():
        kind = "bool" if isinstance(default, bool) else "int" if isinstance(default, int) else "str"
        choices = LEVELS if name.startswith("log_level") else POLICIES if name.startswith("policy") else None
        choices = ["ACCEPT", "DROP"] if name == "policy_forward" else choices
        spec[name] = {"type": kind, **({"choices": choices} if choices else {})}
    return {"type": "dict", "options": spec}


def _rules_spec() -> dict[str, Any]:
    rule: dict[str, Any] = {name: {"type": "str"} for name in rules.TEXTS}
    rule["log"]["choices"] = LEVELS
    rule["type"] = {"type": "str", "choices": ["in", "out", "forward", "group"], "default": "in"}
    rule["action"] = {"type": "str", "required": True}
    rule["enable"] = {"type": "bool", "default": True}
    return {"type": "list", "elements": "dict", "options": rule}


def _named_spec(**more: Any) -> dict[str, Any]:
    options = {
        "name": {"type": "str", "required": True},
        "comment": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        **more,
    }
    return {"type": "list", "elements": "dict", "options": options}


def spec() -> dict[str, Any]:
    member = {
        "cidr": {"type": "str", "required": True},
        "nomatch": {"type": "bool", "default": False},
        "comment": {"type": "str", "default": ""},
    }
    named = {
        "aliases": _named_spec(cidr={"type": "str"}),
        "ipsets": _named_spec(members={"type": "list", "elements": "dict", "options": member}),
    }
    cluster = {
        "options": _options_spec("cluster"),
        "rules": _rules_spec(),
        **named,
        "groups": _named_spec(rules=_rules_spec()),
    }
    node = {"name": {"type": "str", "required": True}, "options": _options_spec("node"), "rules": _rules_spec()}
    guest = {
        "id": {"type": "int", "required": True},
        "name": {"type": "str", "required": True},
        "options": _options_spec("guest"),
        "rules": _rules_spec(),
        **named,
    }
    return {
        "cluster": {"type": "dict", "options": cluster},
        "nodes": {"type": "list", "elements": "dict", "options": node},
        "guests": {"type": "list", "elements": "dict", "options": guest},
        "prune": {"type": "bool", "default": False},
        "lockout_check": {"type": "bool", "default": True},
        "manager": {"type": "list", "elements": "str"},
        **try_spec(),
        "try_settle": {"type": "float", "default": 15.0},
    }


def desired(parameters: Mapping[str, Any]) -> Iterator[Desired]:
    problems: list[str] = []
    cluster = dict(parameters.get("cluster") or {})
    switch = cluster.pop("options", None)
    before: set[str] = set()
    if cluster:
        yield Desired(CLUSTER, _fields(cluster, CLUSTER, problems))
        before.add(CLUSTER)
    own: set[str] = set()
    for node in parameters.get("nodes") or ():
        key = f"node {node['name']}"
        yield Desired(key, _fields(node, key, problems), frozenset(before))
        own.add(key)
    for guest in parameters.get("guests") or ():
        key = f"guest {guest['id']}"
        fields = _fields(guest, f"{key} ({guest['name']})", problems)
        yield Desired(
            key,
            fields,
            frozenset(before),
            identity={"name": guest["name"]},
            label=f"guest {guest['name']} ({guest['id']})",
        )
        own.add(key)
    if switch:
        yield Desired(SWITCH, {"options": dict(switch)}, frozenset(before | own))
    if problems:
        raise DesiredError(problems)


def _fields(given: Mapping[str, Any], where: str, problems: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if given.get("options"):
        fields["options"] = dict(given["options"])
    if "aliases" in given:
        fields["aliases"] = {}
        for alias in given["aliases"]:
            gone = alias["state"] == "absent"
            if not gone and not alias.get("cidr"):
                problems.append(f"{where}: alias {alias['name']} has no cidr")
            fields["aliases"][alias["name"]] = ABSENT if gone else some(alias, "cidr", "comment")
    if "ipsets" in given:
        fields["ipsets"] = {}
        for ipset in given["ipsets"]:
            inner = some(ipset, "comment")
            if "members" in ipset:
                inner["members"] = {_cidr(m["cidr"]): some(m, "nomatch", "comment") for m in ipset["members"]}
            fields["ipsets"][ipset["name"]] = ABSENT if ipset["state"] == "absent" else inner
    if "groups" in given:
        fields["groups"] = {}
        for group in given["groups"]:
            inner = some(group, "comment")
            if "rules" in group:
                inner["rules"] = _rules(group["rules"], f"{where}: group {group['name']}", problems)
            fields["groups"][group["name"]] = ABSENT if group["state"] == "absent" else inner
    if "rules" in given:
        fields["rules"] = _rules(given["rules"], where, problems)
    return fields


def some(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: _cidr(given[name]) if name == "cidr" else given[name] for name in names if name in given}


def _rules(given: Sequence[Mapping[str, Any]], where: str, problems: list[str]) -> list[rules.Rule]:
    wanted = []
    for number, rule in enumerate(given, 1):
        made = rules.normal(rule)
        told = f"{where}: rule {number} '{rules.show(made)}'"
        if made["type"] != "group" and made["action"] not in POLICIES:
            problems.append(f"{told}: its action is none of {', '.join(POLICIES)}")
        if ("dport" in made or "sport" in made) and "proto" not in made and "macro" not in made:
            problems.append(f"{told}: a port needs proto, such as tcp")
        wanted.append(made)
    return wanted


def _cidr(text: str) -> str:
    """An address alone and with its whole prefix are the same."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return text
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def own_address(address: str) -> str:
    """The address that a connection from here to there would come from; nothing is sent."""
    host = trymode.host_of(address)
    try:
        family, kind, proto, _name, target = socket.getaddrinfo(host, 8006, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, proto) as one:
            one.connect(target)
            return str(one.getsockname()[0])
    except OSError:
        return ""


class Firewalls(ApiReader):
    kind = "firewall"

    def __init__(self, session: Session, parameters: Mapping[str, Any], source: Callable[[str], str] = own_address):
        super().__init__(session)
        self.parameters, self.source = parameters, source
        self.prune = bool(parameters.get("prune"))
        self.status: list[Mapping[str, Any]] = []
        self.guests: dict[int, Mapping[str, Any]] = {}
        self.exact = frozenset(self._exact())

    def _exact(self) -> Iterator[str]:
        for level in (self.parameters.get("cluster") or {}, *(self.parameters.get("guests") or ())):
            yield from (f"ipsets.{item['name']}.members" for item in level.get("ipsets") or ())
        if self.prune:
            yield from ("aliases", "ipsets", "groups")

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        pve = self.session.pve
        self.status = pve.get("/cluster/status")
        if any(item.key.startswith("guest ") for item in desired):
            self.guests = {int(row["vmid"]): row for row in pve.get("/cluster/resources", type="vm")}
        keys = {item.key for item in desired}
        found = {SWITCH: self.one(SWITCH), CLUSTER: self.one(CLUSTER)}
        if keys - {key for key in keys if key.startswith("guest ")}:
            keys |= {f"node {name}" for name, up in self.nodes().items() if up}
        there = [key for key in keys - set(found) if self._there(key)]
        return [*found.values(), *self.session.each(self.one, sorted(there))]

    def nodes(self) -> dict[str, bool]:
        return {str(row["name"]): flag(row.get("online", 0)) for row in self.status if row.get("type") == "node"}

    def _there(self, key: str) -> bool:
        kind, _sign, name = key.partition(" ")
        return bool(self.nodes().get(name)) if kind == "node" else int(name) in self.guests

    def base(self, key: str) -> str:
        kind, _sign, name = key.partition(" ")
        if kind == "node":
            return f"/nodes/{name}/firewall"
        if kind == "guest":
            return f"/nodes/{self.guests[int(name)]['node']}/qemu/{name}/firewall"
        return "/cluster/firewall"

    def one(self, key: str) -> Current:
        """One firewall as it is."""
        get, base = self.session.pve.get, self.base(key)
        kind = key.partition(" ")[0]
        fields: dict[str, Any] = {}
        identity: dict[str, Any] = {}
        if key != CLUSTER:
            fields["options"] = options_of(kind, get(f"{base}/options"))
        if key == SWITCH:
            return Current(key, fields)
        fields["rules"] = [rules.normal(row) for row in get(f"{base}/rules")]
        if kind != "node":
            fields["aliases"] = {
                str(row["name"]): {"cidr": _cidr(str(row["cidr"])), "comment": str(row.get("comment", ""))}
                for row in get(f"{base}/aliases")
            }
            fields["ipsets"] = {str(row["name"]): self._ipset(base, row) for row in get(f"{base}/ipset")}
        if kind == "cluster":
            fields["groups"] = {
                str(row["group"]): {
                    "comment": str(row.get("comment", "")),
                    "rules": [rules.normal(rule) for rule in get(f"{base}/groups/{row['group']}")],
                }
                for row in get(f"{base}/groups")
            }
        if kind == "guest":
            # The list may be seconds old; the name decides whether this is the guest that was meant.
            row = self.guests[int(key.partition(" ")[2])]
            config = get(f"/nodes/{row['node']}/qemu/{row['vmid']}/config")
            identity = {"name": str(config.get("name", ""))}
        return Current(key, fields, identity=identity)

    def _ipset(self, base: str, row: Mapping[str, Any]) -> dict[str, Any]:
        members = self.session.pve.get(f"{base}/ipset/{row['name']}")
        return {
            "comment": str(row.get("comment", "")),
            "members": {
                _cidr(str(m["cidr"])): {"nomatch": flag(m.get("nomatch", 0)), "comment": str(m.get("comment", ""))}
                for m in members
            },
        }

    def same(self, path: str, wanted: Any, found: Any) -> bool:
        if path == "rules" and not self.prune:
            return bool(found[: len(wanted)] == wanted)
        return False

    def warn(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        for item in desired:
            if "rules" in item.fields and item.key in current and not self.prune:
                wanted, found = item.fields["rules"], current[item.key].fields["rules"]
                extra = rules.target(wanted, found, exact=False)[len(wanted) :]
                if extra:
                    told = "; ".join(rules.show(rule) for rule in extra[:5])
                    yield f"{item.label or item.key}: {len(extra)} rules that are not ours stay behind ours: {told}"

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        nodes = self.nodes()
        named = [item.key.partition(" ")[2] for item in desired if item.key.startswith("node ")]
        yield from missing_names("node", named, list(nodes), "nodes")
        yield from (
            f"node {name}: it is offline, its firewall cannot be changed" for name in named if not nodes.get(name, 1)
        )
        for item in desired:
            kind, _sign, number = item.key.partition(" ")
            if kind == "guest" and int(number) not in self.guests:
                yield f"{item.label}: there is no guest with that id; did its machine move or was it removed?"
        if self.parameters["lockout_check"]:
            yield from self._lockouts(desired, current)

    def _lockouts(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterator[str]:
        wanted = {item.key: item.fields for item in desired}
        if not any(key in wanted for key in current if not key.startswith("guest ")):
            return
        book = book_of(wanted, current, self.prune)
        where = trymode.doors(list(self.nodes()), self.parameters["reach"], self.status, self.session.pve.connection)
        for node, up in self.nodes().items():
            if not up:
                continue
            now = current[f"node {node}"].fields
            mine = wanted.get(f"node {node}", {})
            enabled = {**now["options"], **mine.get("options", {})}["enable"]
            after = rules.target(mine["rules"], now["rules"], exact=self.prune) if "rules" in mine else now["rules"]
            for source in self.parameters.get("manager") or [self.source(where[node].address)]:
                for port in WAYS_IN:
                    cause = rules.shut_out(book, enabled, after, source, port) if source else ""
                    if cause:
                        yield (
                            f"node {node}: its firewall would refuse {source} at port {port} ({cause}), and that is "
                            f"where this run comes from; put {source} into the ipset management, or accept it in a "
                            "rule above; lockout_check: false goes on without this check"
                        )


def options_of(kind: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """All options in our types, with the defaults of what nobody has set."""
    options = {}
    for name, default in DEFAULTS[kind].items():
        value = found.get(name, default)
        options[name] = flag(value) if isinstance(default, bool) else type(default)(value)
    return options


def book_of(wanted: Mapping[str, Mapping[str, Any]], current: Mapping[str, Current], prune: bool) -> rules.Book:
    """The cluster's firewall as it will be."""
    now, mine = current[CLUSTER].fields, wanted.get(CLUSTER, {})
    switch = {**current[SWITCH].fields["options"], **wanted.get(SWITCH, {}).get("options", {})}

    def merged(kind: str) -> dict[str, Any]:
        kept = {} if prune and kind in mine else now[kind]
        out = dict(kept)
        for name, value in mine.get(kind, {}).items():
            out.pop(name, None)
            if value is not ABSENT:
                out[name] = {**now[kind].get(name, {}), **value}
        return out

    after = rules.target(mine["rules"], now["rules"], exact=prune) if "rules" in mine else now["rules"]
    return rules.Book(
        enabled=bool(switch["enable"]),
        policy_in=str(switch["policy_in"]),
        rules=after,
        groups={name: value.get("rules", []) for name, value in merged("groups").items()},
        ipsets={name: value.get("members", {}) for name, value in merged("ipsets").items()},
        aliases={name: value["cidr"] for name, value in merged("aliases").items()},
    )


INFO = {
    "nodes": {"type": "list", "elements": "str"},
    "guests": {"type": "list", "elements": "int", "default": []},
}


def info(session: Session, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """For proxmox_firewall_info: what was found, in the words that the module takes."""
    reader = Firewalls(session, {})
    reader.status = session.pve.get("/cluster/status")
    there = reader.nodes()
    nodes = parameters.get("nodes", sorted(name for name, up in there.items() if up))
    problems = missing_names("node", nodes, list(there), "nodes")
    problems += [f"node {name} is offline, its firewall cannot be read" for name in nodes if not there.get(name, True)]
    if parameters["guests"]:
        rows = session.pve.get("/cluster/resources", type="vm")
        reader.guests = {int(row["vmid"]): row for row in rows if row.get("type") == "qemu"}
        ids = [str(vmid) for vmid in parameters["guests"]]
        problems += missing_names("virtual machine", ids, [str(vmid) for vmid in reader.guests], "guests")
    if problems:
        raise AdapterError("; ".join(problems))
    keys = [CLUSTER, SWITCH, *(f"node {name}" for name in nodes), *(f"guest {vmid}" for vmid in parameters["guests"])]
    cluster, switch, *others = session.each(reader.one, keys)
    return {
        "cluster": {**switch.fields, **_given(cluster.fields)},
        "nodes": [
            {"name": item.key.partition(" ")[2], **_given(item.fields)}
            for item in others
            if item.key.startswith("node")
        ],
        "guests": [
            {"id": int(item.key.partition(" ")[2]), **item.identity, **_given(item.fields)}
            for item in others
            if item.key.startswith("guest")
        ],
    }


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(fields)
    for kind in ("aliases", "ipsets", "groups"):
        if kind in found:
            found[kind] = [{"name": name, **inner} for name, inner in sorted(found[kind].items())]
    for ipset in found.get("ipsets", ()):
        ipset["members"] = [{"cidr": cidr, **member} for cidr, member in ipset["members"].items()]
    return found
