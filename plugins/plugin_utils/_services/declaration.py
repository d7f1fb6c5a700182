# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What a service of the catalogue says of itself: read from catalogue/NAME.yml and versions.yml, and checked."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
SIZES = ("small", "standard", "ha")
SECURITY = ("restricted", "baseline", "privileged")
Values = dict[str, Any]


class CatalogueError(Exception):
    """A declaration that cannot be meant as it stands."""


@dataclass(frozen=True)
class Source:
    """Where it comes from: a Helm chart, or a folder of a Git repository."""

    repository: str
    chart: str = ""
    path: str = ""
    """The folder (Git)."""
    release: str = ""
    skip_schema: bool = False
    """Its schema is fetched from the Internet at each render."""


@dataclass(frozen=True)
class Web:
    """A page of it, for people."""

    host: str
    service: str
    port: int
    backend: str = "http"


@dataclass(frozen=True)
class Declaration:
    """One service, or one part of one."""

    name: str
    title: str
    serves: tuple[str, ...]
    namespace: str
    wave: int
    security: str = "restricted"
    source: Source | None = None
    version: str = ""
    where: Values = field(default_factory=dict)
    """Settings of the manifest's service that it takes part in."""
    clusters: tuple[str, ...] = ()
    """Kinds of clusters that it is for; all when empty."""
    needs: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    keeps: bool = False
    """Its objects stay when the service is taken out of the manifest: they hold data, or others' objects."""
    values: Values = field(default_factory=dict)
    sizes: dict[str, Values] = field(default_factory=dict)
    features: dict[str, Values] = field(default_factory=dict, metadata={"key": "with"})
    """Values that hold when the cluster has something: a service, a kind of cluster, a storage."""
    lacks: dict[str, Values] = field(default_factory=dict, metadata={"key": "without"})
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    flows: dict[str, list[Values]] = field(default_factory=dict)
    jobs_first: bool = False
    """The chart has Jobs that run before any object of ours: its flows come with the foundation."""
    guards: dict[str, Values] = field(default_factory=dict)
    """Pods, by labels, of which one stays while nodes are emptied, where the chart has no budget for them."""
    web: Web | None = None
    health: tuple[Values, ...] = ()
    ignore: tuple[Values, ...] = ()
    """Fields that controllers write at run time."""


def _keys(kind: type) -> dict[str, str]:
    return {str(f.metadata.get("key", f.name)): f.name for f in fields(kind)}


def _part(kind: type, where: str, given: Any) -> Any:
    if not isinstance(given, Mapping):
        raise CatalogueError(f"{where}: found {type(given).__name__}, a mapping was wanted")
    keys = _keys(kind)
    unknown = sorted(set(given) - set(keys))
    if unknown:
        raise CatalogueError(f"{where}: unknown keys {', '.join(unknown)}; there are {', '.join(sorted(keys))}")
    lists = {f.name for f in fields(kind) if str(f.type).startswith("tuple")}
    named = {keys[key]: value for key, value in given.items()}
    try:
        return kind(**{name: tuple(value) if name in lists else value for name, value in named.items()})
    except TypeError as exc:
        raise CatalogueError(f"{where}: {exc}") from None


def declaration(name: str, text: str, versions: Mapping[str, str]) -> Declaration:
    """One file of the catalogue."""
    where = f"catalogue/{name}.yml"
    given = yaml.safe_load(text)
    if not isinstance(given, dict):
        raise CatalogueError(f"{where}: found no mapping")
    for key, kind in (("source", Source), ("web", Web)):
        if key in given:
            given[key] = _part(kind, f"{where}: {key}", given[key])
    for key in ("name", "version"):
        if key in given:
            raise CatalogueError(
                f"{where}: {key} does not belong here; a name is the file's, a version is in versions.yml"
            )
    made: Declaration = _part(Declaration, where, {**given, "name": name, "version": versions.get(name, "")})
    _check(made, where)
    return made


def _check(made: Declaration, where: str) -> None:
    if made.security not in SECURITY:
        raise CatalogueError(f"{where}: security is {made.security}, wanted {' or '.join(SECURITY)}")
    if (made.source is None) == bool(made.version):
        found = "a version and no source" if made.version else "a source and no version in versions.yml"
        raise CatalogueError(f"{where}: found {found}; both belong together")
    if made.source is not None and sorted(made.sizes) != sorted(SIZES):
        raise CatalogueError(f"{where}: sizes are {', '.join(made.sizes)}, wanted {', '.join(SIZES)}")


@functools.cache
def catalogue() -> dict[str, Declaration]:
    """Every service, by name, in the order in which they are rolled out."""
    versions = yaml.safe_load((HERE / "versions.yml").read_text(encoding="utf-8"))
    files = sorted((HERE / "catalogue").glob("*.yml"))
    found = {path.stem: declaration(path.stem, path.read_text(encoding="utf-8"), versions) for path in files}
    homeless = sorted(set(versions) - set(found) - {"argocd"})
    if homeless:
        raise CatalogueError(f"versions.yml: {', '.join(homeless)} have no file in catalogue/")
    for made in found.values():
        for need in made.needs:
            if need not in found:
                raise CatalogueError(f"catalogue/{made.name}.yml: needs {need}, which is not in the catalogue")
            if found[need].wave >= made.wave:
                raise CatalogueError(
                    f"catalogue/{made.name}.yml: needs {need}, whose wave {found[need].wave} is not before {made.wave}"
                )
    return dict(sorted(found.items(), key=lambda item: (item[1].wave, item[0])))
