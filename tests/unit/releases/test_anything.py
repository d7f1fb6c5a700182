# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever goes wrong and whoever else is at work: what users get, and how it ends, on both clouds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import cloud_site
import ecs_site
import pytest
from ansible_collections.socle.platform.plugins.module_utils._objects import AdapterError
from ansible_collections.socle.platform.plugins.module_utils._releases.model import Aim, Limits, Wish
from ansible_collections.socle.platform.plugins.module_utils._wait import WaitFailed
from hypothesis import given, settings
from hypothesis import strategies as st

QUICK = Limits(health="/healthz", bake=4, max_errors=5, patience=60)
WORLDS: dict[str, Callable[[], Any]] = {
    "cloud_run": cloud_site.site_of,
    "ecs": ecs_site.site_of,
    "ecs_blue_green": lambda: ecs_site.site_of(strategy="BLUE_GREEN"),
    "ecs_canary": lambda: ecs_site.site_of(strategy="CANARY"),
}
GOOD = {"app:v1", "app:v2", "app:v3"}

WISHES = st.one_of(
    st.builds(
        lambda image, steps, percent, again: Wish(
            "web", Aim.RELEASED, image, steps=steps, percent=percent, again=again
        ),
        st.sampled_from(["app:v2", "app:v3", "app:sick", "app:dead"]),
        st.sampled_from([(), (10,), (10, 50)]),
        st.sampled_from([100, 100, 10]),
        st.booleans(),
    ),
    st.builds(lambda image: Wish("web", Aim.DEPLOYED, image), st.sampled_from(["app:v2", "app:v3", "app:sick"])),
    st.just(Wish("web", Aim.RELEASED)),
    st.just(Wish("web", Aim.ROLLED_BACK)),
)
# How a run ends before its time: never, or at this request; and which answers it loses.
ENDS = st.one_of(st.just(0), st.integers(1, 60))
LOSSES = st.frozensets(st.integers(1, 40), max_size=3)
RUNS = st.tuples(WISHES, ENDS, LOSSES)


@dataclass
class Turns:
    """Runs side by side, one request at a time, in an order that the test says."""

    order: Iterable[int]
    condition: threading.Condition = field(default_factory=threading.Condition)
    running: list[int] = field(default_factory=list)
    mine: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    losses: dict[int, frozenset[int]] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    turn: int = 0

    def __post_init__(self) -> None:
        self.next = iter(self.order)

    def before(self) -> bool:
        me = self.mine[threading.get_ident()]
        with self.condition:
            self.pass_on()
            assert self.condition.wait_for(lambda: self.turn == me, timeout=20)
            self.counts[me] = self.counts.get(me, 0) + 1
            if self.counts[me] == self.ends.get(me):
                raise cloud_site.Killed
            return self.counts[me] in self.losses.get(me, ())

    def pass_on(self) -> None:
        if self.running:
            self.turn = self.running[next(self.next, self.turn + 1) % len(self.running)]
        self.condition.notify_all()

    def start(self, number: int) -> None:
        with self.condition:
            self.mine[threading.get_ident()] = number

    def end(self, number: int) -> None:
        with self.condition:
            self.running.remove(number)
            self.pass_on()


Planned = tuple[Wish, int, frozenset[int]]


def side_by_side(site: Any, wishes: list[Planned], order: list[int]) -> list[BaseException]:
    """Each wish in a run of its own; what they ended with that they should not have."""
    turns = Turns(order, running=list(range(len(wishes))))
    turns.ends = {number: end for number, (_wish, end, _lost) in enumerate(wishes)}
    turns.losses = {number: lost for number, (_wish, _end, lost) in enumerate(wishes)}
    odd: list[BaseException] = []

    def one(number: int, wish: Wish) -> None:
        turns.start(number)
        try:
            site.drive(wish, QUICK)
        except (AdapterError, WaitFailed, cloud_site.Killed):
            pass
        except BaseException as error:  # noqa: BLE001 - shown by the test
            odd.append(error)
        finally:
            turns.end(number)

    site.hook = turns.before
    threads = [threading.Thread(target=one, args=(number, run[0])) for number, run in enumerate(wishes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    site.hook = lambda: False
    assert not any(thread.is_alive() for thread in threads)
    return odd


def whole(site: Any) -> set[str]:
    """Who has users; asked for after a last undisturbed command."""
    assert sum(site.percents().values()) == 100
    return set(site.percents())


@pytest.mark.parametrize("world", WORLDS)
@settings(max_examples=25)
@given(runs=st.lists(RUNS, min_size=1, max_size=5))
def test_runs_that_die_anywhere(world: str, runs: list[Planned]) -> None:
    """Would catch an error for a user, a user of a failing version, or a service that one command cannot bring back."""
    site = WORLDS[world]()
    for run in runs:
        assert not side_by_side(site, [run], [])
    with suppress(AdapterError):
        site.drive(Wish("web", Aim.ROLLED_BACK), QUICK)
    assert len(whole(site)) == 1 and whole(site) <= GOOD
    site.images.add("app:v4")
    site.drive(Wish("web", Aim.RELEASED, "app:v4"), QUICK)
    assert whole(site) == {"app:v4"}
    assert site.no_error_seen()
    assert not site.images.users_of("app:sick") and not site.images.users_of("app:dead")


@pytest.mark.parametrize("world", WORLDS)
@settings(max_examples=25)
@given(
    before=st.lists(WISHES, max_size=1),
    runs=st.lists(RUNS, min_size=2, max_size=3),
    order=st.lists(st.integers(0, 2), max_size=60),
)
def test_runs_at_the_same_time(world: str, before: list[Wish], runs: list[Planned], order: list[int]) -> None:
    """Would catch two releases that overwrite each other, or a version that is taken back and gets users again."""
    site = WORLDS[world]()
    for wish in before:
        with suppress(AdapterError):
            site.drive(wish, QUICK)
    assert not side_by_side(site, runs, order)
    with suppress(AdapterError):
        site.drive(Wish("web", Aim.ROLLED_BACK), QUICK)
    assert len(whole(site)) == 1 and whole(site) <= GOOD
    assert site.no_error_seen()
    assert not site.images.users_of("app:sick") and not site.images.users_of("app:dead")
