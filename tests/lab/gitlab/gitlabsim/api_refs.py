# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Protected branches and tags, environments and their protection, push rules, freeze periods."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from .api_containers import BRANCH_LEVELS, container
from .base import Answer, Call, Fail, bad, forbidden, listed, missing, route, said
from .world import Container, World, now

TIERS = ("production", "staging", "testing", "development", "other")
PUSH_RULE = {
    "author_email_regex": "", "branch_name_regex": "", "commit_committer_check": False,
    "commit_committer_name_check": False, "commit_message_negative_regex": "", "commit_message_regex": "",
    "deny_delete_tag": False, "file_name_regex": "", "max_file_size": 0, "member_check": False,
    "prevent_secrets": False, "reject_unsigned_commits": False, "reject_non_dco_commits": False,
}  # fmt: skip


def access(call: Call, entry: dict[str, Any], allowed: tuple[int, ...], found: Container) -> dict[str, Any]:
    """One entry of a list of who may."""
    world = call.world
    row: dict[str, Any] = {"id": world.id(), "access_level": None}
    if world.licensed:
        row.update(user_id=None, group_id=None)
    given = [name for name in ("access_level", "user_id", "group_id", "deploy_key_id") if entry.get(name) is not None]
    if len(given) != 1:
        raise said(422, ["Access levels is invalid"])
    name, value = given[0], int(entry[given[0]])
    if name in ("user_id", "group_id") and not world.licensed:
        raise said(422, [f"{name} is not allowed"])
    if name == "access_level":
        if value not in allowed:
            raise said(422, ["Access level is not included in the list"])
        row["access_level"], row["access_level_description"] = value, BRANCH_LEVELS[value]
        return row
    if name == "user_id":
        user = world.user_by(value)
        if user is None or not world.level(user, found):
            raise said(422, ["Push access levels user is not a member of the project"])
        row["access_level_description"] = user["name"]
    elif name == "group_id":
        group = next((item for item in world.groups if item.id == value), None)
        if group is None:
            raise said(422, ["Access levels group does not exist"])
        row["access_level_description"] = group.row["name"]
    row["access_level"] = 40
    row[name] = value
    return row


def changed(call: Call, rows: list[dict[str, Any]], entries: Any, allowed: tuple[int, ...], found: Container) -> None:
    """An entry without an id is one more; with one it changes, or goes with `_destroy`. Nothing is ever replaced."""
    for entry in entries or []:
        number = entry.get("id")
        if number is None:
            rows.append(access(call, entry, allowed, found))
            continue
        old = next((row for row in rows if row["id"] == int(number)), None)
        if old is None:
            raise missing("")
        if str(entry.get("_destroy")).lower() == "true":
            rows.remove(old)
        else:
            wanted = {key: value for key, value in entry.items() if key != "id"}
            made = access(call, {**wanted}, allowed, found)
            rows[rows.index(old)] = {**made, "id": old["id"]}


@route("GET", "/projects/:id/protected_branches")
def branches(call: Call) -> Answer:
    return listed(container(call, "project", 30).branches)


def _named(rows: list[dict[str, Any]], call: Call) -> dict[str, Any]:
    name = unquote(call.ids["name"])
    for row in rows:
        if row["name"] == name:
            return row
    raise missing("")


@route("GET", "/projects/:id/protected_branches/:name")
def branch(call: Call) -> Answer:
    return Answer(200, _named(container(call, "project", 30).branches, call))


@route("POST", "/projects/:id/protected_branches")
def protect_branch(call: Call) -> Answer:
    found = container(call, "project")
    call.need("name")
    name = call.params["name"]
    if any(row["name"] == name for row in found.branches):
        raise said(409, f"Protected branch '{name}' already exists")
    licensed = call.world.licensed
    made: dict[str, Any] = {"id": call.world.id(), "name": name, "allow_force_push": False, "inherited": False}
    call.take(made, "allow_force_push", *(["code_owner_approval_required"] if licensed else []))
    kinds = ("push", "merge", "unprotect") if licensed else ("push", "merge")
    for kind in kinds:
        allowed = (40, 60) if kind == "unprotect" else (0, 30, 40, 60)
        level = call.number(f"{kind}_access_level")
        if level is not None and level not in allowed:
            raise bad(f"{kind}_access_level does not have a valid value")
        rows: list[dict[str, Any]] = []
        if licensed:
            changed(call, rows, call.params.get(f"allowed_to_{kind}"), allowed, found)
        if level is not None or (not rows and kind != "unprotect"):
            rows.append(access(call, {"access_level": 40 if level is None else level}, allowed, found))
        made[f"{kind}_access_levels"] = rows
    if licensed:
        made.setdefault("code_owner_approval_required", False)
    found.branches.append(made)
    return Answer(201, made)


@route("PATCH", "/projects/:id/protected_branches/:name")
def change_branch(call: Call) -> Answer:
    found = container(call, "project")
    row = _named(found.branches, call)
    call.take(row, "allow_force_push")
    if call.world.licensed:
        call.take(row, "code_owner_approval_required")
        for kind in ("push", "merge", "unprotect"):
            allowed = (40, 60) if kind == "unprotect" else (0, 30, 40, 60)
            changed(call, row[f"{kind}_access_levels"], call.params.get(f"allowed_to_{kind}"), allowed, found)
    return Answer(200, row)


@route("DELETE", "/projects/:id/protected_branches/:name")
def unprotect_branch(call: Call) -> Answer:
    rows = container(call, "project").branches
    rows.remove(_named(rows, call))
    return Answer(204)


@route("GET", "/projects/:id/protected_tags")
def tags(call: Call) -> Answer:
    return listed(container(call, "project", 30).tags)


@route("POST", "/projects/:id/protected_tags")
def protect_tag(call: Call) -> Answer:
    found = container(call, "project")
    call.need("name")
    if any(row["name"] == call.params["name"] for row in found.tags):
        raise said(409, f"Protected tag '{call.params['name']}' already exists")
    level = call.number("create_access_level")
    if level is not None and level not in (0, 30, 40, 60):
        raise bad("create_access_level does not have a valid value")
    rows: list[dict[str, Any]] = []
    if call.world.licensed:
        changed(call, rows, call.params.get("allowed_to_create"), (0, 30, 40, 60), found)
    if level is not None or not rows:
        rows.append(access(call, {"access_level": 40 if level is None else level}, (0, 30, 40, 60), found))
    made = {"name": call.params["name"], "create_access_levels": rows}
    found.tags.append(made)
    return Answer(201, made)


@route("DELETE", "/projects/:id/protected_tags/:name")
def unprotect_tag(call: Call) -> Answer:
    rows = container(call, "project").tags
    rows.remove(_named(rows, call))
    return Answer(204)


def tier_of(name: str) -> str:
    """What the server guesses from a name."""
    for tier, words in (
        ("production", r"prod|live"), ("staging", r"stag|model|pre|demo|non"), ("testing", r"test|qc|qa|accept|uat"),
        ("development", r"dev|review|trunk|loc"),
    ):  # fmt: skip
        if re.search(words, name.lower()):
            return tier
    return "other"


@route("GET", "/projects/:id/environments")
def environments(call: Call) -> Answer:
    return listed(container(call, "project", 20).environments)


@route("POST", "/projects/:id/environments")
def create_environment(call: Call) -> Answer:
    found = container(call, "project", 30)
    call.need("name")
    call.one_of("tier", TIERS)
    name = str(call.params["name"])
    if any(row["name"] == name for row in found.environments):
        raise said(400, {"name": ["has already been taken"]})
    made = {
        "id": call.world.id(), "name": name, "slug": re.sub(r"[^a-z0-9]+", "-", name.lower())[:24],
        "external_url": None, "created_at": now(), "updated_at": now(), "tier": tier_of(name), "state": "available",
        "description": None, "auto_stop_at": None, "auto_stop_setting": "always",
    }  # fmt: skip
    call.take(made, "external_url", "tier", "description", "auto_stop_setting")
    found.environments.append(made)
    return Answer(201, made)


def _environment(call: Call, found: Container) -> dict[str, Any]:
    for row in found.environments:
        if str(row["id"]) == call.ids["environment"]:
            return row
    raise missing("Environment")


@route("PUT", "/projects/:id/environments/:environment")
def change_environment(call: Call) -> Answer:
    row = _environment(call, container(call, "project", 30))
    call.one_of("tier", TIERS)
    call.take(row, "external_url", "tier", "description", "auto_stop_setting")
    return Answer(200, row)


@route("POST", "/projects/:id/environments/:environment/stop")
def stop_environment(call: Call) -> Answer:
    row = _environment(call, container(call, "project", 30))
    row["state"] = "stopped"
    return Answer(200, row)


@route("DELETE", "/projects/:id/environments/:environment")
def remove_environment(call: Call) -> Answer:
    found = container(call, "project", 30)
    row = _environment(call, found)
    if row["state"] != "stopped":
        raise forbidden()
    found.environments.remove(row)
    return Answer(204)


def _rules(call: Call, rows: list[dict[str, Any]], entries: Any, found: Container) -> None:
    for entry in entries or []:
        number = entry.get("id")
        if number is not None and str(entry.get("_destroy")).lower() == "true":
            rows[:] = [row for row in rows if row["id"] != int(number)]
            continue
        extra = {
            "required_approvals": int(entry.get("required_approvals") or 1),
            "group_inheritance_type": int(entry.get("group_inheritance_type") or 0),
        }
        old = next((row for row in rows if number is not None and row["id"] == int(number)), None)
        if old is not None:
            old.update({key: value for key, value in extra.items() if key in entry})
            continue
        who = {key: value for key, value in entry.items() if key in ("access_level", "user_id", "group_id")}
        made = {"user_id": None, "group_id": None, **access(call, who, (30, 40, 60), found), **extra}
        if made["user_id"] or made["group_id"]:
            made["access_level"] = None
        rows.append(made)


def _environment_rows(call: Call, row: dict[str, Any], found: Container) -> None:
    if int(call.params.get("required_approval_count") or 0) > 0:
        raise said(422, ["Required approval count is deprecated, use approval rules"])
    levels = row["deploy_access_levels"]
    for entry in call.params.get("deploy_access_levels") or []:
        _rules(call, levels, [entry], found)
    for level in levels:
        level.pop("required_approvals", None)
    _rules(call, row["approval_rules"], call.params.get("approval_rules"), found)


@route("GET", "/projects/:id/protected_environments")
def protected_environments(call: Call) -> Answer:
    call.world.premium()
    return listed(sorted(container(call, "project", 30).protected_environments, key=lambda row: str(row["name"])))


@route("GET", "/projects/:id/protected_environments/:name")
def protected_environment(call: Call) -> Answer:
    call.world.premium()
    return Answer(200, _named(container(call, "project", 30).protected_environments, call))


@route("POST", "/projects/:id/protected_environments")
def protect_environment(call: Call) -> Answer:
    call.world.premium()
    found = container(call, "project")
    call.need("name", "deploy_access_levels")
    name = call.params["name"]
    if any(row["name"] == name for row in found.protected_environments):
        raise said(409, f"Environment '{name}' is already protected")
    made: dict[str, Any] = {
        "name": name, "deploy_access_levels": [], "required_approval_count": 0, "approval_rules": []
    }  # fmt: skip
    _environment_rows(call, made, found)
    found.protected_environments.append(made)
    return Answer(201, made)


@route("PUT", "/projects/:id/protected_environments/:name")
def change_protected_environment(call: Call) -> Answer:
    call.world.premium()
    found = container(call, "project")
    row = _named(found.protected_environments, call)
    _environment_rows(call, row, found)
    return Answer(200, row)


@route("DELETE", "/projects/:id/protected_environments/:name")
def unprotect_environment(call: Call) -> Answer:
    call.world.premium()
    rows = container(call, "project").protected_environments
    rows.remove(_named(rows, call))
    return Answer(204)


def _push_rule(kind: str) -> None:
    path = f"/{kind}s/:id/push_rule"

    def rule(call: Call) -> Container:
        unlicensed: Fail | None = None
        call.world.premium(unlicensed)
        return container(call, kind)

    @route("GET", path)
    def get(call: Call) -> Answer:
        return Answer(200, rule(call).push_rule)

    @route("POST", path)
    def add(call: Call) -> Answer:
        found = rule(call)
        if found.push_rule is not None:
            raise said(422, "Project push rule exists")
        made = {"id": call.world.id(), f"{kind}_id": found.id, "created_at": now(), **PUSH_RULE}
        if not set(call.params) & set(PUSH_RULE):
            raise bad(f"{', '.join(PUSH_RULE)} are missing, at least one parameter must be provided")
        call.take(made, *PUSH_RULE)
        found.push_rule = made
        return Answer(201, made)

    @route("PUT", path)
    def change(call: Call) -> Answer:
        found = rule(call)
        if found.push_rule is None:
            raise missing("Push rule")
        call.take(found.push_rule, *PUSH_RULE)
        return Answer(200, found.push_rule)

    @route("DELETE", path)
    def drop(call: Call) -> Answer:
        found = rule(call)
        if found.push_rule is None:
            raise missing("Push rule")
        found.push_rule = None
        return Answer(204)


_push_rule("project")
_push_rule("group")


@route("GET", "/projects/:id/freeze_periods")
def freezes(call: Call) -> Answer:
    return listed(container(call, "project", 20).freeze_periods)


@route("POST", "/projects/:id/freeze_periods")
def create_freeze(call: Call) -> Answer:
    found = container(call, "project")
    call.need("freeze_start", "freeze_end")
    _cron(call)
    row = {"id": call.world.id(), "cron_timezone": "UTC", "created_at": now(), "updated_at": now()}
    call.take(row, "freeze_start", "freeze_end", "cron_timezone")
    found.freeze_periods.append(row)
    return Answer(201, row)


def _cron(call: Call) -> None:
    for name in ("freeze_start", "freeze_end"):
        if name in call.params and len(str(call.params[name]).split()) != 5:
            raise said(400, {name: [" is invalid syntax"]})


@route("DELETE", "/projects/:id/freeze_periods/:freeze")
def remove_freeze(call: Call) -> Answer:
    found = container(call, "project")
    for row in found.freeze_periods:
        if str(row["id"]) == call.ids["freeze"]:
            found.freeze_periods.remove(row)
            return Answer(204)
    raise missing("Freeze Period")


__all__ = ["World", "access", "changed"]
