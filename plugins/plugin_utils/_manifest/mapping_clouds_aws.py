# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Mapping: clouds of AWS to their layers, and to the variables of the layers' roles."""

from __future__ import annotations

from typing import Any

from .clouds import Variables, admins, apps, days, environments, gibibytes, known, labels, minutes, resource_name
from .platform import Platform
from .sections_clouds import NodePool

_STRATEGIES = {"blue_green": "BLUE_GREEN", "canary": "CANARY", "rolling": "ROLLING"}


def aws(platform: Platform, name: str) -> tuple[list[str], Variables]:
    """The layers of a cloud of kind ecs or eks, in order, and the variables of their roles."""
    cloud = platform.manifest.clouds[name]
    sections = {
        "aws_network": _network(platform, cloud),
        "aws_data": _data(platform, name, cloud),
        "ecs": _ecs(platform, name, cloud) if cloud.kind == "ecs" else None,
        "eks": _eks(platform, cloud) if cloud.kind == "eks" else None,
    }
    shared = {
        "name": resource_name(platform, name),
        "region": cloud.region,
        "account": cloud.account,
        "labels": labels(platform, name),
    }
    variables: Variables = {}
    for layer, own in sections.items():
        if own is not None:
            variables.update({f"{layer}_{key}": value for key, value in known({**shared, **own}).items()})
    return [layer for layer, own in sections.items() if own is not None], variables


def _network(platform: Platform, cloud: Any) -> Variables:
    warned = admins(platform)
    return {
        "cidr": cloud.network,
        "zones": cloud.zones,
        "nat": cloud.nat,
        "monthly_budget": cloud.monthly_budget if warned else None,
        "budget_emails": warned,
    }


def _engine(cloud: Any) -> str | None:
    if cloud.database is None:
        return None
    return "postgres" if cloud.database.postgres is not None else "mysql"


def _data(platform: Platform, name: str, cloud: Any) -> Variables | None:
    database, engine = cloud.database, _engine(cloud)
    own: Variables = {"buckets": cloud.object_storage, "alarm_emails": admins(platform)}
    if database is not None:
        users = [app for app, (entry, _env, _environment) in apps(platform, name).items() if engine in entry.needs]
        names = database.databases or users
        own["database"] = known(
            {
                "engine": engine,
                "version": database.postgres or database.mysql,
                "machine": database.tier,
                "disk": max(20, gibibytes(database.disk)),
                "ha": database.ha,
                "backup_days": days(database.backups),
                # A name of RDS has letters and digits only.
                "name": "".join(char for char in names[0] if char.isalnum()) if names else None,
            }
        )
    return own if database is not None or cloud.object_storage else None


def _domain(platform: Platform, name: str) -> str:
    """Of production where it is on this cloud, of the platform otherwise."""
    here = environments(platform, name)
    names = [entry.domain for entry in here.values() if entry.domain]
    return str(names[-1] if len(here) == 1 and names else platform.manifest.platform.domain)


def _ecs(platform: Platform, name: str, cloud: Any) -> Variables:
    found = apps(platform, name)
    domain = _domain(platform, name)
    services = {}
    values = {}
    for service, (app, env, environment) in found.items():
        here = app.environments.get(env)
        scale = (here.scale if here is not None else None) or app.scale
        copies = here.replicas if here is not None and here.replicas is not None else app.replicas
        lowest = max(1, scale.min if scale else copies)
        host = (here.host if here is not None else None) or app.host
        if host is None and len(found) > 1:
            host = f"{service}.{environment.domain or domain}"
        services[service] = known(
            {
                "image": app.image,
                "port": app.port if app.protocol != "none" else None,
                "protocol": app.protocol if app.protocol != "none" else None,
                "health": app.health if app.protocol == "http" else None,
                "paths": ["/*"] if app.path == "/" else [app.path, f"{app.path.rstrip('/')}/*"],
                "hosts": [host] if host is not None else [],
                "min": lowest,
                "max": max(lowest, scale.max if scale else copies),
                "cpu_target": scale.cpu if scale else None,
                "environment": {**app.variables, **(here.variables if here is not None else {})},
                "kept": dict.fromkeys(app.secrets, 1),
                "database": _engine(cloud) in app.needs,
            }
        )
        values.update({f"{service}/{variable}": value for variable, value in app.secrets.items()})
    return {
        "services": services,
        "secret_values": values or None,
        "domain": domain,
        "dns_zone": cloud.dns_zone,
        "certificate_arn": cloud.certificate,
        "strategy": _strategy(platform, name),
        "bake_minutes": minutes(cloud.bake),
        "test_port": cloud.test_port,
        "test_path": cloud.test_path,
        "spot": cloud.spot,
        "alarm_emails": admins(platform),
    }


def _strategy(platform: Platform, name: str) -> str | None:
    """What the environments here ask for; the layer's own choice where none says anything."""
    asked = [entry.release for entry in environments(platform, name).values() if entry.given("release")]
    return _STRATEGIES[asked[-1]] if asked else None


def _eks(platform: Platform, cloud: Any) -> Variables:
    pools = cloud.pools or ({"default": NodePool()} if cloud.mode == "pools" else {})
    return {
        "kubernetes_version": cloud.version,
        "mode": cloud.mode,
        "pools": {
            pool: known(
                {
                    "machine": entry.machine,
                    "min": entry.min,
                    "max": entry.max,
                    "disk": max(20, gibibytes(entry.disk)),
                    "spot": entry.spot,
                    "labels": entry.labels,
                }
            )
            for pool, entry in pools.items()
        },
        "service_cidr": cloud.services,
        "authorized_networks": cloud.authorized_networks,
        "domain": platform.manifest.platform.domain if cloud.dns_zone is not None else None,
        "dns_zone": cloud.dns_zone,
    }
