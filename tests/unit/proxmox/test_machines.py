# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine's life on a simulated cluster: what it costs, whose it is, what is refused, and why."""

from __future__ import annotations

import re
import socket
import threading
from typing import Any, cast

import pytest
from ansible_collections.socle.platform.plugins.module_utils._proxmox import guest_waits, identity
from ansible_collections.socle.platform.plugins.module_utils._proxmox.client import Proxmox
from ansible_collections.socle.platform.plugins.module_utils._proxmox.errors import LoginFailed
from ansible_collections.socle.platform.plugins.module_utils._proxmox.live import Live
from ansible_collections.socle.platform.plugins.module_utils._proxmox.machine_reader import MachineReader
from ansible_collections.socle.platform.plugins.module_utils._proxmox.machines import machines_of
from ansible_collections.socle.platform.plugins.module_utils._reconcile import EngineError
from ansible_collections.socle.platform.plugins.module_utils._values import Secret

from .lab import GIB, PLATFORM, Cluster, absent, machine, settings_of


def test_one_machine_costs_ten_requests_and_each_further_one_at_most_seven(cluster: Cluster) -> None:
    """Would catch any further request per machine."""
    one = cluster.run([machine("web1")])
    assert one.message == "" and len(one.log) <= 10, one.count()
    cluster.settle()
    many = cluster.run([machine(f"web{i}") for i in range(2, 22)])
    assert many.message == "" and len(many.log) <= 10 + 19 * 7, many.count()
    cluster.settle()
    again = cluster.run([machine(f"web{i}") for i in range(1, 22)])
    assert not again.changed and len(again.log) == 1 + 21 + 1, again.count()


def test_one_that_drifted_is_found_and_named_at_the_cost_of_a_second_run(cluster: Cluster) -> None:
    machines = [machine(f"web{i}") for i in range(10)]
    cluster.run(machines)
    cluster.settle()
    cluster.control("POST", "guest", vmid=cluster.guest("web4").vmid, conf={"cores": 7, "onboot": 1})
    check = cluster.run(machines, check=True)
    assert check.paths == {"web4": ("cores",)} and check.writes == [] and len(check.log) == 1 + 10 + 1


def test_the_plan_of_check_mode_is_what_is_then_done(cluster: Cluster) -> None:
    cluster.run([machine("web1"), machine("web2"), machine("web3")])
    wanted = [machine("web1", cores=4), absent("web2"), machine("web3"), machine("web4")]
    check = cluster.run(wanted, check=True)
    real = cluster.run(wanted)
    assert check.plan.as_dict() == real.plan.as_dict() and check.machines == real.machines
    assert real.message == "" and cluster.problems(["web1", "web3", "web4"]) == []


def test_members_of_a_group_are_spread_and_stay_where_they_are(three: Cluster) -> None:
    """Would catch a spread that ignores the group, and one that moves machines when others come."""
    first = three.run([machine(f"a{i}", group="a") for i in range(3)])
    assert {told["node"] for told in first.machines.values()} == {"pve1", "pve2", "pve3"}
    more = [machine(f"a{i}", group="a") for i in range(5)] + [machine(f"b{i}", group="b") for i in range(10, 13)]
    second = three.run(more)
    assert all(second.machines[name]["node"] == told["node"] for name, told in first.machines.items())
    assert {second.machines[f"b{i}"]["node"] for i in range(10, 13)} == {"pve1", "pve2", "pve3"}
    assert three.problems([m["name"] for m in more]) == []


def test_a_machine_goes_where_its_local_template_is(three: Cluster) -> None:
    """A template on a local storage can only be cloned on its own node; each node may have one of the name."""
    three.template(9101, "small", "pve2", "local")
    three.template(9102, "small", "pve3", "local")
    run = three.run([machine(f"w{i}", template="small", group="w") for i in range(4)])
    assert run.message == ""
    assert sorted(told["node"] for told in run.machines.values()) == ["pve2", "pve2", "pve3", "pve3"]
    wrong = three.run([machine("x1", template="small", node="pve1")])
    assert "template small lies on node pve2 on storage local, which pve1 does not share" in wrong.message


def test_a_machine_that_moved_to_another_node_is_found_and_left_there(three: Cluster) -> None:
    """Live migration by hand or by HA is no drift."""
    three.run([machine("web1", node="pve1")])
    three.guest("web1").node = "pve3"
    three.site.revision += 1
    again = three.run([machine("web1", node="pve1")])
    assert not again.changed and again.machines["web1"]["node"] == "pve3"
    assert "it lives on pve3, not on pve1" in again.plan.warnings[0]


def test_settings_that_wait_for_a_reboot_are_told_and_rebooted_one_by_one_when_asked(
    cluster: Cluster,
) -> None:
    cluster.run([machine("web1"), machine("web2")])
    cluster.control("POST", "durations", qmreboot=0.3)
    bigger = [machine("web1", memory="4 GiB"), machine("web2", memory="4 GiB")]
    first = cluster.run(bigger)
    assert first.notes("web1") == ["needs a reboot for memory"]
    assert any("web2: needs a reboot for memory" in warning for warning in cluster.run(bigger).plan.warnings)
    check = cluster.run(bigger, check=True, reboot="rolling")
    assert check.paths == {"web1": ("pending",), "web2": ("pending",)} and check.writes == []
    rolled = cluster.run(bigger, reboot="rolling")
    assert rolled.notes("web1") == ["rebooted for memory"] and rolled.message == ""
    found = [re.search(r"/qemu/([0-9]+)/status/(?:reboot|current)", row["path"]) for row in rolled.log]
    order = [match[1] for match in found if match]
    first_vmid = order[0]
    assert order == sorted(order, key=lambda vmid: vmid != first_vmid), "the second went down before the first was back"
    assert not cluster.run(bigger, reboot="rolling").changed
    assert cluster.guest("web1").conf["memory"] == "4096"


def test_a_machine_is_stopped_when_it_shall_not_run(cluster: Cluster) -> None:
    cluster.run([machine("web1")])
    off = machine("web1", started=False, memory="1 GiB")
    assert cluster.run([off]).message == "" and not cluster.guest("web1").running
    assert not cluster.run([off]).changed
    assert cluster.run([machine("web1")]).message == "" and cluster.guest("web1").running


def test_what_nothing_asks_for_stays_unless_prune_is_set_and_others_machines_always_stay(cluster: Cluster) -> None:
    cluster.foreign(500, "db", tags=identity.platform_tag(PLATFORM))
    cluster.run([machine("web1"), machine("web2")])
    cluster.settle()
    assert not cluster.run([machine("web1")]).changed
    pruned = cluster.run([machine("web1")], prune=True)
    assert pruned.actions == {"web2": "delete"} and pruned.message == ""
    assert {g.conf["name"] for g in cluster.site.guests.values()} == {"debian-13", "db", "web1"}


# -- whose it is -------------------------------------------------------------------------------------------------------


def test_an_id_that_somebody_else_has_is_refused_by_both_names(cluster: Cluster) -> None:
    cluster.foreign(500, "db")
    run = cluster.run([machine("web1", id=500)])
    assert "id 500 is taken by db (id 500 on pve1), which is not this machine" in run.message and run.writes == []
    gone = cluster.run([{**absent("web1"), "id": 500}])
    assert "is taken by db" in gone.message and gone.writes == []


def test_a_name_that_somebody_else_has_is_refused_by_both_names(cluster: Cluster) -> None:
    cluster.foreign(500, "web1")
    run = cluster.run([machine("web1")])
    assert "machine web1: web1 (id 500 on pve1) has the same name and was not made by this platform" in run.message
    assert run.writes == [] and cluster.run([absent("web1")]).writes == []


def test_the_right_machine_under_another_name_is_refused_by_both_names(cluster: Cluster) -> None:
    cluster.run([machine("web1")])
    cluster.control("POST", "guest", vmid=cluster.guest("web1").vmid, conf={"name": "shop"})
    cluster.settle()
    run = cluster.run([machine("web1")])
    assert "proves to be it, and is named 'shop' now; rename it back to 'web1'" in run.message and run.writes == []


def test_two_guests_that_prove_to_be_one_machine_are_refused_by_both_ids(cluster: Cluster) -> None:
    """As after a restore from a backup beside the original."""
    cluster.run([machine("web1")])
    original = cluster.guest("web1")
    cluster.foreign(501, "web1", smbios1=original.conf["smbios1"], tags=original.conf["tags"])
    run = cluster.run([machine("web1")])
    assert "two guests prove to be it" in run.message and "501" in run.message and str(original.vmid) in run.message
    assert run.writes == []


def test_an_id_that_was_given_to_another_guest_is_never_touched(cluster: Cluster) -> None:
    """Other tools destroyed healthy machines this way: the machine is gone, its id belongs to somebody else."""
    cluster.run([machine("web1")])
    vmid = cluster.guest("web1").vmid
    with cluster.root() as pve:
        pve.post(f"/nodes/pve1/qemu/{vmid}/status/stop")
        pve.put(f"/nodes/pve1/qemu/{vmid}/config", protection=0)
        pve.delete(f"/nodes/pve1/qemu/{vmid}")
    cluster.settle()
    cluster.foreign(vmid, "precious")
    assert not cluster.run([absent("web1")]).changed
    run = cluster.run([machine("web1")])
    assert f"id {vmid} is taken by precious" in run.message and run.writes == []
    assert cluster.run([machine("web1", id=700)]).message == "" and cluster.guest("web1").vmid == 700
    assert cluster.site.guests[vmid].conf["name"] == "precious"


@pytest.mark.parametrize("action", ["update", "absent"])
def test_an_id_recycled_between_plan_and_apply_is_refused(cluster: Cluster, action: str) -> None:
    """The proof is asked for again right before each write, not only when planning."""
    from ansible_collections.socle.platform.plugins.module_utils._proxmox import machine_adapter
    from ansible_collections.socle.platform.plugins.module_utils._reconcile import Options, apply, plan

    cluster.run([machine("web1")])
    wanted = [machine("web1", cores=8)] if action == "update" else [absent("web1")]
    parameters = cluster.parameters(wanted)
    parts = machine_adapter.Machines()
    reader = parts.reader(parameters)
    made = plan(parts.desired(parameters), reader, Options(deadline=20))
    vmid = cluster.guest("web1").vmid
    del cluster.site.guests[vmid]
    cluster.foreign(vmid, "precious", protection=0)
    before = len(cluster.log)
    result = apply(made, lambda: parts.writer(parameters), reader=reader, options=Options(deadline=20))
    assert "is not this machine any more: it is precious" in result.message()
    assert [row for row in cluster.log[before:] if row["method"] != "GET"] == []


def test_a_change_by_somebody_else_between_plan_and_apply_is_refused(cluster: Cluster) -> None:
    from ansible_collections.socle.platform.plugins.module_utils._proxmox import machine_adapter
    from ansible_collections.socle.platform.plugins.module_utils._reconcile import Options, apply, plan

    cluster.run([machine("web1")])
    parameters = cluster.parameters([machine("web1", cores=8)])
    parts = machine_adapter.Machines()
    reader = parts.reader(parameters)
    made = plan(parts.desired(parameters), reader, Options(deadline=20))
    cluster.control("POST", "guest", vmid=cluster.guest("web1").vmid, conf={"description": "mine"})
    result = apply(made, lambda: parts.writer(parameters), reader=reader, options=Options(deadline=20))
    assert "has changed since it was looked at; nothing was done to it" in result.message()
    assert settings_of(cluster.guest("web1"))["cores"] == 2


def test_a_change_by_somebody_else_in_the_last_moment_is_refused_by_the_digest(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last look and the write: only the digest that goes with the write can tell."""
    cluster.run([machine("web1")])
    put = Proxmox.put

    def late(self: Proxmox, path: str, /, **params: Any) -> Any:
        cluster.guest("web1").conf["description"] = "mine"
        return put(self, path, **params)

    monkeypatch.setattr(Proxmox, "put", late)
    run = cluster.run([machine("web1", cores=8)])
    assert "checksum mismatch" in run.message and "somebody changed it since it was read; run again" in run.message
    assert settings_of(cluster.guest("web1"))["cores"] == 2


def test_protection_is_lifted_only_from_what_is_asked_to_be_absent(cluster: Cluster) -> None:
    """A destroy that comes late, for a machine made anew under the same id, is refused by the server itself."""
    cluster.run([machine("web1")])
    vmid = cluster.guest("web1").vmid
    with cluster.root() as pve:
        pve.post(f"/nodes/pve1/qemu/{vmid}/status/stop")
        with pytest.raises(Exception, match="protection mode enabled"):
            pve.delete(f"/nodes/pve1/qemu/{vmid}")
    assert cluster.run([absent("web1")]).message == "" and cluster.problems([]) == []


# -- half-made ---------------------------------------------------------------------------------------------------------


def test_a_clone_that_was_left_by_a_killed_run_is_finished(cluster: Cluster) -> None:
    """It carries our mark and not yet our uuid; nothing else is taken for it."""
    vmid = identity.machine_id(PLATFORM, "web1")
    with cluster.root() as pve:
        mark = identity.making(PLATFORM, "web1", "debian-13")
        pve.post("/nodes/pve1/qemu/9000/clone", newid=vmid, name="web1", description=mark)
    run = cluster.run([machine("web1")])
    assert run.actions == {"web1": "update"} and "complete" in run.paths["web1"] and run.message == ""
    assert cluster.problems(["web1"]) == [] and "description" not in cluster.guest("web1").conf


def test_a_clone_under_way_by_another_run_is_waited_for(cluster: Cluster) -> None:
    vmid = identity.machine_id(PLATFORM, "web1")
    cluster.control("POST", "durations", qmclone=1.0)
    with cluster.root() as pve:
        mark = identity.making(PLATFORM, "web1", "debian-13")
        pve.post("/nodes/pve1/qemu/9000/clone", newid=vmid, name="web1", description=mark)
    assert cluster.run([machine("web1")]).message == ""
    assert cluster.problems(["web1"]) == []


def test_a_half_made_clone_of_another_template_is_made_anew(cluster: Cluster) -> None:
    cluster.template(9001, "debian-14")
    vmid = identity.machine_id(PLATFORM, "web1")
    with cluster.root() as pve:
        mark = identity.making(PLATFORM, "web1", "debian-14")
        pve.post("/nodes/pve1/qemu/9001/clone", newid=vmid, name="web1", description=mark)
    run = cluster.run([machine("web1")])
    assert run.actions == {"web1": "replace"} and run.message == "" and cluster.problems(["web1"]) == []
    assert "base-9000" in cluster.guest("web1").conf["scsi0"]


@pytest.mark.parametrize("name", ["web1", ""])
def test_a_dead_clone_is_removed_by_root_and_named_with_the_command_to_a_token(cluster: Cluster, name: str) -> None:
    """Only root@pam may unlock; a token's user is told what to run."""
    vmid = identity.machine_id(PLATFORM, "web1")
    mark = identity.making(PLATFORM, "web1", "debian-13")
    cluster.foreign(vmid, name, lock="clone", description=mark)
    if not name:
        # So early that not even the name is there.
        del cluster.site.guests[vmid].conf["name"], cluster.site.guests[vmid].conf["description"]
    told = cluster.run([machine("web1")], deadline=20)
    assert (
        "is a dead clone and keeps its lock" in told.message
        and f"qm unlock {vmid} && qm destroy {vmid}" in told.message
    )
    as_root = {"api_password": Secret("secret"), "api_token_id": None, "api_token_secret": None}
    assert cluster.run([machine("web1")], **as_root).message == ""
    assert cluster.problems(["web1"]) == []


# -- bad input ---------------------------------------------------------------------------------------------------------

BAD: list[tuple[dict[str, Any], str]] = [
    ({"template": "debian-12"}, "there is no template debian-12; did you mean debian-13?"),
    ({"node": "pve9"}, "there is no node pve9 (did you mean pve1?); nodes that are online: pve1"),
    ({"storage": "locl"}, "there is no storage locl on node pve1; did you mean local?"),
    ({"disks": [{"size": "1 GiB"}]}, "disk scsi0 of template debian-13 has 3 GiB, and 1 GiB is wanted: Proxmox cannot"),
    ({"disks": [{"size": "9000 GiB"}], "full": True}, "storage shared: 9000 GiB are asked for by web1, and"),
    ({"disks": [{"slot": "scsi3"}]}, "disk scsi3 is not there yet and has no size"),
    ({"disks": [{"slot": "scsi3", "size": 5, "storage": "no"}]}, "disk scsi3: there is no storage no on node pve1"),
    ({"nics": [{"bridge": "vmbr9"}]}, "net0: node pve1 has no bridge vmbr9; did you mean vmbr0?"),
    ({"pool": "web"}, "there is no pool web; make it first"),
    ({"memory": "4 TiB"}, "4 TiB of memory are wanted, and node pve1 has"),
    ({"cores": 512}, "512 cores are wanted, and node pve1 has"),
]


@pytest.mark.parametrize(("more", "sentence"), BAD, ids=[sentence[:30] for _unused, sentence in BAD])
def test_what_the_cluster_does_not_have_is_said_before_anything_is_done(
    cluster: Cluster, more: dict[str, Any], sentence: str
) -> None:
    run = cluster.run([machine("web1", **more), machine("web2")])
    assert f"machine web1: {sentence}" in run.message or sentence in run.message, run.message
    assert run.writes == []


def test_all_findings_come_in_one_list(cluster: Cluster) -> None:
    cluster.foreign(500, "db")
    run = cluster.run([machine(f"web{i}", **more) for i, (more, _unused) in enumerate(BAD)] + [machine("x99", id=500)])
    missing = [sentence for _unused, sentence in BAD if sentence.split("web1", maxsplit=1)[0] not in run.message]
    assert missing == [], run.message
    assert "id 500 is taken by db" in run.message


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": "web_1"}, "'web_1' is no name for a machine"),
    ({"id": 7}, "id 7 is out of range"),
    ({"template": ""}, "template is missing"),
    ({"memory": "lots"}, "memory: 'lots' is no size"),
    ({"disks": [{"size": 0}]}, "disk scsi0: 0 is no size"),
    ({"disks": [{"size": 1}, {"slot": "scsi0"}]}, "disk scsi0 is named twice"),
    ({"disks": [{"slot": "hda"}]}, "disk 'hda' is no slot"),
    ({"nics": [{"bridge": "vmbr0", "vlan": 5000}]}, "net0: vlan 5000 is out of range"),
    ({"nics": [{"bridge": "vmbr0", "mac": "x"}]}, "net0: 'x' is no MAC address"),
    ({"nics": [{"bridge": "vmbr0", "address": "10.0.0.1"}]}, "needs a prefix length"),
    ({"nics": [{"bridge": "vmbr0", "gateway": "fe80::1"}]}, "it is no IPv4 address"),
    ({"tags": ["a b"]}, "tag 'a b'"),
    ({"options": {"cores": 1}}, "options: cores has an option of its own"),
    ({"full": False, "storage": "local"}, "a linked clone (full: false) lives on its template's storage"),
]


@pytest.mark.parametrize(("more", "sentence"), WRONG, ids=[sentence[:30] for _unused, sentence in WRONG])
def test_what_cannot_be_meant_is_said_without_asking_the_cluster(
    cluster: Cluster, more: dict[str, Any], sentence: str
) -> None:
    before = len(cluster.log)
    with pytest.raises(EngineError) as error:
        cluster.run([{**machine("web1"), **more}])
    assert sentence in str(error.value) and len(cluster.log) == before


def test_machines_that_cannot_both_be_are_named_together(cluster: Cluster) -> None:
    same_ip = [{"bridge": "vmbr0", "address": "10.0.0.9/24"}]
    with pytest.raises(EngineError) as error:
        cluster.run([machine("a1", id=300, nics=same_ip), machine("b2", id=300, nics=same_ip), machine("b2")])
    said = str(error.value)
    assert "machines a1 and b2 both ask for id 300" in said and "both ask for address 10.0.0.9" in said
    assert "machine b2: named 2 times" in said


def test_a_wrong_token_and_a_missing_privilege_are_told_with_what_to_do(cluster: Cluster) -> None:
    with pytest.raises(EngineError, match=r"Authentication failed!.*check api_user with api_password"):
        cluster.run([machine("web1")], api_token_secret=Secret("00000000-0000-0000-0000-000000000000"), deadline=5)
    with pytest.raises(EngineError, match="login of root@pam was refused"):
        cluster.run([machine("web1")], api_token_id=None, api_token_secret=None, api_password=Secret("no"), deadline=5)
    with cluster.root() as pve:
        pve.post("/access/users", userid="ada@pve")
        secret = pve.post("/access/users/ada@pve/token/tok", privsep=0)["value"]
        pve.put("/access/acl", path="/", roles="PVEAuditor", users="ada@pve")
    run = cluster.run([machine("web1")], api_token_id="ada@pve!tok", api_token_secret=Secret(secret))
    assert "VM.Clone" in run.message and "give the user or token a role with VM.Clone on /vms/9000" in run.message
    assert cluster.problems([]) == []


@pytest.mark.parametrize("elsewhere", [{"node": "pve1"}, {"nodes": ["pve1", "pve3"]}])
def test_a_machine_that_is_asked_for_elsewhere_stays_and_that_is_said(three: Cluster, elsewhere: Any) -> None:
    """Would catch a machine moved behind its owner's back, and a changed `on` that silently means nothing."""
    three.run([machine("web1", node="pve2")])
    run = three.run([machine("web1", **elsewhere)])
    assert not run.changed and three.guest("web1").node == "pve2"
    (warning,) = [text for text in run.plan.warnings if "it lives on pve2, not on pve1" in text]
    assert "migrates it in Proxmox" in warning
    assert not three.run([machine("web1", nodes=["pve1", "pve2"])]).plan.warnings


def test_a_node_that_is_away_stops_only_what_lives_on_it_and_says_so_at_once(three: Cluster) -> None:
    """Would catch a machine that is taken for one that is not there, and one node that holds up all others."""
    three.run([machine("web1", node="pve2"), machine("web2", node="pve1"), machine("web4", node="pve2")])
    three.control("POST", "node", name="pve2", online=False)
    wanted = [machine("web1", cores=3), machine("web2", cores=3), machine("web3", node="pve3"), absent("web4")]
    planned = three.run(wanted, check=True).plan
    assert any("pve2 is offline: web1, web4 can neither be checked nor changed" in text for text in planned.warnings)
    before = len(three.log)
    run = three.run(wanted)
    assert "web1: update failed: node pve2, where it lives as guest" in run.message, run.message
    assert "web4: delete failed: node pve2" in run.message and "bring the node back" in run.message
    assert "web2" not in run.message and "web3" not in run.message
    assert three.guest("web2").merged()["cores"] == 3 and three.guest("web3").node == "pve3"
    assert not [row for row in three.log[before:] if "/nodes/pve2/" in row["path"]], "it was asked all the same"
    three.control("POST", "node", name="pve2", online=True)
    assert three.run(wanted).message == ""
    assert three.problems(["web1", "web2", "web3"]) == [] and not three.run(wanted).changed


def test_a_machine_that_may_live_on_a_node_that_is_away_is_not_made_again(three: Cluster) -> None:
    """Would catch a second machine of a name, when the first has another id and cannot be asked who it is."""
    three.run([machine("web1", node="pve2", id=1017)])
    three.control("POST", "clock", skip=30)
    three.control("POST", "node", name="pve2", online=False)
    run = three.run([machine("web1", id=1018)])
    assert "node pve2, where it lives as guest 1017, is offline" in run.message, run.message
    assert sorted(three.site.guests) == [1017, 9000]


def test_guests_that_show_nothing_but_our_tag_hold_back_what_they_may_be() -> None:
    """Would catch a machine made twice while the statistics of a node that is away have been forgotten."""
    wanted = machines_of({"platform": "cater", "machines": [machine("web1", id=1018), machine("web2", id=1019)]})
    live = Live(cast("Any", None), "cater", wanted)
    live.nodes = {"pve1": {"status": "online"}, "pve2": {"status": "offline"}}
    reader = MachineReader(live)
    ours = {"type": "qemu", "status": "unknown", "node": "pve2", "tags": live.tag}
    for row, held in (
        ({**ours, "vmid": 1017}, {"web1", "web2"}),
        ({**ours, "vmid": 1018}, {"web1"}),
        ({**ours, "vmid": 1017, "name": "web2"}, {"web2"}),
        ({**ours, "vmid": 1017, "name": "web3"}, set()),
        ({**ours, "vmid": 1017, "tags": "theirs"}, set()),
        ({**ours, "vmid": 1017, "node": "pve1"}, set()),
    ):
        reader._note_away(wanted, {}, {row["vmid"]: row})
        assert set(reader.away) == held, row


def test_another_api_host_takes_over_when_one_goes_away(three: Cluster) -> None:
    parameters = {"api_host": ["127.0.0.1:1", *three.hosts]}
    assert three.run([machine("web1")], **parameters).message == ""
    with pytest.raises(EngineError, match=r"no API host could be reached: 127.0.0.1:1: .*refused"):
        three.run([machine("web1")], api_host=["127.0.0.1:1"], deadline=1)


def test_the_certificate_is_checked_and_can_be_waived(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the environment must not overrule `validate_certs: false`."""
    with pytest.raises(EngineError, match="give the cluster's CA as ca_path"):
        cluster.run([machine("web1")], ca_path=None, deadline=5)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    assert cluster.run([machine("web1")], ca_path=None, validate_certs=False).message == ""


def test_waiting_for_ssh_needs_an_ssh_server() -> None:
    """A port that is open and speaks something else is not SSH; a closed one says so."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer(said: bytes) -> None:
            connection, _unused = server.accept()
            with connection:
                connection.sendall(said)

        for said, wanted in ((b"SSH-2.0-x\r\n", ""), (b"HTTP/1.1 400\r\n", "answers, and not with SSH")):
            thread = threading.Thread(target=answer, args=(said,))
            thread.start()
            assert wanted in guest_waits.banner("127.0.0.1", port) and bool(wanted) == bool(wanted)
            thread.join()
    assert "refused" in guest_waits.banner("127.0.0.1", port)


def test_a_wait_that_fails_says_what_it_waited_for_and_why(cluster: Cluster) -> None:
    cluster.control("POST", "settings", agent_patience=0)
    off = cluster.run([machine("web1", agent=False)], wait="agent", wait_timeout=5)
    assert (
        "web1: the guest agent's address: gave up" in off.message
        and "the guest agent is off in its settings" in off.message
    )


def test_the_password_is_in_no_plan_and_no_error(cluster: Cluster) -> None:
    """Also when the API repeats it in its sentence."""
    cluster.fault("status", method="PUT", path="/config$", status=500, text="cannot hash 'cloud-init-Pa55word'")
    run = cluster.run([machine("web1")], deadline=10)
    assert "cannot hash '(secret)'" in run.message
    assert "Pa55word" not in repr(run.plan) + str(run.plan.as_dict()) + run.message


def test_no_credentials_is_said(cluster: Cluster) -> None:
    with pytest.raises((EngineError, LoginFailed), match="api_token_id and api_token_secret belong together"):
        cluster.run([machine("web1")], api_token_secret=None)


def test_not_enough_space_counts_what_all_machines_take_together(cluster: Cluster) -> None:
    cluster.site.storages["local"].total = 50 * GIB
    cluster.settle()
    wanted = [machine(f"w{i}", disks=[{"size": "20 GiB"}], full=True, storage="local") for i in range(3)]
    run = cluster.run(wanted)
    assert "storage local on node pve1: 60 GiB are asked for by w0, w1, w2" in run.message and run.writes == []
    assert cluster.run(wanted, overcommit=True).message == ""
