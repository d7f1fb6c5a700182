# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a real GlusterFS 11.1, read; and what it says when something is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.socle.platform.plugins.module_utils._gluster import info, state
from ansible_collections.socle.platform.plugins.module_utils._gluster.cli import Cli, NotInstalled, NotRunning
from ansible_collections.socle.platform.plugins.module_utils._objects import (
    AdapterError,
    TransientError,
    UncertainError,
)

from .world import World, apply, bricks, servers

RECORDED = Path(__file__).parent / "recorded"
FILES = {
    "peer status": "peers",
    "pool list": "pool",
    "volume info": "info",
    "volume status all": "status",
    "volume quota v list": "quota",
    "volume heal v info summary": "heal",
}


def recorded(argv: Sequence[str]) -> tuple[int, str, str]:
    return 0, (RECORDED / f"{FILES[' '.join(argv[3:])]}.xml").read_text(), ""


def says(text: str, status: int = 1) -> Cli:
    return Cli(lambda _argv: (status, text, ""))


def test_recorded_answers_are_read_whole() -> None:
    """Catches an element of the real answers that is looked for in the wrong place."""
    pool = state.read(Cli(recorded))
    assert [(peer.names, peer.connected, peer.here) for peer in pool.peers] == [
        (("10.10.48.2",), True, False),
        (("10.10.48.3",), True, False),
        (("localhost",), True, True),
    ]
    volume = pool.volumes[0]
    assert (volume.name, volume.started, volume.width, volume.arbiters) == ("v", True, 3, 0)
    assert volume.brick_names == [f"10.10.48.{n}:/data/b/v" for n in (1, 2, 3)]
    assert volume.online == set(volume.brick_names)
    assert volume.options["features.quota"] == "on"
    assert volume.quota == 104857600
    assert all(pool.reachable(brick) for brick in volume.bricks)
    assert [(heal.connected, heal.pending) for heal in state.heal(Cli(recorded), "v")] == [(True, 0)] * 3


def test_a_bare_machine_is_an_empty_pool() -> None:
    """Catches a plan that fails because the packages are not there yet."""

    def bare(_argv: Sequence[str]) -> tuple[int, str, str]:
        raise NotInstalled

    assert state.read(Cli(bare)) == state.Pool(installed=False)


@pytest.mark.parametrize(
    ("said", "kind", "hint"),
    [
        ("Another transaction is in progress for v. Please try again after some time.", TransientError, "under way"),
        ("Error : Request timed out", UncertainError, ""),
        ("Connection failed. Please check if gluster daemon is operational.", NotRunning, "systemctl status glusterd"),
        ("Volume v does not exist", AdapterError, ""),
        (
            "<cliOutput><opRet>-1</opRet><opErrstr>10.10.80.2 is either already part of another cluster or "
            "having volumes configured</opErrstr></cliOutput>",
            AdapterError,
            "another pool",
        ),
    ],
)
def test_what_went_wrong_is_known_by_its_words(said: str, kind: type[Exception], hint: str) -> None:
    """Catches a second try after a failure that is for good, and none after one that passes."""
    with pytest.raises(kind) as caught:
        says(said).call("volume", "start", "v")
    assert caught.type is kind
    assert "gluster volume start v" in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("words", "kind"), [(("pool", "list"), TransientError), (("volume", "start", "v"), UncertainError)]
)
def test_a_failure_without_a_word_is_asked_again(words: tuple[str, ...], kind: type[Exception]) -> None:
    """Catches a run that ends because a loaded daemon did not answer once, or a change done twice."""
    with pytest.raises(kind, match="without a reason"):
        says("<cliOutput><opRet>-1</opRet><opErrstr/></cliOutput>").call(*words)


def test_info_tells_of_a_server_whose_daemon_is_not_up() -> None:
    """Catches a role that cannot look at a machine before it starts the daemon."""
    found = info.info(
        says("Connection failed. Please check if gluster daemon is operational."),
        {"paths": [], "servers": [], "wait": 0},
    )
    assert (found["installed"], found["running"], found["volumes"]) == (True, False, [])


def test_info_says_which_address_is_its_own_and_what_is_not_whole() -> None:
    """Catches a health that is good while a brick is away."""
    world = World(servers(1)[0])
    volumes = [{"name": "shop", "bricks": bricks(servers(3))}]
    assert apply(world, servers=servers(3), volumes=volumes).ok
    asked = {"paths": [], "servers": servers(3), "wait": 0}
    found = info.info(Cli(world), asked, local=lambda address: address == world.here)
    assert found["address"] == world.here
    assert found["volumes"][0]["healed"]
    world.away.add(servers(3)[1])
    found = info.info(Cli(world), asked)
    assert [brick["online"] for brick in found["volumes"][0]["bricks"]] == [True, False, True]
    assert not found["volumes"][0]["healed"]


def test_a_bricks_folder_is_known_by_what_lies_in_it(tmp_path: Path) -> None:
    """Catches a full folder taken for an empty one."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "empty").mkdir()
    assert info.brick_at(str(tmp_path / "none")) == {"there": False, "empty": True, "volume_id": ""}
    assert info.brick_at(str(tmp_path / "empty"))["empty"]
    assert not info.brick_at(str(tmp_path / "full"))["empty"]


def test_a_server_remembers_who_it_is(tmp_path: Path) -> None:
    """Catches a number read with its name or its line's end."""
    file = tmp_path / "glusterd.info"
    assert info.itself(file) == {}
    file.write_text("UUID=d14105f6\noperating-version=110000\n")
    assert info.itself(file) == {"UUID": "d14105f6", "operating-version": "110000"}
