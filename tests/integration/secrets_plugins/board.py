# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens the masking board as the inventory plugin does, in runs without it; and shows results as AWX records them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.plugins.callback import CallbackBase
from ansible_collections.socle.platform.plugins.plugin_utils._secrets import masking


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "board"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        masking.install()

    def _note(self, result, **kwargs):
        with Path(os.environ["EVENTS"]).open("a") as out:
            out.write(json.dumps([result._result, result._task_fields], default=str) + "\n")

    v2_runner_on_ok = v2_runner_on_failed = v2_runner_item_on_ok = v2_runner_item_on_failed = _note
