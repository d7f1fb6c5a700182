# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Networks of nodes: bridges, bonds and VLANs. One node is one object, since its changes take effect together."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._objects import AdapterError, Change, Current, Desired, DesiredError, Step
from .._values import ABSENT
from . import trymode
from .errors import Busy, ProxmoxError, Uncertain
from .session import ApiReader, ApiWriter, Session, flag, missing_names

Interface = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """An option of ours, the API's name for it, and what kind of value it is."""

    api: str
    kind: str = "text"
    types: tuple[str, ...] = ()


FIELDS: dict[str, Field] = {
    "address": Field("cidr", "cidr"),
    "gateway": Field("gateway"),
    "address6": Field("cidr6", "cidr"),
    "gateway6": Field("gateway6"),
    "mtu": Field("mtu", "number"),
    "autostart": Field("autostart", "flag"),
    "comment": Field("comments"),
    "ports": Field("bridge_ports", "names", ("bridge",)),
    "vlan_aware": Field("bridge_vlan_aware", "flag", ("bridge",)),
    "vlans": Field("bridge_vids", "words", ("bridge",)),
    "members": Field("slaves", "names", ("bond",)),
    "mode": Field("bond_mode", "text", ("bond",)),
    "primary": Field("bond-primary", "text", ("bond",)),
    "hash_policy": Field("bond_xmit_hash_policy", "text", ("bond",)),
    "vlan": Field("vlan-id", "number", ("vlan",)),
    "device": Field("vlan-raw-device", "text", ("vlan",)),
}
# A write replaces the interface: what we do not manage is sent as it was read, or it would be lost.
KEPT = (
    *(field.api for field in FIELDS.values()),
    *("ovs_bonds", "ovs_bridge", "ovs_options", "ovs_ports", "ovs_tag", "comments6"),
)
BOND_MODES = [
    *("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"),
    *("balance-slb", "lacp-balance-slb", "lacp-balance-tcp"),
]


def interface_spec() -> dict[str, Any]:
    return {
        "name": {"type": "str", "required": True},
        "type": {"type": "str", "choices": ["bridge", "bond", "vlan", "eth"]},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "address": {"type": "str"},
        "gateway": {"type": "str"},
        "address6": {"type": "str"},
        "gateway6": {"type": "str"},
        "mtu": {"type": "int"},
        "autostart": {"type": "bool"},
        "comment": {"type": "str"},
        "ports": {"type": "list", "elements": "str"},
        "vlan_aware": {"type": "bool"},
        "vlans": {"type": "list", "elements": "str"},
        "members": {"type": "list", "elements": "str"},
        "mode": {"type": "str", "choices": BOND_MODES},
        "primary": {"type": "str"},
        "hash_policy": {"type": "str", "choices": ["layer2", "layer2+3", "layer3+4"]},
        "vlan": {"type": "int"},
        "device": {"type": "str"},
    }


def try_spec() -> dict[str, Any]:
    """The options of try mode, here and in proxmox_firewall."""
    return {
        "try_mode": {"type": "bool", "default": True},
        "try_seconds": {"type": "int", "default": 120},
        "try_ports": {"type": "list", "elements": "int", "default": [22]},
        "reach": {"type": "dict", "default": {}},
    }


def spec() -> dict[str, Any]:
    return {
        "nodes": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "name": {"type": "str", "required": True},
                "reach_after": {"type": "str"},
                "interfaces": {"type": "list", "elements": "dict", "required": True, "options": interface_spec()},
            },
        },
        **try_spec(),
    }


def desired(parameters: Mapping[str, Any]) -> Iterator[Desired]:
    problems: list[str] = []
    before = ""
    for node in parameters["nodes"]:
        interfaces: dict[str, Any] = {}
        for given in node["interfaces"]:
            name = given["name"]
            if name in interfaces:
                problems.append(f"{node['name']}: interface {name} is named twice; remove one")
            where = f"{node['name']} {name}"
            gone = given.get("state", "present") == "absent"
            interfaces[name] = ABSENT if gone else _wanted(given, where, problems)
        # One node after the other: a mistake that all of them have in common meets the first one only.
        needs = frozenset([before]) if before else frozenset()
        yield Desired(node["name"], {"interfaces": interfaces}, needs)
        before = node["name"]
    if problems:
        raise DesiredError(problems)


def _wanted(given: Mapping[str, Any], where: str, problems: list[str]) -> Interface:
    wanted: Interface = {"type": given["type"]} if given.get("type") else {}
    for name, field in FIELDS.items():
        if name not in given:
            continue
        value = given[name]
        if field.types and given.get("type") and given["type"] not in field.types:
            problems.append(f"{where}: {name} belongs to a {field.types[0]}, this is a {given['type']}")
        if value in ("", []) and name not in ("ports", "members"):
            wanted[name] = ABSENT
            continue
        try:
            wanted[name] = _normal(field.kind, value)
        except ValueError as error:
            problems.append(f"{where}: {name} is {value!r}: {error}")
    if given.get("type") == "vlan" and ("vlan" in given) != ("device" in given):
        problems.append(f"{where}: vlan and device belong together (or a name such as eno1.100 says both)")
    return wanted


def _normal(kind: str, value: Any) -> Any:
    if kind == "flag":
        return flag(value)
    if kind == "number":
        return int(value)
    if kind in ("names", "words"):
        items = value if isinstance(value, (list, tuple)) else str(value).replace(",", " ").replace(";", " ").split()
        return [str(item) for item in items if str(item) != "none"]
    if kind == "cidr":
        if "/" not in str(value):
            raise ValueError("the prefix is missing, as in 10.10.10.1/16")
        return str(ipaddress.ip_interface(str(value)))
    return str(value).rstrip("\n")


def interface_of(row: Mapping[str, Any]) -> Interface:
    """An interface as the API shows it, in our words; flags and lists are always there, so that they compare."""
    found: Interface = {"type": str(row.get("type", "unknown"))}
    for name, field in FIELDS.items():
        value = row.get(field.api)
        applies = not field.types or found["type"] in field.types
        if value is None or (value == "" and field.kind not in ("names",)):
            if field.kind == "flag" and applies:
                found[name] = False
            if field.kind == "names" and applies:
                found[name] = []
            continue
        try:
            found[name] = _normal(field.kind, value)
        except ValueError:
            found[name] = str(value)
    return found


def params_of(row: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What to send for an interface: what it had, with `after` (all its fields as they will be) over it."""
    params: dict[str, Any] = {key: row[key] for key in KEPT if row.get(key) not in (None, "")}
    if "cidr" not in params and row.get("address"):
        params["cidr"] = f"{row['address']}/{row.get('netmask', 32)}"
    for name, field in FIELDS.items():
        if name not in after:
            params.pop(field.api, None)
            continue
        value = after[name]
        params[field.api] = " ".join(value) if isinstance(value, list) else value
    params["type"] = after.get("type", row.get("type"))
    # An empty list of members or flags that are off are said by leaving them out.
    return {key: value for key, value in params.items() if value not in ("", False, None)}


class Networks(ApiReader):
    kind = "network of node"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.staged: dict[str, bool] = {}
        self.status: list[Mapping[str, Any]] = []

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        self.status = self.session.pve.get("/cluster/status")
        there = self.nodes()
        names = [item.key for item in desired if there.get(item.key)]
        return self.session.each(self.node, names)

    def nodes(self) -> dict[str, bool]:
        """Every node of the cluster, and whether it is online."""
        return {str(row["name"]): flag(row.get("online", 0)) for row in self.status if row.get("type") == "node"}

    def node(self, name: str) -> Current:
        answer = self.session.pve.whole(f"/nodes/{name}/network")
        self.staged[name] = bool(answer.get("changes"))
        rows = {str(row["iface"]): row for row in answer["data"]}
        interfaces = {iface: interface_of(row) for iface, row in rows.items()}
        return Current(name, {"interfaces": interfaces})

    def same(self, path: str, wanted: Any, found: Any) -> bool:
        del path
        if isinstance(wanted, list) and isinstance(found, list):
            return sorted(wanted) == sorted(found)
        return False

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        there = self.nodes()
        yield from missing_names("node", [item.key for item in desired], list(there), "the set")
        for item in desired:
            if item.key in there and not there[item.key]:
                yield f"{item.key}: the node is offline, so its network can neither be read nor changed; bring it back"
            if item.key not in current:
                continue
            if self.staged.get(item.key):
                yield (
                    f"{item.key}: somebody has staged network changes that are not applied, and applying ours would "
                    f"apply those too; apply or revert them first (pvesh delete /nodes/{item.key}/network)"
                )
            yield from problems_of(item.key, after_of(item.fields, current[item.key].fields))


def after_of(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Interface]:
    """All interfaces of a node as they will be."""
    after = {name: dict(interface) for name, interface in found["interfaces"].items()}
    for name, interface in wanted["interfaces"].items():
        if interface is ABSENT:
            after.pop(name, None)
            continue
        merged = {**after.get(name, {}), **interface}
        after[name] = {key: value for key, value in merged.items() if value is not ABSENT}
    return after


def problems_of(node: str, interfaces: Mapping[str, Interface]) -> Iterator[str]:
    """What cannot be, seen over all interfaces of a node."""
    users: dict[str, str] = {}
    gateways: dict[str, list[str]] = {"gateway": [], "gateway6": []}
    for name, interface in interfaces.items():
        if not interface.get("type"):
            yield f"{node} {name}: it is not there yet, so its type is needed: bridge, bond or vlan"
        for part in ("ports", "members"):
            for port in interface.get(part, ()):
                base = port.partition(".")[0]
                if port not in interfaces and base not in interfaces:
                    known = ", ".join(sorted(interfaces))
                    yield f"{node} {name}: there is no interface {port} to be in its {part}; there are {known}"
                if port in users:
                    yield f"{node} {name}: {port} is already part of {users[port]}; it can be in one only"
                users.setdefault(port, name)
        device = interface.get("device")
        if device and device not in interfaces:
            yield f"{node} {name}: there is no interface {device} to carry the VLAN"
        for key, found in gateways.items():
            if interface.get(key):
                found.append(name)
        yield from _gateway_reachable(node, name, interface)
    for key, found in gateways.items():
        if len(found) > 1:
            yield f"{node}: {' and '.join(sorted(found))} both have a {key}; a node has one"


def _gateway_reachable(node: str, name: str, interface: Interface) -> Iterator[str]:
    for address, gateway in (("address", "gateway"), ("address6", "gateway6")):
        if not interface.get(gateway):
            continue
        if not interface.get(address):
            yield f"{node} {name}: it has a {gateway} and no {address}"
            continue
        try:
            inside = ipaddress.ip_address(interface[gateway]) in ipaddress.ip_interface(interface[address]).network
        except ValueError as error:
            yield f"{node} {name}: {gateway}: {error}"
            continue
        link_local = gateway == "gateway6" and ipaddress.ip_address(interface[gateway]).is_link_local
        # Rented servers may have their gateway outside of a /32; then it is reached on the link itself.
        whole = ipaddress.ip_interface(interface[address]).network.num_addresses == 1
        if not inside and not link_local and not whole:
            yield f"{node} {name}: {gateway} {interface[gateway]} is not in the network of {interface[address]}"


INFO = {"nodes": {"type": "list", "elements": "str"}}


def info(session: Session, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """For proxmox_networks_info."""
    reader = Networks(session)
    wanted = [Desired(name) for name in parameters.get("nodes") or ()]
    reader.status = session.pve.get("/cluster/status")
    there = reader.nodes()
    problems = missing_names("node", [item.key for item in wanted], list(there), "nodes")
    problems += [f"{item.key} is offline, its network cannot be read" for item in wanted if not there.get(item.key, 1)]
    if problems:
        raise AdapterError("; ".join(problems))
    found = session.each(reader.node, [item.key for item in wanted] or [name for name, up in there.items() if up])
    return {"nodes": {item.key: {"staged": reader.staged[item.key], **item.fields} for item in found}}


class NetworksWriter(ApiWriter):
    def __init__(
        self,
        session: Session,
        parameters: Mapping[str, Any],
        reader: Networks,
        tools: trymode.Tools | None = None,
    ) -> None:
        super().__init__(session)
        self.parameters, self.reader = parameters, reader
        self._tools = tools

    def update(self, change: Change, step: Step) -> None:
        node, pve = change.key, self.session.pve
        if change.current is None:
            raise AdapterError(f"{node}: its network could not be read", "run again")
        rows = self._unmoved(change)

        def make() -> None:
            self._stage(node, change, rows, step)
            upid = pve.put(f"/nodes/{node}/network")
            # The connection may go down with the network it changes: most of the time is for coming back.
            pve.wait(upid, f"{node}: reload of the network", step.deadline.within(self._seconds() / 4))

        try:
            if self.parameters["try_mode"]:
                self._try(node, change, make, step)
            else:
                make()
        except AdapterError:
            _drop_staged(pve, node)
            raise

    def _stage(self, node: str, change: Change, rows: Mapping[str, Mapping[str, Any]], step: Step) -> None:
        pve, path = self.session.pve, f"/nodes/{node}/network"
        try:
            for name, action, params in writes(rows, change):
                step.progress.event(change.label, f"{action} {name}", 0, 0)
                if action == "create":
                    pve.post(path, iface=name, **params)
                elif action == "update":
                    pve.put(f"{path}/{name}", **params)
                else:
                    pve.delete(f"{path}/{name}")
        except (Busy, Uncertain) as error:
            # Half of it must not be applied; and nothing has been, so there is no doubt about what the node runs.
            raise AdapterError(error.sentence, error.hint or "run again") from None

    def _unmoved(self, change: Change) -> dict[str, Mapping[str, Any]]:
        """The node's interfaces, read again: what was planned must still stand on the same ground."""
        answer = self.session.pve.whole(f"/nodes/{change.key}/network")
        rows = {str(row["iface"]): row for row in answer["data"]}
        found = {name: interface_of(row) for name, row in rows.items()}
        planned_from = change.current.fields["interfaces"] if change.current else {}
        if found != planned_from or answer.get("changes"):
            raise AdapterError(f"{change.key}: its network was changed by somebody while this task ran", "run again")
        return rows

    def _try(self, node: str, change: Change, make: Callable[[], None], step: Step) -> None:
        pve = self.session.pve
        tools = self._tools or trymode.tools_of(pve.connection)
        door = trymode.doors([node], self.parameters["reach"], self.reader.status, pve.connection)[node]
        door = trymode.with_ports(door, self.parameters["try_ports"], tools)
        after = next((item.get("reach_after") for item in self.parameters["nodes"] if item["name"] == node), None)

        def check(_node: str, api: trymode.Api) -> str:
            answer = api.whole(f"/nodes/{node}/network")
            if answer.get("changes"):
                return "its changes are staged and not applied"
            there = {str(row["iface"]) for row in answer["data"]}
            wanted = change.desired.fields["interfaces"]
            wrong = sorted(name for name, value in wanted.items() if (name in there) == (value is ABSENT))
            return f"{', '.join(wrong)} is not as wanted" if wrong else ""

        terms = trymode.Terms(seconds=self._seconds(), scope="network")
        trymode.attempt([replace(door, after=after or "")], make, step, tools, terms, check)

    def _seconds(self) -> float:
        return float(self.parameters["try_seconds"])


def writes(rows: Mapping[str, Mapping[str, Any]], change: Change) -> list[tuple[str, str, dict[str, Any]]]:
    """Interface, action and parameters, in an order in which each finds what it stands on and no port is taken."""
    wanted: Mapping[str, Any] = change.desired.fields["interfaces"]
    after = after_of({"interfaces": wanted}, {"interfaces": {n: interface_of(r) for n, r in rows.items()}})
    touched = [name for name in wanted if _differs(name, change)]
    gone = [name for name in touched if name not in after and name in rows]
    # The API refuses a second default gateway, so the one that gives it up goes first.
    giving = [n for n in touched if n in rows and n in after and _gives_up_gateway(rows[n], after[n])]
    rest = [name for name in touched if name in after and name not in giving]
    rank = {"eth": 0, "bond": 1, "vlan": 2, "bridge": 3}
    rest.sort(key=lambda name: rank.get(after[name].get("type", ""), 4))
    order: list[tuple[str, str, dict[str, Any]]] = []
    order += [(name, "delete", {}) for name in sorted(gone, key=lambda n: -rank.get(str(rows[n].get("type")), 4))]
    for name in [*giving, *rest]:
        if name in rows:
            order.append((name, "update", params_of(rows[name], after[name])))
        else:
            # What is not started at boot is gone after the next one.
            order.append((name, "create", params_of({}, {"autostart": True, **after[name]})))
    return order


def _gives_up_gateway(row: Mapping[str, Any], after: Interface) -> bool:
    return any(row.get(key) and after.get(key) != row[key] for key in ("gateway", "gateway6"))


def _differs(name: str, change: Change) -> bool:
    whole = f"interfaces.{name}"
    return any(path == whole or path.startswith(f"{whole}.") for path in change.paths)


def _drop_staged(pve: Any, node: str) -> None:
    """What is staged and not applied would be applied by the next one who changes anything."""
    with contextlib.suppress(ProxmoxError):
        if pve.whole(f"/nodes/{node}/network").get("changes"):
            pve.delete(f"/nodes/{node}/network")


__all__ = ["Networks", "NetworksWriter", "desired", "info", "spec"]
