# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module on the engine for the tests: things on a shelf, which is a JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run
from ansible_collections.socle.platform.plugins.module_utils._reconcile import (
    Change,
    Current,
    Desired,
    Reader,
    Step,
    Writer,
)


def load(path: str) -> dict[str, dict[str, Any]]:
    """The things, by name."""
    return json.loads(Path(path).read_text()) if Path(path).exists() else {}


class Shelf(Reader):
    """What stands there."""

    kind = "thing"
    immutable = frozenset({"colour"})

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        """Everything."""
        return [Current(name, fields, owned=True) for name, fields in load(self.path).items()]


class Hand(Writer):
    """What moves things."""

    def __init__(self, path: str) -> None:
        self.path = path

    def _save(self, things: Mapping[str, Any]) -> None:
        Path(self.path).write_text(json.dumps(things))

    def create(self, change: Change, step: Step) -> None:
        """Put it there."""
        self._save(load(self.path) | {change.key: dict(change.after)})

    def update(self, change: Change, step: Step) -> None:
        """Put it there."""
        self.create(change, step)

    def delete(self, change: Change, step: Step) -> None:
        """Take it away."""
        self._save({name: fields for name, fields in load(self.path).items() if name != change.key})


def main() -> None:
    """One worker: the file is not for two at once."""
    run(
        Adapter(
            spec={"path": {"type": "path", "required": True}, "things": {"type": "dict", "required": True}},
            desired=lambda parameters: [Desired(name, fields) for name, fields in parameters["things"].items()],
            reader=lambda parameters: Shelf(parameters["path"]),
            writer=lambda parameters: Hand(parameters["path"]),
            replaces=True,
            prunes=True,
        )
    )


if __name__ == "__main__":
    main()
