# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What planning says, refuses and never shows."""

from __future__ import annotations

import copy
import json
import pickle
import shlex
import time
from typing import Any

import pytest
import yaml
from ansible_collections.socle.platform.plugins.module_utils import _module, _plan
from ansible_collections.socle.platform.plugins.module_utils._reconcile import (
    ABSENT,
    UNREADABLE,
    Action,
    Current,
    Desired,
    DesiredError,
    EngineError,
    Reader,
    Refused,
    Secret,
    TransientError,
    Unknown,
    apply,
    plan,
)
from ansible_collections.socle.platform.plugins.module_utils._values import clear_texts, scrub

from .world import Talk, World, WorldReader, WorldWriter, options, wanted


class Fixed(Reader):
    """A reader of what it is given."""

    kind = "thing"

    def __init__(self, *found: Current, **attributes: Any) -> None:
        self.found = found
        for name, value in attributes.items():
            setattr(self, name, value)

    def read(self, desired: Any) -> list[Current]:
        return list(self.found)


def fields_of(made: Any, number: int = 0) -> list[tuple[str, Any, Any]]:
    return [(f["path"], f["before"], f["after"]) for f in made.changes[number].as_dict()["fields"]]


@pytest.mark.parametrize(
    ("desired", "said"),
    [
        ([wanted("a"), wanted("a")], "a: named twice"),
        ([wanted("web", "databse"), wanted("database")], "did you mean database?"),
        ([wanted("a", "b"), wanted("b", "c"), wanted("c", "a")], "a needs b needs c needs a"),
        ([wanted("a", "a")], "a needs a"),
        ([wanted("a", "b"), wanted("b", present=False)], "b, which is to be absent"),
        ([Desired("a", {"x": Unknown(of="gone", field="y")})], "needs gone, which is not in the desired set"),
    ],
)
def test_contradictions_are_said_before_anything_is_read(desired: list[Desired], said: str) -> None:
    """A set that contradicts itself costs no request, and the error names the objects."""
    with pytest.raises(DesiredError, match=said.replace("?", r"\?")):
        plan(desired, object())  # type: ignore[arg-type] # must not be touched


def test_all_contradictions_at_once() -> None:
    """Not only the first finding."""
    with pytest.raises(DesiredError) as caught:
        plan([wanted("a", "x"), wanted("a"), wanted("b", "y")], Fixed())
    assert len(caught.value.problems) == 3


def test_fields_not_given_are_not_compared() -> None:
    """Unset is not a default: only named fields, at every depth, can differ."""
    found = Current("a", {"size": 1, "disk": {"size": 5, "cache": "none"}, "more": True})
    assert not plan([Desired("a", {"disk": {"size": 5}})], Fixed(found)).changed
    assert fields_of(plan([Desired("a", {"disk": {"size": 6}})], Fixed(found))) == [("disk.size", 5, 6)]


@pytest.mark.parametrize(
    ("want", "have", "changed"),
    [
        (True, 1, True),
        (1, 1.0, False),
        ("1", 1, True),
        (None, None, False),
        (ABSENT, 1, True),
        ("x", UNREADABLE, False),
        ([1, 2], [2, 1], True),
        ([True], [1], True),
        (Secret("x"), "x", False),
        ({"a": ABSENT}, {"b": 1}, False),
    ],
)
def test_equality(want: Any, have: Any, changed: bool) -> None:
    """true is not 1, order counts unless said otherwise, what cannot be read is not compared."""
    assert plan([Desired("a", {"f": want})], Fixed(Current("a", {"f": have}))).changed is changed


def test_rules_of_a_kind() -> None:
    """`unordered`, `exact` and `same` do what they say, and only for their fields."""
    found = Current("a", {"tags": ["x", "y"], "list": ["x", "y"], "labels": {"k": 1, "old": 2}, "memory": 4096})
    want = Desired("a", {"tags": ["y", "x"], "list": ["y", "x"], "labels": {"k": 1}, "memory": "4G"})

    class Rules(Fixed):
        def same(self, path: str, wanted: Any, found: Any) -> bool:
            return path == "memory" and wanted == "4G" and found == 4096

    made = plan([want], Rules(found, unordered=frozenset({"tags"}), exact=frozenset({"labels"})))
    assert fields_of(made) == [("list", ["x", "y"], ["y", "x"]), ("labels.old", 2, "(absent)")]
    assert made.changes[0].after["labels"] == {"k": 1}


def test_replacement_needs_its_switch_and_opens_no_writer(world: World) -> None:
    """Destroying is shown, named with field and switch, and refused as a whole."""
    world.put("a", {"size": 1, "mode": "x"})
    made = plan([wanted("a", mode="y"), wanted("b", size=1)], WorldReader(world))
    assert made.changes[0].action is Action.REPLACE
    with pytest.raises(Refused, match=r"thing a: changing mode from x to y.*allow_replace"):
        apply(made, lambda: pytest.fail("a writer was opened"), reader=WorldReader(world))
    assert not world.done


def test_another_object_is_never_touched(world: World) -> None:
    """The right name with the wrong identity is refused for update and for delete, naming both."""
    world.put("a", {"size": 1})
    for present in (True, False):
        made = plan([Desired("a", {"size": 2}, present=present, identity={"id": 7})], WorldReader(world))
        assert "its id is 100, expected 7" in made.refusals[0]


def test_two_objects_of_one_name_are_an_error(world: World) -> None:
    """Which of two is meant cannot be guessed; both are named."""
    world.put("a", {"size": 1})
    world.put("a", {"size": 2})
    (refusal,) = plan([wanted("a", size=1)], WorldReader(world)).refusals
    assert "100" in refusal and "101" in refusal


def test_a_torso_is_made_anew() -> None:
    """What an earlier run left unfinished is not adopted, and needs no switch to be replaced."""
    made = plan([Desired("a", {"x": 1})], Fixed(Current("a", {"x": 1}, incomplete="clone died")))
    assert made.changes[0].action is Action.REPLACE and "clone died" in made.changes[0].reason and not made.refusals


def test_findings_forbid_every_write(world: World) -> None:
    """What the adapter finds wrong with the live system stops all, in one list."""

    class Picky(WorldReader):
        def check(self, desired: Any, current: Any) -> list[str]:
            return ["storage fast: there is none", "bridge vmbr9: there is none"]

    made = plan([wanted("a", size=1)], Picky(world))
    with pytest.raises(Refused) as caught:
        apply(made, lambda: WorldWriter(world), reader=Picky(world))
    assert len(caught.value.refusals) == 2 and not world.done


def test_what_is_unknown_is_never_invented(world: World) -> None:
    """A value of an object yet to be made is announced, compared as a change, and filled in while applying."""
    world.put("b", {"peer": 1})
    desired = [Desired("b", {"peer": Unknown("number of a", of="a", field="number")}), wanted("a", size=1)]
    reader = WorldReader(world)
    made = plan(desired, reader)
    assert [change.key for change in made.changes] == ["a", "b"]
    assert fields_of(made, 1) == [("peer", 1, "(known after apply)")]
    assert ("number", "(absent)", "(known after apply)") in fields_of(made, 0)
    assert apply(made, lambda: WorldWriter(world), reader=reader).ok
    assert world.named("b")[0].fields["peer"] == world.named("a")[0].id
    assert not plan(desired, reader).changed, "an existing object's value is known when planning"


def test_a_value_about_to_change_is_not_told_as_it_is(world: World) -> None:
    """What another object will tell after its own change is unknown until then, and then right."""
    world.put("a", {"size": 1})
    world.put("b", {"peer": 1})
    reader = WorldReader(world)
    made = plan([wanted("a", size=2), Desired("b", {"peer": Unknown(of="a", field="size")})], reader)
    assert fields_of(made, 1) == [("peer", 1, "(known after apply)")]
    assert apply(made, lambda: WorldWriter(world), reader=reader).ok and world.named("b")[0].fields == {"peer": 2}


def test_an_unknown_that_stays_unknown_fails_its_object(world: World) -> None:
    """Nothing is sent in place of a value nobody told."""
    made = plan([Desired("a", {"x": Unknown("an earlier step makes it")})], WorldReader(world))
    result = apply(made, lambda: WorldWriter(world), reader=WorldReader(world))
    assert "still not known: an earlier step makes it" in result.message() and not world.done


def test_reading_is_retried_and_then_said(world: World) -> None:
    """A busy API is asked again; one that refuses is quoted, with what to do and without secrets."""
    world.faults = {1: "transient", 2: "lost before"}
    assert plan([wanted("a", size=1)], WorldReader(world), options(), clock=world.clock).changed
    world.faults = {4: "permanent"}
    with pytest.raises(EngineError, match=r"nothing was planned: 403 .* \(ask for the privilege\)"):
        plan([wanted("a", size=1)], WorldReader(world), clock=world.clock)

    class Busy(Fixed):
        def read(self, desired: Any) -> list[Current]:
            raise TransientError("busy with hush-hush")

    talk = Talk()
    with pytest.raises(EngineError, match=r"gave up after 60 s; the last cause: .*busy") as caught:
        reader = Busy()
        plan([wanted("a", password="hush-hush")], reader, options(deadline=60.0), clock=world.clock, progress=talk)
    assert talk.waits and "hush-hush" not in str(caught.value)


def test_a_secret_shows_in_no_way() -> None:
    """repr, str, format, JSON, pickle, errors, diffs of either side: hidden by type."""
    secret = Secret({"user": "u", "password": "hush-hush"})
    assert "hush" not in f"{secret} {secret!r} {[secret]} {secret!s:>20}"
    for dump in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError):
            dump(secret)
    assert copy.deepcopy([secret])[0] is secret
    for want, have in ((Secret("hush-new"), "hush-old"), ("hush-new", Secret("hush-old"))):
        made = plan([Desired("a", {"p": want})], Fixed(Current("a", {"p": have}), immutable=frozenset({"p"})))
        text = json.dumps([made.as_dict(), _module.diff(made), _module.objects(made, None)]) + repr(
            made.changes[0].fields
        )
        assert "hush" not in text + str(made.refusals) and "(secret, changed)" in text
    gone = plan([Desired("a", present=False)], Fixed(Current("a", {"p": {"q": [Secret("hush")]}})))
    assert "hush" not in json.dumps(_module.diff(gone))


@pytest.mark.parametrize("form", ["{}", "p%40ss%20word/x", "p%40ss%20word%2Fx", "p%40ss+word%2Fx", "cEBzcyB3b3JkL3g="])
def test_sentences_of_others_are_scrubbed(form: str) -> None:
    """An API that repeats a secret, as it is or encoded, does not make us repeat it."""
    secret = Secret("p@ss word/x")
    said = scrub(f"invalid value {form.format('p@ss word/x')} given", clear_texts([secret]))
    assert said == "invalid value (secret) given"


@pytest.mark.parametrize(
    "written",
    [
        shlex.quote,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: yaml.dump(text, allow_unicode=True),
    ],
)
def test_a_secret_with_quotes_is_scrubbed_however_it_is_quoted(written: Any) -> None:
    """What a shell, JSON or YAML make of a value with quotes is still the value."""
    value = """: it's "wörd"\\"""
    assert "rd" not in scrub(f"failed: {written(value)}", clear_texts([Secret(value)]))


def test_cost_grows_linearly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the objects take about ten times the time, from planning to result: nothing quadratic anywhere."""

    def cost(count: int) -> float:
        names = [f"n{i}" for i in range(count)]
        desired = [wanted(name, *([names[i - 1]] if i % 50 else []), a=i, b={"c": [i]}) for i, name in enumerate(names)]
        best = float("inf")
        for _unused in range(2):
            reader = Fixed()
            start = time.process_time()
            fresh = plan(desired, reader, options())
            monkeypatch.setattr(
                reader, "found", [Current(name, {"a": i, "b": {"c": [i]}}) for i, name in enumerate(names)]
            )
            assert not plan(desired, reader).changed
            result = apply(fresh, lambda: Instant(World()), reader=reader, options=options())
            assert result.ok and result.message() == ""
            _module.objects(fresh, result)
            _module.diff(fresh)
            _plan.section(fresh, _plan.identity("m", {}), "salt")
            best = min(best, time.process_time() - start)
        return best

    cost(100)
    assert cost(4_000) / cost(400) < 25


class Instant(WorldWriter):
    """Creates nothing, at once."""

    def create(self, change: Any, step: Any) -> None:
        return None


def test_two_of_a_name_are_not_pruned(world: World) -> None:
    """Which of two is meant is not guessed when one of them would be deleted either; without prune nobody minds."""
    world.put("stray", {"size": 1})
    world.put("stray", {"size": 2}, owned=False)
    reader = WorldReader(world)
    assert not plan([wanted("a")], reader, options()).refusals
    (said,) = plan([wanted("a")], reader, options(prune=True)).refusals
    assert said.startswith("thing stray: found twice")
