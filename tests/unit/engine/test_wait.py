# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits explain themselves."""

from __future__ import annotations

from itertools import islice

import pytest
from ansible_collections.socle.platform.plugins.module_utils._wait import (
    Backoff,
    Deadline,
    Hopeless,
    WaitFailed,
    Waiting,
    wait_for,
)

from .world import Talk, VirtualClock


def test_done_at_once_sleeps_not_at_all() -> None:
    """What is there already costs no time."""
    clock = VirtualClock()
    assert wait_for("x", lambda: 7, Deadline(10, clock)) == 7
    assert clock.now() == 0


def test_the_present_cause_is_told_after_five_seconds() -> None:
    """Not before, then again as it changes; short waits stay silent."""
    clock, talk = VirtualClock(), Talk()

    def probe() -> object:
        now = clock.now()
        return True if now >= 18 else Waiting("lock of backup" if now < 9 else "lock of migration")

    wait_for("machine a", probe, Deadline(60, clock), progress=talk)
    assert talk.waits[0][1] == "lock of backup" and 5 <= talk.waits[0][2] < 6
    assert talk.waits[-1][1] == "lock of migration"
    assert len(talk.waits) == 3
    talk.waits.clear()
    start = clock.now()
    wait_for("b", lambda: True if clock.now() > start + 4 else Waiting("x"), Deadline(60, clock), progress=talk)
    assert not talk.waits


def test_it_ends_at_the_deadline_with_the_last_cause() -> None:
    """Not later than the deadline, and the deeper cause is asked for."""
    clock = VirtualClock()
    with pytest.raises(WaitFailed) as caught:
        wait_for("pod web", lambda: Waiting("Pending"), Deadline(30, clock), cause=lambda: "image nope:1 not found")
    assert caught.value.cause == "image nope:1 not found" and caught.value.what == "pod web"
    assert 30 <= clock.now() < 30.1


def test_hopeless_ends_at_once() -> None:
    """What cannot come any more is not waited for."""
    clock = VirtualClock()
    with pytest.raises(WaitFailed, match="task ended: disk full") as caught:
        wait_for("clone", lambda: Hopeless("task ended: disk full"), Deadline(600, clock))
    assert caught.value.hopeless and clock.now() == 0


def test_a_cause_that_cannot_be_found_hides_nothing() -> None:
    """A failing search for the deeper cause leaves the one that is known."""

    def broken() -> str:
        raise RuntimeError("no permission")

    with pytest.raises(WaitFailed, match=r"Pending \(no deeper cause found: no permission\)"):
        wait_for("x", lambda: Waiting("Pending"), Deadline(1, VirtualClock()), cause=broken)


def test_only_transient_exceptions_are_waited_out() -> None:
    """Others end the wait as they are."""
    clock = VirtualClock()
    answers = iter([OSError("reset"), OSError("reset"), 5])

    def probe() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert wait_for("x", probe, Deadline(60, clock), transient=lambda error: isinstance(error, OSError)) == 5
    with pytest.raises(ZeroDivisionError):
        wait_for("x", lambda: 1 / 0, Deadline(60, clock), transient=lambda error: isinstance(error, OSError))


def test_a_deadline_that_has_passed_still_probes_once() -> None:
    """What is done is done, also when time is up."""
    assert wait_for("x", lambda: "done", Deadline(0, VirtualClock())) == "done"


def test_a_part_ends_with_the_whole() -> None:
    """A deadline within another is never later."""
    clock = VirtualClock()
    whole = Deadline(10, clock)
    assert whole.within(60).remaining() == 10 and whole.within(3).remaining() == 3


def test_pauses_grow_to_their_limit_and_differ() -> None:
    """Exponential, bounded, and not the same for every worker."""
    backoff = Backoff(first=1, most=8, factor=2, jitter=0.25)
    runs = [list(islice(backoff.pauses(), 6)) for _unused in range(20)]
    for pauses in runs:
        for pause, middle in zip(pauses, (1, 2, 4, 8, 8, 8), strict=True):
            assert 0.75 * middle <= pause <= 1.25 * middle
    assert len({tuple(pauses) for pauses in runs}) == 20
