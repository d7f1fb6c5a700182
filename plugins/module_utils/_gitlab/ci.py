# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Members, CI variables, webhooks, deploy keys."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .._objects import AdapterError
from .._values import Secret, bare
from . import fingerprint
from .client import enc
from .errors import ApiError
from .people import LEVELS, level_name
from .section import STATE, Asked, Do, Item, Row, Section, Site, changed, number

_BOT = re.compile(r"(project|group)_\d+_bot", re.IGNORECASE)
# What GitLab can hide in logs when the variable is expanded.
_MASKABLE = re.compile(r"[a-zA-Z0-9_+=/@:.~-]{8,}\Z")
_KEY = re.compile(r"[a-zA-Z0-9_]{1,255}\Z")


class Members(Section):
    option = "members"
    word = "member"
    kinds = ("project", "group")
    path = "members"
    spec: Mapping[str, Any] = {
        "user": {"type": "str", "required": True},
        "access": {"type": "str", "choices": list(LEVELS), "default": "developer"},
        "expires": {"type": "str"},
        "state": STATE,
    }

    def name(self, item: Item) -> str:
        return str(item["user"])

    def fields(self, item: Item) -> dict[str, Any]:
        return {name: item[name] for name in ("access", "expires") if name in item}

    def entries(self, item: Item) -> list[str]:
        return [f"user:{item['user']}"]

    def row_name(self, row: Mapping[str, Any]) -> str:
        return str(row["username"])

    def row_fields(self, row: Row) -> dict[str, Any]:
        row.site.people.know("user", str(row.data["username"]), int(row.data["id"]))
        return {"access": level_name(row.data["access_level"]), "expires": str(row.data.get("expires_at") or "")[:10]}

    def ours(self, row: Row) -> bool:
        # Without its own user a task would lock itself out; a token's user goes with its token.
        return not _BOT.match(str(row.data["username"])) and row.data["username"] != row.site.tokens.me(row.site.api)

    def body(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if "access" in fields:
            body["access_level"] = LEVELS[fields["access"]]
        if "expires" in fields:
            body["expires_at"] = fields["expires"]
        return body

    def create(self, do: Do) -> None:
        body = {"user_id": do.site.people.id("user", do.name), **self.body(do.change.after)}
        do.api.send("POST", f"{do.base}/{self.path}", body)

    def update(self, do: Do) -> None:
        # The level is required, whatever changes.
        wanted = {**changed(do.change), "access": do.change.after["access"]}
        do.api.send("PUT", f"{do.base}/{self.path}/{number(do.change)}", self.body(wanted))


class Variables(Section):
    option = "variables"
    word = "variable"
    kinds = ("project", "group")
    path = "variables"
    immutable: Mapping[str, str] = {"hidden": "a variable is hidden from its beginning, or never"}
    spec: Mapping[str, Any] = {
        "key": {"type": "str", "required": True, "no_log": False},
        "scope": {"type": "str", "default": "*"},
        "value": {"type": "str", "no_log": True},
        "text": {"type": "str"},
        "protected": {"type": "bool"},
        "masked": {"type": "bool"},
        "hidden": {"type": "bool"},
        "raw": {"type": "bool"},
        "file": {"type": "bool"},
        "description": {"type": "str"},
        "state": STATE,
    }

    def name(self, item: Item) -> str:
        return _variable(item["key"], item["scope"])

    def fields(self, item: Item) -> dict[str, Any]:
        fields = {name: item[name] for name in self.spec if name in item and name not in ("key", "scope", "state")}
        if "text" in fields:
            fields["value"] = fields.pop("text")
        if fields.get("hidden"):
            fields["masked"] = True
        return fields

    def problems(self, asked: Asked) -> Iterable[str]:
        if not _KEY.match(str(asked.item["key"])):
            yield "a key has letters, digits and _ only"
        if asked.item["state"] != "present":
            return
        given = [name for name in ("value", "text") if name in asked.item]
        if len(given) != 1:
            yield "give it either a value, which is a secret, or a text, which is none" + (
                "" if given else "; or state: absent"
            )
        elif asked.item.get("masked") or asked.item.get("hidden"):
            text = str(bare(asked.item[given[0]]))
            if len(text) < 8 or "\n" in text:
                yield "GitLab masks values of 8 characters or more in one line only; lengthen it, or drop masked"
            elif not asked.item.get("raw") and not _MASKABLE.match(text):
                yield "its value has characters that GitLab cannot mask; set raw: true, or encode it in base64"

    def premium(self, asked: Asked) -> str:
        return "a scope of a group's variable" if asked.where.kind == "group" and asked.item["scope"] != "*" else ""

    def row_name(self, row: Mapping[str, Any]) -> str:
        return _variable(str(row["key"]), str(row.get("environment_scope") or "*"))

    def row_fields(self, row: Row) -> dict[str, Any]:
        description, mark = fingerprint.split(row.data.get("description"))
        fields: dict[str, Any] = {
            "protected": bool(row.data.get("protected")),
            "masked": bool(row.data.get("masked")),
            "hidden": bool(row.data.get("hidden")),
            "raw": bool(row.data.get("raw")),
            "file": row.data.get("variable_type") == "file",
            "description": description,
        }
        if row.data.get("hidden"):
            fields["value"] = fingerprint.stands_for(mark, row.wanted, "value")
        else:
            text = str(row.data.get("value") or "")
            plain = row.wanted is not None and isinstance(row.wanted.fields.get("value"), str)
            fields["value"] = text if plain and not row.data.get("masked") else Secret(text)
        return fields

    def body(self, fields: Mapping[str, Any], description: str, hidden: bool) -> dict[str, Any]:
        body: dict[str, Any] = {name: fields[name] for name in ("protected", "masked", "raw") if name in fields}
        if "file" in fields:
            body["variable_type"] = "file" if fields["file"] else "env_var"
        if "value" in fields:
            body["value"] = bare(fields["value"])
            if hidden:
                body["description"] = fingerprint.joined(description, fields["value"])
        if "description" in fields and "description" not in body:
            body["description"] = description
        return body

    def create(self, do: Do) -> None:
        key, scope = _parts(do.name)
        hidden = bool(do.change.after.get("hidden"))
        body = self.body(do.change.after, str(do.change.after.get("description") or ""), hidden)
        if hidden:
            body.pop("masked", None)
            body["masked_and_hidden"] = True
        path = f"{do.base}/{self.path}"
        made = do.api.send("POST", path, {"key": key, "environment_scope": scope, **body})
        if made.get("environment_scope", "*") != scope:
            # Without the feature the scope is dropped without a word, and the variable would reach every job.
            do.api.drop(f"{path}/{enc(key)}", **_filter(str(made.get("environment_scope") or "*")))
            raise AdapterError(
                f"the server made it for every environment instead of {scope}, so it was removed again",
                "scopes of a group's variables need GitLab Premium: give it in the projects",
            )

    def update(self, do: Do) -> None:
        key, scope = _parts(do.name)
        wanted = changed(do.change)
        hidden = bool(do.change.after.get("hidden"))
        if hidden and "description" in wanted:
            # The mark in it belongs to the value, which is known here.
            wanted["value"] = do.change.after["value"]
        body = self.body(wanted, str(do.change.after.get("description") or ""), hidden)
        # Without the filter it might take another scope's.
        body["filter"] = {"environment_scope": scope}
        try:
            do.api.send("PUT", f"{do.base}/{self.path}/{enc(key)}", body)
        except ApiError as error:
            if error.status == 400 and "value is invalid" in error.text:
                hint = "it is masked, and GitLab cannot mask this value: give masked: false, or a value of 8 characters"
                raise AdapterError(error.sentence, hint) from None
            raise

    def delete(self, do: Do) -> None:
        key, scope = _parts(do.name)
        do.api.drop(f"{do.base}/{self.path}/{enc(key)}", **_filter(scope))


def _filter(scope: str) -> dict[str, str]:
    return {"filter[environment_scope]": scope}


def _variable(key: str, scope: str) -> str:
    return key if scope == "*" else f"{key} ({scope})"


def _parts(name: str) -> tuple[str, str]:
    key, space, scope = name.partition(" ")
    return (key, scope[1:-1]) if space else (key, "*")


EVENTS = (
    "push", "tag_push", "merge_requests", "issues", "confidential_issues", "note", "confidential_note", "pipeline",
    "wiki_page", "deployment", "feature_flag", "job", "releases", "milestone", "emoji", "resource_access_token",
)  # fmt: skip


class Hooks(Section):
    option = "hooks"
    word = "webhook"
    path = "hooks"
    kinds = ("project", "group")
    premium_kinds = ("group",)
    unordered = frozenset({"events"})
    names: Mapping[str, str] = {
        "name": "name",
        "verify": "enable_ssl_verification",
        "branches": "push_events_branch_filter",
    }
    spec: Mapping[str, Any] = {
        "url": {"type": "str", "required": True},
        "name": {"type": "str"},
        "description": {"type": "str"},
        "events": {"type": "list", "elements": "str", "choices": list(EVENTS), "default": ["push"]},
        "branches": {"type": "str"},
        "verify": {"type": "bool", "default": True},
        "token": {"type": "str", "no_log": True},
        "state": STATE,
    }

    def name(self, item: Item) -> str:
        return str(item["url"])

    def fields(self, item: Item) -> dict[str, Any]:
        names = ("name", "description", "branches", "verify", "token")
        return {"events": sorted(set(item["events"])), **{name: item[name] for name in names if name in item}}

    def row_name(self, row: Mapping[str, Any]) -> str:
        return str(row["url"])

    def row_fields(self, row: Row) -> dict[str, Any]:
        description, mark = fingerprint.split(row.data.get("description"))
        fields: dict[str, Any] = {
            "events": sorted(name for name in EVENTS if row.data.get(f"{name}_events")),
            "description": description,
            "token": fingerprint.stands_for(mark, row.wanted, "token"),
        }
        for name, sent in self.names.items():
            fields[name] = row.data.get(sent) if row.data.get(sent) is not None else ""
        return fields

    def body(self, fields: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {sent: fields[name] for name, sent in self.names.items() if name in fields}
        if "events" in fields:
            body.update({f"{name}_events": name in fields["events"] for name in EVENTS})
        if "token" in fields or "description" in fields:
            description = str(after.get("description") or "")
            token = after.get("token")
            body["description"] = fingerprint.joined(description, token) if token else description
            if token:
                body["token"] = bare(token)
        return body

    def create(self, do: Do) -> None:
        body = {"url": do.name, **self.body(do.change.after, do.change.after)}
        do.api.send("POST", f"{do.base}/{self.path}", body)

    def update(self, do: Do) -> None:
        body = {"url": do.name, **self.body(changed(do.change), do.change.after)}
        do.api.send("PUT", f"{do.base}/{self.path}/{number(do.change)}", body)


class DeployKeys(Section):
    option = "deploy_keys"
    word = "deploy key"
    path = "deploy_keys"
    spec: Mapping[str, Any] = {
        "title": {"type": "str", "required": True},
        "key": {"type": "str", "required": True, "no_log": False},
        "can_push": {"type": "bool", "default": False},
        "state": STATE,
    }

    def name(self, item: Item) -> str:
        return digest(str(item["key"]))

    def label(self, item: Item) -> str:
        return str(item["title"])

    def fields(self, item: Item) -> dict[str, Any]:
        return {"title": item["title"], "can_push": item["can_push"], "key": " ".join(str(item["key"]).split()[:2])}

    def problems(self, asked: Asked) -> Iterable[str]:
        if not digest(str(asked.item["key"])).startswith("SHA256:"):
            yield "key is no public key in OpenSSH's format (ssh-ed25519 AAAA... comment)"

    def row_name(self, row: Mapping[str, Any]) -> str:
        return digest(str(row["key"]))

    def row_fields(self, row: Row) -> dict[str, Any]:
        key = " ".join(str(row.data["key"]).split()[:2])
        return {"title": row.data["title"], "can_push": bool(row.data.get("can_push")), "key": key}

    def create(self, do: Do) -> None:
        body = {name: do.change.after[name] for name in ("title", "key", "can_push")}
        path = f"{do.base}/{self.path}"
        try:
            do.api.send("POST", path, body)
        except ApiError as error:
            if error.status != 400 or "fingerprint" not in error.text:
                raise
            # Known to the instance in a project that this token's user is not in.
            known = self._known(do.site, do.name, error)
            do.api.send("POST", f"{path}/{known}/enable")
            do.api.send("PUT", f"{path}/{known}", {"title": body["title"], "can_push": body["can_push"]})

    def _known(self, site: Site, name: str, error: ApiError) -> int:
        hint = (
            "the key is used in a project that the token's user may not see: an administrator's token can enable it, "
            "or make a key pair for this project alone"
        )
        try:
            rows = site.api.all("/deploy_keys")
        except ApiError:
            raise AdapterError(error.sentence, hint) from None
        for row in rows:
            if self.row_name(row) == name:
                return int(row["id"])
        raise AdapterError(error.sentence, hint)

    def update(self, do: Do) -> None:
        wanted = changed(do.change)
        do.api.send("PUT", f"{do.base}/{self.path}/{number(do.change)}", wanted)


def digest(key: str) -> str:
    """What tells keys apart, whatever their comment says."""
    parts = key.split()
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (IndexError, ValueError, binascii.Error):
        return key
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
