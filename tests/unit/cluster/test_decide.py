# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision on clusters in memory: from any damage it ends healthy or in one sentence, and never makes it worse."""

from __future__ import annotations

import os
from collections import Counter
from random import Random
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._cluster.gate import closed
from ansible_collections.socle.platform.plugins.module_utils._cluster.picture import Picture
from ansible_collections.socle.platform.plugins.module_utils._cluster.plain import NEXT, next_steps
from ansible_collections.socle.platform.plugins.module_utils._cluster.state import State, parse
from ansible_collections.socle.platform.plugins.module_utils._cluster.steps import Wanted
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from .damages import CASES, DAMAGES, HEALTHY, Case
from .model import NEW, OLD, World

# Rounds of a whole installation or upgrade, with repairs; a decision that goes in a circle has no end.
ROUNDS = 60
EXAMPLES = 2000 if os.environ.get("SOCLE_LONG") else 50
DEFAULTS = {name: option["default"] for name, option in NEXT.items() if "default" in option}


def wanted_of(world: World, more: dict[str, Any]) -> dict[str, Any]:
    gone = more.get("remove", [])
    machines = [machine for machine in world.machines.values() if machine.name not in gone]
    return {
        **DEFAULTS,
        "version": NEW,
        "control_planes": {machine.name: machine.address for machine in machines if machine.control},
        "workers": [machine.name for machine in machines if not machine.control],
        **more,
    }


def act(world: World, wanted: dict[str, Any], step: dict[str, Any], kill: int | None) -> None:
    """As the playbook does: the gate is looked at once more, since what was done beside may have died."""
    states = {name: parse(State, told) for name, told in world.observe().items()}
    view = Picture(states, parse(Wanted, wanted)).view
    if not step["gate"] or not closed(view, step["gate"], step["member"]):
        world.act(step["host"], step["verb"], kill, **step["with"])


def settle(
    world: World, wanted: dict[str, Any], random: Random | None = None, rounds: int = ROUNDS, backwards: bool = False
) -> dict[str, Any]:
    """Decide and do, until nothing is left to do or a sentence says why. With `random`, acts die on the way."""
    world.replace = {*wanted["replace"]}
    waited, done = 0.0, list[dict[str, Any]]()
    for _round in range(rounds):
        told = next_steps({**wanted, "machines": world.observe(), "waited": waited, "done": done})
        steps = told["steps"]
        if told["refusal"] or told["converged"]:
            assert not (told["refusal"] and told["converged"])
            assert not steps
            return told
        hosts = [step["host"] for step in steps]
        assert len(hosts) == len({*hosts}), f"two steps at once on one machine: {steps}"
        assert sum(step["gate"] in ("restart", "remove") for step in steps) <= 1, f"two control planes at once: {steps}"
        if random:
            random.shuffle(steps)
        if backwards:
            steps.reverse()
        for step in steps:
            kill = random.randrange(14) if random and random.random() < 0.3 else None
            act(world, wanted, step, kill)
        world.tick()
        idle = all(step["verb"] in ("wait", "restart") for step in steps)
        waited = waited + 60 if idle else 0.0
        # Acts that died ended their run, and the next one knows nothing of them.
        done = [] if random else done if idle else told["steps"]
    raise AssertionError("it goes in a circle:\n" + "\n".join(world.acts[-20:]))


def judge(case: Case, world: World, wanted: dict[str, Any], told: dict[str, Any]) -> None:
    if case.ends == HEALTHY:
        assert not told["refusal"], f"{told['refusal']}\n" + "\n".join(world.acts)
        for name in wanted["remove"]:
            gone = world.machines.pop(name, None)
            assert name not in world.nodes
            assert gone is None or not gone.alive or not gone.leftovers, "\n".join(world.acts)
        assert not world.is_well(wanted["version"]), "\n".join(world.acts)
    else:
        assert told["action"] == case.ends, f"{told}\n" + "\n".join(world.acts)
        assert told["refusal"].strip()
        assert "\n" not in told["refusal"]


@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_damage_ends_as_it_should(case: Case, backwards: bool) -> None:
    """Catches a state from which the decision does nothing, does harm, goes in a circle, or gives up too early.

    What is in a round may be done at once, so it has to work in any order.
    """
    world = case.make()
    wanted = wanted_of(world, case.wanted)
    judge(case, world, wanted, settle(world, wanted, backwards=backwards))


def test_there_are_enough_damages_each_with_its_own_name() -> None:
    """Catches cases that vanish from the list, or hide each other."""
    names = [case.name for case in CASES]
    assert len(names) == len({*names}) >= 60


@settings(max_examples=EXAMPLES, report_multiple_bugs=False)
@given(case=st.sampled_from(CASES), seed=st.integers(0, 2**32))
def test_killed_on_the_way_out_of_any_damage(case: Case, seed: int) -> None:
    """Catches a repair that is only safe when it goes through: acts die at random places, in random order."""
    world = case.make()
    wanted = wanted_of(world, case.wanted)
    settle(world, wanted, Random(seed), rounds=400)
    # Dying acts may end in waiting for too long; whoever looks again, and lets acts live, gets there.
    judge(case, world, wanted, settle(world, wanted))


class Life(RuleBasedStateMachine):
    """A cluster to which anything happens at any time, between and within the acts that repair it."""

    @initialize(controls=st.sampled_from([1, 3, 5]), workers=st.integers(0, 2))
    def build(self, controls: int, workers: int) -> None:
        self.world = World.healthy(controls, workers, OLD)
        for _unused in range(60):
            self.world.grow()
        self.upgrade = False

    @property
    def wanted(self) -> dict[str, Any]:
        version = NEW if self.upgrade else self.world.version
        return wanted_of(self.world, {"upgrade": self.upgrade, "version": version, "snapshot": "etcd-1.db"})

    @rule(damage=st.sampled_from(DAMAGES), which=st.integers(0, 6))
    def hurt(self, damage: Any, which: int) -> None:
        names = sorted(self.world.machines)
        damage(self.world, names[which % len(names)])

    @rule()
    def begin_upgrade(self) -> None:
        self.upgrade = True

    @rule(kill=st.none() | st.integers(0, 12), data=st.data())
    def go_on(self, kill: int | None, data: st.DataObject) -> None:
        told = next_steps({**self.wanted, "machines": self.world.observe()})
        for step in data.draw(st.permutations(told["steps"])):
            act(self.world, self.wanted, step, kill)
        self.world.tick()

    @rule()
    def everything_comes_back(self) -> None:
        for machine in self.world.machines.values():
            machine.alive = True

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        wanted = self.wanted
        told = settle(self.world, wanted)
        assert told["refusal"] or not self.world.is_well(wanted["version"]), "\n".join(self.world.acts)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=EXAMPLES, stateful_step_count=12, report_multiple_bugs=False)


def test_an_upgrade_does_each_machine_once() -> None:
    """Catches `kubeadm upgrade apply` on more than one machine, workers before control planes, or two at once."""
    world = World.healthy(version=OLD)
    told = settle(world, wanted_of(world, {"upgrade": True}))
    assert told["converged"]
    verbs = [act.split()[0] for act in world.acts if act.startswith("upgrade")]
    assert verbs == ["upgrade_first", *["upgrade_control_plane"] * 2, *["upgrade_worker"] * 2]


def test_what_was_done_and_does_not_show_is_waited_for_and_then_told() -> None:
    """Catches a machine that is drained and upgraded again because its Node is slow to tell the new version."""
    world = World.healthy(3, 1, OLD)
    for name, verb in (("c1", "first"), ("c2", "control_plane"), ("c3", "control_plane")):
        world.leader = world.machines["c3" if name == "c1" else "c1"].data.member
        world.act(name, f"upgrade_{verb}", version=NEW)
    wanted = wanted_of(world, {})
    first = next_steps({**wanted, "machines": world.observe()})
    assert [step["verb"] for step in first["steps"]] == ["upgrade_worker"]
    again = next_steps({**wanted, "machines": world.observe(), "done": first["steps"]})
    assert [step["verb"] for step in again["steps"]] == ["wait"]
    told = next_steps({**wanted, "machines": world.observe(), "done": first["steps"], "waited": 999})
    assert told["action"] == "repair"
    assert "upgrade_worker was done and does not show yet" in told["refusal"]


def test_a_machine_that_changes_its_group_is_not_touched() -> None:
    """Catches a working worker reset without a drain, or a control plane upgraded as a worker, past the gate."""
    world = World.healthy(3, 2)
    wanted = wanted_of(world, {})
    as_control = {**wanted["control_planes"], "w1": world.machines["w1"].address}
    told = next_steps({**wanted, "machines": world.observe(), "control_planes": as_control, "workers": ["w2"]})
    assert (told["steps"], told["action"]) == ([], "remove")
    fewer = {name: address for name, address in wanted["control_planes"].items() if name != "c3"}
    told = next_steps({**wanted, "machines": world.observe(), "control_planes": fewer, "workers": ["w1", "w2", "c3"]})
    assert (told["steps"], told["action"]) == ([], "remove")


def test_what_is_converged_gets_no_steps() -> None:
    """Catches a second run that does something."""
    world = World.healthy()
    told = next_steps({**wanted_of(world, {}), "machines": world.observe()})
    assert told == {"converged": True, "refusal": "", "action": "", "notes": [], "steps": []}


def test_all_machines_join_at_once() -> None:
    """Catches joins that go one after the other: after the init a single round brings everybody in."""
    world = World(3, 8)
    world.act("c1", "init", version=NEW)
    told = next_steps({**wanted_of(world, {}), "machines": world.observe()})
    verbs = Counter(step["verb"] for step in told["steps"])
    assert verbs == {"join_control_plane": 2, "join_worker": 8}
