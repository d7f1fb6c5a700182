# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The command that runs a playbook in check mode, given the command line of the present run."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# What a person types cannot be typed a second time into a process that has no terminal.
ASKED = {
    "ask_pass": "--ask-pass: put the password into a file and give it with --connection-password-file",
    "become_ask_pass": "--ask-become-pass: put the password into a file and give it with --become-password-file",
    "ask_vault_pass": "--ask-vault-pass: put the password into a file and give it with --vault-password-file",
    "step": "--step: a plan changes nothing, so there is nothing to confirm; leave it out",
}

ONCE = {
    "subset": "--limit",
    "remote_user": "--user",
    "private_key_file": "--private-key",
    "connection": "--connection",
    "timeout": "--timeout",
    "ssh_common_args": "--ssh-common-args",
    "sftp_extra_args": "--sftp-extra-args",
    "scp_extra_args": "--scp-extra-args",
    "ssh_extra_args": "--ssh-extra-args",
    "become_method": "--become-method",
    "become_user": "--become-user",
    "connection_password_file": "--connection-password-file",
    "become_password_file": "--become-password-file",
    "forks": "--forks",
}

MANY = {
    "inventory": "--inventory",
    "extra_vars": "--extra-vars",
    "vault_ids": "--vault-id",
    "vault_password_files": "--vault-password-file",
    "tags": "--tags",
    "skip_tags": "--skip-tags",
}

SWITCHES = {"become": "--become", "flush_cache": "--flush-cache", "force_handlers": "--force-handlers"}


class CannotPass(ValueError):
    """The present run was started with something that a second process cannot be given."""


def executable() -> list[str]:
    """Ansible's own program, of the Python that runs now."""
    beside = Path(sys.executable).parent / "ansible-playbook"
    if beside.is_file():
        return [str(beside)]
    found = shutil.which("ansible-playbook")
    return [found] if found else [sys.executable, "-m", "ansible", "playbook"]


def command(playbook: str, arguments: Mapping[str, Any]) -> list[str]:
    """`playbook` in check mode, with everything else as in `arguments`, the parsed command line of this run."""
    asked = [advice for name, advice in ASKED.items() if arguments.get(name)]
    asked += [
        f"--vault-id {vault}: a vault password that is asked for; give a file instead of `prompt`"
        for vault in _listed(arguments.get("vault_ids"))
        if vault.rpartition("@")[2] in ("prompt", "prompt_ask_vault_pass")
    ]
    if asked:
        raise CannotPass("\n".join(["the plan cannot be made with what this run was started with:", *asked]))
    made = [*executable(), playbook, "--check", "--diff"]
    for name, option in MANY.items():
        made += [f"{option}={value}" for value in _listed(arguments.get(name))]
    for name, option in ONCE.items():
        value = arguments.get(name)
        if value not in (None, ""):
            made.append(f"{option}={value}")
    made += [option for name, option in SWITCHES.items() if arguments.get(name)]
    if arguments.get("module_path"):
        # Given one by one, each would stand before the one before it.
        made.append(f"--module-path={os.pathsep.join(arguments['module_path'])}")
    return made


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(item) for item in _flat(value)]


def _flat(value: Sequence[Any]) -> list[Any]:
    return [item for part in value for item in (_flat(part) if isinstance(part, (list, tuple)) else [part])]
