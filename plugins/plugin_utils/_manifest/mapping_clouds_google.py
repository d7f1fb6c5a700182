# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Mapping: clouds of Google to their layers, and to the variables of the layers' roles."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from .catalogue import GCP_ZONES, GCP_ZONES_ELSEWHERE
from .clouds import Variables, admins, apps, days, environments, gibibytes, known, labels, plain, resource_name, seconds
from .platform import Platform

# What Cloud Run serves until a service's first release.
_PLACEHOLDER = "us-docker.pkg.dev/cloudrun/container/hello"
# The longest name that all that is made of it stays within Google's limits with.
_LONGEST = 26


@dataclass(frozen=True)
class _Here:
    """A cloud with what runs on it."""

    platform: Platform
    name: str
    cloud: Any
    apps: dict[str, tuple[Any, str, Any]]
    """By name: the app as the manifest says it, its environment's name, the environment."""
    names: dict[int, str]
    """Each app's name in the manifest, by what it is."""

    @property
    def manifest(self) -> Any:
        return self.platform.manifest

    def account(self, name: str) -> str:
        return f"serviceAccount:{name}@{self.cloud.project}.iam.gserviceaccount.com"

    def base_name(self, app: str) -> str:
        return self.names[id(self.apps[app][0])]

    @property
    def own_name(self) -> str:
        return resource_name(self.platform, self.name, _LONGEST)

    @property
    def deployer(self) -> str:
        """Name of the account that pipelines sign in as."""
        return f"{self.own_name[:21].rstrip('-')}-deployer"

    @property
    def engine(self) -> str:
        return "postgres" if self.cloud.database.postgres is not None else "mysql"

    @property
    def database_users(self) -> list[str]:
        if self.cloud.database is None:
            return []
        return [app for app, (entry, _env, _environment) in self.apps.items() if self.engine in entry.needs]

    @property
    def repositories(self) -> list[str]:
        """Of the apps that are built, as GitHub names them: owner/name. None where GitHub keeps none."""
        github = self.manifest.delivery.github
        found = set()
        for app, (entry, _env, _environment) in self.apps.items():
            if github is not None and not entry.image:
                path = (plain(entry.repository) or "").removesuffix(".git").rstrip("/").split("/")
                own = f"{github.organisation}/{self.base_name(app)}"
                found.add("/".join(path[-2:]) if len(path) > 1 else own)
        return sorted(found)


def google(platform: Platform, name: str) -> tuple[list[str], Variables]:
    """The layers of a cloud of kind gke or cloud_run, in order, and the variables of their roles."""
    cloud = platform.manifest.clouds[name]
    names = {id(app): base for base, app in platform.manifest.apps.items()}
    here = _Here(platform, name, cloud, apps(platform, name), names)
    sections = {
        "gcp_project": _project(here),
        "gcp_network": _network(here),
        "gcp_database": _database(here),
        "gcp_delivery": _delivery(here),
        "gke": _gke(here) if cloud.kind == "gke" else None,
        "cloud_run": _cloud_run(here) if cloud.kind == "cloud_run" else None,
        "gcp_pubsub": _pubsub(here),
        "gcp_load_balancer": _load_balancer(here),
    }
    shared = {
        "project": cloud.project,
        "region": cloud.region,
        "labels": {"platform": platform.manifest.platform.name, **labels(platform, name)},
    }
    variables: Variables = {}
    for layer, own in sections.items():
        if own is not None:
            variables.update({f"{layer}_{key}": value for key, value in known({**shared, **own}).items()})
    return [layer for layer, own in sections.items() if own is not None], variables


def _project(here: _Here) -> Variables:
    cloud = here.cloud
    own: Variables = {
        "create": cloud.create_project,
        "billing_account": cloud.billing,
        "parent": cloud.parent,
        "monthly_budget": cloud.monthly_budget if cloud.billing is not None else None,
    }
    if here.repositories:
        places = environments(here.platform, here.name).values()
        by_branch = all(entry.branch and not entry.tags for entry in places)
        own["service_accounts"] = {here.deployer: {"purpose": f"Delivers {here.manifest.platform.name}"}}
        own["federation_pool"] = here.own_name if len(here.own_name) > 3 else f"{here.own_name}-pipelines"
        own["federation"] = {
            "github": {
                "kind": "github",
                "repositories": here.repositories,
                "refs": sorted({f"refs/heads/{entry.branch}" for entry in places}) if by_branch else [],
                "service_account": here.deployer,
            }
        }
    return own


def _network(here: _Here) -> Variables:
    cloud, kubernetes = here.cloud, here.cloud.kind == "gke"
    reserved = {"control_plane": cloud.network.control_plane} if kubernetes else {}
    peers = {}
    for peer in cloud.peers:
        if peer == "rack":
            reserved["rack"] = here.manifest.hypervisors.network.rack
            continue
        other = here.manifest.clouds[peer]
        if other.kind not in ("gke", "cloud_run"):
            reserved[peer] = other.network
            continue
        peers[peer] = f"projects/{other.project}/global/networks/{resource_name(here.platform, peer, _LONGEST)}"
        reserved[peer] = other.network.nodes
        if other.kind == "gke":
            reserved[f"{peer}_pods"] = other.network.pods
    return {
        "name": here.own_name,
        "nodes": cloud.network.nodes,
        "pods": cloud.network.pods if kubernetes else None,
        "services": cloud.network.services if kubernetes else None,
        "private_services": cloud.network.private_services if cloud.database is not None else None,
        "reserved": reserved,
        "nat": cloud.network.nat,
        "peers": peers,
    }


def _database(here: _Here) -> Variables | None:
    database = here.cloud.database
    if database is None:
        return None
    kept = days(database.backups)
    return {
        "name": here.own_name,
        "engine": here.engine,
        "engine_version": database.postgres or database.mysql,
        "tier": database.tier,
        "disk": max(10, gibibytes(database.disk)),
        "ha": database.ha,
        "backup_days": kept,
        "log_days": min(7, kept),
        "databases": database.databases or here.database_users,
        "users": {_short(app, 32): 1 for app in here.database_users},
    }


def _gke(here: _Here) -> Variables:
    cloud = here.cloud
    pools = {
        pool: known(
            {
                "machine": entry.machine,
                "min": entry.min,
                "max": entry.max,
                "disk": gibibytes(entry.disk),
                "spot": entry.spot,
                "labels": entry.labels,
            }
        )
        for pool, entry in cloud.pools.items()
    }
    if cloud.mode == "standard" and not pools:
        pools = {"default": {}}
    return {
        "name": here.own_name,
        "mode": cloud.mode,
        "channel": cloud.channel,
        "control_plane": cloud.network.control_plane,
        "authorized_networks": cloud.authorized_networks,
        "private_endpoint": cloud.private_endpoint,
        # Pipelines elsewhere have no address that could be authorised; they have a right in IAM.
        "dns_endpoint": bool(here.repositories),
        "deployers": {here.account(here.deployer): "edit"} if here.repositories else {},
        "pools": pools,
        "volumes": cloud.volumes,
        "backup": cloud.backup,
    }


def _delivery(here: _Here) -> Variables:
    cloud, manifest = here.cloud, here.manifest
    registry = getattr(cloud, "registry", None) or manifest.platform.name
    own_registry = cloud.kind == "cloud_run" or manifest.delivery.gitlab is None
    watched = {
        "gke": cloud.kind == "gke",
        "cloud_run": cloud.kind == "cloud_run",
        "database": cloud.database is not None,
        "pubsub": cloud.pubsub is not None,
        "load_balancer": cloud.load_balancer is not None,
    }
    own: Variables = {
        "name": here.own_name,
        "registries": {
            registry: {"writers": [here.account(here.deployer)] if here.repositories else []},
        }
        if own_registry
        else {},
        "buckets": {bucket: {} for bucket in cloud.object_storage},
        "alert_emails": admins(here.platform),
        "uptime": {domain: {"host": domain} for domain in cloud.load_balancer.domains} if cloud.load_balancer else {},
        "watch": [what for what, there in watched.items() if there],
    }
    if cloud.kind == "cloud_run":
        values = {
            _secret_name(app, variable): value
            for app, (entry, _env, _environment) in here.apps.items()
            for variable, value in entry.secrets.items()
        }
        own["builds"] = _builds(here)
        own["secrets"] = {secret: {"version": 1} for secret in values}
        own["secret_values"] = values or None
    return own


def _secret_name(app: str, variable: str) -> str:
    return f"{app}-{variable.lower()}"


def _builds(here: _Here) -> Variables:
    """A trigger for each app, of a repository that is connected to Cloud Build as `github`."""
    cloud, github = here.cloud, here.manifest.delivery.github
    if not cloud.build or github is None:
        return {}
    connected = f"projects/{cloud.project}/locations/{cloud.region}/connections/github/repositories"
    found = {}
    for app, (entry, _env, environment) in here.apps.items():
        source = environment.tags or environment.branch
        if entry.image or not source:
            continue
        found[app] = {
            "repository": f"{connected}/{github.organisation}-{here.base_name(app)}",
            "tag" if environment.tags else "branch": f"^{source.replace('.', '[.]').replace('*', '.*')}$",
            "approval": environment.gate != "none",
        }
    return found


def _cloud_run(here: _Here) -> Variables:
    return {
        "services": {app: _service(here, app) for app in here.apps},
        "deployers": [here.account(here.deployer)] if here.repositories else [],
    }


def _service(here: _Here, app: str) -> Variables:
    cloud = here.cloud
    entry, env, _environment = here.apps[app]
    special = entry.environments.get(env)
    scale = (special.scale if special is not None else None) or entry.scale
    copies = special.replicas if special is not None and special.replicas is not None else entry.replicas
    most = min(cloud.max_instances, scale.max) if scale else cloud.max_instances
    service: Variables = {
        "image": entry.image or _PLACEHOLDER,
        "port": entry.port,
        "protocol": "grpc" if entry.protocol == "grpc" else "http",
        "min": min(most, scale.min if scale else copies),
        "max": most,
        "variables": {**entry.variables, **(special.variables if special is not None else {})},
        "secrets": {variable: _secret_name(app, variable) for variable in entry.secrets},
        "public": cloud.public,
        "ingress": "load_balancer" if cloud.load_balancer is not None else "all" if cloud.public else "internal",
    }
    # The placeholder does not know the app's path of health.
    if entry.image and entry.protocol == "http":
        service["health"] = entry.health
    if app in here.database_users:
        connection = f"{cloud.project}:{cloud.region}:{here.own_name}"
        service["databases"] = [connection]
        service["variables"] |= {
            "DATABASE_SOCKET": f"/cloudsql/{connection}",
            "DATABASE_USER": _short(app, 32),
            "DATABASE_NAME": (cloud.database.databases or [app])[0],
        }
        service["secrets"]["DATABASE_PASSWORD"] = f"{here.own_name}-{_short(app, 32)}"
    return service


def _pubsub(here: _Here) -> Variables | None:
    if here.cloud.pubsub is None:
        return None
    own_accounts = here.apps if here.cloud.kind == "cloud_run" else {}

    def members(topic: str, what: str, reader: str | None = None) -> list[str]:
        return [
            here.account(_service_account(app))
            for app, (entry, _env, _environment) in own_accounts.items()
            if topic in getattr(entry, what) and reader in (None, here.base_name(app))
        ]

    topics = {
        topic: {
            "retention": max(600, seconds(entry.retention)),
            "dead_letter": entry.dead_letter,
            "publishers": members(topic, "publishes"),
            # A subscription's name is its own in the whole project, not in its topic alone.
            "subscriptions": {
                f"{topic}.{reader}": {"subscribers": members(topic, "listens", reader)}
                for reader in entry.subscriptions
            },
        }
        for topic, entry in here.cloud.pubsub.topics.items()
    }
    return {"topics": topics}


def _service_account(service: str) -> str:
    """The account of a Cloud Run service, as the layer names it."""
    return f"run-{service}-service" if len(service) < 2 else f"run-{_short(service, 26)}"


def _short(name: str, longest: int) -> str:
    """A name of which two long ones do not become the same."""
    if len(name) <= longest:
        return name
    return f"{name[: longest - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _load_balancer(here: _Here) -> Variables | None:
    wanted = here.cloud.load_balancer
    if wanted is None:
        return None
    # In GKE a Gateway makes the load balancer of what has one, with this address and these certificates.
    made_here = here.cloud.kind == "cloud_run" or wanted.grpc or wanted.static is not None
    places = _places(here)
    domains = sorted({*wanted.domains, *(host for host, _path in places.values() if host is not None)})
    return {
        "name": here.own_name,
        "domains": domains,
        "armor": wanted.armor,
        "static_bucket": wanted.static,
        "backends": {_short(app, 30): _backend(here, app, *place) for app, place in places.items()}
        if made_here and domains
        else {},
    }


def _places(here: _Here) -> dict[str, tuple[str | None, str]]:
    """Where each app is found from outside: its name (all names when none), and its path."""
    domains = here.cloud.load_balancer.domains
    outside = {app: found for app, found in here.apps.items() if found[0].protocol != "none"}
    by_domain = any(environment.domain is not None for _entry, _env, environment in outside.values())
    found: dict[str, tuple[str | None, str]] = {}
    for app, (entry, env, environment) in outside.items():
        special = entry.environments.get(env)
        alone = sum(place == env for _entry, place, _environment in outside.values()) == 1
        if host := (special.host if special is not None else None) or entry.host:
            found[app] = (host, entry.path)
        elif environment.domain in domains and alone:
            found[app] = (environment.domain, entry.path)
        elif environment.domain is not None:
            found[app] = (f"{here.base_name(app)}.{environment.domain}", entry.path)
        elif not by_domain:
            # gRPC's paths are those of its services: a prefix would not be found by any client.
            shared = entry.path == "/" and len(outside) > 1 and entry.protocol != "grpc"
            found[app] = (None, f"/{app}" if shared else entry.path)
    return found


def _backend(here: _Here, app: str, host: str | None, path: str) -> Variables:
    entry = here.apps[app][0]
    backend = {"path": path, "domains": [host] if host is not None else [], "grpc": entry.protocol == "grpc"}
    if here.cloud.kind == "cloud_run":
        return {**backend, "cloud_run": app}
    zones = [f"{here.cloud.region}-{zone}" for zone in GCP_ZONES.get(here.cloud.region, GCP_ZONES_ELSEWHERE)]
    health = {"health": entry.health} if entry.protocol == "http" else {}
    return {**backend, "zones": zones, "port": entry.port, **health}
