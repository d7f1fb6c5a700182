# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role machine_base on a real node: mistakes that lock everybody out, a machine that restarts, people who leave."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
import fixture_rack  # noqa: E402  # lies in the lab's folder
from rack.command import inside  # noqa: E402  # as above

ADDRESS, PUBLIC, STRANGER = "10.10.48.1", "203.0.113.50", "203.0.113.99"
GOOD: dict[str, Any] = {
    "machine_base_sets_clock": False,
    "machine_base_ssh_networks": ["10.10.0.0/16"],
    "machine_base_openings": [{"name": "web", "ports": [8080], "protocol": "tcp", "sources": []}],
}


@dataclass
class Machine:
    """A node, and the way in that everybody has: SSH from the rack."""

    lab: Any
    folder: Path
    ada: Path

    def people(self) -> list[dict[str, Any]]:
        return [{"name": "ada", "admin": True, "keys": [self.ada.with_suffix(".pub").read_text().strip()]}]

    def play(self, tasks: list[dict[str, Any]] | None = None, **variables: Any) -> tuple[int, str, dict[str, int]]:
        """Run the role, or some tasks: status, output, and the counts of the recap."""
        host = {
            "ansible_host": ADDRESS, "ansible_user": "socle", "ansible_become": True,
            "ansible_python_interpreter": "/usr/bin/python3", "ansible_ssh_private_key_file": str(self.lab.key),
            "ansible_ssh_timeout": 4,
        }  # fmt: skip
        (self.folder / "inventory.json").write_text(json.dumps({"all": {"hosts": {"machine": host}}}))
        role = [{"ansible.builtin.import_role": {"name": "socle.platform.machine_base"}}]
        body = {"hosts": "all", "gather_facts": False, "tasks": tasks or role}
        body["vars"] = {**GOOD, "machine_base_people": self.people(), **variables}
        (self.folder / "play.yml").write_text(yaml.safe_dump([body], sort_keys=False))
        argv = self.inside(
            str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.folder / "inventory.json"),
            str(self.folder / "play.yml"),
        )  # fmt: skip
        environment = {**self.lab.environment(), "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.json"}
        done = subprocess.run(
            argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=1800
        )
        told = json.loads(done.stdout[done.stdout.index("{") :])
        return done.returncode, done.stdout + done.stderr, told["stats"]["machine"]

    def inside(self, *argv: str) -> list[str]:
        return inside(self.lab.netns, *argv)

    def ssh(
        self, user: str, key: Path, command: str = "true", address: str = ADDRESS
    ) -> subprocess.CompletedProcess[str]:
        argv = self.inside(
            "ssh", "-i", str(key), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=4",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ControlPath=none",
            f"{user}@{address}", command,
        )  # fmt: skip
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    def run(self, *command: str) -> str:
        code, said, error = self.lab.rack.execute("machine", *command)
        assert code == 0, error
        return str(said)

    def state(self) -> str:
        """What a change of the way in would change."""
        # The chains alone: a set counts who knocks.
        files = "/etc/nftables.conf /etc/ssh/sshd_config /etc/sudoers.d/socle"
        chains = "; ".join(f"nft --stateless list chain inet socle {chain}" for chain in ("input", "ssh", "forward"))
        return self.run("sh", "-c", f"sha256sum {files}; {chains}; sshd -T | sort")


eventually = functools.partial(fixture_rack.until, seconds=90)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A node that the role was applied to once, and a stranger on the public side."""
    folder = tmp_path_factory.mktemp("machine")
    ada = folder / "ada"
    with fixture_rack.lab("t-base") as lab:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(ada)], check=True)
        node = fixture_rack.node
        lab.boot(
            [
                node(lab, "machine", address=ADDRESS, public_address=PUBLIC),
                node(lab, "stranger", public_address=STRANGER),
            ]
        )
        made = Machine(lab, folder, ada)
        code, said, counts = made.play()
        assert code == 0, said
        assert counts["changed"] > 0
        yield made


def test_a_second_run_changes_nothing(machine: Machine) -> None:
    """Would catch a file that is written anew each time, or a unit that never becomes what it shall be."""
    code, said, counts = machine.play()
    assert code == 0 and counts["changed"] == 0, said


def test_only_what_is_named_answers(machine: Machine) -> None:
    """Would catch SSH on the public side, and an opening that is none."""
    machine.run("systemd-run", "--quiet", "--unit=web", "python3", "-m", "http.server", "8080")
    machine.run("systemd-run", "--quiet", "--unit=hidden", "python3", "-m", "http.server", "9090")

    def reached(node_or_here: str, address: str, port: int) -> bool:
        probe = f"import socket; socket.create_connection(('{address}', {port}), 3)"
        if node_or_here == "here":
            argv = machine.inside(sys.executable, "-c", probe)
            return subprocess.run(argv, capture_output=True, check=False).returncode == 0
        return bool(machine.lab.rack.execute(node_or_here, "python3", "-c", probe)[0] == 0)

    eventually("the opening answers", lambda: reached("stranger", PUBLIC, 8080))
    assert not reached("stranger", PUBLIC, 22) and not reached("stranger", PUBLIC, 9090)
    assert reached("here", ADDRESS, 22) and not reached("here", ADDRESS, 9090)
    code, said, error = machine.lab.rack.execute(
        "machine", "/usr/local/sbin/socle-listening", "/etc/socle/listening.json"
    )
    assert code == 1 and "tcp port 9090" in error and "8080" not in error, said + error
    machine.run("systemctl", "stop", "hidden.service")
    code, said, error = machine.lab.rack.execute(
        "machine", "/usr/local/sbin/socle-listening", "/etc/socle/listening.json"
    )
    assert code == 0, error


@pytest.mark.parametrize(
    ("mistake", "file"),
    [
        # The firewall lets in a network that we are not in.
        ({"machine_base_ssh_networks": ["198.51.100.0/24"]}, "/etc/nftables.conf"),
        # SSH knows somebody else than the user that we come as.
        ({"machine_base_manager": "nobody"}, "/etc/ssh/sshd_config"),
        # SSH takes no key of the kind that we have.
        ({"machine_base_ssh_key_algorithms": ["rsa-sha2-512"]}, "/etc/ssh/sshd_config"),
    ],
    ids=["firewall", "user", "key"],
)
def test_a_mistake_that_locks_everybody_out_is_taken_back(machine: Machine, mistake: dict[str, Any], file: str) -> None:
    """Would catch a way back that an old connection disarms, or that puts back files without putting them in force."""
    before = machine.state()
    # Short, for it has to pass; what is right has the role's own time.
    code, said, _counts = machine.play(**mistake, machine_base_way_back_seconds=20)
    assert code != 0
    assert file in said and "The machine went back by itself and can be reached as before" in said, said
    assert machine.state() == before
    assert machine.ssh("socle", machine.lab.key).returncode == 0
    assert json.loads(machine.run("/usr/local/sbin/socle-way-back", "status")) == {"armed": None}


def test_what_a_program_refuses_is_not_written(machine: Machine) -> None:
    """Would catch a daemon that is restarted with a file that it cannot read."""
    before = machine.state()
    code, said, _counts = machine.play(machine_base_ssh_ciphers=["rot13"])
    assert code != 0 and "/etc/ssh/sshd_config" in said and "Nothing was written" in said
    assert machine.state() == before


def test_a_machine_that_restarts_meanwhile_goes_back_too(machine: Machine) -> None:
    """Would catch a way back that is forgotten with the timer: a run was killed, and then the power failed."""
    before = machine.state()
    closed = "table inet socle {\n\tchain input { type filter hook input priority filter; policy drop; }\n}\n"
    program = f"""
import sys
sys.path.insert(0, "/root")
from way_back import WayBack, write
from pathlib import Path
WayBack().arm("0123456789abcdef", 3600, ["/etc/nftables.conf"], [], [["nft", "-f", "/etc/nftables.conf"]])
write(Path("/etc/nftables.conf"), {closed!r}.encode(), 0o600, 0, 0)
"""
    source = ROOT / "plugins" / "module_utils" / "_machine" / "way_back.py"
    subprocess.run(
        ["podman", "cp", str(source), f"{machine.lab.rack.container('machine')}:/root/way_back.py"], check=True
    )
    machine.run("python3", "-c", program)
    machine.lab.rack.stop("machine", hard=True)
    machine.lab.rack.start(machine.lab.rack.get("machine"))
    eventually("SSH answers again", lambda: machine.ssh("socle", machine.lab.key).returncode == 0)
    assert machine.state() == before
    assert machine.run("nft", "list", "tables").split("\n")[0] == "table inet socle"


def test_who_leaves_is_out_at_once_and_can_come_back(machine: Machine) -> None:
    """Would catch an open session that lives on, a key that still works, and files that are lost."""
    assert "root" in machine.ssh("ada", machine.ada, "sudo --non-interactive whoami && echo mine > ~/notes").stdout
    argv = machine.inside(
        "ssh", "-i", str(machine.ada), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
        "-o", "UserKnownHostsFile=/dev/null", f"ada@{ADDRESS}", "echo in; exec sleep 600",
    )  # fmt: skip
    session = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert session.stdout is not None and session.stdout.readline() == "in\n"
        code, said, _counts = machine.play(machine_base_people=[])
        assert code == 0, said
        assert session.wait(timeout=60) != 0
    finally:
        session.kill()
    assert machine.ssh("ada", machine.ada).returncode == 255
    assert machine.play()[0] == 0
    assert machine.ssh("ada", machine.ada, "cat notes").stdout == "mine\n"
