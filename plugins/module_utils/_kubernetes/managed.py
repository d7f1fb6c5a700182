# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Whether applying an object would change nothing, told from its managed fields without asking the server.

`metadata.managedFields` says which fields our last apply set: any other writer of a field takes it away from us. So an
object is as it should be when our entry names exactly the fields of the manifest and their values are those of the
manifest. The entry also says how each list is merged, so no schema is needed. Where this cannot be told (a list that
is one value and got defaults, a quantity written otherwise), the answer is no, and a dry run on the server decides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

_IDENTITY = frozenset(("apiVersion", "kind"))
_NAMES = frozenset(("name", "namespace"))


def entry(live: Mapping[str, Any], manager: str) -> Mapping[str, Any] | None:
    """What our last apply set, by the server's books."""
    for row in live["metadata"].get("managedFields") or ():
        if row.get("manager") == manager and row.get("operation") == "Apply" and not row.get("subresource"):
            found: Mapping[str, Any] = row
            return found
    return None


def managers(live: Mapping[str, Any], but: str = "") -> list[str]:
    """Who has fields of this object."""
    rows = live["metadata"].get("managedFields") or ()
    return sorted({str(row.get("manager")) for row in rows if row.get("manager") != but and not row.get("subresource")})


def as_applied(body: Mapping[str, Any], live: Mapping[str, Any], manager: str) -> bool:
    """Whether it is certain that applying `body` would change nothing."""
    own = {key: value for key, value in body.items() if key not in _IDENTITY and key != "metadata"}
    metadata = {key: value for key, value in body["metadata"].items() if key not in _NAMES}
    if metadata:
        own["metadata"] = metadata
    row = entry(live, manager)
    if row is None:
        # Who sets nothing is not in the books.
        return not own
    if row.get("apiVersion") != body["apiVersion"] or row.get("fieldsType") != "FieldsV1":
        return False
    fields = row.get("fieldsV1") or {}
    return _mapping(own, live, fields)


def _value(want: Any, have: Any, fields: Mapping[str, Any]) -> bool:
    if not fields:
        # One value to the server, whatever is in it.
        return type(want) is type(have) and bool(want == have)
    if isinstance(want, Mapping):
        return isinstance(have, Mapping) and _mapping(want, have, fields)
    if isinstance(want, list):
        return isinstance(have, list) and _list(want, have, fields)
    return False


def _mapping(want: Mapping[str, Any], have: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    seen = 1 if "." in fields else 0
    for name, value in want.items():
        inner = fields.get(f"f:{name}")
        if inner is None or name not in have or not _value(value, have[name], inner):
            return False
        seen += 1
    return seen == len(fields)


def _list(want: Sequence[Any], have: Sequence[Any], fields: Mapping[str, Any]) -> bool:
    """A list whose items have an identity: by some of their fields (k:), or by their value (v:)."""
    seen = 1 if "." in fields else 0
    at = -1
    for item in want:
        name, test = _item(item, fields)
        place = next((number for number, other in enumerate(have) if test(other)), -1)
        # Applying puts our items into our order.
        if place <= at:
            return False
        at = place
        inner = fields[name]
        if inner and not _value(item, have[place], inner):
            return False
        seen += 1
    return seen == len(fields)


def _item(item: Any, fields: Mapping[str, Any]) -> tuple[str, Callable[[Any], bool]]:
    """The name of this item in the entry, and how to know it in the live list; a test that nothing meets if unsure."""
    found: list[tuple[str, Callable[[Any], bool]]] = []
    for name in fields:
        if name.startswith("k:") and isinstance(item, Mapping):
            keys = _decoded(name)
            # A key that is left out has the default, which only the server knows.
            if all(key not in item or item[key] == value for key, value in keys.items()) and any(
                key in item for key in keys
            ):
                found.append((name, partial(_has, keys)))
        elif name.startswith("v:") and _decoded(name) == item:
            found.append((name, partial(_is, item)))
    return found[0] if len(found) == 1 else ("", _unsure)


def _unsure(_other: Any) -> bool:
    return False


def _is(item: Any, other: Any) -> bool:
    return type(other) is type(item) and bool(other == item)


def _has(keys: Mapping[str, Any], other: Any) -> bool:
    return isinstance(other, Mapping) and all(other.get(key) == value for key, value in keys.items())


@lru_cache(maxsize=4096)
def _decoded(name: str) -> Any:
    return json.loads(name[2:])
