# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine against a hostile world: what must hold for every set, every fault and every death."""

from __future__ import annotations

import contextlib
import copy
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils import _module, _plan
from ansible_collections.socle.platform.plugins.module_utils._reconcile import (
    Action,
    Desired,
    EngineError,
    Plan,
    Result,
    apply,
    plan,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .world import FAULTS, HARMLESS, KILLS, BatchWriter, Killed, Talk, World, WorldReader, WorldWriter, options, wanted

NAMES = tuple("abcdefg")
SECRETS = ("s3cr3t-one!", "s3cr3t 'two'\n", 's3cr3t"three%')
EXAMPLES = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


@dataclass
class Case:
    desired: list[Desired]
    found: list[dict[str, Any]]
    prune: bool = False
    concurrency: int = 1
    batch: bool = False
    faults: dict[int, str] = field(default_factory=dict)

    def world(self) -> World:
        world = World()
        for thing in self.found:
            world.put(**thing)
        world.faults = dict(self.faults)
        return world

    @property
    def options(self) -> Any:
        return options(prune=self.prune, concurrency=self.concurrency, allow_replace=True)


fields = st.fixed_dictionaries(
    {"size": st.integers(1, 2)},
    optional={"mode": st.sampled_from("xy"), "password": st.sampled_from(SECRETS), "tags": st.just(["t"])},
)


@st.composite
def cases(draw: st.DrawFn, faults: tuple[str, ...] = (), within: int = 25) -> Case:
    desired: list[Desired] = []
    for name in draw(st.permutations(NAMES))[: draw(st.integers(0, len(NAMES)))]:
        present = draw(st.booleans()) or draw(st.booleans())
        possible = [item.key for item in desired if item.present or not present]
        needs = draw(st.lists(st.sampled_from(possible), unique=True, max_size=3)) if possible else []
        desired.append(wanted(name, *needs, present=present, **draw(fields)))
    found: list[dict[str, Any]] = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        uses = [thing["name"] for thing in found]
        needs = frozenset(draw(st.lists(st.sampled_from(uses), unique=True, max_size=2))) if uses else frozenset()
        found.append({"name": name, "fields": draw(fields), "needs": needs, "owned": draw(st.booleans())})
    desired = draw(st.permutations(desired))
    bad = draw(st.dictionaries(st.integers(1, within), st.sampled_from(faults), max_size=8)) if faults else {}
    return Case(desired, found, draw(st.booleans()), draw(st.integers(1, 4)), draw(st.booleans()), bad)


def run(case: Case, world: World, talk: Talk | None = None) -> tuple[Plan, Result]:
    reader = WorldReader(world)
    made = plan(case.desired, reader, case.options, clock=world.clock, progress=talk)
    factory = BatchWriter if case.batch else WorldWriter
    result = apply(made, lambda: factory(world), reader=reader, options=case.options, clock=world.clock, progress=talk)
    return made, result


def expected_effects(made: Plan) -> Counter[tuple[str, str]]:
    effects: Counter[tuple[str, str]] = Counter()
    for change in made.pending:
        if change.action is Action.REPLACE:
            effects.update([("delete", change.key), ("create", change.key)])
        else:
            effects[(change.action.value, change.key)] += 1
    return effects


def must_hold_always(case: Case, world: World) -> None:
    assert not world.duplicates()
    assert not order_complaints(case, world)
    gone = {item.key for item in case.desired if not item.present}
    before = {thing["name"]: thing for thing in case.found}
    named = {item.key for item in case.desired}
    for name, thing in before.items():
        pruned = case.prune and thing.get("owned", True) and name not in named
        may_go = name in gone or pruned or name in named
        assert may_go or world.named(name), f"{name} was removed, and nobody asked for it"


def order_complaints(case: Case, world: World) -> list[str]:
    """Present uses are taken into account where the desired order lets them; only the desired order always counts."""
    replaced = {item.key for item in case.desired if item.present}
    kept = [c for c in world.complaints if "was removed while" not in c]
    for complaint in world.complaints:
        name, _unused, rest = complaint.partition(" was removed while ")
        if not rest or name in replaced:
            continue
        users = set(json.loads(rest.removesuffix(" used it").replace("'", '"')))
        needing = {item.key for item in case.desired if name in item.needs}
        if users & needing:
            kept.append(complaint)
    return kept


def must_equal_desired(case: Case, world: World) -> None:
    for item in case.desired:
        things = world.named(item.key)
        assert len(things) == int(item.present), (item.key, things)
        if item.present:
            for name, value in item.fields.items():
                clear = value.reveal() if name == "password" else value
                assert things[0].fields[name] == clear


def must_hide(*values: Any) -> None:
    text = "\n".join(value if isinstance(value, str) else f"{value!r}{value}" for value in values)
    for secret in SECRETS:
        for shape in (secret, secret.strip(), json.dumps(secret)[1:-1], repr(secret)[1:-1]):
            assert shape not in text


@settings(max_examples=900, **EXAMPLES)
@given(cases(HARMLESS))
def test_converges_whatever_answers_are_lost(case: Case) -> None:
    """Lost, late, slow, busy answers at any call: one run reaches the set, nothing twice, then nothing to do."""
    world, talk = case.world(), Talk()
    made, result = run(case, world, talk)
    assert result.ok, result.message()
    world.revive()  # an effect that is still to come must not make a second one
    must_equal_desired(case, world)
    must_hold_always(case, world)
    assert Counter(world.done) == expected_effects(made), "not exactly what the plan said"
    assert world.most_busy <= case.concurrency and len(world.writers) <= case.concurrency
    assert all(writer.closed for writer in world.writers)
    again, second = run(case, world)
    assert not again.changed and not second.wrote
    must_hide(made, result, talk.events, talk.waits, again)


@settings(max_examples=900, **EXAMPLES)
@given(cases(FAULTS + KILLS))
def test_a_second_run_repairs_any_death(case: Case) -> None:
    """Errors and kills at any call: no duplicate, no unasked delete, and one clean run later all is as wanted."""
    world, talk = case.world(), Talk()
    try:
        made, result = run(case, world, talk)
        must_hide(made, result, result.message(), _module.objects(made, result), _module.diff(made))
        for outcome in (*result.failed, *result.not_tried):
            assert outcome.label in result.message()
        if not result.ok:
            assert result.failed, "objects were not tried, and none says why"
    except (Killed, EngineError) as error:
        must_hide(str(error))
    must_hide(talk.events, talk.waits)
    must_hold_always(case, world)
    world.revive()
    _unused, result = run(case, world)
    assert result.ok, result.message()
    must_equal_desired(case, world)
    must_hold_always(case, world)
    again, _unused = run(case, world)
    assert not again.changed


@settings(max_examples=500, **EXAMPLES)
@given(cases())
def test_check_mode_predicts(case: Case) -> None:
    """The plan alone changes nothing; the real run plans the same, and does it to the letter."""
    world = case.world()
    before = copy.deepcopy([vars(thing) for thing in world.things.values()])
    predicted = plan(case.desired, WorldReader(world), case.options)
    assert [vars(thing) for thing in world.things.values()] == before and not world.writers
    made, result = run(case, world)
    assert made.as_dict() == predicted.as_dict()
    assert Counter(world.done) == expected_effects(predicted)
    applied = {o.key: o.action for o in result.outcomes if o.status == "succeeded"}
    assert applied == {change.key: change.action for change in predicted.pending}
    assert result.wrote == predicted.changed


@pytest.mark.usefixtures("cheap_seals")
@settings(max_examples=300, **EXAMPLES)
@given(cases(), cases(), st.booleans())
def test_a_plan_in_a_file_is_applied_or_refused(case: Case, other: Case, same: bool) -> None:
    """A plan verifies against the world it was made from, and against no world whose part in it has moved."""
    world = case.world()
    task = _plan.identity("things", {"count": len(case.desired)})
    made = plan(case.desired, WorldReader(world), case.options)
    section = json.loads(json.dumps(_plan.section(made, task, _plan.new_salt())))
    must_hide(section)
    if not same:
        world.things.clear()
        for thing in other.found:
            world.put(**thing)
    now = plan(case.desired, WorldReader(world), case.options)
    reasons = _plan.verify(section, now, task)
    if same:
        assert not reasons
    elif now.as_dict()["changes"] != made.as_dict()["changes"]:
        assert reasons and all(reason.startswith("thing ") for reason in reasons)


STORY = Case(
    desired=[
        wanted("net", size=1),
        wanted("kept", "net", size=2),
        wanted("anew", "kept", size=1, mode="y", password=SECRETS[0]),
        wanted("gone", present=False),
        wanted("child", "anew", "net", size=1),
    ],
    found=[
        {"name": "kept", "fields": {"size": 1}},
        {"name": "anew", "fields": {"size": 1, "mode": "x"}},
        {"name": "gone", "fields": {"size": 1}},
        {"name": "old", "fields": {"size": 1}, "needs": frozenset({"gone"})},
    ],
    prune=True,
    concurrency=2,
)


@pytest.mark.parametrize("fault", (*FAULTS, *KILLS))
def test_every_fault_at_every_call(fault: str) -> None:
    """One story with every action in it, struck at each of its calls: after one clean run it has come true."""
    world = STORY.world()
    run(STORY, world)
    calls = world.calls
    assert calls >= 8
    for first in range(1, calls + 1):
        for second in (0, first + 1, first + 3):
            world = STORY.world()
            world.faults = {first: fault, second: fault}
            with contextlib.suppress(Killed, EngineError):
                run(STORY, world)
            must_hold_always(STORY, world)
            world.revive()
            assert run(STORY, world)[1].ok
            must_equal_desired(STORY, world)
            assert not world.named("old") and not world.duplicates()
            assert not run(STORY, world)[0].changed
