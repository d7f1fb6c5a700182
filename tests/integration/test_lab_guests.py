# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator's guests as real machines: what the API is asked for happens to a container, and is looked at there."""

from __future__ import annotations

import functools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
sys.path.insert(0, str(ROOT / "tests" / "lab" / "pve"))
import fixture_rack  # noqa: E402  # lies in the lab's folder
from fixture import Client  # noqa: E402  # lies beside the simulator
from pvesim.simulator import Settings, Simulator  # noqa: E402  # as above
from pvesim.world import Volume  # noqa: E402  # as above
from rack import images  # noqa: E402  # as above
from rack.guests import Containers  # noqa: E402  # as above
from rack.hypervisors import ROOM, Server, wire  # noqa: E402  # as above
from rack.lab import Lab  # noqa: E402  # as above

ADDRESS = "10.10.48.7"
V = "/nodes/pve1/qemu"


class Site:
    """A simulator in this process, before a lab."""

    def __init__(self, made: Lab, folder: Path) -> None:
        self.lab, self.rack = made, made.rack
        self.backend = Containers(made.rack, lambda release: images.ensure(release, made.tell))
        self.simulator = Simulator(Settings(nodes=("pve1",), agent_patience=0, refusal_delay=0), folder, self.backend)
        self.backend.adopt(self.simulator.fleet)
        self.world = self.simulator.fleet.sites[0]
        self.world.storages["local"].total = ROOM
        wire(self.world.nodes["pve1"], Server("pve1", "203.0.113.11", "10.10.10.1"))
        image = "local:import/debian-13-genericcloud-amd64.qcow2"
        self.world.storages["local"].conf["content"] += ",import"
        self.world.storages["local"].on("pve1")[image] = Volume(image, 3 << 30, "qcow2", "import")
        self.simulator.start()
        self.do(
            "post", V, vmid=9000, name="debian-13", memory=512, net0="virtio,bridge=vmbr1", ide2="local:cloudinit",
            scsi0=f"local:0,import-from={image}", boot="order=scsi0", agent="1",
        )  # fmt: skip
        self.do("post", f"{V}/9000/template")

    @property
    def api(self) -> Client:
        """A connection of its own for each use: tests wait longer than the server keeps one open."""
        return Client(self.simulator.about()["nodes"]["pve1"]["url"], timeout=60).login("root@pam", "secret")

    def do(self, method: str, path: str, **params: Any) -> None:
        """One request, and the task that it begins."""
        upid = getattr(self.api, method)(path, **params)
        if isinstance(upid, str) and upid.startswith("UPID"):
            assert self.api.wait(upid, 120) == "OK", upid

    def clone(self, vmid: int, name: str, address: str) -> None:
        self.do("post", f"{V}/9000/clone", newid=vmid, name=name)
        key = self.lab.key.with_suffix(".pub").read_text().strip()
        self.do(
            "put", f"{V}/{vmid}/config", ipconfig0=f"ip={address}/16,gw=10.10.0.1", ciuser="ada",
            sshkeys=quote(key, safe=""), nameserver="192.0.2.1", ciupgrade=0, memory=768, cores=1,
        )  # fmt: skip

    def shell(self, vmid: int, script: str) -> str:
        code, out, err = self.rack.execute(str(vmid), "sh", "-c", script)
        assert code == 0, f"{script}: {err or out}"
        return out.strip()

    def stop(self) -> None:
        self.simulator.stop()
        self.backend.close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with fixture_rack.lab("test-guests") as made, tempfile.TemporaryDirectory() as folder:
        made.image()
        found = Site(made, Path(folder))
        found.clone(101, "worker-7", ADDRESS)
        found.do("post", f"{V}/101/status/start")
        made.rack.wait_for_ssh(["101"], made.key)
        yield found
        found.stop()


until = functools.partial(fixture_rack.until, seconds=30)


def test_a_clone_boots_as_what_it_was_configured_to_be(site: Site) -> None:
    """Catches a machine whose name, address, user or limits are not those of its configuration."""
    assert site.shell(101, "hostname") == "worker-7"
    assert ADDRESS in site.shell(101, "ip -4 -o address show eth0")
    assert site.shell(101, "id -un ada") == "ada"
    assert str(768 << 20) in site.shell(
        101, "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true"
    )
    mac = site.api.get(f"{V}/101/config")["net0"].partition("=")[2].partition(",")[0].lower()
    assert site.shell(101, "cat /sys/class/net/eth0/address") == mac


def test_the_agent_tells_what_is_true(site: Site) -> None:
    """Catches addresses that come from the books instead of from the machine."""
    site.shell(101, "ip address add 10.10.99.99/32 dev eth0")
    told = site.api.get(f"{V}/101/agent/network-get-interfaces")["result"]
    addresses = {row["ip-address"] for card in told for row in card.get("ip-addresses", [])}
    assert {ADDRESS, "10.10.99.99"} <= addresses
    site.shell(101, "ip address del 10.10.99.99/32 dev eth0")


def test_a_disk_is_added_and_grows_while_the_machine_runs(site: Site) -> None:
    """Catches a disk that exists in the books only, or whose new size the machine does not see."""
    site.do("put", f"{V}/101/config", scsi1="local:1,format=qcow2")
    until("the disk", lambda: site.rack.execute("101", "test", "-b", "/dev/sdb")[0] == 0)
    by_id = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_drive-scsi1"
    assert site.shell(101, f"blockdev --getsize64 {by_id}") == str(1 << 30)
    site.do("put", f"{V}/101/resize", disk="scsi1", size="2G")
    until("its new size", lambda: site.shell(101, "blockdev --getsize64 /dev/sdb") == str(2 << 30))


def test_a_second_card_arrives_while_the_machine_runs(site: Site) -> None:
    """Catches a card that is in the configuration and not in the machine."""
    site.do("put", f"{V}/101/config", net1="virtio,bridge=vmbr0")
    until("the card", lambda: site.rack.execute("101", "ip", "link", "show", "eth1")[0] == 0)


def test_a_snapshot_brings_files_back(site: Site) -> None:
    """Catches a rollback that changes the books and leaves the machine's files as they are."""
    site.shell(101, "echo before > /root/state; printf 1234 | dd of=/dev/sdb conv=notrunc status=none; sync")
    site.do("post", f"{V}/101/snapshot", snapname="s1")
    until("the snapshot", lambda: site.backend.alive(site.world.guests[101]))
    # Also where the disk held nothing but zeros.
    site.shell(
        101, "echo after > /root/state; printf abcd | dd of=/dev/sdb bs=1M seek=8 conv=notrunc status=none; sync"
    )
    site.do("post", f"{V}/101/snapshot/s1/rollback", start=1)
    site.lab.rack.wait_for_ssh(["101"], site.lab.key)
    assert site.shell(101, "cat /root/state") == "before"
    assert site.shell(101, "head -c4 /dev/sdb") == "1234"
    assert site.shell(101, "dd if=/dev/sdb bs=1M skip=8 count=1 status=none | tr -d '\\0' | wc -c") == "0"


def test_stopped_is_stopped_and_started_is_the_same_machine(site: Site) -> None:
    """Catches a machine that still runs after a stop, or comes back as a fresh one."""
    site.shell(101, "echo kept > /root/kept; sync")
    site.do("post", f"{V}/101/status/shutdown")
    until("its end", lambda: "101" not in site.rack.running())
    site.do("put", f"{V}/101/config", memory=640)
    site.do("post", f"{V}/101/status/start")
    site.lab.rack.wait_for_ssh(["101"], site.lab.key)
    assert site.shell(101, "cat /root/kept") == "kept"
    assert str(640 << 20) in site.shell(
        101, "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true"
    )


def test_what_cannot_boot_says_why(site: Site) -> None:
    """Catches a start that ends well although no machine is there."""
    site.do("post", V, vmid=102, name="blank", memory=512, scsi0="local:1", boot="order=scsi0")
    upid = site.api.post(f"{V}/102/status/start")
    assert "the lab boots Debian 12 and 13 only, and the disk of blank is made of an empty disk" in site.api.wait(upid)


def test_destroyed_is_gone(site: Site) -> None:
    """Catches containers, cables and disks that outlive their machine."""
    site.clone(103, "short-lived", "10.10.48.8")
    site.do("post", f"{V}/103/status/start")
    assert "103" in site.rack.running()
    site.do("post", f"{V}/103/status/stop")
    site.do("delete", f"{V}/103")
    until("its removal", lambda: "103" not in site.rack.names() and not site.rack.exists("103"))
    assert not list(site.rack.storage.glob("103.*"))
