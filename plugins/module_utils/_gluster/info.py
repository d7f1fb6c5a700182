# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What a pool is like, for people and for tasks that have to know."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .._objects import TransientError, UncertainError
from .._wait import Deadline, Hopeless, Progress, Waiting, wait_for
from . import state
from .cli import Cli, NotRunning
from .reader import is_local
from .state import Pool, Volume

READ_SECONDS = 60
VOLUME_ID = "trusted.glusterfs.volume-id"
ITSELF = Path("/var/lib/glusterd/glusterd.info")

SPEC: dict[str, dict[str, Any]] = {
    "servers": {"type": "list", "elements": "str", "default": []},
    "paths": {"type": "list", "elements": "path", "default": []},
    "wait": {"type": "float", "default": 0.0},
    "names": {"type": "list", "elements": "str"},
}


def info(
    cli: Cli,
    parameters: Mapping[str, Any],
    progress: Progress | None = None,
    local: Callable[[str], bool] = is_local,
) -> dict[str, Any]:
    """For gluster_volumes_info."""
    try:
        pool = _read(cli)
        running = pool.installed
    except NotRunning:
        pool, running = Pool(installed=True), False
    names = parameters.get("names", [volume.name for volume in pool.volumes])
    if parameters["wait"] > 0 and running:
        _await(cli, names, parameters["wait"], progress)
        pool = _read(cli)
    written = itself()
    return {
        "installed": pool.installed,
        "running": running,
        "uuid": next((peer.uuid for peer in pool.peers if peer.here), written.get("UUID", "")),
        "address": next((address for address in parameters["servers"] if local(address)), ""),
        "op_version": int(written.get("operating-version", "0")),
        "servers": [
            {
                "uuid": peer.uuid,
                "names": [name for name in peer.names if name != "localhost"],
                "here": peer.here,
                "connected": peer.connected,
                "state": peer.state,
            }
            for peer in pool.peers
        ],
        "volumes": [_volume(cli, volume) for volume in pool.volumes if volume.name in names],
        "paths": {path: brick_at(path) for path in parameters["paths"]},
    }


def itself(file: Path = ITSELF) -> dict[str, str]:
    """Which server this is, as its daemon has written down; nothing when it never ran."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: value for name, _unused, value in (line.strip().partition("=") for line in lines)}


def brick_at(path: str) -> dict[str, Any]:
    """What lies in a brick's folder: whose it is, and whether there is anything at all."""
    try:
        entries = [entry.name for entry in Path(path).iterdir()]
    except OSError:
        return {"there": False, "empty": True, "volume_id": ""}
    try:
        raw = os.getxattr(path, VOLUME_ID)
    except OSError:
        raw = b""
    return {"there": True, "empty": not entries, "volume_id": raw.hex()}


def _volume(cli: Cli, volume: Volume) -> dict[str, Any]:
    heals = {heal.brick: heal for heal in state.heal(cli, volume.name)} if volume.started else {}
    rows = []
    for brick in volume.bricks:
        heal = heals.get(brick.name)
        rows.append(
            {
                "name": brick.name,
                "arbiter": brick.arbiter,
                "online": brick.name in volume.online,
                "pending": heal.pending if heal else 0,
                "split_brain": heal.split_brain if heal else 0,
            }
        )
    return {
        "name": volume.name,
        "id": volume.id.replace("-", ""),
        "started": volume.started,
        "replicas": volume.width - volume.arbiters,
        "arbiter": volume.arbiters > 0,
        "bricks": rows,
        "options": volume.options,
        "quota": volume.quota or 0,
        "pending": sum(row["pending"] for row in rows),
        "split_brain": sum(row["split_brain"] for row in rows),
        "healed": all(row["online"] and not row["pending"] and not row["split_brain"] for row in rows),
        "rebalance": state.rebalance(cli, volume),
    }


def _await(cli: Cli, names: list[str], seconds: float, progress: Progress | None) -> None:
    def probe() -> bool | Waiting | Hopeless:
        causes = []
        pool = state.read(cli, quotas=frozenset())
        for volume in pool.volumes:
            if volume.name not in names or not volume.started:
                continue
            down = [name for name in volume.brick_names if name not in volume.online]
            heals = state.heal(cli, volume.name)
            torn = sum(heal.split_brain for heal in heals)
            if torn:
                return Hopeless(
                    f"volume {volume.name} has {torn} files in split brain, which heal by no waiting: "
                    f"gluster volume heal {volume.name} info split-brain"
                )
            if down:
                causes.append(f"volume {volume.name}: {', '.join(down)} does not run")
            away = [heal.brick for heal in heals if not heal.connected and heal.brick not in down]
            if away:
                causes.append(f"volume {volume.name}: {', '.join(away)} is not connected yet")
            left = sum(heal.pending for heal in heals)
            if left:
                causes.append(f"volume {volume.name}: {left} entries are still to be copied")
        return Waiting("; ".join(causes)) if causes else True

    wait_for("every copy is whole", probe, Deadline(seconds), transient=_passing, progress=progress)


def _read(cli: Cli) -> Pool:
    return wait_for("the daemon answers", lambda: state.read(cli), Deadline(READ_SECONDS), transient=_passing)


def _passing(error: Exception) -> bool:
    return isinstance(error, (TransientError, UncertainError))
