# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools of guests and storages."""

from __future__ import annotations

from typing import Any

from .api_cluster import guest_row, storage_row
from .errors import fail
from .routes import Call, route
from .validate import split_list


def _pool(call: Call, doing: str = "") -> dict[str, Any]:
    name = call.params["poolid"]
    if name not in call.site.pools:
        raise fail(f"{doing}pool '{name}' does not exist")
    return call.site.pools[name]


def _members(call: Call, pool: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = call.get("type")
    rows = []
    for vmid in pool["vms"]:
        guest = call.site.guests.get(vmid)
        if guest and wanted in (None, "qemu"):
            rows.append({k: v for k, v in guest_row(call, guest).items() if k not in ("pool", "tags")})
    for name in pool["storage"]:
        storage = call.site.storages.get(name)
        if storage and wanted in (None, "storage"):
            rows += [storage_row(storage, node) for node in call.site.nodes]
    return rows


def _shown(call: Call, name: str) -> dict[str, Any]:
    pool = call.site.pools[name]
    out: dict[str, Any] = {"poolid": name, "members": _members(call, pool)}
    return {**out, "comment": pool["comment"]} if pool.get("comment") else out


@route("GET /pools")
def list_pools(call: Call) -> Any:
    if call.get("poolid"):
        _pool(call)
        call.require(f"/pool/{call.params['poolid']}", "Pool.Audit")
        return [_shown(call, call.params["poolid"])]
    rows = []
    for name, pool in call.site.pools.items():
        if call.may(f"/pool/{name}", "Pool.Audit"):
            row = {"poolid": name}
            rows.append({**row, "comment": pool["comment"]} if pool.get("comment") else row)
    return rows


@route("GET /pools/{poolid}")
def read_pool(call: Call) -> Any:
    _pool(call)
    return _shown(call, call.params["poolid"])


@route("POST /pools")
def create_pool(call: Call) -> Any:
    name = call.params["poolid"]
    if name in call.site.pools:
        raise fail(f"create pool failed: pool '{name}' already exists")
    parent = name.rpartition("/")[0]
    if parent and parent not in call.site.pools:
        raise fail(f"create pool failed: parent '{parent}' of pool '{name}' does not exist")
    call.site.pools[name] = {"comment": call.get("comment", ""), "vms": [], "storage": []}


@route("PUT /pools", "PUT /pools/{poolid}")
def update_pool(call: Call) -> Any:
    doing = "update pools failed: "
    pool, name = _pool(call, doing), call.params["poolid"]
    remove, move = call.get("delete"), call.get("allow-move")
    vms, storages = [int(v) for v in split_list(call.get("vms", ""))], split_list(call.get("storage", ""))
    for vmid in vms:
        call.require(f"/vms/{vmid}", "VM.Allocate")
        other = call.site.pool_of(vmid)
        if remove and vmid not in pool["vms"]:
            raise fail(f"{doing}VM {vmid} is not a pool member")
        if not remove and other == name:
            raise fail(f"{doing}VM {vmid} is already a pool member")
        if not remove and other and not move:
            raise fail(f"{doing}VM {vmid} belongs already to pool '{other}' and 'allow-move' is not set")
    for storage in storages:
        call.require(f"/storage/{storage}", "Datastore.Allocate")
        if remove and storage not in pool["storage"]:
            raise fail(f"{doing}Storage '{storage}' is not a pool member")
        if not remove and storage in pool["storage"]:
            raise fail(f"{doing}Storage '{storage}' is already a pool member")
    for vmid in vms:
        for row in call.site.pools.values():
            if vmid in row["vms"]:
                row["vms"].remove(vmid)
    if remove:
        pool["storage"] = [s for s in pool["storage"] if s not in storages]
    else:
        pool["vms"] += vms
        pool["storage"] += storages
    if "comment" in call.params:
        pool["comment"] = call.params["comment"]


@route("DELETE /pools", "DELETE /pools/{poolid}")
def delete_pool(call: Call) -> Any:
    doing = "delete pool failed: "
    pool, name = _pool(call, doing), call.params["poolid"]
    child = next((other for other in call.site.pools if other.startswith(f"{name}/")), None)
    if child:
        raise fail(f"{doing}pool '{name}' is not empty (contains pool '{child}')")
    there = [vmid for vmid in pool["vms"] if vmid in call.site.guests]
    if there:
        raise fail(f"{doing}pool '{name}' is not empty (contains VM {there[0]})")
    held = [storage for storage in pool["storage"] if storage in call.site.storages]
    if held:
        raise fail(f"{doing}pool '{name}' is not empty (contains storage '{held[0]}')")
    del call.site.pools[name]
