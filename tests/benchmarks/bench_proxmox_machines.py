# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`proxmox_machines` beside `community.proxmox` on the same simulator: requests and seconds for the same machines.

Theirs is what its documentation shows for a machine: clone, update, resize, start, each in a loop over the machines.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "tests" / "lab" / "pve" / "server.py"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ops@example"
CLONE_SECONDS = 2
MANY, HUNDRED = 20, 100
# Theirs costs the same for each machine; a few of them are enough for the second run.
THEIRS_SECOND = 20


class Lab:
    """A simulator in its own process, and its back door."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        self.about = about
        self.url = next(iter(about["nodes"].values()))["url"]
        self.port = next(iter(about["nodes"].values()))["port"]
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = about["ca"]

    def control(self, method: str, action: str, **args: Any) -> Any:
        answer = self.session.request(
            method,
            f"{self.url}/control/{action}",
            headers={"x-control-token": self.about["control_token"]},
            data=json.dumps(args) if args else None,
            timeout=60,
        )
        answer.raise_for_status()
        return answer.json()

    def api(self, method: str, path: str, **data: Any) -> Any:
        auth = {"Authorization": f"PVEAPIToken=root@pam!bench={self.token}"} if hasattr(self, "token") else {}
        headers = getattr(self, "ticket", {}) | auth
        answer = self.session.request(method, f"{self.url}/api2/json{path}", data=data, headers=headers, timeout=60)
        answer.raise_for_status()
        return answer.json()["data"]

    def prepare(self) -> None:
        """A token, and the template debian-13 on each node's `local`."""
        ticket = self.api("POST", "/access/ticket", username="root@pam", password="secret")
        self.ticket = {
            "Cookie": f"PVEAuthCookie={urllib.request.quote(ticket['ticket'])}",  # type: ignore[attr-defined] # re-exported
            "CSRFPreventionToken": ticket["CSRFPreventionToken"],
        }
        self.token = self.api("POST", "/access/users/root@pam/token/bench", privsep=0)["value"]
        self.ticket = {}
        for index, node in enumerate(self.about["nodes"]):
            self.control("POST", "storage", node=node, storage="local", total=50_000 * 1024**3)
            self.api(
                "POST", f"/nodes/{node}/qemu", vmid=9000 + index, name="debian-13", memory=1024, agent=1,
                scsi0="local:3,format=qcow2", ide2="local:cloudinit", net0="virtio,bridge=vmbr0", boot="order=scsi0",
            )  # fmt: skip
            self.control("POST", "settle")
            self.api("POST", f"/nodes/{node}/qemu/{9000 + index}/template")
        self.control("POST", "settle")
        self.control("POST", "clock", skip=30)
        self.control("DELETE", "log")

    def requests(self) -> int:
        count = len(self.control("GET", "log"))
        self.control("DELETE", "log")
        return count


@contextmanager
def lab(nodes: Sequence[str] = ("pve1",), *settings: str) -> Iterator[Lab]:
    cluster = ["--cluster", "bench"] if len(nodes) > 1 else []
    command = [sys.executable, str(SERVER), "--port", "0", "--nodes", ",".join(nodes), "--stat-interval", "0", *cluster]
    with subprocess.Popen([*command, *settings], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        made = Lab(json.loads(server.stdout.readline()))
        try:
            made.prepare()
            yield made
        finally:
            server.terminate()


def names(count: int) -> list[str]:
    return [f"web-{index:04d}" for index in range(count)]


def ours(site: Lab, count: int) -> list[dict[str, Any]]:
    machines = [
        {
            "name": name,
            "id": 10_000 + index,
            "template": "debian-13",
            "full": True,
            "cores": 2,
            "memory": "2 GiB",
            "disks": [{"size": "10 GiB"}],
            "nics": [{"bridge": "vmbr0", "address": f"10.0.{index // 250}.{index % 250 + 1}/16"}],
            "cloud_init": {"user": "ops", "ssh_keys": [KEY]},
        }
        for index, name in enumerate(names(count))
    ]
    task = {
        "name": "Machines",
        "socle.platform.proxmox_machines": {
            **connection(site),
            "api_host": [f"127.0.0.1:{site.port}"],
            "ca_path": site.about["ca"],
            "platform": "bench",
            "machines": machines,
        },
    }
    return [task]


def connection(site: Lab) -> dict[str, Any]:
    return {"api_user": "root@pam", "api_token_id": "bench", "api_token_secret": site.token}


def theirs(site: Lab, count: int) -> list[dict[str, Any]]:
    common = {
        **connection(site),
        "api_host": "127.0.0.1",
        "api_port": site.port,
        "validate_certs": False,
        "node": "pve1",
    }
    loop = [{"name": name, "id": 10_000 + index} for index, name in enumerate(names(count))]
    keys = {"name": "{{ item.name }}"}
    kvm = "community.proxmox.proxmox_kvm"
    address = {"ipconfig0": "ip=10.0.0.9/16"}
    disk = {k: v for k, v in common.items() if k != "node"}
    resize = {**disk, "vmid": "{{ item.id }}", "disk": "scsi0", "size": "10G", "state": "resized", "timeout": 300}
    tasks: list[dict[str, Any]] = [
        {kvm: {**common, **keys, "clone": "debian-13", "newid": "{{ item.id }}", "full": True, "timeout": 300}},
        {
            kvm: {
                **common,
                "vmid": "{{ item.id }}",
                "update": True,
                "cores": 2,
                "memory": 2048,
                "ciuser": "ops",
                "sshkeys": KEY,
                "ipconfig": address,
            }
        },
        {"community.proxmox.proxmox_disk": resize},
        {kvm: {**common, "vmid": "{{ item.id }}", "state": "started", "timeout": 300}},
    ]
    return [{"name": f"Step {number}", **task, "loop": loop} for number, task in enumerate(tasks)]


def play(tasks: list[dict[str, Any]], *arguments: str) -> tuple[float, dict[str, Any]]:
    """Seconds that ansible-playbook took, from its start to its end, and its statistics."""
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "book.yml"
        book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(book)]
        begin = time.monotonic()
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment, check=False)
        seconds = time.monotonic() - begin
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-3000:])
    recap = next(line for line in done.stdout.splitlines() if line.startswith("localhost") and "changed=" in line)
    return seconds, dict(part.split("=") for part in recap.split() if "=" in part)


def row(name: str, mine: float, other: float | None, unit: str, note: str = "", runs: int = 1) -> dict[str, Any]:
    ratio = other / mine if other is not None and mine else None
    return {"name": name, "ours": mine, "theirs": other, "ratio": ratio, "unit": unit, "runs": runs, "note": note}


def making() -> list[dict[str, Any]]:
    rows = []
    counted: dict[str, list[int]] = {"ours": [], "theirs": []}
    for count in (1, 11):
        for who, tasks in (("ours", ours), ("theirs", theirs)):
            with lab() as site:
                play(tasks(site, count))
                counted[who].append(site.requests())
    first, further = ({who: c[0] for who, c in counted.items()}, {w: (c[1] - c[0]) / 10 for w, c in counted.items()})
    rows.append(row("Proxmox: make one machine", first["ours"], first["theirs"], "requests"))
    rows.append(
        row("Proxmox: each further machine", further["ours"], further["theirs"], "requests", "of ten further ones")
    )
    clone = ("--duration", f"qmclone={CLONE_SECONDS}")
    with lab((("pve1"),), *clone) as site:
        mine, _unused = play(ours(site, MANY))
    with lab((("pve1"),), *clone) as site:
        other, _unused = play(theirs(site, MANY))
    rows.append(row(f"Proxmox: make {MANY} machines", mine, other, "s", f"a clone takes {CLONE_SECONDS} s"))
    return rows


def second_run() -> list[dict[str, Any]]:
    with lab() as site:
        play(ours(site, HUNDRED))
        site.requests()
        mine, stats = min((play(ours(site, HUNDRED)) for _unused in range(3)), key=lambda found: found[0])
        asked = site.requests() // 3
        if stats["changed"] != "0":
            raise RuntimeError(f"the second run changed something: {stats}")
        site.control("POST", "guest", vmid=10_042, conf={"cores": 7})
        drift, stats = play(ours(site, HUNDRED), "--check")
        if stats["changed"] != "1":
            raise RuntimeError("what has drifted was not found")
    with lab() as site:
        play(theirs(site, THEIRS_SECOND))
        few, stats = play(theirs(site, THEIRS_SECOND))
        other = few * HUNDRED / THEIRS_SECOND
    note = (
        f"{asked} requests; theirs on {THEIRS_SECOND}, times {HUNDRED // THEIRS_SECOND}, and changed={stats['changed']}"
    )
    return [
        row(f"Proxmox: second run on {HUNDRED} machines", mine, other, "s", note, 3),
        row(
            f"Proxmox: one of {HUNDRED} has drifted, found in check mode", drift, None, "s", "no peer has a check mode"
        ),
    ]


def planning() -> list[dict[str, Any]]:
    rows = []
    nodes = [f"pve{number}" for number in range(1, 13)]
    for count in (100, 300, 1000):
        with lab(nodes) as site:
            seconds, _unused = play(ours(site, count), "--check")
            rows.append(row(f"Proxmox: plan {count:,} new machines on 12 nodes", seconds, None, "s"))
    return rows


def run() -> list[dict[str, Any]]:
    return [*making(), *second_run(), *planning()]
