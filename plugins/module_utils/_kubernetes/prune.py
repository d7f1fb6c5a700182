# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What is ours and asked for no more: objects with the set's labels in which our field manager has fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._objects import AdapterError
from . import managed
from .api import METADATA, each
from .discovery import Resource
from .errors import ApiError
from .manifests import key_of
from .reading import Live, selector
from .session import Session


def prunable(
    session: Session, manager: str, labels: Mapping[str, str], named: set[str]
) -> tuple[dict[str, tuple[Live, Resource]], list[str]]:
    """Every such object of every kind, by key; and what could not be looked at."""
    if not labels:
        raise AdapterError("prune without labels: it could not be said which objects are ours", "set labels")
    resources = session.discovery.everything()
    found: dict[str, tuple[Live, Resource]] = {}
    said = []
    query: dict[str, Any] = {"labelSelector": selector(labels)}

    def listed(resource: Resource) -> list[Live] | ApiError:
        try:
            return session.api.listed(resource.collection(), query, accept=METADATA)
        except ApiError as error:
            if error.status in (403, 404, 405):
                return error
            raise

    for resource, rows in zip(resources, each(listed, resources), strict=True):
        if isinstance(rows, ApiError):
            if rows.status == 403:
                said.append(f"{resource.kind}: not looked at for pruning, this user may not list it: {rows.message}")
            continue
        for live in rows:
            metadata = live["metadata"]
            key = key_of(resource.group, resource.kind, metadata.get("namespace") or "", metadata["name"])
            # What a controller made of ours carries our labels too, and goes with its owner.
            if key in named or metadata.get("ownerReferences") or metadata.get("deletionTimestamp"):
                continue
            if managed.entry(live, manager) is not None:
                live["apiVersion"] = f"{resource.group}/{resource.version}".lstrip("/")
                live["kind"] = resource.kind
                found[key] = (live, resource)
    return found, said
