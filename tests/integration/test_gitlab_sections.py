# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gitlab_configuration: branches, tags, environments, rules, hooks and keys, groups and projects, trap by trap."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._reconcile import DesiredError, EngineError

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gitlab_site import Site, running

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
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


# Protected branches and tags


def levels(row: dict[str, Any], kind: str) -> set[Any]:
    return {
        entry.get("user_id") or entry.get("group_id") or entry["access_level"] for entry in row[f"{kind}_access_levels"]
    }


@pytest.mark.parametrize("edition", ["premium", "ce"])
def test_who_may_is_replaced_and_not_added_to(site: Site, edition: str) -> None:
    """Would catch PATCH taken for a replacement: it only adds, and developers could go on pushing."""
    world = site.fresh(edition=edition)
    world.group("cater")
    world.project("cater/shop")
    before = {"name": "main", "push": ["developers"], "merge": ["developers"], "force_push": True}
    site.done(**on_shop(protected_branches=[before]))
    after = {"name": "main", "push": ["nobody"], "merge": ["maintainers"]}
    site.done(**on_shop(protected_branches=[after]))
    (row,) = site.project("cater/shop").branches
    assert levels(row, "push") == {0} and levels(row, "merge") == {40} and row["allow_force_push"] is True
    site.quiet(**on_shop(protected_branches=[after]))


def test_users_and_groups_may_push_and_come_and_go(site: Site) -> None:
    """Would catch people who cannot be given a branch, order taken for a difference, and entries left behind."""
    people = {user["username"]: user["id"] for user in site.world.users}
    base = {
        "groups": [{"path": "cater/release"}],
    }
    members = [{"user": "ada"}, {"user": "grace"}]
    first = on_shop(
        members=members,
        protected_branches=[{"name": "main", "push": ["user:grace", "user:ada", "group:cater/release"]}],
    )
    site.done(**base, **first)
    (row,) = site.project("cater/shop").branches
    assert levels(row, "push") == {people["ada"], people["grace"], site.group("cater/release").id}
    row["push_access_levels"].reverse()
    site.quiet(**base, **first)
    second = on_shop(members=members, protected_branches=[{"name": "main", "push": ["user:ada", "maintainers"]}])
    site.done(**base, **second)
    assert levels(row, "push") == {people["ada"], 40}
    site.quiet(**base, **second)


def test_the_default_branchs_own_protection_is_taken_over(site: Site) -> None:
    """Would catch a 409 on a new project: GitLab protects its default branch by itself."""
    wanted = {
        "path": "cater/new",
        "default_branch": "trunk",
        "protected_branches": [{"name": "trunk", "push": ["nobody"], "merge": ["developers"]}],
    }
    site.done(projects=[wanted])
    (row,) = site.project("cater/new").branches
    assert row["name"] == "trunk" and levels(row, "push") == {0} and levels(row, "merge") == {30}


def test_wildcards_and_slashes_in_names_reach_the_server_whole(site: Site) -> None:
    """Would catch a name that is not quoted: release/* would be another path of the API."""
    wanted = on_shop(protected_branches=[{"name": "release/*", "push": ["maintainers"]}])
    site.done(**wanted)
    site.done(**on_shop(protected_branches=[{"name": "release/*", "push": ["nobody"]}]))
    site.done(**on_shop(protected_branches=[{"name": "release/*", "state": "absent"}]))
    assert site.project("cater/shop").branches == []


def test_what_a_group_protects_is_not_pruned(site: Site) -> None:
    """Would catch a prune that takes inherited rules away, or fails on them."""
    site.project("cater/shop").branches.append(
        {
            "id": 999, "name": "main", "allow_force_push": False, "inherited": True,
            "push_access_levels": [], "merge_access_levels": [],
        }
    )  # fmt: skip
    site.quiet(prune=["protected_branches"], **on_shop(protected_branches=[]))


def test_a_tag_is_protected_anew_and_never_left_open(site: Site) -> None:
    """Would catch a change that removes the protection and then fails: the API has no update for tags."""
    site.done(**on_shop(protected_tags=[{"name": "v*", "create": ["developers"]}]))
    site.server.fault("POST /projects/cater/shop/protected_tags", status=502, times=2)
    wanted = on_shop(protected_tags=[{"name": "v*", "create": ["maintainers"]}])
    site.done(**wanted)
    (row,) = site.project("cater/shop").tags
    assert [entry["access_level"] for entry in row["create_access_levels"]] == [40]
    site.quiet(**wanted)


def test_a_role_that_does_not_exist_is_said_with_those_that_do(site: Site) -> None:
    """Would catch `owners` for a branch, which GitLab's documentation promises and its API refuses."""
    with pytest.raises(DesiredError, match="'owners' is none of nobody, developers, maintainers, admins, user:NAME"):
        site.plan(**on_shop(protected_branches=[{"name": "main", "push": ["owners"]}]))


# Environments


def test_environments_are_made_and_protected_with_approvals(site: Site) -> None:
    """Would catch a protection without its environment, and approvals that are only ever added."""
    base = {"groups": [{"path": "cater/release"}, {"path": "cater/ops"}]}
    first = {"name": "production", "deploy": ["maintainers"], "approvals": {"group:cater/release": 2}}
    site.done(**base, **on_shop(environments=[{"name": "test"}, first]))
    shop = site.project("cater/shop")
    assert {row["name"]: row["tier"] for row in shop.environments} == {"test": "testing", "production": "production"}
    (guard,) = shop.protected_environments
    assert [(r["group_id"], r["required_approvals"]) for r in guard["approval_rules"]] == [
        (site.group("cater/release").id, 2)
    ]
    site.quiet(**base, **on_shop(environments=[{"name": "test"}, first]))
    second = {"name": "production", "deploy": ["group:cater/ops"], "approvals": {"group:cater/release": 1, "admins": 1}}
    site.done(**base, **on_shop(environments=[second]))
    assert [row["group_id"] for row in guard["deploy_access_levels"]] == [site.group("cater/ops").id]
    assert {(r["group_id"], r["access_level"]): r["required_approvals"] for r in guard["approval_rules"]} == {
        (site.group("cater/release").id, None): 1,
        (None, 60): 1,
    }
    site.quiet(**base, **on_shop(environments=[second]))
    third = {"name": "production", "deploy": ["group:cater/ops"], "approvals": {}}
    site.done(**base, **on_shop(environments=[third]))
    assert guard["approval_rules"] == []


def test_an_environment_is_stopped_before_it_goes(site: Site) -> None:
    """Would catch a 403: only a stopped environment can be deleted."""
    site.done(**on_shop(environments=[{"name": "old"}, {"name": "test", "url": "https://test.example.org"}]))
    site.done(prune=["environments"], **on_shop(environments=[{"name": "test"}]))
    assert [row["name"] for row in site.project("cater/shop").environments] == ["test"]
    assert site.project("cater/shop").environments[0]["external_url"] == "https://test.example.org"


def test_freeze_periods_are_a_set(site: Site) -> None:
    """Would catch periods that are doubled at each run, and a wrong cron expression that fails half way."""
    weekend = {"start": "0 18 * * 5", "end": "0 6 * * 1", "timezone": "Europe/Berlin"}
    site.done(**on_shop(freeze_periods=[weekend]))
    site.quiet(prune=["freeze_periods"], **on_shop(freeze_periods=[weekend]))
    site.done(prune=["freeze_periods"], **on_shop(freeze_periods=[{**weekend, "timezone": "UTC"}]))
    assert [row["cron_timezone"] for row in site.project("cater/shop").freeze_periods] == ["UTC"]
    with pytest.raises(DesiredError, match="five fields"):
        site.plan(**on_shop(freeze_periods=[{**weekend, "start": "friday"}]))


def test_push_rules_begin_change_and_end(site: Site) -> None:
    """Would catch null taken for a rule, a POST where one exists, and a PUT where none does."""
    site.done(**on_shop(push_rule={"commit_message": "^[A-Z]", "prevent_secrets": True}))
    site.done(**on_shop(push_rule={"commit_message": "^[a-z]"}))
    rule = site.project("cater/shop").push_rule
    assert rule["commit_message_regex"] == "^[a-z]" and rule["prevent_secrets"] is True
    site.quiet(**on_shop(push_rule={"commit_message": "^[a-z]"}))
    site.done(**on_shop(push_rule={"state": "absent"}))
    assert site.project("cater/shop").push_rule is None


@pytest.mark.parametrize("edition", ["ce", "ee"])
def test_what_the_edition_lacks_is_said_before_anything_is_written(site: Site, edition: str) -> None:
    """Would catch a bare 404 or 403, half a set written, and a refusal that does not name the project."""
    world = site.fresh(edition=edition)
    world.group("cater")
    world.project("cater/shop")
    made = site.plan(
        **on_shop(
            environments=[{"name": "production", "approvals": {"maintainers": 1}}],
            push_rule={"prevent_secrets": True},
            variables=[{"key": "A", "value": "1"}],
        )
    )
    text = "\n".join(made.refusals)
    for part in ("Premium", "protection of environment", "push rule", "project cater/shop"):
        assert part in text, text
    assert site.server.writes() == []


# Webhooks, keys


def test_a_hooks_secret_is_known_again_and_others_events_are_off(site: Site) -> None:
    """Would catch a hook written at each run because its token cannot be read, and a second hook for one URL."""
    hook = {"url": "https://argo.example.org/api/webhook", "events": ["push", "tag_push"], "token": VALUE}
    site.done(**on_shop(hooks=[hook]))
    (row,) = site.project("cater/shop").hooks
    assert row["token"] == VALUE and row["tag_push_events"] and not row["pipeline_events"]
    site.quiet(**on_shop(hooks=[hook]))
    site.done(**on_shop(hooks=[{**hook, "events": ["pipeline"], "token": VALUE + "-2"}]))
    assert row["token"] == VALUE + "-2" and row["pipeline_events"] and not row["push_events"]
    site.quiet(**on_shop(hooks=[{**hook, "events": ["pipeline"], "token": VALUE + "-2"}]))


def test_a_blocked_url_says_who_can_allow_it(site: Site) -> None:
    """Would catch a 422 without a way out."""
    result = site.apply(**on_shop(hooks=[{"url": "http://10.0.0.7/hook"}]))
    assert not result.ok and "local network" in result.message() and "Outbound requests" in result.message()


def test_deploy_keys_are_known_by_the_key(site: Site) -> None:
    """Would catch a key made anew because its comment or title differs, and a change in check mode that deletes it."""
    site.done(**on_shop(deploy_keys=[{"title": "argo", "key": f"{KEY} argo@cater"}]))
    (link,) = site.project("cater/shop").deploy_keys
    site.server.forget()
    other = on_shop(deploy_keys=[{"title": "Argo CD", "key": f"{KEY} other", "can_push": True}])
    assert site.plan(**other).changed and site.server.writes() == []
    site.done(**other)
    assert site.project("cater/shop").deploy_keys == [{"id": link["id"], "can_push": True}]
    site.quiet(**other)


def test_a_key_that_the_instance_knows_is_enabled(site: Site) -> None:
    """Would catch a duplicate error: the same public key lives once in the whole instance."""
    site.world.group("else")
    site.done(projects=[{"path": "else/app", "deploy_keys": [{"title": "shared", "key": KEY}]}])
    grace = next(user for user in site.world.users if user["username"] == "grace")
    site.world.token("glpat-grace", grace)
    site.project("cater/shop").members.append({**grace, "access_level": 40, "expires_at": None})
    wanted = on_shop(deploy_keys=[{"title": "shared", "key": KEY}])
    result = site.apply(api_token="glpat-grace", **wanted)
    assert not result.ok and "administrator's token" in result.message()
    site.server.world.tokens["glpat-grace"]["user"] = site.world.users[0]["id"]
    site.done(**wanted)
    assert len(site.project("cater/shop").deploy_keys) == 1 and len(site.world.keys) == 1
    site.quiet(**wanted)


# Groups and projects


def test_a_misspelt_setting_is_refused_with_the_nearest_one(site: Site) -> None:
    """Would catch a setting that never takes effect: the API ignores what it does not know without a word."""
    for path in ("cater/shop", "cater/new"):
        (refusal,) = site.plan(projects=[{"path": path, "settings": {"merge_metod": "ff"}}]).refusals
        assert "merge_metod" in refusal and "did you mean merge_method?" in refusal


def test_a_paid_setting_on_a_free_server_is_no_success(site: Site) -> None:
    """Would catch a setting that the free edition drops without a word."""
    world = site.fresh(edition="ce")
    world.group("cater")
    world.project("cater/shop")
    (refusal,) = site.plan(**on_shop(settings={"merge_trains_enabled": True})).refusals
    assert "merge_trains_enabled" in refusal and "Premium" in refusal


def test_what_is_marked_for_deletion_is_gone_or_comes_back(site: Site) -> None:
    """Would catch a removal that is repeated at each run, and a project that is wanted and dies all the same."""
    gone = {"projects": [{"path": "cater/shop", "state": "absent"}]}
    site.done(**gone)
    assert site.project("cater/shop").row["marked_for_deletion_on"]
    site.quiet(**gone)
    site.done(**on_shop(description="needed again"))
    assert site.project("cater/shop").row["marked_for_deletion_on"] is None
    assert site.project("cater/shop").row["description"] == "needed again"
    site.quiet(**on_shop(description="needed again"))


def test_a_moved_project_is_named_by_its_new_path(site: Site) -> None:
    """Would catch settings read under the old path, which the API follows, and writes that it refuses."""
    site.world.moved["cater/store"] = site.project("cater/shop").id
    (refusal,) = site.plan(projects=[{"path": "cater/store", "description": "x"}]).refusals
    assert "moved to cater/shop" in refusal


def test_a_group_that_is_missing_is_said(site: Site) -> None:
    """Would catch a set that fails at the first write because its group is neither there nor in the set."""
    (refusal,) = site.plan(projects=[{"path": "nowhere/app"}]).refusals
    assert "no group nowhere" in refusal


def test_more_projects_than_a_page_are_read_with_few_requests(site: Site) -> None:
    """Would catch a request for each project, or one page taken for the whole."""
    for number in range(250):
        site.world.project(f"cater/p{number}", description="same")
    wanted = {"projects": [{"path": f"cater/p{number}", "description": "same"} for number in range(250)]}
    site.server.forget()
    site.quiet(**wanted)
    assert len(site.server.requests()) == 3, site.server.requests()


def test_two_names_for_one_place_are_refused(site: Site) -> None:
    """Would catch two runners that overwrite each other's token in the secrets backend."""
    rows = [{"name": "a b"}, {"name": "a-b"}]
    with pytest.raises(DesiredError, match="set keep"):
        site.plan(**on_group(runners=rows))


# The whole server


def test_people_get_accounts_before_they_become_members(site: Site) -> None:
    """Would catch a new server on which nobody can be given anything, and accounts made twice."""
    users = [{"name": "linus", "full_name": "Linus P.", "email": "linus@cater.example.org"}]
    wanted: dict[str, Any] = {"users": users, **on_group(members=[{"user": "linus", "access": "maintainer"}])}
    site.done(**wanted)
    (row,) = [user for user in site.world.users if user["username"] == "linus"]
    assert row["name"] == "Linus P." and row["email"] == "linus@cater.example.org"
    assert [m["id"] for m in site.group("cater").members] == [row["id"]]
    site.quiet(**wanted)
    site.done(users=[{**users[0], "state": "blocked"}])
    assert row["state"] == "blocked"
    site.done(**wanted)
    assert row["state"] == "active"


def test_the_servers_settings_are_set_and_a_misspelt_one_is_refused(site: Site) -> None:
    """Would catch sign-up that stays open because the setting was misspelt."""
    site.done(settings={"signup_enabled": False})
    assert site.world.application["signup_enabled"] is False
    site.quiet(settings={"signup_enabled": False})
    with pytest.raises(EngineError, match="did you mean signup_enabled"):
        site.plan(settings={"sign_up_enabled": False})
