# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Groups and projects themselves."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._objects import Action, AdapterError, Change, Current, Desired, Step, TransientError
from .._values import ABSENT
from .client import Api, enc
from .errors import ApiError
from .section import Site, Where, changed

GROUP, PROJECT, INSTANCE = "group", "project", "instance"
VISIBILITY = ["private", "internal", "public"]
_COMMON = ("name", "description", "visibility")
FIELDS = {GROUP: _COMMON, PROJECT: (*_COMMON, "default_branch", "topics", "archived")}
# What the API takes under one name and tells under another.
_ALIAS = {"container_expiration_policy_attributes": "container_expiration_policy"}
# For fewer projects of a group than this, asking for each is less than asking for the list.
LIST_FROM = 4
# How often a name that is said to be taken is asked for again: what was removed gives it back after a while.
TAKEN_TRIES = 4
DELETION = "marked_for_deletion"


def fields_of(kind: str, item: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: item[name] for name in FIELDS[kind] if name in item}
    if "topics" in fields:
        fields["topics"] = sorted(set(fields["topics"]))
    if item.get("settings"):
        fields["settings"] = dict(item["settings"])
    return {**fields, DELETION: ABSENT}


def parent(path: str) -> str:
    return path.rpartition("/")[0]


class Containers:
    """Reads and writes them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.rows: dict[Where, dict[str, Any]] = {}
        self.findings: list[str] = []

    @property
    def api(self) -> Api:
        return self.site.api

    def read(self, wanted: Mapping[Where, Desired]) -> Iterable[tuple[Where, Current]]:
        self.findings = []
        groups = [where for where in wanted if where.kind == GROUP]
        projects = [where for where in wanted if where.kind == PROJECT]
        rows: dict[Where, dict[str, Any] | None] = dict(zip(groups, self.api.each(self._group, groups), strict=True))
        rows.update(self._projects(projects))
        for where, row in rows.items():
            self.rows.pop(where, None)
            if row is None:
                continue
            if where.kind == GROUP:
                self.site.people.know("group", where.path, int(row["id"]))
            marked = str(row.get("marked_for_deletion_on") or "")
            if marked and not wanted[where].present:
                continue
            self.rows[where] = row
            yield where, Current("", self._fields(where, row, wanted[where]), {"id": row["id"]})

    def _group(self, where: Where) -> dict[str, Any] | None:
        return self._moved(where, self.api.find(where.base, with_projects="false"), "full_path")

    def _project(self, where: Where) -> dict[str, Any] | None:
        return self._moved(where, self.api.find(where.base), "path_with_namespace")

    def _moved(self, where: Where, row: dict[str, Any] | None, field: str) -> dict[str, Any] | None:
        """The API follows a project's old path; under it, nothing can be written."""
        if row is not None and str(row[field]).lower() != where.path.lower():
            self.findings.append(f"{where.key}: it was moved to {row[field]}; name it by that path")
        return row

    def _projects(self, wanted: Sequence[Where]) -> dict[Where, dict[str, Any] | None]:
        tops: dict[str, list[Where]] = {}
        for where in wanted:
            tops.setdefault(where.path.partition("/")[0], []).append(where)
        found: dict[str, dict[str, Any]] = {}
        for mine in tops.values():
            if len(mine) >= LIST_FROM:
                found.update(self._listed(mine))
        left = [where for where in wanted if where.path.lower() not in found]
        rows: dict[Where, dict[str, Any] | None] = dict(zip(left, self.api.each(self._project, left), strict=True))
        return {where: found.get(where.path.lower()) or rows.get(where) for where in wanted}

    def _listed(self, wanted: Sequence[Where]) -> dict[str, dict[str, Any]]:
        """Those in the group that holds all of them, unless it holds so many others that asking for each is cheaper."""
        above = _common([where.path for where in wanted])
        found: dict[str, dict[str, Any]] = {}
        try:
            for rows, pages in self.api.pages(f"/groups/{enc(above)}/projects", include_subgroups="true"):
                found.update({str(row["path_with_namespace"]).lower(): row for row in rows})
                if pages and pages > len(wanted):
                    break
        except ApiError as error:
            if error.status != 404:
                raise
        return found

    def _fields(self, where: Where, row: Mapping[str, Any], wanted: Desired) -> dict[str, Any]:
        fields: dict[str, Any] = {name: row[name] for name in FIELDS[where.kind] if name in row}
        for name in ("description", "default_branch"):
            if name in fields:
                fields[name] = fields[name] or ""
        if "topics" in fields:
            fields["topics"] = sorted(fields["topics"])
        asked = wanted.fields.get("settings") or {}
        fields["settings"] = {name: row[_ALIAS.get(name, name)] for name in asked if _ALIAS.get(name, name) in row}
        if row.get("marked_for_deletion_on"):
            fields[DELETION] = str(row["marked_for_deletion_on"])
        return fields

    def check(self, wanted: Mapping[Where, Desired]) -> Iterable[str]:
        yield from self.findings
        for where, desired in wanted.items():
            above = parent(where.path)
            new = desired.present and where not in self.rows
            if new and above and Where(GROUP, above) not in wanted and self._nobody(above, where.kind):
                yield f"{where.key}: there is no group {above} to make it in; name it in groups too"
            yield from self._settings(where, desired)

    def _nobody(self, path: str, kind: str) -> bool:
        """Whether neither a group nor, for projects, a user has this path."""
        where = f"/groups/{enc(path)}" if kind == GROUP else f"/namespaces/{enc(path)}"
        return self.api.find(where) is None

    def _settings(self, where: Where, desired: Desired) -> Iterable[str]:
        """The API ignores what it does not know without a word."""
        asked = desired.fields.get("settings") or {}
        row = self.rows.get(where)
        exists = _attributes(where.kind) if asked else set()
        told = set(row) if row else exists
        for name in asked:
            if _ALIAS.get(name, name) in told or (row is None and name in exists):
                continue
            meant = "this server's edition or version does not have it (it may need GitLab Premium)"
            if name not in exists:
                near = difflib.get_close_matches(name, sorted(told | exists), 1)
                meant = f"did you mean {near[0]}?" if near else "correct its name, or leave it out"
            yield f"{where.key}: settings has {name}, which the server does not tell of and would ignore; {meant}"

    def write(self, where: Where, change: Change, step: Step) -> None:
        if change.action is Action.DELETE:
            self.api.drop(where.base)
            step.note("marked for deletion; GitLab removes it after the delay that its settings say")
        elif change.current is None:
            self._create(where, change, step)
        else:
            self._update(where, change)

    def _create(self, where: Where, change: Change, step: Step) -> None:
        body = self._body(change.after)
        body["path"] = where.path.rpartition("/")[2]
        body.setdefault("name", body["path"])
        above = parent(where.path)
        archived = body.pop("archived", False)
        if above:
            number = self._namespace(where.kind, above)
            body["parent_id" if where.kind == GROUP else "namespace_id"] = number
        elif where.kind == PROJECT:
            raise AdapterError("a project lies in a group or in a user's namespace", "write its path as group/project")
        if where.kind == PROJECT and "default_branch" in body:
            # Only a first commit makes the branch.
            body["initialize_with_readme"] = True
        try:
            row = self.api.send("POST", f"/{where.kind}s", body)
        except ApiError as error:
            if "has already been taken" in error.text and step.attempt < TAKEN_TRIES:
                raise TransientError(
                    error.sentence, "what was removed keeps its path until GitLab has deleted it"
                ) from None
            raise
        if where.kind == GROUP:
            self.site.people.know("group", where.path, int(row["id"]))
        if archived:
            self.api.send("POST", f"{where.base}/archive")

    def _namespace(self, kind: str, path: str) -> int:
        known = self.site.people.known("group", path)
        if known:
            return known
        if kind == GROUP:
            return self.site.people.id("group", path)
        return int(self.api.get(f"/namespaces/{enc(path)}")["id"])

    def _update(self, where: Where, change: Change) -> None:
        wanted = changed(change)
        if DELETION in wanted:
            self.api.send("POST", f"{where.base}/restore")
        wanted.pop(DELETION, None)
        archived = wanted.pop("archived", None)
        if archived is False:
            self.api.send("POST", f"{where.base}/unarchive")
        if "settings" in wanted:
            names = {path.split(".")[1] for path in change.paths if path.startswith("settings.")}
            wanted["settings"] = {name: wanted["settings"][name] for name in names}
        if wanted:
            self.api.send("PUT", where.base, self._body(wanted))
        if archived:
            self.api.send("POST", f"{where.base}/archive")

    def _body(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        body = {name: value for name, value in fields.items() if name not in ("settings", DELETION)}
        return {**body, **(fields.get("settings") or {})}


def _common(paths: Sequence[str]) -> str:
    """The group that all of these lie in."""
    parts = [parent(path).split("/") for path in paths]
    common: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return "/".join(common)


def _attributes(kind: str) -> set[str]:
    """What python-gitlab knows of; a new object has no row yet that could tell."""
    from gitlab.v4 import objects

    manager: Any = objects.GroupManager if kind == GROUP else objects.ProjectManager
    names: set[str] = set()
    for attributes in (manager._create_attrs, manager._update_attrs):
        names.update(attributes.required, attributes.optional)
    return names | set(_EXTRA)


# Newer than the library's lists.
_EXTRA = (
    "ci_pipeline_variables_minimum_override_role", "ci_delete_pipelines_in_seconds", "public_jobs",
    "merge_request_title_regex", "protect_merge_request_pipelines",
)  # fmt: skip
