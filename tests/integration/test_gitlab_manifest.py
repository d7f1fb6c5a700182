# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a manifest to what GitLab holds: the mapping, the playbook, and the server's own state afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping import inventory
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gitlab_site import BIN, PASSWORD, ROOT, Site, running
from gitlabsim.world import ADMIN_TOKEN

HOST = "gitlab-configuration"
THERE: dict[str, Any] = {"url": "https://gitlab.example.org", "token": {"secret": "gitlab/api#token"}}
MANIFEST: dict[str, Any] = {
    "plugin": "socle.platform.manifest",
    "platform": {"name": "cater", "domain": "cater.example.org"},
    "people": {
        "ada": {"teams": ["operators"], "email": "ada@cater.example.org"},
        "linus": {"teams": ["developers"], "email": "linus@cater.example.org"},
    },
    "teams": {"operators": {"role": "maintainer"}, "developers": {"role": "developer"}},
    "servers": {"builders": {"addresses": ["192.0.2.7", "192.0.2.8"], "user": "debian"}},
    "delivery": {
        "gitlab": {"install": "existing", "premium": True, **THERE},
        "runners": {"executor": "docker", "machines": "builders", "tags": ["docker"]},
        "environments": {
            "test": {"branch": "main"},
            "production": {"branch": "production", "tags": "v*", "gate": "approval", "approvers": ["operators"]},
        },
    },
    "apps": {"shop": {}, "library": {"repository": "https://elsewhere.example.org/x.git"}},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("gitlab")) as made:
        yield made


def written(folder: Path, manifest: dict[str, Any]) -> Path:
    path = folder / "platform.socle.yml"
    path.write_text(yaml.safe_dump(manifest))
    return path


def mapped(folder: Path, manifest: dict[str, Any]) -> Any:
    path = written(folder, manifest)
    result = validate_file(str(path))
    assert result.platform is not None, vars(result)
    return inventory(result.platform, str(path))


def with_gitlab(**gitlab: Any) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(json.dumps(MANIFEST))
    manifest["delivery"]["gitlab"] = gitlab
    return manifest


def test_what_reaches_users_is_closed_and_the_rest_is_open(tmp_path: Path) -> None:
    """Would catch a production branch that developers can push to, and an app from elsewhere made here."""
    row = mapped(tmp_path, MANIFEST).hosts[HOST]
    projects = {project["path"]: project for project in row["gitlab_configuration_projects"]}
    assert set(projects) == {"cater/pipelines", "cater/shop"}
    branches = {branch["name"]: branch for branch in projects["cater/shop"]["protected_branches"]}
    assert branches["production"] == {"name": "production", "push": ["nobody"], "merge": ["maintainers"]}
    assert branches["main"] == {"name": "main", "push": ["maintainers"], "merge": ["developers"]}
    assert projects["cater/shop"]["protected_tags"] == [{"name": "v*", "create": ["maintainers"]}]
    assert projects["cater/pipelines"]["protected_branches"][0]["push"] == ["nobody"]


def test_a_branch_that_feeds_two_environments_is_as_closed_as_the_stricter_one(tmp_path: Path) -> None:
    """Would catch production opened because a test environment comes from the same branch, in either order."""
    for order in (("test", "production"), ("production", "test")):
        manifest = with_gitlab(install="existing", **THERE)
        told = {
            "test": {"branch": "main", "source": "commit"},
            "production": {"branch": "main", "source": "commit", "gate": "manual"},
        }
        manifest["delivery"]["environments"] = {name: told[name] for name in order}
        project = mapped(tmp_path, manifest).hosts[HOST]["gitlab_configuration_projects"][1]
        assert project["protected_branches"] == [{"name": "main", "push": ["nobody"], "merge": ["maintainers"]}]


def test_approvals_are_gitlabs_own_with_a_licence_only(tmp_path: Path) -> None:
    """Would catch a free server refused because of a gate, and a paid one without its approvals."""
    for premium in (False, True):
        row = mapped(tmp_path, with_gitlab(install="existing", premium=premium, **THERE)).hosts[HOST]
        environments = {e["name"]: e for e in row["gitlab_configuration_projects"][1]["environments"]}
        assert ("approvals" in environments["production"]) is premium
        paths = [group["path"] for group in row["gitlab_configuration_groups"]]
        assert paths == (["cater", "cater/operators"] if premium else ["cater"])


def test_a_server_of_our_own_gets_its_people_and_closes_its_door(tmp_path: Path) -> None:
    """Would catch a new server whose members do not exist, or where strangers can sign up."""
    manifest = with_gitlab(install="machine", machines="builders")
    made = mapped(tmp_path, manifest)
    row = made.hosts[HOST]
    assert {user["name"] for user in row["gitlab_configuration_users"]} == {"ada", "linus"}
    assert row["gitlab_configuration_settings"] == {"signup_enabled": False}
    assert made.groups["gitlab"]["gitlab_external_url"] == "https://gitlab.cater.example.org"
    openings = made.hosts["builders-1"]["machine_base_openings"]
    assert {"22", "80", "443"} <= {port for entry in openings if entry["name"] == "gitlab" for port in entry["ports"]}
    assert "gitlab_configuration_users" not in mapped(tmp_path, MANIFEST).hosts[HOST]


def test_without_gitlab_nothing_is_there(tmp_path: Path) -> None:
    """Would catch a phase that costs something where the manifest lacks its section."""
    manifest = {**MANIFEST, "delivery": {}}
    made = mapped(tmp_path, manifest)
    assert HOST not in made.hosts and "gitlab_configuration" not in made.groups


def test_the_playbook_makes_it_so_and_a_second_run_changes_nothing(site: Site, tmp_path: Path) -> None:
    """Would catch any break between the manifest and the server: names, tokens, secrets, order, check mode."""
    world = site.fresh()
    world.user("linus")
    manifest = with_gitlab(install="existing", premium=True, url=site.server.url, token={"secret": "gitlab/api#token"})
    manifest["secrets"] = {"backend": "file"}
    path = written(tmp_path, manifest)
    vault = tmp_path / "password"
    vault.write_text(PASSWORD)
    env = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"),
        "ANSIBLE_VAULT_PASSWORD_FILE": str(vault),
    }  # fmt: skip
    secrets = tmp_path / ".secrets.vault.yml"
    secrets.write_text(yaml.safe_dump({"secrets": {"gitlab/api": {"token": ADMIN_TOKEN}}}))
    subprocess.run([str(BIN / "ansible-vault"), "encrypt", str(secrets)], env=env, check=True, capture_output=True)
    book = ROOT / "playbooks" / "delivery.yml"
    argv = [str(BIN / "ansible-playbook"), str(book), "-i", str(path), "--tags", "gitlab_configuration"]

    def run(*options: str) -> str:
        done = subprocess.run(
            [*argv, *options], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert ADMIN_TOKEN not in done.stdout + done.stderr
        return done.stdout

    run("--check", "--diff")
    assert site.server.writes() == []
    assert "changed=1" in run("--diff", "-vv")
    shop = site.project("cater/shop")
    assert {row["name"] for row in shop.branches} == {"main", "production"}
    (guard,) = shop.protected_environments
    assert [rule["group_id"] for rule in guard["approval_rules"]] == [site.group("cater/operators").id]
    assert sorted(row["description"] for row in world.runners) == ["builders-1", "builders-2"]
    site.server.forget()
    assert "changed=0" in run()
    assert site.server.writes() == []
