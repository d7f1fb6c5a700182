# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The one facility for every wait: a deadline, growing pauses, and the present cause said aloud."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
REPORT_AFTER = 5.0


class Progress(Protocol):
    """What the engine tells while it works; `_progress.Progress` is the real one."""

    def event(self, object: str, step: str, done: int, total: int, detail: str = "") -> None: ...

    def waiting(self, what: str, cause: str, elapsed: float) -> None: ...


class Quiet:
    """A Progress that tells nobody."""

    def event(self, object: str, step: str, done: int, total: int, detail: str = "") -> None:
        """Nobody listens."""

    def waiting(self, what: str, cause: str, elapsed: float) -> None:
        """Nobody listens."""


class Clock:
    """Time as the engine sees it; tests give one whose time is virtual."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Deadline:
    """A moment after which nothing new is begun."""

    def __init__(self, seconds: float, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.seconds = seconds
        self.start = self.clock.now()

    def remaining(self) -> float:
        return max(0.0, self.start + self.seconds - self.clock.now())

    def passed(self) -> bool:
        return self.remaining() <= 0

    def within(self, seconds: float) -> Deadline:
        """A deadline for one part: `seconds` from now, and never later than this one."""
        return Deadline(min(seconds, self.remaining()), self.clock)


@dataclass(frozen=True)
class Waiting:
    """What a probe returns while it is not done: why not."""

    cause: str


@dataclass(frozen=True)
class Hopeless:
    """What a probe returns when waiting longer cannot help: why not."""

    cause: str


class WaitFailed(Exception):
    """A wait that ended without success."""

    def __init__(self, what: str, elapsed: float, cause: str, hopeless: bool = False) -> None:
        self.what, self.elapsed, self.cause, self.hopeless = what, elapsed, cause, hopeless
        how = "gave up" if hopeless else "did not happen in time: gave up"
        super().__init__(f"{what}: {how} after {elapsed:.0f} s; the last cause: {cause}")


@dataclass(frozen=True)
class Backoff:
    """Pauses that grow, with jitter so that many workers do not come back at the same moment."""

    first: float = 0.2
    most: float = 10.0
    factor: float = 1.7
    jitter: float = 0.25

    def pauses(self) -> Iterator[float]:
        pause = self.first
        while True:
            yield pause * (1 + self.jitter * (2 * random.random() - 1))  # noqa: S311 - spreads load, guards nothing
            pause = min(self.most, pause * self.factor)


def wait_for(
    what: str,
    probe: Callable[[], T | Waiting | Hopeless],
    deadline: Deadline,
    *,
    cause: Callable[[], str] | None = None,
    transient: Callable[[Exception], bool] | None = None,
    progress: Progress | None = None,
    backoff: Backoff | None = None,
) -> T:
    """Call `probe` until it returns neither Waiting nor Hopeless, and return what it returned.

    `cause` looks deeper than the probe (who holds the lock?); it is only asked when somebody is to be told.
    An exception that `transient` accepts counts as the present cause. `probe` is called at least once.
    """
    clock = deadline.clock
    start = clock.now()
    told = start
    for pause in (backoff or Backoff(most=5.0)).pauses():
        answer: Any
        try:
            answer = probe()
        except Exception as error:
            if transient is None or not transient(error):
                raise
            answer = Waiting(f"{type(error).__name__}: {error}")
        if not isinstance(answer, (Waiting, Hopeless)):
            return answer  # type: ignore[no-any-return] # narrowed to T by the line above
        elapsed = clock.now() - start
        over = isinstance(answer, Hopeless) or deadline.passed()
        if over or clock.now() - told >= REPORT_AFTER:
            present = _present(answer.cause, cause)
            if over:
                raise WaitFailed(what, elapsed, present, isinstance(answer, Hopeless))
            told = clock.now()
            if progress is not None:
                progress.waiting(what, present, elapsed)
        until_told = max(0.05, told + REPORT_AFTER - clock.now())
        clock.sleep(max(0.001, min(pause, deadline.remaining(), until_told)))
    raise AssertionError("pauses never end")


def _present(seen: str, cause: Callable[[], str] | None) -> str:
    if cause is None:
        return seen
    try:
        return cause() or seen
    except Exception as error:  # noqa: BLE001 - a cause that cannot be found must not hide the wait itself
        return f"{seen} (no deeper cause found: {error})"
