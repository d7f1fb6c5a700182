# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How storage options are compared, and that our table of types is the API's own."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._proxmox.storage_types import FLAGS, SECRET, TYPES
from ansible_collections.socle.platform.plugins.module_utils._proxmox.storages import normal
from ansible_collections.socle.platform.plugins.module_utils._values import ABSENT, Secret
from hypothesis import given
from hypothesis import strategies as st

# Required by the schema, and filled in by Proxmox with the place of the mount.
FILLED_IN = {"cephfs": {"path"}, "cifs": {"path"}, "nfs": {"path"}}


@pytest.fixture(scope="module")
def schema(shared: Path) -> dict[str, Any]:
    with gzip.open(shared / "pve" / "apidoc.json.gz") as file:
        found: dict[str, Any] = json.load(file)
    return found


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_table_of_types_is_the_api_s(schema: dict[str, Any], kind: str) -> None:
    """Would catch an option that the API does not know, one we refuse, and a fixed one that we try to change."""
    options = schema["section_types"]["storage"][kind]["options"]
    assert TYPES[kind].options == set(options)
    needed = {name for name, option in options.items() if not option.get("optional")}
    assert TYPES[kind].needed == needed - FILLED_IN.get(kind, set())
    assert TYPES[kind].fixed == {name for name, option in options.items() if option.get("fixed")}


def test_every_type_flag_and_secret_is_known(schema: dict[str, Any]) -> None:
    """Would catch a type left out, a flag compared as text, and a secret shown in a diff."""
    assert set(schema["section_types"]["storage"]) == set(TYPES)
    properties = schema["endpoints"]["/storage"]["POST"]["parameters"]["properties"]
    assert {name for name, option in properties.items() if option["type"] == "boolean"} == FLAGS
    types = schema["section_types"]["storage"].values()
    secret = {name for kind in types for name in kind["plugindata"].get("sensitive-properties", {})}
    assert secret == SECRET


@given(st.permutations(["images", "iso", "backup"]), st.sampled_from([",", ";", " ", ", "]))
def test_order_and_separator_of_a_set_mean_nothing(items: list[str], separator: str) -> None:
    """Would catch 'changed' because the API answers in a random order."""
    assert normal("content", separator.join(items)) == normal("content", sorted(items)) == sorted(items)


@pytest.mark.parametrize("value", [1, "1", True, "yes"])
def test_flags_are_flags(value: Any) -> None:
    """Would catch 1 and true being taken for different values."""
    assert normal("shared", value) is True


def test_an_empty_text_removes_an_option_or_gives_its_default_back() -> None:
    """Would catch a field that is asked to be absent and reads back as its default for ever."""
    assert normal("nodes", []) is ABSENT
    assert normal("sparse", "") is False
    assert normal("mkdir", "") is True
    assert normal("preallocation", "") == "metadata"


def test_property_strings_are_compared_by_their_parts() -> None:
    """Would catch keep-last=2,keep-daily=7 being another policy than its mapping."""
    wanted = {"keep-daily": "7", "keep-last": "2"}
    assert normal("prune-backups", {"keep_last": 2, "keep-daily": 7}) == wanted
    assert normal("prune-backups", "keep-daily=7,keep-last=2") == wanted


def test_secrets_are_typed() -> None:
    """Would catch a password that a diff shows."""
    assert isinstance(normal("password", "x"), Secret) and isinstance(normal("keyring", Secret("x")), Secret)
