# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Reading what is there of a set: lists by kind where many are asked for, single objects where few are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .api import PAGE, Api, each
from .discovery import Resource
from .errors import ApiError

# Up to so many of one kind and place are asked for one by one.
FEW = 4
# Places (namespaces) of one kind that are listed one by one; more are listed in one go.
PLACES = 3

Live = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """One object to look up."""

    key: str
    resource: Resource
    namespace: str
    name: str


def read(api: Api, wanted: Iterable[Wanted], labels: Mapping[str, str] | None = None) -> dict[str, Live]:
    """The objects that are there, by key. `labels`: what those that are ours already carry."""
    kinds: dict[Resource, list[Wanted]] = defaultdict(list)
    for item in wanted:
        kinds[item.resource].append(item)
    tasks: list[Callable[[], dict[str, Live]]] = []
    for resource, items in kinds.items():
        for where, group in _places(resource, items):
            tasks.append(_task(api, resource, where, group, labels or {}))
    found: dict[str, Live] = {}
    for part in each(lambda task: task(), tasks):
        found.update(part)
    return found


def _places(resource: Resource, items: Sequence[Wanted]) -> list[tuple[str, list[Wanted]]]:
    by: dict[str, list[Wanted]] = defaultdict(list)
    for item in items:
        by[item.namespace].append(item)
    many = {where: group for where, group in by.items() if len(group) > FEW}
    few = [(where, [item]) for where, group in by.items() if where not in many for item in group]
    if len(few) > 2 * FEW and resource.namespaced and len(by) > PLACES:
        return [("", list(items))]
    return [*many.items(), *few]


def _task(
    api: Api, resource: Resource, where: str, group: Sequence[Wanted], labels: Mapping[str, str]
) -> Callable[[], dict[str, Live]]:
    if len(group) == 1:
        return lambda: _single(api, group)
    return lambda: _listed(api, resource, where, group, labels)


def _single(api: Api, items: Iterable[Wanted]) -> dict[str, Live]:
    found = {}
    for item in items:
        live = api.find(item.resource.path(item.namespace, item.name))
        if live is not None:
            found[item.key] = live
    return found


def _listed(
    api: Api, resource: Resource, where: str, group: Sequence[Wanted], labels: Mapping[str, str]
) -> dict[str, Live]:
    left = {(item.namespace, item.name): item for item in group}
    found: dict[str, Live] = {}
    selectors = [selector(labels)] if labels else []
    for chosen in [*selectors, ""]:
        whole = True
        try:
            for page in api.pages(resource.collection(where), {"labelSelector": chosen}):
                _take(page, left, found, resource)
                # A page has as much to carry as many single objects.
                if len(left) <= FEW and len(page) == PAGE:
                    whole = False
                    break
        except ApiError as error:
            if error.status != 403:
                raise
            # May read, may not list: one by one then.
            break
        if whole and not chosen:
            return found
        if len(left) <= FEW:
            break
    rest = each(lambda item: _single(api, [item]), left.values())
    for part in rest:
        found.update(part)
    return found


def _take(
    page: Iterable[Live], left: dict[tuple[str, str], Wanted], found: dict[str, Live], resource: Resource
) -> None:
    for live in page:
        metadata = live["metadata"]
        item = left.pop((metadata.get("namespace") or "", metadata["name"]), None)
        if item is not None:
            # Items of a list do not say what they are.
            live["apiVersion"] = f"{resource.group}/{resource.version}".lstrip("/")
            live["kind"] = resource.kind
            found[item.key] = live


def selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
