# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of files and the way back, on a tree of their own and with programs that only say what they were asked."""

from __future__ import annotations

import grp
import json
import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._machine.files import (
    PENDING,
    Files,
    FilesError,
    Line,
    Wanted,
    described,
    wanted_of,
)
from ansible_collections.socle.platform.plugins.module_utils._machine.way_back import STATE, WayBack
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

ME = {"owner": pwd.getpwuid(os.geteuid()).pw_name, "group": grp.getgrgid(os.getegid()).gr_name}


class Programs:
    """Commands that were run; those in `broken` fail."""

    def __init__(self) -> None:
        self.ran: list[list[str]] = []
        self.broken: set[str] = set()

    def __call__(self, argv: Sequence[str]) -> tuple[int, str]:
        self.ran.append(list(argv))
        return (1, f"{argv[0]} is broken") if argv[0] in self.broken else (0, "")

    def names(self) -> list[str]:
        return [argv[0] for argv in self.ran]


@pytest.fixture
def programs() -> Programs:
    return Programs()


@pytest.fixture
def files(tmp_path: Path, programs: Programs) -> Files:
    return Files(tmp_path, WayBack(str(tmp_path), programs))


def wanted(path: str, content: str | None = None, **more: Any) -> Wanted:
    return Wanted(path, content, **{**ME, **more})


def settle(files: Files, entries: list[Wanted], owned: tuple[str, ...] = (), token: str = "") -> list[str]:
    changes = files.plan(entries, owned)
    files.validate(changes)
    files.write(changes, token, 60)
    return [change.wanted.path for change in changes]


def test_what_differs_is_written_once(files: Files, programs: Programs) -> None:
    """Would catch a file that is written anew, a wrong mode, and a daemon restarted once for each of its files."""
    apply = (("systemctl", "restart", "a"),)
    entries = [wanted("/etc/a/one", "1\n", mode=0o600, apply=apply), wanted("/etc/a/two", "2\n", apply=apply)]
    assert settle(files, entries) == ["/etc/a/one", "/etc/a/two"]
    assert files.at("/etc/a/one").stat().st_mode & 0o777 == 0o600 and files.at("/etc/a/two").read_text() == "2\n"
    assert programs.ran == [["systemctl", "restart", "a"]]
    assert settle(files, entries) == [] and len(programs.ran) == 1
    files.at("/etc/a/one").chmod(0o644)
    assert settle(files, entries) == ["/etc/a/one"] and files.at("/etc/a/one").stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_when_one_is_refused(files: Files, programs: Programs) -> None:
    """Would catch half of a set in force."""
    programs.broken.add("check")
    entries = [wanted("/etc/good", "1\n"), wanted("/etc/bad", "2\n", validate=("check", "%s"))]
    with pytest.raises(FilesError, match=r"/etc/bad: .check %s. refuses the new content: check is broken"):
        settle(files, entries)
    assert not files.at("/etc/good").exists()


def test_a_killed_run_is_finished_by_the_next(files: Files, programs: Programs) -> None:
    """Would catch a daemon that goes on with the old file, because the next run finds the new one in place."""
    programs.broken.add("reload")
    entries = [wanted("/etc/a", "1\n", apply=(("reload",),))]
    with pytest.raises(FilesError, match="It is done again in the next run"):
        settle(files, entries)
    programs.broken.clear()
    programs.ran.clear()
    assert settle(files, entries) == [] and programs.names() == ["reload"]
    assert not files.at(PENDING).exists()


def test_owned_folders_hold_nothing_else(files: Files) -> None:
    """Would catch a key of somebody who left."""
    settle(files, [wanted("/keys/ada", "a\n"), wanted("/keys/grace", "g\n")])
    assert settle(files, [wanted("/keys/ada", "a\n")], owned=("/keys",)) == ["/keys/grace"]
    assert [path.name for path in files.at("/keys").iterdir()] == ["ada"]


def test_links_folders_and_what_must_not_be_there(files: Files) -> None:
    """Would catch a time zone that is copied instead of linked, and a file that stays."""
    entries = [
        wanted("/etc/localtime", state="link", target="/usr/share/zoneinfo/Etc/UTC"),
        wanted("/etc/d", state="directory", mode=0o700),
        wanted("/etc/old", state="absent"),
        wanted("/etc/only-its-mode", mode=0o600),
    ]
    files.at("/etc").mkdir()
    files.at("/etc/old").write_text("x")
    assert settle(files, entries) == ["/etc/localtime", "/etc/d", "/etc/old"]
    assert str(files.at("/etc/localtime").readlink()) == "/usr/share/zoneinfo/Etc/UTC"
    assert files.at("/etc/d").stat().st_mode & 0o777 == 0o700 and not files.at("/etc/old").exists()
    assert settle(files, entries) == []


@given(st.lists(st.sampled_from(["UMASK 022", "# UMASK 0", "other", "", "UMASK 077 "]), max_size=8))
def test_a_line_stands_once_and_the_rest_stays(tmp_path_factory: pytest.TempPathFactory, rows: list[str]) -> None:
    """Would catch a second line that wins over ours, and lines of others that are lost."""
    root = tmp_path_factory.mktemp("lines")
    files = Files(root, WayBack(str(root), Programs()))
    (root / "f").write_text("".join(f"{row}\n" for row in rows))
    entry = wanted("/f", lines=(Line(r"^\s*#?\s*UMASK\s", "UMASK 027"),))
    settle(files, [entry])
    now = (root / "f").read_text().splitlines()
    assert [row for row in now if "UMASK" in row] == ["UMASK 027"]
    assert [row for row in now if "UMASK" not in row] == [row for row in rows if "UMASK" not in row]
    assert settle(files, [entry]) == []


def test_a_guarded_change_is_taken_back_whole(files: Files, programs: Programs) -> None:
    """Would catch a way back that leaves a new file, forgets a mode, or does not put the old rules in force."""
    guard = {"guarded": True, "undo": (("delete",),), "apply": (("load",),)}
    settle(files, [wanted("/etc/a", "old\n", mode=0o640)])
    assert settle(files, [wanted("/etc/a", "new\n", **guard), wanted("/etc/b", "new\n", **guard)], token="t1")
    assert files.way.load() is not None and "systemd-run" in programs.names()
    programs.ran.clear()
    assert files.way.revert("t2") == [] and files.at("/etc/a").read_text() == "new\n"
    assert files.way.revert("t1") == []
    assert files.at("/etc/a").read_text() == "old\n" and files.at("/etc/a").stat().st_mode & 0o777 == 0o640
    assert not files.at("/etc/b").exists()
    assert programs.names() == ["delete", "load"]
    assert not files.way.disarm("t1")


def test_a_guarded_change_that_cannot_be_put_in_force_is_taken_back_at_once(files: Files, programs: Programs) -> None:
    """Would catch a machine that waits a minute with a broken daemon."""
    programs.broken.add("restart")
    with pytest.raises(FilesError, match=r"restart.*failed"):
        settle(files, [wanted("/etc/a", "new\n", guarded=True, apply=(("restart",),))])
    assert not files.at("/etc/a").exists() and files.way.load() is None


def test_a_change_of_no_guarded_file_arms_nothing(files: Files, programs: Programs) -> None:
    """Would catch a new connection for each run."""
    settle(files, [wanted("/etc/a", "1\n", guarded=True), wanted("/etc/b", "1\n")], token="t1")
    assert not files.way.disarm("t0") and files.way.load() is not None
    assert files.way.disarm("t1") and files.way.load() is None
    programs.ran.clear()
    settle(files, [wanted("/etc/a", "1\n", guarded=True), wanted("/etc/b", "2\n")])
    assert files.way.load() is None and programs.ran == []


def test_the_timer_that_cannot_start_changes_nothing(files: Files, programs: Programs) -> None:
    """Would catch a change without a way back."""
    programs.broken.add("systemd-run")
    with pytest.raises(RuntimeError, match="does not start the timer"):
        settle(files, [wanted("/etc/a", "new\n", guarded=True)])
    assert not files.at("/etc/a").exists() and files.way.load() is None


def test_secrets_are_not_shown(files: Files) -> None:
    """Would catch a key in a diff."""
    (change,) = files.plan([wanted("/etc/key", "PRIVATE\n", secret=True)])
    assert "PRIVATE" not in json.dumps(described(change))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"path": "etc/a", "content": ""}, "etc/a is no absolute path"),
        ({"path": "/a", "content": "", "lines": [{"match": "a", "line": "a"}]}, "/a has both content and lines"),
        ({"path": "/a", "content": "", "mode": "rw"}, "/a has the mode 'rw', which is no octal number"),
    ],
)
def test_wrong_parameters_are_named(entry: dict[str, Any], said: str) -> None:
    """Would catch a traceback."""
    with pytest.raises(FilesError, match=said):
        wanted_of(entry)


class Changes(RuleBasedStateMachine):
    """Any order of changes, disarms, reverts and restarts; a model knows what was proven."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory(prefix="socle-test-")
        self.files = Files(Path(self.folder.name), WayBack(self.folder.name, Programs()))
        self.proven: str | None = None
        self.now: str | None = None
        self.armed = ""
        self.number = 0

    @rule(content=st.sampled_from(["a\n", "b\n", "c\n"]))
    def change(self, content: str) -> None:
        """As the module does: what an earlier run left armed is put back first."""
        self.files.way.revert()
        if self.armed:
            self.now, self.armed = self.proven, ""
        self.number += 1
        token = f"t{self.number}"
        if settle(self.files, [wanted("/f", content, guarded=True)], token=token):
            self.now, self.armed = content, token

    @rule()
    def come_back(self) -> None:
        assert self.files.way.disarm(self.armed) == bool(self.armed)
        self.proven, self.armed = self.now, ""

    @rule()
    def time_is_over(self) -> None:
        self.files.way.revert(self.armed or "gone")
        if self.armed:
            self.now, self.armed = self.proven, ""

    @rule()
    def late_timer_of_an_earlier_change(self) -> None:
        self.files.way.revert(f"t{self.number - 1}")

    @invariant()
    def the_file_is_what_the_model_says(self) -> None:
        path = self.files.at("/f")
        assert (path.read_text() if path.exists() else None) == self.now
        assert (self.files.at(f"{STATE}/armed.json")).exists() == bool(self.armed)

    def teardown(self) -> None:
        self.folder.cleanup()


TestChanges = Changes.TestCase
