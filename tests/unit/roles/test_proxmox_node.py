# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role proxmox_node as far as it can be known without a server: its files, its refusals, the installer's answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

tomllib = pytest.importorskip("tomllib")
BIN = Path(sys.executable).parent
NODE = {
    "proxmox_node_name": "compute1",
    "proxmox_node_domain": "cater.example.org",
    "proxmox_node_address": "203.0.113.11",
    "proxmox_node_peers": {"compute1": "203.0.113.11", "compute2": "203.0.113.12"},
    "proxmox_node_manage_network": True,
    "proxmox_node_public_interface": "eno1",
    "proxmox_node_public_address": "203.0.113.11/24",
    "proxmox_node_public_gateway": "203.0.113.1",
    "proxmox_node_rack_interface": "eno2",
    "proxmox_node_rack_address": "10.10.10.1/16",
    "proxmox_node_rack_vlan": 100,
    "proxmox_node_rack_mtu": 1400,
}


def play(folder: Path, root: Path, tasks: list[dict[str, Any]], *options: str, **variables: Any) -> Any:
    """A run on this machine that reads the role and writes only below `folder`."""
    path = folder / "play.yml"
    body = {"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}
    path.write_text(yaml.safe_dump([body], sort_keys=False))
    env = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(root / "playbooks" / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    argv = [str(BIN / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(path), *options]
    argv += ["-e", f"ansible_python_interpreter={sys.executable}"]
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


def rendered(folder: Path, root: Path, name: str, **variables: Any) -> str:
    source = str(root / "roles" / "proxmox_node" / "templates" / name)
    template = {"ansible.builtin.template": {"src": source, "dest": str(folder / "out"), "mode": "0644"}}
    defaults = yaml.safe_load((root / "roles" / "proxmox_node" / "defaults" / "main.yml").read_text())
    done = play(folder, root, [template], **{**defaults, **NODE, **variables})
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "out").read_text()


def interfaces(text: str) -> dict[str, dict[str, str]]:
    """A file for ifupdown, as far as this role writes it."""
    found: dict[str, dict[str, str]] = {}
    name = ""
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "iface":
            name = f"{words[1]} {words[2]}"
            found[name] = {"method": words[3]}
        elif line.startswith("\t"):
            found[name][words[0]] = " ".join(words[1:])
        elif words[0] == "auto":
            found.setdefault("auto", {})[words[1]] = ""
    return found


def test_the_network_of_a_rented_server(tmp_path: Path, root: Path) -> None:
    """Would catch a bridge on the wrong port, a rack without its VLAN, an interface that is not started."""
    found = interfaces(rendered(tmp_path, root, "interfaces.j2"))
    assert found["vmbr0 inet"] == {
        "method": "static",
        "address": "203.0.113.11/24",
        "gateway": "203.0.113.1",
        "bridge-ports": "eno1",
        "bridge-stp": "off",
        "bridge-fd": "0",
    }
    assert found["vmbr1 inet"]["bridge-ports"] == "eno2.100"
    assert found["vmbr1 inet"]["address"] == "10.10.10.1/16" and found["vmbr1 inet"]["mtu"] == "1400"
    assert found["eno2.100 inet"] == {"method": "manual", "mtu": "1400"}
    assert set(found["auto"]) == {"lo", "vmbr0", "eno2.100", "vmbr1"}
    assert {"eno1 inet", "eno2 inet"} <= set(found)


def test_both_networks_on_one_bond_without_a_public_bridge(tmp_path: Path, root: Path) -> None:
    """Would catch members that are not declared, or an address left on a member."""
    text = rendered(
        tmp_path,
        root,
        "interfaces.j2",
        proxmox_node_bond_members=["eno1", "eno2"],
        proxmox_node_public_interface="bond0",
        proxmox_node_rack_interface="bond0",
        proxmox_node_public_bridge="",
        proxmox_node_public_address6="2001:db8::11/64",
        proxmox_node_public_gateway6="fe80::1",
    )
    found = interfaces(text)
    assert found["bond0 inet6"] == {"method": "static", "address": "2001:db8::11/64", "gateway": "fe80::1"}
    assert found["vmbr1 inet"]["bridge-ports"] == "bond0.100"
    assert "bond-slaves eno1 eno2" in text and "bond-mode 802.3ad" in text
    assert found["eno1 inet"] == found["eno2 inet"] == {"method": "manual"}


def test_the_name_stands_for_the_address_and_never_for_127(tmp_path: Path, root: Path) -> None:
    """Would catch the Debian default 127.0.1.1, with which a node's services do not start."""
    lines = rendered(tmp_path, root, "hosts.j2").splitlines()
    assert "203.0.113.11 compute1.cater.example.org compute1" in lines
    assert "203.0.113.12 compute2.cater.example.org compute2" in lines
    assert not any("127.0.1.1" in line for line in lines)
    assert sum("compute1" in line for line in lines) == 1
    bare = rendered(tmp_path, root, "hosts.j2", proxmox_node_domain="", proxmox_node_peers={})
    assert "203.0.113.11 compute1\n" in bare


def test_the_other_files(tmp_path: Path, root: Path) -> None:
    """Would catch a repository without its key, and a cache limit in the wrong unit."""
    sources = rendered(tmp_path, root, "proxmox.sources.j2")
    assert "Suites: trixie" in sources and "Signed-By: /usr/share/keyrings/proxmox-archive-keyring.gpg" in sources
    assert "zfs_arc_max=8589934592" in rendered(tmp_path, root, "zfs.conf.j2", proxmox_node_zfs_arc_max_mib=8192)
    service = rendered(tmp_path, root, "socle-try.service.j2")
    assert "ExecStart=/usr/local/sbin/socle-try watch" in service and "Restart=always" in service
    servers = ["ntp1.example.org", "ntp2.example.org"]
    assert "server ntp2.example.org iburst" in rendered(
        tmp_path, root, "chrony.sources.j2", proxmox_node_time_servers=servers
    )


ROLE = "socle.platform.proxmox_node"
FACTS = {
    "distribution": "Debian",
    "distribution_major_version": "13",
    "distribution_version": "13.1",
    "architecture": "x86_64",
    "interfaces": ["lo", "eno1", "eno2"],
    "mounts": [],
}


@pytest.mark.parametrize(
    ("facts", "variables", "said"),
    [
        ({"distribution_major_version": "12", "distribution_version": "12.9"}, {}, "runs Debian 12.9"),
        ({"architecture": "aarch64"}, {}, "on aarch64"),
        ({}, {"proxmox_node_public_gateway": ""}, "proxmox_node_public_gateway"),
        ({}, {"proxmox_node_rack_interface": "eno7"}, "has no interface eno7; it has eno1, eno2, lo"),
        ({}, {"proxmox_node_storage": "zfs"}, "name its devices in proxmox_node_storage_devices"),
        ({}, {}, ""),
    ],
)
def test_what_cannot_become_a_node_is_said_before_anything_changes(
    tmp_path: Path, root: Path, facts: dict[str, Any], variables: dict[str, Any], said: str
) -> None:
    """Would catch a half-installed node, or a network written for an interface that is not there."""
    tasks = [{"ansible.builtin.include_role": {"name": ROLE, "tasks_from": "preflight"}}]
    done = play(tmp_path, root, tasks, **{**NODE, **variables, "ansible_facts": {**FACTS, **facts}})
    assert (done.returncode != 0) == bool(said), done.stdout
    assert said in " ".join(done.stdout.split())
    assert "changed=0" in done.stdout


def test_the_helper_that_is_installed_can_be_started(tmp_path: Path, root: Path) -> None:
    """Would catch a program without its first line, or one that a template has changed."""
    copy = yaml.safe_load((root / "roles" / "proxmox_node" / "tasks" / "helper.yml").read_text())[0]
    options = {**copy["ansible.builtin.copy"], "dest": str(tmp_path / "socle-try")}
    del options["owner"], options["group"]
    (tmp_path / "files").symlink_to(root / "roles" / "proxmox_node" / "files")
    done = play(tmp_path, root, [{"ansible.builtin.copy": options}])
    assert done.returncode == 0, done.stdout
    installed = tmp_path / "socle-try"
    source = (root / "roles" / "proxmox_node" / "files" / "socle_try.py").read_text()
    assert installed.read_text() == f"#!/usr/bin/python3\n{source}"
    asked = subprocess.run([sys.executable, str(installed), "status"], capture_output=True, text=True, check=False)
    assert (asked.returncode, asked.stdout) == (0, '{"armed": false}\n')
    wrong = subprocess.run([sys.executable, str(installed), "arm"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2 and "usage: socle-try" in wrong.stderr


def answer(folder: Path, root: Path, **variables: Any) -> Any:
    tasks = [{"ansible.builtin.include_role": {"name": ROLE, "tasks_from": "answer"}}]
    path = folder / "answer.toml"
    common = {
        "proxmox_node_answer_path": str(path),
        "proxmox_node_answer_password_hash": "$y$j9T$abc$def",
        "proxmox_node_answer_disks": ["sda", "sdb"],
        "proxmox_node_answer_dns": "9.9.9.9",
        "proxmox_node_answer_ssh_keys": ['ssh-ed25519 AAAA "ada"\\x'],
    }
    done = play(folder, root, tasks, "--diff", **{**NODE, **common, **variables})
    return done, path


def test_the_answer_file_says_what_the_role_would_do(tmp_path: Path, root: Path) -> None:
    """Would catch TOML that is none, a lost quote, keys that no installer knows, a hash shown on the screen."""
    done, path = answer(tmp_path, root)
    assert done.returncode == 0, done.stdout
    assert "$y$j9T" not in done.stdout
    assert path.stat().st_mode & 0o077 == 0
    assert tomllib.loads(path.read_text()) == {
        "global": {
            "keyboard": "en-us",
            "country": "us",
            "fqdn": "compute1.cater.example.org",
            "mailto": "root@localhost",
            "timezone": "UTC",
            "root-password-hashed": "$y$j9T$abc$def",
            "root-ssh-keys": ['ssh-ed25519 AAAA "ada"\\x'],
        },
        "network": {
            "source": "from-answer",
            "cidr": "203.0.113.11/24",
            "gateway": "203.0.113.1",
            "dns": "9.9.9.9",
            "filter": {"ID_NET_NAME": "eno1"},
        },
        "disk-setup": {"filesystem": "zfs", "disk-list": ["sda", "sdb"], "zfs": {"raid": "raid1"}},
    }


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"proxmox_node_answer_password_hash": "hunter2hunter2"}, "is no hash"),
        ({"proxmox_node_answer_dns": ""}, "dns of compute1 is missing"),
        ({"proxmox_node_answer_disks": []}, "disks of compute1 is missing"),
    ],
)
def test_an_answer_file_that_would_stop_the_installer_is_not_written(
    tmp_path: Path, root: Path, variables: dict[str, Any], said: str
) -> None:
    """Would catch finding out at the server's console, or a password in clear on a boot medium."""
    done, path = answer(tmp_path, root, **variables)
    assert done.returncode != 0 and said in " ".join((done.stdout + done.stderr).split())
    assert not path.exists()


def test_the_role_can_be_read_by_ansible(tmp_path: Path, root: Path) -> None:
    """Would catch a task file that Ansible cannot parse, and options that its specification does not know."""
    tasks = [{"ansible.builtin.import_role": {"name": ROLE}}]
    done = play(tmp_path, root, tasks, "--syntax-check", **NODE)
    assert done.returncode == 0, done.stderr
    listed = play(tmp_path, root, tasks, "--list-tasks", **NODE)
    assert "Install Proxmox's kernel" in listed.stdout and "Run it" in listed.stdout
    bad = play(tmp_path, root, tasks, "--check", **{**NODE, "proxmox_node_storage": "floppy"})
    assert bad.returncode != 0 and "floppy" in bad.stdout
