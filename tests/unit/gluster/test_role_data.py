# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's data: where bricks lie, how volumes are mounted, and who does what in a pool with new machines."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils import _gluster as role
from hypothesis import given
from hypothesis import strategies as st

from .world import servers

ID = "0f539cb734b049b1b31c6afe1f60c0b0"


def seen(address: str, uuid: str, peers: dict[str, str], paths: dict[str, Any] | None = None) -> dict[str, Any]:
    rows = [{"uuid": uuid, "names": [], "here": True, "connected": True, "state": "Peer in Cluster"}] if uuid else []
    rows += [{"uuid": u, "names": [n], "here": False, "connected": True, "state": ""} for n, u in peers.items()]
    bricks = [{"name": f"{server}:/srv/gluster/shop/brick"} for server in servers(3)]
    volumes = [{"name": "shop", "id": ID, "bricks": bricks}] if peers else []
    whole = {"there": True, "empty": False, "volume_id": ID}
    paths = {"/srv/gluster/shop/brick": whole} if paths is None else paths
    return {"address": address, "uuid": uuid, "op_version": 110000, "servers": rows, "volumes": volumes, "paths": paths}


def pool_of_three() -> dict[str, dict[str, Any]]:
    numbers = dict(zip(servers(3), ("u1", "u2", "u3"), strict=True))
    return {
        f"g{n}": seen(address, numbers[address], {a: u for a, u in numbers.items() if a != address})
        for n, address in enumerate(servers(3), 1)
    }


def test_a_whole_pool_needs_nobody_new() -> None:
    """Catches a healthy server that is given another number, or a brick that is reset."""
    found = role.pool(pool_of_three(), servers(3))
    assert (found["manager"], found["manager_address"]) == ("g1", servers(1)[0])
    assert (found["restore"], found["introduce"], found["blank"]) == ({}, [], [])
    assert found["complete"]
    assert not role.pool(pool_of_three(), servers(6))["complete"]


@pytest.mark.parametrize("own", ["", "u-other"])
def test_a_new_machine_at_a_known_address_is_given_the_number_of_the_dead_one(own: str) -> None:
    """Catches a replaced first server that is asked to speak for the pool, and one that the pool rejects."""
    found = pool_of_three()
    found["g1"] = seen(
        servers(1)[0], own, {}, {"/srv/gluster/shop/brick": {"there": False, "empty": True, "volume_id": ""}}
    )
    done = role.pool(found, servers(3))
    assert done["manager"] == "g2"
    assert done["restore"] == {"g1": {"uuid": "u1", "op_version": 110000}}
    assert done["introduce"] == ["g1"]
    assert done["blank"] == [f"{servers(1)[0]}:/srv/gluster/shop/brick"]


def test_a_run_that_died_after_the_number_was_given_goes_on() -> None:
    """Catches a server that has its number back and is never introduced."""
    found = pool_of_three()
    found["g3"] = seen(servers(3)[2], "u3", {})
    done = role.pool(found, servers(3))
    assert (done["restore"], done["introduce"]) == ({}, ["g3"])


@pytest.mark.parametrize("whose", ["", "ffff"])
def test_a_folder_with_other_files_is_never_taken_for_empty(whose: str) -> None:
    """Catches a wrong disk that is wiped by healing."""
    found = pool_of_three()
    path = "/srv/gluster/shop/brick"
    found["g2"]["paths"][path] = {"there": True, "empty": False, "volume_id": whose}
    with pytest.raises(ValueError, match=f"{servers(2)[1]}:{path}.*wanted"):
        role.pool(found, servers(3))


def test_a_host_that_is_no_server_is_named() -> None:
    """Catches a typing error in the addresses that makes a pool of its own."""
    found = pool_of_three()
    found["g2"]["address"] = ""
    with pytest.raises(ValueError, match="g2 has none"):
        role.pool(found, servers(3))


def test_nobody_answers() -> None:
    """Catches a traceback when every server is away."""
    assert role.pool({}, servers(3))["manager"] == ""


def test_servers_beyond_the_last_set_of_three_have_no_bricks() -> None:
    """Catches a set of one or two."""
    made = role.volumes([{"name": "shop", "size": "1 GiB"}], servers(5), "/srv/gluster")
    assert [brick.partition(":")[0] for brick in made[0]["bricks"]] == servers(3)
    assert made[0]["quota"] == "1 GiB"
    assert made[0]["options"]["server.ssl"] == "on"


def test_a_volumes_own_options_stand_above_those_of_its_use() -> None:
    """Catches a manifest whose options are lost."""
    made = role.volumes(
        [{"name": "vm", "use": "vm", "options": {"features.shard": "off"}}], servers(3), "/b", tls=False, absent=["old"]
    )
    assert made[0]["options"]["features.shard"] == "off"
    assert made[0]["options"]["performance.quick-read"] == "off"
    assert "server.ssl" not in made[0]["options"]
    assert made[1] == {"name": "old", "state": "absent"}


def test_a_mount_names_every_server() -> None:
    """Catches a client that cannot mount while the first server is away."""
    made = role.mounts([{"name": "k8s"}], servers(3), "/mnt/gluster")[0]
    assert made["what"] == f"{servers(1)[0]}:/k8s"
    assert f"backup-volfile-servers={':'.join(servers(3)[1:])}" in made["options"].split(",")


@given(st.text(st.sampled_from("ab-_.:é/ 0"), max_size=12))
def test_units_are_named_as_systemd_names_them(path: str) -> None:
    """Catches a unit that systemd refuses because its name is not that of its path."""
    try:
        done = subprocess.run(
            ["systemd-escape", "--path", "--suffix=mount", f"/{path}"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("no systemd-escape here")
    if done.returncode == 0:
        assert role.unit(f"/{path}") == done.stdout.strip()
