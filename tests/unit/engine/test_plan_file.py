# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan files: refused by name when anything in them does not fit, and telling no secret."""

from __future__ import annotations

import json
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils import _module, _plan
from ansible_collections.socle.platform.plugins.module_utils._reconcile import Desired, Secret, Unknown, plan
from ansible_collections.socle.platform.plugins.module_utils._values import Seal, digest

from .world import World, WorldReader, options, wanted

TASK = _plan.identity("socle.platform.things", {"size": 2, "token": Secret("t0ken")})


def made(world: World, *desired: Desired, **more: Any) -> Any:
    return plan(desired, WorldReader(world), options(allow_replace=True, **more))


def kept(world: World, *desired: Desired, task: Any = TASK, **more: Any) -> dict[str, Any]:
    section = _plan.section(made(world, *desired, **more), task, _plan.new_salt())
    return json.loads(json.dumps(section))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plan.json"


def test_written_whole_and_for_its_owner(world: World, file: Path) -> None:
    """Mode 0600 from the first byte, nothing left beside it, and it comes back as it was."""
    section = kept(world, wanted("a", size=1))
    file.write_text("old")
    file.chmod(0o666)
    _plan.write(file, [section])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["plan.json"]
    assert _plan.load(file)["sections"] == [section]


def test_a_write_that_fails_leaves_the_old_file(world: World, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk costs the new plan, not the old one, and is said."""
    file.write_text("old")

    def full(_unused: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_plan.os, "fsync", full)
    with pytest.raises(_plan.PlanFileError, match="No space left"):
        _plan.write(file, [kept(world, wanted("a", size=1))])
    assert file.read_text() == "old" and len(list(file.parent.iterdir())) == 1


def damage(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], str]:
    def text(data: dict[str, Any]) -> str:
        change(data)
        return json.dumps(data)

    return text


def forge(**values: Any) -> Callable[[dict[str, Any]], str]:
    """Somebody's own section, with a digest that fits it."""

    def change(data: dict[str, Any]) -> None:
        section = data["sections"][0]
        section.update(values)
        section["digest"] = digest({name: value for name, value in section.items() if name != "digest"})

    return damage(change)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda _unused: "", "is not JSON"),
        (lambda _unused: "[" * 100_000, "is not JSON"),
        (lambda _unused: "[]", "is not a plan of this collection"),
        (lambda _unused: '{"format": "terraform"}', "is not a plan of this collection"),
        (damage(lambda data: data.update(version=99)), "has version 99"),
        (damage(lambda data: data.pop("sections")), "no list of sections"),
        (damage(lambda data: data["sections"].append(3)), "section 2 is not a mapping"),
        (damage(lambda data: data["sections"][0].pop("objects")), "lacks objects"),
        (damage(lambda data: data["sections"][0]["changes"].clear()), "digest does not fit"),
        (damage(lambda data: data["sections"][0]["changes"][0].update(action="delete")), "digest does not fit"),
        (damage(lambda data: data.update(created="2001-01-01T00:00:00+00:00")), "digest does not fit"),
        (damage(lambda data: data["sections"].clear()), "digest does not fit"),
        (forge(parameters=[]), "something else as parameters"),
        (forge(objects=3, salt=4), "something else as objects, salt"),
        (forge(changes=[{}]), "something else as changes"),
    ],
)
def test_files_that_are_no_plan(world: World, file: Path, spoil: Callable[[dict[str, Any]], str], said: str) -> None:
    """Malformed, foreign, of another version, edited: each is said with the file's name and what to do."""
    _plan.write(file, [kept(world, wanted("a", size=1))])
    file.write_text(spoil(json.loads(file.read_text())))
    with pytest.raises(_plan.PlanFileError, match=said) as caught:
        _plan.load(file)
    assert str(file) in str(caught.value) and "plan.yml" in str(caught.value)


def test_no_plan_at_all(file: Path) -> None:
    """A missing file is named."""
    with pytest.raises(_plan.PlanFileError, match=r"plan\.json: No such file"):
        _plan.load(file)


def test_a_run_that_was_no_check_is_not_kept(world: World, file: Path) -> None:
    """The plan of a real run has no seals, so nothing could be held against it."""
    with pytest.raises(_plan.PlanFileError, match="does not come from check mode"):
        _plan.write(file, [_plan.section(made(world, wanted("a", size=1)), TASK, "")])


def test_a_section_that_ansible_has_blanked_says_what_may_be_the_cause(world: World, file: Path) -> None:
    """A password `admin` beside an object `admin`: Ansible blanks the name in the result, and no plan can be kept."""
    section = kept(world, wanted("admin", password="admin"))
    section["changes"][0]["key"] = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    with pytest.raises(_plan.PlanFileError, match="digest does not fit; was a name in it blanked, because a secret"):
        _plan.write(file, [section])


def verify(section: dict[str, Any], world: World, *desired: Desired, task: Any = TASK, **more: Any) -> list[str]:
    return _plan.verify(section, made(world, *desired, **more), task)


def test_everything_that_moved_is_named(world: World) -> None:
    """Each way in which the world or the task is another one since the plan was made."""
    world.put("a", {"size": 1, "other": 1})
    world.put("idle", {"size": 1})
    desired = (wanted("a", size=2), wanted("new", size=1), wanted("idle", size=1))
    section = kept(world, *desired)
    assert verify(section, world, *desired) == []

    (thing,) = world.named("a")
    thing.fields["size"] = 7
    assert verify(section, world, *desired) == ["thing a: size has moved since the plan was made"]
    thing.fields.update(size=1, other=2)
    assert verify(section, world, *desired) == ["thing a: has been changed since the plan was made"]
    thing.fields.update(size=2, other=1)
    assert verify(section, world, *desired) == ["thing a: update was planned, and nothing is to be done any more"]
    del world.things[thing.id]
    assert verify(section, world, *desired) == ["thing a: update was planned, and create would be needed now"]
    world.things[thing.id] = thing
    thing.fields["size"] = 1

    world.named("idle")[0].fields["size"] = 3
    assert verify(section, world, *desired) == ["thing idle: update would be needed, which was not planned"]
    world.named("idle")[0].fields["size"] = 1

    more = (*desired, wanted("more", size=1))
    assert verify(section, world, *more) == ["thing more: create would be needed, which was not planned"]
    assert verify(section, world, *desired[:1], *desired[2:]) == [
        "thing new: create was planned, and nothing is to be done any more"
    ]
    other = _plan.identity("socle.platform.things", {"size": 3, "token": Secret("t0ken")})
    assert verify(section, world, *desired, task=other) == ["parameter size is not what it was when the plan was made"]
    renewed = _plan.identity("socle.platform.things", {"size": 2, "token": Secret("renewed")})
    assert verify(section, world, *desired, task=renewed) == []


def test_secrets_are_bound_and_not_told(world: World) -> None:
    """A changed secret is noticed; neither it nor anything quickly guessed from is in the file."""
    world.put("a", {"password": "hush-one"})
    section = kept(world, wanted("a", password="hush-two"))
    assert "hush" not in json.dumps(section)
    assert verify(section, world, wanted("a", password="hush-two")) == []
    said = ["thing a: password has moved since the plan was made"]
    assert verify(section, world, wanted("a", password="hush-three")) == said
    world.named("a")[0].fields["password"] = "hush-four"
    assert verify(section, world, wanted("a", password="hush-two")) == said
    start = time.process_time()
    Seal(section["salt"]).of(Secret("guess"))
    assert time.process_time() - start > 0.005, "a guess costs next to nothing"
    assert Seal("one").of(Secret("x")) != Seal("two").of(Secret("x"))


def test_fields_that_move_by_themselves_bind_nothing(world: World) -> None:
    """An uptime in the fields does not make every plan stale."""

    class Reader(WorldReader):
        volatile = frozenset({"uptime"})

    world.put("a", {"size": 1, "uptime": 5})
    before = plan([wanted("a", size=2)], Reader(world))
    section = _plan.section(before, TASK, "salt")
    world.named("a")[0].fields["uptime"] = 6
    assert _plan.verify(section, plan([wanted("a", size=2)], Reader(world)), TASK) == []


def test_what_was_unknown_may_be_known_by_now(world: World) -> None:
    """A value of an earlier step is marked, and any value fits it; a known one stays bound."""
    section = kept(world, Desired("a", {"peer": Unknown("an earlier step"), "size": 1}))
    assert verify(section, world, Desired("a", {"peer": 100, "size": 1})) == []
    assert verify(section, world, Desired("a", {"peer": 100, "size": 2})) == [
        "thing a: size has moved since the plan was made"
    ]
    spec = {"peer": {"type": "str"}}
    then = _plan.identity("m", _module.given({"peer": "http://(known after apply):80"}, spec))
    now = _plan.identity("m", _module.given({"peer": "http://10.0.0.1:80"}, spec))
    section = kept(world, task=then)
    assert _plan.verify(section, made(world), now) == []
    known = kept(world, task=now)
    other = _plan.identity("m", {"peer": "x"})
    assert _plan.verify(known, made(world), other) == ["parameter peer is not what it was when the plan was made"]


def test_each_task_finds_its_own_section(world: World) -> None:
    """By module and scope, then by the nearest parameters; a task the plan does not hold finds none."""
    tasks = [
        _plan.identity("m", {"group": "a", "size": 1}),
        _plan.identity("m", {"group": "b", "size": 1}),
        _plan.identity("m", {"group": "a", "size": 1}, scope="host1"),
    ]
    data = {"sections": [kept(world, task=task) for task in tasks]}
    for task, section in zip(tasks, data["sections"], strict=True):
        assert _plan.section_for(data, task) is section
    moved = _plan.identity("m", {"group": "b", "size": 2})
    assert _plan.section_for(data, moved) is data["sections"][1]
    assert _plan.section_for(data, _plan.identity("other", {})) is None
    assert _plan.section_for(data, _plan.identity("m", {}, scope="host2")) is None


def test_user_data_cannot_pass_for_a_mark(world: World) -> None:
    """A field that looks like our own mark for a secret or an unknown is bound like any other."""
    section = kept(world, Desired("a", {"x": {"$unknown": "y"}, "y": "(known after apply)"}))
    same = Desired("a", {"x": {"$unknown": "y"}, "y": "(known after apply)"})
    assert verify(section, world, same) == []
    assert verify(section, world, Desired("a", {"x": {"$$unknown": "y"}, "y": 1})) != []
    assert verify(section, world, Desired("a", {"x": {"$unknown": "y"}, "y": 1})) != []


def test_a_digest_survives_ansibles_blanking(world: World) -> None:
    """A PIN among the secrets must not blank digests, which would spoil every plan: no digit, no short word."""
    world.put("a", {"size": 1})
    section = kept(world, wanted("a", size=2), task=_plan.identity("m", {"x": 1}))
    digests = [section["digest"], section["salt"], section["parameters"]["x"], section["objects"]["a"]]
    digests += section["changes"][0]["fields"][0]["seal"]
    assert len(digests) == 6
    for one in digests:
        assert re.fullmatch("[g-v]{32,40}", one)


def test_parameters_reach_adapters_typed() -> None:
    """Not given is left out at every depth, no_log becomes Secret, what is known later is Unknown."""
    spec = {
        "token": {"no_log": True},
        "unset": {},
        "free": {"type": "dict"},
        "items": {
            "type": "list",
            "elements": "dict",
            "options": {"name": {}, "password": {"no_log": True}, "size": {}},
        },
    }
    found = _module.given(
        {
            "token": "t",
            "unset": None,
            "free": {"a": None, "b": "(known after apply)"},
            "items": [{"name": "a", "password": "p", "size": None}],
            "_ansible": 1,
        },
        spec,
    )
    assert found["items"] == [{"name": "a", "password": Secret("p")}]
    assert found["token"] == Secret("t") and set(found) == {"token", "free", "items"}
    assert list(found["free"]) == ["b"] and isinstance(found["free"]["b"], Unknown)
