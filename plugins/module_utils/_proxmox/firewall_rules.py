# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Rules of Proxmox's firewall: one form for them, and whether they still let somebody in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Rule = dict[str, Any]

TEXTS = {
    "macro": "macro",
    "source": "source",
    "dest": "dest",
    "proto": "proto",
    "sport": "sport",
    "dport": "dport",
    "iface": "iface",
    "log": "log",
    "icmp_type": "icmp-type",
    "comment": "comment",
}
MACROS = {"SSH": ("tcp", "22"), "HTTPS": ("tcp", "443"), "HTTP": ("tcp", "80"), "Web": ("tcp", "80,443")}
# Macros that surely do not touch the ports that we come in by.
OTHER_MACROS = {"Ping", "DNS", "NTP", "HTTP", "HTTPS", "Web", "SMTP", "SNMP", "PostgreSQL", "MySQL", "Ceph", "BGP"}
SERVICES = {"ssh": 22, "http": 80, "https": 443}


def normal(rule: Mapping[str, Any]) -> Rule:
    """A rule of ours or of the API, so that equal ones are equal."""
    kind = str(rule.get("type") or "in").lower()
    action = str(rule["action"])
    found: Rule = {"type": kind, "action": action if kind == "group" else action.upper()}
    for name, api in TEXTS.items():
        value = rule.get(name, rule.get(api))
        if value not in (None, "") and not (name == "log" and value == "nolog"):
            found[name] = _spelt(name, str(value).strip())
    found["enable"] = str(rule.get("enable", 1)).lower() in ("1", "true", "yes")
    return found


def _spelt(name: str, value: str) -> str:
    if name == "proto":
        return value.lower()
    if name in ("source", "dest", "sport", "dport"):
        return ",".join(part.strip() for part in value.split(",") if part.strip())
    return value


def params(rule: Mapping[str, Any]) -> dict[str, Any]:
    """As the API takes it."""
    sent = {TEXTS.get(name, name): value for name, value in rule.items()}
    sent["enable"] = int(bool(rule["enable"]))
    return sent


def show(rule: Mapping[str, Any]) -> str:
    words = [str(rule["type"]), str(rule["action"])]
    words += [f"{name}={rule[name]}" for name in TEXTS if name in rule]
    return " ".join(words) + ("" if rule.get("enable", True) else " (off)")


def target(wanted: Sequence[Rule], found: Sequence[Rule], *, exact: bool) -> list[Rule]:
    """The list as it will be: ours in our order, and after them what others have made unless `exact`."""
    if exact:
        return list(wanted)
    left = list(wanted)
    extra = []
    for rule in found:
        if rule in left:
            left.remove(rule)
        else:
            extra.append(rule)
    return [*wanted, *extra]


@dataclass(frozen=True)
class Move:
    """The next thing to do with a list of rules; positions are those before it is done."""

    action: str
    pos: int
    rule: Rule = field(default_factory=dict)
    to: int = 0


def next_move(found: Sequence[Rule], goal: Sequence[Rule]) -> Move | None:
    """One step from `found` to `goal`, None at the end. What is new comes first and what goes comes last, so that
    nobody who is let in now and afterwards is shut out in between."""
    for pos, rule in enumerate(goal):
        if found.count(rule) < goal[: pos + 1].count(rule):
            return Move("insert", min(pos, len(found)), rule)
    for pos, rule in enumerate(goal):
        if found[pos] != rule:
            later = next(index for index in range(pos + 1, len(found)) if found[index] == rule)
            return Move("move", later, rule, pos)
    if len(found) > len(goal):
        return Move("delete", len(found) - 1, found[-1])
    return None


@dataclass(frozen=True)
class Book:
    """All that decides what a node lets in."""

    enabled: bool
    policy_in: str
    rules: Sequence[Rule] = ()
    groups: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    ipsets: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)


def shut_out(book: Book, node_enabled: bool, node_rules: Sequence[Rule], source: str, port: int) -> str:
    """Why a node would not surely let `source` in at that TCP port; empty when it would.

    As Proxmox orders it: the node's rules, the cluster's, the ipset management, the policy. Where it cannot be known
    whether a rule applies, one that accepts does not count and one that refuses does.
    """
    if not book.enabled or not node_enabled:
        return ""
    for rule in _unfolded([*node_rules, *book.rules], book):
        if not rule["enable"] or rule["type"] != "in":
            continue
        applies = _applies(rule, source, port, book)
        if rule["action"] == "ACCEPT" and applies is True:
            return ""
        if rule["action"] != "ACCEPT" and applies is not False:
            return f"the rule '{show(rule)}'"
    if _in_set("management", source, book) is True:
        return ""
    return "" if book.policy_in == "ACCEPT" else f"the policy {book.policy_in}"


def _unfolded(rules: Sequence[Rule], book: Book) -> Iterator[Rule]:
    for rule in rules:
        if rule["type"] != "group":
            yield rule
        elif rule["enable"]:
            # A group bound to an interface may or may not apply.
            yield from (
                {**inner, "iface": rule["iface"]} if "iface" in rule else inner
                for inner in book.groups.get(rule["action"], ())
            )


def _applies(rule: Rule, source: str, port: int, book: Book) -> bool | None:
    """None where it cannot be known from here."""
    parts = [_service(rule, port), _from(rule.get("source"), source, book)]
    # Where the packet goes to, and by which interface and port it comes, is not known here.
    parts += [None for name in ("dest", "iface", "sport") if name in rule]
    if False in parts:
        return False
    return None if None in parts else True


def _service(rule: Rule, port: int) -> bool | None:
    macro = rule.get("macro")
    if macro and macro not in MACROS:
        return False if macro in OTHER_MACROS else None
    proto, dport = MACROS[macro] if macro else (rule.get("proto"), rule.get("dport"))
    if proto not in (None, "tcp"):
        return False
    return dport is None or _has_port(str(dport), port)


def _has_port(text: str, port: int) -> bool | None:
    known: list[bool | None] = []
    for part in text.split(","):
        first, _sign, last = part.partition(":")
        ends = [SERVICES.get(end.lower(), int(end) if end.isdigit() else -1) for end in (first, last or first)]
        known.append(None if -1 in ends else ends[0] <= port <= ends[1])
    return True if True in known else None if None in known else False


def _from(text: str | None, source: str, book: Book) -> bool | None:
    if not text:
        return True
    known = [_one(part, source, book) for part in text.split(",")]
    return True if True in known else None if None in known else False


def _one(part: str, source: str, book: Book) -> bool | None:
    name = part.removeprefix("+").rpartition("/")[2]
    if part.startswith("+"):
        return _in_set(name, source, book)
    try:
        address = ipaddress.ip_address(source)
        if "-" in part and part[0].isdigit():
            first, _sign, last = part.partition("-")
            low, high = int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last))
            return low <= int(address) <= high
        return address in ipaddress.ip_network(part, strict=False)
    except ValueError:
        alias = book.aliases.get(part.rpartition("/")[2] if part.startswith(("dc/", "guest/")) else part)
        return _one(alias, source, book) if alias and alias != part else None


def _in_set(name: str, source: str, book: Book) -> bool | None:
    members = book.ipsets.get(name)
    if members is None:
        return None if name != "management" else False
    inside: bool | None = False
    for cidr, member in members.items():
        found = _one(cidr, source, book)
        if found and member.get("nomatch"):
            return False
        inside = True if found else inside if found is False else inside or None
    return inside
