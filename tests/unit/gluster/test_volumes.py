# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""gluster_volumes on a pool in memory: what it plans, what it does, and what is left when it dies on the way."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils import _reconcile as engine
from ansible_collections.socle.platform.plugins.module_utils._gluster import bricks as places
from ansible_collections.socle.platform.plugins.module_utils._gluster.state import UNBALANCED
from hypothesis import given, settings
from hypothesis import strategies as st

from .world import Died, World, apply, bricks, plan, servers

SHOP: dict[str, Any] = {
    "name": "shop",
    "bricks": bricks(servers(3)),
    "options": {"network.ping-timeout": 10},
    "quota": "1 GiB",
}


def made(count: int = 3, **more: Any) -> World:
    world = World(servers(1)[0])
    result = apply(world, servers=servers(count), volumes=[{**SHOP, "bricks": bricks(servers(count)), **more}])
    assert result.ok, result.message()
    world.writes.clear()
    return world


def refusal(world: World, **task: Any) -> str:
    before = len(world.writes)
    try:
        found = "\n".join(plan(world, **task)[0].refusals)
    except engine.DesiredError as error:
        found = str(error)
    assert len(world.writes) == before
    return found


def test_a_pool_and_a_volume_are_made_and_the_second_run_does_nothing() -> None:
    """Catches a volume without its options, quota or start, and a comparison that never comes to rest."""
    world = World(servers(1)[0])
    task = {"servers": servers(3), "volumes": [SHOP]}
    assert apply(world, **task).ok
    shop = world.volumes["shop"]
    assert sorted(world.peers) == servers(3)
    assert (shop.bricks, shop.started, shop.quota) == (SHOP["bricks"], True, 1 << 30)
    assert shop.options["network.ping-timeout"] == "10"
    world.writes.clear()
    assert not plan(world, **task)[0].changed
    assert apply(world, **task).ok
    assert world.writes == []


def test_planning_writes_nothing() -> None:
    """Catches a check mode that changes the pool."""
    world = World(servers(1)[0])
    assert plan(world, servers=servers(3), volumes=[SHOP])[0].changed
    assert world.writes == []


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        ({"replicas": 2}, "split brain"),
        ({"replicas": 3, "arbiter": True}, "need no arbiter"),
        ({"bricks": bricks(servers(2))}, "has 2 bricks"),
        ({"bricks": bricks(servers(4))}, "has 4 bricks"),
        ({"bricks": []}, "has 0 bricks"),
        ({"bricks": ["10.10.80.1:/a", "10.10.80.1:/b", "10.10.80.2:/a"]}, "not all on different servers"),
        ({"bricks": ["10.10.80.1:/a", "10.10.80.1:/a", "10.10.80.2:/a"]}, "twice"),
        ({"bricks": ["10.10.80.1", "10.10.80.2:/a", "10.10.80.3:/a"]}, "not SERVER:/PATH"),
        ({"quota": "much"}, "not a size"),
        ({"name": "a b"}, "letters, digits"),
        ({"options": {UNBALANCED: "x"}}, "this collection's own"),
        ({"bricks": bricks(["10.10.80.1", "10.10.80.2", "10.10.80.9"])}, "is not in the pool"),
    ],
)
def test_what_would_lose_files_is_refused_before_anything_is_written(volume: dict[str, Any], said: str) -> None:
    """Catches two copies without an arbiter, and sets of bricks that are no copies."""
    world = World(servers(1)[0])
    found = refusal(world, servers=servers(3), volumes=[{**SHOP, **volume}])
    assert said in found
    assert volume.get("name", "shop") in found


def test_two_copies_and_an_arbiter_are_made_as_such() -> None:
    """Catches an arbiter that is a third full copy, or none."""
    world = made(replicas=2, arbiter=True)
    assert world.volumes["shop"].arbiters == 1
    assert "cannot change under its files" in refusal(world, servers=servers(3), volumes=[SHOP])


def test_growing_adds_a_set_and_spreads_the_files() -> None:
    """Catches new servers that stay empty."""
    world = made()
    grown = {"servers": servers(6), "volumes": [{**SHOP, "bricks": bricks(servers(6))}]}
    assert apply(world, **grown).ok
    shop = world.volumes["shop"]
    assert shop.bricks == bricks(servers(6))
    assert shop.rebalanced == 1
    assert UNBALANCED not in shop.options
    assert not plan(world, **grown)[0].changed


def test_a_volume_with_bricks_that_do_not_run_does_not_grow() -> None:
    """Catches a rebalance that GlusterFS refuses halfway."""
    world = made()
    world.away.add(servers(3)[2])
    found = refusal(world, servers=servers(6), volumes=[{**SHOP, "bricks": bricks(servers(6))}])
    assert "cannot grow" in found


def test_bricks_are_never_taken_away() -> None:
    """Catches a manifest with fewer servers that empties the others."""
    world = made(6)
    assert "nothing is ever taken away" in refusal(world, servers=servers(3), volumes=[SHOP])


def test_a_dead_server_is_replaced_by_one_with_another_address_and_leaves_the_pool() -> None:
    """Catches a copy that stays lost, and a dead server that still counts in quorums."""
    world = made()
    now = [*servers(2), "10.10.80.9"]
    task = {"servers": now, "volumes": [{**SHOP, "bricks": bricks(now)}], "prune": True}
    assert "whose server runs" in refusal(world, **task)
    world.away.add(servers(3)[2])
    assert apply(world, **task).ok
    assert world.volumes["shop"].bricks == bricks(now)
    assert sorted(world.peers) == now
    assert ("volume", "heal", "shop", "full") in world.writes
    assert not plan(world, **task)[0].changed


def test_a_brick_that_runs_gives_up_its_place_only_when_that_is_said() -> None:
    """Catches a live copy thrown away, and a permission that does nothing."""
    world = made()
    now = [*servers(2), "10.10.80.9"]
    assert apply(world, servers=now, volumes=[{**SHOP, "bricks": bricks(now)}], replace_live=True).ok
    assert world.volumes["shop"].bricks == bricks(now)
    assert sorted(world.peers) == [*servers(3), "10.10.80.9"]  # nothing was pruned


def test_no_copy_is_given_up_while_another_one_is_away() -> None:
    """Catches the only whole copy thrown away."""
    world = made()
    world.away |= {servers(3)[1], servers(3)[2]}
    now = [*servers(2), "10.10.80.9"]
    found = refusal(world, servers=now, volumes=[{**SHOP, "bricks": bricks(now)}])
    assert "may hold what no other has" in found


def test_a_brick_on_a_new_machine_is_made_anew() -> None:
    """Catches a machine that came back empty and stays without its copy."""
    world = made()
    brick = SHOP["bricks"][2]
    world.blank.add(brick)
    task = {"servers": servers(3), "volumes": [SHOP], "blank": [brick]}
    assert apply(world, **task).ok
    assert ("volume", "reset-brick", "shop", brick, brick, "commit", "force") in world.writes
    assert not plan(world, **task)[0].changed


def test_a_new_machine_that_the_pool_has_not_met_yet_is_waited_for() -> None:
    """Catches a brick that stays empty because its server had just been restarted."""
    world = made()
    brick = SHOP["bricks"][2]
    world.blank.add(brick)
    world.away.add(servers(3)[2])
    world.back_after = 3
    assert apply(world, servers=servers(3), volumes=[SHOP], blank=[brick]).ok
    assert len(world.online(world.volumes["shop"])) == 3


def test_a_brick_is_never_made_anew_without_the_others() -> None:
    """Catches a reset of one brick while its only up-to-date copy is away."""
    world = made()
    world.blank.add(SHOP["bricks"][2])
    world.volumes["shop"].down.add(SHOP["bricks"][1])
    found = refusal(world, servers=servers(3), volumes=[SHOP], blank=[SHOP["bricks"][2]])
    assert SHOP["bricks"][1] in found


def test_a_brick_that_stopped_is_started() -> None:
    """Catches a brick that died and stays dead."""
    world = made()
    world.volumes["shop"].down.add(SHOP["bricks"][1])
    assert apply(world, servers=servers(3), volumes=[SHOP]).ok
    assert len(world.online(world.volumes["shop"])) == 3


def test_a_brick_that_does_not_start_is_named() -> None:
    """Catches a wait that ends without saying for which brick."""
    world = made()
    world.blank.add(SHOP["bricks"][1])
    result = apply(world, servers=servers(3), volumes=[SHOP])
    assert not result.ok
    assert SHOP["bricks"][1] in result.message()


def test_a_server_that_is_away_is_said_and_nothing_is_done() -> None:
    """Catches a run that fails, or writes, because one server is down."""
    world = made()
    world.away.add(servers(3)[2])
    found = plan(world, servers=servers(3), volumes=[SHOP])[0]
    assert not found.changed
    assert any(servers(3)[2] in warning for warning in found.warnings)


def test_options_are_compared_by_what_they_mean_and_set_back_by_an_empty_text() -> None:
    """Catches on against true at each run, and options that cannot be undone."""
    world = made(options={"features.shard": True, "nfs.disable": "on"})
    volume = {**SHOP, "options": {"features.shard": "enable", "nfs.disable": ""}}
    assert apply(world, servers=servers(3), volumes=[volume]).ok
    options = world.volumes["shop"].options
    assert (options["features.shard"], "nfs.disable" in options) == ("on", False)
    assert not plan(world, servers=servers(3), volumes=[volume])[0].changed


@pytest.mark.parametrize(("quota", "bytes_"), [("2 GiB", 2 << 30), ("1.5 MiB", 3 << 19), ("0", None)])
def test_quotas_change_and_go(quota: str, bytes_: int | None) -> None:
    """Catches a limit that stays as it was first set."""
    world = made()
    assert apply(world, servers=servers(3), volumes=[{**SHOP, "quota": quota}]).ok
    assert world.volumes["shop"].quota == bytes_
    # What nobody looks at for a minute is no limit.
    assert int(world.volumes["shop"].options["features.soft-timeout"]) <= 5
    assert not plan(world, servers=servers(3), volumes=[{**SHOP, "quota": quota}])[0].changed


def test_volumes_and_servers_go_only_when_asked() -> None:
    """Catches a volume pruned because the task does not name it."""
    world = made()
    assert apply(world, servers=servers(3), volumes=[], prune=True).ok
    assert "shop" in world.volumes
    assert apply(world, servers=servers(3), volumes=[{"name": "shop", "state": "absent"}]).ok
    assert world.volumes == {}
    assert sorted(world.peers) == servers(3)


def test_a_server_with_somebody_elses_brick_stays_in_the_pool() -> None:
    """Catches a server pruned from under a volume that the task does not name."""
    world = made()
    found = plan(world, servers=servers(2), volumes=[], prune=True)[0]
    assert not found.changed


TASKS: list[dict[str, Any]] = [
    {"servers": servers(3), "volumes": [SHOP]},
    {"servers": servers(6), "volumes": [{**SHOP, "bricks": bricks(servers(6))}]},
    {"servers": servers(6), "volumes": [{**SHOP, "bricks": bricks(servers(6)), "options": {"a.b": "", "c.d": "1"}}]},
    {
        "servers": [*servers(5), "10.10.80.9"],
        "volumes": [{**SHOP, "bricks": bricks([*servers(5), "10.10.80.9"]), "quota": "3 GiB"}],
        "replace_live": True,
        "prune": True,
    },
]


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=6))
def test_killed_at_any_write_the_next_run_gets_there(deaths: list[tuple[int, bool]]) -> None:
    """Catches a half-made volume, a set added and never balanced, a quota forgotten after a run that died."""
    world = World(servers(1)[0])
    for task in TASKS:
        for at, after in deaths:
            world.writes.clear()
            world.dies_at, world.dies_after = at, after
            with suppress(Died):
                apply(world, **task)
        world.dies_at = 0
        result = apply(world, **task)
        assert result.ok, result.message()
        assert not plan(world, **task)[0].changed
        shop = world.volumes["shop"]
        assert sorted(world.peers) == sorted(task["servers"])
        assert sorted(shop.bricks) == sorted(task["volumes"][0]["bricks"])
        assert UNBALANCED not in shop.options
        assert shop.rebalanced > 0 or len(shop.bricks) == 3


NAMES = st.lists(st.sampled_from([f"10.10.80.{n}:/b" for n in range(1, 10)]), unique=True, max_size=9)


@given(NAMES, NAMES)
def test_steps_lead_from_what_is_to_what_is_wanted(current: list[str], wanted: list[str]) -> None:
    """Catches a step that loses a brick, invents one, or tears a set apart."""
    found = places.steps(current, wanted)
    if found.problem:
        assert len(wanted) < len(current) or len(wanted) % 3 or (len(wanted) - len(current)) % 3
        return
    after = list(current)
    for old, new in found.replaced:
        after[after.index(old)] = new
    after += found.added
    assert Counter(after) == Counter(wanted)
    assert len(found.added) % 3 == 0
