# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module openvpn_access as a playbook meets it, with a real OpenBao server and with a file."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

PASSWORD = "the vault password of this test"
NAME = "socle.platform.openvpn_access"


@dataclass
class Site:
    """A folder with an inventory, and a way to run the module in it."""

    folder: Path
    collections: Path
    secrets: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)
    output: str = ""

    def run(self, *options: str, fails: bool = False, **more: Any) -> dict[str, Any]:
        """The module's result, as a task that comes after it sees it."""
        given = {"name": "cater", "gateways": [{"name": "vpn-1", "address": "203.0.113.50"}], "prune": True, **more}
        given.setdefault("profiles", str(self.folder / "profiles"))
        keep = {"content": "{{ done | to_json }}", "dest": str(self.folder / "result.json"), "mode": "0600"}
        tasks = [
            {"name": "Keep who gets in", NAME: given, "register": "done", "ignore_errors": fails},
            {"name": "Keep the result", "ansible.builtin.copy": keep, "diff": False, "check_mode": False},
        ]
        play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory = {"all": {"hosts": {"localhost": None}, "vars": {**here, "socle_secrets": self.secrets}}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
        (self.folder / "play.yml").write_text(yaml.safe_dump([play]))
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "VAULT_", "BAO_"))}
        argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "hosts.yml", "play.yml", "-vv", *options]
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env={
                **clean,
                "HOME": str(self.folder),
                "ANSIBLE_CONFIG": str(self.folder / "none.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
                **self.environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        self.output = done.stdout + done.stderr
        assert done.returncode == 0, self.output[-4000:]
        result: dict[str, Any] = json.loads((self.folder / "result.json").read_text())
        return result


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = Path(__file__).resolve().parents[1] / "unit" / "secrets" / "server.py"
    spec = importlib.util.spec_from_file_location("socle_secrets_server", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    with module.running(tmp_path_factory.mktemp("bao")) as running:
        yield running


@pytest.fixture(params=["file", "vault"])
def site(request: pytest.FixtureRequest, tmp_path: Path, root: Path) -> Site:
    collections = root / "playbooks" / "collections"
    if request.param == "file":
        (tmp_path / "password").write_text(PASSWORD)
        environment = {"ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "password")}
        return Site(tmp_path, collections, {"backend": "file", "file": str(tmp_path / "kept.yml")}, environment)
    server = request.getfixturevalue("bao")
    address = f"http://127.0.0.1:{server.port}"
    return Site(tmp_path, collections, {"backend": "vault", "address": address}, {"VAULT_TOKEN": server.token})


def test_add_renew_and_revoke_in_both_backends(site: Site) -> None:
    """Would catch a backend that loses somebody, a second run that changes something, and a key in the output."""
    before = site.run("--check", people=["ada", "grace"])
    assert before["changed"] and not before["authority"]
    assert not (site.folder / "profiles").exists()
    first = site.run("--diff", people=["ada", "grace"])
    assert first["changed"]
    profiles = {name: (site.folder / "profiles" / f"{name}.ovpn").read_text() for name in ("ada", "grace")}
    for text in (site.output, json.dumps(first)):
        assert "PRIVATE KEY" not in text
        for profile in profiles.values():
            key = profile.partition("<key>")[2].partition("</key>")[0].splitlines()[2]
            assert len(key) > 40 and key not in text
    again = site.run(people=["ada", "grace"])
    assert not again["changed"]
    gone = site.run(people=["ada"])
    assert gone["changed"]
    assert [item["key"] for item in gone["objects"] if item["action"] == "delete"] == ["person grace"]
    sent = json.loads(gone["revocations"])
    assert list(sent["revoked"].values()) == ["grace"]
    serials = {entry.serial_number for entry in x509.load_pem_x509_crl(sent["lists"][0].encode())}
    pem = profiles["grace"].partition("<cert>")[2].partition("</cert>")[0].strip()
    assert serials == {x509.load_pem_x509_certificate(pem.encode()).serial_number}
    assert not site.run(people=["ada"])["changed"]
    assert PASSWORD not in site.output


def test_wrong_name_is_said_with_what_to_do(site: Site) -> None:
    """Would catch a traceback, and an authority that is made although the task is refused."""
    failed = site.run(people=["ada lovelace"], path="other", fails=True)
    assert failed["failed"]
    assert "'ada lovelace' cannot be a name: wanted letters, digits" in failed["msg"]
    assert site.run(people=[], path="other")["changed"]
