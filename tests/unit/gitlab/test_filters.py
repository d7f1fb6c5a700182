# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that GitLab and its runner are configured by, and the way of an upgrade."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import tomllib
from ansible.errors import AnsibleFilterError
from ansible_collections.socle.platform.plugins.filter.gitlab_rb import gitlab_rb
from ansible_collections.socle.platform.plugins.filter.gitlab_runner_config import gitlab_runner_config
from ansible_collections.socle.platform.plugins.filter.gitlab_settings import gitlab_settings
from ansible_collections.socle.platform.plugins.filter.gitlab_upgrade_stops import gitlab_upgrade_stops
from hypothesis import given
from hypothesis import strategies as st

URL = "https://gitlab.example.org"
DOCKER: dict[str, Any] = {"name": "one", "token": "glrt-abc", "id": 7, "executor": "docker", "memory": "2g"}
SHELL: dict[str, Any] = {"name": "two", "token": "glrt-def", "executor": "shell"}


def test_a_runners_file_is_read_as_it_was_meant() -> None:
    """Would catch a section that belongs to another runner: in TOML, what follows [[runners]] is the last one's."""
    extra = {"docker": {"services_limit": 3}, "cache": {"Type": "s3", "s3": {"ServerAddress": "s3.example.org"}}}
    text = gitlab_runner_config(
        [{**DOCKER, "extra": extra, "environment": {"A": "b"}}, SHELL],
        URL,
        {"concurrent": 4, "ca_file": "/etc/ssl/x.pem", "listen_address": "127.0.0.1:9252"},
    )
    found = tomllib.loads(text)
    assert found["concurrent"] == 4 and found["listen_address"] == "127.0.0.1:9252"
    one, two = found["runners"]
    assert one["url"] == URL and one["id"] == 7 and one["tls-ca-file"] == "/etc/ssl/x.pem"
    assert one["docker"] == {
        "image": "debian:13-slim", "privileged": False, "volumes": ["/cache"], "pull_policy": ["always"],
        "memory": "2g", "services_limit": 3,
    }  # fmt: skip
    assert one["cache"]["s3"]["ServerAddress"] == "s3.example.org" and one["environment"] == ["A=b"]
    assert two["executor"] == "shell" and "docker" not in two


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.text(), st.integers(-9, 9), st.booleans()), max_size=4))
def test_no_value_breaks_out_of_its_place(values: dict[str, Any]) -> None:
    """Would catch a quote or a line break in a value that becomes a setting of its own."""
    found = tomllib.loads(gitlab_runner_config([{**SHELL, "extra": {"custom": values}}], URL))
    assert found["runners"][0].get("custom", {}) == values


@pytest.mark.parametrize(
    ("runner", "said"),
    [
        ({**DOCKER, "token": "GR1348941x"}, "does not begin with glrt-"),
        ({**DOCKER, "executor": "kubernetes"}, "wanted is one of docker, shell"),
        ({**DOCKER, "tags": ["x"]}, "has tags; known are"),
    ],
)
def test_what_cannot_work_is_said_with_the_runners_name(runner: dict[str, Any], said: str) -> None:
    """Would catch a runner that never gets a job: tags stand on the server, registration tokens are gone."""
    with pytest.raises(AnsibleFilterError, match=re.escape(said)) as failed:
        gitlab_runner_config([runner], URL)
    assert "runner one" in str(failed.value) and runner["token"] not in str(failed.value)


def test_a_name_stands_once() -> None:
    """Would catch two sections with one name."""
    with pytest.raises(AnsibleFilterError, match="stands twice"):
        gitlab_runner_config([DOCKER, DOCKER], URL)


def test_the_packages_file_says_what_was_given() -> None:
    """Would catch sections written as calls, and lines that move from run to run."""
    text = gitlab_rb(
        {
            "gitlab_rails": {
                "time_zone": "UTC",
                "smtp_enable": True,
                "smtp_port": 587,
                "ldap_servers": {"main": {"a": 1}},
            },
            "external_url": URL,
            "nginx": {"listen_https": False, "real_ip_trusted_addresses": ["10.0.0.0/8"], "listen_port": None},
        }
    )
    assert text.splitlines()[1:] == [
        f"external_url '{URL}'",
        "gitlab_rails['ldap_servers'] = { 'main' => { 'a' => 1 } }",
        "gitlab_rails['smtp_enable'] = true",
        "gitlab_rails['smtp_port'] = 587",
        "gitlab_rails['time_zone'] = 'UTC'",
        "nginx['listen_https'] = false",
        "nginx['listen_port'] = nil",
        "nginx['real_ip_trusted_addresses'] = ['10.0.0.0/8']",
    ]


@given(st.text())
def test_no_text_is_run_as_ruby(value: str) -> None:
    """Would catch a password with a quote, a backslash or #{...} that changes what the file means."""
    line = gitlab_rb({"gitlab_rails": {"x": value}}).split("\n", 1)[1][:-1]
    quoted = line.removeprefix("gitlab_rails['x'] = ")
    assert re.fullmatch(r"'(?:[^'\\]|\\['\\])*'", quoted, re.DOTALL)
    assert re.sub(r"\\(['\\])", r"\1", quoted[1:-1]) == value


def test_ruby_reads_it_alike() -> None:
    """Would catch a quoting that only looks right."""
    ruby = shutil.which("ruby")
    if not ruby:
        pytest.skip("no ruby here")
    value = "it's #{1+1} \\ \\' \n end"
    text = gitlab_rb({"x": {"y": value}}).splitlines(keepends=True)
    program = "x = {}\n" + "".join(text[1:]) + "print x['y']"
    done = subprocess.run([ruby, "-e", program], capture_output=True, text=True, check=True)
    assert done.stdout == value


def test_settings_that_stop_a_reconfigure_are_refused() -> None:
    """Would catch keys of Mattermost, at which `gitlab-ctl reconfigure` of 19.0 ends."""
    with pytest.raises(AnsibleFilterError, match="Mattermost"):
        gitlab_rb({"mattermost": {"enable": True}})
    with pytest.raises(AnsibleFilterError, match="no name of a setting"):
        gitlab_rb({"system('x')": 1})


@pytest.mark.parametrize(
    ("installed", "wanted", "way"),
    [
        ("18.4.2-ce.0", "19.3.1", ["18.5", "18.8", "18.11", "19.2", "19.3.1"]),
        ("16.3.0", "17.5", ["16.7", "16.11", "17.3", "17.5"]),
        ("19.2.4-ee.0", "19.3", ["19.3"]),
        ("19.3.1-ce.0", "19.3", []),
        ("19.3.1-ce.0", "19.3.1", []),
        ("19.3.1-ce.0", "19.3.2", ["19.3.2"]),
        ("18.11.3", "19.2.0", ["19.2.0"]),
    ],
)
def test_an_upgrade_stops_where_it_has_to(installed: str, wanted: str, way: list[str]) -> None:
    """Would catch a jump over a required stop, after which migrations are missing for good."""
    assert gitlab_upgrade_stops(installed, wanted) == way


def test_the_way_back_is_refused() -> None:
    """Would catch a downgrade, which GitLab does not survive."""
    for installed, wanted in (("19.3.1", "19.2"), ("19.3.2", "19.3.1")):
        with pytest.raises(AnsibleFilterError, match="cannot go back"):
            gitlab_upgrade_stops(installed, wanted)
    with pytest.raises(AnsibleFilterError, match="too old"):
        gitlab_upgrade_stops("14.9.1", "19.3")
    with pytest.raises(AnsibleFilterError, match="no version"):
        gitlab_upgrade_stops("19.3.1", "latest")


def test_a_few_choices_give_the_packages_settings() -> None:
    """Would catch Let's Encrypt beside a certificate of one's own, and mail over TLS on the wrong port."""
    base = {"external_url": URL, "email": "ops@example.org"}
    made = gitlab_settings({}, base)
    assert made["letsencrypt"] == {"enable": True, "contact_emails": ["ops@example.org"]}
    assert "ssl_certificate" not in made["nginx"] and made["gitlab_rails"]["smtp_enable"] is False
    own = gitlab_settings({}, {**base, "own_certificate": True, "registry_url": "https://registry.example.org"})
    assert own["letsencrypt"] == {"enable": False} and own["nginx"]["ssl_certificate"].startswith("/etc/gitlab/ssl/")
    assert own["registry_nginx"]["ssl_certificate_key"].endswith(".key")
    mail = gitlab_settings(
        {}, {**base, "smtp": {"server": "mail.example.org", "port": 465, "user": "u", "password": "p"}}
    )
    assert mail["gitlab_rails"]["smtp_tls"] is True and mail["gitlab_rails"]["smtp_enable_starttls_auto"] is False
    more = gitlab_settings({"gitlab_rails": {"backup_keep_time": 1}, "puma": {"worker_processes": 2}}, base)
    assert more["gitlab_rails"]["backup_keep_time"] == 1 and more["gitlab_rails"]["smtp_enable"] is False
    assert more["puma"] == {"worker_processes": 2}
    with pytest.raises(AnsibleFilterError, match="write it as"):
        gitlab_settings({}, {"external_url": "gitlab.example.org"})
    with pytest.raises(AnsibleFilterError, match="wanted is server"):
        gitlab_settings({}, {**base, "smtp": {"host": "x"}})
