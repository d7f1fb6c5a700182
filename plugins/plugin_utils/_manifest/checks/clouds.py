# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Clouds: what belongs together in each kind, and where Terraform keeps its state."""

from __future__ import annotations

from typing import Any

from ..errors import Path
from .clouds_google import google
from .context import Context

# Majors that the managed databases offer.
POSTGRES = ("14", "15", "16", "17", "18")
MYSQL = ("8.0", "8.4")
_STATE_NEEDS = {
    "gcs": ("bucket",),
    "s3": ("bucket", "region"),
    "scaleway": ("bucket", "region"),
    "http": ("address",),
    "local": (),
}


def check(context: Context) -> None:
    manifest = context.manifest
    _state(context, ("terraform", "state"), manifest.terraform.state)
    names = context.names("clouds")
    for name, cloud in manifest.clouds.items():
        path: Path = ("clouds", name)
        if name in ("kubernetes", "swarm", "rack"):
            context.error(
                path,
                f"'{name}' means something else in `on` and `peers`",
                "another name",
                f"did you mean {name}-cloud?",
                key=True,
            )
        if cloud.state is not None:
            _state(context, (*path, "state"), cloud.state)
        for index, peer in enumerate(cloud.peers):
            rack = ["rack"] if context.written("hypervisors") else []
            if peer == name:
                context.error((*path, "peers", index), "a cloud cannot be joined with itself", "another cloud")
            else:
                context.known(
                    (*path, "peers", index), peer, [entry for entry in names if entry != name] + rack, "a cloud"
                )
        if cloud.database is not None:
            _database(context, (*path, "database"), cloud.database)
        for pool, entry in getattr(cloud, "pools", {}).items():
            if entry.min > entry.max:
                context.error(
                    (*path, "pools", pool, "min"),
                    f"at least {entry.min}, at most {entry.max} nodes",
                    "a min that is not above max",
                )
        _kind(context, path, cloud)
    _backups(context)


def _kind(context: Context, path: Path, cloud: Any) -> None:
    if cloud.kind == "gke" and cloud.mode == "autopilot" and cloud.pools:
        context.error((*path, "pools"), "Autopilot has no pools of yours", "mode: standard beside it", key=True)
    if cloud.kind == "eks" and cloud.mode == "auto" and cloud.pools:
        context.error((*path, "pools"), "Auto Mode has no pools of yours", "mode: pools beside it", key=True)
    if cloud.kind in ("gke", "eks", "kapsule"):
        for name, network in cloud.authorized_networks.items():
            if network == "0.0.0.0/0":
                context.error(
                    (*path, "authorized_networks", name),
                    "everybody reaches the control plane",
                    "the networks of your people",
                )
    if cloud.kind in ("ecs", "eks"):
        # Each zone has a subnet for load balancers, a /27 at least, and room for zones that are added later.
        size = int(cloud.network.partition("/")[2])
        most = {23: 4, 24: 2}.get(size, 6) if size <= 24 else 0
        if cloud.database is not None and len(cloud.database.databases) > 1:
            context.error(
                (*path, "database", "databases"),
                "RDS makes one database with an instance",
                "the first; apps or their migrations make more",
            )
        if cloud.zones > most > 0:
            context.error(
                (*path, "network"),
                f"a /{size} has room for {most} zones, not for {cloud.zones}",
                "a /22, or fewer zones",
            )
    if cloud.kind == "kapsule":
        for name, pool in cloud.pools.items():
            if pool.spot:
                context.error((*path, "pools", name, "spot"), "Scaleway has no such nodes", "spot: false, or nothing")
    if cloud.kind in ("gke", "cloud_run"):
        google(context, path, cloud)


def _database(context: Context, path: Path, database: Any) -> None:
    engines = [name for name in ("postgres", "mysql") if getattr(database, name) is not None]
    if len(engines) != 1 and not any(
        context.written(*path, name) for name in ("postgres", "mysql") if name not in engines
    ):
        what = "no engine is named" if not engines else "two engines are named"
        context.error(path, what, 'one of postgres: "17" and mysql: "8.4"')
    for name, majors in (("postgres", POSTGRES), ("mysql", MYSQL)):
        version = getattr(database, name)
        if version is not None and version not in majors:
            context.error(
                (*path, name),
                f"{name} {version} is not offered",
                f"one of {', '.join(majors)}",
                f'did you mean "{majors[-1]}"?',
            )


def _state(context: Context, path: Path, state: Any) -> None:
    for key in _STATE_NEEDS[state.kind]:
        if getattr(state, key) is None and not context.written(*path, key):
            context.error((*path, "kind"), f"state in {state.kind} needs {key}", f"{key}: beside it")


def _backups(context: Context) -> None:
    backups = context.manifest.backups
    if backups is None:
        return
    needs = {"s3": "bucket", "gcs": "bucket", "nfs": "path", "path": "path"}[backups.to]
    if getattr(backups, needs) is None and not context.written("backups", needs):
        context.error(("backups", "to"), f"backups to {backups.to} need {needs}", f"{needs}: beside it")
