# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The module's options."""

from __future__ import annotations

from typing import Any

Spec = dict[str, dict[str, Any]]

INPUT: Spec = {"layer": {"type": "str", "required": True}, "output": {"type": "str", "required": True}}
LAYER: Spec = {
    "name": {"type": "str", "required": True},
    "source": {"type": "path", "required": True},
    "variables": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    # Each value has `layer` and `output`; the argument spec has no way to say so of any key.
    "inputs": {"type": "dict", "default": {}},
    "needs": {"type": "list", "elements": "str", "default": []},
    "protected": {"type": "list", "elements": "str", "default": []},
    "present": {"type": "bool", "default": True},
}
STATE: Spec = {
    "backend": {"type": "str", "choices": ["local", "gcs", "s3", "scaleway", "http"], "default": "local"},
    "path": {"type": "path"},
    "bucket": {"type": "str"},
    "prefix": {"type": "str", "default": ""},
    "region": {"type": "str"},
    "project": {"type": "str"},
    "endpoint": {"type": "str"},
    "kms_key": {"type": "str", "no_log": False},
    "access_key": {"type": "str", "no_log": True},
    "secret_key": {"type": "str", "no_log": True},
    "address": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "create": {"type": "bool", "default": True},
}
IMPORT: Spec = {
    "layer": {"type": "str", "required": True},
    "to": {"type": "str", "required": True},
    "id": {"type": "str", "required": True},
}


def spec() -> Spec:
    return {
        "name": {"type": "str", "default": "default"},
        "layers": {"type": "list", "elements": "dict", "required": True, "options": LAYER},
        "present": {"type": "bool", "default": True},
        "state": {"type": "dict", "default": {}, "options": STATE, "apply_defaults": True},
        "binary": {"type": "str"},
        "work_dir": {"type": "path"},
        "allow": {"type": "list", "elements": "str", "default": []},
        "unlock": {"type": "list", "elements": "str", "default": []},
        "lock_timeout": {"type": "int", "default": 30},
        "imports": {"type": "list", "elements": "dict", "default": [], "options": IMPORT},
        "environment": {"type": "dict", "default": {}},
        "credentials": {"type": "dict", "default": {}, "no_log": True},
        # Clusters and databases take their time.
        "deadline": {"type": "float", "default": 5400.0},
    }
