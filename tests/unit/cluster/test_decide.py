# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision on clusters in memory: from any damage it ends healthy or in one sentence, and never makes it worse."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._cluster.plain import NEXT, next_steps

from .damages import CASES, HEALTHY, Case
from .model import NEW, World

# Rounds of a whole installation or upgrade, with repairs; a decision that goes in a circle has no end.
ROUNDS = 60
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


def arguments(step: dict[str, Any]) -> dict[str, Any]:
    return step["with"]


def settle(world: World, wanted: dict[str, Any], random: Random | None = None, rounds: int = ROUNDS) -> dict[str, Any]:
    """Decide and do, until nothing is left to do or a sentence says why. With `random`, acts die on the way."""
    world.replace = {*wanted["replace"]}
    waited = 0.0
    for _round in range(rounds):
        told = next_steps({**wanted, "machines": world.observe(), "waited": waited})
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
        for step in steps:
            kill = random.randrange(14) if random and random.random() < 0.3 else None
            world.act(step["host"], step["verb"], kill, **arguments(step))
        world.tick()
        idle = all(step["verb"] in ("wait", "restart") for step in steps)
        waited = waited + 60 if idle else 0.0
    raise AssertionError("it goes in a circle:\n" + "\n".join(world.acts[-20:]))


def judge(case: Case, world: World, wanted: dict[str, Any], told: dict[str, Any]) -> None:
    if case.ends == HEALTHY:
        assert not told["refusal"], f"{told['refusal']}\n" + "\n".join(world.acts)
        for name in wanted["remove"]:
            world.machines.pop(name, None)
        assert not world.is_well(wanted["version"]), "\n".join(world.acts)
    else:
        assert told["action"] == case.ends, f"{told}\n" + "\n".join(world.acts)
        assert told["refusal"].strip()
        assert "\n" not in told["refusal"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_damage_ends_as_it_should(case: Case) -> None:
    """Catches a state from which the decision does nothing, does harm, goes in a circle, or gives up too early."""
    world = case.make()
    wanted = wanted_of(world, case.wanted)
    judge(case, world, wanted, settle(world, wanted))


def test_there_are_enough_damages_each_with_its_own_name() -> None:
    """Catches cases that vanish from the list, or hide each other."""
    names = [case.name for case in CASES]
    assert len(names) == len({*names}) >= 60
