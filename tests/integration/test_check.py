# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`playbooks/check.yml`, and that no playbook of ours starts on a manifest that is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

GOOD = """\
plugin: socle.platform.manifest
platform: {name: cater, domain: cater.example.org}
secrets: {backend: file}
hypervisors:
  cluster: cater
  network: {rack: 10.10.0.0/16}
  nodes:
    compute1: {address: 203.0.113.11, role: compute}
machines:
  worker: {count: 2, on: compute, cores: 4, memory: 16 GiB}
clouds:
  canada: {kind: gke, project: cater-prod, region: northamerica-northeast1}
"""
BROKEN = {
    "no YAML": GOOD.replace("nodes:", "nodes: {"),
    "a tab": GOOD.replace("  cluster", "\tcluster"),
    "no such key": GOOD.replace("cores:", "coers:"),
    "another plugin": GOOD.replace("plugin: socle.platform.manifest", "plugin: socle.platform.manifets"),
    "no plugin": GOOD.replace("plugin: socle.platform.manifest\n", ""),
    "empty": "",
}

Runner = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(root: Path, tmp_path: Path) -> Runner:
    """Run a playbook of ours on a manifest, from a folder without an ansible.cfg unless ours is asked for."""

    def start(playbook: str, manifest: str, *arguments: str, ours: bool = True) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "inventory"
        folder.mkdir(exist_ok=True)
        (folder / "platform.socle.yml").write_text(manifest)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE", "SOCLE"))}
        env |= {"ANSIBLE_NOCOLOR": "1", "HOME": str(tmp_path)}
        if ours:
            env["ANSIBLE_CONFIG"] = str(root / "ansible.cfg")
        program = Path(sys.executable).parent / "ansible-playbook"
        return subprocess.run(
            [str(program), str(root / "playbooks" / playbook), f"-i{folder}", *arguments],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return start


def playbooks() -> list[str]:
    return sorted(path.name for path in (Path(__file__).parents[2] / "playbooks").glob("*.yml"))


def test_check_prints_what_the_platform_would_be(run: Runner) -> None:
    """Catches a check that leaves out hosts, addresses, ids or sections, or connects to any of them."""
    done = run("check.yml", GOOD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Platform cater (cater.example.org): 3 hosts, " in done.stdout
    assert re.search(r"\n  HOST +KIND +GROUP +ADDRESS +PUBLIC ADDRESS +VM ID +ON\n", done.stdout)
    assert re.search(r"\n  compute1 +hypervisor +compute +10\.10\.\S+ +203\.0\.113\.11 ", done.stdout)
    assert re.search(r"\n  worker-2 +machine +worker +10\.10\.\S+ +- +\d+ +compute\n", done.stdout)
    assert re.search(r"\n  worker +2 +worker-1, worker-2\n", done.stdout)
    assert re.search(r"\n  clouds +canada \(gke\)\n", done.stdout)
    assert "UNREACHABLE" not in done.stdout


@pytest.mark.parametrize("ours", [True, False], ids=["our ansible.cfg", "no ansible.cfg"])
def test_check_prints_everything_under_a_limit_without_localhost(run: Runner, ours: bool) -> None:
    """Catches a check that says nothing because --limit has dropped localhost."""
    done = run("check.yml", GOOD, "--limit=worker-1", ours=ours)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Platform cater (cater.example.org): 3 hosts, " in done.stdout


@pytest.mark.parametrize("limit", [[], ["--limit=worker-1"], ["--limit=localhost"]], ids=["all", "one", "localhost"])
@pytest.mark.parametrize("ours", [True, False], ids=["our ansible.cfg", "no ansible.cfg"])
@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_manifest_ends_the_run_before_the_first_task(
    run: Runner, fault: str, ours: bool, limit: list[str]
) -> None:
    """Catches a run that goes on with an empty inventory after Ansible's own warnings."""
    done = run("check.yml", BROKEN[fault], *limit, ours=ours)
    assert done.returncode != 0, done.stdout + done.stderr
    assert "TASK [" not in done.stdout
    assert "PLAY [" not in done.stdout
    assert "Traceback" not in done.stderr
    assert "platform.socle.yml" in done.stderr
    if ours:
        # Whether the manifest is in a folder or not, our errors are all there is to see.
        assert "[WARNING]: Unable to parse" not in done.stderr


@pytest.mark.parametrize("playbook", playbooks())
def test_every_playbook_refuses_a_manifest_that_is_no_yaml(run: Runner, playbook: str) -> None:
    """Catches a new playbook whose plays do not go through socle.platform.hosts."""
    done = run(playbook, BROKEN["no YAML"], "--limit=worker-1", ours=False)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "PLAY [" not in done.stdout
    assert "platform.socle.yml:" in done.stderr


@pytest.mark.parametrize("playbook", playbooks())
def test_every_first_play_is_guarded(root: Path, playbook: str) -> None:
    """Catches the same without running it."""
    plays = yaml.safe_load((root / "playbooks" / playbook).read_text())
    for play in plays:
        if "hosts" in play:
            assert re.fullmatch(r"\{\{ lookup\('socle\.platform\.hosts', .+\) \}\}", play["hosts"]), play["name"]


def test_a_valid_manifest_that_no_plugin_reads_ends_the_run(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a configuration without our plugin, which makes Ansible go on without hosts."""
    monkeypatch.setenv("TMPDIR", "/tmp")
    done = run("check.yml", GOOD, "-eignored=1", ours=False)
    assert done.returncode == 0, done.stdout + done.stderr
    program = Path(sys.executable).parent / "ansible-playbook"
    command = [str(program), *done.args[1:]]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE", "SOCLE"))}
    done = subprocess.run(
        command,
        env=env | {"ANSIBLE_INVENTORY_ENABLED": "ini,yaml", "ANSIBLE_NOCOLOR": "1"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4, done.stdout + done.stderr
    assert "is a valid manifest, but Ansible did not read it" in done.stderr
    assert "ANSIBLE_INVENTORY_ENABLED" in done.stderr


def test_files_that_ansible_passes_over_are_no_manifests(run: Runner, tmp_path: Path) -> None:
    """An editor's lock and a copy in a hidden folder lie beside a good manifest while somebody works on it."""
    hidden = tmp_path / "inventory" / ".old"
    hidden.mkdir(parents=True)
    (hidden / "platform.socle.yml").write_text("broken: [")
    (hidden.parent / ".#platform.socle.yml").symlink_to("somebody@host.1:2")
    done = run("check.yml", GOOD)
    assert done.returncode == 0, done.stderr


def test_an_inventory_without_a_manifest_is_left_alone(root: Path, tmp_path: Path) -> None:
    """Catches a guard that refuses static inventories, scripts and what AWX makes."""
    script = tmp_path / "inventory.sh"
    listed = '{"web": {"hosts": ["w1"]}, "_meta": {"hostvars": {"w1": {"ansible_host": "192.0.2.9"}}}}'
    script.write_text(f"#!/bin/sh\necho '{listed}'\n")
    script.chmod(0o755)
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            str(root / "playbooks" / "check.yml"),
            f"-i{script}",
            "-istatic1,static2",
        ],
        cwd=root,
        env={name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE", "SOCLE"))}
        | {"ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\n  w1 +192\.0\.2\.9\n", done.stdout)
    assert re.search(r"\n  static2 +static2\n", done.stdout)
