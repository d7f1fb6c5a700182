# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles gitlab and gitlab_runner write, made of their own defaults and variables by a real run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomllib

sys.path.insert(0, str(Path(__file__).resolve().parent))
from gitlab_site import ROOT, Site, results, running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("gitlab")) as made:
        yield made


def shown(site: Site, role: str, variables: dict[str, Any], *expressions: str) -> list[Any]:
    files = [str(ROOT / "roles" / role / part / "main.yml") for part in ("defaults", "vars")]
    tasks = [{"ansible.builtin.debug": {"msg": f"{{{{ {expression} }}}}"}} for expression in expressions]
    done = site.playbook(tasks, "-e", f"@{_written(site, variables)}", vars_files=files)
    assert done.returncode == 0, done.stdout + done.stderr
    return [result["msg"] for result in results(done)]


def _written(site: Site, variables: dict[str, Any]) -> Path:
    path = site.folder / "variables.json"
    path.write_text(json.dumps(variables))
    return path


def test_the_runners_file_and_packages(site: Site) -> None:
    """Would catch a variable of the role that does not reach its file, and a version that installs another one."""
    variables = {
        "gitlab_runner_url": "https://gitlab.example.org",
        "gitlab_runner_runners": [
            {"name": "one", "token": "glrt-abcdefgh", "executor": "docker"},
            {"name": "two", "token": "glrt-ijklmnop", "executor": "shell"},
        ],
        "gitlab_runner_concurrent": 9,
        "gitlab_runner_version": "19.3",
    }
    text, packages, executors = shown(
        site, "gitlab_runner", variables, "_gitlab_runner_config", "_gitlab_runner_pinned", "_gitlab_runner_executors"
    )
    found = tomllib.loads(text)
    assert found["concurrent"] == 9 and found["shutdown_timeout"] == 7200
    assert [runner["executor"] for runner in found["runners"]] == ["docker", "shell"] == executors
    assert packages == ["gitlab-runner=19.3.*", "gitlab-runner-helper-images=19.3.*"]
    (exact,) = shown(site, "gitlab_runner", {**variables, "gitlab_runner_version": "19.3.1"}, "_gitlab_runner_pinned")
    assert exact[0] == "gitlab-runner=19.3.1-*"
    (newest,) = shown(site, "gitlab_runner", {**variables, "gitlab_runner_version": ""}, "_gitlab_runner_pinned")
    assert newest == ["gitlab-runner", "gitlab-runner-helper-images"]


def test_the_packages_file(site: Site) -> None:
    """Would catch a variable of the role that does not reach gitlab.rb."""
    variables = {
        "gitlab_external_url": "https://gitlab.example.org:8443/x",
        "gitlab_root_password": "x",
        "gitlab_letsencrypt_email": "ops@example.org",
        "gitlab_registry_url": "https://registry.example.org",
        "gitlab_smtp": {"server": "mail.example.org", "user": "u", "password": "it's"},
        "gitlab_settings": {"gitlab_rails": {"time_zone": "UTC"}, "puma": {"worker_processes": 2}},
        "gitlab_version": "19.3",
    }
    text, host, release, package = shown(
        site, "gitlab", variables, "_gitlab_settings | socle.platform.gitlab_rb", "_gitlab_host", "_gitlab_release",
        "_gitlab_package",
    )  # fmt: skip
    lines = text.splitlines()
    for line in (
        "external_url 'https://gitlab.example.org:8443/x'",
        "registry_external_url 'https://registry.example.org'",
        "letsencrypt['enable'] = true",
        "letsencrypt['contact_emails'] = ['ops@example.org']",
        r"gitlab_rails['smtp_password'] = 'it\'s'",
        "gitlab_rails['time_zone'] = 'UTC'",
        "gitlab_rails['backup_keep_time'] = 604800",
        "gitlab_rails['monitoring_whitelist'] = ['127.0.0.0/8']",
        "puma['worker_processes'] = 2",
    ):
        assert line in lines, text
    assert (host, release, package) == ("gitlab.example.org", ".*", "gitlab-ce")
