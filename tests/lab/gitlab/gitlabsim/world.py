# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the simulated server knows."""

from __future__ import annotations

import copy
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .base import Fail, forbidden, missing

ADMIN_TOKEN = "glpat-administrator-000"
CREATED = "2026-01-02T03:04:05.000Z"

GROUP = {
    "description": "", "visibility": "private", "share_with_group_lock": False,
    "require_two_factor_authentication": False, "two_factor_grace_period": 48, "project_creation_level": "developer",
    "auto_devops_enabled": None, "subgroup_creation_level": "maintainer", "emails_enabled": True,
    "mentions_disabled": None, "lfs_enabled": True, "default_branch": None, "request_access_enabled": True,
    "shared_runners_setting": "enabled", "marked_for_deletion_on": None,
}  # fmt: skip
PROJECT = {
    "description": None, "default_branch": None, "visibility": "private", "topics": [], "archived": False,
    "empty_repo": True, "issues_enabled": True, "merge_requests_enabled": True, "wiki_enabled": True,
    "jobs_enabled": True, "snippets_enabled": True, "issues_access_level": "enabled",
    "repository_access_level": "enabled", "merge_requests_access_level": "enabled", "forking_access_level": "enabled",
    "wiki_access_level": "enabled", "builds_access_level": "enabled", "snippets_access_level": "enabled",
    "container_registry_access_level": "enabled", "environments_access_level": "enabled",
    "shared_runners_enabled": True, "group_runners_enabled": True, "lfs_enabled": True, "import_status": "none",
    "ci_default_git_depth": 20, "ci_forward_deployment_enabled": True, "ci_config_path": None, "build_timeout": 3600,
    "auto_cancel_pending_pipelines": "enabled", "build_git_strategy": "fetch", "public_jobs": True,
    "keep_latest_artifact": True, "ci_pipeline_variables_minimum_override_role": "no_one_allowed",
    "only_allow_merge_if_pipeline_succeeds": False, "allow_merge_on_skipped_pipeline": None,
    "only_allow_merge_if_all_discussions_are_resolved": False, "remove_source_branch_after_merge": True,
    "merge_method": "merge", "squash_option": "default_off", "request_access_enabled": True,
    "auto_devops_enabled": False, "marked_for_deletion_on": None,
}  # fmt: skip
# Without a licence these are neither shown nor taken.
PROJECT_PREMIUM = {"approvals_before_merge": 0, "merge_pipelines_enabled": False, "merge_trains_enabled": False}


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@dataclass
class Settings:
    """What kind of server it is."""

    edition: str = "premium"
    """`ce`, `ee` (without a licence) or `premium`."""
    version: str = "19.3.0"
    rate: int = 0
    """Requests that are answered in each window; 0 for all."""
    retry_after: int = 1
    local_hooks: bool = False


@dataclass
class Container:
    """A group or a project, and what lies in it."""

    kind: str
    row: dict[str, Any]
    members: list[dict[str, Any]] = field(default_factory=list)
    variables: list[dict[str, Any]] = field(default_factory=list)
    branches: list[dict[str, Any]] = field(default_factory=list)
    tags: list[dict[str, Any]] = field(default_factory=list)
    environments: list[dict[str, Any]] = field(default_factory=list)
    protected_environments: list[dict[str, Any]] = field(default_factory=list)
    deploy_tokens: list[dict[str, Any]] = field(default_factory=list)
    deploy_keys: list[dict[str, Any]] = field(default_factory=list)
    hooks: list[dict[str, Any]] = field(default_factory=list)
    freeze_periods: list[dict[str, Any]] = field(default_factory=list)
    runners: list[int] = field(default_factory=list)
    push_rule: dict[str, Any] | None = None

    @property
    def id(self) -> int:
        return int(self.row["id"])

    @property
    def path(self) -> str:
        return str(self.row["path_with_namespace" if self.kind == "project" else "full_path"])


class World:
    """The state; a caller holds the server's lock."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.last_id = 0
        self.users: list[dict[str, Any]] = []
        self.tokens: dict[str, dict[str, Any]] = {}
        self.groups: list[Container] = []
        self.projects: list[Container] = []
        self.moved: dict[str, int] = {}
        self.keys: list[dict[str, Any]] = []
        self.runners: list[dict[str, Any]] = []
        self.jobs: list[dict[str, Any]] = []
        self.application: dict[str, Any] = {
            "signup_enabled": True, "default_project_visibility": "private", "require_two_factor_authentication": False,
            "allow_local_requests_from_web_hooks_and_services": False, "password_authentication_enabled_for_web": True,
        }  # fmt: skip
        root = self.user("root", admin=True)
        self.token(ADMIN_TOKEN, root)

    @property
    def licensed(self) -> bool:
        return self.settings.edition == "premium"

    def premium(self, unlicensed: Fail | None = None) -> None:
        """A route of the paid editions: absent in the one, refused in the other."""
        if self.settings.edition == "ce":
            raise Fail(404, {"error": "404 Not Found"})
        if not self.licensed:
            raise unlicensed or forbidden()

    def id(self) -> int:
        self.last_id += 1
        return self.last_id

    def user(self, username: str, *, admin: bool = False) -> dict[str, Any]:
        row = {
            "id": self.id(), "username": username, "name": username.title(), "state": "active", "locked": False,
            "avatar_url": None, "web_url": f"https://gitlab.example.org/{username}", "is_admin": admin,
            "email": f"{username}@example.org",
        }  # fmt: skip
        self.users.append(row)
        return row

    def token(self, value: str, user: dict[str, Any], scopes: tuple[str, ...] = ("api", "create_runner")) -> str:
        self.tokens[value] = {"user": user["id"], "scopes": list(scopes), "revoked": False}
        return value

    def user_by(self, number: int | None) -> dict[str, Any] | None:
        return next((user for user in self.users if user["id"] == number), None)

    def group(self, path: str, **fields: Any) -> Container:
        parent, _slash, last = path.rpartition("/")
        above = self.find("group", parent) if parent else None
        number = self.id()
        row = {
            "id": number, "name": last, "path": last, "full_path": path, "full_name": path.replace("/", " / "),
            "parent_id": above.id if above else None, "created_at": CREATED, "avatar_url": None,
            "web_url": f"https://gitlab.example.org/groups/{path}", **copy.deepcopy(GROUP), **fields,
        }  # fmt: skip
        made = Container("group", row)
        self.groups.append(made)
        return made

    def project(self, path: str, **fields: Any) -> Container:
        parent, _slash, last = path.rpartition("/")
        above = self.find("group", parent)
        number = self.id()
        row = {
            "id": number, "name": last, "path": last, "path_with_namespace": path, "created_at": CREATED,
            "name_with_namespace": path.replace("/", " / "), "web_url": f"https://gitlab.example.org/{path}",
            "http_url_to_repo": f"https://gitlab.example.org/{path}.git", "creator_id": 1,
            "ssh_url_to_repo": f"git@gitlab.example.org:{path}.git", "last_activity_at": CREATED,
            "namespace": {"id": above.id, "name": above.row["name"], "path": above.row["path"], "kind": "group",
                          "full_path": above.path, "parent_id": above.row["parent_id"]},
            **copy.deepcopy(PROJECT), **(copy.deepcopy(PROJECT_PREMIUM) if self.licensed else {}), **fields,
        }  # fmt: skip
        made = Container("project", row)
        self.projects.append(made)
        return made

    def find(self, kind: str, ident: str) -> Container:
        rows = self.projects if kind == "project" else self.groups
        for item in rows:
            if item.path.lower() == ident.lower() or str(item.id) == ident:
                return item
        raise missing(kind.title())

    def above(self, item: Container) -> list[Container]:
        """It, and the groups that it lies in."""
        chain = [item]
        parent = item.row["namespace"]["id"] if item.kind == "project" else item.row["parent_id"]
        while parent:
            group = next(group for group in self.groups if group.id == parent)
            chain.append(group)
            parent = group.row["parent_id"]
        return chain

    def level(self, user: dict[str, Any] | None, item: Container) -> int:
        if user is None:
            return 0
        if user["is_admin"]:
            return 60
        levels = [m["access_level"] for c in self.above(item) for m in c.members if m["id"] == user["id"]]
        return max(levels, default=0)

    def secret(self, prefix: str) -> str:
        return prefix + secrets.token_urlsafe(15)
