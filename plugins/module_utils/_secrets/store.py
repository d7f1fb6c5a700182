# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What every backend offers. A store never makes a value and never overwrites one unasked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Protocol

from .._wait import Progress


@dataclass(frozen=True)
class Stored:
    """One secret as kept. `kind` is None for one that a human or an API made."""

    # Never in a repr: these objects end up in tracebacks.
    fields: Mapping[str, str] = field(repr=False)
    kind: str | None = None
    created: str | None = None
    rotated: str | None = None
    generation: int = 1

    def next(self, fields: Mapping[str, str], kind: str) -> Stored:
        """The version that follows this one."""
        return replace(self, fields=dict(fields), kind=kind, rotated=now(), generation=self.generation + 1)

    def about(self) -> dict[str, Any]:
        """Everything but the values."""
        return {
            "kind": self.kind,
            "created": self.created,
            "rotated": self.rotated,
            "generation": self.generation,
            "fields": sorted(self.fields),
        }


class Store(Protocol):
    """`create` and `rotate` return what is stored afterwards, whoever was first."""

    @property
    def where(self) -> str: ...

    def read(self, path: str) -> Stored | None: ...

    def create(self, path: str, secret: Stored) -> Stored: ...

    def rotate(self, path: str, before: Stored, secret: Stored) -> Stored: ...

    def list(self) -> list[str]: ...

    def tell(self, progress: Progress) -> None:
        """Whom waits are told to from now on."""


def unheard(message: str) -> None:
    """Nobody listens to remarks."""
    del message


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def new(fields: Mapping[str, str], kind: str | None) -> Stored:
    """The first version of a secret; without a kind when we could not make another one ourselves."""
    moment = now()
    return Stored(fields=dict(fields), kind=kind, created=moment, rotated=moment, generation=1)
