# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Protected branches and tags, environments and who may deploy to them, freeze periods, push rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .._objects import Step, UncertainError
from .._wait import Waiting
from .client import enc
from .errors import ApiError
from .people import ROLES, access_problem, only_roles
from .section import STATE, Asked, Do, Item, Row, Section, Site, Where, changed, number

WHO = {"type": "list", "elements": "str"}
BRANCH_LISTS = ("push", "merge", "unprotect")
TIERS = ["production", "staging", "testing", "development", "other"]


def listed_problems(item: Item, names: Iterable[str], roles: Iterable[str]) -> Iterable[str]:
    for name in names:
        for entry in item.get(name) or ():
            problem = access_problem(entry, roles)
            if problem:
                yield f"{name}: {problem}"


def again(step: Step, what: str, make: Callable[[], Any]) -> Any:
    """Make it, and go on trying: what stood in its place was just removed, and nothing guards it meanwhile."""

    def attempt() -> Any:
        try:
            return make()
        except UncertainError as error:
            return Waiting(error.sentence)
        except ApiError as error:
            # The answer to an earlier attempt was lost; what is there is read back.
            if error.status == 409:
                return True
            raise

    return step.wait_for(what, attempt)


class ProtectedBranches(Section):
    option = "protected_branches"
    word = "protected branch"
    path = "protected_branches"
    unordered = frozenset(BRANCH_LISTS)
    spec: Mapping[str, Any] = {
        "name": {"type": "str", "required": True},
        "push": WHO,
        "merge": WHO,
        "unprotect": WHO,
        "force_push": {"type": "bool"},
        "code_owner_approval": {"type": "bool"},
        "state": STATE,
    }

    def entries(self, item: Item) -> list[str]:
        return [entry for name in BRANCH_LISTS for entry in item.get(name) or ()]

    def problems(self, asked: Asked) -> Iterable[str]:
        yield from listed_problems(asked.item, ("push", "merge"), ROLES)
        yield from listed_problems(asked.item, ("unprotect",), ("maintainers", "admins"))

    def premium(self, asked: Asked) -> str:
        if asked.item.get("unprotect") or "code_owner_approval" in asked.item:
            return "unprotect or code_owner_approval of a protected branch"
        for name in ("push", "merge"):
            entries = asked.item.get(name) or []
            if len(entries) > 1 or not only_roles(entries):
                return "a protected branch with users, groups or several roles"
        return ""

    def row_fields(self, row: Row) -> dict[str, Any]:
        fields: dict[str, Any] = {"force_push": bool(row.data.get("allow_force_push"))}
        for name in BRANCH_LISTS:
            fields[name] = sorted(
                {row.site.people.entry(entry) for entry in row.data.get(f"{name}_access_levels") or ()}
            )
        if row.data.get("code_owner_approval_required") is not None:
            fields["code_owner_approval"] = row.data["code_owner_approval_required"]
        return fields

    def ours(self, row: Row) -> bool:
        # What a group protects is not the project's to remove.
        return not row.data.get("inherited")

    def body(self, site: Site, name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {"name": name, **_plain(fields)}
        for kind in BRANCH_LISTS:
            entries = fields.get(kind)
            if entries is None:
                continue
            if len(entries) == 1 and only_roles(entries):
                body[f"{kind}_access_level"] = ROLES[entries[0]]
            elif entries:
                body[f"allowed_to_{kind}"] = [site.people.who(entry) for entry in entries]
            elif kind != "unprotect":
                body[f"{kind}_access_level"] = ROLES["nobody"]
        return body

    def create(self, do: Do) -> None:
        try:
            do.api.send("POST", f"{do.base}/{self.path}", self.body(do.site, do.name, do.change.after))
        except ApiError as error:
            if error.status == 409:
                # GitLab protects a new project's default branch by itself; look at it, then do.change it.
                raise UncertainError(error.sentence) from None
            raise

    def update(self, do: Do) -> None:
        path = f"{do.base}/{self.path}/{enc(do.name)}"
        wanted = changed(do.change)
        body = _plain(wanted)
        lists = [name for name in BRANCH_LISTS if name in wanted]
        if lists and not do.api.metadata.get("enterprise"):
            # The free edition changes who may only by protecting the branch anew.
            do.api.drop(path)
            body = self.body(
                do.site, do.name, {k: v for k, v in do.change.after.items() if k in ("force_push", *lists)}
            )
            for kind in ("push", "merge"):
                entries = do.change.after.get(kind) or ["nobody"]
                body[f"{kind}_access_level"] = ROLES[entries[0]]
            again(do.step, "protecting it anew", lambda: do.api.send("POST", f"{do.base}/{self.path}", body))
            return
        if lists:
            row = do.api.get(path)
            for kind in lists:
                body[f"allowed_to_{kind}"] = do.site.people.difference(
                    wanted[kind] or ["nobody"] if kind != "unprotect" else wanted[kind],
                    row.get(f"{kind}_access_levels") or [],
                )
        do.api.send("PATCH", path, body)

    def delete(self, do: Do) -> None:
        do.api.drop(f"{do.base}/{self.path}/{enc(do.name)}")


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    names: Mapping[str, str] = {"force_push": "allow_force_push", "code_owner_approval": "code_owner_approval_required"}
    return {sent: fields[name] for name, sent in names.items() if name in fields}


class ProtectedTags(Section):
    option = "protected_tags"
    word = "protected tag"
    path = "protected_tags"
    unordered = frozenset({"create"})
    spec: Mapping[str, Any] = {"name": {"type": "str", "required": True}, "create": WHO, "state": STATE}

    def entries(self, item: Item) -> list[str]:
        return list(item.get("create") or ())

    def problems(self, asked: Asked) -> Iterable[str]:
        return listed_problems(asked.item, ("create",), ROLES)

    def premium(self, asked: Asked) -> str:
        entries = asked.item.get("create") or []
        return "" if len(entries) < 2 and only_roles(entries) else "a protected tag with users, groups or several roles"

    def row_fields(self, row: Row) -> dict[str, Any]:
        return {
            "create": sorted({row.site.people.entry(entry) for entry in row.data.get("create_access_levels") or ()})
        }

    def body(self, do: Do) -> dict[str, Any]:
        body: dict[str, Any] = {"name": do.name}
        entries = do.change.after.get("create")
        if entries is None:
            return body
        if len(entries) < 2 and only_roles(entries):
            return {**body, "create_access_level": ROLES[entries[0] if entries else "nobody"]}
        return {**body, "allowed_to_create": [do.site.people.who(entry) for entry in entries]}

    def create(self, do: Do) -> None:
        do.api.send("POST", f"{do.base}/{self.path}", self.body(do))

    def update(self, do: Do) -> None:
        # The API has no update. The body comes first: it asks for names, and that may fail.
        body = self.body(do)
        do.api.drop(f"{do.base}/{self.path}/{enc(do.name)}")
        again(do.step, "protecting it anew", lambda: do.api.send("POST", f"{do.base}/{self.path}", body))

    def delete(self, do: Do) -> None:
        do.api.drop(f"{do.base}/{self.path}/{enc(do.name)}")


class Environments(Section):
    option = "environments"
    word = "environment"
    path = "environments"
    names: Mapping[str, str] = {"tier": "tier", "url": "external_url", "description": "description"}
    spec: Mapping[str, Any] = {
        "name": {"type": "str", "required": True},
        "tier": {"type": "str", "choices": TIERS},
        "url": {"type": "str"},
        "description": {"type": "str"},
        "deploy": WHO,
        "approvals": {"type": "dict"},
        "state": STATE,
    }

    def fields(self, item: Item) -> dict[str, Any]:
        return {name: item[name] for name in self.names if name in item}

    def row_fields(self, row: Row) -> dict[str, Any]:
        return {name: row.data.get(sent) or "" for name, sent in self.names.items()}

    def rows(self, site: Site, where: Where) -> list[dict[str, Any]]:
        rows = super().rows(site, where)
        return [row for row in rows if row.get("state") != "stopped"] if len(rows) > 1000 else rows

    def create(self, do: Do) -> None:
        body = {sent: do.change.after[name] for name, sent in self.names.items() if name in do.change.after}
        do.api.send("POST", f"{do.base}/{self.path}", {"name": do.name, **body})

    def update(self, do: Do) -> None:
        wanted = changed(do.change)
        body = {sent: wanted[name] for name, sent in self.names.items() if name in wanted}
        do.api.send("PUT", f"{do.base}/{self.path}/{number(do.change)}", body)

    def delete(self, do: Do) -> None:
        # Only a stopped one can be deleted; stopping runs its stop job.
        path = f"{do.base}/{self.path}/{number(do.change)}"
        do.api.send("POST", f"{path}/stop")
        do.api.drop(path)


class ProtectedEnvironments(Section):
    option = "environment_protections"
    word = "protection of environment"
    path = "protected_environments"
    premium_kinds = ("project",)
    unordered = frozenset({"deploy"})
    exact = frozenset({"approvals"})
    roles = ("developers", "maintainers", "admins")

    def items(self, given: Item) -> Sequence[Item] | None:
        environments = given.get("environments")
        if environments is None:
            return None
        return [item for item in environments if "deploy" in item or "approvals" in item]

    def fields(self, item: Item) -> dict[str, Any]:
        fields: dict[str, Any] = {"deploy": list(item.get("deploy") or ["maintainers"])}
        if "approvals" in item:
            fields["approvals"] = {str(who): int(count) for who, count in item["approvals"].items()}
        return fields

    def entries(self, item: Item) -> list[str]:
        return [*(item.get("deploy") or ()), *(item.get("approvals") or ())]

    def needs(self, asked: Asked) -> list[str]:
        return [f"{asked.where.key}: {Environments.word} {asked.item['name']}"]

    def problems(self, asked: Asked) -> Iterable[str]:
        yield from listed_problems(asked.item, ("deploy", "approvals"), self.roles)
        for who, count in (asked.item.get("approvals") or {}).items():
            if not str(count).isdigit() or int(count) < 1:
                yield f"approvals: {who} is {count!r}, wanted is how many of them, 1 or more"

    def row_fields(self, row: Row) -> dict[str, Any]:
        entry = row.site.people.entry
        rules = row.data.get("approval_rules") or ()
        return {
            "deploy": sorted({entry(level) for level in row.data.get("deploy_access_levels") or ()}),
            "approvals": {entry(rule): int(rule.get("required_approvals") or 0) for rule in rules},
        }

    def create(self, do: Do) -> None:
        body: dict[str, Any] = {
            "name": do.name,
            "deploy_access_levels": [do.site.people.who(entry) for entry in do.change.after["deploy"]],
        }
        if do.change.after.get("approvals"):
            body["approval_rules"] = [
                {**do.site.people.who(who), "required_approvals": count}
                for who, count in do.change.after["approvals"].items()
            ]
        do.api.send("POST", f"{do.base}/{self.path}", body)

    def update(self, do: Do) -> None:
        path = f"{do.base}/{self.path}/{enc(do.name)}"
        wanted = changed(do.change)
        row = do.api.get(path)
        body: dict[str, Any] = {"name": do.name}
        if "deploy" in wanted:
            body["deploy_access_levels"] = do.site.people.difference(wanted["deploy"], row["deploy_access_levels"])
        if "approvals" in wanted:
            body["approval_rules"] = self.rules(do.site, wanted["approvals"], row.get("approval_rules") or [])
        do.api.send("PUT", path, body)

    def rules(self, site: Site, wanted: Mapping[str, int], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        rules = site.people.difference(list(wanted), rows)
        for rule in rules:
            if not rule.get("_destroy"):
                rule["required_approvals"] = next(
                    count for who, count in wanted.items() if site.people.who(who).items() <= rule.items()
                )
        there = {site.people.entry(row): row for row in rows}
        for who, count in wanted.items():
            if who in there and int(there[who].get("required_approvals") or 0) != count:
                rules.append({"id": there[who]["id"], **site.people.who(who), "required_approvals": count})
        return rules

    def delete(self, do: Do) -> None:
        do.api.drop(f"{do.base}/{self.path}/{enc(do.name)}")


class FreezePeriods(Section):
    option = "freeze_periods"
    word = "freeze period"
    path = "freeze_periods"
    spec: Mapping[str, Any] = {
        "start": {"type": "str", "required": True},
        "end": {"type": "str", "required": True},
        "timezone": {"type": "str", "default": "UTC"},
        "state": STATE,
    }

    def name(self, item: Item) -> str:
        return f"{item['start']} to {item['end']} ({item['timezone']})"

    def fields(self, item: Item) -> dict[str, Any]:
        return {"start": item["start"], "end": item["end"], "timezone": item["timezone"]}

    def problems(self, asked: Asked) -> Iterable[str]:
        for name in ("start", "end"):
            if len(str(asked.item[name]).split()) != 5:
                yield f"{name} is {asked.item[name]!r}, wanted is a cron expression with five fields"

    def row_name(self, row: Mapping[str, Any]) -> str:
        return f"{row['freeze_start']} to {row['freeze_end']} ({row['cron_timezone']})"

    def row_fields(self, row: Row) -> dict[str, Any]:
        return {"start": row.data["freeze_start"], "end": row.data["freeze_end"], "timezone": row.data["cron_timezone"]}

    def create(self, do: Do) -> None:
        after = do.change.after
        body = {"freeze_start": after["start"], "freeze_end": after["end"], "cron_timezone": after["timezone"]}
        do.api.send("POST", f"{do.base}/{self.path}", body)


RULES: dict[str, str] = {
    "commit_message": "commit_message_regex",
    "commit_message_not": "commit_message_negative_regex",
    "branch_name": "branch_name_regex",
    "author_email": "author_email_regex",
    "file_name_not": "file_name_regex",
    "max_file_size": "max_file_size",
    "deny_delete_tag": "deny_delete_tag",
    "member_check": "member_check",
    "prevent_secrets": "prevent_secrets",
    "commit_committer_check": "commit_committer_check",
    "reject_unsigned_commits": "reject_unsigned_commits",
    "reject_non_dco_commits": "reject_non_dco_commits",
}
_TEXTS = ("commit_message", "commit_message_not", "branch_name", "author_email", "file_name_not")


class PushRule(Section):
    option = "push_rule"
    word = "push rule"
    path = "push_rule"
    kinds = ("project", "group")
    premium_kinds = ("project", "group")
    spec: Mapping[str, Any] = {
        **{name: {"type": "str" if name in _TEXTS else "int" if name == "max_file_size" else "bool"} for name in RULES},
        "state": STATE,
    }

    def items(self, given: Item) -> Sequence[Item] | None:
        return [given[self.option]] if self.option in given else None

    def name(self, item: Item) -> str:
        del item
        return ""

    def problems(self, asked: Asked) -> Iterable[str]:
        if asked.item["state"] == "present" and not self.fields(asked.item):
            yield "no rule is given; give at least one, or state: absent"

    def rows(self, site: Site, where: Where) -> list[dict[str, Any]]:
        row = site.api.get(f"{where.base}/{self.path}")
        return [row] if row else []

    def row_name(self, row: Mapping[str, Any]) -> str:
        del row
        return ""

    def row_fields(self, row: Row) -> dict[str, Any]:
        return {
            name: row.data[sent] if row.data[sent] is not None else ""
            for name, sent in RULES.items()
            if sent in row.data
        }

    def create(self, do: Do) -> None:
        body = {sent: do.change.after[name] for name, sent in RULES.items() if name in do.change.after}
        do.api.send("POST", f"{do.base}/{self.path}", body)

    def update(self, do: Do) -> None:
        wanted = changed(do.change)
        body = {sent: wanted[name] for name, sent in RULES.items() if name in wanted}
        do.api.send("PUT", f"{do.base}/{self.path}", body)

    def delete(self, do: Do) -> None:
        do.api.drop(f"{do.base}/{self.path}")
