# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role load_balancer on a real pair: its holder loses its power under a client, or freezes; a server behind it dies."""

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

import fixture_rack  # noqa: E402  # needs the path above
from rack.command import inside  # noqa: E402  # as above

PAIR = {"lb1": "10.10.104.1", "lb2": "10.10.104.2"}
SERVERS = {"web1": "10.10.48.1", "web2": "10.10.48.2"}
VIP = "10.10.2.1"
# Each answer over a connection of its own; what failed is told with the number of its attempt.
CLIENT = f"""
import http.client, sys, time
for number in range(100000):
    try:
        asked = http.client.HTTPConnection("{VIP}", 80, timeout=2)
        asked.request("GET", "/hostname")
        print(number, asked.getresponse().read().decode().strip(), flush=True)
    except OSError as error:
        print(number, "!", type(error).__name__, flush=True)
    time.sleep(0.05)
"""


@dataclass
class Pair:
    """Two balancers, two servers, and a client in the rack."""

    lab: Any
    folder: Path

    def play(self, **variables: Any) -> tuple[int, str, dict[str, Any]]:
        hosts = {name: {"ansible_host": address} for name, address in PAIR.items()}
        common = {
            "ansible_user": "socle", "ansible_become": True, "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": str(self.lab.key),
        }  # fmt: skip
        (self.folder / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": common}}))
        services = [
            {
                "name": "web", "port": 80, "check_path": "/hostname",
                "servers": [{"name": name, "address": address, "port": 8080} for name, address in SERVERS.items()],
            }
        ]  # fmt: skip
        body = {
            "hosts": "all", "gather_facts": False,
            "tasks": [{"ansible.builtin.import_role": {"name": "socle.platform.load_balancer"}}],
            "vars": {
                "load_balancer_peers": list(PAIR.values()), "load_balancer_addresses": [f"{VIP}/16"],
                "load_balancer_services": services, **variables,
            },
        }  # fmt: skip
        (self.folder / "play.yml").write_text(yaml.safe_dump([body], sort_keys=False))
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        argv = inside(self.lab.netns, program, "-i", self.folder / "inventory.json", self.folder / "play.yml")
        environment = {**self.lab.environment(), "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.json"}
        done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=900)
        told = json.loads(done.stdout[done.stdout.index("{") :])
        return done.returncode, done.stdout + done.stderr, told["stats"]

    def holders(self) -> list[str]:
        running = self.lab.rack.running()
        found = [
            (name, self.lab.rack.execute(name, "ip", "address", "show", "to", VIP)[1])
            for name in PAIR
            if name in running
        ]
        return [name for name, said in found if said.strip()]

    def servers_up(self, balancer: str) -> set[str]:
        script = (
            "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock');"
            " s.sendall(b'show servers state web\\n'); print(s.makefile().read())"
        )
        rows = self.lab.rack.execute(balancer, "python3", "-c", script)[1].splitlines()
        return {words[3] for words in (row.split() for row in rows) if len(words) > 5 and words[5] == "2"}


class Client:
    """Asks all the time; `rows` are its answers so far."""

    def __init__(self, lab: Any, log: Path) -> None:
        self.log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(inside(lab.netns, sys.executable, "-c", CLIENT), stdout=file)

    def rows(self) -> list[list[str]]:
        return [line.split() for line in self.log.read_text().splitlines() if len(line.split()) >= 2]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


eventually = functools.partial(fixture_rack.until, seconds=120)


def good_again(client: Client, many: int = 40) -> bool:
    """The last answers, a good many of them, are all right."""
    rows = client.rows()
    return len(rows) >= many and all(row[1] != "!" for row in rows[-many:])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The pair at work."""
    with fixture_rack.lab("t-lb") as lab:
        lab.boot([fixture_rack.node(lab, name, address=address) for name, address in {**PAIR, **SERVERS}.items()])
        for name in SERVERS:
            serve = ["systemd-run", "--unit=web", "--working-directory=/etc", "python3", "-m", "http.server", "8080"]
            assert lab.rack.execute(name, *serve)[0] == 0
        made = Pair(lab, tmp_path_factory.mktemp("pair"))
        code, said, _stats = made.play()
        assert code == 0, said
        eventually("somebody has the address", lambda: len(made.holders()) == 1)
        yield made


@pytest.fixture
def client(pair: Pair, tmp_path: Path) -> Iterator[Client]:
    """A client that is served."""
    eventually("both servers are healthy", lambda: all(pair.servers_up(name) == set(SERVERS) for name in PAIR))
    made = Client(pair.lab, tmp_path / "client.log")
    try:
        eventually("the client is served", lambda: good_again(made, 5))
        yield made
    finally:
        made.stop()


def test_a_second_run_changes_nothing(pair: Pair) -> None:
    """Would catch a pair that is disturbed by every run."""
    code, said, stats = pair.play()
    assert code == 0 and all(host["changed"] == 0 for host in stats.values()), said


def test_a_server_that_dies_is_not_noticed(pair: Pair, client: Client) -> None:
    """Would catch requests that go to a dead server until somebody counts it out: they are tried again elsewhere."""
    before = len(client.rows())
    assert pair.lab.rack.execute("web1", "systemctl", "kill", "--signal=KILL", "web.service")[0] == 0
    eventually("it is counted out", lambda: all(pair.servers_up(name) == {"web2"} for name in PAIR))
    eventually("enough was asked since", lambda: len(client.rows()) > before + 60)
    # What was being answered at that moment may be cut off; everything that began afterwards is served.
    assert sum(row[1] == "!" for row in client.rows()[before:]) <= 1
    pair.lab.rack.execute("web1", "systemctl", "reset-failed", "web.service")
    serve = ["systemd-run", "--unit=web", "--working-directory=/etc", "python3", "-m", "http.server", "8080"]
    assert pair.lab.rack.execute("web1", *serve)[0] == 0


@pytest.mark.parametrize("fault", ["power", "frozen", "haproxy"])
def test_the_other_takes_over(pair: Pair, client: Client, fault: str) -> None:
    """Would catch an address that stays with who cannot serve it, and one that two machines have afterwards."""
    (holder,) = pair.holders()
    (other,) = set(PAIR) - {holder}
    before = len(client.rows())
    if fault == "power":
        pair.lab.rack.stop(holder, hard=True)
    elif fault == "frozen":
        pair.lab.rack.freeze(holder)
    else:
        assert pair.lab.rack.execute(holder, "systemctl", "kill", "--signal=STOP", "haproxy.service")[0] == 0
    try:
        eventually(
            "the other has the address",
            lambda: bool(pair.lab.rack.execute(other, "ip", "a", "show", "to", VIP)[1].strip()),
        )
        eventually("the client is served again", lambda: len(client.rows()) > before + 60 and good_again(client))
        failed = [int(row[0]) for row in client.rows()[before:] if row[1] == "!"]
    finally:
        if fault == "power":
            pair.lab.rack.start(pair.lab.rack.get(holder))
        elif fault == "frozen":
            pair.lab.rack.thaw(holder)
        else:
            pair.lab.rack.execute(holder, "systemctl", "kill", "--signal=CONT", "haproxy.service")
    # One gap, and not a flapping address.
    assert not failed or failed[-1] - failed[0] < len(failed) + 20, failed
    eventually("one of them has the address", lambda: len(pair.holders()) == 1)
    eventually("the client is served", lambda: good_again(client))


def test_a_configuration_that_haproxy_refuses_is_not_written(pair: Pair, client: Client) -> None:
    """Would catch a reload that takes both machines down."""
    code, said, _stats = pair.play(load_balancer_idle="soon")
    assert code != 0 and "/etc/haproxy/haproxy.cfg" in said and "Nothing was written" in said
    eventually("the client is served", lambda: good_again(client))
