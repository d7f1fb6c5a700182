# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What comes next, decided from what the cloud says and nothing else: any run goes on where another one died."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .model import Aim, Health, Phase, Run, Stand, Version, Wish


@dataclass(frozen=True)
class Done:
    """Nothing is left to do."""


@dataclass(frozen=True)
class Wait:
    cause: str


@dataclass(frozen=True)
class Refuse:
    sentence: str
    hint: str


@dataclass(frozen=True)
class Make:
    """Start the new version without users."""


@dataclass(frozen=True)
class Expose:
    """Give it a test address."""


@dataclass(frozen=True)
class Check:
    """Look at it before users do."""


@dataclass(frozen=True)
class Pass:
    """Write down that it was found good."""


@dataclass(frozen=True)
class Shift:
    percent: int


@dataclass(frozen=True)
class Bake:
    percent: int


@dataclass(frozen=True)
class Reject:
    reason: str


@dataclass(frozen=True)
class StartOld:
    """Start the version before."""


@dataclass(frozen=True)
class Close:
    """Write down that the release is done."""


@dataclass(frozen=True)
class Tidy:
    what: str


Step: TypeAlias = (
    "Done | Wait | Refuse | Make | Expose | Check | Pass | Shift | Bake | Reject | StartOld | Close | Tidy"
)


def decide(stand: Stand, wish: Wish, run: Run) -> Step:
    if stand.moving and not (stand.interruptible and wish.aim is Aim.ROLLED_BACK):
        return Wait(stand.moving)
    record = stand.record
    # A run that died between writing down a failure and taking the users back.
    if stand.half_back:
        return Reject(record.reason)
    if wish.aim is Aim.ROLLED_BACK:
        return _back(stand, wish)
    if record.phase is Phase.OPEN:
        if wish.image and wish.image != record.image:
            return _under_way(stand)
        return _forward(stand, wish, run)
    return _begin(stand, wish, run)


def _begin(stand: Stand, wish: Wish, run: Run) -> Step:
    """No release is under way."""
    record = stand.record
    if run.began and record.phase is Phase.FAILED:
        return Refuse(
            f"{stand.service}: {run.began} was taken back: {record.reason}",
            "users are on the version before; correct it and release a new version",
        )
    serving = stand.serving
    if (serving is not None and serving.image == wish.image) or (not wish.image and record.phase is Phase.DONE):
        return Tidy(stand.tidy) if stand.tidy else Done()
    if not wish.image:
        said = f"; the last one, {record.title}, was taken back: {record.reason}" if record.reason else ""
        return Refuse(f"{stand.service}: no release is under way, so there is nothing to promote{said}", "deploy first")
    if stand.tidy:
        return Tidy(stand.tidy)
    if record.phase is Phase.FAILED and record.image == wish.image and not wish.again:
        return Refuse(
            f"{stand.service}: {record.title} was tried at {record.at} and taken back: {record.reason}",
            "release a corrected version, or set again to true to try the same one once more",
        )
    return Make()


def _forward(stand: Stand, wish: Wish, run: Run) -> Step:
    """The release that is wanted is under way."""
    new = stand.new
    if new is None or new.health is Health.STOPPED:
        return Make()
    if new.health is Health.FAILED:
        return Reject(new.why)
    if run.failing:
        return Reject(run.failing)
    if new.health is Health.COMING:
        return Wait(new.why)
    if not new.url:
        return Expose()
    if not run.checked:
        return Check()
    if not stand.record.tested:
        return Pass()
    if wish.aim is Aim.DEPLOYED:
        return Done()
    if new.percent > run.baked:
        return Bake(new.percent)
    if new.percent >= wish.percent:
        return Close() if new.percent == 100 else Done()
    return Shift(following(new.percent, wish))


def following(percent: int, wish: Wish) -> int:
    """How many users come next."""
    return min([step for step in wish.steps if percent < step < wish.percent], default=wish.percent)


def _back(stand: Stand, wish: Wish) -> Step:
    record, old = stand.record, stand.old
    reason = wish.reason or "it was asked for"
    if record.phase is Phase.FAILED:
        return Tidy(stand.tidy) if stand.tidy else Done()
    if record.phase is Phase.OPEN:
        return Reject(reason)
    if record.phase is Phase.NONE or old is None:
        return Refuse(
            f"{stand.service}: the cloud knows of no version to go back to", "release the version that is wanted"
        )
    return _to_old(stand, old, reason)


def _to_old(stand: Stand, old: Version, reason: str) -> Step:
    if old.health is Health.READY:
        return Reject(reason)
    if old.health is Health.COMING:
        return Wait(f"{old.name}: {old.why}")
    if old.health is Health.FAILED:
        return Refuse(f"{stand.service}: {old.name} cannot be brought back: {old.why}", "release another version")
    return Tidy(stand.tidy) if stand.tidy else StartOld()


def _under_way(stand: Stand) -> Refuse:
    record, percent = stand.record, stand.new.percent if stand.new else 0
    who = f" by {record.by}" if record.by else ""
    return Refuse(
        f"{stand.service}: a release of {record.title} is under way since {record.at}{who}, "
        f"{percent} % of the users have it",
        "promote it or roll it back first",
    )
