# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users of today's tools suffer from, one test each, named after what went wrong there.

Those of storages, firewalls, clusters, images and the inventory belong to the tests of these.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._proxmox.guest_waits import usable
from ansible_collections.socle.platform.plugins.module_utils._values import Secret

from .lab import KEY, Cluster, absent, machine, settings_of


def test_01_update_always_reported_changed(cluster: Cluster) -> None:
    """`update: true` reported changed at every run: here a second run writes nothing, whatever was set."""
    machines = [
        machine("web1", tags=["b", "A"], description="two\nlines\n", onboot=True, order=3, agent=True, cpu=None),
        machine("web2", options={"cpu": "host", "numa": True, "ostype": "l26"}, balloon="1 GiB", sockets=2),
        machine("web3", nics=[{"bridge": "vmbr0", "vlan": 5, "firewall": True, "rate": 5.0, "address": "dhcp"}]),
        machine("web4", disks=[{"size": "10 GiB", "options": {"discard": True, "ssd": True}}], boot=["scsi0", "net0"]),
    ]
    assert cluster.run(machines).message == ""
    again = cluster.run(machines)
    assert not again.changed and again.writes == [] and again.paths == {}


def test_02_cloud_init_was_never_idempotent_because_keys_were_compared_encoded(cluster: Cluster) -> None:
    """SSH keys go out encoded twice and come back encoded once; order and blank lines mean nothing."""
    other = KEY.replace("ops@example", "ada+x/y=@example")
    first = machine(
        "web1", cloud_init={"user": "ops", "ssh_keys": [KEY, other], "nameservers": ["10.0.0.1", "10.0.0.2"]}
    )
    assert cluster.run([first]).message == ""
    same = machine("web1", cloud_init={**first["cloud_init"], "ssh_keys": [f"{other}\n\n", f" {KEY} "]})
    assert cluster.run([same]).actions == {}
    fewer = machine("web1", cloud_init={**first["cloud_init"], "ssh_keys": [KEY]})
    changed = cluster.run([fewer])
    assert changed.paths == {"web1": ("cloud_init.ssh_keys",)} and changed.message == ""
    assert "ada" not in settings_of(cluster.guest("web1"))["sshkeys"]


def test_03_update_failed_when_the_machine_did_not_exist(cluster: Cluster) -> None:
    """There is one way to say what shall be: it makes what is missing and changes what differs."""
    cluster.run([machine("web1")])
    both = cluster.run([machine("web1", cores=4), machine("web2", cores=4)])
    assert both.actions == {"web1": "update", "web2": "create"} and both.message == ""


def test_04_clone_silently_ignored_cloud_init(cluster: Cluster) -> None:
    """Everything that was asked for is there after the one task that clones."""
    cluster.run([machine("web1", tags=["blue"], pool=None)])
    conf = settings_of(cluster.guest("web1"))
    assert conf["ciuser"] == "ops" and conf["cipassword"] and conf["ipconfig0"] == "ip=10.0.0.2/24,gw=10.0.0.254"
    assert conf["cores"] == 2 and conf["memory"] == "2048" and "size=10G" in conf["scsi0"]
    assert conf["tags"] == "blue;socle-cater" and cluster.guest("web1").running


def test_05_cloning_an_existing_machine_returned_the_templates_id(cluster: Cluster) -> None:
    """Later tasks then modified the template."""
    first = cluster.run([machine("web1")])
    again = cluster.run([machine("web1")])
    assert again.machines["web1"]["id"] == first.machines["web1"]["id"] == cluster.guest("web1").vmid
    assert "cores" not in cluster.site.guests[9000].conf


def test_06_machines_made_in_parallel_raced_for_ids(cluster: Cluster) -> None:
    """Twenty at once from one controller, and the same twenty from another one at the same moment."""
    names = [f"web{i}" for i in range(20)]
    cluster.control("POST", "durations", qmclone=0.3)
    runs: list[Any] = []
    threads = [
        threading.Thread(target=lambda: runs.append(cluster.run([machine(name) for name in names])))
        for _unused in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Where both were at the same machine, the slower one is refused by the digest: a sentence, never a second machine.
    failures = [sentence for run in runs for sentence in run.message.splitlines()[1:]]
    assert [sentence for sentence in failures if "somebody changed it since it was read" not in sentence] == []
    assert cluster.run([machine(name) for name in names]).message == ""
    assert cluster.problems(names) == []


def test_07_a_full_clone_failed_after_thirty_seconds_on_slow_disks(cluster: Cluster) -> None:
    """A clone may take as long as the task's deadline; the clock of the simulator runs 100 times as fast here."""
    cluster.control("POST", "clock", speed=100)
    cluster.control("POST", "durations", qmclone=90)
    assert cluster.run([machine("web1", full=True)]).message == ""
    assert cluster.problems(["web1"]) == []


def test_08_disks_and_cards_could_not_be_updated(cluster: Cluster) -> None:
    cluster.run([machine("web1")])
    more = machine(
        "web1",
        disks=[
            {"size": "12 GiB", "options": {"discard": True}},
            {"slot": "scsi1", "size": "5 GiB", "storage": "local"},
        ],
        nics=[{"bridge": "vmbr0", "vlan": 7, "address": "10.0.0.9/24"}, {"bridge": "vmbr0"}],
    )
    run = cluster.run([more])
    assert run.message == "" and cluster.run([more]).actions == {}
    conf = settings_of(cluster.guest("web1"))
    assert "size=12G" in cluster.guest("web1").conf["scsi0"]
    assert "discard=on" in conf["scsi0"] and "size=5G" in conf["scsi1"]
    assert "tag=7" in conf["net0"] and "net1" in conf and conf["ipconfig0"] == "ip=10.0.0.9/24"


def test_09_a_disk_option_replaced_the_disk_and_a_card_option_its_mac(cluster: Cluster) -> None:
    cluster.run([machine("web1")])
    before = settings_of(cluster.guest("web1"))
    cluster.run([machine("web1", disks=[{"size": "10 GiB", "options": {"ssd": True}}])])
    cluster.run([machine("web1", nics=[{"bridge": "vmbr0", "vlan": 9, "address": "10.0.0.2/24"}])])
    after = settings_of(cluster.guest("web1"))
    assert after["scsi0"].split(",")[0] == before["scsi0"].split(",")[0] and "ssd=1" in after["scsi0"]
    assert after["net0"].split(",")[0] == before["net0"].split(",")[0] and "tag=9" in after["net0"]
    assert not [key for key in after if key.startswith("unused")]


@pytest.mark.parametrize("size", ["10 GiB", "10G", "10240 MiB", "10737418240 B", 10, "10"])
def test_10_sizes_were_compared_as_text(cluster: Cluster, size: Any) -> None:
    """Every way to write a size means the same, and a smaller one is refused with the reason."""
    if "web1" not in [g.conf.get("name") for g in cluster.site.guests.values()]:
        cluster.run([machine("web1")])
    assert cluster.run([machine("web1", disks=[{"size": size}])]).actions == {}
    shrunk = cluster.run([machine("web1", disks=[{"size": "9 GiB"}])])
    assert "disk scsi0 of it has 10 GiB, and 9 GiB is wanted: Proxmox cannot shrink a disk" in shrunk.message
    assert shrunk.writes == []


def test_11_an_empty_cd_drive_was_always_changed(cluster: Cluster) -> None:
    """A drive without a disk, and the cloud-init drive, are no disks and never a difference."""
    cluster.run([machine("web1")])
    cluster.control("POST", "guest", vmid=cluster.guest("web1").vmid, conf={"ide0": "none,media=cdrom"})
    assert cluster.run([machine("web1")]).actions == {}


def test_12_changed_settings_were_ignored(cluster: Cluster) -> None:
    """Each setting that differs is named in the plan, and is there afterwards."""
    cluster.run([machine("web1")])
    wanted = machine("web1", cores=3, memory="3 GiB", onboot=True, description="new", tags=["x"], order=7)
    run = cluster.run([wanted])
    assert set(run.paths["web1"]) == {"cores", "memory", "onboot", "description", "tags", "order"}
    conf = settings_of(cluster.guest("web1"))
    assert (conf["cores"], conf["memory"], conf["description"], conf["startup"]) == (3, "3072", "new", "order=7")


def test_13_five_seconds_were_too_short_for_a_busy_host(cluster: Cluster) -> None:
    """A single answer may take six seconds; nothing is given up, and nothing is done twice."""
    cluster.fault("latency", method="PUT", path="/config$", seconds=6)
    assert cluster.run([machine("web1")]).message == ""
    assert cluster.problems(["web1"]) == []


def test_14_reading_many_guests_took_minutes(three: Cluster) -> None:
    """Guests that are not ours cost nothing: one list, and one request for each machine and node."""
    three.control("POST", "guests", count=300, first=2000)
    three.settle()
    names = [f"web{i}" for i in range(6)]
    three.run([machine(name) for name in names])
    three.settle()
    again = three.run([machine(name) for name in names])
    assert again.actions == {} and len(again.log) <= 1 + 6 + 3, again.count()


def test_15_no_check_mode(cluster: Cluster) -> None:
    """Check mode writes nothing at all, and says what the run then does."""
    cluster.run([machine("web1")])
    wanted = [machine("web1", memory="4 GiB"), machine("web2"), absent("web3")]
    check = cluster.run(wanted, check=True)
    assert check.writes == []
    real = cluster.run(wanted)
    assert check.plan.as_dict() == real.plan.as_dict() and real.message == ""
    assert real.actions == {"web1": "update", "web2": "create"}


def test_16_a_token_was_not_enough(cluster: Cluster) -> None:
    """Machines need no root: a token with few privileges makes, changes and destroys them."""
    with cluster.root() as pve:
        pve.post(
            "/access/roles",
            roleid="Machines",
            privs="VM.Allocate VM.Audit VM.Clone VM.Config.CDROM VM.Config.CPU VM.Config.Cloudinit VM.Config.Disk "
            "VM.Config.HWType VM.Config.Memory VM.Config.Network VM.Config.Options VM.PowerMgmt "
            "Datastore.AllocateSpace Datastore.Audit SDN.Use Sys.Audit",
        )
        pve.post("/access/users", userid="socle@pve")
        secret = pve.post("/access/users/socle@pve/token/machines", privsep=0)["value"]
        pve.put("/access/acl", path="/", roles="Machines", users="socle@pve")
    as_token = {"api_user": None, "api_token_id": "socle@pve!machines", "api_token_secret": Secret(secret)}
    assert cluster.run([machine("web1")], **as_token).message == ""
    assert cluster.run([machine("web1", memory="4 GiB")], **as_token).message == ""
    assert cluster.run([absent("web1")], **as_token).message == ""
    assert cluster.problems([]) == []


def test_17_destroying_a_machine_destroyed_its_detached_disks(cluster: Cluster) -> None:
    cluster.run([machine("web1", disks=[{"size": "10 GiB"}, {"slot": "scsi1", "size": "1 GiB"}])])
    guest = cluster.guest("web1")
    volume = guest.conf["scsi1"].split(",")[0]
    cluster.control("POST", "guest", vmid=guest.vmid, conf={"scsi1": None, "unused0": volume})
    guest.powered.pop("scsi1", None)
    refused = cluster.run([absent("web1")])
    assert volume in refused.message and "destroy_detached_disks" in refused.message and refused.writes == []
    assert cluster.run([absent("web1")], destroy_detached_disks=True).message == ""
    assert cluster.problems([]) == []


def test_18_a_link_local_address_was_taken_for_the_guests_own(cluster: Cluster) -> None:
    """The agent first tells loopback and link-local addresses: none of them is an address to wait for."""

    def card(*addresses: str) -> dict[str, Any]:
        return {
            "name": "eth0",
            "ip-addresses": [{"ip-address": a, "ip-address-type": "x", "prefix": 1} for a in addresses],
        }

    assert usable([card("127.0.0.1", "::1"), card("fe80::1%eth0", "169.254.3.4"), {"name": "eth1"}]) == []
    assert usable([card("fe80::1", "2001:db8::7", "10.0.0.9")]) == ["10.0.0.9", "2001:db8::7"]
    cluster.control("POST", "settings", agent_patience=0)
    run = cluster.run([machine("web1", agent=True)], wait="agent", wait_timeout=20)
    assert run.message == "" and "address" in run.notes("web1")[0], run.notes("web1")
