# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests as Ansible's commands see them: good ones become an inventory, broken ones end the run."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

BIN = Path(sys.executable).parent
GOOD = """\
plugin: socle.platform.manifest
platform: {name: cater, domain: cater.example.org}
hypervisors:
  cluster: cater
  network: {rack: 10.10.0.0/16}
  nodes:
    compute1: {address: 203.0.113.11}
machines:
  worker: {count: 2}
  web-front: {count: 1}
"""
BROKEN = GOOD.replace("count: 2", "cuont: 2").replace("rack: 10.10.0.0/16", "rack: 10.10.0.1/16")
TWO_ERRORS = (
    "platform.socle.yml:5:19: hypervisors.network.rack: found '10.10.0.1/16', an address inside a network",
    "did you mean 10.10.0.0/16?",
    "platform.socle.yml:9:12: machines.worker.cuont: unknown key 'cuont'",
    "did you mean count?",
)
PLAYBOOK = """\
- name: What must not run
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Ran
      ansible.builtin.debug:
        msg: IT-RAN
"""


def run(root: Path, *command: str, config: str | None = "ours", cwd: Path | None = None, **more: str) -> Any:
    """Run one of Ansible's commands with our ansible.cfg, with none, or with another."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    env.update(ANSIBLE_FORCE_COLOR="0", PYTHONWARNINGS="ignore", **more)
    if config == "ours":
        env["ANSIBLE_CONFIG"] = str(root / "ansible.cfg")
    elif config is not None:
        env["ANSIBLE_CONFIG"] = config
        env["ANSIBLE_COLLECTIONS_PATH"] = str(root / "playbooks" / "collections")
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=cwd or root, env=env, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def listed(root: Path, *sources: str, **more: Any) -> Any:
    done = run(root, "ansible-inventory", *[part for source in sources for part in ("-i", source)], "--list", **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def empty_config(tmp_path: Path) -> str:
    """No configuration of ours: as in a project that only has the collection installed."""
    path = tmp_path / "other.cfg"
    path.write_text("[defaults]\n")
    return str(path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "inventory"
    folder.mkdir()
    (folder / "platform.socle.yml").write_text(GOOD)
    (tmp_path / "site.yml").write_text(PLAYBOOK)
    return folder


COMMANDS = {
    "playbook": ("ansible-playbook", "{tmp}/site.yml", "-i", "{source}"),
    "playbook with a limit": ("ansible-playbook", "{tmp}/site.yml", "-i", "{source}", "--limit", "worker-1"),
    "playbook with another inventory": ("ansible-playbook", "{tmp}/site.yml", "-i", "localhost,", "-i", "{source}"),
    "syntax check": ("ansible-playbook", "{tmp}/site.yml", "-i", "{source}", "--list-hosts"),
    "ad hoc": ("ansible", "localhost", "-i", "{source}", "-m", "ansible.builtin.debug", "-a", "msg=IT-RAN"),
    "inventory list": ("ansible-inventory", "-i", "{source}", "--list", "--export"),
    "inventory graph": ("ansible-inventory", "-i", "{source}", "--graph"),
    "inventory host": ("ansible-inventory", "-i", "{source}", "--host", "worker-1"),
    "console": ("ansible-console", "-i", "{source}"),
}


@pytest.mark.parametrize("config", ["ours", "none"])
@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_broken_manifest_ends_every_command(root: Path, place: Path, empty_config: str, command: str, config: str):
    """Ansible itself would warn, try other plugins, and go on with no hosts and exit status 0."""
    (place / "platform.socle.yml").write_text(BROKEN)
    source = str(place if "list" in command else place / "platform.socle.yml")
    words = [word.format(tmp=place.parent, source=source) for word in COMMANDS[command]]
    done = run(root, *words, config="ours" if config == "ours" else empty_config, cwd=place.parent)
    assert done.returncode == 4, (done.stdout, done.stderr)
    for line in TWO_ERRORS:
        assert line in done.stderr
    assert "IT-RAN" not in done.stdout
    for noise in ("Traceback", "WARNING", "Failed to parse", "implicit localhost"):
        assert noise not in done.stdout + done.stderr
    assert done.stdout.strip() == ""


def test_a_syntax_error_is_ours_too(root: Path, place: Path):
    """With our ansible.cfg the file reaches us before Ansible's own YAML reader."""
    (place / "platform.socle.yml").write_text("plugin: socle.platform.manifest\nplatform: {name: x\nmachines: {}\n")
    done = run(root, "ansible-playbook", f"{place.parent}/site.yml", "-i", str(place))
    assert done.returncode == 4
    assert "platform.socle.yml:3:9" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 5, done.stderr


def test_awx_sees_the_exit_status(root: Path, place: Path, empty_config: str):
    """AWX runs ansible-inventory on a file of the project, from elsewhere, with its own settings."""
    (place / "platform.socle.yml").write_text(BROKEN)
    source = str(place / "platform.socle.yml")
    settings = {"ANSIBLE_INVENTORY_UNPARSED_FAILED": "True", "ANSIBLE_INVENTORY_ENABLED": "auto"}
    words = ("ansible-inventory", "-i", source, "--playbook-dir", str(place.parent), "--list", "--export")
    done = run(root, *words, config=empty_config, cwd=Path("/"), **settings)
    assert done.returncode == 4
    assert TWO_ERRORS[0] in done.stderr
    (place / "platform.socle.yml").write_text(GOOD)
    done = run(root, *words, config=empty_config, cwd=Path("/"), **settings)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["worker"]["hosts"] == ["worker-1", "worker-2"]


def test_nothing_is_left_behind(root: Path, place: Path, tmp_path: Path):
    """Ending a run from inside a plugin must not leave temporary folders."""
    (place / "platform.socle.yml").write_text(BROKEN)
    left = tmp_path / "left"
    left.mkdir()
    done = run(
        root,
        "ansible-playbook",
        f"{tmp_path}/site.yml",
        "-i",
        str(place),
        ANSIBLE_LOCAL_TEMP=str(left),
        TMPDIR=str(left),
    )
    assert done.returncode == 4
    assert list(left.iterdir()) == []


def test_variables_beside_the_manifest(root: Path, place: Path):
    """group_vars and host_vars, also those of the platform's own groups, work as with any inventory."""
    for name, text in {
        "group_vars/all.yml": "a: 1",
        "group_vars/worker.yml": "b: 2",
        "group_vars/web_front.yml": "c: 3",
        "host_vars/worker-2.yml": "d: 4\nansible_host: 192.0.2.9",
    }.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(text)
    hosts = listed(root, str(place))["_meta"]["hostvars"]
    assert (hosts["worker-1"]["a"], hosts["worker-1"]["b"]) == (1, 2)
    assert (hosts["worker-2"]["d"], hosts["worker-2"]["ansible_host"]) == (4, "192.0.2.9")
    assert hosts["web-front-1"]["c"] == 3
    assert "c" not in hosts["worker-1"]


def test_limit(root: Path, place: Path):
    """Groups and hosts of the manifest are ordinary patterns."""
    done = run(root, "ansible", "all", "-i", str(place), "--limit", "machines:!web_front", "--list-hosts")
    assert done.returncode == 0
    assert [line.strip() for line in done.stdout.splitlines()[1:]] == ["worker-1", "worker-2"]


def test_another_inventory_beside_the_manifest(root: Path, place: Path, tmp_path: Path):
    """Hosts of a static inventory join; the later source wins, as always."""
    (tmp_path / "more.ini").write_text("[worker]\nold-1 ansible_host=192.0.2.1\n[all:vars]\nsite=here\n")
    data = listed(root, str(place), str(tmp_path / "more.ini"))
    assert data["worker"]["hosts"] == ["worker-1", "worker-2", "old-1"]
    assert data["_meta"]["hostvars"]["worker-1"]["site"] == "here"


def test_two_manifests_in_one_run_are_refused(root: Path, place: Path, tmp_path: Path):
    """Their platform-wide variables would overwrite each other silently."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "platform.socle.yml").write_text(GOOD.replace("cater", "second"))
    done = run(root, "ansible-inventory", "-i", str(place), "-i", str(other), "--list")
    assert done.returncode == 4
    assert str(place / "platform.socle.yml") in done.stderr
    assert str(other / "platform.socle.yml") in done.stderr
    assert done.stdout == ""


def test_an_encrypted_manifest(root: Path, place: Path, tmp_path: Path):
    """ansible-vault encrypts any inventory; a manifest is no exception."""
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    manifest = place / "platform.socle.yml"
    done = run(root, "ansible-vault", "encrypt", "--vault-password-file", str(password), str(manifest))
    assert done.returncode == 0, done.stderr
    data = listed(root, str(place), ANSIBLE_VAULT_PASSWORD_FILE=str(password))
    assert data["worker"]["hosts"] == ["worker-1", "worker-2"]
    done = run(root, "ansible-inventory", "-i", str(place), "--list")
    assert done.returncode == 4
    assert "vault" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_reading_never_contacts_the_secrets_server(root: Path, place: Path):
    """The manifest points to a server that listens; nobody may knock, and references stay templates."""
    knocked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                try:
                    server.accept()[0].close()
                    knocked.set()
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen)
        thread.start()
        port = server.getsockname()[1]
        text = GOOD + (
            f"secrets:\n  backend: vault\n  address: http://127.0.0.1:{port}\n"
            "  namespace: \"{{ lookup('ansible.builtin.url', 'http://127.0.0.1:" + str(port) + "/') }}\"\n"
            "  auth: {method: token, token: \"{{ lookup('ansible.builtin.env', 'SOME_TOKEN') }}\"}\n"
            "delivery:\n  gitlab:\n    install: existing\n    url: https://gitlab.example.org\n"
            "    token: {secret: gitlab/api#token}\n"
        )
        (place / "platform.socle.yml").write_text(text)
        try:
            data = listed(root, str(place), SOME_TOKEN="s3cr3t-value")
            graph = run(root, "ansible-inventory", "-i", str(place), "--graph", "--vars")
        finally:
            stop.set()
            thread.join()
    assert not knocked.is_set()
    assert graph.returncode == 0
    secrets = data["_meta"]["hostvars"]["worker-1"]["socle_secrets"]
    assert secrets["auth"]["token"] == "{{ lookup('ansible.builtin.env', 'SOME_TOKEN') }}"
    assert "s3cr3t-value" not in json.dumps(data)


def test_templates_are_templated_where_they_are_used(root: Path, place: Path, tmp_path: Path):
    """Since 2.19 text is only a template when it is trusted; `!unsafe` never is, and `!vault` is decrypted late."""
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    done = run(
        root,
        "ansible-vault",
        "encrypt_string",
        "--vault-password-file",
        str(password),
        "hidden-value",
        "--name",
        "ca_file",
    )
    vault = done.stdout.replace("\n", "\n  ")
    (place / "platform.socle.yml").write_text(
        GOOD + "secrets:\n  backend: vault\n  address: https://vault.example.org\n"
        "  auth: {method: jwt, role: \"{{ 'late' ~ 'r' }}\"}\n  namespace: !unsafe '{{ never }}'\n  "
        + vault.strip()
        + "\n"
    )
    (tmp_path / "show.yml").write_text(
        "- hosts: worker-1\n  connection: local\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug:\n"
        '        msg: "<{{ socle_secrets.auth.role }}|{{ socle_secrets.ca_file }}|'
        '{{ socle_secrets.namespace | length }}>"\n'
    )
    done = run(
        root, "ansible-playbook", f"{tmp_path}/show.yml", "-i", str(place), ANSIBLE_VAULT_PASSWORD_FILE=str(password)
    )
    assert "<later|hidden-value|11>" in done.stdout, done.stdout + done.stderr
    done = run(root, "ansible-inventory", "-i", str(place), "--list")
    assert done.returncode == 0
    assert "hidden-value" not in done.stdout


def test_warnings_are_ansible_s_warnings(root: Path, place: Path):
    """A literal secret is warned about, its value is not repeated, and the run goes on."""
    (place / "platform.socle.yml").write_text(
        GOOD + "delivery:\n  gitlab: {install: existing, url: https://gitlab.example.org, token: glpat-abc}\n"
    )
    done = run(root, "ansible-inventory", "-i", str(place), "--list")
    assert done.returncode == 0
    assert "[WARNING]" in done.stderr
    assert "delivery.gitlab.token" in done.stderr
    assert "glpat-abc" not in done.stdout + done.stderr


def test_other_yaml_is_left_to_others(root: Path, place: Path, tmp_path: Path):
    """Only *.socle.yml is ours: a static inventory beside the manifest is read by Ansible's own plugin."""
    (place / "static.yml").write_text("all: {hosts: {old-1: {ansible_host: 192.0.2.1}}}\n")
    data = listed(root, str(place))
    assert set(data["_meta"]["hostvars"]) == {"compute1", "old-1", "web-front-1", "worker-1", "worker-2"}


def test_a_copy_elsewhere_means_the_same(root: Path, tmp_path: Path, empty_config: str):
    """Installed from a folder without our ansible.cfg, through Ansible's auto plugin, an inventory is the same."""
    shutil.copytree(root / "inventories" / "onprem", tmp_path / "onprem")
    ours = listed(root, str(tmp_path / "onprem"))
    for variables in ours["_meta"]["hostvars"].values():
        variables.pop("ansible_local", None)  # Ansible's own, by inject_facts_as_vars
    assert listed(root, str(tmp_path / "onprem"), config=empty_config, cwd=tmp_path) == ours


def test_the_secrets_file_beside_the_manifest_is_no_inventory(root: Path, place: Path, tmp_path: Path):
    """Ansible reads every file of an inventory folder: it would ask for the password, or make a group `secrets`."""
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    (place / "secrets.vault.yml").write_text("secrets:\n  a/b: {password: x}\n")
    run(root, "ansible-vault", "encrypt", "--vault-password-file", str(password), str(place / "secrets.vault.yml"))
    for more in ({}, {"ANSIBLE_VAULT_PASSWORD_FILE": str(password)}):
        done = run(root, "ansible-inventory", "-i", str(place), "--list", **more)
        assert done.returncode == 0
        assert done.stderr == ""
        assert "secrets" not in json.loads(done.stdout)["all"]["children"]


def test_the_benchmark_compares_the_same_hosts(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A new variable of the mapping must not leave the benchmark behind."""
    monkeypatch.syspath_prepend(root / "tests" / "benchmarks")
    importlib.import_module("bench_inventory").written(tmp_path, 2)
