# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GlusterFS's real daemons on the lab's nodes: what a writer that checksums every block sees while servers come and go.

One lab for all of them, since a pool takes its time: the tests stand in the order of a pool's life.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
sys.path.insert(0, str(ROOT / "tests" / "lab"))

import fixture_rack  # noqa: E402  # it lies with the lab

SERVERS = {f"g{n}": f"10.10.200.{n}" for n in range(1, 7)}
CLIENT = {"client": "10.10.201.1"}
DISK_MIB = 1024
BRICK = "/srv/gluster/data/brick"
MOUNT = "/mnt/gluster/data"
PATIENCE = 600
PLAY_SECONDS = 3600

# Seven runs of playbooks on up to seven nodes.
pytestmark = pytest.mark.long

# Appends blocks, waits until each is on the servers, and only then says so: name, offset, length, checksum.
WRITER = r"""
import hashlib, os, sys, time
folder, said = sys.argv[1], open("/root/said", "a", buffering=1)
os.makedirs(folder, exist_ok=True)
number = 0
while not os.path.exists("/root/stop"):
    name, offset = f"{folder}/{number // 16:05d}", number % 16 * 16384
    block = os.urandom(16384)
    try:
        handle = os.open(name, os.O_CREAT | os.O_WRONLY)
        os.pwrite(handle, block, offset)
        os.fsync(handle)
        os.close(handle)
        print("ok", name, offset, hashlib.sha256(block).hexdigest(), file=said)
    except OSError as error:
        print("error", name, offset, error, file=said)
    number += 1
    time.sleep(0.02)
"""
# Reads back every block that was said to be there.
READER = r"""
import hashlib, sys
base, wrong, count = sys.argv[1], [], 0
for line in open("/root/said" if len(sys.argv) < 3 else sys.argv[2]):
    state, name, offset, digest = line.split(maxsplit=3)
    if state != "ok":
        continue
    count += 1
    try:
        with open(base + name[len("@MOUNT@"):], "rb") as file:
            file.seek(int(offset))
            same = hashlib.sha256(file.read(16384)).hexdigest() == digest.strip()
    except OSError as error:
        same = False
    if not same:
        wrong.append(f"{name}@{offset}")
print(count, len(wrong), *wrong[:5])
""".replace("@MOUNT@", MOUNT)


until = functools.partial(fixture_rack.until, seconds=PATIENCE)


@dataclass
class Site:
    """A pool in a lab, its client, and ways to use them."""

    lab: Any
    folder: Path
    servers: list[str] = field(default_factory=lambda: ["g1", "g2", "g3"])

    def boot(self, *names: str) -> None:
        nodes = []
        for name in names:
            node = fixture_rack.node(self.lab, name, address={**SERVERS, **CLIENT}[name])
            node.disks = {"vdb": DISK_MIB} if name in SERVERS else {}
            nodes.append(node)
        self.lab.boot(nodes, deadline=300)

    def run(self, node: str, *command: str, text: str = "", timeout: float = 120) -> str:
        status, out, err = self.lab.rack.execute(node, *command, text=text, timeout=timeout)
        assert status == 0, f"{node}: {' '.join(command)}: {err or out}"
        return str(out)

    def python(self, node: str, program: str, *arguments: str) -> str:
        return self.run(node, "python3", "-", *arguments, text=program, timeout=300)

    def playbook(self, name: str, *options: str, servers: list[str] | None = None) -> dict[str, Any]:
        """A real run; what Ansible counted for each host."""
        self.servers = servers or self.servers
        inventory = {
            "all": {
                "vars": {
                    "ansible_user": "socle",
                    "ansible_ssh_private_key_file": str(self.lab.key),
                    "ansible_python_interpreter": "/usr/bin/python3",
                    "glusterfs_servers": [SERVERS[server] for server in self.servers],
                    "glusterfs_volumes": [{"name": "data", "size": "700 MiB"}],
                    "glusterfs_disk": "/dev/vdb",
                    "glusterfs_lvm": False,
                    "glusterfs_encryption": False,
                    "glusterfs_heal_timeout": PATIENCE,
                    "socle_secrets": {"backend": "file", "file": str(self.folder / "secrets.yml")},
                },
                "children": {
                    "glusterfs": {"hosts": {server: {"ansible_host": SERVERS[server]} for server in self.servers}},
                    "glusterfs_clients": {"hosts": {host: {"ansible_host": at} for host, at in CLIENT.items()}},
                },
            }
        }
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
        password = self.folder / "password"
        password.write_text("nobody knows\n")
        environment = {
            **self.lab.environment(),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(password),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"),
        }
        argv = ["nsenter", f"--net=/run/netns/{self.lab.netns}", "--", str(BIN / "ansible-playbook")]
        argv += ["-i", "hosts.yml", str(ROOT / "playbooks" / name), *options]
        done = subprocess.run(
            argv, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=PLAY_SECONDS, check=False
        )
        assert "{" in done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
        (self.folder / "last.json").write_text(done.stdout)
        assert done.returncode == 0, failures(found) or done.stdout[-3000:]
        return dict(found["stats"])

    def gluster(self, *words: str, on: str = "g1") -> str:
        return self.run(on, "gluster", "--mode=script", *words)

    def pending(self, on: str = "g1") -> list[str]:
        """A line for each brick that is away or waits for something, by the daemon's own word."""
        found = self.gluster("volume", "heal", "data", "info", "summary", on=on)
        bricks = re.findall(r"Brick (\S+)\nStatus: (.+)\nTotal Number of entries: (\S+)", found)
        assert len(bricks) >= 3, found
        return [f"{brick} {status} {left}" for brick, status, left in bricks if (status, left) != ("Connected", "0")]

    def healed(self, on: str = "g1") -> None:
        until(f"healing ({self.pending(on)})", lambda: not self.pending(on))

    def said(self) -> list[str]:
        return self.run("client", "cat", "/root/said").splitlines()

    def wrote(self, more: int) -> None:
        """Until the writer has said so many more blocks."""
        had = len(self.said())
        until(f"{more} more blocks after {had}", lambda: len(self.said()) >= had + more)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A writer beside whatever happens in this block. At its end: no error, and every block is there."""
        self.run(
            "client", "sh", "-c", "rm -f /root/stop /root/said; touch /root/said; cat > /root/writer.py", text=WRITER
        )
        folder = f"{MOUNT}/{time.monotonic_ns()}"
        self.run("client", "systemd-run", "--collect", "--unit=writer", "/usr/bin/python3", "/root/writer.py", folder)
        try:
            self.wrote(50)
            yield
        finally:
            self.run("client", "touch", "/root/stop")
            ended = ("client", "sh", "-c", "systemctl is-active writer >/dev/null || echo ended")
            until("the writer's end", lambda: "ended" in self.run(*ended))
        lines = self.said()
        assert [line for line in lines if not line.startswith("ok ")] == []
        count, wrong, *names = self.python("client", READER, MOUNT).split()
        assert (int(count), int(wrong)) == (len(lines), 0), names

    def on_brick(self, server: str) -> tuple[int, int]:
        """How many blocks should be on this server's own disk, and how many of them are not."""
        self.run(server, "sh", "-c", "cat > /root/said", text="\n".join(self.said()) + "\n")
        count, wrong, *_names = self.python(server, READER, BRICK, "/root/said").split()
        return int(count), int(wrong)


def failures(found: dict[str, Any]) -> list[str]:
    return [
        f"{host}: {task['task']['name']}: {row.get('msg')}"
        for play in found["plays"]
        for task in play["tasks"]
        for host, row in task["hosts"].items()
        if row.get("failed") or row.get("unreachable")
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with fixture_rack.lab(os.environ.get("SOCLE_TEST_LAB", "t-glusterfs")) as lab:
        made = Site(lab, tmp_path_factory.mktemp("glusterfs"))
        made.boot("g1", "g2", "g3", "client")
        made.playbook("storage.yml")
        yield made


def test_a_pool_is_made_and_a_client_has_it(site: Site) -> None:
    """Catches a volume without copies on three disks, bricks beside their disk, a mount that is none, and no quota."""
    info = site.gluster("volume", "info", "data")
    assert "Number of Bricks: 1 x 3 = 3" in info
    assert "Status: Started" in info
    for server in site.servers:
        assert site.run(server, "findmnt", "--noheadings", "--output", "FSTYPE,SOURCE", "/srv/gluster").split() == [
            "xfs",
            "/dev/vdb",
        ]
    assert site.run("client", "findmnt", "--noheadings", "--output", "FSTYPE", MOUNT).strip() == "fuse.glusterfs"
    assert "700.0MB" in site.gluster("volume", "quota", "data", "list")
    assert site.run("client", "systemctl", "is-enabled", "mnt-gluster-data.mount").strip() == "enabled"


def test_a_second_run_changes_nothing(site: Site) -> None:
    """Catches a task that is never content, and one that changes the pool without saying so."""
    before = site.gluster("volume", "info"), site.gluster("pool", "list")
    stats = site.playbook("storage.yml")
    assert {host: row["changed"] for host, row in stats.items()} == dict.fromkeys(stats, 0)
    assert set(stats) == {*site.servers, "client"}
    assert (site.gluster("volume", "info"), site.gluster("pool", "list")) == before


def test_only_who_has_a_certificate_gets_in(site: Site) -> None:
    """Catches bricks or daemons that talk without TLS, or to anybody."""
    mount = "mount -t glusterfs 10.10.200.1:/data /root/m"
    trial = f"mkdir -p /root/m; {mount} && echo mounted; umount /root/m 2>/dev/null; true"
    assert "mounted" in site.run("client", "sh", "-c", trial)
    plain = f"mv /var/lib/glusterd/secure-access /root/; ({trial}); mv /root/secure-access /var/lib/glusterd/"
    assert "mounted" not in site.run("client", "sh", "-c", plain, timeout=300)
    other = (
        "cd /root; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -out c -subj /CN=g1 "
        "2>/dev/null; cp -a /etc/ssl/glusterfs.pem /etc/ssl/glusterfs.key /root/; cp c /etc/ssl/glusterfs.pem; "
        f"cp k /etc/ssl/glusterfs.key; ({trial}); cp -a /root/glusterfs.pem /root/glusterfs.key /etc/ssl/"
    )
    assert "mounted" not in site.run("client", "sh", "-c", other, timeout=300)


def test_ports_are_those_that_the_firewall_opens(site: Site) -> None:
    """Catches a brick outside of the ports that the role promises."""
    rows = site.run("g1", "ss", "--tcp", "--listening", "--numeric", "--processes", "--no-header").splitlines()
    ports = {int(row.split()[3].rpartition(":")[2]) for row in rows if "gluster" in row}
    assert 24007 in ports
    assert all(port == 24007 or 49152 <= port <= 49251 for port in ports), ports
    assert len(ports) == 2


def test_what_is_not_mounted_cannot_be_written_to(site: Site) -> None:
    """Catches files that land on a machine's own disk while the volume, or a brick's disk, is away."""
    site.run("client", "systemctl", "stop", "mnt-gluster-data.mount")
    touched = site.run("client", "sh", "-c", f"touch {MOUNT}/x 2>&1 || true")
    assert "Operation not permitted" in touched
    site.run("client", "systemctl", "start", "mnt-gluster-data.mount")
    assert (
        "i"
        in site.run(
            "g1", "sh", "-c", "mkdir -p /root/b; mount --bind / /root/b; lsattr -d /root/b/srv/gluster; umount /root/b"
        ).split()[0]
    )


def test_a_server_is_killed_and_comes_back_under_a_writer(site: Site) -> None:
    """Catches an error, or a block that is lost, when a server loses its power, and one that never gets whole."""
    with site.writing():
        subprocess.run(
            ["podman", "kill", "--signal", "KILL", site.lab.rack.container("g3")], check=True, capture_output=True
        )
        site.wrote(100)
        assert any(SERVERS["g3"] in row for row in site.pending())
        site.lab.rack.start(site.lab.rack.get("g3"))
        site.wrote(50)
    site.healed()
    count, wrong = site.on_brick("g3")
    assert count >= 200
    assert wrong == 0


def test_a_server_is_frozen_for_a_minute_under_a_writer(site: Site) -> None:
    """Catches clients that wait for a silent server for ever, and a server that is not healed when it wakes."""
    with site.writing():
        site.lab.rack.freeze("g2")
        try:
            begun = time.monotonic()
            site.wrote(50)
            until("a minute", lambda: time.monotonic() > begun + 60)
            site.wrote(20)
        finally:
            site.lab.rack.thaw("g2")
        site.wrote(20)
    site.healed()
    assert site.on_brick("g2")[1] == 0


def test_a_server_whose_cable_is_pulled_is_healed(site: Site) -> None:
    """Catches a server that, cut off alone, goes on by itself and splits the brain."""
    from rack import network

    container = site.lab.rack.container("g2")
    with site.writing():
        network.carrier(site.lab.netns, container, "eth0", up=False)
        try:
            site.wrote(50)
        finally:
            network.carrier(site.lab.netns, container, "eth0", up=True)
        site.wrote(20)
    site.healed()
    assert site.on_brick("g2")[1] == 0


def test_a_full_disk_and_a_full_volume_lose_nothing(site: Site) -> None:
    """Catches a writer that fails because one server's disk is full, and a limit that is none."""
    with site.writing():
        site.run(
            "g2",
            "sh",
            "-c",
            "dd if=/dev/zero of=/srv/gluster/fill bs=1M 2>/dev/null; sync; true",
        )
        site.wrote(50)
        site.run("g2", "rm", "-f", "/srv/gluster/fill")
    site.healed()
    assert site.on_brick("g2")[1] == 0
    filled = site.run(
        "client", "sh", "-c", f"dd if=/dev/zero of={MOUNT}/big bs=1M count=800 conv=fsync 2>&1; true", timeout=300
    )
    assert "Disk quota exceeded" in filled
    site.run("client", "rm", f"{MOUNT}/big")
    site.healed()


def test_a_dead_server_is_replaced_by_a_new_machine_under_a_writer(site: Site) -> None:
    """Catches a machine made anew that its pool rejects, or whose disk stays empty."""
    with site.writing():
        before = site.gluster("volume", "info", "data")
        site.lab.rack.destroy("g1")
        site.boot("g1")
        site.playbook("storage.yml")
        assert site.gluster("volume", "info", "data", on="g2") == before
        site.wrote(20)
    site.healed(on="g2")
    assert site.on_brick("g1")[1] == 0
    stats = site.playbook("storage.yml")
    assert {host: row["changed"] for host, row in stats.items()} == dict.fromkeys(stats, 0)


def test_a_volume_grows_under_a_writer(site: Site) -> None:
    """Catches a pool that does not take new servers, new bricks that stay empty, and files lost while they move."""
    with site.writing():
        site.boot("g4", "g5", "g6")
        site.playbook("storage.yml", servers=list(SERVERS))
        assert "Number of Bricks: 2 x 3 = 6" in site.gluster("volume", "info", "data")
        until("the spreading", lambda: "in progress" not in site.gluster("volume", "rebalance", "data", "status"))
        assert "completed" in site.gluster("volume", "rebalance", "data", "status")
        site.wrote(50)
    site.healed()
    assert (
        int(site.run("g4", "sh", "-c", f"find {BRICK} -path '*/.glusterfs' -prune -o -type f -size +0 -print | wc -l"))
        > 0
    )
    stats = site.playbook("storage.yml")
    assert {host: row["changed"] for host, row in stats.items()} == dict.fromkeys(stats, 0)


def test_servers_are_upgraded_one_by_one_under_a_writer(site: Site) -> None:
    """Catches an upgrade that takes a server while another one has not everything yet."""
    pids = {server: site.run(server, "pgrep", "-o", "-x", "glusterfsd").strip() for server in site.servers}
    with site.writing():
        site.playbook("storage_upgrade.yml", "-e", "glusterfs_restart=true")
    site.healed()
    assert all(site.run(server, "pgrep", "-o", "-x", "glusterfsd").strip() != pid for server, pid in pids.items())
