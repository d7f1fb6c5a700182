# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform's role: every privilege has a call that needs it, and the documentation has the same table."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._proxmox import access, privileges
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def schema(shared: Path) -> dict[str, Any]:
    with gzip.open(shared / "pve" / "apidoc.json.gz") as file:
        found: dict[str, Any] = json.load(file)
    return found


def test_every_privilege_exists_and_the_call_that_needs_it_too(schema: dict[str, Any]) -> None:
    """Would catch a privilege of another release, a call that is not there, and a need that is not so."""
    known = {name for role in schema["roles"].values() for name in role}
    for need in privileges.NEEDS:
        assert need.privilege in known
        endpoint = schema["endpoints"][need.endpoint][need.method]
        rule = endpoint["permissions"]
        # What the schema does not spell out is tested in code: by parameter, or by what a list leaves out.
        in_code = rule.get("more_in_code") or (need.method == "GET" and rule.get("user") == "all")
        assert need.privilege in json.dumps(rule) or in_code, need


def test_no_privilege_twice_and_none_that_gives_power_over_people() -> None:
    """Would catch a platform token that can make itself an administrator."""
    assert len(set(privileges.PLATFORM)) == len(privileges.NEEDS)
    assert not {"Permissions.Modify", "User.Modify", "Realm.Allocate", "Realm.AllocateUser"} & set(privileges.PLATFORM)


def test_the_documentation_has_the_same_table(root: Path) -> None:
    """Would catch a privilege added to the role and not to the page that administrators read."""
    assert privileges.page() in (root / "docs" / "proxmox-access.md").read_text()


words = st.from_regex(r"[a-zA-Z][a-zA-Z0-9._-]{0,10}", fullmatch=True)


@given(
    st.lists(words, max_size=3),
    st.sampled_from(["user", "group", "token"]),
    words,
    st.sampled_from(["", "@pve"]),
    words,
)
def test_the_key_of_an_entry_says_all_of_it(path: list[str], kind: str, who: str, realm: str, role: str) -> None:
    """Would catch two entries under one key, or an entry written to another path than was read."""
    text = "/" + "/".join(path)
    key = access.acl_key(text, kind, who + realm, role)
    assert access.acl_parts(key) == (text, kind, who + realm, role)
    assert access.acl_key(text + "/", kind, who + realm, role) == key
