# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What gitlab_info reads: groups and projects as gitlab_configuration takes them, and the token that asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .._module import given
from .._objects import AdapterError, Desired, EngineError
from .._values import Secret, show
from .adapter import BY_OPTION, SECTIONS
from .client import MISSING, Api
from .containers import GROUP, PROJECT, Containers
from .errors import ApiError
from .options import connection_of, connection_spec
from .people import People
from .section import Section, Site, Where
from .tokens import Tokens

READABLE = [section.option for section in SECTIONS if GROUP in section.kinds or PROJECT in section.kinds]
# What a name is called in the section's own options.
_NAMED = {"members": "user", "hooks": "url"}
_WITHOUT = ("freeze_periods", "push_rule", "deploy_keys")
# Not options, but how the module knows its own again.
_INNER = ("token", "keep", "marked_for_deletion", "settings")


def spec() -> dict[str, Any]:
    return {
        **connection_spec(),
        "groups": {"type": "list", "elements": "str", "default": []},
        "projects": {"type": "list", "elements": "str", "default": []},
        "sections": {"type": "list", "elements": "str", "choices": READABLE, "default": []},
    }


def run_info() -> None:
    options = spec()
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    for library, trace in MISSING:
        module.fail_json(msg=missing_required_lib(library), exception=trace)
    try:
        found = info(given(module.params, options))
    except EngineError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **found)


def info(parameters: Mapping[str, Any]) -> dict[str, Any]:
    api = Api(connection_of(parameters))
    site = Site(api, People(api), Tokens({}))
    wanted = [Where(GROUP, path.strip("/")) for path in parameters["groups"]]
    wanted += [Where(PROJECT, path.strip("/")) for path in parameters["projects"]]
    containers = Containers(site)
    asked = {where: Desired(where.key, {"marked_for_deletion": True}) for where in wanted}
    rows = dict(containers.read(asked))
    missing = [where.key for where in wanted if where not in rows]
    if missing or containers.findings:
        said = [*(f"{key}: it is not there, or the token's user may not see it" for key in missing)]
        raise AdapterError("; ".join([*said, *containers.findings]))
    found: dict[str, Any] = {"groups": [], "projects": []}
    for where, current in rows.items():
        item = {"path": where.path, "id": current.identity["id"]}
        item |= {name: show(value) for name, value in current.fields.items() if name not in _INNER}
        for option in parameters["sections"]:
            if where.kind in BY_OPTION[option].kinds:
                item[option] = _section(site, BY_OPTION[option], where)
        found[f"{where.kind}s"].append(item)
    told = api.metadata
    server = {"version": told["version"], "enterprise": bool(told.get("enterprise"))}
    return {**found, "server": server, "token": _token(api)}


def _section(site: Site, section: Section, where: Where) -> list[dict[str, Any]] | None:
    """None where the server does not have it, or the token's user may not see it."""
    try:
        rows = section.rows(site, where)
    except ApiError as error:
        if error.status in (403, 404):
            return None
        raise
    items = []
    # A list of runners lacks what they are like; naming each makes it complete.
    wanted = {section.row_name(row): Desired("", present=False) for row in rows}
    for name, current in section.found(site, where, rows, wanted):
        named = {} if section.option in _WITHOUT else {_NAMED.get(section.option, "name"): name}
        if section.option == "variables":
            key, _space, scope = name.partition(" ")
            named = {"key": key, "scope": scope[1:-1] or "*"}
        fields = {key: value for key, value in current.fields.items() if key not in _INNER}
        items.append({**named, **{key: value for key, value in fields.items() if not isinstance(value, Secret)}})
    return items


def _token(api: Api) -> dict[str, Any]:
    told = api.find("/personal_access_tokens/self") or {}
    return {
        "user": api.get("/user")["username"],
        "name": told.get("name", ""),
        "scopes": told.get("scopes", []),
        "expires_at": told.get("expires_at"),
    }
