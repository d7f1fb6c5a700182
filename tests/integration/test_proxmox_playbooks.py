# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a manifest to machines, by our own playbooks, against two servers of the simulator that stand alone at first."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxmox_helpers import helped
from proxmox_site import BIN, ROOT, Site, running
from pvesim.world import GIB, Guest

IMAGE = b"QFI\xfb" + bytes(20) + (3 * GIB).to_bytes(8, "big") + b"an image of three gigabytes"
MANIFEST = """\
plugin: socle.platform.manifest
platform: {name: cater, domain: cater.example.org}
secrets: {backend: file}
hypervisors:
  cluster: cater
  install: false
  network: {rack: 10.10.0.0/16, bridge: vmbr1}
  storage: fast
  templates:
    debian-13: {url: "%(image)s", checksum: "sha256:%(digest)s", version: "7"}
  managers: [127.0.0.0/8]
  nodes:
    compute1: {address: 203.0.113.11, role: compute}
    storage1: {address: 203.0.113.21, role: storage}
machines:
  control: {count: 2, on: [compute, storage], cores: 2, memory: 2 GiB, disk: 12 GiB}
  gluster: {count: 1, on: storage, cores: 1, memory: 1 GiB, data_disk: 20 GiB}
"""


class Images(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(IMAGE)))
        self.end_headers()
        self.wfile.write(IMAGE)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@contextmanager
def image() -> Iterator[str]:
    """The URL of an image, as long as the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Images)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/debian.qcow2"
    finally:
        server.shutdown()
        server.server_close()


class Estate:
    """A manifest, the servers it is about, and runs of playbooks."""

    def __init__(self, site: Site, folder: Path, image: str) -> None:
        self.site, self.folder = site, folder
        self.manifest = MANIFEST % {"image": image, "digest": hashlib.sha256(IMAGE).hexdigest()}
        (folder / "inventory").mkdir()
        (folder / "inventory" / "platform.socle.yml").write_text(self.manifest)
        (folder / "password").write_text("a password of the test\n")
        self.variables = folder / "variables.json"
        hosts = dict(zip(("compute1", "storage1"), site.hosts(), strict=True))
        nodes = [
            {"name": name, "api_host": at, "links": [site.simulator.fleet.node(name).address]}
            for name, at in hosts.items()
        ]
        bridge = {"name": "vmbr1", "type": "bridge"}
        given = {
            "proxmox_platform_nodes": nodes,
            "proxmox_platform_api_host": list(hosts.values()),
            "proxmox_platform_reach": hosts,
            "proxmox_platform_ca_path": site.authority,
            "proxmox_platform_root_password": "secret",
            "proxmox_platform_networks": [
                {"name": name, "interfaces": [{**bridge, "address": f"10.10.{n}.1/16"}]}
                for n, name in enumerate(hosts, 10)
            ],
            "proxmox_platform_storages": [
                {
                    "name": "fast",
                    "type": "dir",
                    "content": ["images"],
                    "options": {"path": "/srv/fast", "shared": True},
                }
            ],
        }
        self.variables.write_text(json.dumps(given))

    def run(self, playbook: str, *options: str) -> subprocess.CompletedProcess[str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE", "SOCLE", "PROXMOX"))}
        env |= {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"}
        argv = [
            str(BIN / "ansible-playbook"),
            str(ROOT / "playbooks" / playbook),
            f"-i{self.folder / 'inventory' / 'platform.socle.yml'}",
            f"--vault-password-file={self.folder / 'password'}",
            f"-e@{self.variables}",
            *options,
        ]
        return subprocess.run(
            argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400, check=False
        )

    def good(self, playbook: str, *options: str, whole: bool = False) -> str:
        """A run that goes well; on hypervisors alone, for nothing is behind a simulated machine."""
        done = self.run(playbook, *([] if whole else ["--limit=hypervisors"]), *options)
        assert done.returncode == 0, done.stdout + done.stderr
        # It is the password of root@pam; a plan has a line for each secret.
        shown = done.stdout.replace("create secret machines/ssh", "")
        assert "secret" not in [word.strip("'\",") for word in shown.split()]
        return done.stdout

    @property
    def world(self) -> Any:
        return self.site.simulator.fleet.sites[0]

    def machines(self) -> dict[str, Guest]:
        return {
            guest.name: guest
            for guest in self.world.guests.values()
            if not guest.conf.get("template") and "socle-cater" in str(guest.conf.get("tags", "")).split(";")
        }


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    folder = tmp_path_factory.mktemp("estate")
    with (
        running(tmp_path_factory.mktemp("pve"), nodes=("compute1", "storage1")) as site,
        helped(site, folder, "compute1", "storage1"),
        image() as url,
    ):
        yield Estate(site, folder, url)


LATER_TASKS = ("Plan no further than to a cluster that is not there", "Plan no machines on what is not there")


def test_from_servers_to_machines_and_back(estate: Estate) -> None:
    """Would catch a phase that does not fit the next one, a second run that changes, a drift that is not named, and a
    destroy that takes somebody else's machine."""
    site = estate.site
    # On servers that nobody has joined yet, what stands on the cluster cannot be looked at.
    told = estate.good("plan.yml")
    assert "+ create cluster member node compute1" in told and "+ create cluster member node storage1" in told
    assert all(f"{task} on compute1: known after the cluster is made" in told for task in LATER_TASKS)
    assert site.writes() == []
    # The cluster, its user, networks, storage, pool, template and firewall.
    estate.good("hypervisors.yml")
    world = estate.world
    made = {vmid: (guest.conf["name"], guest.conf.get("template")) for vmid, guest in world.guests.items()}
    assert made == {9000: ("debian-13-7", 1)}
    assert world.storages["socle-images"].allowed() == {"import"}
    assert world.firewall["options"]["enable"] == 1 and world.firewall["options"].get("policy_in", "DROP") == "DROP"
    assert set(world.firewall["ipset"]["management"]["members"]) == {
        "127.0.0.0/8",
        "10.10.0.0/16",
        "203.0.113.11",
        "203.0.113.21",
    }
    assert len(site.simulator.fleet.sites) == 1 and world.cluster["name"] == "cater"
    assert sorted(world.nodes) == ["compute1", "storage1"]
    assert "socle@pve" in world.users and "socle" in world.users["socle@pve"]["tokens"]
    assert {world.nodes[n].interfaces["vmbr1"]["cidr"] for n in world.nodes} == {"10.10.10.1/16", "10.10.11.1/16"}
    assert "fast" in world.storages and "cater" in world.pools
    site.forget()
    assert "changed=0" in estate.good("hypervisors.yml")
    assert site.writes() == []

    # The machines: planned, and made exactly so.
    world.storages["fast"].total = 4000 * GIB
    site.forget()
    plan = estate.folder / "plan.json"
    told = estate.good("plan.yml", "-e", f"socle_plan_file={plan}")
    assert site.writes() == [] and all(name in told for name in ("control-1", "control-2", "gluster-1"))
    estate.good("site.yml", "-e", f"socle_plan_file={plan}")
    made = estate.machines()
    assert sorted(made) == ["control-1", "control-2", "gluster-1"]
    assert made["control-1"].node == "compute1" and made["control-2"].node == made["gluster-1"].node == "storage1"
    assert all(guest.running for guest in made.values())
    one = made["control-1"].conf
    assert (one["cores"], str(one["memory"])) == (2, "2048") and "size=12G" in one["scsi0"]
    assert one["ipconfig0"] == "ip=10.10.40.1/16,gw=10.10.0.1" and "bridge=vmbr1" in one["net0"]
    assert made["control-1"].vmid == 1040001 and "ssh-ed25519" in one["sshkeys"]
    assert "size=20G" in made["gluster-1"].conf["scsi1"]
    assert {vmid for guest in made.values() for vmid in [guest.vmid]} <= set(world.pools["cater"]["vms"])
    site.forget()
    assert "changed=0" in estate.good("machines.yml")
    assert site.writes() == []

    # Somebody changes one by hand.
    made["control-2"].conf["cores"] = 7
    site.forget()
    told = estate.good("machines.yml", "--check", "--diff")
    assert "machine control-2" in told and "cores" in told and "control-1" not in told.split("TASK")[-1]
    assert site.writes() == []
    estate.good("machines.yml")
    assert estate.machines()["control-2"].merged()["cores"] == 2, "it waits for a reboot that nobody asked for"

    # Only who types its name destroys it, and only what is ours.
    stranger = Guest(777, "compute1", {"name": "control-9", "tags": "theirs"})
    world.guests[777] = stranger
    site.forget()
    for typed in ((), ("-e", "socle_destroy=caterer")):
        refused = estate.run("destroy.yml", *typed)
        assert refused.returncode != 0 and "socle_destroy=cater" in " ".join(refused.stdout.split())
    assert site.writes() == []
    estate.good("destroy.yml", "-e", "socle_destroy=cater")
    assert estate.machines() == {}
    assert sorted(world.guests) == [777, 9000]
    assert not [v for v in world.storages["fast"].on("compute1").values() if v.vmid not in (9000, None)]


LATER = """\
- import_playbook: {playbooks}/hypervisors.yml
- import_playbook: {playbooks}/machines.yml
- hosts: machines
  gather_facts: false
  tasks: [{{ansible.builtin.command: "true"}}]
"""


def test_a_plan_of_bare_servers_says_what_is_installed_and_goes_on(estate: Estate) -> None:
    """Would catch a plan that fails where a platform begins, and one that says nothing of what it could not look at."""
    reach = {"compute1": "127.0.0.1:1", "storage1": "127.0.0.1:2"}
    bare = {
        "proxmox_platform_reach": reach,
        "proxmox_platform_api_host": list(reach.values()),
        "proxmox_platform_installs": True,
        # Nobody listens there: neither Proxmox VE, nor SSH on machines that are still to be made.
        "ansible_host": "127.0.0.1",
        "ansible_port": 1,
        "socle_plan_playbook": str(estate.folder / "later.yml"),
    }
    (estate.folder / "later.yml").write_text(LATER.format(playbooks=ROOT / "playbooks"))
    estate.site.forget()
    told = estate.good("plan.yml", "-e", json.dumps(bare), whole=True)
    installed = "known after Proxmox VE is installed on compute1, storage1"
    assert f"Wait for the API of the nodes on compute1: {installed}" in told
    assert f"Plan no machines on what is not there on compute1: {installed}" in told
    (line,) = [line for line in told.splitlines() if "ansible.builtin.command on" in line]
    assert installed in line and all(name in line for name in ("control-1", "control-2", "gluster-1"))
    assert "Not planned" not in told and estate.site.requests() == []

    # One of them is there: what does not need the other is planned.
    bare |= {"proxmox_platform_reach": reach | {"compute1": estate.site.hosts()[0]}}
    bare |= {"proxmox_platform_api_host": estate.site.hosts()[:1]}
    told = estate.good("plan.yml", "-e", json.dumps(bare), whole=True)
    assert "Wait for the API of the nodes on compute1: known after Proxmox VE is installed on storage1" in told
    assert "Not planned" not in told and estate.site.requests("GET") and estate.site.writes() == []

    # Whoever says that they are nodes already wants to know that they do not answer.
    broken = estate.run(
        "plan.yml",
        "-e",
        json.dumps(bare | {"proxmox_platform_installs": False, "proxmox_platform_api_host": ["127.0.0.1:1"]}),
    )
    assert broken.returncode != 0 and "no API host could be reached: 127.0.0.1:1" in broken.stdout


def test_a_platform_without_servers_of_its_own_is_not_bothered(estate: Estate) -> None:
    """Would catch a warning about a missing group in every run of a platform that lives in a cloud."""
    manifest = estate.folder / "inventory" / "platform.socle.yml"
    manifest.write_text(estate.manifest.partition("hypervisors:")[0])
    try:
        told = [estate.run(name) for name in ("hypervisors.yml", "machines.yml")]
    finally:
        manifest.write_text(estate.manifest)
    assert all(done.returncode == 0 and "WARNING" not in done.stdout + done.stderr for done in told), told


def test_a_machine_on_a_node_that_is_none_stops_before_anything_changes(estate: Estate) -> None:
    """Would catch a filter's error without the name of the machine. The manifest finds it even earlier."""
    manifest = estate.folder / "inventory" / "platform.socle.yml"
    manifest.write_text(estate.manifest.replace("on: storage,", "on: nowhere,"))
    estate.site.forget()
    try:
        done = estate.run("machines.yml")
    finally:
        manifest.write_text(estate.manifest)
    assert done.returncode != 0 and "machines.gluster.on" in done.stdout + done.stderr
    assert estate.site.requests() == []
