# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers of values, and the split of values between clusters."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils._services.declaration import CatalogueError
from ansible_collections.socle.platform.plugins.plugin_utils._services.values import beyond, filled, laid_over, shared
from hypothesis import given
from hypothesis import strategies as st

LEAF = st.one_of(
    st.booleans(), st.integers(0, 3), st.sampled_from(["a", "b", ""]), st.lists(st.integers(0, 2), max_size=2)
)
VALUES = st.recursive(
    st.dictionaries(st.sampled_from("abcd"), LEAF, max_size=4),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), st.one_of(LEAF, inner), max_size=4),
    max_leaves=12,
)


def _exact(left: Any, right: Any) -> bool:
    """Equal with types: Helm tells 1 from true."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_exact(left[key], right[key]) for key in left)
    return bool(left == right)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_what_clusters_share_and_what_is_theirs_make_the_whole_again(many: list[dict[str, Any]]) -> None:
    """Would catch a value of one cluster that reaches another one, or gets lost between two files."""
    common = shared(many)
    for whole in many:
        assert _exact(laid_over(common, beyond(common, whole)), whole)


def test_names_keep_their_types_and_take_keys_away() -> None:
    """Would catch a class named 'None', a number as text, and a placeholder that nobody fills."""
    given_values = {"a": "@{n}", "b": "x-@{n}", "c": {"d": "@{gone}"}, "e": ["@{n}"], "f": None}
    assert filled(given_values, {"n": 3, "gone": None}, "here") == {"a": 3, "b": "x-3", "c": {}, "e": [3], "f": None}
    with pytest.raises(CatalogueError, match=r"here\.a: @{typo} is not known"):
        filled({"a": "@{typo}"}, {"n": 3}, "here")
