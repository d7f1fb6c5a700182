# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests behave as the real ones do, also when things go wrong half way."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pvesim import tasks
from pvesim.world import Fleet

Q = "/nodes/pve1/qemu"


def make(api: Any, vmid: int = 100, **params: Any) -> None:
    upid = api.call("POST", Q, {"vmid": vmid, "scsi0": "local:1,format=qcow2", "net0": "virtio,bridge=vmbr0", **params})
    assert api.exit(upid) == "OK"


def config(api: Any, vmid: int = 100, **query: Any) -> dict[str, Any]:
    return dict(api.call("GET", f"{Q}/{vmid}/config", query or None))


def volumes(api: Any) -> set[str]:
    return set(api.site.storages["local"].on("pve1"))


def test_a_clone_that_fails_leaves_nothing(api: Any) -> None:
    """Would catch a half-made guest, a leaked volume or an id that stays taken."""
    make(api)
    before = volumes(api)
    api.app.faults.add({"kind": "task-error", "text": "disk failure", "path": "/clone$"})
    upid = api.call("POST", f"{Q}/100/clone", {"newid": 101})
    assert api.exit(upid) == "disk failure"
    assert volumes(api) == before
    assert set(api.site.guests) == {100}


def test_a_clone_whose_worker_dies_leaves_a_locked_half(api: Any) -> None:
    """Would catch a simulator kinder than the real thing: clients must meet what a crash leaves behind."""
    make(api)
    api.app.faults.add({"kind": "task-dies", "path": "/clone$"})
    upid = api.call("POST", f"{Q}/100/clone", {"newid": 101})
    assert api.exit(upid) == "unexpected status"
    assert config(api, 101)["lock"] == "clone"


def test_a_clone_in_progress_is_locked_and_takes_its_time(api: Any) -> None:
    """Would catch a clone that is usable before its task is over."""
    make(api)
    api.app.fleet.durations["qmclone"] = 2.0
    upid = api.call("POST", f"{Q}/100/clone", {"newid": 101, "name": "copy"})
    assert api.call("GET", f"/nodes/pve1/tasks/{upid}/status")["status"] == "running"
    assert api.refused("PUT", f"{Q}/101/config", {"cores": 2}) == (500, "VM is locked (clone)")
    assert api.refused("POST", f"{Q}/100/clone", {"newid": 101})[0] == 500
    api.app.fleet.clock.skip(2.0)
    assert api.call("GET", f"/nodes/pve1/tasks/{upid}/status")["exitstatus"] == "OK"
    copy, source = config(api, 101), config(api)
    assert copy["name"] == "copy" and "lock" not in copy
    assert all(copy[key] != source[key] for key in ("net0", "smbios1", "vmgenid", "scsi0"))


def test_two_clones_may_race_for_one_id(api: Any) -> None:
    """Would catch a simulator without the gap between the early check and the claim."""
    make(api)
    api.app.fleet.durations["claim"] = 0.5
    first, second = (api.call("POST", f"{Q}/100/clone", {"newid": 101}) for _unused in range(2))
    ends = {api.exit(first), api.exit(second)}
    assert ends == {"OK", "unable to create VM 101: config file already exists"}
    assert set(api.site.guests) == {100, 101}


def test_linked_clones_stand_on_a_template_and_hold_it(api: Any) -> None:
    """Would catch a template destroyed under its clones."""
    make(api)
    assert api.refused("POST", f"{Q}/100/clone", {"newid": 101, "full": 0})[1].startswith("Linked clone feature is not")
    assert api.exit(api.call("POST", f"{Q}/100/template")) == "OK"
    assert api.exit(api.call("POST", f"{Q}/100/clone", {"newid": 101})) == "OK"
    assert config(api, 101)["scsi0"].startswith("local:100/base-100-disk-0.qcow2/101/vm-101-disk-0.qcow2")
    assert "still in use by linked cloned" in api.exit(api.call("DELETE", f"{Q}/100"))
    assert api.exit(api.call("DELETE", f"{Q}/101")) == "OK"
    assert api.exit(api.call("DELETE", f"{Q}/100")) == "OK"
    assert volumes(api) == set()


def test_a_running_guest_keeps_changes_waiting(api: Any) -> None:
    """Would catch memory that grows under a running guest, or a change lost at the restart."""
    make(api, memory=512)
    assert api.exit(api.call("POST", f"{Q}/100/status/start")) == "OK"
    api.call("PUT", f"{Q}/100/config", {"memory": 1024, "name": "new", "delete": "scsihw"})
    assert config(api, current=1)["memory"] == "512"
    assert config(api)["memory"] == "1024"
    assert config(api, current=1)["name"] == "new"
    waiting = {row["key"]: row for row in api.call("GET", f"{Q}/100/pending")}
    assert waiting["memory"] == {"key": "memory", "value": "512", "pending": "1024"}
    assert api.exit(api.call("POST", f"{Q}/100/status/reboot")) == "OK"
    assert config(api, current=1)["memory"] == "1024"


def test_a_nic_sent_without_its_mac_gets_another(api: Any) -> None:
    """Would catch a simulator that hides the mistake of not sending the MAC back."""
    make(api)
    before = config(api)["net0"]
    api.call("PUT", f"{Q}/100/config", {"net0": "virtio,bridge=vmbr0"})
    assert config(api)["net0"] != before
    api.call("PUT", f"{Q}/100/config", {"net0": before})
    assert config(api)["net0"] == before


def test_a_disk_spec_sent_again_makes_another_disk(api: Any) -> None:
    """Would catch a simulator that forgives resending STORE:SIZE for a slot in use."""
    make(api)
    api.call("PUT", f"{Q}/100/config", {"scsi0": "local:1,format=qcow2"})
    after = config(api)
    assert after["scsi0"].startswith("local:100/vm-100-disk-1.qcow2")
    assert after["unused0"] == "local:100/vm-100-disk-0.qcow2"


def test_a_wrong_digest_is_refused(api: Any) -> None:
    """Would catch two controllers overwriting each other."""
    make(api)
    digest = config(api)["digest"]
    api.call("PUT", f"{Q}/100/config", {"cores": 2, "digest": digest})
    told = api.refused("PUT", f"{Q}/100/config", {"cores": 3, "digest": digest})
    assert told == (500, "checksum mismatch (file change by other user?)")
    assert config(api)["cores"] == 2


def test_a_refused_write_changes_nothing(api: Any) -> None:
    """Would catch a first disk left behind when the second cannot be made."""
    make(api)
    before, held = config(api), volumes(api)
    assert api.refused("PUT", f"{Q}/100/config", {"scsi1": "local:1", "scsi2": "nowhere:1", "cores": 4})[0] == 500
    assert (config(api), volumes(api)) == (before, held)


def _second_storage(api: Any) -> None:
    api.call("POST", "/storage", {"storage": "small", "type": "dir", "path": "/srv/small", "content": "images"})
    make(api, scsi1="small:1")
    api.site.storages["small"].full = True


def test_a_write_that_fails_half_way_leaves_no_disk(api: Any) -> None:
    """Would catch a first disk that stays when there is no room for the second."""
    _second_storage(api)
    before, held = config(api), volumes(api)
    status, reason = api.refused("PUT", f"{Q}/100/config", {"scsi4": "local:1", "scsi5": "small:1", "cores": 4})
    assert (status, "No space left" in reason) == (500, True)
    assert (config(api), volumes(api)) == (before, held)


def test_a_clone_that_fails_half_way_leaves_no_disk(api: Any) -> None:
    """Would catch the copies made so far being left behind."""
    _second_storage(api)
    held = volumes(api)
    assert "No space left" in api.exit(api.call("POST", f"{Q}/100/clone", {"newid": 101}))
    assert volumes(api) == held
    assert set(api.site.guests) == {100}


def test_a_move_to_a_node_without_the_storage_moves_nothing(make_api: Any) -> None:
    """Would catch disks scattered over two nodes, or a lock that stays."""
    api = make_api("pve1", "pve2", cluster="lab")
    folder = {"storage": "only1", "type": "dir", "path": "/srv/only1", "content": "images", "nodes": "pve1"}
    api.call("POST", "/storage", folder)
    make(api, virtio0="only1:1")
    before, held = config(api), volumes(api)
    assert "not available on node 'pve2'" in api.exit(api.call("POST", f"{Q}/100/migrate", {"target": "pve2"}))
    assert (config(api), volumes(api)) == (before, held)


def test_a_full_storage_ends_the_task(api: Any) -> None:
    """Would catch space that never runs out."""
    api.app.faults.add({"kind": "storage-full", "storage": "local", "path": "/qemu$"})
    upid = api.call("POST", Q, {"vmid": 100, "scsi0": "local:1"})
    assert "No space left on device" in api.exit(upid)
    assert set(api.site.guests) == set() and volumes(api) == set()


def test_a_guest_moves_with_its_disks(make_api: Any) -> None:
    """Would catch volumes left on the node a guest has left, or a lock that stays."""
    api = make_api("pve1", "pve2", cluster="lab")
    make(api)
    assert api.refused("POST", f"{Q}/100/migrate", {"target": "pve1"})[0] == 400
    assert api.exit(api.call("POST", f"{Q}/100/migrate", {"target": "pve2"})) == "OK"
    assert api.refused("GET", f"{Q}/100/config")[0] == 500
    moved = api.call("GET", "/nodes/pve2/qemu/100/config")
    assert "lock" not in moved
    assert moved["scsi0"].partition(",")[0] in api.site.storages["local"].on("pve2")
    assert volumes(api) == set()


def test_a_failed_move_leaves_anothers_lock(make_api: Any) -> None:
    """Would catch a lock taken away by a task that never had it."""
    api = make_api("pve1", "pve2", cluster="lab")
    make(api)
    api.call("PUT", f"{Q}/100/config", {"lock": "backup"})
    assert api.exit(api.call("POST", f"{Q}/100/migrate", {"target": "pve2"})) == "VM is locked (backup)"
    assert config(api)["lock"] == "backup"


def test_an_agent_answers_only_when_it_can(api: Any) -> None:
    """Would catch an agent that answers for a stopped guest, or the refusals in a wrong order."""
    make(api)
    url = f"{Q}/100/agent/network-get-interfaces"
    assert api.refused("GET", url)[1] == "No QEMU guest agent configured"
    api.call("PUT", f"{Q}/100/config", {"agent": 1, "ipconfig0": "ip=10.0.0.5/24"})
    assert api.refused("GET", url)[1] == "VM 100 is not running"
    api.site.guests[100].agent["delay"] = 5.0
    api.exit(api.call("POST", f"{Q}/100/status/start"))
    assert api.refused("GET", url)[1] == "QEMU guest agent is not running"
    api.app.fleet.clock.skip(5.0)
    cards = {card["name"]: card for card in api.call("GET", url)["result"]}
    assert cards["eth0"]["ip-addresses"][0]["ip-address"] == "10.0.0.5"


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(
                ["clone", "resize", "add", "detach", "drop", "start", "stop", "snapshot", "migrate", "destroy"]
            ),
            st.sampled_from([100, 101, 102]),
            st.sampled_from([101, 102, 103]),
        ),
        max_size=14,
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_of_requests_leaks_or_shares_a_volume(make_api: Any, steps: list[tuple[str, int, int]]) -> None:
    """Would catch a volume nobody names, one named by two guests, a lock that stays, a state that cannot be written."""
    api = make_api("pve1", "pve2", cluster="lab")
    make(api)
    for kind, vmid, other in steps:
        guest = api.site.guests.get(vmid)
        base = f"/nodes/{guest.node if guest else 'pve1'}/qemu"
        requests: dict[str, tuple[str, str, dict[str, Any]]] = {
            "clone": ("POST", f"{base}/{vmid}/clone", {"newid": other}),
            "template": ("POST", f"{base}/{vmid}/template", {}),
            "resize": ("PUT", f"{base}/{vmid}/resize", {"disk": "scsi0", "size": "+1G"}),
            "add": ("POST", f"{base}/{vmid}/config", {"scsi3": "local:1"}),
            "detach": ("PUT", f"{base}/{vmid}/config", {"delete": "scsi3"}),
            "drop": ("PUT", f"{base}/{vmid}/config", {"delete": "unused0"}),
            "start": ("POST", f"{base}/{vmid}/status/start", {}),
            "stop": ("POST", f"{base}/{vmid}/status/stop", {}),
            "snapshot": ("POST", f"{base}/{vmid}/snapshot", {"snapname": "s1"}),
            "migrate": ("POST", f"{base}/{vmid}/migrate", {"target": "pve2"}),
            "destroy": ("DELETE", f"{base}/{vmid}", {}),
        }
        response = api.send(*requests[kind])
        assert response.status in (200, 400, 500), response.body
        tasks.settle(api.app.fleet)
    named: list[str] = []
    for guest in api.site.guests.values():
        assert "lock" not in guest.conf
        held = {str(value).partition(",")[0] for conf in (guest.conf, guest.pending) for value in conf.values()}
        for snapshot in guest.snapshots.values():
            held |= {str(value).partition(",")[0] for value in snapshot["conf"].values()}
        named += [volid for volid in held if volid in api.site.storages["local"].on(guest.node)]
    present = [volid for node in ("pve1", "pve2") for volid in api.site.storages["local"].on(node)]
    assert sorted(named) == sorted(present)
    state = json.loads(json.dumps(api.app.fleet.dump()))
    again = Fleet(api.app.fleet.clock)
    again.load(state)
    assert json.loads(json.dumps(again.dump())) == state
