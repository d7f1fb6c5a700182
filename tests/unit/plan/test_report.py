# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a command line to that of the second run, and from its report to one summary."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible import context
from ansible.cli.playbook import PlaybookCLI
from ansible.utils.context_objects import GlobalCLIArgs
from ansible_collections.socle.platform.plugins.plugin_utils._plan import command as commands
from ansible_collections.socle.platform.plugins.plugin_utils._plan.report import gather, read, text
from ansible_collections.socle.platform.plugins.plugin_utils._plan.table import table
from hypothesis import given, settings
from hypothesis import strategies as st


def parsed(*arguments: str) -> dict[str, Any]:
    """As Ansible itself parses them."""
    GlobalCLIArgs._Singleton__instance = None
    cli = PlaybookCLI(["ansible-playbook", *arguments, "site.yml"])
    cli.parse()
    return dict(context.CLIARGS)


@pytest.fixture(autouse=True)
def own_command_line() -> Any:
    before = context.CLIARGS
    yield
    context.CLIARGS = before
    GlobalCLIArgs._Singleton__instance = None


EVERYTHING = [
    "-i/tmp/one",
    "-ihost1,host2",
    "--limit=a:&b:!c",
    "-evar=1",
    '-e{"json": "two words"}',
    "-e@/tmp/vars.yml",
    "--tags=x,y",
    "--skip-tags=z",
    "--vault-id=dev@/tmp/pass",
    "--vault-password-file=/tmp/other",
    "-unobody",
    "--private-key=/tmp/key",
    "-cssh",
    "-T7",
    "--ssh-common-args=-o ProxyJump=gate",
    "--ssh-extra-args=-vv",
    "--become",
    "--become-user=root2",
    "--become-method=su",
    "--become-password-file=/tmp/bpw",
    "--connection-password-file=/tmp/cpw",
    "-f3",
    "--force-handlers",
    "--flush-cache",
    "-M/tmp/a:/tmp/b",
    "-M/tmp/c",
]
KEPT = [
    *(name for name in commands.MANY),
    *(name for name in commands.ONCE),
    *(name for name in commands.SWITCHES),
    "module_path",
]


def test_the_second_run_is_given_what_the_first_one_had() -> None:
    """Catches an option that is lost, split, or passed under another name."""
    first = parsed(*EVERYTHING)
    made = commands.command("/x/site.yml", first)
    second = parsed(*made[made.index("/x/site.yml") + 1 :])
    assert second["check"] is True
    # Ansible keeps tags as a set, in any order.
    for told in (first, second):
        told.update({name: sorted(told[name]) for name in ("tags", "skip_tags")})
    assert {name: second[name] for name in KEPT} == {name: first[name] for name in KEPT}


def test_nothing_given_is_nothing_passed() -> None:
    """Catches defaults of this run that would become orders for the second one."""
    first = parsed()
    made = commands.command("/x/site.yml", first)
    second = parsed(*made[made.index("/x/site.yml") + 1 :])
    # Ansible keeps tags as a set, in any order.
    for told in (first, second):
        told.update({name: sorted(told[name]) for name in ("tags", "skip_tags")})
    assert {name: second[name] for name in KEPT} == {name: first[name] for name in KEPT}


@pytest.mark.parametrize("check", [[], ["--check"], ["-C", "-D"]])
def test_the_second_run_is_always_in_check_mode(check: list[str]) -> None:
    """Catches a plan that writes because --check was forgotten."""
    assert "--check" in commands.command("site.yml", parsed(*check))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["-k"], "--connection-password-file"),
        (["-K"], "--become-password-file"),
        (["-J"], "--vault-password-file"),
        (["--vault-id=dev@prompt"], "--vault-id dev@prompt"),
        (["--step"], "--step"),
    ],
)
def test_what_is_typed_is_refused_by_name(asked: list[str], said: str) -> None:
    """Catches a second run that waits for a password without a terminal."""
    with pytest.raises(commands.CannotPass, match=said):
        commands.command("site.yml", parsed(*asked))


def change(key: str, action: str = "create", **more: Any) -> dict[str, Any]:
    return {"key": key, "label": key, "action": action, "fields": [], "reason": "", "refused": "", **more}


def section(*changes: dict[str, Any], action: str = "socle.platform.proxmox_machines", **more: Any) -> dict[str, Any]:
    plan = {"module": "m", "kind": "machine", "changes": list(changes), "refusals": [], "warnings": [], "unmanaged": []}
    return {"type": "section", "host": "localhost", "task": "Make", "action": action, "plan": plan | more}


def other(kind: str, host: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "host": host, "task": "Task", "action": "x.y.z", "message": "", "detail": "", **more}


END = {"type": "end"}


def test_the_summary_is_by_system() -> None:
    """Catches changes under the wrong heading and values that break the lines."""
    long = "x" * 500 + "\nsecond line"
    report = gather(
        [
            section(change("w1", fields=[{"path": "memory", "before": "(absent)", "after": 4096}])),
            section(change("p", "update", fields=[{"path": "a", "before": "b", "after": long}]), action="a.b.c"),
            section(change("s", "delete"), action="socle.platform.secrets", kind="secret"),
            other("task", "w2", detail="/etc/x"),
            END,
        ]
    )
    lines = text(report, "cater")
    assert lines[0] == "Plan for cater: 1 to create, 1 to update, 1 to delete, 1 other task would change something"
    assert lines[lines.index("Proxmox") + 1] == "  + create machine w1"
    assert lines[lines.index("Secrets") + 1] == "  - delete secret s"
    assert lines[lines.index("This machine") + 1] == "  ~ update machine p"
    assert lines[lines.index("Hosts") + 1] == "  ~ Task (x.y.z) on w2: /etc/x, not bound"
    assert max(len(line) for line in lines) <= 120
    assert not any("\n" in line for line in lines)


def test_only_hosts_that_the_plan_creates_may_be_out_of_reach() -> None:
    """Catches a whole plan without a host that is down, and a first install that cannot be planned."""
    report = gather([section(change("w1")), other("unreachable", "w1"), other("unreachable", "w2"), END])
    assert [record["host"] for record in report.later] == ["w1"]
    assert [record["host"] for record in report.problems] == ["w2"]
    report = gather([section(change("w1", "update")), other("unreachable", "w1"), END])
    assert [record["host"] for record in report.problems] == ["w1"]


def test_hosts_in_the_same_state_share_a_line() -> None:
    """Catches a summary with one line for each of a thousand machines."""
    made = [change(f"w{number}") for number in range(7)]
    report = gather([section(*made), *(other("unreachable", f"w{number}") for number in range(7)), END])
    found = [line for line in text(report, "x") if line.startswith("  ? ")]
    assert found == ["  ? Task on w0, w1, w2, w3 and 3 more: known after this plan has made the machine"]


def test_without_its_end_a_report_is_not_whole() -> None:
    """Catches a run that was killed and counts as `nothing to change`."""
    assert not read("").whole
    assert text(read(""), "x")[0].startswith("Plan for x: broken off")
    assert read(json.dumps(END)).whole


@settings(deadline=None)
@given(st.lists(st.lists(st.text("ab é", max_size=5) | st.none() | st.integers(), min_size=3, max_size=3), max_size=5))
def test_columns_stand_under_one_another(rows: list[list[Any]]) -> None:
    """Catches cells that move their neighbours, and columns that hold nothing."""
    lines = table(("A", "B", "C"), rows)
    assert len(lines) == len(rows) + 1
    for number, name in enumerate(("A", "B", "C")):
        shown = any(row[number] not in (None, "") and str(row[number]) != "-" for row in rows)
        assert (name in lines[0]) is shown


def test_a_plan_that_could_not_look_does_not_say_nothing_to_change() -> None:
    """Catches a headline that comforts while the lines below it say that a task was never planned."""
    failed = {"type": "failed", "host": "localhost", "task": "Make", "action": "x", "message": "no password"}
    assert text(gather([failed, {"type": "end"}]), "x")[0] == "Plan for x: 1 task could not be planned"
    two = text(gather([failed, failed | {"host": "one"}, {"type": "end"}]), "x")
    assert two[0] == "Plan for x: 2 tasks could not be planned"


def test_hosts_that_something_unplanned_will_make_may_be_out_of_reach() -> None:
    """Would catch a plan that fails on machines of servers that are still bare, and one that forgives a stranger."""
    later = {"type": "later", "host": "compute1", "task": "look", "message": "known after it is", "makes": ["one"]}
    lost = [{"type": "unreachable", "host": name, "task": "t", "message": "no route"} for name in ("one", "two")]
    report = gather([*lost, later, {"type": "end"}])
    assert [(record["host"], record["message"]) for record in report.later[1:]] == [("one", "known after it is")]
    assert [record["host"] for record in report.problems] == ["two"]
