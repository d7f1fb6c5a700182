# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What differs between the fields that are wanted and the fields that were found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ._values import (
    ABSENT,
    HIDDEN,
    HIDDEN_CHANGED,
    UNREADABLE,
    Secret,
    bare,
    canonical,
    equal,
    has_unknown,
    secrets_in,
    show,
)

_MISSING = object()
_QUICK = frozenset((str, int, bool, float))


@dataclass(frozen=True)
class FieldChange:
    """One field that differs. `before` and `after` are the values as they are: show them with the methods."""

    path: str
    before: Any
    after: Any

    @property
    def secret(self) -> bool:
        """A secret on one side hides both: the other side is the same kind of value."""
        return next(secrets_in(self.before, self.after), None) is not None

    @property
    def unknown(self) -> bool:
        return has_unknown(self.after)

    def shown_before(self) -> Any:
        return HIDDEN if self.secret and self.before is not ABSENT else show(self.before)

    def shown_after(self) -> Any:
        if not self.secret or self.after is ABSENT:
            return show(self.after)
        return HIDDEN if self.before is ABSENT else HIDDEN_CHANGED

    def __repr__(self) -> str:
        return f"FieldChange({self.path!r}, {self.shown_before()!r} -> {self.shown_after()!r})"


@dataclass(frozen=True)
class Rules:
    """How fields of a kind are compared; paths are dotted names."""

    exact: frozenset[str] = frozenset()
    unordered: frozenset[str] = frozenset()
    same: Callable[[str, Any, Any], bool] | None = None


def differences(
    wanted: Mapping[str, Any], found: Mapping[str, Any], rules: Rules, prefix: str = ""
) -> list[FieldChange]:
    """The fields of `wanted` that are not so in `found`. What `wanted` does not name is not compared."""
    changes: list[FieldChange] = []
    for name, want in wanted.items():
        have = found.get(name, _MISSING)
        if want.__class__ is have.__class__ and want.__class__ in _QUICK and want == have:
            continue
        path = f"{prefix}{name}"
        if have is UNREADABLE:
            continue
        if have is _MISSING:
            if want is not ABSENT:
                changes.append(FieldChange(path, ABSENT, want))
        elif _mappings(want, have):
            changes.extend(differences(want, have, rules, f"{path}."))
            if path in rules.exact:
                extra = [key for key in have if key not in want]
                changes.extend(FieldChange(f"{path}.{key}", have[key], ABSENT) for key in extra)
        elif not _same(path, want, have, rules):
            changes.append(FieldChange(path, have, want))
    return changes


def _mappings(one: Any, other: Any) -> bool:
    if one.__class__ is dict and other.__class__ is dict:
        return True
    return isinstance(one, Mapping) and isinstance(other, Mapping)


def _same(path: str, want: Any, have: Any, rules: Rules) -> bool:
    if equal(want, have):
        return True
    if want is ABSENT or has_unknown(want):
        return False
    if path in rules.unordered and isinstance(want, (list, tuple)) and isinstance(have, (list, tuple)):
        return sorted(map(_order, want)) == sorted(map(_order, have))
    if rules.same is None:
        return False
    return rules.same(path, bare(want), bare(have))


def _order(value: Any) -> str:
    return canonical(_plain(value))


def _plain(value: Any) -> Any:
    value = bare(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def merged(found: Mapping[str, Any], wanted: Mapping[str, Any], rules: Rules, prefix: str = "") -> dict[str, Any]:
    """The fields as they will be once `wanted` was applied over `found`."""
    result = dict(found)
    for name, want in wanted.items():
        path = f"{prefix}{name}"
        have = result.get(name)
        if want is ABSENT:
            result.pop(name, None)
        elif isinstance(want, Mapping) and isinstance(have, Mapping) and path not in rules.exact:
            result[name] = merged(have, want, rules, f"{path}.")
        elif isinstance(want, Mapping):
            result[name] = merged({}, want, rules, f"{path}.")
        else:
            result[name] = want
    return result


__all__ = ["FieldChange", "Rules", "Secret", "differences", "merged"]
