# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way in, with real OpenVPN on both sides: two gateways, a machine in the rack, and a laptop outside."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.socle.platform.plugins.module_utils._openvpn import pki
from ansible_collections.socle.platform.plugins.module_utils._openvpn.register import Register
from ansible_collections.socle.platform.plugins.module_utils._secrets.config import open_store
from cryptography import x509

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

import fixture_rack  # noqa: E402  # needs the path above
from rack.command import finished, inside  # noqa: E402  # as above

PASSWORD = "a password of this test"
GATEWAYS = {"gw1": ("10.10.88.1", "203.0.113.50"), "gw2": ("10.10.88.2", "203.0.113.51")}
INNER, LAPTOP = "10.10.48.1", "203.0.113.200"
UNIT = "openvpn-server@socle.service"
STATUS = """
import socket
peer = socket.socket(socket.AF_UNIX)
peer.settimeout(10)
peer.connect("/run/openvpn-server/socle.sock")
stream = peer.makefile("rw")
stream.write("status 2\\n")
stream.flush()
for line in stream:
    print(line.strip())
    if line.startswith("END"):
        break
"""


poll = functools.partial(fixture_rack.until, seconds=60)


@dataclass
class Site:
    """A lab with two gateways, and the variables that the role is given."""

    lab: Any
    folder: Path
    variables: dict[str, Any]
    output: str = ""

    def play(self, *arguments: str, fails: bool = False) -> dict[str, Any]:
        """Run the role; changed tasks by host."""
        hosts = {name: {"ansible_host": rack} for name, (rack, _public) in GATEWAYS.items()}
        inventory = {"all": {"vars": self.variables, "children": {"openvpn": {"hosts": hosts}}}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
        play = {"name": "VPN", "hosts": "openvpn", "gather_facts": False, "roles": ["socle.platform.openvpn"]}
        (self.folder / "play.yml").write_text(yaml.safe_dump([play]))
        environment = {
            **self.lab.environment(),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.folder / "password"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        }
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        argv = inside(self.lab.netns, program, "-i", "hosts.yml", "play.yml", *arguments)
        done = subprocess.run(argv, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        self.output = done.stdout + done.stderr
        assert bool(done.returncode) is fails, self.output[-6000:]
        recap = self.output.rpartition("PLAY RECAP")[2]
        rows = (line.split() for line in recap.splitlines() if "changed=" in line)
        return {row[0]: int(next(w for w in row if w.startswith("changed="))[8:]) for row in rows}

    def on(self, node: str, *argv: str, text: str | None = None) -> str:
        return self.tried(node, *argv, text=text, check=True).stdout

    def tried(
        self, node: str, *argv: str, text: str | None = None, check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        container = self.lab.rack.container(node)
        return finished(["podman", "exec", "--interactive", container, *argv], text=text, check=check)

    def journal(self, node: str, unit: str) -> str:
        return self.on(node, "journalctl", "--no-pager", "--output=cat", "--unit", unit)

    def profile(self, name: str) -> str:
        return (self.folder / "profiles" / f"{name}.ovpn").read_text()

    def connect(self, name: str, profile: str, *options: str) -> None:
        """Begin a client on the laptop, as a unit of this name."""
        self.disconnect(name)
        self.on("laptop", "sh", "-c", f"umask 077; cat > /root/{name}.ovpn", text=profile)
        start = ["systemd-run", "--quiet", "--collect", "--unit", name]
        self.on("laptop", *start, "openvpn", "--config", f"/root/{name}.ovpn", "--connect-retry", "1", "2", *options)

    def disconnect(self, name: str) -> None:
        self.tried("laptop", "systemctl", "stop", name)

    def is_connected(self, name: str) -> bool:
        """Of its present run."""
        argv = ["journalctl", "--no-pager", "--output=cat", f"_SYSTEMD_INVOCATION_ID={self.invocation(name)}"]
        return "Initialization Sequence Completed" in self.on("laptop", *argv)

    def invocation(self, unit: str, node: str = "laptop") -> str:
        return self.on(node, "systemctl", "show", "--property=InvocationID", "--value", unit).strip()

    def reaches(self, address: str = INNER, port: int = 22) -> bool:
        """Whether the laptop gets an answer from there."""
        script = f"exec 3<>/dev/tcp/{address}/{port}; read -r -t 3 -N 4 word <&3; echo $word"
        return "SSH-" in self.tried("laptop", "timeout", "4", "bash", "-c", script).stdout

    def sessions(self, node: str) -> dict[str, tuple[str, str]]:
        """Since when who is connected, and from where: OpenVPN is asked itself."""
        rows = self.on(node, "python3", "-c", STATUS).splitlines()
        clients = [row.split(",") for row in rows if row.startswith("CLIENT_LIST")]
        return {row[1]: (row[8], row[2]) for row in clients}

    def store(self) -> Any:
        passwords = [("default", PASSWORD.encode())]
        return open_store(self.variables["socle_secrets"], folder=None, passwords=lambda: passwords)

    def authority(self) -> pki.Authority:
        fields = self.store().read("openvpn/ca").fields
        return pki.Authority.load(fields["certificate"], fields["key"])

    def register(self) -> Register:
        return Register.load(dict(self.store().read("openvpn/register").fields))

    def give_lists(self, node: str, spans: list[tuple[float, float]]) -> None:
        """Lists that count from and to so many days from now, as if they had been signed long ago."""
        now = datetime.now(timezone.utc).replace(microsecond=0)
        windows = [pki.Window(now + timedelta(days=begin), now + timedelta(days=end)) for begin, end in spans]
        lists = [self.authority().revocations([], 100 + i, window) for i, window in enumerate(windows)]
        text = json.dumps({"lists": lists, "revoked": {}})
        self.on(node, "sh", "-c", "cat > /etc/openvpn/server/socle-revocations.json", text=text)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("openvpn")
    (folder / "password").write_text(PASSWORD)
    with fixture_rack.lab("t-openvpn") as lab:
        nodes = [
            fixture_rack.node(lab, name, release, address=GATEWAYS[name][0], public_address=GATEWAYS[name][1])
            for name, release in (("gw1", "13"), ("gw2", "12"))
        ]
        nodes += [
            fixture_rack.node(lab, "inner", address=INNER),
            fixture_rack.node(lab, "laptop", public_address=LAPTOP),
        ]
        lab.boot(nodes)
        variables = {
            "ansible_user": "socle",
            "ansible_become": True,
            "ansible_ssh_private_key_file": str(lab.key),
            "ansible_python_interpreter": "/usr/bin/python3",
            "socle_secrets": {"backend": "file", "file": str(folder / "secrets.yml")},
            "openvpn_name": "lab",
            "openvpn_people": ["ada", "grace", "linus"],
            "openvpn_gateways": [{"name": name, "address": public} for name, (_rack, public) in GATEWAYS.items()],
            "openvpn_routes": ["10.10.0.0/16"],
            "openvpn_profiles": str(folder / "profiles"),
        }
        made = Site(lab, folder, variables)
        made.on("laptop", "sh", "-c", "apt-get -q update && apt-get -qy install --no-install-recommends openvpn")
        made.play("--diff", "-vv")
        yield made


def only(profile: str, gateway: str) -> str:
    """The profile with one of its gateways."""
    other = next(public for name, (_rack, public) in GATEWAYS.items() if name != gateway)
    return profile.replace(f"remote {other} 1194\n", "").replace("remote-random\n", "")


def test_nothing_secret_was_shown(site: Site) -> None:
    """Would catch a key in what Ansible prints with -vv and --diff, and in what a journal keeps of modules."""
    assert "person ada" in site.output
    store = site.store()
    for path in store.list():
        for value in store.read(path).fields.values():
            if "PRIVATE KEY" in value or "tls-crypt-v2" in value:
                assert not any(line in site.output for line in value.splitlines()[1:-1]), path
    site.play("--check", "--diff", "-vvv")
    key = site.store().read("openvpn/gateways/gw1").fields["key"].splitlines()[1]
    assert key not in site.output
    journal = site.on("gw1", "journalctl", "--no-pager", "--output=cat")
    assert "Invoked with files=" in journal
    assert key not in journal


def test_second_run_changes_nothing(site: Site) -> None:
    """Would catch a task that always changes, and sessions that each run ends."""
    before = {name: site.invocation(UNIT, name) for name in GATEWAYS}
    assert site.play() == {"gw1": 0, "gw2": 0}
    assert {name: site.invocation(UNIT, name) for name in GATEWAYS} == before


@pytest.mark.parametrize("gateway", list(GATEWAYS))
def test_the_rack_is_reached_with_a_profile_only(site: Site, gateway: str) -> None:
    """Would catch a gateway that lets anybody through, or nobody; of Debian 13 and of 12."""
    assert not site.reaches()
    site.connect("ada", only(site.profile("ada"), gateway))
    poll("the rack answers", site.reaches)
    assert "ada" in site.sessions(gateway)
    site.disconnect("ada")
    assert not site.reaches()


def test_only_the_rack_goes_through_the_tunnel(site: Site) -> None:
    """Would catch a tunnel that takes all of a person's traffic, or lets it out to everywhere."""
    site.connect("ada", only(site.profile("ada"), "gw1"))
    poll("the rack answers", site.reaches)
    routes = json.loads(site.on("laptop", "ip", "-json", "route"))
    tunnel = {route["dst"] for route in routes if route["dev"] == "tun0"}
    assert tunnel == {"10.8.0.0/24", "10.10.0.0/16"}
    # Asked to carry something else, the gateway drops it: the package proxy stands where the Internet would.
    script = "exec 3<>/dev/tcp/192.0.2.1/3142 && echo open"
    assert "open" in site.tried("laptop", "timeout", "4", "bash", "-c", script).stdout
    site.on("laptop", "ip", "route", "add", "192.0.2.1/32", "dev", "tun0")
    assert "open" not in site.tried("laptop", "timeout", "4", "bash", "-c", script).stdout
    site.disconnect("ada")


def test_a_stranger_gets_no_answer(site: Site) -> None:
    """Would catch a port that tells scanners what it is: without a key of ours there is no word from it."""
    hello = "import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); "
    # The first packet of every OpenVPN client: P_CONTROL_HARD_RESET_CLIENT_V2, and the one of tls-crypt-v2.
    for opcode in (0x38, 0x50):
        packet = bytes([opcode]) + bytes(range(8)) + bytes(5)
        script = f"{hello}s.sendto({packet!r}, ('203.0.113.50', 1194)); print(len(s.recv(2000)))"
        done = site.tried("laptop", "python3", "-c", script)
        assert "timed out" in done.stderr, done.stdout
    foreign = pki.Authority.load(*_authority_of_somebody_else())
    moment = pki.now()
    issued = foreign.issue("ada", pki.PERSON, pki.serial_number(), moment, moment + timedelta(days=9))
    text = site.profile("ada")
    before, _begin, rest = text.partition("<cert>")
    _old, _end, after = rest.partition("</key>")
    forged = f"{before}<cert>\n{issued.certificate}</cert>\n<key>\n{issued.key}</key>{after}"
    refused = site.journal("gw1", UNIT).count("VERIFY ERROR")
    site.connect("forged", only(forged, "gw1"), "--connect-retry-max", "1")
    poll("it is refused", lambda: site.journal("gw1", UNIT).count("VERIFY ERROR") > refused)
    assert not site.is_connected("forged")
    site.disconnect("forged")


def _authority_of_somebody_else() -> tuple[str, str]:
    from ansible_collections.socle.platform.plugins.module_utils._secrets import kinds

    made = kinds.generate(kinds.Spec(kind="ca", name="lab VPN"), "openvpn/ca")
    return made["certificate"], made["key"]


def test_revoked_at_once_without_a_restart_and_others_keep_their_sessions(site: Site) -> None:
    """Would catch a revocation that waits for a restart, and one that throws everybody out."""
    site.connect("ada", only(site.profile("ada"), "gw1"))
    poll("the rack answers", site.reaches)
    stolen = only(site.profile("linus"), "gw1")
    site.connect("linus", stolen, "--route-nopull", "--dev", "tun7")
    poll("linus is in", lambda: "linus" in site.sessions("gw1"))
    ada, unit = site.sessions("gw1")["ada"], site.invocation(UNIT, "gw1")
    site.variables["openvpn_people"] = ["ada", "grace"]
    site.play()
    poll("his session is ended", lambda: "linus" not in site.sessions("gw1"))
    site.connect("linus", stolen, "--route-nopull", "--dev", "tun7")
    poll("he is refused", lambda: "error=certificate revoked: CN=linus" in site.journal("gw1", UNIT))
    assert "linus" not in site.sessions("gw1")
    assert site.sessions("gw1")["ada"] == ada
    assert site.invocation(UNIT, "gw1") == unit
    assert site.reaches()
    assert not (site.folder / "profiles" / "linus.ovpn").exists()
    site.disconnect("linus")
    site.disconnect("ada")
    assert site.play() == {"gw1": 0, "gw2": 0}


def test_a_lost_profile_is_replaced(site: Site) -> None:
    """Would catch the thief of a laptop who still gets in, or its owner who does not."""
    lost = only(site.profile("grace"), "gw2")
    site.variables["openvpn_reissue"] = {"grace": f"{pki.now():%Y-%m-%dT%H:%M:%SZ}"}
    site.play()
    site.connect("grace", only(site.profile("grace"), "gw2"), "--route-nopull")
    poll("grace is in", lambda: "grace" in site.sessions("gw2"))
    site.disconnect("grace")
    site.connect("thief", lost, "--route-nopull", "--connect-retry-max", "1")
    poll("the thief is refused", lambda: "error=certificate revoked: CN=grace" in site.journal("gw2", UNIT))
    assert not site.is_connected("thief")
    site.disconnect("thief")


def test_the_timer_takes_up_the_next_list(site: Site) -> None:
    """Would catch a gateway that stays with its first list until nobody gets in."""
    timers = json.loads(site.on("gw1", "systemctl", "list-timers", "--output=json", "socle-openvpn-crl.timer"))
    assert timers[0]["next"] - time.time() * 1e6 < 3900e6
    site.give_lists("gw1", [(-20, 10), (5, 35)])
    site.on("gw1", "systemctl", "start", "socle-openvpn-crl.service")
    assert abs(in_force(site) - timedelta(days=10)) < timedelta(hours=1)
    site.give_lists("gw1", [(-20, 10), (-5, 25)])
    site.on("gw1", "systemctl", "start", "socle-openvpn-crl.service")
    assert abs(in_force(site) - timedelta(days=25)) < timedelta(hours=1)
    assert "nobody gets in, unless access.yml is run before" in site.journal("gw1", "socle-openvpn-crl.service")
    site.play()


def in_force(site: Site) -> timedelta:
    """How long the list still counts that OpenVPN reads."""
    listed = x509.load_pem_x509_crl(site.on("gw1", "cat", "/etc/openvpn/server/socle-crl.pem").encode())
    assert listed.next_update_utc is not None
    return listed.next_update_utc - pki.now()


def test_when_lists_run_out_nobody_new_gets_in_and_a_run_mends_it(site: Site) -> None:
    """Would catch an expired list that lets revoked people in, and one that needs more than a run to mend."""
    unit = site.invocation(UNIT, "gw1")
    site.give_lists("gw1", [(-40, -1)])
    assert site.tried("gw1", "systemctl", "start", "socle-openvpn-crl.service").returncode != 0
    assert "nobody gets in. Run access.yml." in site.journal("gw1", "socle-openvpn-crl.service")
    site.connect("ada", only(site.profile("ada"), "gw1"))
    poll("she is refused", lambda: "CRL has expired" in site.journal("gw1", UNIT))
    assert not site.reaches()
    site.play()
    poll("the rack answers again", site.reaches)
    assert site.invocation(UNIT, "gw1") == unit
    site.disconnect("ada")


def test_a_damaged_list_is_never_taken_up(site: Site) -> None:
    """Would catch a list of somebody else's, or half of one, that lets everybody in or nobody."""
    good = site.on("gw1", "cat", "/etc/openvpn/server/socle-crl.pem")
    foreign = pki.Authority.load(*_authority_of_somebody_else())
    now = pki.now()
    listed = foreign.revocations([], 1, pki.Window(now - timedelta(hours=2), now + timedelta(days=3)))
    for text in (json.dumps({"lists": [listed, good[:200]], "revoked": {}}), "{", '{"lists": 3}'):
        site.on("gw1", "sh", "-c", "cat > /etc/openvpn/server/socle-revocations.json", text=text)
        assert site.tried("gw1", "systemctl", "start", "socle-openvpn-crl.service").returncode != 0
        assert site.on("gw1", "cat", "/etc/openvpn/server/socle-crl.pem") == good
    site.play()


def test_near_its_end_everything_is_renewed_and_old_profiles_stay_good(site: Site) -> None:
    """Would catch a renewal that people notice: the old profile works until its own end."""
    old = only(site.profile("ada"), "gw1")
    before = {entry.serial for entry in site.register().entries}
    site.play("-e", "openvpn_certificate_days=800", "-e", "openvpn_renew_days=400")
    fresh = [entry for entry in site.register().entries if entry.serial not in before]
    assert {entry.name for entry in fresh} == {"ada", "grace", "gw1", "gw2"}
    for name, profile in (("old", old), ("new", only(site.profile("ada"), "gw1"))):
        assert (profile == old) is (name == "old")
        site.connect(name, profile)
        poll(f"the rack answers to the {name} one", site.reaches)
        site.disconnect(name)
        poll("it has gone", lambda: not site.reaches())


def test_a_gateway_may_die(site: Site) -> None:
    """Would catch profiles that know one gateway only."""
    site.connect("ada", site.profile("ada"))
    poll("the rack answers", site.reaches)
    holder = poll("she has a session", lambda: next((name for name in GATEWAYS if "ada" in site.sessions(name)), ""))
    other = next(name for name in GATEWAYS if name != holder)
    site.lab.rack.freeze(holder)
    try:
        fixture_rack.until("she comes in through the other one", lambda: "ada" in site.sessions(other), 150)
        poll("the rack answers", site.reaches)
    finally:
        site.lab.rack.thaw(holder)
    site.disconnect("ada")


def test_only_the_way_in_is_open(site: Site) -> None:
    """Would catch a helper or a management port that anybody reaches: nothing of the VPN listens on TCP."""
    for name in GATEWAYS:
        listening = site.on(name, "ss", "--listening", "--numeric", "--tcp", "--udp", "--processes")
        rows = [line.split() for line in listening.splitlines()[1:] if "openvpn" in line]
        assert [(row[0], row[4]) for row in rows] == [("udp", "0.0.0.0:1194")], listening
        modes = site.on(
            name, "stat", "--format=%a %n", "/etc/openvpn/server/socle.key", "/run/openvpn-server/socle.sock"
        )
        assert modes.splitlines()[0].startswith("600 ")
        # The socket takes orders: nobody but root may give them.
        assert "openvpn" not in site.tried(name, "runuser", "-u", "nobody", "--", "ls", "/run/openvpn-server").stdout


def test_the_key_of_the_authority_is_on_no_gateway(site: Site) -> None:
    """Would catch a gateway that can make itself a person."""
    key = site.store().read("openvpn/ca").fields["key"].splitlines()[1]
    for name in GATEWAYS:
        done = site.tried(
            name, "grep", "--recursive", "--files-with-matches", key, "/etc", "/root", "/var", "/home", "/run"
        )
        assert done.stdout == ""
