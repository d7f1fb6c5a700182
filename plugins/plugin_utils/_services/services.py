# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""From the catalogue and a platform to what runs in each cluster: which services, with which values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import settings
from .declaration import CatalogueError, Declaration, Values, catalogue
from .platform import Cluster, Platform
from .values import filled, laid_over


@dataclass(frozen=True)
class Service:
    """One service in one cluster, whole."""

    declaration: Declaration
    cluster: Cluster
    size: str
    values: Values

    @property
    def name(self) -> str:
        return self.declaration.name

    @property
    def release(self) -> str:
        source = self.declaration.source
        return source.release if source is not None and source.release else self.name


def chosen(cluster: Cluster) -> dict[str, str]:
    """Which services of the catalogue a cluster gets, with their size; whatever they need comes with them."""
    known = catalogue()
    found: dict[str, str] = {}
    for name, declared in known.items():
        size = _wanted(declared, cluster)
        if size is not None:
            found[name] = size
    waiting = list(found)
    while waiting:
        name = waiting.pop()
        for need in known[name].needs:
            if need in found or not _fits(known[need], cluster):
                continue
            found[need] = found[name]
            waiting.append(need)
    return {name: found[name] for name in known if name in found}


def _fits(declared: Declaration, cluster: Cluster) -> bool:
    return not declared.clusters or any(kind in cluster.features() for kind in declared.clusters)


def _wanted(declared: Declaration, cluster: Cluster) -> str | None:
    if not _fits(declared, cluster):
        return None
    if "every" in declared.serves:
        return "standard"
    sizes = []
    for service in declared.serves:
        if not cluster.has(service):
            continue
        where = declared.where.get(service, {})
        if all(cluster.setting(service, key, _DEFAULTS.get((service, key))) == value for key, value in where.items()):
            sizes.append(str(cluster.setting(service, "size", "standard")))
    order = ["small", "standard", "ha"]
    return max(sizes, key=order.index) if sizes else None


_DEFAULTS = {("logging", "kind"): "loki", ("gateway", "kind"): "nginx", ("secrets", "server"): False}


def values(declared: Declaration, platform: Platform, cluster: Cluster, size: str) -> Values:
    """All layers of a chart's values, laid over one another and filled in."""
    layers = [declared.values, declared.sizes.get(size, {})]
    present = {*cluster.features(), f"{size}_size"}
    layers += [layer for feature, layer in declared.features.items() if all(p in present for p in feature.split("+"))]
    layers += [layer for feature, layer in declared.lacks.items() if feature not in present]
    made: Values = {}
    for layer in layers:
        made = laid_over(made, layer)
    own = settings.OF.get(declared.name)
    if own is not None:
        made = laid_over(made, own(platform, cluster, size))
    made = laid_over(made, platform.overrides.get(declared.name, {}))
    whole = filled(made, settings.names(platform, cluster, size, declared), f"catalogue/{declared.name}.yml")
    if not isinstance(whole, dict):
        raise CatalogueError(f"catalogue/{declared.name}.yml: its values are no mapping")
    return whole


def service(name: str, platform: Platform, cluster: Cluster, size: str) -> Service:
    declared = catalogue()[name]
    return Service(declared, cluster, size, values(declared, platform, cluster, size))


def services(platform: Platform, cluster: Cluster) -> Iterator[Service]:
    """What runs in a cluster, in the order in which it comes."""
    for name, size in chosen(cluster).items():
        yield service(name, platform, cluster, size)


def describe(found: Service) -> dict[str, Any]:
    """What whoever renders it needs to know."""
    declared, source = found.declaration, found.declaration.source
    made: dict[str, Any] = {
        "service": found.name,
        "cluster": found.cluster.name,
        "size": found.size,
        "release": found.release,
        "namespace": declared.namespace,
    }
    if source is not None:
        made |= {"repository": source.repository, "version": declared.version}
        made |= {"chart": source.chart} if source.chart else {"path": source.path}
    return made
