# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The words of a release: versions, where users go, and what the cloud itself has written down about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from .._objects import TransientError


class Stale(TransientError):
    """Somebody else has written since it was read; nothing was done."""


class Health(Enum):
    STOPPED = "stopped"
    COMING = "coming"
    READY = "ready"
    FAILED = "failed"


class Phase(str, Enum):
    """How far the newest release is, as the cloud's own record says it."""

    NONE = "none"
    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


class Aim(str, Enum):
    """What the user wants of a service."""

    DEPLOYED = "deployed"
    RELEASED = "released"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Version:
    """One version that the cloud has. `percent` is what users get now, not what was wished."""

    name: str
    image: str
    percent: int = 0
    health: Health = Health.READY
    why: str = ""
    url: str = ""
    since: str = ""


def there(version: Version | None, what: str) -> Version:
    """The version, which a step needs."""
    if version is None:
        raise Stale(f"there is no {what} version any more", "somebody else is at work on this service")
    return version


@dataclass(frozen=True)
class Record:
    """What is written in the cloud about the newest release."""

    phase: Phase = Phase.NONE
    image: str = ""
    version: str = ""
    commit: str = ""
    by: str = ""
    at: str = ""
    reason: str = ""
    tested: bool = False

    @property
    def title(self) -> str:
        return self.version or self.image


@dataclass(frozen=True)
class Stand:
    """All that a decision is made from.

    `new` is the version of the record's release, `old` what served before it. Without a release, `old` is what serves.
    `moving`: what the cloud is in the middle of; `interruptible`: a roll-back need not wait for its end.
    `trouble`: what it complains about. `tidy`: what is left to put away.
    """

    service: str
    record: Record = Record()
    new: Version | None = None
    old: Version | None = None
    moving: str = ""
    interruptible: bool = False
    trouble: str = ""
    tidy: str = ""
    token: str = ""

    @property
    def serving(self) -> Version | None:
        """The version that users get when nothing is under way."""
        return self.new if self.record.phase is Phase.DONE else self.old

    @property
    def half_back(self) -> bool:
        """Whether a version that was taken back still has users, and somebody is there to take them."""
        if self.record.phase is not Phase.FAILED or self.new is None or self.old is None:
            return False
        return self.new.percent > 0

    @property
    def versions(self) -> list[Version]:
        return [version for version in (self.new, self.old) if version is not None]


@dataclass(frozen=True)
class Wish:
    """What is asked for. Without an image, the release that is under way is meant."""

    service: str
    aim: Aim
    image: str = ""
    version: str = ""
    commit: str = ""
    by: str = ""
    reason: str = ""
    again: bool = False
    percent: int = 100
    steps: tuple[int, ...] = ()


@dataclass
class Run:
    """What this run has seen with its own eyes. It is worth nothing to the next one, which looks again."""

    checked: bool = False
    baked: int = 0
    failing: str = ""
    began: str = ""


@dataclass(frozen=True)
class Rate:
    """How many answers users got from a version, and how many of them were errors."""

    answers: int
    errors: int

    @property
    def percent(self) -> float:
        return 100.0 * self.errors / self.answers if self.answers else 0.0


class Port(Protocol):
    """One service in one cloud. Each call is one step: it can be cut off anywhere, and done again."""

    def read(self) -> Stand: ...

    def make(self, stand: Stand, wish: Wish) -> None:
        """Write the release down and start its version, without users."""

    def expose(self, stand: Stand) -> None:
        """Give the new version an address of its own."""

    def passed(self, stand: Stand) -> None:
        """Write down that the new version was found good before it had users."""

    def shift(self, stand: Stand, percent: int) -> None:
        """Give the new version so many percent of the users."""

    def reject(self, stand: Stand, reason: str) -> None:
        """Take all users from the new version, and write down why."""

    def start_old(self, stand: Stand) -> None:
        """Start the version before, without users."""

    def close(self, stand: Stand) -> None:
        """Write down that the release is done."""

    def put_away(self, stand: Stand) -> None:
        """Do one step of what `stand.tidy` says."""

    def rate(self, stand: Stand, seconds: float) -> Rate | None:
        """What users got from the new version in the last `seconds`; None when nobody knows."""

    def alarms(self, stand: Stand) -> Sequence[str]:
        """Alarms that ring."""


@dataclass(frozen=True)
class Limits:
    """When a version is good."""

    health: str = ""
    url: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    smoke: tuple[str, ...] = ()
    smoke_timeout: float = 300.0
    patience: float = 300.0
    bake: float = 0.0
    max_errors: float | None = None
    alarms: tuple[str, ...] = field(default_factory=tuple)
