# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The glue: every end of a task has the same shape, and check mode has no way to a writer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils import _module, _plan
from ansible_collections.socle.platform.plugins.module_utils._progress import NullProgress
from ansible_collections.socle.platform.plugins.module_utils._reconcile import AdapterError, Desired, Secret

from .world import World, WorldReader, WorldWriter, wanted

SHAPE = {"changed", "failed", "diff", "objects", "plan", "warned"}


def adapter(world: World, **parts: Any) -> _module.Adapter:
    return _module.Adapter(
        spec={},
        desired=parts.get("desired", lambda _unused: [wanted("a", size=1, password="hush-hush")]),
        reader=lambda _unused: parts.get("reader", WorldReader)(world),
        writer=lambda _unused: parts.get("writer", WorldWriter)(world),
        replaces=True,
        more=parts.get("more"),
    )


def perform(made: _module.Adapter, check: bool = False, salt: str = "", **parameters: Any) -> dict[str, Any]:
    given = {"deadline": 60.0, "concurrency": 2, "token": Secret("t0ken-t0ken"), **parameters}
    result = _module.Task(made, given, "things", NullProgress(), salt).perform(check)
    text = json.dumps(result)
    assert "hush" not in text and "t0ken-t0ken" not in text
    assert result.keys() - {"msg", "exception"} == SHAPE | {"extra"} & result.keys()
    assert ("msg" in result) is result["failed"]
    return result


def test_check_mode_makes_no_writer(world: World) -> None:
    """By construction: the adapter's writer is not even called for."""
    made = adapter(world, writer=lambda _unused: pytest.fail("check mode made a writer"))
    result = perform(made, check=True)
    assert result["changed"] and [o["outcome"] for o in result["objects"]] == ["planned"]
    assert perform(adapter(world))["changed"] and not perform(made)["changed"]


def test_a_plan_of_one_run_applied_by_another(world: World, tmp_path: Path) -> None:
    """Check, keep, apply; a task that was not in the plan, and a plan that is stale, write nothing."""
    file = str(tmp_path / "plan.json")
    _plan.write(file, [perform(adapter(world), check=True, salt="salt")["plan"]])
    stranger = perform(adapter(world), plan_file=file, plan_scope="host2")
    assert "this task (things for host2) was not in the plan" in stranger["msg"] and not world.done
    missing = perform(adapter(world), plan_file="/nonexistent/plan.json")
    assert "cannot read the plan" in missing["msg"] and not world.done
    assert perform(adapter(world), plan_file=file)["changed"] and world.done
    again = perform(adapter(world), plan_file=file)
    assert "thing a: create was planned, and nothing is to be done any more" in again["msg"]


def test_refusals_failures_and_defects_look_alike(world: World) -> None:
    """A refusal, a failed object, a set that contradicts itself, an unreadable API and a bug all keep the shape."""
    world.put("b", {"mode": "x"})
    replaced = [wanted("a", size=1), wanted("b", mode="y")]
    for check in (True, False):
        refused = perform(adapter(world, desired=lambda _unused: replaced), check=check)
        assert "allow_replace" in refused["msg"] and not refused["changed"] and not world.done
        assert [o["outcome"] for o in refused["objects"]] == ["not tried", "refused"]

    class Failing(WorldWriter):
        def create(self, change: Any, step: Any) -> Any:
            raise AdapterError("400: password hush-hush is too short", "choose a longer one")

    failed = perform(adapter(world, writer=Failing))
    assert "a: create failed: 400: password (secret) is too short (choose a longer one)" in failed["msg"]
    assert failed["objects"][0]["outcome"] == "failed"

    contradicting = [Desired("a", needs=frozenset({"x"}))]
    assert "needs x" in perform(adapter(world, desired=lambda _unused: contradicting))["msg"]

    class Broken(WorldReader):
        def check(self, desired: Any, current: Any) -> Any:
            raise KeyError("hush-hush")

    for broken in ({"reader": Broken}, {"desired": lambda parameters: parameters["nope"]}):
        bug = perform(adapter(world, **broken), check=True)
        assert "a defect in things: KeyError" in bug["msg"] and "Traceback" in bug["exception"]


def test_an_adapter_adds_values_of_its_own(world: World) -> None:
    """`more` sees the plan in check mode, and the result after apply."""
    made = adapter(world, more=lambda _unused, result: {"extra": result is not None})
    assert perform(made, check=True)["extra"] is False
    assert perform(made)["extra"] is True
