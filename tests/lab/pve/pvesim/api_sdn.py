# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Software-defined networks: edited first, applied later."""

from __future__ import annotations

import copy
import ipaddress
from typing import Any

from .errors import ApiError, bad, fail
from .routes import Call, index, route
from .validate import split_list
from .world import Task, sha1

index("/cluster/sdn", "zones", "vnets", "controllers", "ipams", "dns", "fabrics", "lock", "rollback", key="id")
_NOT_CONFIG = {"lock-token", "delete", "digest", "pending", "running"}
_KEY = {"zones": "zone", "vnets": "vnet", "subnets": "subnet"}


def _now(call: Call, kind: str) -> dict[str, Any]:
    rows: dict[str, Any] = call.site.sdn[kind]
    return rows


def _before(call: Call, kind: str) -> dict[str, Any]:
    rows: dict[str, Any] = call.site.sdn["running"].get(kind, {})
    return rows


def _shown(call: Call, kind: str, name: str) -> dict[str, Any]:
    """One object as `pending`, `running` or plain asks for it."""
    key = _KEY[kind]
    now: Any = _now(call, kind).get(name)
    before: Any = _before(call, kind).get(name)
    if call.get("running"):
        return {key: name, "digest": None, **before}
    if not call.get("pending"):
        return {key: name, "digest": sha1(_now(call, kind)), **now}
    if before is None:
        return {key: name, "digest": None, **now, "state": "new", "pending": dict(now)}
    if now is None:
        return {key: name, "digest": None, **before, "state": "deleted", "pending": {}}
    changed: dict[str, Any] = {k: v for k, v in now.items() if before.get(k) != v}
    changed.update({k: "deleted" for k in before if k not in now})
    out = {key: name, "digest": None, **before}
    return {**out, "state": "changed", "pending": changed} if changed else out


def _names(call: Call, kind: str) -> list[str]:
    if call.get("running"):
        return list(_before(call, kind))
    if call.get("pending"):
        return list(dict.fromkeys([*_before(call, kind), *_now(call, kind)]))
    return list(_now(call, kind))


def _unlocked(call: Call) -> None:
    held = call.site.sdn.get("lock")
    if held and call.get("lock-token") != held:
        raise fail(
            "invalid lock-token provided!"
            if call.get("lock-token")
            else "sdn configuration is locked, no lock-token provided!"
        )


def _write(call: Call, kind: str, name: str, *, create: bool) -> None:
    _unlocked(call)
    rows = _now(call, kind)
    digest = call.get("digest")
    if digest and digest != sha1(rows):
        raise fail("detected modified configuration - file changed by other user? Try again.")
    row = {} if create else dict(rows[name])
    for key in split_list(call.get("delete", "")):
        row.pop(key, None)
    skip = _NOT_CONFIG | {_KEY[kind]}
    row.update({k: v for k, v in call.params.items() if k not in skip})
    rows[name] = row


# --- zones

Z = "/cluster/sdn/zones"


def _audit(call: Call, zone: str) -> bool:
    return call.may(f"/sdn/zones/{zone}", "SDN.Audit", "SDN.Use", "SDN.Allocate")


@route(f"GET {Z}")
def list_zones(call: Call) -> Any:
    rows = [_shown(call, "zones", name) for name in _names(call, "zones") if _audit(call, name)]
    return [row for row in rows if call.get("type") in (None, row["type"])]


@route(f"POST {Z}")
def create_zone(call: Call) -> Any:
    name = call.params["zone"]
    if name in _now(call, "zones"):
        raise fail(f"create sdn zone object failed: sdn zone object ID '{name}' already defined")
    needed = {"vlan": ("bridge",), "qinq": ("bridge", "tag"), "vxlan": ("peers",), "evpn": ("controller", "vrf-vxlan")}
    for key in needed.get(call.params["type"], ()):
        if key not in call.params:
            raise fail(f"create sdn zone object failed: missing value for required option '{key}'")
    _write(call, "zones", name, create=True)


def _find(call: Call, kind: str, text: str) -> str:
    name = str(call.params[_KEY[kind]])
    known = set(_before(call, kind) if call.get("running") else _now(call, kind))
    if call.get("pending"):
        known |= set(_before(call, kind))
    if name not in known:
        raise fail(text.format(name))
    return name


@route(f"GET {Z}/{{zone}}")
def read_zone(call: Call) -> Any:
    return _shown(call, "zones", _find(call, "zones", "sdn '{}' does not exist"))


@route(f"PUT {Z}/{{zone}}")
def update_zone(call: Call) -> Any:
    _write(call, "zones", _find(call, "zones", "sdn '{}' does not exist"), create=False)


@route(f"DELETE {Z}/{{zone}}")
def delete_zone(call: Call) -> Any:
    _unlocked(call)
    name = _find(call, "zones", "sdn '{}' does not exist")
    user = next((vnet for vnet, row in _now(call, "vnets").items() if row["zone"] == name), None)
    if user:
        raise fail(f"delete sdn zone object failed: zone {name} is used by vnet {user}")
    del _now(call, "zones")[name]


# --- vnets

N = "/cluster/sdn/vnets"


def _zone_of(call: Call, vnet: str) -> str:
    row = _now(call, "vnets").get(vnet) or _before(call, "vnets").get(vnet) or {}
    return str(row.get("zone", ""))


def _vnet_may(call: Call, vnet: str, *names: str) -> None:
    call.require(f"/sdn/zones/{_zone_of(call, vnet)}/{vnet}", *names, any_of=True)


@route(f"GET {N}")
def list_vnets(call: Call) -> Any:
    return [
        _shown(call, "vnets", name) for name in _names(call, "vnets") if _audit(call, f"{_zone_of(call, name)}/{name}")
    ]


@route(f"POST {N}")
def create_vnet(call: Call) -> Any:
    name, zone = call.params["vnet"], call.params["zone"]
    if name in _now(call, "vnets"):
        raise fail(f"create sdn vnet object failed: sdn vnet object ID '{name}' already defined")
    if zone not in _now(call, "zones"):
        raise fail(f"create sdn vnet object failed: zone '{zone}' does not exist")
    if _now(call, "zones")[zone]["type"] in ("vlan", "qinq", "vxlan", "evpn") and "tag" not in call.params:
        raise bad(tag="missing vlan tag")
    call.params.setdefault("type", "vnet")
    _write(call, "vnets", name, create=True)


@route(f"GET {N}/{{vnet}}")
def read_vnet(call: Call) -> Any:
    name = _find(call, "vnets", "sdn vnet '{}' does not exist")
    _vnet_may(call, name, "SDN.Audit", "SDN.Use", "SDN.Allocate")
    return _shown(call, "vnets", name)


@route(f"PUT {N}/{{vnet}}")
def update_vnet(call: Call) -> Any:
    name = _find(call, "vnets", "sdn vnet '{}' does not exist")
    _vnet_may(call, name, "SDN.Allocate")
    _write(call, "vnets", name, create=False)


@route(f"DELETE {N}/{{vnet}}")
def delete_vnet(call: Call) -> Any:
    _unlocked(call)
    name = _find(call, "vnets", "sdn vnet '{}' does not exist")
    _vnet_may(call, name, "SDN.Allocate")
    if any(row["vnet"] == name for row in _now(call, "subnets").values()):
        raise fail("delete sdn vnet object failed: can't delete vnet if subnets exists")
    del _now(call, "vnets")[name]


# --- subnets

SUB = N + "/{vnet}/subnets"


@route(f"GET {SUB}")
def list_subnets(call: Call) -> Any:
    rows = [_shown(call, "subnets", name) for name in _names(call, "subnets")]
    return [row for row in rows if row["vnet"] == call.params["vnet"]]


@route(f"POST {SUB}")
def create_subnet(call: Call) -> Any:
    vnet, cidr = call.params["vnet"], call.params["subnet"]
    zone = _zone_of(call, vnet)
    _vnet_may(call, vnet, "SDN.Allocate")
    network = ipaddress.ip_network(cidr, strict=False)
    name = f"{zone}-{network.network_address}-{network.prefixlen}"
    if name in _now(call, "subnets"):
        raise fail(f"create sdn subnet object failed: sdn subnet object ID '{name}' already defined")
    gateway = call.get("gateway")
    if gateway and ipaddress.ip_address(gateway) not in network:
        raise fail(f"create sdn subnet object failed: gateway {gateway} is not in subnet {network}")
    call.params.update(zone=zone, cidr=str(network), mask=str(network.prefixlen), network=str(network.network_address))
    _write(call, "subnets", name, create=True)


@route(f"GET {SUB}/{{subnet}}")
def read_subnet(call: Call) -> Any:
    return _shown(call, "subnets", _find(call, "subnets", "sdn subnet '{}' does not exist"))


@route(f"PUT {SUB}/{{subnet}}")
def update_subnet(call: Call) -> Any:
    _vnet_may(call, str(call.get("vnet", "")), "SDN.Allocate")
    _write(call, "subnets", _find(call, "subnets", "sdn subnet '{}' does not exist"), create=False)


@route(f"DELETE {SUB}/{{subnet}}")
def delete_subnet(call: Call) -> Any:
    _vnet_may(call, call.params["vnet"], "SDN.Allocate")
    del _now(call, "subnets")[_find(call, "subnets", "sdn subnet '{}' does not exist")]


# --- apply, lock


@route("PUT /cluster/sdn")
def apply(call: Call) -> Any:
    _unlocked(call)

    def work(_task: Task) -> None:
        call.site.sdn["running"] = {kind: copy.deepcopy(_now(call, kind)) for kind in _KEY}
        for node in call.site.nodes:
            call.task("srvreload", "networking", lambda _t: None, node=node)
        if call.get("release-lock", 1):
            call.site.sdn.pop("lock", None)

    return call.task("reloadnetworkall", "", work)


@route("POST /cluster/sdn/rollback")
def rollback(call: Call) -> Any:
    _unlocked(call)
    for kind in _KEY:
        call.site.sdn[kind] = copy.deepcopy(_before(call, kind))
    if call.get("release-lock", 1):
        call.site.sdn.pop("lock", None)


@route("POST /cluster/sdn/lock")
def lock(call: Call) -> Any:
    if call.site.sdn.get("lock"):
        raise fail("cannot lock sdn configuration, it is already locked")
    dirty = any(_now(call, kind) != _before(call, kind) for kind in _KEY)
    if dirty and not call.get("allow-pending"):
        raise ApiError(500, "configuration has pending changes")
    call.site.sdn["lock"] = call.fleet.uuid()
    return call.site.sdn["lock"]


@route("DELETE /cluster/sdn/lock")
def unlock(call: Call) -> Any:
    if not call.get("force"):
        _unlocked(call)
    call.site.sdn.pop("lock", None)
