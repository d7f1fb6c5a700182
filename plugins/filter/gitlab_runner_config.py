# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gitlab_runner_config
author:
  - The Socle authors (@socle-platform)
short_description: The configuration of GitLab Runner
version_added: 0.1.0
description:
  - Turns a few choices into GitLab Runner's whole C(config.toml). The role C(socle.platform.gitlab_runner) writes it.
options:
  _input:
    description:
      - The runners. Each is a mapping of C(name), C(token), C(executor) (V(docker) or V(shell)) and, where wanted,
        C(id), C(limit), C(environment), C(image), C(volumes), C(allowed_images), C(pull_policy), C(memory), C(cpus)
        and C(extra), a mapping that is merged over the rest.
    type: list
    elements: dict
    required: true
  url:
    description: The server's address.
    type: str
    required: true
  choices:
    description: A mapping of C(concurrent), C(check_interval), C(shutdown_timeout), C(listen_address), C(ca_file).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Configure the runner
  ansible.builtin.copy:
    content: "{{ [{'name': 'one', 'token': token, 'executor': 'docker'}]
      | socle.platform.gitlab_runner_config('https://gitlab.example.org') }}"
    dest: /etc/gitlab-runner/config.toml
    mode: "0600"
"""

RETURN = r"""
_value:
  description: The text of C(config.toml).
  type: str
"""

import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.socle.platform.plugins.plugin_utils._toml import merged, toml

EXECUTORS = ("docker", "shell")
KNOWN = {
    "name", "token", "executor", "id", "limit", "environment", "image", "volumes", "allowed_images", "pull_policy",
    "memory", "cpus", "extra",
}  # fmt: skip
IMAGE = "debian:13-slim"
# What the lookup of secrets gives in check mode for a token that is still to be made.
KNOWN_AFTER_APPLY = "(known after apply)"


def gitlab_runner_config(
    runners: Sequence[Mapping[str, t.Any]], url: str, choices: Mapping[str, t.Any] | None = None
) -> str:
    """The whole file: what a run does not name is not there any more."""
    choices = choices or {}
    names = [str(runner.get("name")) for runner in runners]
    if len(set(names)) != len(names):
        raise AnsibleFilterError(f"gitlab_runner_config: a name stands twice among {', '.join(names)}; name each once")
    table: dict[str, t.Any] = {
        "concurrent": int(choices.get("concurrent") or 1),
        "check_interval": int(choices.get("check_interval") or 3),
        "shutdown_timeout": int(choices.get("shutdown_timeout") or 0),
    }
    if choices.get("listen_address"):
        table["listen_address"] = str(choices["listen_address"])
    parts = [toml(table)]
    parts += [_runner(runner, url, choices) for runner in runners]
    return "\n".join(parts)


def _runner(runner: Mapping[str, t.Any], url: str, choices: Mapping[str, t.Any]) -> str:
    name = str(runner.get("name") or "")
    unknown = sorted(set(runner) - KNOWN)
    if unknown:
        raise AnsibleFilterError(
            f"gitlab_runner_config: runner {name} has {', '.join(unknown)}; known are {', '.join(sorted(KNOWN))}"
        )
    token, executor = str(runner.get("token") or ""), str(runner.get("executor") or "")
    if not token.startswith("glrt-") and KNOWN_AFTER_APPLY not in token:
        raise AnsibleFilterError(
            f"gitlab_runner_config: the token of runner {name} does not begin with glrt-; give the one that GitLab "
            "tells when the runner is made through its API (registration tokens are gone)"
        )
    if executor not in EXECUTORS:
        raise AnsibleFilterError(
            f"gitlab_runner_config: runner {name} has executor {executor!r}; wanted is one of {', '.join(EXECUTORS)}"
        )
    table: dict[str, t.Any] = {"name": name, "url": url}
    if runner.get("id"):
        table["id"] = int(runner["id"])
    table |= {"token": token, "executor": executor}
    if choices.get("ca_file"):
        table["tls-ca-file"] = str(choices["ca_file"])
    if runner.get("limit"):
        table["limit"] = int(runner["limit"])
    if runner.get("environment"):
        table["environment"] = [f"{key}={value}" for key, value in runner["environment"].items()]
    if executor == "docker":
        table["docker"] = _docker(runner)
    else:
        table["shell"] = "bash"
    table = merged(table, runner.get("extra") or {})
    return toml(table, ("runners",), listed=True)


def _docker(runner: Mapping[str, t.Any]) -> dict[str, t.Any]:
    table: dict[str, t.Any] = {
        "image": str(runner.get("image") or IMAGE),
        # A job that is root in such a container is root on the machine: images are built rootless.
        "privileged": False,
        "volumes": list(runner.get("volumes") or ["/cache"]),
        "pull_policy": list(runner.get("pull_policy") or ["always"]),
    }
    for key in ("allowed_images", "memory", "cpus"):
        if runner.get(key):
            table[key] = list(runner[key]) if key == "allowed_images" else str(runner[key])
    return table


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"gitlab_runner_config": gitlab_runner_config}
