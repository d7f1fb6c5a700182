# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role proxmox_node on a bare server of the lab: packages are stand-ins; name, network and the way back are real."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

import fixture_rack  # noqa: E402  # needs the path above
import proxmox_packages  # noqa: E402  # as above
from rack.command import inside  # noqa: E402  # as above
from rack.daemons import Daemon  # noqa: E402  # as above
from rack.network import WORLD, listens  # noqa: E402  # as above

PUBLIC, RACK, GATEWAY, PORT = "203.0.113.11", "10.10.10.1", "203.0.113.1", 5002
WHOLE = {
    "proxmox_node_name": "compute1", "proxmox_node_domain": "cater.example.org", "proxmox_node_address": PUBLIC,
    "proxmox_node_peers": {"compute1": PUBLIC, "compute2": "203.0.113.12"}, "proxmox_node_manage_network": True,
    "proxmox_node_public_interface": "eth1", "proxmox_node_public_address": f"{PUBLIC}/24",
    "proxmox_node_public_gateway": GATEWAY, "proxmox_node_rack_interface": "eth0",
    "proxmox_node_rack_address": f"{RACK}/16", "proxmox_node_try_seconds": 75, "proxmox_node_timezone": "Europe/Paris",
}  # fmt: skip


@dataclass
class Server:
    """A server as a provider hands it over: Debian, its network by systemd-networkd, cloud-init still at work."""

    lab: Any
    folder: Path
    site: dict[str, Any] = field(default_factory=dict)

    def play(self, *options: str, **variables: Any) -> tuple[int, str, dict[str, int]]:
        host = {
            "ansible_host": PUBLIC, "ansible_user": "socle", "ansible_become": True,
            "ansible_python_interpreter": "/usr/bin/python3", "ansible_ssh_private_key_file": str(self.lab.key),
        }  # fmt: skip
        (self.folder / "inventory.json").write_text(json.dumps({"all": {"hosts": {"compute1": host}}}))
        body = {
            "hosts": "all", "gather_facts": False, "vars": {**WHOLE, **self.site, **variables},
            "tasks": [{"ansible.builtin.import_role": {"name": "socle.platform.proxmox_node"}}],
        }  # fmt: skip
        (self.folder / "play.yml").write_text(yaml.safe_dump([body], sort_keys=False))
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        words = [program, "-i", str(self.folder / "inventory.json"), str(self.folder / "play.yml"), *options]
        environment = {**self.lab.environment(), "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.json"}
        done = subprocess.run(
            inside(self.lab.netns, *words), cwd=ROOT, env=environment,
            capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        told = json.loads(done.stdout[done.stdout.index("{") :])
        return done.returncode, done.stdout + done.stderr, told["stats"]["compute1"]

    def run(self, script: str) -> str:
        code, out, error = self.lab.rack.execute("compute1", "sh", "-c", script)
        assert code == 0, f"{script}: {out}{error}"
        return str(out).strip()

    def addresses(self) -> dict[str, str]:
        """What each interface has, of IPv4."""
        rows = (line.split() for line in self.run("ip -br -4 address").splitlines())
        return {row[0].partition("@")[0]: " ".join(row[2:]) for row in rows if row[0] != "lo"}

    def files(self) -> str:
        return self.run(
            "find /etc/network /etc/systemd/network /etc/netplan -type f 2>/dev/null | sort | xargs sha256sum"
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("proxmox")
    served = folder / "served"
    proxmox_packages.write(served)
    with fixture_rack.lab("test-pvenode") as made:
        made.boot([fixture_rack.node(made, "compute1", address=RACK, public_address=PUBLIC)])
        web = Daemon("pve-packages", made.state)
        argv = [sys.executable, "-m", "http.server", "--bind", WORLD, "--directory", str(served), str(PORT)]
        web.start(inside(made.netns, *argv), lambda: listens(made.netns, WORLD, PORT))
        checksum = hashlib.sha256((served / proxmox_packages.KEY).read_bytes()).hexdigest()
        base = f"http://{WORLD}:{PORT}"
        site = {
            "proxmox_node_repository_url": f"{base}/pve", "proxmox_node_key_url": f"{base}/{proxmox_packages.KEY}",
            "proxmox_node_key_checksum": f"sha256:{checksum}",
        }  # fmt: skip
        yield Server(made, folder, site)
        web.stop()


def test_check_mode_on_a_bare_server_says_what_would_come(server: Server) -> None:
    """Would catch a plan that fails before the first installation, or one that writes."""
    before = server.files(), server.run("dpkg-query -W | sha256sum; cat /etc/hosts")
    code, told, counts = server.play("--check")
    assert code == 0, told[-5000:]
    assert counts["changed"] > 5
    assert (server.files(), server.run("dpkg-query -W | sha256sum; cat /etc/hosts")) == before


def test_a_network_that_cannot_be_reached_gives_way_to_the_one_before(server: Server) -> None:
    """Would catch a server lost for good by a wrong address the very first time, while networkd has its network."""
    before = server.addresses()
    code, told, _counts = server.play(proxmox_node_public_address="203.0.113.111/24")
    assert code != 0
    assert "Reach the node again" in told, told[-5000:]
    fixture_rack.until("it is back where it was", lambda: server.addresses() == before, 120)
    server.lab.rack.wait_for_ssh(["compute1"], server.lab.key)
    assert server.run("systemctl is-active systemd-networkd; systemctl is-enabled systemd-networkd").split() == [
        "active",
        "enabled",
    ]
    assert "nobody came back from outside" in server.run("journalctl --unit socle-try.service")
    assert json.loads(server.run("/usr/local/sbin/socle-try status")) == {"armed": False}


def test_a_bare_server_becomes_a_node(server: Server) -> None:
    """Would catch packages that do not install, a kernel without its restart, a network that two programs manage."""
    code, told, _counts = server.play()
    assert code == 0, told[-6000:]
    assert server.addresses() == {"vmbr0": f"{PUBLIC}/24", "vmbr1": f"{RACK}/16"}
    assert server.run("hostname --fqdn; hostname") == "compute1.cater.example.org\ncompute1"
    assert server.run("getent hosts compute2").split()[0] == "203.0.113.12"
    assert "installed" in server.run("dpkg-query -W -f '${Status}' proxmox-ve")
    assert server.run("python3 -c 'import platform; print(platform.release())'") == proxmox_packages.KERNEL
    assert server.run("ip -4 route show default") == f"default via {GATEWAY} dev vmbr0 proto kernel onlink"
    assert json.loads(server.run("/usr/local/sbin/socle-try status")) == {"armed": False}


def test_a_second_run_changes_nothing(server: Server) -> None:
    """Would catch a task that writes each time, and a restart of a server that needs none."""
    booted = server.run("cat /proc/sys/kernel/random/boot_id")
    code, told, counts = server.play()
    assert code == 0, told[-5000:]
    assert counts["changed"] == 0, told[-8000:]
    assert server.run("cat /proc/sys/kernel/random/boot_id") == booted


def test_after_a_restart_it_is_the_same_node(server: Server) -> None:
    """Would catch a network in force only until the next start, or one that cloud-init or networkd takes back then."""
    addresses, hosts = server.addresses(), server.run("cat /etc/hosts")
    booted = server.run("cat /proc/sys/kernel/random/boot_id")
    server.run("systemctl reboot")
    fixture_rack.until(
        "another start",
        lambda: (
            server.lab.rack.execute("compute1", "cat", "/proc/sys/kernel/random/boot_id")[1].strip() not in ("", booted)
        ),
        60,
    )
    server.lab.rack.wait_for_ssh(["compute1"], server.lab.key)
    assert (server.addresses(), server.run("cat /etc/hosts")) == (addresses, hosts)


@pytest.mark.long
def test_a_mistake_in_a_nodes_network_is_taken_back(server: Server) -> None:
    """Would catch a revert that leaves a bridge without its port, or one that the next run does not mend."""
    before = server.files(), server.addresses()
    code, _told, _counts = server.play(proxmox_node_public_interface="eth0", proxmox_node_rack_interface="eth1")
    assert code != 0
    fixture_rack.until("the old network", lambda: (server.files(), server.addresses()) == before, 120)
    server.lab.rack.wait_for_ssh(["compute1"], server.lab.key)
    code, told, counts = server.play()
    assert code == 0, told[-5000:]
    assert counts["changed"] == 0, told[-5000:]
