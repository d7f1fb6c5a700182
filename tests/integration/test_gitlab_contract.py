# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator, and what our client sends, against the API description that GitLab publishes."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gitlab_site import Site, running
from gitlabsim.base import ROUTES
from gitlabsim.world import ADMIN_TOKEN

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
# The description lacks these, and GitLab's documentation has them.
UNDESCRIBED = {"filter[environment_scope]", "filter", "with_projects", "permanently_remove", "full_path"}
# Fields of real answers that the description does not list for this operation.
MORE_FIELDS = {
    # The paid edition shows them; the description is of the free one here.
    "merge_pipelines_enabled", "merge_trains_enabled", "approvals_before_merge",
    # Named under another entity in the description, or missing there (semantics of the API, not of the schema).
    "marked_for_deletion_on", "group_inheritance_type", "deploy_key_id", "plan", "group_id", "branch_filter_strategy",
}  # fmt: skip


@pytest.fixture(scope="module")
def described(shared: Path) -> dict[str, Any]:
    path = shared / "delivery" / "gitlab-openapi.json.gz"
    if not path.exists():
        pytest.skip("no description of GitLab's API beside this checkout")
    with gzip.open(path) as file:
        return dict(json.load(file))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("gitlab")) as made:
        made.fresh()
        yield made


EVERYTHING: dict[str, Any] = {
    "groups": [
        {
            "path": "cater", "description": "x", "visibility": "private", "members": [{"user": "ada"}],
            "settings": {"project_creation_level": "maintainer"}, "push_rule": {"prevent_secrets": True},
            "variables": [{"key": "A", "text": "1", "scope": "test", "description": "x"}],
            "runners": [{"name": "one", "tags": ["x"], "run_untagged": True, "locked": False, "paused": False,
                         "maximum_timeout": 600, "note": "x", "protected": True}],
            "hooks": [{"url": "https://hook.example.org"}], "deploy_tokens": [{"name": "pull"}],
        },
        {"path": "cater/release"},
    ],
    "projects": [
        {
            "path": "cater/shop", "default_branch": "main", "topics": ["x"], "description": "x",
            "settings": {"merge_method": "ff"},
            "members": [{"user": "ada", "access": "maintainer", "expires": "2030-01-01"}],
            "protected_branches": [{"name": "main", "push": ["user:ada", "group:cater/release"], "force_push": True}],
            "protected_tags": [{"name": "v*", "create": ["maintainers", "user:ada"]}],
            "variables": [{"key": "A", "value": "correct-horse", "hidden": True, "raw": True, "file": True}],
            "environments": [{"name": "production", "url": "https://x.example.org", "description": "x",
                              "deploy": ["group:cater/release"], "approvals": {"group:cater/release": 2}}],
            "freeze_periods": [{"start": "0 0 * * 6", "end": "0 0 * * 1"}],
            "hooks": [{"url": "https://hook.example.org", "token": "correct-horse", "name": "x", "branches": "main"}],
            "push_rule": {"commit_message": "x", "max_file_size": 1},
            "deploy_keys": [{"title": "x", "key": KEY, "can_push": True}],
            "deploy_tokens": [{"name": "pull", "username": "puller", "expires": "2030-01-01"}],
            "runners": [{"name": "own"}],
        }
    ],
    "runners": [{"name": "everywhere"}],
    "users": [{"name": "linus", "email": "linus@example.org"}], "settings": {"signup_enabled": False},
}  # fmt: skip
CHANGED: dict[str, Any] = {
    "groups": [
        {"path": "cater", "description": "y", "members": [{"user": "ada", "access": "owner"}], "variables": [],
         "push_rule": {"prevent_secrets": False}, "runners": [{"name": "one", "tags": ["y"]}],
         "hooks": [{"url": "https://hook.example.org", "events": ["push", "job"]}]},
        {"path": "cater/release"},
    ],
    "projects": [
        {
            "path": "cater/shop", "archived": False, "settings": {"merge_method": "merge"}, "description": "y",
            "members": [{"user": "ada", "access": "owner"}],
            "protected_branches": [{"name": "main", "push": ["maintainers"], "merge": ["user:ada"]}],
            "protected_tags": [{"name": "v*", "create": ["maintainers"]}],
            "variables": [{"key": "A", "value": "battery-staple", "hidden": True}],
            "environments": [{"name": "production", "tier": "other", "deploy": ["maintainers"],
                              "approvals": {"group:cater/release": 1, "maintainers": 1}}, {"name": "test"}],
            "hooks": [], "deploy_keys": [{"title": "y", "key": KEY}], "freeze_periods": [],
        }
    ],
    "users": [{"name": "linus", "email": "other@example.org", "state": "blocked"}],
}  # fmt: skip


def operation(described: dict[str, Any], method: str, path: str) -> dict[str, Any] | None:
    """The description of a request; `path` may hold values or `:names` where the description has {names}."""
    candidates = []
    for template, verbs in described["paths"].items():
        parts = re.split(r"\{[^}]+\}", template.removeprefix("/api/v4"))
        pattern = "[^/]+".join(map(re.escape, parts))
        if method.lower() in verbs and re.fullmatch(pattern, path):
            candidates.append((template.count("{"), verbs[method.lower()]))
    return min(candidates, key=lambda item: item[0])[1] if candidates else None


def schema_names(described: dict[str, Any], schema: dict[str, Any] | None) -> set[str]:
    if not schema:
        return set()
    if "items" in schema:
        return schema_names(described, schema["items"])
    if "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    names = set(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        names |= schema_names(described, part)
    return names


def test_every_route_is_one_that_gitlab_has(described: dict[str, Any]) -> None:
    """Would catch an endpoint or a method that only the simulator knows."""
    unknown = [f"{method} {path}" for method, path, *_unused in ROUTES if operation(described, method, path) is None]
    assert unknown == []


@pytest.fixture(scope="module")
def log(site: Site) -> list[dict[str, Any]]:
    """Everything that the module sends: made, read again, changed, pruned, removed."""
    site.done(**EVERYTHING)
    site.quiet(**EVERYTHING)
    prune = ["hooks", "variables", "freeze_periods", "members", "environments", "runners", "deploy_tokens"]
    site.done(**CHANGED, prune=prune)
    site.done(projects=[{"path": "cater/shop", "archived": True}])
    site.done(projects=[{"path": "cater/shop", "state": "absent"}])
    site.done(projects=[{"path": "cater/shop", "archived": False}])
    return list(site.server.log)


def test_every_parameter_that_we_send_is_described(described: dict[str, Any], log: list[dict[str, Any]]) -> None:
    """Would catch a misspelt attribute: GitLab ignores it without a word, and so would the simulator."""
    wrong = set()
    for row in log:
        found = operation(described, row["method"], row["path"])
        assert found is not None, row
        body = found.get("requestBody", {}).get("content", {})
        names = {parameter["name"] for parameter in found.get("parameters", [])} | set(found.get("x-newer-params", {}))
        for kind in body.values():
            names |= schema_names(described, kind["schema"])
        names |= {name.split("[")[0] for name in names} | UNDESCRIBED
        wrong |= {f"{row['method']} {found.get('operationId')}: {name}" for name in set(row["body"]) - names}
    assert wrong == set()


def test_every_field_of_an_answer_is_described(described: dict[str, Any], site: Site, log: list[Any]) -> None:
    """Would catch a field that only the simulator tells, on which the client could come to stand."""
    assert log
    site.done(**EVERYTHING)
    runner = site.world.runners[0]["id"]
    paths = ["/metadata", "/user", "/users", "/groups/cater", "/projects/cater%2Fshop", "/groups/cater/projects"]
    paths += ["/namespaces/cater", f"/runners/{runner}", "/runners/all", "/deploy_keys", "/application/settings"]
    paths += [
        f"/groups/cater/{name}" for name in ("members", "variables", "hooks", "push_rule", "deploy_tokens", "runners")
    ]
    paths += [
        f"/projects/cater%2Fshop/{name}"
        for name in (
            "members",
            "variables",
            "hooks",
            "push_rule",
            "deploy_tokens",
            "deploy_keys",
            "runners",
            "environments",
            "protected_branches",
            "protected_tags",
            "protected_environments",
            "freeze_periods",
        )
    ]
    session = requests.Session()
    session.trust_env = False
    wrong = set()
    for path in paths:
        answer = session.get(f"{site.server.url}/api/v4{path}", headers={"PRIVATE-TOKEN": ADMIN_TOKEN}, timeout=10)
        body = answer.json()
        rows = body if isinstance(body, list) else [body]
        assert answer.status_code == 200 and rows, path
        found = operation(described, "GET", path)
        assert found is not None
        names = schema_names(described, found.get("x-client-response")) | MORE_FIELDS
        for content in found["responses"]["200"].get("content", {}).values():
            names |= schema_names(described, content["schema"])
        wrong |= {f"{path}: {name}" for row in rows for name in set(row) - names}
    assert wrong == set()


def test_paths_and_methods_that_gitlab_lacks_are_refused(site: Site) -> None:
    """Would catch a simulator that takes an update where the real server has none (tags, deploy tokens)."""
    session = requests.Session()
    session.trust_env = False
    for method, path, status in (
        ("PUT", "/projects/cater%2Fshop/protected_tags/v1", 405),
        ("PUT", "/projects/cater%2Fshop/deploy_tokens/1", 405),
        ("PATCH", "/projects/cater%2Fshop/variables/A", 405),
        ("GET", "/projects/cater%2Fshop/nothing", 404),
        ("POST", "/ci/lint", 404),
    ):
        headers = {"PRIVATE-TOKEN": ADMIN_TOKEN}
        answer = session.request(method, f"{site.server.url}/api/v4{path}", headers=headers, timeout=10)
        assert answer.status_code == status and "error" in answer.json(), (method, path, answer.text)
