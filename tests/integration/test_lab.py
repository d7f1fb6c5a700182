# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: its nodes behave like machines, and the machine that carries it keeps everything as it was."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
from fixture_rack import lab, node, require_lab, until  # noqa: E402  # lies in the lab's folder
from rack import host, network  # noqa: E402  # as above
from rack.command import LabError, finished, run  # noqa: E402  # as above
from rack.lab import Lab  # noqa: E402  # as above

PROGRAM = [sys.executable, str(ROOT / "tests" / "lab" / "lab.py")]
FIRST, SECOND = "10.10.48.1", "10.10.48.2"


@pytest.fixture(scope="module")
def rack() -> Iterator[Lab]:
    """Two nodes for all tests of this file that do not need their own."""
    with lab("test") as made:
        made.boot([node(made, "one", address=FIRST), node(made, "two", address=SECOND)])
        yield made


def shell(made: Lab, name: str, script: str) -> str:
    code, out, err = made.rack.execute(name, "sh", "-c", script)
    assert code == 0, f"{script}: {err or out}"
    return out.strip()


# What a node may try, and what has to be seen in the node afterwards.
ATTEMPTS = {
    "kernel.panic": ("sysctl -qw kernel.panic=77", "sysctl -n kernel.panic", "77"),
    "a one-way setting": ("sysctl -qw kernel.kptr_restrict=2", "sysctl -n kernel.kptr_restrict", "2"),
    "where cores go": ("sysctl -qw kernel.core_pattern=/tmp/x", "sysctl -n kernel.core_pattern", "/tmp/x"),
    "vm": ("sysctl -qw vm.overcommit_memory=2", "sysctl -n vm.overcommit_memory", "2"),
    "fs": ("sysctl -qw fs.suid_dumpable=2", "sysctl -n fs.suid_dumpable", "2"),
    "user": ("sysctl -qw user.max_user_namespaces=3", "sysctl -n user.max_user_namespaces", "3"),
    "net of its own": ("sysctl -qw net.ipv4.ip_forward=1", "sysctl -n net.ipv4.ip_forward", "1"),
    "conntrack": ("sysctl -qw net.netfilter.nf_conntrack_max=4711", "sysctl -n net.netfilter.nf_conntrack_max", "4711"),
    "hostname": ("hostnamectl set-hostname other", "cat /proc/sys/kernel/hostname", "other"),
    "clock": ("date -s '2001-01-01'", "true", ""),
    "time zone": ("timedatectl set-timezone America/Toronto", "readlink /etc/localtime | grep -o Toronto", "Toronto"),
    "swap": ("swapoff -a; swapon /dev/null || true", "swapon --show", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", ATTEMPTS)
def test_a_node_changes_itself_and_never_the_machine(rack: Lab, what: str) -> None:
    """Catches a hole in the guard: a node's setting that becomes the machine's, or one that a node cannot even set."""
    attempt, look, expected = ATTEMPTS[what]
    before, clock = host.settings(), time.time() - time.monotonic()
    shell(rack, "one", attempt)
    assert shell(rack, "one", look) == expected
    after = host.settings()
    assert {
        name: (before[name], after.get(name))
        for name in before
        if name.startswith("/proc") and before[name] != after.get(name)
    } == {}
    assert before["hostname"] == after["hostname"]
    assert abs(time.time() - time.monotonic() - clock) < 5


@pytest.mark.parametrize(
    "attempt",
    [
        "modprobe no_such_module",
        "touch /sys/kernel/mm/transparent_hugepage/enabled",
        "echo b > /proc/sysrq-trigger && test -s /proc/sysrq-trigger",
        "mount -o remount,rw /sys && touch /sys/kernel/x",
        "dmesg --clear",
        "hwclock --systohc",
    ],
)
def test_what_belongs_to_the_machine_is_refused(rack: Lab, attempt: str) -> None:
    """Catches a way to the machine's modules, devices, logs or /sys that the guard leaves open."""
    assert rack.rack.execute("one", "sh", "-c", attempt)[0] != 0


def test_a_node_has_no_device_of_the_machine(rack: Lab) -> None:
    """Catches a disk, clock or memory device in a node: a role that formats 'the' disk would hit the machine's."""
    devices = shell(
        rack, "one", "find /dev -type b -o -name 'mem' -o -name 'rtc*' -o -name 'loop*' -o -name 'tty[0-9]*'"
    )
    assert devices == ""


def test_modules_that_the_kernel_has_are_found(rack: Lab) -> None:
    """Catches roles that fail at `modprobe br_netfilter` although the kernel has it."""
    shell(rack, "one", "modprobe br_netfilter && modprobe overlay")


def test_nodes_see_each_other_and_nothing_else(rack: Lab) -> None:
    """Catches a lab that is not a network of its own: nodes must meet, and must not get out."""
    shell(rack, "one", f"ssh-keyscan -T 5 {SECOND} | grep -q ed25519")
    address = finished(["ip", "-4", "-o", "route", "get", "192.88.99.1"], check=False).stdout
    source = address.partition(" src ")[2].split(" ", maxsplit=1)[0] or "198.51.100.1"
    code, _out, _err = rack.rack.execute("one", "timeout", "2", "bash", "-c", f"echo > /dev/tcp/{source}/22")
    assert code != 0


def test_packages_come_without_any_way_out(rack: Lab) -> None:
    """Catches a proxy that does not serve: nodes have no other source."""
    shell(
        rack,
        "two",
        "apt-get update -qq && apt-get install -qq --reinstall hostname >/dev/null && dpkg -s hostname >/dev/null",
    )


def test_a_reboot_is_one(rack: Lab) -> None:
    """Catches a node that does not come back, comes back as another, or whose reboot nobody can see."""
    script = "cat /proc/sys/kernel/random/boot_id; cat /etc/ssh/ssh_host_ed25519_key.pub; cat /etc/machine-id"
    before = shell(rack, "two", script).splitlines()
    shell(rack, "two", "systemctl reboot")
    until("another boot", lambda: _boot_id(rack, "two") not in ("", before[0]), 30)
    rack.rack.wait_for_ssh(["two"], rack.key)
    after = shell(rack, "two", script).splitlines()
    assert after[0] != before[0]
    assert after[1:] == before[1:]


def _boot_id(made: Lab, name: str) -> str:
    code, out, _err = made.rack.execute(name, "cat", "/proc/sys/kernel/random/boot_id")
    return out.strip() if code == 0 else ""


def test_a_frozen_node_and_a_pulled_cable(rack: Lab) -> None:
    """Catches faults that do nothing: tests of roles rely on them."""
    ping = ["nsenter", f"--net=/run/netns/{rack.netns}", "ping", "-c1", "-W1", SECOND]
    listening = f"timeout 2 bash -c 'read -r line < /dev/tcp/{SECOND}/22; echo $line'"
    assert "SSH" in shell(rack, "one", listening)
    rack.rack.freeze("two")
    assert rack.rack.execute("one", "sh", "-c", listening)[0] != 0
    rack.rack.thaw("two")
    assert "SSH" in shell(rack, "one", listening)
    network.carrier(rack.netns, rack.rack.container("two"), "eth0", up=False)
    assert finished(ping, check=False).returncode != 0
    network.carrier(rack.netns, rack.rack.container("two"), "eth0", up=True)
    until("it answers", lambda: rack.rack.execute("one", "sh", "-c", listening)[0] == 0, 10)


def test_up_again_changes_nothing(rack: Lab) -> None:
    """Catches an `up` that restarts what runs."""
    before = rack.packages.pid(), shell(rack, "one", "cat /proc/1/stat | cut -d' ' -f22")
    rack.up()
    assert (rack.packages.pid(), shell(rack, "one", "cat /proc/1/stat | cut -d' ' -f22")) == before


def test_debian_12_boots_too() -> None:
    """Catches an image of the older release that does not."""
    with lab("test-old") as made:
        made.boot([node(made, "old", release="12", address=FIRST)])
        assert shell(made, "old", ". /etc/os-release; echo $VERSION_ID") == "12"
        assert shell(made, "old", "systemctl is-system-running --wait || systemctl --failed") == "running"


def test_nothing_is_left() -> None:
    """Catches what `down` forgets, from links and routes to loop devices, volumes, files and processes."""
    require_lab()
    Lab("test-down").down()
    before = host.settings()
    with lab("test-down") as made:
        prepared = node(made, "one", address=FIRST, public_address="203.0.113.9")
        prepared.disks = {"vdb": 64}
        made.boot([prepared])
        assert shell(made, "one", "blockdev --getsize64 /dev/vdb") == str(64 << 20)
        made.rack.snapshot("one", "s1")
        assert "socle-test-down-one" in run("ip", "netns", "list")
        mine = set(
            run("podman", "inspect", "socle-test-down-one", "--format", "{{range .Mounts}}{{.Name}} {{end}}").split()
        )
    after = host.settings()
    for what in ("links", "addresses", "routes", "swaps", "hostname"):
        assert after[what] == before[what], what
    assert {name for name in before if name.startswith("/proc") and after.get(name) != before[name]} == set()
    for what in ("namespaces", "loops", "mounts"):
        assert "test-down" not in after[what], what
    assert not mine & set(run("podman", "volume", "ls", "-q").split())
    assert "test-down" not in run("podman", "ps", "-a", "--format", "{{.Names}}")
    assert "test-down" not in run("podman", "images", "--format", "{{.Repository}}:{{.Tag}}")
    assert not list(Path("/run/socle-lab").glob("test-down*"))
    assert not list(Path("/var/tmp/socle-lab").glob("test-down*"))
    own = [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"test-down\0" in _bytes(path)]
    assert own == []


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_killed_at_any_moment_it_goes_on_or_goes_away() -> None:
    """Catches a half-made lab that neither `nodes` nor `down` can deal with: SIGKILL at random moments."""
    require_lab()
    chance = random.Random(5)
    wanted = json.dumps([{"name": "one", "address": FIRST, "disks": {"vdb": 64}}])
    command = [*PROGRAM, "--name", "test-kill", "nodes"]
    Lab("test-kill").down()
    try:
        for _turn in range(6):
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                text=True, start_new_session=True,
            )  # fmt: skip
            assert process.stdin is not None
            process.stdin.write(wanted)
            process.stdin.close()
            try:
                process.wait(chance.uniform(0.1, 2.5))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        done = subprocess.run(command, input=wanted, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert shell(Lab("test-kill"), "one", "hostname") == "one"
    finally:
        Lab("test-kill").down()
    assert "test-kill" not in run("ip", "netns", "list")
    assert "test-kill" not in run("losetup", "--list")


def test_a_wrong_name_is_explained(rack: Lab) -> None:
    """Catches a bare traceback where somebody mistypes a node."""
    with pytest.raises(LabError, match=r"no node three in the lab test; its nodes: one, two"):
        rack.rack.get("three")
    done = subprocess.run([*PROGRAM, "--name", "nope", "ssh", "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "lab: There is no node x in the lab nope; its nodes: none.\n"
