# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as JSON: what is hidden, what differs, what is drift."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.socle.platform.plugins.module_utils._terraform.changes import (
    hidden,
    leaves,
    reading,
    tainted,
    visible,
)
from ansible_collections.socle.platform.plugins.module_utils._values import (
    KNOWN_AFTER_APPLY,
    Secret,
    clear_texts,
    show,
)
from hypothesis import given
from hypothesis import strategies as st

SECRET = "correct horse battery staple"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(SECRET) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


def marks(value: Any) -> Any:
    """The mask that Terraform gives a value in which every secret text is sensitive."""
    if value == SECRET:
        return True
    if isinstance(value, dict):
        return {key: marks(item) for key, item in value.items() if marks(item)}
    if isinstance(value, list):
        return [marks(item) or False for item in value]
    return False


@given(VALUES)
def test_what_is_marked_is_never_shown(value: Any) -> None:
    """Would catch a mask that is not followed into lists, blocks or child objects."""
    assert SECRET not in json.dumps(show(visible(value, marks(value))))


@given(VALUES)
def test_what_is_not_marked_is_shown_as_it_is(value: Any) -> None:
    """Would catch a value lost on its way, or called secret or unknown without reason."""
    assert visible(value, False, False) == value


@given(VALUES)
def test_leaves_hold_all_that_is_not_empty(value: Any) -> None:
    """Would catch a difference that no path leads to."""

    def found(item: Any) -> list[Any]:
        if isinstance(item, dict) or (isinstance(item, list) and any(isinstance(one, dict) for one in item)):
            parts = item.values() if isinstance(item, dict) else item
            return [leaf for part in parts for leaf in found(part)]
        return [] if item in (None, [], {}, "") else [item]

    assert [leaf for _path, leaf in leaves(value)] == found(value)


def test_unknown_values_are_named_so_at_any_depth() -> None:
    """Would catch an unknown value shown as null."""
    shown = visible({"a": [{"b": 1}]}, {}, {"id": True, "a": [{"c": True}]})
    assert shown == {"a": [{"b": 1, "c": KNOWN_AFTER_APPLY}], "id": KNOWN_AFTER_APPLY}
    assert visible(None, True, True) == KNOWN_AFTER_APPLY


def test_everyday_words_beside_a_secret_are_not_blanked_everywhere() -> None:
    """Would catch results full of blanks because an object with a password holds the region, too."""
    key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"
    texts = clear_texts([hidden({"region": "fr-par", "kind": "kapsule", "key": key})])
    assert "fr-par" not in texts and "kapsule" not in texts and key in texts
    assert "admin" not in clear_texts([hidden("admin")]) and hidden("admin") == hidden("admin")
    assert hidden("admin") != hidden("other") and "long enough" in clear_texts([hidden("long enough")])


def change(actions: list[str], before: Any, after: Any, **more: Any) -> dict[str, Any]:
    inner = {"actions": actions, "before": before, "after": after, **more.pop("change", {})}
    return {"address": "t.x", "type": "t", "mode": "managed", "change": inner, **more}


def test_what_was_changed_by_hand_and_is_put_back_is_drift() -> None:
    """Would catch drift and a wanted change taken for each other in one resource."""
    drift = change(["update"], {"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 2, "c": 1})
    # a is put back; b was changed by hand, and is now to be a third value; c is a plain change.
    plan = {
        "resource_changes": [change(["update"], {"a": 2, "b": 2, "c": 1}, {"a": 1, "b": 3, "c": 5})],
        "resource_drift": [drift],
    }
    (found,) = reading(plan).resources
    assert list(found.parts()) == [(False, {"b": 2, "c": 1}, {"b": 3, "c": 5}), (True, {"a": 2}, {"a": 1})]


def test_drift_that_nobody_puts_back_is_told() -> None:
    """Would catch a change by hand that stays unseen because the configuration is silent about it."""
    read = reading({"resource_drift": [change(["update"], {"a": 1}, {"a": 2})]})
    assert read.resources == () and "t.x was changed outside of Terraform (a from 1 to 2)" in read.drift[0]


def test_each_kind_of_action_has_its_word_and_reason() -> None:
    """Would catch a replacement, an import, a move or a forgotten object called something else."""
    plan = {
        "resource_changes": [
            change(["delete", "create"], {"a": 1}, {"a": 2}, change={"replace_paths": [["a"], ["b", 0, "c"]]}),
            change(["no-op"], {"a": 1}, {"a": 1}, change={"importing": {"id": "i-1"}}),
            change(["no-op"], {"a": 1}, {"a": 1}, previous_address="t.old"),
            change(["forget"], {"a": 1}, None),
            change(["no-op"], {"a": 1}, {"a": 1}),
            {**change(["read"], None, {}), "mode": "data"},
        ]
    }
    told = [(one.action, one.reason) for one in reading(plan).resources]
    assert told == [
        ("replace", "a, b.0.c cannot change in place"),
        ("import", "it is there already, as i-1, and is taken over"),
        ("move", "it was called t.old"),
        ("forget", "it stays where it is, and is not managed any more"),
    ]


def test_outputs_are_known_unknown_null_or_secret() -> None:
    """Would catch a layer fed with a value that is not known yet, or an output that is null taken for missing."""
    read = reading(
        {
            "planned_values": {"outputs": {"a": {"value": 1}, "s": {"value": "x", "sensitive": True}}},
            "output_changes": {"u": {"actions": ["create"], "before": None, "after": None, "after_unknown": True}},
            "configuration": {"root_module": {"outputs": {"a": {}, "s": {}, "u": {}, "n": {}}}},
        }
    )
    assert read.outputs["a"] == 1 and read.outputs["n"] is None
    assert isinstance(read.outputs["s"], Secret) and repr(read.outputs["u"]) == KNOWN_AFTER_APPLY


def test_tainted_resources_of_child_modules_are_found() -> None:
    """Would catch a half-made object called done."""
    inner = {"resources": [{"address": "module.m.t.x", "tainted": True}, {"address": "module.m.t.y"}]}
    assert tainted({"root_module": {"child_modules": [inner]}}) == ["module.m.t.x"]
