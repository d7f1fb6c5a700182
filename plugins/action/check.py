# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See the documentation of the module of the same name."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.ansible_values import decrypted
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping import inventory
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file
from ansible_collections.socle.platform.plugins.plugin_utils._plan import platform as picture_of


class ActionModule(ActionBase):
    """Runs on the controller and reads; nothing is connected to."""

    # One picture of all hosts, however many the play has.
    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("manifest", "playbooks"))

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        """Print the picture, and return it."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        path = self._task.args.get("manifest")
        if path:
            valid = validate_file(path, decrypted(path, self._loader))
            if not valid.ok:
                # It was valid when the inventory was read; it has been edited meanwhile.
                return result | {"failed": True, "msg": f"{path} has changed since the inventory was read; try again"}
            built = [phase.stem for phase in Path(self._task.args.get("playbooks", ".")).glob("*.yml")]
            picture = picture_of.of_manifest(valid.platform, inventory(valid.platform, path), built)
        else:
            picture = picture_of.of_inventory(task_vars["groups"], task_vars["hostvars"])
        Display().display("\n".join(["", *picture_of.text(picture), ""]))
        return result | {"changed": False, "platform": dataclasses.asdict(picture)}
