# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See the documentation of the module of the same name."""

from __future__ import annotations

from typing import Any

from ansible_collections.socle.platform.plugins.plugin_utils._secrets.action import SecretsAction


class ActionModule(SecretsAction):
    """Where secrets are kept matters to tokens only; without one, the module runs as any other."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        if self._task.args.get("tokens"):
            return super().run(tmp, task_vars)
        return self._execute_module(task_vars=task_vars)
