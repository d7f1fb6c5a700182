# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a handler gets and gives, and the errors of the API in the shapes that the real one has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .world import World

LEVELS = (5, 10, 15, 20, 25, 30, 40, 50)


class Fail(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, dict(headers or {})
        super().__init__(f"{status} {body}")


def said(status: int, message: Any) -> Fail:
    return Fail(status, {"message": message})


def missing(what: str) -> Fail:
    return said(404, f"404 {what} Not Found" if what else "404 Not Found")


def forbidden(reason: str = "") -> Fail:
    return said(403, f"403 Forbidden - {reason}" if reason else "403 Forbidden")


def invalid(**fields: list[str]) -> Fail:
    """A model that does not validate."""
    return said(400, fields)


def bad(text: str) -> Fail:
    """A parameter that does not: the key is another one."""
    return Fail(400, {"error": text})


@dataclass
class Call:
    """One request."""

    world: World
    method: str
    path: str
    params: dict[str, Any]
    ids: dict[str, str]
    user: dict[str, Any] | None
    token: dict[str, Any] | None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""

    def need(self, *names: str) -> None:
        absent = [name for name in names if self.params.get(name) in (None, "")]
        if absent:
            raise bad(", ".join(f"{name} is missing" for name in absent))

    def one_of(self, name: str, allowed: tuple[Any, ...]) -> Any:
        value = self.params.get(name)
        if value is not None and value not in allowed:
            raise bad(f"{name} does not have a valid value")
        return value

    def number(self, name: str) -> int | None:
        value = self.params.get(name)
        try:
            return None if value in (None, "") else int(value)
        except (TypeError, ValueError):
            raise bad(f"{name} is invalid") from None

    def take(self, row: dict[str, Any], *names: str) -> None:
        """Known attributes are kept; whatever else was sent is ignored without a word."""
        row.update({name: self.params[name] for name in names if name in self.params})


@dataclass
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    listed: bool = False
    """A list, of which the caller gets a page."""
    keyset: tuple[str, ...] = ()
    """What the list may be ordered by when pages follow keys."""


Handler = Callable[[Call], Answer]
ROUTES: list[tuple[str, str, re.Pattern[str], Handler, bool]] = []


def route(method: str, template: str, *, anonymous: bool = False) -> Callable[[Handler], Handler]:
    """`:name` stands for one part of the path; what the caller quoted stays one part."""
    pattern = re.compile("^" + re.sub(r":(\w+)", r"(?P<\1>[^/]+)", template) + "$")

    def add(handler: Handler) -> Handler:
        ROUTES.append((method, template, pattern, handler, anonymous))
        return handler

    return add


def listed(rows: list[dict[str, Any]], *keyset: str) -> Answer:
    return Answer(200, rows, listed=True, keyset=keyset)
