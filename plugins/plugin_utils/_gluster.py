# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""From a role's volumes and servers to what modules and mounts want, and from what hosts found to who does what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 3

# Seconds until clients give up on a server that fell silent: by default they wait 42. Below 10, load alone would do it.
# What a server missed without its connection breaking is looked for that often: by default each ten minutes.
QUICK = {"network.ping-timeout": "10", "cluster.quorum-type": "auto", "cluster.heal-timeout": "60"}
TLS = {"client.ssl": "on", "server.ssl": "on"}
USES: dict[str, dict[str, str]] = {
    # Files that several machines read and write.
    "rwx": QUICK,
    # Few huge files, each of one writer with caches of its own. In pieces, so that healing copies no whole disk.
    "vm": {
        **QUICK,
        "cluster.server-quorum-type": "server",
        "cluster.eager-lock": "enable",
        "cluster.data-self-heal-algorithm": "full",
        "cluster.locking-scheme": "granular",
        "cluster.shd-max-threads": "8",
        "features.shard": "on",
        "network.remote-dio": "disable",
        "performance.strict-o-direct": "on",
        "performance.quick-read": "off",
        "performance.read-ahead": "off",
        "performance.io-cache": "off",
        "performance.low-prio-threads": "32",
    },
}


def volumes(
    wanted: Sequence[Mapping[str, Any]],
    servers: Sequence[str],
    path: str,
    tls: bool = True,
    absent: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """For the module. Servers beyond the last whole set of three have no bricks."""
    used = list(servers)[: len(servers) // WIDTH * WIDTH]
    made = []
    for volume in wanted:
        use = volume.get("use") or "rwx"
        if use not in USES:
            raise ValueError(f"volume {volume['name']}: use is {use!r}; wanted: one of {', '.join(USES)}")
        row = {
            "name": volume["name"],
            "bricks": [f"{server}:{brick_path(path, volume['name'])}" for server in used],
            "replicas": int(volume.get("replicas") or 3),
            "arbiter": bool(volume.get("arbiter")),
            "options": {**USES[use], **(TLS if tls else {}), **(volume.get("options") or {})},
        }
        if volume.get("size"):
            row["quota"] = volume["size"]
        made.append(row)
    return [*made, *({"name": name, "state": "absent"} for name in absent)]


def brick_path(path: str, volume: str) -> str:
    """Inside of the volume's folder: GlusterFS makes the last part alone, so only where the disk is mounted."""
    return f"{path}/{volume}/brick"


def unit(path: str) -> str:
    """The name of a path's mount unit, as `systemd-escape --path --suffix=mount` gives it."""
    plain = "/".join(part for part in path.split("/") if part not in ("", "."))
    if not plain:
        return "-.mount"
    words = []
    for index, char in enumerate(plain):
        if char == "/":
            words.append("-")
        elif (char.isascii() and char.isalnum()) or char in "_:" or (char == "." and index):
            words.append(char)
        else:
            words.extend(f"\\x{byte:02x}" for byte in char.encode())
    return "".join(words) + ".mount"


def mounts(wanted: Sequence[Mapping[str, Any]], servers: Sequence[str], base: str) -> list[dict[str, str]]:
    """A mount asks the first server that answers for the volume; from then on the client knows all of them."""
    first, others = servers[0], list(servers)[1:]
    made = []
    for volume in wanted:
        path = f"{base}/{volume['name']}"
        options = ["_netdev", "noatime"]
        if others:
            options.append(f"backup-volfile-servers={':'.join(others)}")
        made.append(
            {
                "volume": volume["name"],
                "path": path,
                "unit": unit(path),
                "what": f"{first}:/{volume['name']}",
                "options": ",".join(options),
            }
        )
    return made


def pool(found: Mapping[str, Mapping[str, Any]], servers: Sequence[str]) -> dict[str, Any]:
    """Who speaks for the pool; who comes back to it as a new machine; whose bricks are empty.

    `found` is what gluster_volumes_info told on each host that answers.
    """
    if not found:
        return {"manager": "", "manager_address": "", "restore": {}, "introduce": [], "blank": [], "complete": False}
    strange = sorted(host for host in found if not found[host]["address"])
    if strange:
        raise ValueError(
            f"{', '.join(strange)} has none of the addresses of the servers; wanted: the address at which the others "
            "reach it among glusterfs_servers"
        )
    manager = max(found, key=lambda host: len(found[host]["servers"]))
    made: dict[str, Any] = {
        "manager": manager,
        "manager_address": found[manager]["address"],
        "restore": {},
        "introduce": [],
        "blank": [],
    }
    seen = found[manager]
    known = {name: server for server in seen["servers"] if not server["here"] for name in server["names"]}
    made["complete"] = {*known, found[manager]["address"]} >= set(servers)
    for host, own in found.items():
        server = known.get(own["address"])
        if server is not None and len(own["servers"]) <= 1:
            made["introduce"].append(host)
            if own["uuid"] != server["uuid"]:
                made["restore"][host] = {"uuid": server["uuid"], "op_version": seen["op_version"]}
        made["blank"] += _blank(own, seen)
    return made


def _blank(own: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    blank = []
    for volume in seen["volumes"]:
        for brick in volume["bricks"]:
            server, _unused, path = brick["name"].rpartition(":")
            folder = own["paths"].get(path)
            if server != own["address"] or folder is None or folder["volume_id"] == volume["id"]:
                continue
            if not folder["empty"]:
                whose = f"volume {folder['volume_id']}" if folder["volume_id"] else "no volume"
                raise ValueError(
                    f"{brick['name']} is a brick of volume {volume['name']} ({volume['id']}), and its folder holds "
                    f"files of {whose}; wanted: the brick's own disk, or an empty folder; mount the right disk, or "
                    "move them away"
                )
            blank.append(brick["name"])
    return blank
