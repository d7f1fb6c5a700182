# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""All files of a platform's repository: bootstrap/, services/NAME/, clusters/."""

from __future__ import annotations

from typing import Any

import yaml

from . import argocd, bootstrap
from .declaration import CatalogueError
from .objects import objects
from .platform import Platform
from .services import Service, services
from .values import beyond, shared

HEAD = "# Kept by socle.platform from the platform's manifest: change it there.\n"


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stay readable."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def dumped(*documents: Any) -> str:
    rows = [yaml.dump(item, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True) for item in documents]
    return HEAD + "---\n".join(rows)


def files(platform: Platform, install: str = "") -> dict[str, str]:
    """Paths and contents. `install`: Argo CD's released manifests, as they are."""
    if not platform.repository:
        raise CatalogueError("repository: found none, wanted the URL of the platform's repository, which Argo CD reads")
    every = {cluster.name: list(services(platform, cluster)) for cluster in platform.clusters.values()}
    by_name: dict[str, list[Service]] = {}
    for found in (service for row in every.values() for service in row):
        by_name.setdefault(found.name, []).append(found)
    made: dict[str, str] = {}
    for rows in by_name.values():
        made |= _service(platform, rows)
    made |= _clusters(platform)
    whole = [service for rows in by_name.values() for service in rows]
    for name, documents in bootstrap.bootstrap(platform, whole).items():
        made[f"bootstrap/{name}"] = dumped(*documents)
    if install:
        made[f"bootstrap/{bootstrap.INSTALL}"] = install
    return dict(sorted(made.items()))


def _service(platform: Platform, rows: list[Service]) -> dict[str, str]:
    """What clusters have in common is written once; what differs stands in a file with the cluster's name."""
    folder = f"services/{rows[0].name}"
    source = rows[0].declaration.source
    made: dict[str, str] = {}
    common = shared([service.values for service in rows])
    if source is not None and source.chart:
        made[f"{folder}/values.yaml"] = dumped(common)
    for service in rows:
        own = beyond(common, service.values)
        items = objects(platform, service)
        name = service.cluster.name
        if own:
            made[f"{folder}/values-{name}.yaml"] = dumped(own)
        if items:
            made[f"{folder}/objects-{name}.yaml"] = dumped(*items)
        application = argocd.application(platform, service, bool(items), bool(own))
        made[f"{folder}/application-{name}.yaml"] = dumped(application)
    return made


def _clusters(platform: Platform) -> dict[str, str]:
    made = {
        f"clusters/{name}.yaml": dumped(argocd.app_of_apps(platform, cluster))
        for name, cluster in platform.clusters.items()
    }
    documents = [
        item
        for name, told in platform.environments.items()
        for item in argocd.environment(platform, name, platform.clusters[told["cluster"]])
    ]
    if documents:
        made["clusters/environments.yaml"] = dumped(*documents)
    return made
