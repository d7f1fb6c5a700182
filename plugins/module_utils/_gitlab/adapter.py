# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A task's groups and projects, with all that belongs to them, as one set of the engine."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._apply import Result
from .._diff import FieldChange
from .._objects import AdapterError, Change, Current, Desired, DesiredError, Plan, Reader, Step, Writer
from .._secrets.adapter import SPEC
from .._values import Unknown
from . import ci, instance, refs, tokens
from .client import MISSING, Api
from .containers import GROUP, INSTANCE, PROJECT, VISIBILITY, Containers, fields_of, parent
from .errors import ApiError
from .options import connection_of, connection_spec
from .people import People, named
from .section import STATE, Asked, Do, Item, Ref, Section, Site, Where

SECTIONS: tuple[Section, ...] = (
    instance.Users(),
    instance.Settings(),
    ci.Members(),
    refs.ProtectedBranches(),
    refs.ProtectedTags(),
    refs.Environments(),
    refs.ProtectedEnvironments(),
    refs.FreezePeriods(),
    refs.PushRule(),
    ci.Variables(),
    ci.Hooks(),
    ci.DeployKeys(),
    tokens.DeployTokens(),
    tokens.Runners(),
)
BY_OPTION = {section.option: section for section in SECTIONS}
PRUNABLE = [section.option for section in SECTIONS if section.option not in ("push_rule", "users", "settings")]
_PATH = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*(/[A-Za-z0-9_.][A-Za-z0-9_.-]*)*\Z")


def spec() -> dict[str, Any]:
    return {
        **connection_spec(),
        "groups": {"type": "list", "elements": "dict", "default": [], "options": _options(GROUP)},
        "projects": {"type": "list", "elements": "dict", "default": [], "options": _options(PROJECT)},
        "users": {"type": "list", "elements": "dict", "options": dict(BY_OPTION["users"].spec)},
        "settings": {"type": "dict"},
        "runners": {"type": "list", "elements": "dict", "options": dict(BY_OPTION["runners"].spec)},
        "prune": {"type": "list", "elements": "str", "choices": PRUNABLE, "default": []},
        **SPEC,
    }


def _options(kind: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "path": {"type": "str", "required": True},
        "name": {"type": "str"},
        "description": {"type": "str"},
        "visibility": {"type": "str", "choices": VISIBILITY},
        "settings": {"type": "dict"},
        "state": STATE,
    }
    if kind == PROJECT:
        options["default_branch"] = {"type": "str"}
        options["topics"] = {"type": "list", "elements": "str"}
        options["archived"] = {"type": "bool"}
    for section in SECTIONS:
        if kind in section.kinds and section.spec:
            one = section.option == "push_rule"
            type_ = {"type": "dict"} if one else {"type": "list", "elements": "dict"}
            # Keys and tokens are named here, their secrets are not.
            options[section.option] = {**type_, "no_log": False, "options": dict(section.spec)}
    return options


@dataclass
class Wanted:
    """The set, and what its keys stand for."""

    desired: list[Desired]
    refs: dict[str, Ref]
    managed: set[tuple[Where, str]]
    """Sections that the task says something of: only in them anything is pruned."""
    premium: dict[str, list[str]]


def wanted(parameters: Mapping[str, Any]) -> Wanted:
    """The whole set; every contradiction in it is said at once."""
    made = Wanted([], {}, set(), {})
    problems: list[str] = []
    later: list[tuple[str, Section, Item, Where]] = []
    given = [(Where(kind, item["path"].strip("/")), item) for kind, item in _containers(parameters)]
    groups = {where.path.lower() for where, item in given if where.kind == GROUP and item["state"] == "present"}
    for where, item in given:
        if where.kind != INSTANCE:
            if not _PATH.match(where.path):
                problems.append(f"{where.key}: this is no path; write it as in the address, without the server")
            above = parent(where.path)
            needs = frozenset({Where(GROUP, above).key} if above.lower() in groups else ())
            present = item["state"] == "present"
            fields = fields_of(where.kind, item) if present else {}
            made.desired.append(Desired(where.key, fields, needs, present=present))
            made.refs[where.key] = Ref(where)
            if not present:
                continue
        for section in SECTIONS:
            items = section.items(item) if where.kind in section.kinds else None
            if items is None:
                continue
            made.managed.add((where, section.option))
            for one in items:
                problems += [f"{_key(section, where, one)}: {text}" for text in section.problems(Asked(where, one))]
                later.append((_key(section, where, one), section, one, where))
    keys = {desired.key for desired in made.desired} | {key for key, *_unused in later}
    for key, section, one, where in later:
        present = one["state"] != "absent"
        made.desired.append(_desired(key, section, one, where, keys) if present else Desired(key, present=False))
        made.refs[key] = Ref(where, section.option, section.name(one))
        missing = section.premium(Asked(where, one)) if present else ""
        if missing:
            made.premium.setdefault(missing, []).append(where.key)
    problems += _kept_twice(made)
    if problems:
        raise DesiredError(problems)
    return made


def _containers(parameters: Mapping[str, Any]) -> Iterator[tuple[str, Item]]:
    for kind in (GROUP, PROJECT):
        for item in parameters[f"{kind}s"]:
            yield kind, item
    whole = {name: parameters[name] for name in ("users", "settings", "runners") if name in parameters}
    if whole:
        yield INSTANCE, {"path": "", "state": "present", **whole}


def _key(section: Section, where: Where, item: Item) -> str:
    return section.key(where, section.label(item))


def _desired(key: str, section: Section, item: Item, where: Where, keys: set[str]) -> Desired:
    needs = set() if where.kind == INSTANCE else {where.key}
    needs.update(section.needs(Asked(where, item)))
    entries = section.entries(item)
    needs.update(f"{INSTANCE}: {BY_OPTION['users'].word} {user}" for user in named(entries, "user"))
    if section.option == "members":
        entries = []
    needs.update(Where(GROUP, path).key for path in named(entries, "group"))
    # Only a member can be let in.
    homes = [where, *(Where(GROUP, "/".join(where.path.split("/")[:n])) for n in range(1, where.path.count("/") + 1))]
    needs.update(f"{home.key}: member {user}" for user in named(entries, "user") for home in homes)
    return Desired(key, section.fields(item), frozenset(needs & keys))


def _kept_twice(made: Wanted) -> Iterator[str]:
    places: dict[str, str] = {}
    for desired in made.desired:
        ref = made.refs[desired.key]
        section = BY_OPTION.get(ref.section)
        if not isinstance(section, tokens.Kept) or not desired.present:
            continue
        path = section.kept_at(ref.where, ref.name, desired.fields.get("keep"))
        if path in places:
            yield f"{desired.key}: its token would be kept as secret {path}, like that of {places[path]}; set keep"
        places[path] = desired.key


class Configuration:
    """One task: what it wants, and the connection that reader and writers share."""

    def __init__(self) -> None:
        self._wanted: Wanted | None = None
        self._reader: GitLabReader | None = None

    def desired(self, parameters: Mapping[str, Any]) -> list[Desired]:
        self._wanted = wanted(parameters)
        if self._reader is not None:
            self._reader.wanted = self._wanted
        return self._wanted.desired

    def reader(self, parameters: Mapping[str, Any]) -> GitLabReader:
        api = Api(connection_of(parameters), float(parameters.get("deadline") or 600.0))
        ahead = isinstance(parameters["api_token"], Unknown)
        site = Site(api, People(api), tokens.Tokens(parameters), frozenset(parameters.get("prune") or ()), ahead)
        self._reader = GitLabReader(site, self._wanted or Wanted([], {}, set(), {}))
        return self._reader

    def writer(self, parameters: Mapping[str, Any]) -> Writer:
        return GitLabWriter(self._reader or self.reader(parameters))

    def more(self, plan: Plan, result: Result | None) -> dict[str, Any]:
        """Ids and addresses, for later tasks."""
        del plan, result
        rows = self._reader.containers.rows.items() if self._reader else ()
        told: dict[str, Any] = {"groups": {}, "projects": {}}
        for where, row in rows:
            told[f"{where.kind}s"][where.path] = {"id": row["id"], "web_url": row.get("web_url", "")}
        return told


class GitLabReader(Reader):
    kind = "GitLab"
    unordered = frozenset({"topics"}).union(*(section.unordered for section in SECTIONS))
    exact = frozenset().union(*(section.exact for section in SECTIONS))
    # What GitLab does in the background shows after a moment.
    settle = 5.0

    def __init__(self, site: Site, wanted: Wanted) -> None:
        self.site = site
        self.wanted = wanted
        self.containers = Containers(site)
        self.whole = True
        self.refused: dict[str, list[str]] = {}
        self._keys: dict[Ref, str] = {}
        self._lock = threading.Lock()

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        self.refused = {}
        if self.site.ahead:
            return []
        containers: dict[Where, Desired] = {}
        sections: dict[tuple[Where, str], dict[str, Desired]] = {}
        for item in desired:
            ref = self.wanted.refs[item.key]
            if ref.section:
                sections.setdefault((ref.where, ref.section), {})[ref.name] = item
            else:
                containers[ref.where] = item
        if self.whole:
            for where, option in self.wanted.managed:
                if option in self.site.prune:
                    sections.setdefault((where, option), {})
        self._learn(desired)
        found: list[Current] = []
        for where, current in self.containers.read(containers):
            found.append(replace(current, key=where.key))
        asked = [
            (where, option, named_)
            for (where, option), named_ in sections.items()
            if where not in containers or where in self.containers.rows
        ]
        for part in self.site.api.each(self._section, asked):
            found += part
        self.whole = False
        return found

    def _learn(self, desired: Sequence[Desired]) -> None:
        users: set[str] = set()
        groups: set[str] = set()
        for item in desired:
            ref = self.wanted.refs[item.key]
            if item.present and ref.section == "members":
                users.add(ref.name)
            for entry in _entries(item.fields):
                kind, _colon, name = entry.partition(":")
                (users if kind == "user" else groups).add(name)
        self.site.people.learn(users, groups)

    def _section(self, asked: tuple[Where, str, Mapping[str, Desired]]) -> list[Current]:
        where, option, names = asked
        section = BY_OPTION[option]
        try:
            if isinstance(section, instance.Users):
                rows = section.ask(self.site, names)
            else:
                rows = section.rows(self.site, where)
        except ApiError as error:
            if error.status in (403, 404) and section.premium(Asked(where, _NOTHING)):
                self.refused.setdefault(f"{section.word}: {error.sentence}", []).append(where.key)
                return []
            if error.status == 404 and not error.no_such_route:
                return []
            raise
        found = []
        pruned = option in self.site.prune
        lower = {name.lower(): name for name in names} if option == "members" else {name: name for name in names}
        for name, current in section.found(self.site, where, rows, names):
            known = lower.get(name.lower() if option == "members" else name)
            if known is None and not pruned:
                continue
            key = self._key_of(section, where, known or name, current)
            owned = current.owned and pruned
            found.append(replace(current, key=key, owned=owned, needs=self._needs(section, where, name)))
        return found

    def _key_of(self, section: Section, where: Where, name: str, current: Current) -> str:
        """The key that stands for this object; one that nobody named gets its own, so that it can be pruned."""
        ref = Ref(where, section.option, name)
        with self._lock:
            if not self._keys:
                self._keys = {known: key for key, known in self.wanted.refs.items()}
            if ref not in self._keys:
                key = section.key(where, str(current.fields.get("title") or name))
                if key in self.wanted.refs:
                    key = section.key(where, name)
                self._keys[ref], self.wanted.refs[key] = key, ref
            return self._keys[ref]

    def _needs(self, section: Section, where: Where, name: str) -> frozenset[str]:
        """What is to be gone before what it needs."""
        if section.option != "environment_protections":
            return frozenset()
        return frozenset({BY_OPTION["environments"].key(where, name)})

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del current
        if self.site.ahead:
            return
        containers = {
            self.wanted.refs[item.key].where: item for item in desired if not self.wanted.refs[item.key].section
        }
        yield from self.containers.check(containers)
        yield from self._unknown_names(desired)
        for what, keys in sorted(self.refused.items()):
            yield (
                f"{self.site.api.named} does not let us read {what}. It needs GitLab Premium, or the token's user more "
                f"rights: change one of them, or take it out of {_some(keys)}"
            )
        if self.wanted.premium and not self.site.api.metadata.get("enterprise"):
            for what, keys in sorted(self.wanted.premium.items()):
                yield f"{self.site.api.named} has no {what}, it needs GitLab Premium: take it out of {_some(keys)}"

    def _unknown_names(self, desired: Sequence[Desired]) -> Iterable[str]:
        people, keys = self.site.people, {item.key for item in desired if item.present}
        for item in desired:
            ref = self.wanted.refs[item.key]
            if not item.present:
                continue
            entries = [f"user:{ref.name}"] if ref.section == "members" else _entries(item.fields)
            for entry in entries:
                kind, _colon, name = entry.partition(":")
                made = Where(GROUP, name).key if kind == "group" else f"{INSTANCE}: {BY_OPTION['users'].word} {name}"
                if people.known(kind, name) is None and made not in keys:
                    yield f"{item.key}: there is no {kind} {name} on this server; correct the name, or make it first"

    def replaces(self, desired: Desired, current: Current, fields: Sequence[FieldChange]) -> str:
        del current
        section = BY_OPTION.get(self.wanted.refs[desired.key].section)
        return section.replaces(fields) if section else ""


_NOTHING: Item = {"scope": "*"}


def _entries(fields: Mapping[str, Any]) -> list[str]:
    """Users and groups among who may, wherever such a list stands."""
    found = []
    for name in ("push", "merge", "unprotect", "create", "deploy", "approvals"):
        value = fields.get(name)
        if isinstance(value, (list, Mapping)):
            found += [entry for entry in value if str(entry).startswith(("user:", "group:"))]
    return found


def _some(keys: Iterable[str]) -> str:
    rows = list(dict.fromkeys(keys))
    return ", ".join(rows[:5]) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")


class GitLabWriter(Writer):
    def __init__(self, reader: GitLabReader) -> None:
        self.reader = reader
        self.site = reader.site

    def _do(self, verb: str, change: Change, step: Step) -> None:
        if self.site.ahead:
            raise AdapterError(
                "the token for GitLab is not known", "make it before this task, or give another api_token"
            )
        ref = self.reader.wanted.refs[change.key]
        if not ref.section:
            self.reader.containers.write(ref.where, change, step)
            return
        section = BY_OPTION[ref.section]
        work: Callable[[Do], None] = getattr(section, verb)
        work(Do(self.site, ref, change, step))

    def create(self, change: Change, step: Step) -> None:
        self._do("create", change, step)

    def update(self, change: Change, step: Step) -> None:
        self._do("update", change, step)

    def delete(self, change: Change, step: Step) -> None:
        self._do("delete", change, step)


def missing_libraries() -> list[tuple[str, str | None]]:
    return MISSING
