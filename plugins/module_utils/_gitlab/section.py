# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What a kind of object under a group or project has to know, for all of them to be read and written alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._diff import FieldChange
from .._objects import Change, Current, Desired, Step
from .client import Api, enc
from .people import People

if TYPE_CHECKING:
    from .tokens import Tokens

Item = Mapping[str, Any]
STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}


@dataclass(frozen=True, order=True)
class Where:
    """A group, a project, or the whole instance."""

    kind: str
    path: str = ""

    @property
    def base(self) -> str:
        return f"/{self.kind}s/{enc(self.path)}"

    @property
    def key(self) -> str:
        return f"{self.kind} {self.path}" if self.path else self.kind


@dataclass(frozen=True)
class Ref:
    """Which object a key of the engine stands for. A group or project itself has no section."""

    where: Where
    section: str = ""
    name: str = ""


@dataclass
class Site:
    """What reading and writing share in one task."""

    api: Api
    people: People
    tokens: Tokens
    prune: frozenset[str] = frozenset()
    ahead: bool = False
    """The server is still to be made, as far as a check mode run can know: its token is."""


@dataclass(frozen=True)
class Asked:
    """One wanted object, as the task has it."""

    where: Where
    item: Item


@dataclass(frozen=True)
class Row:
    """One found object, as the API tells it, and the wanted one of its name."""

    site: Site
    where: Where
    data: Mapping[str, Any]
    wanted: Desired | None


@dataclass(frozen=True)
class Do:
    """One change, and what is needed to do it."""

    site: Site
    ref: Ref
    change: Change
    step: Step

    @property
    def api(self) -> Api:
        return self.site.api

    @property
    def base(self) -> str:
        return self.ref.where.base

    @property
    def name(self) -> str:
        return self.ref.name


class Section:
    """One kind of object. Each has a name that is unique where it lies, by which it is found again."""

    option = ""
    word = ""
    kinds: tuple[str, ...] = ("project",)
    path = ""
    premium_kinds: tuple[str, ...] = ()
    """Where only paid editions have it."""
    spec: Mapping[str, Any] = {}
    unordered: frozenset[str] = frozenset()
    exact: frozenset[str] = frozenset()
    immutable: Mapping[str, str] = {}
    """Fields that need a new object, and why."""

    def items(self, given: Item) -> Sequence[Item] | None:
        """The wanted ones of a group or project as the task has it; None when it says nothing of them."""
        found: Sequence[Item] | None = given.get(self.option)
        return found

    def name(self, item: Item) -> str:
        return str(item["name"])

    def label(self, item: Item) -> str:
        return self.name(item)

    def key(self, where: Where, name: str) -> str:
        return f"{where.key}: {self.word} {name}" if name else f"{where.key}: {self.word}"

    def fields(self, item: Item) -> dict[str, Any]:
        return {name: value for name, value in item.items() if name not in ("name", "state")}

    def entries(self, item: Item) -> list[str]:
        """Those who are named in it, as `user:NAME` or `group:PATH`."""
        del item
        return []

    def needs(self, asked: Asked) -> list[str]:
        """Keys that must be there first, if they are in the set."""
        del asked
        return []

    def problems(self, asked: Asked) -> Iterable[str]:
        """What can be said against it without asking anybody."""
        del asked
        return ()

    def premium(self, asked: Asked) -> str:
        """What of it needs a paid edition."""
        return self.word if asked.where.kind in self.premium_kinds else ""

    def rows(self, site: Site, where: Where) -> list[dict[str, Any]]:
        return site.api.all(f"{where.base}/{self.path}")

    def found(
        self, site: Site, where: Where, rows: Sequence[dict[str, Any]], wanted: Mapping[str, Desired]
    ) -> Iterable[tuple[str, Current]]:
        """Name and object of each row; the key is set by the caller."""
        for row in rows:
            name = self.row_name(row)
            found = Row(site, where, row, wanted.get(name))
            identity = {"id": row["id"]} if "id" in row else {}
            yield name, Current("", self.row_fields(found), identity, owned=self.ours(found))

    def row_name(self, row: Mapping[str, Any]) -> str:
        return str(row["name"])

    def row_fields(self, row: Row) -> dict[str, Any]:
        raise NotImplementedError

    def ours(self, row: Row) -> bool:
        """Whether prune may take it."""
        del row
        return True

    def replaces(self, fields: Sequence[FieldChange]) -> str:
        reasons = [why for name, why in self.immutable.items() if any(f.path.split(".")[0] == name for f in fields)]
        return "; ".join(reasons)

    def create(self, do: Do) -> None:
        raise NotImplementedError

    def update(self, do: Do) -> None:
        raise NotImplementedError

    def delete(self, do: Do) -> None:
        do.api.drop(f"{do.base}/{self.path}/{number(do.change)}")


def number(change: Change) -> Any:
    """The id of the object that a change was planned from."""
    return change.current.identity["id"] if change.current else None


def changed(change: Change) -> dict[str, Any]:
    """The wanted values of the top-level fields that differ."""
    names = {path.split(".")[0] for path in change.paths}
    return {name: value for name, value in change.desired.fields.items() if name in names}
