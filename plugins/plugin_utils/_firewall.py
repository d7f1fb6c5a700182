# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""From named openings to a ruleset of nftables. Everything else is closed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

# Of ICMP what keeps a network working, and what tells that a machine is there.
ICMP = "destination-unreachable, time-exceeded, parameter-problem"
ICMP6 = (
    "destination-unreachable, packet-too-big, time-exceeded, parameter-problem, mld-listener-query, "
    "mld-listener-report, mld-listener-done, mld2-listener-report"
)
NEIGHBOURS = "nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert"
WITH_PORTS = ("tcp", "udp", "sctp")


class FirewallError(ValueError):
    """One sentence for the user: which entry, what it has, what was wanted."""


def ruleset(
    *,
    ssh_ports: Iterable[int],
    ssh_networks: Iterable[str],
    ssh_new_per_minute: int,
    openings: Iterable[Mapping[str, Any]],
    forwarding: Iterable[Mapping[str, Any]],
    log_per_minute: int,
) -> str:
    """The whole of /etc/nftables.conf. It replaces its own tables and leaves those of others alone."""
    ports = ", ".join(str(port) for port in sorted(set(ssh_ports)))
    rules = [
        "ct state vmap { established : accept, related : accept, invalid : drop }",
        'iif "lo" accept',
        "ip saddr 127.0.0.0/8 drop",
        "ip6 saddr ::1 drop",
        f"icmp type {{ {ICMP} }} accept",
        "icmp type echo-request limit rate 50/second accept",
        f"icmpv6 type {{ {ICMP6} }} accept",
        f"icmpv6 type {{ {NEIGHBOURS} }} ip6 hoplimit 255 accept",
        "icmpv6 type echo-request limit rate 50/second accept",
        "ip6 saddr fe80::/10 udp dport 546 accept",
    ]
    rules += [f"{match}tcp dport {{ {ports} }} jump ssh" for match in _from("ssh", ssh_networks)]
    for entry in openings:
        rules += _opening(entry)
    end = [f'limit rate {log_per_minute}/minute burst 10 packets log prefix "socle drop: "'] if log_per_minute else []
    carried, hidden = _forwarding(forwarding)
    chains = [
        _chain("input", "type filter hook input priority filter; policy drop;", [*rules, *end, "counter drop"]),
        _chain("ssh", "", _ssh(ssh_new_per_minute)),
        _chain("forward", "type filter hook forward priority filter; policy drop;", carried),
    ]
    sets = "".join(
        f"\tset knocking{family} {{ type ipv{family}_addr; size 65535; flags dynamic, timeout; timeout 2m; }}\n"
        for family in (4, 6)
    )
    nat = _chain("postrouting", "type nat hook postrouting priority srcnat; policy accept;", hidden)
    return (
        "# Managed by the role socle.platform.machine_base.\n"
        + _table("inet", "socle", sets + "\n".join(chains))
        + _table("ip", "socle_nat", nat)
    )


def _table(family: str, name: str, body: str) -> str:
    """In one transaction; `add` so that there is something to delete, which older versions need."""
    return f"add table {family} {name}\ndelete table {family} {name}\ntable {family} {name} {{\n{body}}}\n"


def _chain(name: str, head: str, rules: Iterable[str]) -> str:
    lines = [f"\tchain {name} {{", *([f"\t\t{head}"] if head else []), *(f"\t\t{rule}" for rule in rules), "\t}"]
    return "\n".join(lines) + "\n"


def _ssh(per_minute: int) -> list[str]:
    """Each source may begin so many connections; those that are open are not counted."""
    limit = f"limit rate over {per_minute}/minute burst {per_minute} packets"
    return [
        f"update @knocking4 {{ ip saddr {limit} }} counter drop",
        f"update @knocking6 {{ ip6 saddr {limit} }} counter drop",
        "accept",
    ]


def _opening(entry: Mapping[str, Any]) -> list[str]:
    name = _name(entry)
    protocol = str(entry.get("protocol") or "tcp")
    ports = [_port(name, port) for port in entry.get("ports") or ()]
    if not re.fullmatch(r"[a-z0-9-]+", protocol):
        raise FirewallError(
            f"opening {name}: the protocol {protocol!r} is none; wanted tcp, udp, or a name such as vrrp"
        )
    if protocol in WITH_PORTS and not ports:
        raise FirewallError(f"opening {name}: no ports; name those of {protocol} that are to be open")
    if ports and protocol not in WITH_PORTS:
        raise FirewallError(f"opening {name}: {protocol} has no ports; leave them out")
    what = f"{protocol} dport {{ {', '.join(ports)} }}" if ports else f"meta l4proto {protocol}"
    return [f'{match}{what} accept comment "{name}"' for match in _from(f"opening {name}", entry.get("sources") or ())]


def _forwarding(entries: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Rules of the chain forward, and those that hide a source behind this machine."""
    carried = ["ct state vmap { established : accept, related : accept, invalid : drop }"]
    hidden = []
    for entry in entries:
        name = _name(entry)
        for family in (4, 6):
            keyword = "ip" if family == 4 else "ip6"
            sides = []
            for side, word in (("sources", "saddr"), ("destinations", "daddr")):
                given = entry.get(side) or []
                mine = _networks(f"forwarding {name}", given)[family]
                if given and not mine:
                    break
                sides.append(f"{keyword} {word} {{ {', '.join(mine)} }} " if mine else "")
            else:
                match = "".join(sides)
                if match or family == 4:
                    carried.append(f'{match}accept comment "{name}"')
                if entry.get("masquerade") and family == 4:
                    hidden.append(f'{match}masquerade comment "{name}"')
    return [*carried, "counter drop"], hidden


def _from(what: str, sources: Iterable[str]) -> list[str]:
    """Beginnings of rules: one for each family, or a single empty one for anywhere."""
    given = list(sources)
    if not given or {"0.0.0.0/0", "::/0"} <= set(given):
        return [""]
    found = _networks(what, given)
    return [
        f"{keyword} saddr {{ {', '.join(found[family])} }} "
        for family, keyword in ((4, "ip"), (6, "ip6"))
        if found[family]
    ]


def _networks(what: str, given: Iterable[str]) -> dict[int, list[str]]:
    """By family, without those that lie in others: a set of intervals refuses overlaps."""
    found: dict[int, list[Any]] = {4: [], 6: []}
    for text in given:
        try:
            network = ipaddress.ip_network(str(text), strict=False)
        except ValueError as error:
            raise FirewallError(f"{what}: {text!r} is no network: {error}; wanted such as 10.10.0.0/16") from error
        found[network.version].append(network)
    return {
        family: [str(network) for network in ipaddress.collapse_addresses(networks)]
        for family, networks in found.items()
    }


def _name(entry: Mapping[str, Any]) -> str:
    """What the rule's comment says; nothing that could end it."""
    return re.sub(r"[^A-Za-z0-9_. -]", "_", str(entry.get("name") or "unnamed"))[:100]


def _port(name: str, text: Any) -> str:
    first, dash, last = str(text).partition("-")
    ends = [first, last] if dash else [first]
    if not all(end.isdecimal() and 1 <= int(end) <= 65535 for end in ends) or int(ends[0]) > int(ends[-1]):
        raise FirewallError(f"opening {name}: {text!r} is no port; wanted 1 to 65535, or a range such as 49152-49251")
    return "-".join(ends)
