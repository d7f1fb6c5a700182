# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Mapping: clouds of Google to their layers, and to the variables of the layers' roles."""

from __future__ import annotations

import hashlib
import math
from typing import Any

from .base import is_template, mebibytes
from .catalogue import GCP_ZONES, GCP_ZONES_ELSEWHERE
from .platform import Platform

Variables = dict[str, Any]
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
# What Cloud Run serves until a service's first release.
_PLACEHOLDER = "us-docker.pkg.dev/cloudrun/container/hello"
_DEPLOYER = "deployer"


def google(platform: Platform, name: str) -> tuple[list[str], Variables]:
    """The layers of a cloud of kind gke or cloud_run, in order, and the variables of their roles."""
    cloud = platform.manifest.clouds[name]
    sections = {
        "gcp_project": _project(platform, name, cloud),
        "gcp_network": _network(platform, name, cloud),
        "gcp_database": _database(platform, name, cloud),
        "gcp_delivery": _delivery(platform, name, cloud),
        "gke": _gke(platform, name, cloud) if cloud.kind == "gke" else None,
        "cloud_run": _cloud_run(platform, name, cloud) if cloud.kind == "cloud_run" else None,
        "gcp_pubsub": _pubsub(platform, name, cloud),
        "gcp_load_balancer": _load_balancer(platform, name, cloud),
    }
    labels = {"platform": platform.manifest.platform.name, "cloud": name, **cloud.labels}
    variables: Variables = {}
    for layer, own in sections.items():
        if own is not None:
            given = {"project": cloud.project, "region": cloud.region, "labels": labels, **own}
            variables.update({f"{layer}_{key}": value for key, value in given.items() if value is not None})
    return [layer for layer, own in sections.items() if own is not None], variables


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def _days(duration: str) -> int:
    return math.ceil(_seconds(duration) / 86400)


def _gibibytes(size: str) -> int:
    return math.ceil(mebibytes(size) / 1024)


def _environments(platform: Platform, cloud: str) -> dict[str, Any]:
    """Environments on a cloud, by name."""
    manifest = platform.manifest
    places = [*manifest.clouds]
    places += [place for place in ("kubernetes", "swarm") if getattr(manifest, place) is not None]
    alone = len(places) == 1
    return {
        name: environment
        for name, environment in manifest.delivery.environments.items()
        if environment.on == cloud or (environment.on is None and alone)
    }


def _apps(platform: Platform, cloud: str) -> dict[str, tuple[Any, str, Any]]:
    """What runs on a cloud: each app once for every environment there, named with it where there are several."""
    environments = _environments(platform, cloud)
    found = {}
    for name, app in platform.manifest.apps.items():
        wanted = {env: entry for env, entry in environments.items() if not app.environments or env in app.environments}
        for env, environment in wanted.items():
            found[name if len(environments) == 1 else f"{name}-{env}"] = (app, env, environment)
    return found


def _plain(value: Any) -> str | None:
    """Text that is known now: no reference, nothing encrypted, no template."""
    return value if isinstance(value, str) and not is_template(value) else None


def _deployer(cloud: Any) -> str:
    return f"serviceAccount:{_DEPLOYER}@{cloud.project}.iam.gserviceaccount.com"


def _repositories(platform: Platform, cloud: str) -> list[str]:
    """Of the apps on a cloud, as GitHub names them: owner/name."""
    organisation = platform.manifest.delivery.github.organisation
    found = set()
    for name, app in platform.manifest.apps.items():
        if not app.image and any(app is entry for entry, _env, _environment in _apps(platform, cloud).values()):
            path = (_plain(app.repository) or "").removesuffix(".git").rstrip("/").split("/")
            found.add("/".join(path[-2:]) if len(path) > 1 else f"{organisation}/{name}")
    return sorted(found)


def _signs_in(platform: Platform, name: str) -> bool:
    return platform.manifest.delivery.github is not None and bool(_repositories(platform, name))


def _project(platform: Platform, name: str, cloud: Any) -> Variables:
    own: Variables = {
        "create": cloud.create_project,
        "billing_account": cloud.billing,
        "parent": cloud.parent,
        "monthly_budget": cloud.monthly_budget if cloud.billing is not None else None,
    }
    if _signs_in(platform, name):
        environments = _environments(platform, name).values()
        by_branch = all(entry.branch and not entry.tags for entry in environments)
        own["service_accounts"] = {_DEPLOYER: {"purpose": f"Delivers {platform.manifest.platform.name}"}}
        own["federation"] = {
            "github": {
                "kind": "github",
                "repositories": _repositories(platform, name),
                "refs": sorted({f"refs/heads/{entry.branch}" for entry in environments}) if by_branch else [],
                "service_account": _DEPLOYER,
            }
        }
    return own


def _network(platform: Platform, name: str, cloud: Any) -> Variables:
    network, kubernetes = cloud.network, cloud.kind == "gke"
    reserved = {"control_plane": network.control_plane} if kubernetes else {}
    peers = {}
    for peer in cloud.peers:
        if peer == "rack":
            reserved["rack"] = platform.manifest.hypervisors.network.rack
            continue
        other = platform.manifest.clouds[peer]
        if other.kind in ("gke", "cloud_run"):
            peers[peer] = f"projects/{other.project}/global/networks/{peer}"
            reserved[peer] = other.network.nodes
            if other.kind == "gke":
                reserved[f"{peer}_pods"] = other.network.pods
        else:
            reserved[peer] = other.network
    return {
        "name": name,
        "nodes": network.nodes,
        "pods": network.pods if kubernetes else None,
        "services": network.services if kubernetes else None,
        "private_services": network.private_services if cloud.database is not None else None,
        "reserved": reserved,
        "nat": network.nat,
        "peers": peers,
    }


def _gke(platform: Platform, name: str, cloud: Any) -> Variables:
    pools = {
        pool: {
            key: value
            for key, value in {
                "machine": entry.machine,
                "min": entry.min,
                "max": entry.max,
                "disk": _gibibytes(entry.disk),
                "spot": entry.spot,
                "labels": entry.labels,
            }.items()
            if value is not None
        }
        for pool, entry in cloud.pools.items()
    }
    if cloud.mode == "standard" and not pools:
        pools = {"default": {}}
    return {
        "name": name,
        "mode": cloud.mode,
        "channel": cloud.channel,
        "control_plane": cloud.network.control_plane,
        "authorized_networks": cloud.authorized_networks,
        "private_endpoint": cloud.private_endpoint,
        # Pipelines elsewhere have no address that could be authorised; they have a right in IAM.
        "dns_endpoint": _signs_in(platform, name),
        "deployers": {_deployer(cloud): "edit"} if _signs_in(platform, name) else {},
        "pools": pools,
        "volumes": cloud.volumes,
        "backup": cloud.backup,
    }


def _engine(cloud: Any) -> str:
    return "postgres" if cloud.database.postgres is not None else "mysql"


def _database_users(platform: Platform, name: str, cloud: Any) -> list[str]:
    """Who of the apps here asks for the cloud's database."""
    if cloud.database is None:
        return []
    return [app for app, (entry, _env, _environment) in _apps(platform, name).items() if _engine(cloud) in entry.needs]


def _database_name(platform: Platform, name: str) -> str:
    return f"{platform.manifest.platform.name}-{name}"


def _database(platform: Platform, name: str, cloud: Any) -> Variables | None:
    database = cloud.database
    if database is None:
        return None
    users = _database_users(platform, name, cloud)
    days = _days(database.backups)
    return {
        "name": _database_name(platform, name),
        "engine": _engine(cloud),
        "engine_version": database.postgres or database.mysql,
        "tier": database.tier,
        "disk": max(10, _gibibytes(database.disk)),
        "ha": database.ha,
        "backup_days": days,
        "log_days": min(7, days),
        "databases": database.databases or users,
        "users": dict.fromkeys(users, 1),
    }


def _secret_name(app: str, variable: str) -> str:
    return f"{app}-{variable.lower()}"


def _delivery(platform: Platform, name: str, cloud: Any) -> Variables:
    manifest = platform.manifest
    own_registry = cloud.kind == "cloud_run" or manifest.delivery.gitlab is None
    registry = (getattr(cloud, "registry", None) or manifest.platform.name) if own_registry else None
    writers = [_deployer(cloud)] if _signs_in(platform, name) else []
    watch = ["gke" if cloud.kind == "gke" else "cloud_run"]
    watch += ["database"] if cloud.database is not None else []
    watch += ["pubsub"] if cloud.pubsub is not None else []
    watch += ["load_balancer"] if cloud.load_balancer is not None else []
    own: Variables = {
        "name": f"{manifest.platform.name}-{name}",
        "registries": {registry: {"writers": writers}} if registry else {},
        "buckets": {bucket: {} for bucket in cloud.object_storage},
        "alert_emails": sorted(
            email for person in manifest.people.values() if person.admin and (email := _plain(person.email))
        ),
        "uptime": {domain: {"host": domain} for domain in cloud.load_balancer.domains} if cloud.load_balancer else {},
        "watch": watch,
    }
    if cloud.kind == "cloud_run":
        own["builds"] = _builds(platform, name, cloud)
        values = {
            _secret_name(app, variable): value
            for app, (entry, _env, _environment) in _apps(platform, name).items()
            for variable, value in entry.secrets.items()
        }
        own["secrets"] = {secret: {"version": 1} for secret in values}
        own["secret_values"] = values or None
    return own


def _builds(platform: Platform, name: str, cloud: Any) -> Variables:
    """A trigger for each app, of a repository that is connected to Cloud Build as `github`."""
    github = platform.manifest.delivery.github
    if not cloud.build or github is None:
        return {}
    connection = f"projects/{cloud.project}/locations/{cloud.region}/connections/github/repositories"
    found = {}
    for app, (entry, _env, environment) in _apps(platform, name).items():
        if entry.image or not (environment.tags or environment.branch):
            continue
        source = next(base for base, known in platform.manifest.apps.items() if known is entry)
        pattern = (environment.tags or environment.branch).replace(".", r"\.").replace("*", ".*")
        found[app] = {
            "repository": f"{connection}/{github.organisation}-{source}",
            "tag" if environment.tags else "branch": f"^{pattern}$",
            "approval": environment.gate != "none",
        }
    return found


def _cloud_run(platform: Platform, name: str, cloud: Any) -> Variables:
    services = {app: _service(platform, name, app, cloud) for app in _apps(platform, name)}
    return {"services": services, "deployers": [_deployer(cloud)] if _signs_in(platform, name) else []}


def _service(platform: Platform, name: str, app: str, cloud: Any) -> Variables:
    entry, env, _environment = _apps(platform, name)[app]
    here = entry.environments.get(env)
    scale = (here.scale if here is not None else None) or entry.scale
    copies = here.replicas if here is not None and here.replicas is not None else entry.replicas
    service: Variables = {
        "image": entry.image or _PLACEHOLDER,
        "port": entry.port,
        "protocol": "grpc" if entry.protocol == "grpc" else "http",
        "min": scale.min if scale else copies,
        "max": min(cloud.max_instances, scale.max) if scale else cloud.max_instances,
        "variables": {**entry.variables, **(here.variables if here is not None else {})},
        "secrets": {variable: _secret_name(app, variable) for variable in entry.secrets},
        "public": cloud.public,
        "ingress": "load_balancer" if cloud.load_balancer is not None else "all" if cloud.public else "internal",
    }
    service["min"] = min(service["min"], service["max"])
    if entry.image and entry.protocol == "http":
        service["health"] = entry.health
    if app in _database_users(platform, name, cloud):
        instance = _database_name(platform, name)
        connection = f"{cloud.project}:{cloud.region}:{instance}"
        service["databases"] = [connection]
        service["variables"].update(DATABASE_SOCKET=f"/cloudsql/{connection}", DATABASE_USER=app, DATABASE_NAME=app)
        service["secrets"]["DATABASE_PASSWORD"] = f"{instance}-{app}"
        if cloud.database.databases:
            service["variables"]["DATABASE_NAME"] = cloud.database.databases[0]
    return service


def _pubsub(platform: Platform, name: str, cloud: Any) -> Variables | None:
    if cloud.pubsub is None:
        return None
    apps = _apps(platform, name) if cloud.kind == "cloud_run" else {}

    def members(topic: str, what: str, reader: str | None = None) -> list[str]:
        return [
            f"serviceAccount:{_account(app)}@{cloud.project}.iam.gserviceaccount.com"
            for app, (entry, _env, _environment) in apps.items()
            if topic in getattr(entry, what) and reader in (None, app)
        ]

    topics = {}
    for topic, entry in cloud.pubsub.topics.items():
        topics[topic] = {
            "retention": max(600, _seconds(entry.retention)),
            "dead_letter": entry.dead_letter,
            "publishers": members(topic, "publishes"),
            # A subscription's name is its own in the whole project, not in its topic alone.
            "subscriptions": {
                f"{topic}.{reader}": {"subscribers": members(topic, "listens", reader)}
                for reader in entry.subscriptions
            },
        }
    return {"topics": topics}


def _account(service: str) -> str:
    """The account of a Cloud Run service, as the layer names it."""
    if len(service) > 26:
        return f"run-{service[:17]}-{hashlib.sha256(service.encode()).hexdigest()[:8]}"
    return f"run-{service}-service" if len(service) < 2 else f"run-{service}"


def _load_balancer(platform: Platform, name: str, cloud: Any) -> Variables | None:
    wanted = cloud.load_balancer
    if wanted is None:
        return None
    # In GKE a Gateway makes the load balancer of what has one, with this address and these certificates.
    made_here = cloud.kind == "cloud_run" or wanted.grpc or wanted.static is not None
    places = _places(platform, name, cloud)
    domains = sorted({*wanted.domains, *(host for host, _path in places.values() if host is not None)})
    return {
        "name": name,
        "domains": domains,
        "armor": wanted.armor,
        "static_bucket": wanted.static,
        "backends": _backends(platform, name, cloud, places) if made_here and domains else {},
    }


def _places(platform: Platform, name: str, cloud: Any) -> dict[str, tuple[str | None, str]]:
    """Where each app on a cloud is found from outside: its name (all names when none), and its path."""
    domains = cloud.load_balancer.domains
    apps = {app: found for app, found in _apps(platform, name).items() if found[0].protocol != "none"}
    by_domain = any(environment.domain is not None for _entry, _env, environment in apps.values())
    found: dict[str, tuple[str | None, str]] = {}
    for app, (entry, env, environment) in apps.items():
        here = entry.environments.get(env)
        neighbours = [other for other, (_entry, place, _environment) in apps.items() if place == env and other != app]
        if host := (here.host if here is not None else None) or entry.host:
            found[app] = (host, entry.path)
        elif environment.domain in domains and not neighbours:
            found[app] = (environment.domain, entry.path)
        elif environment.domain is not None:
            base = next(known for known, value in platform.manifest.apps.items() if value is entry)
            found[app] = (f"{base}.{environment.domain}", entry.path)
        elif not by_domain:
            # gRPC's paths are those of its services: a prefix would not be found by any client.
            shared = entry.path == "/" and len(apps) > 1 and entry.protocol != "grpc"
            found[app] = (None, f"/{app}" if shared else entry.path)
    return found


def _backends(platform: Platform, name: str, cloud: Any, places: dict[str, tuple[str | None, str]]) -> Variables:
    apps = _apps(platform, name)
    backends: Variables = {}
    for app, (host, path) in places.items():
        entry = apps[app][0]
        backend = {"path": path, "domains": [host] if host is not None else [], "grpc": entry.protocol == "grpc"}
        if cloud.kind == "cloud_run":
            backend["cloud_run"] = app
        else:
            zones = GCP_ZONES.get(cloud.region, GCP_ZONES_ELSEWHERE)
            backend["zones"] = [f"{cloud.region}-{zone}" for zone in zones]
            backend["port"] = entry.port
            if entry.protocol == "http":
                backend["health"] = entry.health
        backends[app] = backend
    return backends
