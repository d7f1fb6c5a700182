# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Gives the modules about secrets what only the controller has."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.socle.platform.plugins.module_utils._secrets.config import backend_of
from ansible_collections.socle.platform.plugins.module_utils._secrets.errors import SecretError
from ansible_collections.socle.platform.plugins.plugin_utils._secrets import controller


class SecretsAction(ActionBase):  # type: ignore[misc]  # Ansible has no types
    """The module gets passwords through its input, never in a file, an argument or the environment."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        args = dict(self._task.args)
        if isinstance(args.get("secrets"), dict):
            args["secrets"] = {path: {} if spec is None else spec for path, spec in args["secrets"].items()}
        try:
            if args.get("backend") is None:
                args["backend"] = controller.settled(task_vars.get("socle_secrets"), self._templar)
            local = isinstance(args["backend"], dict) and backend_of(args["backend"]) == "file"
        except SecretError as error:
            return result | {"failed": True, "msg": str(error)}
        if local:
            if self._connection.transport != "local":
                return result | {"failed": True, "msg": _ELSEWHERE}
            args["folder"] = args.get("folder") or controller.folder(task_vars)
            args["vault_passwords"] = [
                {"id": name, "password": secret.decode("utf-8", "surrogateescape")}
                for name, secret in controller.passwords(self._loader)
            ]
            chosen = controller.encrypt_id()
            if chosen:
                args["backend"] = {"vault_encrypt_identity": chosen, **args["backend"]}
        if getattr(self._connection, "has_pipelining", False):
            self._connection.set_option("pipelining", True)
        if not self._is_pipelining_enabled("new", bool(self._task.async_val)):
            return result | {"failed": True, "msg": _IN_A_FILE}
        result.update(self._execute_module(module_args=args, task_vars=task_vars))
        return result


_ELSEWHERE = (
    "secrets in a file are kept on the controller, beside the manifest, and this task runs on another host. "
    "Delegate it: delegate_to: localhost"
)
_IN_A_FILE = (
    "this task would write the vault password into a temporary file: pipelining cannot be used. "
    "Run it without ANSIBLE_KEEP_REMOTE_FILES, without async, and on a connection that can pipeline (local, ssh)"
)
