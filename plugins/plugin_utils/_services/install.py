# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The first time: what the bootstrap's kustomization builds, without a program that builds kustomizations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from . import argocd, bootstrap, objects, objects_foundation, secrets
from .declaration import CatalogueError
from .platform import Platform
from .services import services

Object = dict[str, Any]
# Megabytes of kinds; the one in C is not in every build of the library.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace", "PriorityClass"}


def built(platform: Platform, install: str) -> list[Object]:
    """The objects of bootstrap/: what is released, with the platform's configuration in it."""
    whole = [service for cluster in platform.clusters.values() for service in services(platform, cluster)]
    folder = bootstrap.bootstrap(platform, whole)
    released = [item for item in yaml.load_all(install, Loader=_LOADER) if item]
    folder[bootstrap.INSTALL] = released
    (kustomization,) = folder["kustomization.yaml"]
    made = [item for name in kustomization["resources"] for item in folder[name]]
    for patch in kustomization["patches"]:
        for wanted in folder[patch["path"]]:
            _patched(made, wanted)
    return [_placed(item) for item in made]


def _patched(made: list[Object], wanted: Object) -> None:
    name = wanted["metadata"]["name"]
    for item in made:
        if item["kind"] == wanted["kind"] and item["metadata"]["name"] == name:
            item["data"] = {**(item.get("data") or {}), **wanted["data"]}
            return
    raise CatalogueError(f"install: found no {wanted['kind']} {name} in Argo CD's manifests; are they complete?")


def _placed(item: Object) -> Object:
    for subject in item.get("subjects") or ():
        if subject["kind"] == "ServiceAccount":
            subject["namespace"] = argocd.NAMESPACE
    if item["kind"] in _CLUSTER_WIDE:
        return item
    return {**item, "metadata": {**item["metadata"], "namespace": argocd.NAMESPACE}}


def beforehand(platform: Platform, name: str, lookup: secrets.Lookup, given: dict[str, str]) -> Iterator[Object]:
    """What a cluster has before Argo CD rolls anything out in it: namespaces, and Secrets that services are given."""
    cluster = platform.clusters[name]
    yield from objects_foundation.spaces(objects.namespaces(cluster))
    yield from secrets.filled(platform, cluster, lookup, given)
