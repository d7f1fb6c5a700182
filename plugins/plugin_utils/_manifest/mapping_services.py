# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Mapping: variables of the role platform_repository, which cluster carries which services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import Section
from .platform import Platform
from .references import by_reference

if TYPE_CHECKING:
    from .mapping import Inventory

# Read where they are used, from the secrets backend: the repository never learns them.
_SECRET = frozenset({"dns_token", "webhook", "token"})


def services(platform: Platform, made: Inventory) -> None:
    """On all hosts, and so on the machine that runs Ansible: nothing else is connected to."""
    if clusters_of(platform):
        made.everywhere |= {f"platform_repository_{key}": value for key, value in whole(platform).items()}
        made.everywhere |= _looked_up(platform)


def _looked_up(platform: Platform) -> dict[str, Any]:
    """Secrets, still by reference: read where a task uses them, and put nowhere but where they belong."""
    manifest = platform.manifest
    services, backups = manifest.services, manifest.backups
    told = {
        ("backups", "access_key"): backups and backups.access_key,
        ("backups", "secret_key"): backups and backups.secret_key,
        ("services", "certificates", "dns_token"): services.certificates and services.certificates.dns_token,
        ("services", "monitoring", "webhook"): services.monitoring and services.monitoring.webhook,
    }
    values = {path[-1]: by_reference(value, *path) for path, value in told.items() if value is not None}
    made: dict[str, Any] = {"argocd_values": values} if values else {}
    if services.argocd is not None and services.argocd.token is not None:
        made["platform_repository_token"] = by_reference(services.argocd.token, "services", "argocd", "token")
    return made


def whole(platform: Platform) -> dict[str, Any]:
    """What the catalogue is applied to."""
    manifest = platform.manifest
    argocd = manifest.services.argocd
    made: dict[str, Any] = {
        "name": manifest.platform.name,
        "domain": manifest.platform.domain,
        "clusters": clusters_of(platform),
        "teams": {name: {"role": team.role} for name, team in manifest.teams.items()},
        "environments": _environments(platform),
        "external": manifest.secrets.backend == "vault",
    }
    if argocd is not None and argocd.repository is not None:
        made["repository"] = argocd.repository
    if manifest.mirror is not None and manifest.mirror.charts is not None:
        made["charts"] = manifest.mirror.charts
    if manifest.backups is not None:
        kept = ("to", "bucket", "endpoint", "region", "path", "every", "keep")
        made["backups"] = {key: value for key in kept if (value := getattr(manifest.backups, key)) is not None}
    if manifest.secrets.backend == "vault":
        told = ("address", "mount", "prefix", "namespace")
        made["secrets"] = {key: value for key in told if (value := getattr(manifest.secrets, key)) is not None}
    return made


def _environments(platform: Platform) -> dict[str, Any]:
    carried = clusters_of(platform)
    places = list(carried)
    return {
        name: {"cluster": environment.on or places[0]}
        for name, environment in platform.manifest.delivery.environments.items()
        if environment.on in carried or (environment.on is None and len(places) == 1)
    }


def clusters_of(platform: Platform) -> dict[str, dict[str, Any]]:
    """Clusters by name; the first carries Argo CD unless the manifest names another one."""
    manifest = platform.manifest
    names = ["kubernetes"] if manifest.kubernetes is not None else []
    names += [name for name, cloud in manifest.clouds.items() if cloud.kind in ("gke", "kapsule", "eks")]
    argocd = manifest.services.argocd
    home = argocd.on[0] if argocd is not None and argocd.on else next(iter(names), None)
    return {name: {**_cluster(platform, name), "home": name == home} for name in names}


def _cluster(platform: Platform, name: str) -> dict[str, Any]:
    manifest = platform.manifest
    row: dict[str, Any] = {"kind": "kubeadm"}
    if name == "kubernetes":
        row["pool"] = platform.pool()
        row["shared_path"] = _shared_path(platform)
    else:
        cloud = manifest.clouds[name]
        row = {"kind": cloud.kind, "region": cloud.region}
        row |= {key: getattr(cloud, key) for key in ("project", "volumes", "mode") if hasattr(cloud, key)}
    ingress = manifest.services.ingress
    if ingress is not None and ingress.domain:
        row["domain"] = ingress.domain
    row["services"] = dict(_services(platform, name))
    return {key: value for key, value in row.items() if value is not None}


def _shared_path(platform: Platform) -> str | None:
    """Where the role glusterfs mounts the files that pods share: one volume, by its name where there are several."""
    gluster = platform.manifest.storage.glusterfs
    names = [name for name, volume in gluster.volumes.items() if volume.use == "rwx"] if gluster is not None else []
    named = [name for name in names if name in ("k8s", "kubernetes", "shared")]
    return f"/mnt/gluster/{(named or names)[0]}" if names else None


def _services(platform: Platform, cluster: str) -> list[tuple[str, dict[str, Any]]]:
    manifest = platform.manifest
    found = []
    for service in type(manifest.services).model_fields:
        section = getattr(manifest.services, service)
        if section is not None and (not section.on or cluster in section.on):
            settings = _settings(section)
            if getattr(section, "webhook", None) is not None:
                settings["webhook"] = True
            found.append((service, settings))
    for service in ("sonarqube", "spinnaker"):
        section = getattr(manifest.delivery, service)
        carrier = section and (section.on or next(iter(_homes(platform)), None))
        if section is not None and carrier == cluster and getattr(section, "url", None) is None:
            found.append((service, {}))
    return found


def _homes(platform: Platform) -> list[str]:
    manifest = platform.manifest
    if manifest.kubernetes is not None:
        return ["kubernetes"]
    return [name for name, cloud in manifest.clouds.items() if cloud.kind in ("gke", "kapsule", "eks")]


def _settings(section: Section) -> dict[str, Any]:
    names = set(type(section).model_fields) - _SECRET - {"on"}
    return {name: value for name in sorted(names) if (value := getattr(section, name)) is not None}
