# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What one object needs: the rule by which planning and every later look decide alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ._diff import Rules, differences, merged
from ._objects import Action, Change, Current, Desired, Options, Reader, shown
from ._values import Unknown, equal


def decide(desired: Desired, current: Current | None, reader: Reader, options: Options, rules: Rules) -> Change:
    label = desired.label or desired.key

    def change(action: Action, **more: Any) -> Change:
        return Change(desired.key, label, action, desired, current, **more)

    if current is None:
        if not desired.present:
            return change(Action.NOTHING)
        fields = tuple(differences(desired.fields, {}, rules))
        later = tuple(name for name in reader.computed if name not in desired.fields)
        return change(Action.CREATE, fields=fields, after=merged({}, desired.fields, rules), known_after=later)
    other = foreign(desired.identity, current)
    if other:
        return change(
            Action.NOTHING,
            refused=f"{reader.kind} {label}: what has this name is another object ({other}); it is not touched: rename "
            "or remove it, or correct the desired identity",
        )
    if not desired.present:
        return change(Action.DELETE, reason="it is asked to be absent")
    if current.incomplete:
        fields = tuple(differences(desired.fields, {}, rules))
        reason = f"an earlier run left it unfinished: {current.incomplete}"
        return change(Action.REPLACE, fields=fields, after=merged({}, desired.fields, rules), reason=reason)
    fields = tuple(differences(desired.fields, current.fields, rules))
    if not fields:
        return change(Action.NOTHING, after=current.fields)
    reason = reader.replaces(desired, current, fields)
    if not reason:
        return change(Action.UPDATE, fields=fields, after=merged(current.fields, desired.fields, rules))
    refused = ""
    if not options.allow_replace:
        what = ", ".join(f"{f.path} from {shown(f.shown_before())} to {shown(f.shown_after())}" for f in fields)
        refused = (
            f"{reader.kind} {label}: changing {what} means to destroy it and make it anew ({reason}); "
            "set allow_replace to true if that is meant"
        )
    return change(
        Action.REPLACE, fields=fields, after=merged({}, desired.fields, rules), reason=reason, refused=refused
    )


def foreign(identity: Mapping[str, Any], current: Current) -> str:
    """How the found object's identity contradicts the one that is expected; empty when it does not."""
    for name, want in identity.items():
        if name not in current.identity:
            if current.incomplete:
                continue
            return f"it has no {name}, expected {shown(want)}"
        if not equal(want, current.identity[name]):
            return f"its {name} is {shown(current.identity[name])}, expected {shown(want)}"
    return ""


def fill(value: Any, known: Callable[[Unknown], Any]) -> Any:
    """`value` with each Unknown replaced by what `known` says about it (perhaps itself)."""
    if isinstance(value, Unknown):
        return known(value) if value.of else value
    if isinstance(value, Mapping):
        return {key: fill(item, known) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill(item, known) for item in value]
    return value
