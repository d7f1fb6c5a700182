# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""One step after the other until the wish is there; each one decided anew from what the cloud says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from .._objects import AdapterError, TransientError, UncertainError
from .._wait import Backoff, Deadline, Progress, Quiet, Waiting, wait_for
from . import checks, machine
from .model import Aim, Health, Limits, Phase, Port, Run, Stand, Wish

# The cloud took a step so often, and nothing of it is to be seen.
MOST = 5
LOOK_EVERY = 5.0


class Taken(AdapterError):
    """The release was rolled back; users have the version before."""


def drive(
    port: Port,
    wish: Wish,
    limits: Limits,
    deadline: Deadline,
    *,
    progress: Progress | None = None,
    note: Callable[[str], None] = lambda _text: None,
    look: checks.Look = checks.get,
) -> Stand:
    """Bring the service to what `wish` says, or back to where it was; raises AdapterError with the reason."""
    return _Driver(port, wish, limits, deadline, progress or Quiet(), note, look).run()


class _Driver:
    def __init__(
        self,
        port: Port,
        wish: Wish,
        limits: Limits,
        deadline: Deadline,
        progress: Progress,
        note: Callable[[str], None],
        look: checks.Look,
    ) -> None:
        self.port, self.wish, self.limits, self.deadline = port, wish, limits, deadline
        self.progress, self.note, self.look = progress, note, look
        self.seen = Run()
        self.last: tuple[machine.Step, Stand] | None = None
        self.times = 0
        self.rejected = ""
        self.coming: float | None = None
        self.watcher: checks.Watcher | None = None

    def run(self) -> Stand:
        pauses = Backoff().pauses()
        while True:
            stand, step = wait_for(
                f"{self.wish.service}: the next step of the release",
                self.next_step,
                self.deadline,
                transient=lambda error: isinstance(error, (TransientError, UncertainError)),
                progress=self.progress,
            )
            if isinstance(step, machine.Done):
                return stand
            if isinstance(step, machine.Refuse):
                raise AdapterError(step.sentence, step.hint)
            if self.deadline.passed():
                raise AdapterError(
                    f"{self.wish.service}: the deadline of {self.deadline.seconds:.0f} s passed before {_say(step)}",
                    "run again to go on from here, or roll it back",
                )
            try:
                self.act(stand, step)
                pauses = Backoff().pauses()
            except (TransientError, UncertainError) as error:
                # Whether it happened is for the cloud to say, by the next look.
                self.progress.waiting(f"{self.wish.service}: {_say(step)}", error.sentence, 0.0)
                if self.deadline.passed():
                    raise
                self.deadline.clock.sleep(min(next(pauses), self.deadline.remaining()))

    def next_step(self) -> tuple[Stand, machine.Step] | Waiting:
        stand = self.port.read()
        if stand.record.phase is Phase.OPEN and not self.seen.began:
            self.seen.began = stand.record.title
        if self.rejected and stand.record.phase is Phase.FAILED and not stand.moving:
            if stand.tidy and not stand.half_back:
                return stand, machine.Tidy(stand.tidy)
            self.after_rejection(stand)
        self.patience(stand)
        step = machine.decide(stand, self.wish, self.seen)
        if not isinstance(step, machine.Wait):
            return stand, step
        wrong = self.watched(stand)
        if wrong:
            self.seen.failing = wrong
            return stand, machine.Reject(wrong)
        return Waiting(step.cause)

    def watched(self, stand: Stand) -> str:
        """What is wrong while the cloud itself moves users."""
        users = stand.record.phase is Phase.OPEN and stand.new is not None and stand.new.percent > 0
        if not users or self.wish.aim is Aim.ROLLED_BACK:
            self.watcher = None
            return ""
        self.watcher = self.watcher or checks.Watcher(self.port, self.limits, self.deadline.clock, self.look)
        return self.watcher.wrong(stand)

    def patience(self, stand: Stand) -> None:
        """A version that never gets ready must not hold up its release for ever."""
        new, clock = stand.new, self.deadline.clock
        coming = stand.record.phase is Phase.OPEN and new is not None and new.health is Health.COMING
        if new is None or not coming:
            self.coming = None
            return
        self.coming = clock.now() if self.coming is None else self.coming
        if clock.now() - self.coming > self.limits.patience:
            self.seen.failing = f"it was not ready within {self.limits.patience:.0f} s: {new.why}"

    def after_rejection(self, stand: Stand) -> None:
        """The version failed on the way to users: this run has failed, once it is whole again."""
        if stand.half_back or self.wish.aim is Aim.ROLLED_BACK:
            return
        raise Taken(
            f"{stand.service}: {stand.record.title} was taken back: {self.rejected}",
            "users have the version before; correct it and release a new version",
        )

    def act(self, stand: Stand, step: machine.Step) -> None:
        self.progress.event(stand.service, _say(step), 0, 1)
        self._not_for_ever(stand, step)
        port = self.port
        match step:
            case machine.Make():
                port.make(stand, self.wish if self.wish.image else replace(self.wish, image=stand.record.image))
            case machine.Expose():
                port.expose(stand)
            case machine.Check():
                ringing = ", ".join(port.alarms(stand))
                self.seen.failing = f"alarm {ringing}" if ringing else ""
                self.seen.failing = self.seen.failing or checks.before_users(
                    stand, self.limits, self.deadline, self.look
                )
                self.seen.checked = True
            case machine.Pass():
                port.passed(stand)
            case machine.Shift(percent):
                port.shift(stand, percent)
            case machine.Bake(percent):
                self.bake(percent)
            case machine.Reject(reason):
                if stand.record.phase is not Phase.FAILED:
                    self.rejected = reason
                port.reject(stand, reason)
                self.note(f"taken back: {reason}")
            case machine.StartOld():
                port.start_old(stand)
            case machine.Close():
                port.close(stand)
            case machine.Tidy():
                port.put_away(stand)

    def bake(self, percent: int) -> None:
        clock = self.deadline.clock
        watcher = checks.Watcher(self.port, self.limits, clock, self.look)
        until = clock.now() + self.limits.bake
        while True:
            stand = self.port.read()
            new = stand.new
            if stand.record.phase is not Phase.OPEN or new is None or new.percent != percent:
                # Somebody else moved it: what to do about that is decided anew.
                return
            self.seen.failing = watcher.wrong(stand)
            if self.seen.failing:
                return
            left = until - clock.now()
            if left <= 0:
                self.seen.baked = percent
                return
            if self.deadline.passed():
                raise AdapterError(
                    f"{stand.service}: the deadline of {self.deadline.seconds:.0f} s passed while {percent} % of the "
                    f"users have {stand.record.title}, {left:.0f} s before it was watched for long enough",
                    "run again with a longer deadline to go on from here, or roll it back",
                )
            self.progress.waiting(f"{stand.service}: watching {percent} %", "nothing wrong so far", clock.now())
            clock.sleep(min(left, LOOK_EVERY, max(0.001, self.deadline.remaining())))

    def _not_for_ever(self, stand: Stand, step: machine.Step) -> None:
        now = (step, replace(stand, token=""))
        self.times = self.times + 1 if now == self.last else 1
        self.last = now
        if self.times > MOST:
            raise AdapterError(
                f"{stand.service}: the cloud took {_say(step)} {MOST} times and nothing of it is to be seen; "
                f"it says: {stand.trouble or 'nothing'}",
                "look at the service in the cloud's console; users have what they had",
            )


def _say(step: machine.Step) -> str:
    match step:
        case machine.Make():
            return "starting the new version"
        case machine.Expose():
            return "giving the new version a test address"
        case machine.Check():
            return "checking the new version before users"
        case machine.Pass():
            return "writing down that it was found good"
        case machine.Shift(percent):
            return f"moving {percent} % of the users to the new version"
        case machine.Bake(percent):
            return f"watching the new version with {percent} % of the users"
        case machine.Reject():
            return "giving all users the version before"
        case machine.StartOld():
            return "starting the version before"
        case machine.Close():
            return "closing the release"
        case machine.Tidy(what):
            return what
    return type(step).__name__.lower()


def now() -> str:
    """The time, as it is written down in the cloud."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
