# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`proxmox_machines` as a user runs it: real playbooks against the simulator, in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

SECRET = "cloud-init-Pa55word-7"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ops@example"


class Site:
    """The simulator, and playbooks against it."""

    def __init__(self, about: dict[str, Any], root: Path, folder: Path) -> None:
        self.about, self.root, self.folder = about, root, folder
        self.node = next(iter(about["nodes"].values()))
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = about["ca"]
        self.session.headers["x-control-token"] = about["control_token"]
        ticket = self.api("POST", "/access/ticket", username="root@pam", password="secret")
        self.session.cookies.set("PVEAuthCookie", requests.utils.quote(ticket["ticket"], safe=""))
        self.session.headers["CSRFPreventionToken"] = ticket["CSRFPreventionToken"]
        self.token = self.api("POST", "/access/users/root@pam/token/ci", privsep=0)["value"]
        disk = {"scsi0": "local:3,format=qcow2", "ide2": "local:cloudinit", "net0": "virtio,bridge=vmbr0"}
        self.api("POST", "/nodes/pve1/qemu", vmid=9000, name="debian-13", agent=1, **disk)
        self.control("POST", "settle")
        self.api("POST", "/nodes/pve1/qemu/9000/template")
        self.control("POST", "settle")
        self.control("POST", "storage", node="pve1", storage="local", total=10**13)
        self.control("POST", "clock", skip=30)
        self.control("DELETE", "log")

    def api(self, method: str, path: str, /, **data: Any) -> Any:
        answer = self.session.request(method, f"{self.node['url']}/api2/json{path}", data=data, timeout=30)
        assert answer.status_code == 200, answer.text or answer.reason
        return answer.json()["data"]

    def control(self, method: str, action: str, /, **args: Any) -> Any:
        body = json.dumps(args) if args else None
        answer = self.session.request(method, f"{self.node['url']}/control/{action}", data=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def writes(self) -> list[str]:
        return [f"{row['method']} {row['path']}" for row in self.control("GET", "log") if row["method"] != "GET"]

    def connection(self) -> dict[str, Any]:
        return {
            "api_host": [f"127.0.0.1:{self.node['port']}"],
            "api_token_id": "root@pam!ci",
            "api_token_secret": self.token,
            "ca_path": self.about["ca"],
        }

    def play(self, tasks: list[dict[str, Any]], *arguments: str, watch: bool = False) -> tuple[int, str]:
        """Exit status and everything that was printed; with `watch`, what the process list showed is added."""
        book = self.folder / "book.yml"
        defaults = {
            f"socle.platform.{name}": self.connection() for name in ("proxmox_machines", "proxmox_machines_info")
        }
        play = {"hosts": "localhost", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}
        book.write_text(yaml.safe_dump([play]))
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.root / "playbooks" / "collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "remote"),
        }
        program = str(Path(sys.executable).parent / "ansible-playbook")
        command = [program, "-i", "localhost,", "-c", "local", str(book), *arguments]
        out = self.folder / "out.txt"
        with out.open("w") as stream:
            process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=environment)
            seen = ""
            while process.poll() is None:
                if watch:
                    seen += _command_lines()
                time.sleep(0.05)
        return process.returncode, out.read_text() + seen


def _command_lines() -> str:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_text(errors="replace"))
    return "\n".join(found)


@pytest.fixture
def site(root: Path, tmp_path: Path) -> Iterator[Site]:
    server = root / "tests" / "lab" / "pve" / "server.py"
    command = [sys.executable, str(server), "--port", "0", "--refusal-delay", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Site(json.loads(process.stdout.readline()), root, tmp_path)
        finally:
            process.terminate()


def task(*machines: dict[str, Any], **more: Any) -> dict[str, Any]:
    given = {"platform": "cater", "machines": list(machines), **more}
    return {"name": "Machines", "socle.platform.proxmox_machines": given, "register": "made"}


def machine(name: str, **more: Any) -> dict[str, Any]:
    base = {
        "name": name,
        "template": "debian-13",
        "memory": "2 GiB",
        "disks": [{"size": "10 GiB"}],
        "nics": [{"bridge": "vmbr0", "address": "dhcp"}],
        "cloud_init": {"user": "ops", "password": SECRET, "ssh_keys": [KEY]},
    }
    return {**base, **more}


def test_a_platforms_machines_from_nothing_to_gone(site: Site) -> None:
    """Check mode, make, again, change, read, remove: each as Ansible reports it."""
    both = [machine("web1"), machine("web2")]
    checked, said = site.play([task(*both)], "--check", "--diff")
    assert checked == 0 and "changed=1" in said and "machine web1 (create)" in said
    assert site.writes() == []
    tasks = [
        task(*both),
        {"ansible.builtin.assert": {"that": ["made is changed"]}},
        task(*both),
        {"ansible.builtin.assert": {"that": ["made is not changed", "made.diff == []"]}},
        task(machine("web1", cores=4), machine("web2")),
        {
            "ansible.builtin.assert": {
                "that": ["made is changed", "made.objects[0].notes == ['needs a reboot for cores']"]
            }
        },
        {"socle.platform.proxmox_machines_info": {"platform": "cater"}, "register": "found"},
        {
            "ansible.builtin.assert": {
                "that": [
                    "found is not changed",
                    "found.machines | sort == ['web1', 'web2']",
                    "found.machines.web1.cores == 4 and found.machines.web1.needs_reboot == ['cores']",
                    "made.machines.web1.id == found.machines.web1.id",
                ]
            }
        },
        task({"name": "web1", "state": "absent"}, {"name": "web2", "state": "absent"}),
        {"socle.platform.proxmox_machines_info": {"platform": "cater"}, "register": "found"},
        {"ansible.builtin.assert": {"that": ["found.machines == {}"]}},
    ]
    done, said = site.play(tasks)
    assert done == 0, said


def test_secrets_are_in_no_output_no_process_list_and_no_file(site: Site) -> None:
    """At -vvv, when it works and when it fails, in the module's own temporary files too."""
    for machines in ([machine("web1")], [machine("web1", cores=3), machine("web2", pool="none")]):
        _unused, said = site.play([task(*machines)], "-vvv", "--diff", watch=True)
        assert "proxmox_machines" in said
        for secret in (SECRET, site.token):
            assert secret not in said
    site.control("POST", "faults", kind="status", method="PUT", path="/config$", status=500, text=f"no {SECRET}")
    status, said = site.play([task(machine("web1", cores=2))], "-vvv", watch=True)
    assert status == 2 and "(secret)" in said and SECRET not in said and site.token not in said
    (site.folder / "book.yml").unlink()
    for path in site.folder.rglob("*"):
        if path.is_file():
            assert SECRET not in path.read_text(errors="replace"), path


def test_a_failure_names_each_object_and_what_to_do(site: Site) -> None:
    """Partial failure: what worked is told beside what did not, and nothing is a traceback."""
    site.control("POST", "faults", kind="task-error", method="POST", path="/clone$", at=1, text="disk is on fire")
    status, said = site.play([task(machine("web1"), machine("web2"), concurrency=1)])
    assert status == 2 and "Traceback" not in said
    assert "1 of 2 machine objects done, 1 failed" in said and "cloning debian-13 failed: disk is on fire" in said
    status, said = site.play([task(machine("web3", template="debian-12"), machine("web4", nics=[{"bridge": "x"}]))])
    assert status == 2 and "there is no template debian-12; did you mean debian-13?" in said
    assert "machine web4: net0: node pve1 has no bridge x; it has: vmbr0" in said


def test_the_documented_examples_run(site: Site, root: Path) -> None:
    """As they stand in the documentation, but for where the API is."""
    tasks: list[dict[str, Any]] = []
    for name in ("proxmox_machines", "proxmox_machines_info"):
        source = (root / "plugins" / "modules" / f"{name}.py").read_text()
        examples = yaml.safe_load(source.split('EXAMPLES = r"""')[1].split('"""')[0])
        for example in examples:
            options = example.get(f"socle.platform.{name}")
            if options:
                options.update(site.connection())
        tasks += examples
    tasks[0]["vars"] = {"ssh_key": KEY}
    done, said = site.play(tasks)
    assert done == 0, said
