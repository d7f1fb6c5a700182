# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests may have been removed from a recording just before a row that cannot be explained without them.

Each candidate is a short list of real requests. The replay tries one after the other on a copy of the world and
keeps the first after which the simulator's own answer is the recorded one: a request is assumed only where rows are
missing, and only when it explains what was seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .repairs import api_path, told_later

if TYPE_CHECKING:
    from .replay import Replay

Action = tuple[str, str, dict[str, Any]]
_GONE = re.compile(
    r"(\d+)\.conf' does not exist|file for VM (\d+)|target VM (\d+)|VM/CT (\d+) does not|resource 'vm:(\d+)'"
)


def candidates(replay: Replay, index: int, row: dict[str, Any], mine: str) -> Iterator[list[Action]]:
    """`mine` is what the simulator said, the reason of a refusal or the end of a task."""
    body = row.get("body")
    refusals = " ".join((body.get("errors") or {}).values()) if isinstance(body, dict) else ""
    told = f"{row.get('reason') or ''} {refusals} {told_later(replay, index, row)}"
    path, site = api_path(row["path"]), replay.site
    match = re.search(r"/nodes/([^/]+)/qemu/(\d+)", path) or re.search(r"UPID:([^:]+):\w+:\w+:\w+:qm\w+:(\d+):", path)
    if match:
        yield from _guest(replay, index, f"/nodes/{match[1]}/qemu", int(match[2]), told, mine)
    for number in {m for found in _GONE.findall(told) for m in found if m}:
        if int(number) in site.guests:
            yield [("DELETE", f"/nodes/{site.guests[int(number)].node}/qemu/{number}", {"purge": 1})]
    for number in {m for found in _GONE.findall(mine) for m in found if m}:
        yield _make(replay, index, f"/nodes/{replay.node}/qemu", int(number))
    given = row.get("params")
    params: dict[str, Any] = given if isinstance(given, dict) else {}
    if match and params.get("newid") and int(params["newid"]) in site.guests and row["status"] == 200:
        yield [("DELETE", f"/nodes/{match[1]}/qemu/{params['newid']}", {})]
    if re.search(r"already (?:exists|defined|a pool member|used)", told):
        yield [(row["method"], path, params)]
        other = re.search(r"VM (\d+) already exists|unable to create VM (\d+)", told)
        if other:
            yield _make(replay, index, f"/nodes/{replay.node}/qemu", int(other[1] or other[2]))
    if re.search(r"does not exist|[Nn]o such|not HA managed|is not a pool member", told) and row["status"] != 200:
        yield [("DELETE", path, {})]
        if "interface" in told:
            yield [("DELETE", path.rpartition("/")[0], {})]
        yield [(row["method"], path, params)]
    if row["status"] == 200 and re.search(r"already (?:exists|defined)", mine):
        for key in params:
            if re.search(r"id$|^(?:storage|zone|vnet|iface|rule)$", key):
                yield [("DELETE", f"{path}/{params[key]}", {})]
    if path.startswith("/cluster/sdn"):
        yield from _sdn(replay, index)
    if mine:
        yield from _object(replay, index, path, mine, params)
    if ("pool" in told and "not empty" in told) or "belongs already" in told:
        for vmid in re.findall(r"VM (\d+)", told):
            pool = re.search(r"pool '([^']+)'", told)
            yield [("PUT", f"/pools/{pool[1]}", {"vms": vmid, "allow-move": 1})] if pool else []


def _config_of(replay: Replay, index: int, vmid: int) -> dict[str, Any]:
    """The configuration a guest is seen to have, nearest first."""
    for row in replay.rows[index:]:
        body = (row.get("body") or {}).get("data") if isinstance(row.get("body"), dict) else None
        if (
            row["method"] == "GET"
            and row["status"] == 200
            and re.search(rf"/qemu/{vmid}/config$", row["path"])
            and isinstance(body, dict)
        ):
            return dict(body)
    return {}


def _make(replay: Replay, index: int, base: str, vmid: int) -> list[Action]:
    """A guest, as much like what is seen of it later as can be told."""
    config = _config_of(replay, index, vmid)
    rows = json.dumps([r.get("params") for r in replay.rows[index:] if f"/qemu/{vmid}/" in r["path"]])
    params: dict[str, Any] = {"vmid": vmid}
    for key, value in config.items():
        text = str(value)
        if re.fullmatch(r"(?:scsi|virtio|sata|ide)\d+", key) and ":" in text:
            volid, _unused, options = text.partition(",")
            size = re.search(r"size=(\d+)G", options)
            kept = [o for o in options.split(",") if o and not o.startswith(("size=", "media="))]
            first = f"{volid.partition(':')[0]}:{size[1] if size else 1},format={volid.rpartition('.')[2]}"
            params[key] = f"{volid.partition(':')[0]}:cloudinit" if "cloudinit" in volid else ",".join([first, *kept])
        elif not re.fullmatch(
            r"digest|meta|smbios1|vmgenid|boot|parent|lock|template|sshkeys|cipassword|unused\d+", key
        ):
            params[key] = value
    if not config:
        disk = re.search(r"\"disk\": \"((?:scsi|virtio|sata)\d+)\"", rows)
        params.update(
            {disk[1] if disk else "scsi0": "local:1,format=qcow2", "net0": "virtio,bridge=vmbr0", "memory": 512}
        )
    out: list[Action] = [("POST", base, params)]
    if config.get("template"):
        out.append(("POST", f"{base}/{vmid}/template", {}))
    return out


def _guest(replay: Replay, index: int, base: str, vmid: int, told: str, mine: str) -> Iterator[list[Action]]:
    url, guest = f"{base}/{vmid}", replay.site.guests.get(vmid)
    config = f"{url}/config"
    if guest is None:
        made = _make(replay, index, base, vmid)
        yield made
        yield from ([*made, *more] for more in _state(replay, url, told, mine) if more)
        return
    yield from (actions for actions in _state(replay, url, told, mine) if actions)
    rows = replay.rows[index]
    data = (rows.get("body") or {}).get("data") if isinstance(rows.get("body"), dict) else None
    if isinstance(data, dict) and rows["path"].endswith("/status/current"):
        yield [("POST", f"{url}/status/{'start' if data.get('status') == 'running' else 'stop'}", {})]
        changed = {key: data[key] for key in ("tags", "name") if key in data}
        yield [("PUT", config, changed)] if changed else []
        if data.get("template"):
            yield [("POST", f"{url}/template", {})]
        if data.get("status") == "running" and "agent" in data:
            yield [("PUT", config, {"agent": 1}), ("POST", f"{url}/status/start", {})]
    # It may have been removed and made anew.
    remove: Action = ("DELETE", url, {"purge": 1, "skiplock": 1})
    yield [("POST", f"{url}/status/stop", {}), remove, *_make(replay, index, base, vmid)]


def _state(replay: Replay, url: str, told: str, mine: str) -> Iterator[list[Action]]:
    """Locks, power, protection, templates, snapshots: what a text says a guest was like."""
    config, vmid = f"{url}/config", int(url.rpartition("/")[2])
    guest = replay.site.guests.get(vmid)
    forget: list[Action] = [("DELETE", f"{url}/snapshot/{name}", {}) for name in (guest.snapshots if guest else {})]
    lock = re.search(r"is locked \(([\w-]+)\)", told)
    if lock:
        yield [("PUT", config, {"lock": lock[1]})]
        yield [("POST", f"{url}/status/stop", {}), ("PUT", config, {"lock": lock[1]})]
    if "is locked" in mine:
        yield [("PUT", config, {"delete": "lock", "skiplock": 1})]
    if "protection" in told:
        yield [("PUT", config, {"protection": 1})]
    if "protection" in mine:
        yield [("PUT", config, {"protection": 0})]
    if re.search(r"already running|is running", told) or "not running" in mine:
        yield [("POST", f"{url}/status/start", {})]
    if "not running" in told or re.search(r"already running|is running", mine):
        yield [("POST", f"{url}/status/stop", {})]
    if "template" in told or "linked clone" in told:
        yield [("POST", f"{url}/template", {})]
        yield [("POST", f"{url}/status/stop", {}), *forget, ("POST", f"{url}/template", {})]
    name = re.search(r"snapshot (?:name )?'([^']+)'", told)
    if name and "already used" in told:
        yield [("POST", f"{url}/snapshot", {"snapname": name[1]})]
    if name and "does not exist" in told:
        yield [("DELETE", f"{url}/snapshot/{name[1]}", {})]
    if "contains snapshots" in told or ("snapshot" in mine and "does not exist" in mine):
        mine_name = re.search(r"snapshot '([^']+)' does not exist", mine)
        yield [("POST", f"{url}/snapshot", {"snapname": mine_name[1] if mine_name else "snap"})]
    if "contains snapshots" in mine:
        yield forget
    disk = re.search(r"disk '(\w+)' does not exist", told)
    if disk:
        yield [("PUT", config, {"delete": disk[1], "force": 1})]
    absent = re.search(r"disk '(\w+)' does not exist", mine)
    if absent:
        yield [("PUT", config, {absent[1]: "local:1,format=qcow2"})]
    if "still in use by linked" in told:
        newid = max(replay.site.guests, default=100) + 1
        yield [("POST", f"{url}/template", {}), ("POST", f"{url}/clone", {"newid": newid})]
    if "HA resources" in told:
        yield [("POST", "/cluster/ha/resources", {"sid": f"vm:{vmid}"})]
    if "agent configured" in mine:
        yield [("PUT", config, {"agent": 1})]
        yield [("PUT", config, {"agent": 1}), ("POST", f"{url}/status/stop", {}), ("POST", f"{url}/status/start", {})]
    if "agent configured" in told:
        yield [("PUT", config, {"delete": "agent"}), ("POST", f"{url}/status/stop", {})]


def _object(replay: Replay, index: int, path: str, mine: str, params: dict[str, Any]) -> Iterator[list[Action]]:
    """Make what the simulator says is missing, as far as a name is enough."""
    pool = re.search(r"pool '([^']+)' does not exist", mine)
    if pool:
        names = pool[1].split("/")
        yield [("POST", "/pools", {"poolid": "/".join(names[: i + 1])}) for i in range(len(names))]
    for vmid in re.findall(r"VM (\d+) is not a pool member", mine):
        yield [("PUT", path, {"vms": vmid, "allow-move": 1})]
    storage = re.search(r"storage '([^']+)' does not exist", mine) or re.search(r"/storage/([^/]+)", path)
    if storage and "torage" in mine:
        folder = {"storage": storage[1], "type": "dir", "path": f"/srv/{storage[1]}", "content": "images,iso"}
        yield [("POST", "/storage", folder)]
    user = re.search(r"no such user \('([^']+)'\)", mine) or re.search(r"/access/users/([^/]+@\w+)", path)
    if user:
        yield [("POST", "/access/users", {"userid": user[1]})]
        token = re.search(r"token/([^/]+)", path)
        if token:
            made: Action = ("POST", f"/access/users/{user[1]}/token/{token[1]}", {})
            yield [made]
            yield [("POST", "/access/users", {"userid": user[1]}), made]
    for kind, key in (("group", "groupid"), ("role", "roleid")):
        found = re.search(rf"{kind} '([^']+)' does not exist", mine)
        if found:
            yield [("POST", f"/access/{kind}s", {key: found[1]})]
    sid = re.search(r"'(vm:\d+)'|resource\(s\) (vm:\d+)", mine)
    if sid:
        wanted = sid[1] or sid[2]
        watch: Action = ("POST", "/cluster/ha/resources", {**_seen(replay, index, "sid", wanted), "sid": wanted})
        yield [watch]
        yield [*_make(replay, index, f"/nodes/{replay.node}/qemu", int(wanted[3:])), watch]
    rule = re.search(r"no such ha rule '([^']+)'", mine)
    if rule:
        yield _rule(replay, index, rule[1])
    job = re.search(r"No such job '([^']+)'", mine) or (re.fullmatch(r"/cluster/backup/([^/]+)", path))
    if job:
        fields = {"schedule": "daily", "all": 1, **_seen(replay, index, "id", job[1])}
        yield [("POST", "/cluster/backup", {**fields, "id": job[1]})]
    if "interface does not exist" in mine or re.search(r"/network/[^/]+$", path):
        name = path.rpartition("/")[2]
        data = (
            (replay.rows[index].get("body") or {}).get("data")
            if isinstance(replay.rows[index].get("body"), dict)
            else None
        )
        fields = {
            k: v for k, v in (data or {}).items() if k in ("cidr", "vlan-id", "vlan-raw-device", "gateway", "comments")
        }
        fields["type"] = (data or params).get("type", "bridge")
        yield [("POST", path.rpartition("/")[0], {"iface": name, **fields})]


def _sdn(replay: Replay, index: int) -> Iterator[list[Action]]:
    """The zones and virtual networks a list shows, applied and then edited as far as it tells."""
    body = replay.rows[index].get("body")
    data = body.get("data") if isinstance(body, dict) else None
    shown = [row for row in (data if isinstance(data, list) else [data]) if isinstance(row, dict) and "vnet" in row]
    base = "/cluster/sdn"
    made: list[Action] = []
    edits: list[Action] = []
    extra = set(replay.site.sdn["vnets"]) - {row["vnet"] for row in shown} if shown else set()
    made += [("DELETE", f"{base}/vnets/{name}", {}) for name in sorted(extra)]
    for row in shown:
        zone = {"zone": row["zone"], **({"type": "vlan", "bridge": "vmbr0"} if "tag" in row else {"type": "simple"})}
        made.append(("POST", f"{base}/zones", zone))
        fields = {key: value for key, value in row.items() if key in ("vnet", "zone", "alias", "tag", "vlanaware")}
        url = f"{base}/vnets/{row['vnet']}"
        made += [("POST", f"{base}/vnets", fields), ("PUT", url, {k: v for k, v in fields.items() if k != "vnet"})]
        for key, value in (row.get("pending") or {}).items():
            edits.append(("PUT", url, {"delete": key} if value == "deleted" else {key: value}))
        if row.get("state") == "deleted":
            edits.append(("DELETE", url, {}))
        made += [("PUT", url, {"delete": "alias"})] if "alias" not in row else []
    yield edits
    yield [*made, *edits]
    yield [*made, ("PUT", base, {}), *edits]
    name = re.search(r"/vnets/([^/]+)$", replay.rows[index]["path"])
    if name:
        simple: list[Action] = [("POST", f"{base}/zones", {"zone": "made", "type": "simple"})]
        yield [*simple, ("POST", f"{base}/vnets", {"vnet": name[1], "zone": "made"})]


def _seen(replay: Replay, index: int, key: str, name: str) -> dict[str, Any]:
    """The fields an object is seen to have, nearest first."""
    for row in replay.rows[index:]:
        data = (row.get("body") or {}).get("data") if isinstance(row.get("body"), dict) else None
        for item in data if isinstance(data, list) else [data]:
            if isinstance(item, dict) and item.get(key) == name:
                return {
                    k: v
                    for k, v in item.items()
                    if k not in ("digest", "order", "next-run", "type") and not isinstance(v, dict)
                }
    return {}


def _rule(replay: Replay, index: int, name: str) -> list[Action]:
    seen: dict[str, Any] = {"rule": name, "type": "node-affinity", "nodes": replay.node}
    for row in replay.rows[index:]:
        data = (row.get("body") or {}).get("data") if isinstance(row.get("body"), dict) else None
        for item in data if isinstance(data, list) else [data]:
            if isinstance(item, dict) and item.get("rule") == name:
                seen = {k: v for k, v in item.items() if k not in ("digest", "order", "comment")}
    vmid = next(iter(replay.site.guests), 100)
    seen.setdefault("resources", f"vm:{vmid}")
    wanted = re.findall(r"vm:\d+", str(seen["resources"]))
    return [*(("POST", "/cluster/ha/resources", {"sid": sid}) for sid in wanted), ("POST", "/cluster/ha/rules", seen)]
