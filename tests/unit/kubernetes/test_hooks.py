# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an adapter may add to a task: a rehearsal in check mode, and a wait for the whole set after the last write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, Task
from ansible_collections.socle.platform.plugins.module_utils._progress import NullProgress
from ansible_collections.socle.platform.plugins.module_utils._reconcile import (
    AdapterError,
    Change,
    Current,
    Desired,
    Reader,
    Step,
    Writer,
)

SHELF: dict[str, int] = {}


class Shelf(Reader):
    kind = "thing"

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        return [Current(key, {"size": size}) for key, size in SHELF.items()]


class Hand(Writer):
    def create(self, change: Change, step: Step) -> None:
        if change.key == "bad":
            raise AdapterError("no such size")
        SHELF[change.key] = change.after["size"]


def perform(*keys: str, check: bool = False, **hooks: Callable[..., Any]) -> dict[str, Any]:
    made = Adapter(
        spec={},
        desired=lambda _unused: [Desired(key, {"size": 1}) for key in keys],
        reader=lambda _unused: Shelf(),
        writer=lambda _unused: Hand(),
        **hooks,
    )
    return Task(made, {"deadline": 60.0, "concurrency": 2}, "things", NullProgress(), "").perform(check)


def test_a_rehearsal_is_for_check_mode_alone() -> None:
    """Would catch findings of the system that check mode does not pass on, or a rehearsal before a real write."""
    SHELF.clear()
    result = perform("a", "b", check=True, rehearse=lambda plan: [f"{c.key}: refused" for c in plan.pending])
    assert (result["failed"], result["msg"]) == (True, "a: refused\nb: refused")
    assert not perform("a", check=True, rehearse=lambda _plan: [])["failed"]
    assert SHELF == {}
    assert not perform("a", rehearse=lambda _plan: ["never asked"])["failed"]


def test_what_comes_afterwards_is_said_beside_what_failed() -> None:
    """Would catch a wait that hides which object failed, one that is left out when nothing had to be written."""
    SHELF.clear()
    seen: list[list[str]] = []

    def afterwards(result: Any, _deadline: Any, _progress: Any) -> list[str]:
        seen.append([outcome.status.value for outcome in result.outcomes])
        return ["a: not ready"]

    result = perform("a", "bad", afterwards=afterwards)
    assert result["failed"]
    assert "bad: create failed: no such size" in result["msg"]
    assert result["msg"].endswith("\na: not ready")
    assert perform("a", afterwards=afterwards)["msg"] == "a: not ready"
    assert seen == [["succeeded", "failed"], ["unchanged"]]
    assert not perform("a", afterwards=lambda *_unused: [])["failed"]
    assert not perform("a", check=True, afterwards=lambda *_unused: ["not in check mode"])["failed"]
