# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What services are made from: plain data that a manifest, or somebody without one, gives. One shape for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .declaration import SIZES, CatalogueError

KINDS = ("kubeadm", "gke", "kapsule", "eks")
# Charts ask for a class by name; nothing is said where the cluster's default is the right one.
BLOCK_CLASSES = {"gke": "socle-regional", "eks": "socle-gp3"}


@dataclass(frozen=True)
class Cluster:
    """A cluster, and what is wanted in it."""

    name: str
    kind: str
    domain: str
    services: dict[str, dict[str, Any]]
    home: bool = False
    server: str = "https://kubernetes.default.svc"
    pool: str | None = None
    shared_path: str | None = None
    """Where every node has the shared files mounted."""
    region: str | None = None
    zones: tuple[str, ...] = ()
    project: str | None = None
    volumes: str | None = None
    mode: str | None = None

    def has(self, service: str) -> bool:
        return service in self.services

    def setting(self, service: str, key: str, default: Any = None) -> Any:
        value = self.services.get(service, {}).get(key)
        return default if value is None else value

    @property
    def block_class(self) -> str | None:
        if self.has("longhorn"):
            return "longhorn"
        if self.kind == "gke" and self.volumes != "regional":
            return "socle-zonal"
        return BLOCK_CLASSES.get(self.kind)

    @property
    def shared_class(self) -> str | None:
        return "shared" if self.shared_path else ("longhorn" if self.has("longhorn") else None)

    @property
    def issuer(self) -> str:
        return str(self.setting("certificates", "issuer", "letsencrypt"))

    def features(self) -> list[str]:
        """What declarations may ask for in `with` and `without`."""
        found = [*self.services, self.kind]
        if self.shared_path:
            found.append("shared_files")
        if self.has("logging") and self.setting("logging", "kind", "loki") == "loki":
            found.append("loki")
        if self.mode:
            found.append(f"{self.kind}_{self.mode}")
        return found


@dataclass(frozen=True)
class Platform:
    """A platform's services."""

    name: str
    domain: str
    clusters: dict[str, Cluster]
    repository: str = ""
    branch: str = "main"
    teams: dict[str, dict[str, Any]] = field(default_factory=dict)
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    backups: dict[str, Any] = field(default_factory=dict)
    external: bool = False
    """Secrets come out of a server (Vault, OpenBao) that clusters can ask themselves."""
    secrets: dict[str, Any] = field(default_factory=dict)
    charts: str = ""
    """A mirror that has every chart."""
    oidc: dict[str, Any] = field(default_factory=dict)
    """Who says who somebody is: name, issuer, client_id, and the secret of the client by reference."""
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Values of the user's own, by service, over everything else."""

    @property
    def home(self) -> Cluster:
        return next(cluster for cluster in self.clusters.values() if cluster.home)


_OF_CLUSTER = ("server", "pool", "shared_path", "region", "project", "volumes", "mode")


def plain(value: Any) -> Any:
    """Nothing but Python's own types: values that come from Ansible remember where they come from."""
    if isinstance(value, Mapping):
        return {plain(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return value.encode().decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return value


def platform(given: Mapping[str, Any]) -> Platform:
    """Of the role's variables."""
    given = plain(given)
    clusters = {name: _cluster(str(name), dict(row), given) for name, row in given.get("clusters", {}).items()}
    homes = [name for name, cluster in clusters.items() if cluster.home]
    if clusters and len(homes) != 1:
        raise CatalogueError(
            f"clusters: {', '.join(homes) or 'none'} of {', '.join(clusters)} is said to be home; "
            "Argo CD runs in exactly one of them: give that one `home: true`"
        )
    names = (
        "repository",
        "branch",
        "teams",
        "environments",
        "backups",
        "external",
        "secrets",
        "charts",
        "oidc",
        "overrides",
    )
    rest = {name: given[name] for name in names if given.get(name)}
    return Platform(name=given["name"], domain=given["domain"], clusters=clusters, **rest)


def _cluster(name: str, row: dict[str, Any], given: Mapping[str, Any]) -> Cluster:
    if row.get("kind") not in KINDS:
        raise CatalogueError(f"clusters.{name}.kind: found {row.get('kind')!r}, wanted {' or '.join(KINDS)}")
    services = {str(key): dict(value or {}) for key, value in (row.get("services") or {}).items()}
    for service, settings in services.items():
        if settings.get("size", "standard") not in SIZES:
            raise CatalogueError(
                f"clusters.{name}.services.{service}.size: found {settings['size']!r}, wanted {' or '.join(SIZES)}"
            )
    rest = {key: row[key] for key in _OF_CLUSTER if row.get(key)}
    return Cluster(
        name=name,
        kind=row["kind"],
        domain=str(row.get("domain") or given["domain"]),
        services=services,
        home=bool(row.get("home")),
        zones=tuple(row.get("zones") or ()),
        **rest,
    )
