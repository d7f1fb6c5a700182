# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gitlab_configuration against the simulator: sets are made, found again, changed, and cleaned where asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gitlab_site import Site, results, running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("gitlab")) as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(site: Site) -> None:
    site.fresh()


GROUPS: list[dict[str, Any]] = [
    {"path": "cater/release", "members": [{"user": "grace", "access": "maintainer"}]},
    {"path": "cater", "description": "The platform", "members": [{"user": "ada", "access": "developer"}]},
]
SHOP: dict[str, Any] = {
    "path": "cater/shop",
    "default_branch": "main",
    "description": "What users see",
    "topics": ["python", "shop"],
    "settings": {"merge_method": "ff", "only_allow_merge_if_pipeline_succeeds": True},
    "protected_branches": [
        {"name": "main", "push": ["nobody"], "merge": ["maintainers"]},
        {"name": "release/*", "push": ["maintainers"], "merge": ["developers"], "force_push": False},
    ],
    "protected_tags": [{"name": "v*", "create": ["maintainers"]}],
}


def test_a_set_is_made_in_order_and_found_again(site: Site) -> None:
    """Would catch a project made before its group, a branch rule lost, or a second run that writes."""
    site.done(groups=GROUPS, projects=[SHOP])
    shop = site.project("cater/shop")
    assert shop.row["merge_method"] == "ff" and shop.row["default_branch"] == "main"
    assert shop.row["topics"] == ["python", "shop"]
    branches = {row["name"]: row for row in shop.branches}
    assert [level["access_level"] for level in branches["main"]["push_access_levels"]] == [0]
    assert [level["access_level"] for level in branches["release/*"]["merge_access_levels"]] == [30]
    assert site.group("cater/release").row["parent_id"] == site.group("cater").id
    site.server.forget()
    site.quiet(groups=GROUPS, projects=[SHOP])
    assert site.server.writes() == []


def test_only_what_differs_is_sent(site: Site) -> None:
    """Would catch a client that sends every attribute, and so resets what others have set."""
    site.done(groups=GROUPS, projects=[SHOP])
    site.project("cater/shop").row["build_timeout"] = 7200
    site.server.forget()
    site.done(groups=GROUPS, projects=[{**SHOP, "description": "Other"}])
    (row,) = [row for row in site.server.log if row["method"] == "PUT"]
    assert row["body"] == {"description": "Other"}
    assert site.project("cater/shop").row["build_timeout"] == 7200


def test_playbook_check_mode_predicts_and_writes_nothing(site: Site) -> None:
    """Would catch a write in check mode, a plan unlike what is then done, and a second run that changes something."""
    variables = [{"key": "PASSWORD", "value": "correct-horse-battery", "masked": True}]
    project = {**SHOP, "variables": variables}
    task = {"socle.platform.gitlab_configuration": {**site.connection(), "groups": GROUPS, "projects": [project]}}
    run = site.playbook([task], "--check", "--diff")
    predicted = results(run)[0]
    assert predicted.get("changed"), predicted
    assert site.server.writes() == []
    assert "correct-horse" not in run.stdout + run.stderr
    run = site.playbook([task, task], "--diff", "-vvv")
    done = results(run)
    assert [r["changed"] for r in done] == [True, False], done[1]["diff"]
    plain = [{k: o[k] for k in ("key", "action", "fields")} for o in predicted["objects"]]
    assert plain == [{k: o[k] for k in ("key", "action", "fields")} for o in done[0]["objects"]]
    assert done[0]["projects"].keys() == set() or done[1]["projects"]["cater/shop"]["id"]
    assert "correct-horse" not in run.stdout + run.stderr


def test_playbook_info_gives_back_what_was_made(site: Site) -> None:
    """Would catch an info module whose words mean something else to the module, or that shows a value."""
    variables = [{"key": "PASSWORD", "scope": "test", "value": "correct-horse-battery", "masked": True}]
    site.done(groups=GROUPS, projects=[{**SHOP, "variables": variables, "members": [{"user": "alan"}]}])
    sections = ["members", "protected_branches", "protected_tags", "variables", "push_rule", "deploy_keys"]
    asked = {**site.connection(), "groups": ["cater/release"], "projects": ["cater/shop"], "sections": sections}
    task = {"socle.platform.gitlab_info": asked}
    run = site.playbook([task, {"socle.platform.gitlab_info": {**asked, "projects": ["cater/shpo"]}}])
    found, failed = results(run)
    assert "correct-horse" not in run.stdout and found["token"]["user"] == "root"
    (shop,) = found["projects"]
    assert shop["id"] == site.project("cater/shop").id and shop["push_rule"] == [] and shop["deploy_keys"] == []
    assert [row["user"] for row in found["groups"][0]["members"]] == ["root", "grace"]
    again = {"path": shop["path"], **{name: shop[name] for name in ("protected_branches", "protected_tags", "members")}}
    site.quiet(projects=[again])
    assert shop["variables"][0] | {"key": "PASSWORD", "scope": "test", "masked": True} == shop["variables"][0]
    assert "project cater/shpo: it is not there" in failed["msg"]


def test_a_server_that_is_still_to_be_made_is_planned_without_asking(site: Site) -> None:
    """Would catch a first plan that ends in a 401: in check mode the token is only a placeholder yet."""
    token = "<secret gitlab/api#token (known after apply)>"
    made = site.plan(api_token=token, groups=GROUPS, projects=[SHOP])
    assert {change.action.value for change in made.changes} == {"create"} and not made.refusals
    assert site.server.requests() == []
    result = site.apply(api_token=token, groups=[{"path": "cater"}])
    assert "the token for GitLab is not known" in result.message() and site.server.requests() == []
