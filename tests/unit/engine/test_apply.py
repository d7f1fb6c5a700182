# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying: outcomes, order, concurrency, deadline, lost answers, reading back."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._apply import _Discreet
from ansible_collections.socle.platform.plugins.module_utils._reconcile import (
    AdapterError,
    Current,
    Deadline,
    Desired,
    Secret,
    Status,
    TransientError,
    UncertainError,
    Unknown,
    Waiting,
    apply,
    plan,
)

from .world import BatchWriter, Talk, World, WorldReader, WorldWriter, options, wanted


def run(world: World, desired: list[Desired], writer: Any = WorldWriter, reader: Any = None, **more: Any) -> Any:
    reader = reader or WorldReader(world)
    progress = more.pop("progress", None)
    bound = more.pop("bound", False)
    chosen = options(**more)
    made = plan(desired, reader, chosen, clock=world.clock)
    return apply(
        made, lambda: writer(world), reader=reader, options=chosen, clock=world.clock, progress=progress, bound=bound
    )


def statuses(result: Any) -> dict[str, str]:
    return {outcome.key: outcome.status.value for outcome in result.outcomes}


class Failing(WorldWriter):
    """Creates everything but `bad`."""

    def create(self, change: Any, step: Any) -> Any:
        if change.key == "bad":
            raise AdapterError("403: not enough space on fast", "free some, or choose another storage")
        return super().create(change, step)


def test_one_failure_stops_only_those_that_need_it(world: World) -> None:
    """What failed quotes the API and says what to do; what needed it, also through unchanged objects, names it."""
    world.put("middle", {"size": 1})
    desired = [
        wanted("bad", size=1),
        wanted("middle", "bad", size=1),
        wanted("child", "middle", size=1),
        wanted("good", size=1),
    ]
    result = run(world, desired, Failing)
    assert statuses(result) == {"bad": "failed", "middle": "unchanged", "child": "not tried", "good": "succeeded"}
    assert "1 of 3 thing objects done, 1 failed, 1 not tried" in result.message()
    assert "bad: create failed: 403: not enough space on fast (free some, or choose" in result.message()
    assert "child: create not tried, because bad could not be made" in result.message()
    assert result.wrote


@pytest.mark.parametrize("workers", [1, 4])
def test_concurrency_is_used_and_bounded(world: World, workers: int) -> None:
    """As many at once as allowed, never more, each with a writer of its own."""
    together = threading.Barrier(workers)

    class Meeting(WorldWriter):
        def create(self, change: Any, step: Any) -> Any:
            with self._alone():
                together.wait(10)  # breaks, and so fails the object, unless all come
                return {"number": world.create(change.key, {"size": 1}, frozenset())}

    result = run(world, [wanted(f"n{i}", size=1) for i in range(4 * workers)], Meeting, concurrency=workers)
    assert result.ok, result.message()
    assert world.most_busy == workers and len(world.writers) == workers


def test_a_login_that_fails_is_said_for_each_object(world: World) -> None:
    """A writer that cannot be opened is no crash, and is tried again when the adapter calls it transient."""
    tries = []

    def refuse(_unused: World) -> WorldWriter:
        tries.append(1)
        raise TransientError("500: try later") if len(tries) < 3 else AdapterError("401: wrong token")

    result = run(world, [wanted("a", size=1)], refuse)
    assert "a: create failed: 401: wrong token" in result.message() and len(tries) == 3 and not result.wrote


def test_a_foreign_exception_is_that_objects_failure(world: World) -> None:
    """A defect in an adapter costs one object, and is said with its type."""

    class Broken(WorldWriter):
        def create(self, change: Any, step: Any) -> Any:
            return {}["key"] if change.key == "a" else super().create(change, step)

    result = run(world, [wanted("a", size=1), wanted("b", size=1)], Broken)
    assert statuses(result) == {"a": "failed", "b": "succeeded"} and "KeyError" in result.message()


def test_retries_end_with_the_deadline(world: World) -> None:
    """Transient errors are not retried for ever; the API's sentence, the tries and the deadline are said."""

    class Busy(WorldWriter):
        def create(self, change: Any, step: Any) -> Any:
            raise TransientError("503: too many requests")

    talk = Talk()
    result = run(world, [wanted("a", size=1), wanted("b", "a", size=1)], Busy, deadline=60.0, progress=talk)
    assert "503: too many requests (given up after" in result.message()
    assert "deadline of 60 s has passed" in result.message()
    assert statuses(result)["b"] == "not tried"
    assert ("a: create", "503: too many requests") in [wait[:2] for wait in talk.waits]


def test_only_transient_errors_are_tried_again(world: World) -> None:
    """A permanent error is tried once."""
    tries = []

    class Refusing(WorldWriter):
        def create(self, change: Any, step: Any) -> Any:
            tries.append(1)
            raise AdapterError("400: bad parameter")

    run(world, [wanted("a", size=1)], Refusing)
    assert len(tries) == 1


def test_what_has_not_begun_at_the_deadline_is_not_tried(world: World) -> None:
    """Nothing new is begun after the deadline; each object left says why."""

    class Slow(WorldWriter):
        def create(self, change: Any, step: Any) -> Any:
            world.clock.sleep(40)
            return super().create(change, step)

    result = run(world, [wanted(f"n{i}", size=1) for i in range(4)], Slow, deadline=60.0, concurrency=1)
    assert [outcome.status.value for outcome in result.outcomes] == ["succeeded", "succeeded", "not tried", "not tried"]
    assert "the deadline of 60 s passed before its turn" in result.message()


def test_a_call_that_hangs_does_not_hang_the_task(world: World) -> None:
    """A client without a timeout costs the grace, not for ever, and the object is said to be unanswered."""
    release = threading.Event()

    class Hanging(WorldWriter):
        def create(self, change: Any, step: Any) -> Any:
            if change.key == "a":
                world.clock.sleep(100)
                release.wait(30)
                raise AdapterError("too late")
            return super().create(change, step)

    result = run(world, [wanted("a", size=1)], Hanging, deadline=60.0, grace=0.2)
    release.set()
    assert "a: create failed: no answer after" in result.message() and result.wrote


@pytest.mark.parametrize("effect", [True, False])
def test_a_create_whose_answer_was_lost_is_looked_up(world: World, effect: bool) -> None:
    """Never two of a thing, and never none."""
    world.faults = {2: "lost after" if effect else "lost before"}
    assert run(world, [wanted("a", size=1)]).ok
    assert len(world.named("a")) == 1 and world.done == [("create", "a")]


def test_a_recycled_identity_is_not_touched(world: World) -> None:
    """While a delete is retried another controller puts its own object there: it stays."""
    world.put("a", {"size": 1})

    class Raced(WorldWriter):
        def delete(self, change: Any, step: Any) -> None:
            world.things.clear()
            world.put("a", {"size": 9})
            raise UncertainError("connection reset")

    result = run(world, [Desired("a", present=False)], Raced)
    assert (
        "another object has taken its place" in result.message() and "its id is 101, expected 100" in result.message()
    )
    assert world.named("a")[0].fields["size"] == 9


def test_a_bound_plan_is_not_widened(world: World) -> None:
    """A second look that finds more to change than was planned fails the object when the plan binds."""
    world.put("a", {"size": 1, "tags": 1})

    class Moved(WorldWriter):
        def update(self, change: Any, step: Any) -> None:
            if step.attempt == 1:
                world.named("a")[0].fields["tags"] = 5
                raise TransientError("busy")
            super().update(change, step)

    desired = [wanted("a", size=2, tags=1)]
    assert "while the plan was applied, tags has moved" in run(world, desired, Moved, bound=True).message()
    world.named("a")[0].fields["tags"] = 1
    assert run(world, desired, Moved).ok and world.named("a")[0].fields == {"size": 2, "tags": 1}


def test_what_is_read_back_must_be_what_was_sent(world: World) -> None:
    """An API that accepts and forgets a field fails the object by the field's name, its secrets hidden."""

    class Forgetful(WorldWriter):
        def create(self, change: Any, step: Any) -> Any:
            return {"number": world.create(change.key, {"size": 1, "password": "other-hush"}, frozenset())}

    class Quick(WorldReader):
        settle = 0.0

    result = run(world, [wanted("a", size=2, password="my-hush")], Forgetful, Quick(world))
    assert "size is 1 after 2 was sent; password is (secret) after (secret, changed) was sent" in result.message()


def test_reading_back_takes_one_request(world: World) -> None:
    """A set of any size is read once to plan and once to read back."""
    run(world, [wanted(f"n{i}", size=1) for i in range(50)])
    assert world.calls == 52


def test_replacements_go_down_and_up_in_order(world: World) -> None:
    """Who uses the old is removed first, who needs the new is made last."""
    world.put("net", {"mode": "x"})
    world.put("machine", {"mode": "x"}, frozenset({"net"}))
    result = run(world, [wanted("machine", "net", mode="y"), wanted("net", mode="y")], allow_replace=True)
    assert result.ok
    assert world.done == [("delete", "machine"), ("delete", "net"), ("create", "net"), ("create", "machine")]


def test_a_replacement_cut_in_two_says_so(world: World) -> None:
    """An object that was removed and could not be made again is not just 'failed to create'."""
    world.put("bad", {"mode": "x"})
    result = run(world, [wanted("bad", mode="y")], Failing, allow_replace=True)
    assert "bad: replace failed: it was removed and could not be made again: 403" in result.message()


def test_batches(world: World) -> None:
    """An adapter that does many at once gets many of one action, and one that failed is retried alone."""
    sizes = []

    class Counting(BatchWriter):
        def many(self, steps: Any) -> Any:
            sizes.append(len(steps))
            return {**super().many(steps), "n4": TransientError("busy")} if len(sizes) == 2 else super().many(steps)

    result = run(world, [wanted(f"n{i}", size=1) for i in range(8)], Counting, concurrency=1)
    assert result.ok and max(sizes) == 3
    assert not world.duplicates() and len(world.things) == 8


def test_notes_warnings_and_waits_reach_the_result(world: World) -> None:
    """A success may have something to say, and a wait inside a step names its object and its cause."""

    class Talking(WorldWriter):
        def create(self, change: Any, step: Any) -> Any:
            made = super().create(change, step)
            step.note("needs a reboot")
            step.warn("password hush-hush is weak")
            until = world.clock.now() + 12
            locked = Waiting("locked by backup with hush-hush")
            step.wait_for("to be running", lambda: True if world.clock.now() >= until else locked)
            return made

    talk = Talk()
    (outcome,) = run(world, [wanted("a", size=1, password="hush-hush")], Talking, progress=talk).outcomes
    assert outcome.status is Status.SUCCEEDED and outcome.notes == ["needs a reboot"]
    assert outcome.warnings == ["password (secret) is weak"]
    assert ("a: to be running", "locked by backup with (secret)") in [
        (what, cause) for what, cause, _unused in talk.waits
    ]
    assert [event[:2] for event in talk.events] == [("a", "create"), ("a", "create")] and talk.events[-1][2:4] == (1, 1)


def test_a_wait_that_ends_is_the_objects_cause(world: World) -> None:
    """The last cause stands in the failure."""

    class Stuck(WorldWriter):
        def create(self, change: Any, step: Any) -> Any:
            return step.wait_for("its lock", lambda: Waiting("held by vzdump on compute1"), at_most=30)

    result = run(world, [wanted("a", size=1)], Stuck)
    assert "a: its lock: did not happen in time: gave up after 30 s; the last cause: held by vzdump" in result.message()


def test_secrets_learned_while_applying_are_hidden(world: World) -> None:
    """A secret that only the API knows is hidden too when the API repeats it."""

    class Telling(WorldReader):
        def read(self, desired: Any) -> list[Current]:
            return [
                Current(c.key, {**c.fields, "token": Secret("api-token-1")}, c.identity, needs=c.needs)
                for c in super().read(desired)
            ]

    class Leaking(WorldWriter):
        def update(self, change: Any, step: Any) -> None:
            raise AdapterError("token api-token-1 has expired")

    world.put("a", {"size": 1})
    result = run(world, [wanted("a", size=2)], Leaking, Telling(world))
    assert "api-token-1" not in repr(result) + result.message()


def test_planning_and_applying_share_one_deadline(world: World) -> None:
    """A slow read leaves less time to write: the task as a whole ends in time."""
    deadline = Deadline(60, world.clock)
    world.faults = {1: "slow"}
    made = plan([wanted("a", size=1)], WorldReader(world), clock=world.clock, deadline=deadline)
    world.clock.sleep(60)
    result = apply(made, lambda: WorldWriter(world), reader=WorldReader(world), deadline=deadline)
    assert "the deadline of 60 s passed before its turn" in result.message() and not world.done


def test_the_old_object_seen_once_more_is_not_taken_for_the_new(world: World) -> None:
    """An API whose reads lag still shows what was just removed while the lost create is looked up."""
    world.put("a", {"mode": "x"})
    old = WorldReader(world).read([])
    lagging = [old]

    class Lagging(WorldReader):
        def read(self, desired: Any) -> list[Current]:
            now = super().read(desired)
            return lagging.pop() if world.done == [("delete", "a")] and lagging else now

    world.calls, world.faults = 0, {3: "lost before"}
    result = run(world, [wanted("a", mode="y")], reader=Lagging(world), allow_replace=True)
    assert result.ok, result.message()
    assert not lagging and world.done == [("delete", "a"), ("create", "a")]


def test_secrets_that_writers_tell_are_hidden(world: World) -> None:
    """A token that was only just made is hidden when the next object's error repeats it."""

    class Minting(WorldWriter):
        def create(self, change: Any, step: Any) -> Any:
            if change.key == "user":
                return {**super().create(change, step), "token": Secret("fresh-token-1")}
            raise AdapterError("fresh-token-1 may not do that")

    result = run(world, [wanted("user", size=1), wanted("grant", "user", size=1)], Minting)
    assert "grant: create failed: (secret) may not do that" in result.message()
    assert Secret("fresh-token-1") in set(result.secrets())


def test_what_is_under_way_tells_why(world: World) -> None:
    """While nothing ends, the objects under way stand there with what stopped them last, not as bare names."""
    told = threading.Event()

    class Listening(Talk):
        def waiting(self, what: str, cause: str, elapsed: float) -> None:
            super().waiting(what, cause, elapsed)
            told.set()

    class Locked(WorldWriter):
        def create(self, change: Any, step: Any) -> Any:
            if step.attempt == 1:
                raise TransientError("locked by vzdump")
            for _unused in range(100):
                world.clock.sleep(6.0)
                if told.wait(0.1):
                    break
            return super().create(change, step)

    talk = Listening()
    assert run(world, [wanted("a", size=1)], Locked, progress=talk).ok
    assert talk.waits[0][:2] == ("1 of 1 thing steps", "under way: a (locked by vzdump)")


def test_a_list_of_names_does_not_stand_in_the_place_of_a_cause(world: World) -> None:
    """A wait that has told its cause is not overwritten by what is said when nobody knows one."""
    talk = Talk()
    discreet = _Discreet(talk, set(), world.clock)
    discreet.waiting("a: started", "no node has room", 5.0)
    world.clock.sleep(6.0)
    discreet.under_way("1 of 1 thing steps", "a", 11.0)
    assert talk.waits == [("a: started", "no node has room", 5.0)]
    world.clock.sleep(10.0)
    discreet.under_way("1 of 1 thing steps", "a", 21.0)
    assert talk.waits[1:] == [("1 of 1 thing steps", "under way: a", 21.0)]


def test_a_value_that_is_not_known_in_earnest_tells_the_user_what_to_do(world: World) -> None:
    """A text of an earlier check mode in a real run is for the user to mend, an object that does not tell for us."""
    lost = Desired("a", {"size": Unknown("an earlier step of this run makes it")})
    dumb = Desired("b", {"size": Unknown(of="c", field="nope")})
    came = {outcome.key: outcome for outcome in run(world, [lost, dumb, wanted("c", size=1)]).outcomes}
    assert "earlier step" in came["a"].error and "make that first" in came["a"].hint
    assert "object c does not tell nope" in came["b"].error and "author" in came["b"].hint
