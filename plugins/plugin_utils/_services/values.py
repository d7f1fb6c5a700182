# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Values of a chart: layers laid over one another, with names of the platform filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .declaration import CatalogueError

_NAME = re.compile(r"@\{([a-z_]+)\}")


def laid_over(below: Any, above: Any) -> Any:
    """Mappings are joined at every depth, anything else is replaced, as Helm does it."""
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    joined = dict(below)
    for key, value in above.items():
        joined[key] = laid_over(below[key], value) if key in below else value
    return joined


def filled(value: Any, names: Mapping[str, Any], where: str) -> Any:
    """Each @{name} replaced. One that is the whole text keeps its type; one that is None takes its key away."""
    if isinstance(value, Mapping):
        done = {key: filled(inner, names, f"{where}.{key}") for key, inner in value.items()}
        return {key: inner for key, inner in done.items() if not (inner is None and value[key] is not None)}
    if isinstance(value, list):
        return [filled(inner, names, f"{where}[{index}]") for index, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    whole = _NAME.fullmatch(value)
    if whole:
        return _known(whole.group(1), names, where)
    return _NAME.sub(lambda match: str(_known(match.group(1), names, where)), value)


def _known(name: str, names: Mapping[str, Any], where: str) -> Any:
    if name not in names:
        raise CatalogueError(f"{where}: @{{{name}}} is not known; there are {', '.join(sorted(names))}")
    return names[name]


def shared(many: list[dict[str, Any]]) -> dict[str, Any]:
    """What all of them say, at every depth."""
    first, *others = many
    common: dict[str, Any] = {}
    for key, value in first.items():
        if not all(key in other for other in others):
            continue
        if isinstance(value, dict) and all(isinstance(other[key], dict) for other in others):
            inner = shared([value, *(other[key] for other in others)])
            if inner or not value:
                common[key] = inner
        elif all(other[key] == value and type(other[key]) is type(value) for other in others):
            common[key] = value
    return common


def beyond(common: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be laid over the common part to get the whole."""
    rest: dict[str, Any] = {}
    for key, value in whole.items():
        if key not in common:
            rest[key] = value
        elif isinstance(value, dict) and isinstance(common[key], dict):
            inner = beyond(common[key], value)
            if inner:
                rest[key] = inner
        elif value != common[key] or type(value) is not type(common[key]):
            rest[key] = value
    return rest
