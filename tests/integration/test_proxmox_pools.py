# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""proxmox_pools against the simulator."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._proxmox import pools
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import Session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxmox_site import Site, Work, results, running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("pve"), nodes=("pve1", "pve2"), cluster="lab") as made:
        made.control("POST", "guests", count=6, first=100)
        made.simulator.control.remember()
        yield made


@pytest.fixture(autouse=True)
def fresh(site: Site) -> None:
    site.reset()


def work(session: Session, move: bool = False) -> Work:
    return Work(
        pools.spec(),
        pools.desired,
        lambda _unused: pools.Pools(session, move),
        lambda _unused: pools.PoolsWriter(session, move),
    )


def members(site: Site, name: str) -> set[int]:
    return set(site.world.pools[name]["vms"])


WANTED: list[dict[str, Any]] = [
    {"name": "cater/production", "guests": [101, 100], "storages": ["local"]},
    {"name": "cater", "comment": "The platform"},
]


def test_a_set_is_made_in_order_and_found_again(site: Site) -> None:
    """Would catch an inner pool made before the outer one, members lost, or a second run that writes."""
    with site.session() as session:
        result = work(session).apply(pools=WANTED)
        assert result.ok, result.message()
        assert members(site, "cater/production") == {100, 101}
        assert site.world.pools["cater"]["comment"] == "The platform"
        site.forget()
        assert not work(session).plan(pools=WANTED).changed
        assert site.writes() == []
        assert len(site.requests()) <= 4


def test_members_come_and_go(site: Site) -> None:
    """Would catch members that are only ever added."""
    with site.session() as session:
        work(session).apply(pools=WANTED)
        changed = [{**WANTED[0], "guests": [101, 102], "storages": []}, WANTED[1]]
        result = work(session).apply(pools=changed)
        assert result.ok, result.message()
        assert members(site, "cater/production") == {101, 102}
        assert not site.world.pools["cater/production"]["storage"]


def test_members_that_are_not_named_stay(site: Site) -> None:
    """Would catch a pool emptied because its task only set a comment."""
    with site.session() as session:
        work(session).apply(pools=WANTED)
        assert work(session).apply(pools=[{"name": "cater/production", "comment": "x"}]).ok
        assert members(site, "cater/production") == {100, 101}


def test_a_guest_is_not_taken_from_another_pool_unasked(site: Site) -> None:
    """Would catch a guest moved silently, and one that cannot be moved when asked."""
    with site.session() as session:
        work(session).apply(pools=WANTED)
        other = [{"name": "other", "guests": [100]}]
        (refusal,) = work(session).plan(pools=other).refusals
        assert "guest 100 belongs to pool cater/production" in refusal and "move" in refusal
        assert work(session, move=True).apply(pools=other).ok
        assert members(site, "other") == {100} and members(site, "cater/production") == {101}


def test_everything_wrong_is_said_before_the_first_write(site: Site) -> None:
    """Would catch unknown members: the API takes any id and any name without a word."""
    with site.session() as session:
        site.forget()
        wrong = [
            {"name": "a", "guests": [100, 4711]},
            {"name": "b", "guests": [100], "storages": ["lokal"]},
            {"name": "none/inner"},
        ]
        text = "\n".join(work(session).plan(pools=wrong).refusals)
        for part in ("no guest 4711", "both pool a and pool b", "no storage lokal; there are local", "parent none"):
            assert part in text
        assert site.writes() == []


def test_a_pool_that_holds_something_is_not_removed(site: Site) -> None:
    """Would catch a removal that the API refuses half way, after others are gone."""
    with site.session() as session:
        work(session).apply(pools=WANTED)
        gone = [{"name": name, "state": "absent"} for name in ("cater", "cater/production")]
        (refusal,) = work(session).plan(pools=gone).refusals
        assert "guest 100, guest 101, storage local" in refusal
        work(session).apply(pools=[{**WANTED[0], "guests": [], "storages": []}])
        assert work(session).apply(pools=gone).ok
        assert not [name for name in site.world.pools if name.startswith("cater")]


names = st.sampled_from(["a", "a/b", "c"])
pool_sets = st.lists(
    st.fixed_dictionaries(
        {"name": names},
        optional={
            "comment": st.sampled_from(["", "x", "y z"]),
            "guests": st.lists(st.integers(100, 105), max_size=3),
            "storages": st.lists(st.just("local"), max_size=1),
        },
    ),
    max_size=3,
    unique_by=lambda pool: pool["name"],
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=pool_sets, second=pool_sets)
def test_any_two_sets_converge(site: Site, first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    """Would catch any pair of states that does not lead to what was asked, or is not quiet afterwards."""
    site.reset()
    with site.session() as session:
        for wanted in (first, second):
            if work(session, move=True).plan(pools=wanted).refusals:
                continue
            assert work(session, move=True).apply(pools=wanted).ok
            assert not work(session, move=True).plan(pools=wanted).changed
            for pool in wanted:
                if "guests" in pool:
                    assert members(site, pool["name"]) == set(pool["guests"])


def test_playbook_check_mode_predicts_and_writes_nothing(site: Site) -> None:
    """Would catch a write in check mode, a plan unlike what is then done, and a second run that changes something."""
    task = {"socle.platform.proxmox_pools": {**site.connection(), "pools": WANTED}}
    site.forget()
    predicted = results(site.playbook([task], "--check", "--diff"))[0]
    assert predicted.get("changed"), predicted
    assert predicted["changed"] and site.writes() == []
    done = results(site.playbook([task, task]))
    assert [r["changed"] for r in done] == [True, False]
    plain = [{k: o[k] for k in ("key", "action", "fields")} for o in predicted["objects"]]
    assert plain == [{k: o[k] for k in ("key", "action", "fields")} for o in done[0]["objects"]]
    assert members(site, "cater/production") == {100, 101}


def test_playbook_info_gives_back_what_was_asked_for(site: Site) -> None:
    """Would catch an info module whose list means something else to the module, or lacks a member."""
    with site.session() as session:
        work(session).apply(pools=WANTED)
        found = results(site.playbook([{"socle.platform.proxmox_pools_info": site.connection()}]))[0]["pools"]
        assert found == [
            {"name": "cater", "comment": "The platform", "guests": [], "storages": []},
            {"name": "cater/production", "comment": "", "guests": [100, 101], "storages": ["local"]},
        ]
        assert not work(session).plan(pools=found).changed
    one, bad = (
        results(site.playbook([{"socle.platform.proxmox_pools_info": {**site.connection(), "names": [name]}}]))[0]
        for name in ("cater/production", "catre")
    )
    assert one["pools"] == found[1:]
    assert bad["failed"] and "no pool catre; there are cater, cater/production" in bad["msg"]
