# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Secrets that services are given by name: which there are, and what is in them by reference."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .declaration import CatalogueError
from .platform import Cluster, Platform
from .services import services

Object = dict[str, Any]
Lookup = Callable[[str, str], str]
"""Path#field and kind, to the value."""


@dataclass(frozen=True)
class Wanted:
    """A Secret of the cluster."""

    namespace: str
    name: str
    type: str
    data: dict[str, dict[str, str]]


def wanted(platform: Platform, cluster: Cluster) -> Iterator[Wanted]:
    """All of a cluster, without any value."""
    there = _conditions(platform, cluster)
    for service in services(platform, cluster):
        for name, told in service.declaration.secrets.items():
            if told.get("when") is None or told["when"] in there:
                yield Wanted(service.declaration.namespace, name, told.get("type", "Opaque"), told["data"])


def _conditions(platform: Platform, cluster: Cluster) -> set[str]:
    found = set()
    if platform.backups.get("to") == "s3":
        found.add("s3")
    if cluster.setting("monitoring", "webhook"):
        found.add("webhook")
    if cluster.setting("certificates", "dns_provider") == "cloudflare":
        found.add("dns_token")
    return found


def filled(platform: Platform, cluster: Cluster, lookup: Lookup, given: Mapping[str, str]) -> list[Object]:
    """The Secrets themselves. `given`: values that the manifest has, such as keys of a bucket."""
    made = []
    for row in wanted(platform, cluster):
        data = {}
        for key, source in row.data.items():
            text = _value(f"Secret {row.namespace}/{row.name}, key {key}", source, lookup, given)
            data[key] = base64.b64encode(text.encode()).decode()
        made.append(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": row.name, "namespace": row.namespace},
                "type": row.type,
                "data": data,
            }
        )
    return made


def _value(where: str, source: Mapping[str, str], lookup: Lookup, given: Mapping[str, str]) -> str:
    if "text" in source:
        return source["text"]
    if "secret" in source:
        return lookup(source["secret"], source.get("kind", "password"))
    try:
        return source["template"] % given
    except KeyError as exc:
        raise CatalogueError(
            f"{where}: {exc.args[0]} is not known; give it in the manifest, or as a value of service_secrets"
        ) from None
