# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups, projects, members, users, and what the server says of itself."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from .base import LEVELS, Answer, Call, Fail, bad, forbidden, invalid, listed, missing, route, said
from .world import GROUP, PROJECT, PROJECT_PREMIUM, Container, now

BRANCH_LEVELS = {0: "No one", 30: "Developers + Maintainers", 40: "Maintainers", 60: "Instance admins"}


def container(call: Call, kind: str, level: int = 40) -> Container:
    """The one in the path; to somebody who may not see it, there is none."""
    ident = unquote(call.ids["id"])
    if kind == "project" and ident in call.world.moved:
        if call.method == "GET":
            number = call.world.moved[ident]
            where = call.path.replace(call.ids["id"], str(number), 1)
            raise Fail(301, {"message": "This resource has been moved"}, {"Location": f"/api/v4{where}"})
        raise said(405, "Non GET methods are not allowed for moved projects")
    found = call.world.find(kind, ident)
    has = call.world.level(call.user, found)
    if found.row["visibility"] == "private" and has == 0:
        raise missing(kind.title())
    if has < level:
        raise forbidden()
    return found


def admin(call: Call) -> None:
    if not (call.user and call.user["is_admin"]):
        raise forbidden()


@route("GET", "/metadata")
def metadata(call: Call) -> Answer:
    settings = call.world.settings
    enterprise = settings.edition != "ce"
    version = settings.version + ("-ee" if enterprise else "")
    kas = {"enabled": True, "externalUrl": "wss://gitlab.example.org/-/kubernetes-agent/", "version": settings.version}
    return Answer(200, {"version": version, "revision": "0123456789a", "kas": kas, "enterprise": enterprise})


@route("GET", "/version")
def version(call: Call) -> Answer:
    told = metadata(call).body
    return Answer(200, {name: told[name] for name in ("version", "revision")})


@route("GET", "/user")
def current_user(call: Call) -> Answer:
    return Answer(200, shown_user(call.user or {}))


@route("GET", "/personal_access_tokens/self")
def token_itself(call: Call) -> Answer:
    told = call.token or {}
    row = {"id": 1, "name": "socle", "revoked": False, "created_at": now(), "active": True, "user_id": told["user"]}
    return Answer(200, {**row, "scopes": told["scopes"], "expires_at": "2027-01-31", "last_used_at": now()})


@route("GET", "/users")
def users(call: Call) -> Answer:
    rows = call.world.users
    name = call.params.get("username")
    if name:
        rows = [row for row in rows if row["username"].lower() == str(name).lower()]
    hidden = () if call.user and call.user["is_admin"] else ("email",)
    return listed([{name: v for name, v in shown_user(row).items() if name not in hidden} for row in rows])


@route("POST", "/users")
def create_user(call: Call) -> Answer:
    admin(call)
    call.need("username", "name", "email")
    for name in ("username", "email"):
        if any(str(row.get(name)).lower() == str(call.params[name]).lower() for row in call.world.users):
            raise said(409, f"{name.title()} has already been taken")
    if not any(call.params.get(name) for name in ("password", "reset_password", "force_random_password")):
        raise bad(
            "password, reset_password, force_random_password are missing, at least one parameter must be provided"
        )
    row = call.world.user(call.params["username"])
    call.take(row, "name", "email")
    return Answer(201, shown_user(row))


def _account(call: Call) -> dict[str, Any]:
    admin(call)
    row = call.world.user_by(int(call.ids["user"]))
    if row is None:
        raise missing("User")
    return row


@route("PUT", "/users/:user")
def change_user(call: Call) -> Answer:
    row = _account(call)
    call.take(row, "name", "email")
    return Answer(200, shown_user(row))


@route("POST", "/users/:user/block")
def block_user(call: Call) -> Answer:
    _account(call)["state"] = "blocked"
    return Answer(201, True)


@route("POST", "/users/:user/unblock")
def unblock_user(call: Call) -> Answer:
    _account(call)["state"] = "active"
    return Answer(201, True)


@route("GET", "/application/settings")
def settings(call: Call) -> Answer:
    admin(call)
    return Answer(200, call.world.application)


@route("PUT", "/application/settings")
def change_settings(call: Call) -> Answer:
    admin(call)
    call.take(call.world.application, *call.world.application)
    return Answer(200, call.world.application)


def shown_user(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "is_admin"}


@route("GET", "/namespaces/:id")
def namespace(call: Call) -> Answer:
    try:
        row = container(call, "group", 0).row
    except Fail:
        raise missing("Namespace") from None
    plan = {"plan": "premium" if call.world.licensed else "default"}
    names = ("id", "name", "path", "full_path", "parent_id", "avatar_url", "web_url")
    return Answer(200, {**{key: row[key] for key in names}, "kind": "group", **plan})


@route("GET", "/groups")
def groups(call: Call) -> Answer:
    rows = [g.row for g in call.world.groups if call.world.level(call.user, g) or g.row["visibility"] != "private"]
    if call.params.get("search"):
        rows = [row for row in rows if call.params["search"].lower() in row["full_path"].lower()]
    return listed(rows, "name")


@route("GET", "/groups/:id")
def group(call: Call) -> Answer:
    return Answer(200, container(call, "group", 0).row)


@route("POST", "/groups")
def create_group(call: Call) -> Answer:
    call.need("name", "path")
    world = call.world
    parent = call.number("parent_id")
    above = next((item for item in world.groups if item.id == parent), None)
    if parent and above is None:
        raise missing("Group")
    if above is not None and world.level(call.user, above) < 40:
        raise forbidden()
    path = f"{above.path}/{call.params['path']}" if above else str(call.params["path"])
    taken(call, path, "group")
    made = world.group(path, name=call.params["name"])
    call.take(made.row, *GROUP.keys() - {"marked_for_deletion_on"})
    join(call, made, 50)
    return Answer(201, made.row)


def taken(call: Call, path: str, kind: str) -> None:
    """A path is taken by what is only marked for deletion, too."""
    for item in [*call.world.groups, *call.world.projects]:
        if item.path.lower() == path.lower():
            where = "Failed to save group " if kind == "group" else ""
            texts = {"path": ["has already been taken"]}
            raise said(400, f"{where}{texts}" if where else {**texts, "name": ["has already been taken"]})


def join(call: Call, made: Container, level: int) -> None:
    if call.user:
        made.members.append(membership(call.user, level, None))


def membership(user: dict[str, Any], level: int, expires: Any) -> dict[str, Any]:
    return {
        **shown_user(user), "access_level": level, "created_at": now(), "expires_at": expires or None,
        "membership_state": "active",
    }  # fmt: skip


@route("PUT", "/groups/:id")
def update_group(call: Call) -> Answer:
    found = container(call, "group", 50)
    call.one_of("visibility", ("private", "internal", "public"))
    call.take(found.row, "name", *GROUP.keys() - {"marked_for_deletion_on"})
    return Answer(200, found.row)


def remove(call: Call, kind: str) -> Answer:
    found = container(call, kind, 50)
    rows = call.world.projects if kind == "project" else call.world.groups
    if str(call.params.get("permanently_remove")).lower() == "true":
        if not found.row["marked_for_deletion_on"]:
            raise bad(f"{kind.title()} must be marked for deletion first.")
        if call.params.get("full_path") != found.path:
            raise bad(f"`full_path` is incorrect. You must enter the complete path for the {kind}.")
        rows.remove(found)
    elif found.row["marked_for_deletion_on"]:
        raise said(400, f"{kind.title()} has been already marked for deletion")
    else:
        found.row["marked_for_deletion_on"] = now()[:10]
    return Answer(202, {"message": "202 Accepted"})


@route("DELETE", "/groups/:id")
def remove_group(call: Call) -> Answer:
    return remove(call, "group")


@route("DELETE", "/projects/:id")
def remove_project(call: Call) -> Answer:
    return remove(call, "project")


@route("POST", "/groups/:id/restore")
def restore_group(call: Call) -> Answer:
    found = container(call, "group", 50)
    found.row["marked_for_deletion_on"] = None
    return Answer(201, found.row)


@route("POST", "/projects/:id/restore")
def restore_project(call: Call) -> Answer:
    found = container(call, "project", 50)
    found.row["marked_for_deletion_on"] = None
    return Answer(201, found.row)


@route("GET", "/groups/:id/projects")
def group_projects(call: Call) -> Answer:
    found = container(call, "group", 0)
    deep = str(call.params.get("include_subgroups")).lower() == "true"
    inside = [
        p for p in call.world.projects
        if p.path.rpartition("/")[0] == found.path or (deep and p.path.startswith(found.path + "/"))
    ]  # fmt: skip
    inside = [p for p in inside if call.world.level(call.user, p) or p.row["visibility"] != "private"]
    return listed([p.row for p in inside])


@route("GET", "/projects")
def projects(call: Call) -> Answer:
    rows = [p.row for p in call.world.projects if call.world.level(call.user, p) or p.row["visibility"] != "private"]
    if call.params.get("search"):
        rows = [row for row in rows if call.params["search"].lower() in row["path_with_namespace"].lower()]
    return listed(rows, "id")


@route("GET", "/projects/:id")
def project(call: Call) -> Answer:
    return Answer(200, container(call, "project", 0).row)


@route("POST", "/projects")
def create_project(call: Call) -> Answer:
    if not call.params.get("name") and not call.params.get("path"):
        raise bad("name, path are missing, at least one parameter must be provided")
    world = call.world
    number = call.number("namespace_id")
    above = next((item for item in world.groups if item.id == number), None)
    if above is None:
        raise invalid(namespace=["is not valid"])
    if world.level(call.user, above) < 30:
        raise invalid(namespace=["is not valid"])
    last = call.params.get("path") or str(call.params["name"]).lower().replace(" ", "-")
    path = f"{above.path}/{last}"
    taken(call, path, "project")
    name = call.params.get("name") or last
    if any(p.row["name"] == name and p.row["namespace"]["id"] == above.id for p in world.projects):
        raise invalid(name=["has already been taken"])
    made = world.project(path, name=name, creator_id=call.user["id"] if call.user else None)
    put(call, made)
    if call.params.get("initialize_with_readme"):
        commit(call, made)
    if world.level(call.user, made) < 50:
        join(call, made, 50)
    return Answer(201, made.row)


def put(call: Call, found: Container) -> None:
    call.one_of("visibility", ("private", "internal", "public"))
    call.one_of("merge_method", ("merge", "rebase_merge", "ff"))
    call.one_of("squash_option", ("never", "always", "default_on", "default_off"))
    branch = call.params.get("default_branch")
    if call.method == "PUT" and branch and not found.row["empty_repo"] and branch != found.row["default_branch"]:
        raise invalid(base=[f"Could not change HEAD: branch '{branch}' does not exist"])
    known = PROJECT | (PROJECT_PREMIUM if call.world.licensed else {})
    call.take(found.row, "name", *known.keys() - {"marked_for_deletion_on", "archived", "empty_repo", "import_status"})


def commit(call: Call, found: Container) -> None:
    """The first push: it makes the default branch, and protects it."""
    found.row["empty_repo"] = False
    found.row["default_branch"] = found.row["default_branch"] or "main"
    extra = {"user_id": None, "group_id": None} if call.world.licensed else {}

    def level() -> dict[str, Any]:
        return {"id": call.world.id(), "access_level": 40, "access_level_description": "Maintainers", **extra}

    found.branches.append(
        {
            "id": call.world.id(), "name": found.row["default_branch"], "allow_force_push": False, "inherited": False,
            "push_access_levels": [level()], "merge_access_levels": [level()],
            **({"unprotect_access_levels": [], "code_owner_approval_required": False} if call.world.licensed else {}),
        }
    )  # fmt: skip


@route("PUT", "/projects/:id")
def update_project(call: Call) -> Answer:
    found = container(call, "project")
    put(call, found)
    return Answer(200, found.row)


@route("POST", "/projects/:id/archive")
def archive(call: Call) -> Answer:
    found = container(call, "project", 50)
    found.row["archived"] = True
    return Answer(201, found.row)


@route("POST", "/projects/:id/unarchive")
def unarchive(call: Call) -> Answer:
    found = container(call, "project", 50)
    found.row["archived"] = False
    return Answer(201, found.row)


def _members(kind: str) -> None:
    base = f"/{kind}s/:id/members"

    @route("GET", base)
    def members(call: Call) -> Answer:
        return listed(container(call, kind, 0).members)

    @route("GET", f"{base}/all")
    def all_members(call: Call) -> Answer:
        return listed([m for item in call.world.above(container(call, kind, 0)) for m in item.members])

    @route("GET", f"{base}/:user")
    def member(call: Call) -> Answer:
        return Answer(200, _direct(call, container(call, kind, 0)))

    @route("POST", base)
    def add(call: Call) -> Answer:
        found = container(call, kind, 40 if kind == "project" else 50)
        call.need("access_level")
        level = _level(call)
        user = call.world.user_by(call.number("user_id"))
        if user is None:
            raise missing("User")
        if any(m["id"] == user["id"] for m in found.members):
            raise said(409, "Member already exists")
        _not_below(call, found, user, level)
        row = membership(user, level, call.params.get("expires_at"))
        found.members.append(row)
        return Answer(201, row)

    @route("PUT", f"{base}/:user")
    def change(call: Call) -> Answer:
        found = container(call, kind, 40 if kind == "project" else 50)
        row = _direct(call, found)
        call.need("access_level")
        level = _level(call)
        _not_below(call, found, row, level)
        row["access_level"] = level
        if "expires_at" in call.params:
            row["expires_at"] = call.params["expires_at"] or None
        return Answer(200, row)

    @route("DELETE", f"{base}/:user")
    def drop(call: Call) -> Answer:
        found = container(call, kind, 40 if kind == "project" else 50)
        row = _direct(call, found)
        owners = [m for m in found.members if m["access_level"] == 50]
        if kind == "group" and found.row["parent_id"] is None and owners == [row]:
            raise forbidden()
        found.members.remove(row)
        return Answer(204)


def _level(call: Call) -> int:
    level = call.number("access_level")
    if level not in LEVELS:
        raise bad("access_level does not have a valid value")
    return int(level)


def _direct(call: Call, found: Container) -> dict[str, Any]:
    for row in found.members:
        if str(row["id"]) == call.ids["user"]:
            return row
    raise missing("")


def _not_below(call: Call, found: Container, user: dict[str, Any], level: int) -> None:
    above = call.world.above(found)[1:]
    inherited = max((m["access_level"] for item in above for m in item.members if m["id"] == user["id"]), default=0)
    if level < inherited:
        named = {20: "Reporter", 30: "Developer", 40: "Maintainer", 50: "Owner"}.get(inherited, str(inherited))
        raise invalid(
            access_level=[f"should be greater than or equal to {named} inherited membership from group {above[0].path}"]
        )


_members("group")
_members("project")
