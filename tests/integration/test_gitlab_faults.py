# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gitlab_configuration when something goes wrong: answers lost, limits, a token revoked, a server that goes away."""

from __future__ import annotations

import copy
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._reconcile import EngineError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gitlab_site import Site, running

VALUE = "correct-horse-battery"
EVERYTHING: dict[str, Any] = {
    "groups": [{"path": "cater", "members": [{"user": "ada"}], "runners": [{"name": "one", "tags": ["x"]}]}],
    "projects": [
        {
            "path": "cater/shop",
            "default_branch": "main",
            "protected_branches": [{"name": "main", "push": ["nobody"], "merge": ["maintainers"]}],
            "protected_tags": [{"name": "v*", "create": ["maintainers"]}],
            "variables": [{"key": "A", "value": VALUE, "hidden": True}, {"key": "A", "scope": "test", "text": "1"}],
            "environments": [{"name": "production", "approvals": {"maintainers": 1}}],
            "hooks": [{"url": "https://hook.example.org", "token": VALUE}],
            "deploy_tokens": [{"name": "pull"}],
        }
    ],
}
OBJECTS = 12


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("gitlab")) as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(site: Site) -> None:
    site.fresh()


def counted(site: Site) -> dict[str, int]:
    """How many there are of everything: a request done twice shows here."""
    shop, group = site.project("cater/shop"), site.group("cater")
    names = ("branches", "tags", "variables", "environments", "protected_environments", "hooks", "deploy_tokens")
    found = {name: len(getattr(shop, name)) for name in names}
    found["deploy_tokens"] = len([row for row in shop.deploy_tokens if not row["revoked"]])
    return {**found, "members": len(group.members), "runners": len(site.world.runners)}


ONCE = {
    "branches": 1, "tags": 1, "variables": 2, "environments": 1, "protected_environments": 1, "hooks": 1,
    "deploy_tokens": 1, "members": 2, "runners": 1,
}  # fmt: skip


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.tuples(st.integers(0, 14), st.sampled_from(["before", "after"])), min_size=1, max_size=4),
)
def test_lost_answers_lead_to_one_of_everything(site: Site, cuts: list[tuple[int, str]]) -> None:
    """Would catch anything made twice, left out or never found again after an answer was lost at any write."""
    site.fresh()
    for skip, cut in cuts:
        site.server.fault("^(POST|PUT|PATCH|DELETE) ", skip=skip, cut=cut)
    site.done(**EVERYTHING)
    assert counted(site) == ONCE
    site.server.faults.clear()
    site.quiet(**EVERYTHING)


PLAIN = {"text": "1", "masked": False}
MASKED = {"value": VALUE, "masked": True}
EVERYBODY = st.sampled_from(["nobody", "maintainers", "developers", "user:ada", "user:grace"])
who = st.lists(EVERYBODY, min_size=1, max_size=3, unique=True)
sets = st.fixed_dictionaries(
    {},
    optional={
        "description": st.sampled_from(["", "x"]),
        "topics": st.lists(st.sampled_from(["a", "b"]), unique=True),
        "protected_branches": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(["main", "release/*"]), "push": who, "merge": who}),
            max_size=2, unique_by=lambda row: row["name"],
        ),
        "protected_tags": st.lists(st.fixed_dictionaries({"name": st.just("v*"), "create": who}), max_size=1),
        "variables": st.lists(
            st.fixed_dictionaries(
                {"key": st.sampled_from(["A", "B"]), "scope": st.sampled_from(["*", "test"])},
                optional={"protected": st.booleans(), "raw": st.booleans(), "description": st.sampled_from(["", "x"])},
            ).flatmap(lambda row: st.sampled_from([{**row, **PLAIN}, {**row, **MASKED}])),
            max_size=3, unique_by=lambda row: (row["key"], row["scope"]),
        ),
        "environments": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["test", "production"])},
                optional={
                    "deploy": st.lists(st.sampled_from(["maintainers", "user:ada"]), min_size=1, unique=True),
                    "approvals": st.dictionaries(st.sampled_from(["user:ada", "admins"]), st.integers(1, 3)),
                },
            ),
            max_size=2, unique_by=lambda row: row["name"],
        ),
    },
)  # fmt: skip
PRUNED = ["protected_branches", "protected_tags", "variables", "environments", "environment_protections"]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=sets, second=sets)
def test_any_two_sets_converge(site: Site, first: dict[str, Any], second: dict[str, Any]) -> None:
    """Would catch any pair of states that does not lead to what was asked, or is not quiet afterwards."""
    site.fresh()
    members = [{"user": "ada"}, {"user": "grace"}]
    for wanted in (first, second):
        values = {"groups": [{"path": "cater"}], "projects": [{"path": "cater/shop", "members": members, **wanted}]}
        site.done(prune=PRUNED, **values)
        site.quiet(prune=PRUNED, **values)
        shop = site.project("cater/shop")
        if "variables" in wanted:
            rows = {(row["key"], row["scope"]) for row in wanted["variables"]}
            assert {(row["key"], row["environment_scope"]) for row in shop.variables} == rows
        if "protected_branches" in wanted:
            there = {row["name"]: len(row["push_access_levels"]) for row in shop.branches}
            assert there == {row["name"]: len(row["push"]) for row in wanted["protected_branches"]}
        if "environments" in wanted:
            assert {row["name"] for row in shop.environments} == {row["name"] for row in wanted["environments"]}
            guarded = {row["name"] for row in wanted["environments"] if {"deploy", "approvals"} & set(row)}
            assert {row["name"] for row in shop.protected_environments} == guarded


@pytest.mark.parametrize("at", range(0, 16, 3))
def test_the_server_goes_away_in_the_middle_and_a_later_run_finishes(site: Site, at: int) -> None:
    """Would catch half a set that the next run doubles or cannot finish, and an end that does not say what failed."""
    site.server.fault("^(POST|PUT|PATCH) ", skip=at, times=100_000, cut="before")
    result = _short(site)
    # A process would have ended here; what is still on its way must not meet the second run.
    until = time.monotonic() + 20
    while any("_worker" in thread.name for thread in threading.enumerate()) and time.monotonic() < until:
        threading.Event().wait(0.02)
    if not result.ok:
        assert "does not answer" in result.message() or "no answer after" in result.message()
    site.server.faults.clear()
    site.done(**EVERYTHING)
    assert counted(site) == ONCE
    site.quiet(**EVERYTHING)


def _short(site: Site) -> Any:
    """A run whose time is soon over."""
    original = site.options

    def options(values: Any, **more: Any) -> Any:
        return original(values, **{**more, "deadline": 1.0, "grace": 0.2})

    site.options = options  # type: ignore[method-assign]  # for this run
    try:
        return site.apply(**EVERYTHING)
    finally:
        site.options = original  # type: ignore[method-assign]  # as before


def test_a_revoked_token_is_said_at_once_and_the_rest_is_left(site: Site) -> None:
    """Would catch retries with a dead token until the deadline, and an error that does not say what to do."""
    site.server.fault("^POST /projects/cater/shop/variables", revoke=True)
    result = site.apply(**EVERYTHING)
    text = result.message()
    assert not result.ok and "401" in text and "revoked" in text and "make a token with the scope api" in text
    for token in site.world.tokens.values():
        token["revoked"] = False
    site.done(**EVERYTHING)
    assert counted(site) == ONCE


def test_a_token_of_another_scope_is_told_which_one_it_lacks(site: Site) -> None:
    """Would catch a bare 403."""
    root = site.world.users[0]
    site.world.token("glpat-reader", root, ("read_api",))
    assert site.plan(api_token="glpat-reader", **EVERYTHING).changed
    result = site.apply(api_token="glpat-reader", groups=[{"path": "cater"}])
    assert "insufficient_scope" in result.message() and "lacks the scope api" in result.message()


def test_a_wrong_token_is_said_when_reading(site: Site) -> None:
    """Would catch an empty answer taken for an empty server."""
    with pytest.raises(EngineError, match=r"401.*make a token"):
        site.plan(api_token="glpat-nobody", **EVERYTHING)


def test_limits_are_kept_to_and_everything_gets_done(site: Site) -> None:
    """Would catch a client that asks again before Retry-After is over, and one that gives up at the first 429."""
    site.fresh(rate=8, retry_after=1)
    site.done(**EVERYTHING)
    limited = [row for row in site.server.log if row["status"] == 429]
    assert counted(site) == ONCE
    assert 0 < len(limited) <= len(site.server.log) / 2, (len(limited), len(site.server.log))


def test_a_server_that_never_answers_is_not_waited_for(site: Site) -> None:
    """Would catch ten minutes of waiting for a misspelt address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(EngineError, match=r"does not answer.*and never has.*check api_url"):
        site.plan(api_url=f"http://127.0.0.1:{port}", **EVERYTHING)


def test_a_server_that_answers_502_for_a_while_is_waited_for(site: Site) -> None:
    """Would catch an upgrade's restart that fails a run which only reads."""
    site.done(**EVERYTHING)
    site.server.fault("^GET ", status=502, times=6)
    site.quiet(**EVERYTHING)


def test_an_error_of_the_server_is_not_repeated_blindly(site: Site) -> None:
    """Would catch a 500 that is tried until the deadline, and one whose object is not named."""
    site.server.fault("^POST /projects/cater/shop/hooks", status=500, times=100)
    result = site.apply(**EVERYTHING)
    assert [outcome.key for outcome in result.failed] == ["project cater/shop: webhook https://hook.example.org"]
    assert len([row for row in site.server.log if row["path"].endswith("/hooks") and row["method"] == "POST"]) == 1
    assert "exceptions_json.log" in result.message()


def test_a_path_that_is_still_being_deleted_is_waited_for(site: Site) -> None:
    """Would catch a failure where a moment later the path is free: GitLab deletes in the background."""
    taken = {"message": {"path": ["has already been taken"]}}
    site.server.fault("^POST /projects", status=400, body=taken, times=2)
    site.done(**EVERYTHING)
    site.fresh()
    site.server.fault("^POST /projects", status=400, body=taken, times=100)
    result = site.apply(**EVERYTHING)
    assert "has already been taken" in result.message()
    assert len([row for row in site.server.log if row["path"] == "/projects"]) < 10


def test_somebody_else_makes_it_at_the_same_moment(site: Site) -> None:
    """Would catch a failure because a branch is protected by the time that it should be."""
    site.done(groups=EVERYTHING["groups"], projects=[{"path": "cater/shop"}])
    original = site.server._answer
    raced = []

    def answer(*args: Any) -> Any:
        row = args[4]
        if row["method"] == "POST" and row["path"].endswith("/protected_branches") and not raced:
            raced.append(1)
            again = copy.deepcopy(row)
            original(args[0], args[1], args[2], args[3], again, None)
        return original(*args)

    site.server._answer = answer  # type: ignore[method-assign]  # for this run
    try:
        site.done(**EVERYTHING)
    finally:
        site.server._answer = original  # type: ignore[method-assign]  # as before
    assert raced and counted(site) == ONCE


# Tokens that are told once


def kept(site: Site, path: str) -> dict[str, Any]:
    from ansible_collections.socle.platform.plugins.module_utils._gitlab.tokens import Tokens

    stored = Tokens(site.parameters(EVERYTHING)).read(path)
    return dict(stored.fields) if stored else {}


def test_tokens_are_kept_and_found_again(site: Site) -> None:
    """Would catch a runner that nobody can start, and one made anew at each run because its token cannot be read."""
    site.done(**EVERYTHING)
    (runner,) = site.world.runners
    secret = kept(site, "gitlab/cater/runners/one")
    assert secret == {"id": str(runner["id"]), "token": runner["token"]} and secret["token"].startswith("glrt-")
    deploy = kept(site, "gitlab/cater/shop/deploy_tokens/pull")
    assert deploy["token"].startswith("gldt-") and deploy["username"].startswith("gitlab+deploy-token-")
    site.quiet(**EVERYTHING)
    site.done(groups=[{"path": "cater", "runners": [{"name": "one", "tags": ["x", "y"], "protected": True}]}])
    assert runner["tag_list"] == ["x", "y"] and runner["access_level"] == "ref_protected"
    assert kept(site, "gitlab/cater/runners/one") == secret


def test_a_token_lost_between_server_and_backend_is_made_anew_by_itself(site: Site) -> None:
    """Would catch a runner whose token nobody ever gets, and a second runner of that name."""
    site.server.fault("^POST /user/runners", cut="after")
    site.done(**EVERYTHING)
    (runner,) = site.world.runners
    assert kept(site, "gitlab/cater/runners/one")["token"] == runner["token"]


def test_a_runner_that_others_use_is_not_replaced_unasked(site: Site) -> None:
    """Would catch hosts cut off because a runner made by hand has no token in our backend."""
    site.done(groups=[{"path": "cater"}])
    home = site.group("cater")
    site.server.forget()
    site.done(groups=[{"path": "cater", "runners": [{"name": "two"}]}])
    home_runner = site.world.runners[0]
    (site.folder / ".secrets.vault.yml").unlink()
    wanted = {"groups": [{"path": "cater", "runners": [{"name": "two"}]}]}
    (refusal,) = site.plan(**wanted).refusals
    assert "tells its token once" in refusal and "allow_replace" in refusal
    site.done(replace=True, **wanted)
    assert [row["id"] for row in site.world.runners] != [home_runner["id"]] and len(home.runners) == 1
    site.quiet(**wanted)


def test_runners_of_groups_above_are_not_taken_for_ours(site: Site) -> None:
    """Would catch a subgroup that changes or prunes the runner of the group above: lists hold both."""
    site.done(groups=[{"path": "cater", "runners": [{"name": "one", "tags": ["above"]}]}, {"path": "cater/team"}])
    wanted = {"groups": [{"path": "cater/team", "runners": [{"name": "one", "tags": ["team"]}]}]}
    site.done(prune=["runners"], **wanted)
    assert sorted(row["tag_list"][0] for row in site.world.runners) == ["above", "team"]
    site.done(prune=["runners"], groups=[{"path": "cater/team", "runners": []}])
    assert [row["tag_list"] for row in site.world.runners] == [["above"]]


def test_runners_of_the_instance_are_made_and_never_pruned(site: Site) -> None:
    """Would catch an instance emptied of runners that another task looks after."""
    site.done(runners=[{"name": "everywhere", "run_untagged": True}])
    site.done(runners=[{"name": "second"}], prune=["runners"])
    assert sorted(row["description"] for row in site.world.runners) == ["everywhere", "second"]


def test_two_runners_of_one_name_are_refused(site: Site) -> None:
    """Would catch a guess: descriptions of runners are not unique."""
    wanted = {"groups": [{"path": "cater", "runners": [{"name": "one"}]}]}
    site.done(**wanted)
    twin = {**site.world.runners[0], "id": 4711, "token": "glrt-twin"}
    site.world.runners.append(twin)
    site.group("cater").runners.append(4711)
    assert any("found twice" in text for text in site.plan(**wanted).refusals)


def test_an_expired_or_revoked_deploy_token_is_no_deploy_token(site: Site) -> None:
    """Would catch a token that is listed for ever and taken for a living one."""
    site.done(**EVERYTHING)
    (row,) = site.project("cater/shop").deploy_tokens
    row["revoked"] = True
    site.done(**EVERYTHING)
    assert counted(site)["deploy_tokens"] == 1 and len(site.project("cater/shop").deploy_tokens) == 2
    site.quiet(**EVERYTHING)


def test_a_deploy_tokens_scopes_change_only_when_asked(site: Site) -> None:
    """Would catch a pull secret in use that ends because a scope was added."""
    site.done(**EVERYTHING)
    wanted = {"projects": [{"path": "cater/shop", "deploy_tokens": [{"name": "pull", "scopes": ["read_registry"]}]}]}
    (refusal,) = site.plan(**wanted).refusals
    assert "scopes" in refusal and "allow_replace" in refusal
    site.done(replace=True, **wanted)
    living = [row for row in site.project("cater/shop").deploy_tokens if not row["revoked"]]
    assert [row["scopes"] for row in living] == [["read_registry"]]
    assert kept(site, "gitlab/cater/shop/deploy_tokens/pull")["id"] == str(living[0]["id"])
