# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Mapping: clouds of Scaleway to the layer kapsule, and to its role's variables."""

from __future__ import annotations

from typing import Any

from .clouds import Variables, admins, apps, days, gibibytes, known, labels, resource_name
from .platform import Platform


def scaleway(platform: Platform, name: str) -> tuple[list[str], Variables]:
    """The layers of a cloud of kind kapsule, in order, and the variables of their roles."""
    cloud = platform.manifest.clouds[name]
    warned = admins(platform)
    own = {
        "name": resource_name(platform, name),
        "region": cloud.region,
        "project": cloud.project,
        "labels": labels(platform, name),
        "cidr": cloud.network,
        "pod_cidr": cloud.pods,
        "service_cidr": cloud.services,
        "kubernetes_version": cloud.version,
        "cni": cloud.cni,
        "pools": _pools(cloud) or None,
        "authorized_networks": cloud.authorized_networks,
        "load_balancer_type": cloud.load_balancer_type,
        "domain": platform.manifest.platform.domain if cloud.dns_zone is not None else None,
        "dns_zone": cloud.dns_zone,
        "buckets": cloud.object_storage,
        "registry": resource_name(platform, name) if cloud.registry else None,
        "alarm_emails": warned,
        "monthly_budget": cloud.monthly_budget if warned else None,
        **_database(platform, name, cloud),
    }
    return ["kapsule"], {f"kapsule_{key}": value for key, value in known(own).items()}


def _pools(cloud: Any) -> Variables:
    return {
        pool: known(
            {
                "machine": entry.machine,
                "min": entry.min,
                "max": entry.max,
                "disk": gibibytes(entry.disk),
                "labels": entry.labels,
            }
        )
        for pool, entry in cloud.pools.items()
    }


def _database(platform: Platform, name: str, cloud: Any) -> Variables:
    database = cloud.database
    if database is None:
        return {}
    engine = "postgres" if database.postgres is not None else "mysql"
    users = [app for app, (entry, _env, _environment) in apps(platform, name).items() if engine in entry.needs]
    version = database.postgres or database.mysql
    return {
        "database": known(
            {
                "engine": f"PostgreSQL-{version}" if engine == "postgres" else f"MySQL-{version.partition('.')[0]}",
                "node_type": database.tier,
                "disk": gibibytes(database.disk),
                "ha": database.ha,
                "backup_days": days(database.backups),
                "names": database.databases or users or None,
            }
        ),
        "database_password": f"{{{{ lookup('socle.platform.secret', 'clouds/{name}/database') }}}}",
    }
