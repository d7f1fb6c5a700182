# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps and the store: done once, whole or not at all, whoever is killed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from labmirror.steps import Steps, key_of, size, trim
from labmirror.store import Record, Store, locked
from labmirror.trouble import Trouble

PACKAGE = Path(__file__).resolve().parents[2] / "lab" / "artefacts"
CHILD = """\
import sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from labmirror.steps import Steps

def make(work):
    (work / "half").write_text("half")
    print("begun", flush=True)
    if sys.argv[3] == "hang":
        threading.Event().wait()
    (work / "whole").write_text("whole")

print(Steps(Path(sys.argv[2]), print).once("thing", {"a": 1}, make), flush=True)
"""


def child(tmp_path: Path, how: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(PACKAGE), str(tmp_path), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def read_until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout
    for line in process.stdout:
        if word in line:
            return
    raise AssertionError(f"the child ended without saying {word!r}")


def test_a_killed_step_is_done_again_and_whole(tmp_path: Path) -> None:
    """Would catch half a result being taken for a whole one, or a lock that outlives its owner."""
    with child(tmp_path, "hang") as killed:
        read_until(killed, "begun")
        killed.send_signal(signal.SIGKILL)
    said: list[str] = []
    done = Steps(tmp_path, said.append).once("thing", {"a": 1}, lambda work: (work / "whole").touch())
    assert [path.name for path in done.iterdir()] == ["whole"]
    assert said


def test_a_compiler_ends_with_the_run_that_started_it(tmp_path: Path) -> None:
    """Would catch a killed run's compiler going on for minutes beside the next one's."""
    compiler = tmp_path / "go"
    compiler.write_text("#!/bin/sh\necho $$\nexec tail -f /dev/null\n")
    compiler.chmod(0o755)
    code = (
        "import subprocess, sys\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[1])\n"
        "from labmirror import golang\nrun = subprocess.run\n"
        "subprocess.run = lambda argv, **rest: run(argv, cwd=rest['cwd'], env=rest['env'])\n"
        "here = Path(sys.argv[2])\ngo = golang.Go(str(here / 'go'), 'go1', {'PATH': '/usr/bin:/bin'}, 'linux-amd64')\n"
        "go.build(here, 'p', '', here / 'out')\n"
    )
    command = [sys.executable, "-c", code, str(PACKAGE), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        number = int(process.stdout.readline())
        process.kill()
        # Its end closes the pipe that it shares with the killed one.
        ended, _unused, _unused = select.select([process.stdout], [], [], 60)
        if not ended:
            os.kill(number, signal.SIGKILL)
        assert ended
        assert process.stdout.read() == ""


def test_two_runs_make_it_once(tmp_path: Path) -> None:
    """Would catch two builds of the same program writing over each other."""
    with child(tmp_path, "hang") as first:
        read_until(first, "begun")
        with child(tmp_path, "make") as second:
            read_until(second, "another run is making it")
            first.send_signal(signal.SIGKILL)
            read_until(second, "begun")
            assert second.wait(timeout=30) == 0
    made: list[int] = []
    Steps(tmp_path, lambda _line: None).once("thing", {"a": 1}, lambda _work: made.append(1))
    assert not made


def test_a_result_appears_at_once(tmp_path: Path) -> None:
    """Would catch a result that is copied to its place: killed meanwhile, half of it would stay."""
    made: list[int] = []
    steps = Steps(tmp_path, lambda _line: None)
    done = steps.once("thing", {}, lambda work: made.append(work.stat().st_ino))
    assert made == [done.stat().st_ino]


def test_a_failed_step_leaves_nothing(tmp_path: Path) -> None:
    """Would catch a failure being remembered as a result."""

    def fail(work: Path) -> None:
        (work / "half").touch()
        raise Trouble("no")

    with pytest.raises(Trouble):
        Steps(tmp_path, lambda _line: None).once("thing", {}, fail)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_other_inputs_are_another_step(tmp_path: Path) -> None:
    """Would catch a result being used for inputs that it was not made of, or the order of keys mattering."""
    steps = Steps(tmp_path, lambda _line: None)
    assert steps.once("thing", {"a": 1}, lambda _work: None) != steps.once("thing", {"a": 2}, lambda _work: None)
    assert key_of({"a": 1, "b": [2]}) == key_of({"b": [2], "a": 1})


def test_trimming_deletes_what_was_used_longest_ago(tmp_path: Path) -> None:
    """Would catch a cache that grows without bound, or loses what was used just now."""
    now = time.time()
    for number in range(10):
        path = tmp_path / "ab" / str(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 100)
        os.utime(path, (now - number, now - number))
    assert trim(tmp_path, 450) == 600
    assert {path.name for path in (tmp_path / "ab").iterdir()} == {"0", "1", "2", "3"}
    assert size(tmp_path) == 400


def test_the_store_keeps_nothing_with_another_digest(store: Store) -> None:
    """Would catch a blob under a digest that is not its own."""
    with store.writing() as (handle, path):
        handle.write(b"content")
    with pytest.raises(Trouble, match="nothing was kept"):
        store.adopt(path, "x", "sha256:" + "0" * 64)
    assert not path.exists()
    assert not list((store.root / "blobs" / "sha256").iterdir())


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a/\0"])
def test_no_name_leaves_the_store(store: Store, name: str) -> None:
    """Would catch a name from upstream that writes outside of the mirror."""
    for where in (store.file, store.record):
        with pytest.raises(Trouble, match="not a name"):
            where(name)


def test_sweeping_keeps_what_a_record_names(store: Store) -> None:
    """Would catch a mirror emptied of what it still serves, or half-made files staying for ever."""
    kept, gone = store.put(b"kept", "x"), store.put(b"gone", "x")
    with store.writing() as (handle, path):
        handle.write(b"half")
    store.keep(Record("host/thing:1", "image", "built", "k", kept, (kept.digest,)))
    assert store.sweep() == len(b"gone") + len(b"half")
    assert store.blob(kept.digest).is_file()
    assert not store.blob(gone.digest).exists()
    assert not path.exists()
    assert store.damaged(store.records()[0]) == []
    store.blob(kept.digest).write_bytes(b"KEPT")
    assert store.damaged(store.records()[0]) == [kept.digest]


@pytest.mark.parametrize("content", ["{", "{}", '{"descriptor": null, "blobs": [], "another": 1}', "[]"])
def test_a_record_that_cannot_be_read_is_said(store: Store, content: str) -> None:
    """Would catch a traceback where a file was cut short by a full disk, or written by another version."""
    store.keep(Record("host/thing:1", "image", "built", "k"))
    (store.root / "records" / "host" / "thing:1.json").write_text(content)
    with pytest.raises(Trouble, match="delete it"):
        store.record("host/thing:1")


def test_a_lock_is_one_at_a_time(tmp_path: Path) -> None:
    """Would catch a lock that does not lock."""
    code = "import fcntl,sys; fcntl.flock(open(sys.argv[1], 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    held = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with locked(tmp_path / "lock"):
        assert subprocess.run(held, capture_output=True, check=False).returncode == 1
    assert subprocess.run(held, capture_output=True, check=False).returncode == 0
