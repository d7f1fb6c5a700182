# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gitlab_configuration: CI variables and members, trap by trap."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._reconcile import DesiredError

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gitlab_site import Site, running

VALUE = "correct-horse-battery"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("gitlab")) as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(site: Site) -> None:
    world = site.fresh()
    world.group("cater")
    world.project("cater/shop", empty_repo=False, default_branch="main")


def on_shop(**sections: Any) -> dict[str, Any]:
    return {"projects": [{"path": "cater/shop", **sections}]}


def on_group(**sections: Any) -> dict[str, Any]:
    return {"groups": [{"path": "cater", **sections}]}


# Variables


def variables(site: Site) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["key"], row["environment_scope"]): row for row in site.project("cater/shop").variables}


def test_scopes_of_one_key_are_told_apart(site: Site) -> None:
    """Would catch identity by key alone: the wrong scope changed or deleted, or a 409 of several matches."""
    rows = [{"key": "URL", "scope": scope, "value": f"to-{scope}"} for scope in ("*", "test", "production")]
    site.done(**on_shop(variables=rows))
    site.quiet(**on_shop(variables=rows))
    rows[2]["value"] = "moved"
    site.done(**on_shop(variables=rows))
    site.done(**on_shop(variables=[rows[0], {**rows[1], "state": "absent"}, rows[2]]))
    found = variables(site)
    assert {scope: row["value"] for (_key, scope), row in found.items()} == {"*": "to-*", "production": "moved"}


def test_a_text_is_shown_and_a_value_is_not(site: Site) -> None:
    """Would catch half a report blanked because a variable says `production`, and a secret that is shown."""
    rows = [{"key": "WHERE", "text": "production"}, {"key": "PASSWORD", "value": VALUE}]
    site.done(**on_shop(variables=rows))
    other = on_shop(variables=[{"key": "WHERE", "text": "staging"}, {"key": "PASSWORD", "value": VALUE + "-2"}])
    shown = str(site.plan(**other).as_dict())
    assert "production" in shown and "staging" in shown and VALUE not in shown
    with pytest.raises(DesiredError, match="either a value"):
        site.plan(**on_shop(variables=[{**rows[0], "value": VALUE}]))


def test_one_scope_only_is_changed_where_it_is_the_only_one(site: Site) -> None:
    """Would catch a PUT without the filter: it hits the only variable of that key, whatever its scope."""
    site.done(**on_shop(variables=[{"key": "URL", "value": "for all"}]))
    site.done(**on_shop(variables=[{"key": "URL", "scope": "production", "value": "for production"}]))
    found = variables(site)
    assert found["URL", "*"]["value"] == "for all" and found["URL", "production"]["value"] == "for production"


def test_a_hidden_value_is_known_again_without_being_read(site: Site) -> None:
    """Would catch a hidden variable written at each run, or never again after its value changed."""
    row = {"key": "TOKEN", "value": VALUE, "hidden": True, "description": "for the shop"}
    result = site.done(**on_shop(variables=[row]))
    assert VALUE not in str(result.plan.as_dict())
    kept = variables(site)["TOKEN", "*"]
    assert kept["hidden"] and kept["masked"] and kept["value"] == VALUE
    assert kept["description"].startswith("for the shop [socle:") and VALUE not in kept["description"]
    site.quiet(**on_shop(variables=[row]))
    (change,) = site.plan(**on_shop(variables=[{**row, "value": VALUE + "-2"}])).pending
    assert change.paths == ("value",) and "(secret, changed)" in str(change.as_dict())
    site.done(**on_shop(variables=[{**row, "value": VALUE + "-2"}]))
    assert variables(site)["TOKEN", "*"]["value"] == VALUE + "-2"
    site.quiet(**on_shop(variables=[{**row, "value": VALUE + "-2"}]))


def test_a_hidden_value_that_somebody_else_set_is_written_once(site: Site) -> None:
    """Would catch a value that is taken for ours without a mark, and one that never comes to rest."""
    site.project("cater/shop").variables.append(
        {
            "key": "TOKEN", "value": "theirs-and-unknown", "hidden": True, "masked": True, "protected": False,
            "raw": False, "environment_scope": "*", "variable_type": "env_var", "description": "by hand",
        }
    )  # fmt: skip
    wanted = on_shop(variables=[{"key": "TOKEN", "value": VALUE, "hidden": True}])
    site.done(**wanted)
    assert variables(site)["TOKEN", "*"]["value"] == VALUE
    assert variables(site)["TOKEN", "*"]["description"].startswith("by hand [socle:")
    site.quiet(**wanted)


def test_hidden_later_means_another_variable_and_is_asked_for(site: Site) -> None:
    """Would catch a variable that stays readable although it was asked to be hidden."""
    site.done(**on_shop(variables=[{"key": "TOKEN", "value": VALUE}]))
    wanted = on_shop(variables=[{"key": "TOKEN", "value": VALUE, "hidden": True}])
    (refusal,) = site.plan(**wanted).refusals
    assert "hidden from its beginning" in refusal and "allow_replace" in refusal and VALUE not in refusal
    site.done(replace=True, **wanted)
    assert variables(site)["TOKEN", "*"]["hidden"]
    site.quiet(**wanted)


def test_prune_compares_keys_and_not_whole_objects(site: Site) -> None:
    """Would catch every variable deleted once the API tells an attribute that nobody knew of."""
    site.done(**on_shop(variables=[{"key": "A", "value": "1"}, {"key": "B", "value": "2"}]))
    for row in site.project("cater/shop").variables:
        row["quite_new"] = True
    site.done(prune=["variables"], **on_shop(variables=[{"key": "A", "value": "1"}]))
    assert set(variables(site)) == {("A", "*")}


def test_nothing_is_pruned_unasked_or_where_nothing_was_said(site: Site) -> None:
    """Would catch a deletion without prune, in another section, or in a project that does not name the section."""
    site.world.project("cater/other")
    for path in ("cater/shop", "cater/other"):
        site.done(projects=[{"path": path, "variables": [{"key": "A", "value": "1"}]}])
    site.quiet(**on_shop(variables=[]))
    both = [{"path": "cater/shop", "variables": [], "members": []}, {"path": "cater/other"}]
    site.quiet(projects=both, prune=["hooks"])
    site.done(projects=both, prune=["variables"])
    assert not site.project("cater/shop").variables and site.project("cater/other").variables


def test_values_that_cannot_be_masked_are_said_first(site: Site) -> None:
    """Would catch a 400 half way through a set."""
    rows = [
        {"key": "SHORT", "value": "short", "masked": True},
        {"key": "ODD", "value": "with spaces and $", "masked": True},
        {"key": "no-key", "value": "x"},
        {"key": "NONE"},
    ]
    with pytest.raises(DesiredError) as failed:
        site.plan(**on_shop(variables=rows))
    text = str(failed.value)
    for part in ("8 characters", "raw: true", "letters, digits and _", "either a value"):
        assert part in text
    assert "with spaces" not in text
    site.done(**on_shop(variables=[{**rows[1], "raw": True}]))


def test_a_masked_variable_that_gets_a_short_value_says_what_to_do(site: Site) -> None:
    """Would catch a bare 400: what was masked by hand stays masked, and the new value cannot be."""
    site.done(**on_shop(variables=[{"key": "A", "value": VALUE, "masked": True}]))
    result = site.apply(**on_shop(variables=[{"key": "A", "text": "1"}]))
    assert not result.ok and "give masked: false" in result.message()
    site.done(**on_shop(variables=[{"key": "A", "text": "1", "masked": False}]))


@pytest.mark.parametrize("edition", ["ce", "ee"])
def test_a_scope_that_the_server_drops_is_no_success(site: Site, edition: str) -> None:
    """Would catch a production secret handed to every environment: the server takes the scope and ignores it."""
    world = site.fresh(edition=edition)
    world.group("cater")
    wanted = on_group(variables=[{"key": "TOKEN", "scope": "production", "value": VALUE}])
    if edition == "ce":
        (refusal,) = site.plan(**wanted).refusals
        assert "Community Edition" in refusal and "scope of a group's variable" in refusal
    else:
        result = site.apply(**wanted)
        assert not result.ok and "Premium" in result.message()
    assert site.group("cater").variables == []


# Members


def test_members_of_all_pages_are_seen(site: Site) -> None:
    """Would catch a client that sees twenty members: it adds those that are there, and prunes none of the rest."""
    people = [f"user{number}" for number in range(130)]
    for name in people:
        site.world.user(name)
    wanted = on_group(members=[{"user": name} for name in people])
    site.done(**wanted)
    site.quiet(prune=["members"], **wanted)
    site.done(prune=["members"], **on_group(members=[{"user": "user129"}]))
    assert [m["username"] for m in site.group("cater").members] == ["user129"]


def test_prune_leaves_the_tokens_own_user_and_tokens_users(site: Site) -> None:
    """Would catch a task that locks itself out, or that takes an access token's user away."""
    bot = site.world.user("project_7_bot_0a1b2c")
    root = next(user for user in site.world.users if user["username"] == "root")
    ada = next(user for user in site.world.users if user["username"] == "ada")
    for user in (bot, root, ada):
        site.group("cater").members.append({**user, "access_level": 40, "expires_at": None})
    site.done(prune=["members"], **on_group(members=[]))
    assert {m["username"] for m in site.group("cater").members} == {"project_7_bot_0a1b2c", "root"}


def test_levels_are_changed_and_days_set_and_cleared(site: Site) -> None:
    """Would catch a POST for a member who is there (409), and a day that cannot be taken back."""
    site.done(**on_shop(members=[{"user": "ada", "access": "reporter", "expires": "2030-01-31"}]))
    site.done(**on_shop(members=[{"user": "ada", "access": "maintainer"}]))
    (row,) = site.project("cater/shop").members
    assert row["access_level"] == 40 and row["expires_at"] == "2030-01-31"
    wanted = on_shop(members=[{"user": "ada", "access": "maintainer", "expires": ""}])
    site.done(**wanted)
    assert row["expires_at"] is None
    site.quiet(**wanted)


def test_less_than_inherited_is_said_with_the_apis_own_words(site: Site) -> None:
    """Would catch a failure that does not tell which group gives more."""
    site.done(**on_group(members=[{"user": "ada", "access": "maintainer"}]))
    result = site.apply(**on_shop(members=[{"user": "ada", "access": "developer"}]))
    assert not result.ok
    assert "member ada" in result.message() and "inherited membership from group cater" in result.message()


def test_unknown_people_are_named_before_anything_is_written(site: Site) -> None:
    """Would catch a set that fails half way because of one misspelt name."""
    site.server.forget()
    made = site.plan(
        projects=[
            {
                "path": "cater/new",
                "members": [{"user": "adda"}],
                "protected_branches": [{"name": "main", "push": ["user:grce", "group:cater/nobody"]}],
            }
        ]
    )
    text = "\n".join(made.refusals)
    for part in ("no user adda", "no user grce", "no group cater/nobody"):
        assert part in text
    assert site.server.writes() == []
