# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run as a process of its own by the tests: makes secrets in a file, as a run of Ansible would."""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def engine() -> None:
    """The engine's files under their own names, without Ansible's slow loader."""
    for name in ("", ".socle", ".socle.platform", ".socle.platform.plugins", ".socle.platform.plugins.module_utils"):
        package = types.ModuleType("ansible_collections" + name)
        package.__path__ = [str(ROOT / "plugins" / "module_utils")] if name.endswith("module_utils") else []
        sys.modules[package.__name__] = package


def main(file: str, count: int, prefix: str) -> None:
    engine()
    base = "ansible_collections.socle.platform.plugins.module_utils._secrets."
    store = importlib.import_module(base + "file").FileStore(Path(file), [("default", b"pw")])
    keeper = importlib.import_module(base + "keeper").Keeper(store)
    spec = importlib.import_module(base + "kinds").Spec()
    for number in range(count):
        kept, made = keeper.ensure(f"{prefix}{number}", spec)
        print(json.dumps([f"{prefix}{number}", kept.fields["password"], made]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
