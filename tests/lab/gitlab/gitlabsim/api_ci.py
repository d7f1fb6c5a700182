# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CI variables, deploy tokens and keys, webhooks, and runners as their owners see them."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from .api_containers import admin, container
from .base import Answer, Call, bad, forbidden, invalid, listed, missing, route, said
from .world import Container, now

MASKABLE = re.compile(r"^[a-zA-Z0-9_+=/@:.~-]{8,}$")
SCOPES = ("read_repository", "read_registry", "write_registry", "read_package_registry", "write_package_registry",
          "read_virtual_registry", "write_virtual_registry")  # fmt: skip
EVENTS = (
    "push_events", "tag_push_events", "merge_requests_events", "issues_events", "confidential_issues_events",
    "note_events", "confidential_note_events", "pipeline_events", "wiki_page_events", "deployment_events",
    "feature_flag_events", "job_events", "releases_events", "milestone_events", "emoji_events",
    "resource_access_token_events", "vulnerability_events",
)  # fmt: skip


def _masked(call: Call, value: Any, raw: Any) -> None:
    text = str(value or "")
    if len(text) < 8 or "\n" in text or not (raw or MASKABLE.match(text)):
        raise invalid(value=["is invalid"])


def shown(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "value": None} if row["hidden"] else row


def _variables(kind: str) -> None:
    base = f"/{kind}s/:id/variables"

    def home(call: Call) -> Container:
        return container(call, kind, 40 if kind == "project" else 50)

    def scoped(call: Call) -> bool:
        return kind == "project" or call.world.licensed

    def chosen(call: Call, found: Container) -> dict[str, Any]:
        given = call.params.get("filter") or {}
        scope = call.params.get("filter[environment_scope]", given.get("environment_scope"))
        rows = [row for row in found.variables if row["key"] == unquote(call.ids["key"])]
        if scope is not None:
            rows = [row for row in rows if row["environment_scope"] == scope]
        if not rows:
            raise missing("Variable")
        if len(rows) > 1:
            raise said(
                409,
                "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'",
            )
        return rows[0]

    @route("GET", base)
    def variables(call: Call) -> Answer:
        return listed([shown(row) for row in home(call).variables])

    @route("GET", f"{base}/:key")
    def variable(call: Call) -> Answer:
        return Answer(200, shown(chosen(call, home(call))))

    @route("POST", base)
    def create(call: Call) -> Answer:
        found = home(call)
        call.need("key", "value")
        call.one_of("variable_type", ("env_var", "file"))
        if not re.match(r"^[a-zA-Z0-9_]{1,255}$", str(call.params["key"])):
            raise invalid(key=["can contain only letters, digits and '_'."])
        row: dict[str, Any] = {
            "variable_type": "env_var", "key": call.params["key"], "value": "", "hidden": False, "protected": False,
            "masked": False, "raw": False, "environment_scope": "*", "description": None,
        }  # fmt: skip
        call.take(row, "value", "protected", "masked", "raw", "variable_type", "description")
        if scoped(call):
            call.take(row, "environment_scope")
        if call.params.get("masked_and_hidden"):
            row["masked"] = row["hidden"] = True
        if row["masked"]:
            _masked(call, row["value"], row["raw"])
        if len(row["description"] or "") > 255:
            raise invalid(description=["is too long (maximum is 255 characters)"])
        same = [(other["key"], other["environment_scope"]) for other in found.variables]
        if (row["key"], row["environment_scope"]) in same:
            raise invalid(key=[f"({row['key']}) has already been taken"])
        found.variables.append(row)
        return Answer(201, shown(row))

    @route("PUT", f"{base}/:key")
    def change(call: Call) -> Answer:
        row = chosen(call, home(call))
        after = dict(row)
        names = ["value", "protected", "masked", "raw", "variable_type", "description"]
        call.take(after, *names, *(["environment_scope"] if scoped(call) else []))
        if row["hidden"] and not after["masked"]:
            raise invalid(masked=["The visibility setting cannot be changed for hidden variables."])
        if after["masked"]:
            _masked(call, after["value"], after["raw"])
        row.update(after)
        return Answer(200, shown(row))

    @route("DELETE", f"{base}/:key")
    def drop(call: Call) -> Answer:
        found = home(call)
        found.variables.remove(chosen(call, found))
        return Answer(204)


def _deploy_tokens(kind: str) -> None:
    base = f"/{kind}s/:id/deploy_tokens"
    level = 40 if kind == "project" else 50

    @route("GET", base)
    def tokens(call: Call) -> Answer:
        rows = container(call, kind, level).deploy_tokens
        if str(call.params.get("active")).lower() == "true":
            rows = [row for row in rows if not row["revoked"] and not row["expired"]]
        return listed(rows)

    @route("POST", base)
    def create(call: Call) -> Answer:
        found = container(call, kind, level)
        call.need("name", "scopes")
        scopes = call.params["scopes"]
        if not scopes or not set(scopes) <= set(SCOPES):
            raise bad("scopes does not have a valid value")
        number = call.world.id()
        expires = call.params.get("expires_at")
        row = {
            "id": number, "name": call.params["name"], "username": f"gitlab+deploy-token-{number}",
            "expires_at": f"{str(expires)[:10]}T00:00:00.000Z" if expires else None, "scopes": list(scopes),
            "revoked": False, "expired": False,
        }  # fmt: skip
        if call.params.get("username"):
            row["username"] = call.params["username"]
        found.deploy_tokens.append(row)
        return Answer(201, {**row, "token": call.world.secret("gldt-")})

    @route("DELETE", f"{base}/:token")
    def drop(call: Call) -> Answer:
        for row in container(call, kind, level).deploy_tokens:
            if str(row["id"]) == call.ids["token"] and not row["revoked"]:
                row["revoked"] = True
                return Answer(204)
        raise missing("Deploy Token")


for _kind in ("project", "group"):
    _variables(_kind)
    _deploy_tokens(_kind)


@route("GET", "/deploy_keys")
def all_keys(call: Call) -> Answer:
    admin(call)
    return listed(call.world.keys)


@route("GET", "/projects/:id/deploy_keys")
def deploy_keys(call: Call) -> Answer:
    return listed([_joined(call, link) for link in container(call, "project").deploy_keys])


def _joined(call: Call, link: dict[str, Any]) -> dict[str, Any]:
    key = next(key for key in call.world.keys if key["id"] == link["id"])
    return {**key, "can_push": link["can_push"]}


@route("POST", "/projects/:id/deploy_keys")
def create_key(call: Call) -> Answer:
    found = container(call, "project")
    call.need("key", "title")
    parts = str(call.params["key"]).split()
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (IndexError, ValueError):
        raise invalid(
            **{"deploy_key.key": ["is invalid"], "deploy_key.fingerprint_sha256": ["can't be blank"]}
        ) from None
    sha = "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    old = next((key for key in call.world.keys if key["fingerprint_sha256"] == sha), None)
    can_push = bool(call.params.get("can_push"))
    if old is not None:
        # Known in a project of mine: it is joined. Known elsewhere: its fingerprint is taken.
        mine = [p for p in call.world.projects if any(link["id"] == old["id"] for link in p.deploy_keys)]
        if found in mine or not any(call.world.level(call.user, p) for p in mine):
            raise invalid(**{"deploy_key.fingerprint_sha256": ["has already been taken"]})
        key = old
    else:
        key = {
            "id": call.world.id(), "title": call.params["title"], "created_at": now(), "expires_at": None,
            "key": " ".join(parts[:2]), "usage_type": "auth", "fingerprint_sha256": sha, "last_used_at": None,
            "fingerprint": hashlib.md5(blob, usedforsecurity=False).hexdigest(),
        }  # fmt: skip
        call.world.keys.append(key)
    link = {"id": key["id"], "can_push": can_push}
    found.deploy_keys.append(link)
    return Answer(201, _joined(call, link))


@route("POST", "/projects/:id/deploy_keys/:key/enable")
def enable_key(call: Call) -> Answer:
    found = container(call, "project")
    if not any(str(key["id"]) == call.ids["key"] for key in call.world.keys):
        raise missing("Deploy Key")
    link = {"id": int(call.ids["key"]), "can_push": False}
    if not any(other["id"] == link["id"] for other in found.deploy_keys):
        found.deploy_keys.append(link)
    return Answer(201, _joined(call, link))


def _link(call: Call, found: Container) -> dict[str, Any]:
    for link in found.deploy_keys:
        if str(link["id"]) == call.ids["key"]:
            return link
    raise missing("Deploy Key")


@route("PUT", "/projects/:id/deploy_keys/:key")
def change_key(call: Call) -> Answer:
    link = _link(call, container(call, "project"))
    call.take(link, "can_push")
    key = next(key for key in call.world.keys if key["id"] == link["id"])
    call.take(key, "title")
    return Answer(200, _joined(call, link))


@route("DELETE", "/projects/:id/deploy_keys/:key")
def drop_key(call: Call) -> Answer:
    found = container(call, "project")
    link = _link(call, found)
    found.deploy_keys.remove(link)
    if not any(other["id"] == link["id"] for p in call.world.projects for other in p.deploy_keys):
        call.world.keys = [key for key in call.world.keys if key["id"] != link["id"]]
    return Answer(204)


def _hooks(kind: str) -> None:
    base = f"/{kind}s/:id/hooks"

    def home(call: Call) -> Container:
        if kind == "group":
            call.world.premium(missing(""))
        return container(call, kind, 40 if kind == "project" else 50)

    def check(call: Call, url: str) -> None:
        host = urlsplit(url).hostname
        if not host or not url.startswith(("http://", "https://")):
            raise said(422, "Invalid url given")
        local = host in ("localhost", "127.0.0.1") or re.match(r"^(10\.|192\.168\.)", host)
        if local and not call.world.settings.local_hooks:
            raise said(422, "Url is blocked: Requests to the local network are not allowed")

    def find(call: Call, found: Container) -> dict[str, Any]:
        for row in found.hooks:
            if str(row["id"]) == call.ids["hook"]:
                return row
        raise missing("")

    def shown_hook(row: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in row.items() if key != "token"}

    names = ("url", "name", "description", "enable_ssl_verification", "push_events_branch_filter",
             "branch_filter_strategy", "token", *EVENTS)  # fmt: skip

    @route("GET", base)
    def hooks(call: Call) -> Answer:
        return listed([shown_hook(row) for row in home(call).hooks])

    @route("POST", base)
    def create(call: Call) -> Answer:
        found = home(call)
        call.need("url")
        check(call, str(call.params["url"]))
        row: dict[str, Any] = {
            "id": call.world.id(), f"{kind}_id": found.id, "url": "", "name": None, "description": None,
            "created_at": now(), "enable_ssl_verification": True, "alert_status": "executable",
            "disabled_until": None, "url_variables": [], "custom_headers": [], "push_events_branch_filter": None,
            "branch_filter_strategy": "wildcard",
            **{name: name == "push_events" for name in EVENTS},
        }  # fmt: skip
        call.take(row, *names)
        found.hooks.append(row)
        return Answer(201, shown_hook(row))

    @route("PUT", f"{base}/:hook")
    def change(call: Call) -> Answer:
        row = find(call, home(call))
        if "url" in call.params:
            check(call, str(call.params["url"]))
        call.take(row, *names)
        return Answer(200, shown_hook(row))

    @route("DELETE", f"{base}/:hook")
    def drop(call: Call) -> Answer:
        found = home(call)
        found.hooks.remove(find(call, found))
        return Answer(204)


_hooks("project")
_hooks("group")

DETAILS = ("tag_list", "run_untagged", "locked", "maximum_timeout", "access_level", "maintenance_note", "contacted_at",
           "version", "revision", "platform", "architecture", "projects", "groups")  # fmt: skip
HIDDEN = ("token", "managers", "owner")


def brief(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in (*DETAILS, *HIDDEN)}


def _tags(value: Any) -> list[str]:
    return [tag.strip() for tag in value.split(",") if tag.strip()] if isinstance(value, str) else list(value or [])


@route("POST", "/user/runners")
def create_runner(call: Call) -> Answer:
    world = call.world
    if call.token and not {"create_runner", "api"} & set(call.token["scopes"]):
        raise forbidden()
    call.need("runner_type")
    kind = call.one_of("runner_type", ("instance_type", "group_type", "project_type"))
    home: Container | None = None
    if kind != "instance_type":
        name = kind.removesuffix("_type")
        call.need(f"{name}_id")
        call.ids["id"] = str(call.params[f"{name}_id"])
        home = container(call, name, 40 if name == "project" else 50)
    else:
        admin(call)
    timeout = call.number("maximum_timeout")
    if timeout is not None and timeout < 600:
        raise invalid(maximum_timeout=["needs to be at least 10 minutes"])
    tags = _tags(call.params.get("tag_list"))
    untagged = call.params.get("run_untagged", True)
    if not untagged and not tags:
        raise invalid(tags_list=["can not be empty when runner is not allowed to pick untagged jobs"])
    row: dict[str, Any] = {
        "id": world.id(), "description": "", "ip_address": None, "active": True, "paused": False,
        "is_shared": kind == "instance_type", "runner_type": kind, "name": None, "online": None, "created_at": now(),
        "status": "never_contacted", "job_execution_status": "idle", "tag_list": tags, "run_untagged": untagged,
        "locked": False, "maximum_timeout": timeout, "access_level": "not_protected", "maintenance_note": None,
        "contacted_at": None, "version": None, "revision": None, "platform": None, "architecture": None,
        "token": world.secret("glrt-"), "managers": {}, "owner": home.path if home else "",
        **({"projects": [{"id": home.id, "name": home.row["name"]}]} if kind == "project_type" and home else {}),
        **({"groups": [{"id": home.id, "name": home.row["name"]}]} if kind == "group_type" and home else {}),
    }  # fmt: skip
    call.take(row, "description", "paused", "locked", "access_level", "maintenance_note")
    row["active"] = not row["paused"]
    world.runners.append(row)
    if home is not None:
        home.runners.append(row["id"])
    return Answer(201, {"id": row["id"], "token": row["token"], "token_expires_at": None})


@route("GET", "/runners/all")
def runners(call: Call) -> Answer:
    admin(call)
    return listed([brief(row) for row in call.world.runners if _typed(call, row)])


def _typed(call: Call, row: dict[str, Any]) -> bool:
    return call.params.get("type") in (None, "", row["runner_type"])


@route("GET", "/projects/:id/runners")
def project_runners(call: Call) -> Answer:
    return _runners_of(call, container(call, "project"))


@route("GET", "/groups/:id/runners")
def group_runners(call: Call) -> Answer:
    return _runners_of(call, container(call, "group"))


def _runners_of(call: Call, found: Container) -> Answer:
    """Its own, and those of the groups above and of the instance, which anybody sees."""
    ids = {number for item in call.world.above(found) for number in item.runners}
    rows = [row for row in call.world.runners if row["id"] in ids or row["runner_type"] == "instance_type"]
    return listed([brief(row) for row in rows if _typed(call, row)])


def _runner(call: Call) -> dict[str, Any]:
    for row in call.world.runners:
        if str(row["id"]) == call.ids["runner"]:
            owner = next((c for c in [*call.world.projects, *call.world.groups] if c.path == row["owner"]), None)
            if not (call.user and call.user["is_admin"]) and (
                owner is None or call.world.level(call.user, owner) < 40
            ):  # fmt: skip
                raise forbidden("No access granted")
            return row
    raise missing("Runner")


@route("GET", "/runners/:runner")
def runner(call: Call) -> Answer:
    return Answer(200, {key: value for key, value in _runner(call).items() if key not in HIDDEN})


@route("PUT", "/runners/:runner")
def change_runner(call: Call) -> Answer:
    row = _runner(call)
    call.take(row, "description", "paused", "run_untagged", "locked", "access_level", "maximum_timeout",
              "maintenance_note")  # fmt: skip
    row["active"] = not row["paused"]
    if "tag_list" in call.params:
        row["tag_list"] = _tags(call.params["tag_list"])
    return Answer(200, {key: value for key, value in row.items() if key not in HIDDEN})


@route("DELETE", "/runners/:runner")
def drop_runner(call: Call) -> Answer:
    row = _runner(call)
    call.world.runners.remove(row)
    for item in [*call.world.projects, *call.world.groups]:
        item.runners = [number for number in item.runners if number != row["id"]]
    return Answer(204)


@route("POST", "/runners/:runner/reset_authentication_token")
def reset_runner(call: Call) -> Answer:
    row = _runner(call)
    row["token"] = call.world.secret("glrt-")
    return Answer(201, {"token": row["token"], "token_expires_at": None})


@route("GET", "/runners/:runner/managers")
def managers(call: Call) -> Answer:
    return listed(list(_runner(call)["managers"].values()))
