# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Clouds of Google: what their layers would refuse, said before anything is asked of Google."""

from __future__ import annotations

from typing import Any

from ..clouds import days, seconds
from ..errors import Path
from .context import Context


def google(context: Context, path: Path, cloud: Any) -> None:
    """A cloud of kind gke or cloud_run."""
    needs = []
    if cloud.create_project:
        needs = [("create_project", "a new project needs", key) for key in ("billing", "parent")]
    if cloud.monthly_budget is not None:
        needs.append(("monthly_budget", "a budget lives in a billing account: it needs", "billing"))
    for where, what, key in needs:
        if getattr(cloud, key) is None and not context.written(*path, key):
            context.error((*path, where), f"{what} {key}", f"{key}: beside it")
    others = {
        name: entry.project for name, entry in context.manifest.clouds.items() if hasattr(entry, "create_project")
    }
    for name, project in others.items():
        if name < path[-1] and project == cloud.project:
            context.warn(
                (*path, "project"),
                f"the project {project} is {name}'s too: whoever of them goes first takes its audit log with it",
                "a project of its own",
            )
    for index, peer in enumerate(cloud.peers):
        if peer != path[-1] and peer not in others:
            context.warn(
                (*path, "peers", index),
                "only networks of Google are joined by the layers; of this one they keep the addresses free",
                "a VPN of your own",
            )
    if cloud.database is not None and days(cloud.database.backups) > 365:
        context.error(
            (*path, "database", "backups"), f"{cloud.database.backups} is longer than Google keeps them", "at most 365d"
        )
    for topic, entry in cloud.pubsub.topics.items() if cloud.pubsub is not None else ():
        if not 600 <= seconds(entry.retention) <= 31 * 86400:
            context.error(
                (*path, "pubsub", "topics", topic, "retention"),
                f"Pub/Sub does not keep messages for {entry.retention}",
                "between 10m and 31d",
            )
    balancer = cloud.load_balancer
    if balancer is not None and (balancer.grpc or balancer.static) and not balancer.domains:
        context.error(
            (*path, "load_balancer"), "a load balancer without a name has no certificate", "domains: beside it"
        )
