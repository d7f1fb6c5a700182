# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers' folders, processes, and the order of layers."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._objects import AdapterError, DesiredError
from ansible_collections.socle.platform.plugins.module_utils._terraform import preview
from ansible_collections.socle.platform.plugins.module_utils._terraform.adapter import Layers, LayersWriter
from ansible_collections.socle.platform.plugins.module_utils._terraform.changes import Reading, ResourceChange
from ansible_collections.socle.platform.plugins.module_utils._terraform.layers import Layer, layers_of
from ansible_collections.socle.platform.plugins.module_utils._terraform.process import Runner, binary_of
from ansible_collections.socle.platform.plugins.module_utils._terraform.protect import refusals
from ansible_collections.socle.platform.plugins.module_utils._terraform.stack import Planned
from ansible_collections.socle.platform.plugins.module_utils._terraform.workspace import (
    held,
    outputs_in,
    sync,
    write,
)
from ansible_collections.socle.platform.plugins.module_utils._values import Secret
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = [
    "main.tf",
    "a/b.tf",
    "a/c/d.txt",
    "terraform.tfstate",
    ".terraform/x",
    "tests/y.tftest.hcl",
    "terraform.tfvars",
]
KEPT = {"main.tf", "a/b.tf", "a/c/d.txt"}
TREES = st.dictionaries(st.sampled_from(NAMES), st.text("ab", max_size=3), max_size=len(NAMES))


def tree(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def plant(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=TREES, after=TREES)
def test_a_copy_follows_its_source(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, str], after: dict[str, str]
) -> None:
    """Would catch a file that stays after it was removed, values or states that come along, or our own files lost."""
    folder = tmp_path_factory.mktemp("sync")
    target = folder / "copy"
    target.mkdir()
    ours = {"socle.auto.tfvars.json": "{}", ".terraform.lock.hcl": "lock", "socle_backend.tf.json": "{}"}
    plant(target, ours)
    for number, files in enumerate((before, after)):
        source = folder / str(number)
        source.mkdir()
        plant(source, files)
        sync(source, target)
        assert tree(target) == {**ours, **{name: text for name, text in files.items() if name in KEPT}}


def test_files_with_values_are_their_owner_s_alone(tmp_path: Path) -> None:
    """Would catch a file that is readable by others for a moment, or left so from an earlier time."""
    file = tmp_path / "x"
    file.write_text("old")
    file.chmod(0o644)
    write(file, "new")
    assert file.read_text() == "new" and stat.S_IMODE(file.stat().st_mode) == 0o600


def test_declared_outputs_are_found(tmp_path: Path) -> None:
    """Would catch an output that is null called missing."""
    (tmp_path / "outputs.tf").write_text(
        'output "one" { value = null }\n  output two {\n value = 1\n}\n# output "no" {}\n'
    )
    (tmp_path / "more.tf.json").write_text(json.dumps({"output": {"three": {"value": None}}}))
    assert sorted(outputs_in(tmp_path)) == ["one", "three", "two"]


def test_only_one_run_works_in_a_folder(tmp_path: Path) -> None:
    """Would catch two runs that overwrite each other's plans."""
    with held(tmp_path, 0):
        with (
            pytest.raises(AdapterError, match=f"another run of this stack works in .*process {os.getpid()}"),
            held(tmp_path, 0),
        ):
            pass
        waiting = threading.Event()

        def second() -> None:
            waiting.set()
            with held(tmp_path, 60):
                pass

        other = threading.Thread(target=second)
        other.start()
        assert waiting.wait(10)
    other.join(60)
    assert not other.is_alive()


def parameters(folder: Path, **needs: list[str]) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    (folder / "main.tf").touch()
    return {
        "layers": [
            {"name": name, "source": str(folder), "variables": {}, "secrets": Secret({}), "needs": wanted}
            for name, wanted in needs.items()
        ]
    }


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_needs_come_first_whatever_the_order(tmp_path_factory: pytest.TempPathFactory, edges: Any) -> None:
    """Would catch a layer planned before what it takes its values from, or a circle that hangs."""
    needs: dict[str, list[str]] = {f"l{number}": [] for number in range(8)}
    for one, other in edges:
        needs[f"l{one}"].append(f"l{other}")
    try:
        ordered = [layer.name for layer in layers_of(parameters(tmp_path_factory.getbasetemp() / "src", **needs))]
    except DesiredError as error:
        assert "in a circle" in str(error)
        return
    assert all(ordered.index(need) < ordered.index(name) for name, wanted in needs.items() for need in wanted)


def test_every_contradiction_is_named_at_once(tmp_path: Path) -> None:
    """Would catch errors told one run at a time."""
    told = parameters(tmp_path / "src", one=["two"], three=[])
    told["layers"].append({**told["layers"][1], "name": "bad/name"})
    told["layers"].append({**told["layers"][1], "source": str(tmp_path)})
    told["imports"] = [{"layer": "four", "to": "a.b", "id": "x"}]
    with pytest.raises(DesiredError) as caught:
        layers_of(told)
    assert len(caught.value.problems) == 5, caught.value.problems


def script(folder: Path, text: str) -> str:
    file = folder / "fake"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


def test_messages_come_while_the_command_runs_and_text_is_kept(tmp_path: Path) -> None:
    """Would catch a stream read only at its end, cut lines, or a crash text that is lost."""
    gate = tmp_path / "gate"
    binary = script(
        tmp_path,
        f"""printf '{{"@level":"info","type":"a"}}\\n{{"@level":'
while [ ! -e {gate} ]; do sleep 0.02; done
printf '"info","type":"b"}}\\npanic: oh\\n'; exit 3""",
    )
    heard: list[str] = []

    def listen(message: dict[str, Any]) -> None:
        heard.append(message["type"])
        gate.touch()

    done = Runner(binary, {}).stream(["plan"], tmp_path, tmp_path / "data", listen)
    assert heard == ["a", "b"] and done.code == 3 and done.text == "panic: oh\n"


def test_a_user_s_own_settings_do_not_reach_the_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would catch TF_CLI_ARGS or TF_VAR_x of somebody's shell in what is planned."""
    for name in ("TF_CLI_ARGS", "TF_CLI_ARGS_plan", "TF_VAR_region", "TF_WORKSPACE"):
        monkeypatch.setenv(name, "-destroy")
    done = Runner(script(tmp_path, "env"), {"AWS_REGION": "x"}).stream(["plan"], tmp_path, tmp_path / "data")
    assert "-destroy" not in done.text and "AWS_REGION=x" in done.text
    assert f"TF_DATA_DIR={tmp_path / 'data'}" in done.text


def test_whichever_binary_is_there_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would catch OpenTofu not found where Terraform is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AdapterError, match="neither terraform nor tofu"):
        binary_of(None)
    tofu = tmp_path / "tofu"
    tofu.touch(mode=0o755)
    assert binary_of(None) == str(tofu)
    (tmp_path / "terraform").touch(mode=0o755)
    assert binary_of(None) == str(tmp_path / "terraform") and binary_of("tofu") == str(tofu)


def test_a_preview_hands_on_what_is_known_and_finds_what_is_there(tmp_path: Path) -> None:
    """Would catch a preview that plans everything anew, or that writes a value into the configuration."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "main.tf").write_text("# nothing")
    there = ['t.x["a.b"]', 't.x["c"]', "module.m[0].t.y"]
    preview.prepare(source, tmp_path / "p", {"token": Secret("hunter22")}, ["cidr"], {"local": {}}, there)
    text = (tmp_path / "p" / "main.tf.json").read_text()
    root = json.loads(text)
    assert root["module"]["layer"]["cidr"] == preview.UNKNOWN and "hunter22" not in text
    assert root["moved"] == [
        {"from": "module.m", "to": "module.layer.module.m"},
        {"from": "t.x", "to": "module.layer.t.x"},
    ]


def test_protected_kinds_are_refused_and_others_are_not() -> None:
    """Would catch a database let go, or a firewall rule that nobody can replace."""
    changes = [
        ResourceChange("aws_db_instance.main", "aws_db_instance", "delete"),
        ResourceChange("aws_db_instance.old (deposed 1)", "aws_db_instance", "delete"),
        ResourceChange("aws_security_group.main", "aws_security_group", "replace"),
        ResourceChange("custom_thing.main", "custom_thing", "replace", reason="size cannot change in place"),
        ResourceChange("aws_s3_bucket.main", "aws_s3_bucket", "update"),
    ]
    assert len(list(refusals("data", changes, [], []))) == 2
    assert len(list(refusals("data", changes, ["custom_thing"], []))) == 3
    for named in ("aws_db_instance", "data:aws_db_instance"):
        assert list(refusals("data", changes, [], [named])) == []
    assert len(list(refusals("data", changes, [], ["aws_db_instance.main", "other:aws_db_instance"]))) == 1


def planned(**actions: str) -> Planned:
    layer = Layer("data", Path("/nowhere"))
    changes = [ResourceChange(f"t.{name}", "t", action) for name, action in actions.items()]
    return Planned(layer, Reading(tuple(changes)), changed=True)


@pytest.mark.parametrize(
    ("before", "now", "refused"),
    [
        ({"a": "create"}, {"a": "create"}, ""),
        ({"a": "create", "b": "update"}, {"a": "create"}, ""),
        ({"a": "replace"}, {"a": "update"}, ""),
        ({"a": "update"}, {"a": "replace"}, "t.a (replace)"),
        ({"a": "update"}, {"a": "update", "b": "delete"}, "t.b (delete)"),
    ],
)
def test_known_values_may_make_less_of_a_plan_and_never_more(
    before: dict[str, str], now: dict[str, str], refused: str
) -> None:
    """Would catch something applied that was not shown, because a value was not known then."""
    stack: Any = SimpleNamespace(parameters={"allow": []})
    writer = LayersWriter(stack, Layers(stack))
    if not refused:
        writer._as_shown(planned(**before), planned(**now))
        return
    with pytest.raises(AdapterError) as caught:
        writer._as_shown(planned(**before), planned(**now))
    assert refused in caught.value.sentence
