# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sender of progress, the words of it, and the shared output, each alone."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.socle.platform.plugins.module_utils import _progress
from ansible_collections.socle.platform.plugins.plugin_utils._progress import lines
from ansible_collections.socle.platform.plugins.plugin_utils._progress.guard import Guard
from ansible_collections.socle.platform.plugins.plugin_utils._progress.screen import ERASE, Screen
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with (
        tempfile.TemporaryDirectory() as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound,
    ):
        path = str(Path(directory) / "s")
        bound.bind(path)
        bound.settimeout(5)
        monkeypatch.setenv(_progress.SOCKET_VARIABLE, path)
        monkeypatch.delenv(_progress.TASK_VARIABLE, raising=False)
        yield bound


def heard(listener: socket.socket) -> list[lines.Task]:
    found = []
    listener.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            task = lines.parse(listener.recv(65536), time.monotonic())
            assert task is not None
            found.append(task)
    return found


def test_nobody_listening_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a module that needs the callback plugin to work."""
    monkeypatch.delenv(_progress.SOCKET_VARIABLE, raising=False)
    progress = _progress.Progress.from_environment("work")
    assert not isinstance(progress, _progress.Progress)
    progress.event("a", "making", 0, 1)
    progress.waiting("b", "c", 1.0)
    progress.close()


def test_a_dead_listener_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Catches a module that fails, or goes on trying, because the drawer is gone."""
    path = str(tmp_path / "s")
    monkeypatch.setenv(_progress.SOCKET_VARIABLE, path)
    _progress.Progress.from_environment("never there").event("a", "b", 0, 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(path)
        progress = _progress.Progress.from_environment("gone later")
    progress.event("a", "b", 0, 1)
    assert vars(progress)["_socket"] is None
    progress.event("a", "b", 1, 1)
    progress.close()


def test_the_newest_state_arrives_after_a_burst(listener: socket.socket) -> None:
    """Catches a burst whose last event is dropped, so that the line shows an old object for minutes."""
    progress = _progress.Progress.from_environment("work")
    for number in range(5000):
        progress.event(f"o{number}", "made", number + 1, 5000)
    deadline = time.monotonic() + 5
    last = None
    while time.monotonic() < deadline and (last is None or last.done < 5000):
        last = lines.parse(listener.recv(65536), 0.0)
    assert last is not None
    assert (last.object, last.done, last.ended) == ("o4999", 5000, False)
    progress.close()


def test_a_listener_that_never_reads_costs_a_hundred_thousand_events_little(listener: socket.socket) -> None:
    """Catches a full queue that blocks the module. Without a listener the same takes well under a second."""
    progress = _progress.Progress.from_environment("work")
    began = time.monotonic()
    for number in range(100_000):
        progress.event(f"o{number}", "made", number + 1, 100_000)
    progress.close()
    assert time.monotonic() - began < 10
    assert len(heard(listener)) <= 100


def test_a_task_without_reports_says_nothing(listener: socket.socket) -> None:
    """Catches a summary of nothing for every task that had nothing to do."""
    _progress.Progress.from_environment("work").close()
    assert heard(listener) == []


def test_the_slowest_object_is_named(listener: socket.socket) -> None:
    """Catches a summary that names the wrong object, events being dropped."""
    now = [0.0]
    progress = _progress.Progress(os.environ[_progress.SOCKET_VARIABLE], "work", clock=lambda: now[0])
    for name, takes in (("a", 1.0), ("b", 7.0), ("c", 2.0)):
        progress.event(name, "making", 0, 3)
        now[0] += takes
        progress.event(name, "made", 1, 3)
    progress.close()
    last = heard(listener)[-1]
    assert last.ended
    assert lines.summary(last, 0.0) == "work: 1 of 3 objects in 10 s, slowest b (7.0 s)"


@settings(deadline=None)
@given(st.text(max_size=4000), st.text(max_size=4000), st.text(max_size=4000))
def test_any_text_makes_one_bounded_message(name: str, cause: str, detail: str) -> None:
    """Catches datagrams too big to send, surrogates, and control characters that reach the terminal."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(f"{directory}/s")
        progress = _progress.Progress(f"{directory}/s", name, name)
        progress.waiting(name, cause, 1.0)
        progress.event(name, name, 1, 2, detail)
        progress.close()
        bound.setblocking(False)
        datagrams = []
        with contextlib.suppress(BlockingIOError):
            while True:
                datagrams.append(bound.recv(65536))
    assert datagrams
    for datagram in datagrams:
        assert len(datagram) <= _progress.MAX_MESSAGE
        task = lines.parse(datagram, 0.0)
        assert task is not None
        for text in (lines.moving(task, 1.0, 60), lines.summary(task, 1.0)):
            assert text.isprintable()
        assert lines.width_of(lines.moving(task, 1.0, 60)) <= 60


@settings(deadline=None)
@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["v", "id", "pid", "task", "host", "wait", "done", "age", "x"]), inner)
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode())
)
def test_foreign_datagrams_are_ignored(datagram: bytes) -> None:
    """Catches a drawer that dies of what somebody else sends to its socket."""
    assert lines.parse(datagram, 0.0) is None


@settings(deadline=None)
@given(st.text(max_size=50), st.integers(0, 30))
def test_cutting_keeps_to_the_columns(text: str, columns: int) -> None:
    """Catches wide characters counted as narrow ones, which wrap the line."""
    assert lines.width_of(lines.cut(text, columns)) <= max(columns, 0) or lines.width_of(text) == 0


def task(**values: object) -> lines.Task:
    given_values = {"id": "1", "pid": 1, "name": "Make", "host": "localhost", "received": 0.0, "total": 100} | values
    return lines.Task(**given_values)  # type: ignore[arg-type]  # built by name, checked by the assertions


def test_plain_lines_are_few() -> None:
    """Catches a log with a line for every event."""
    running = task()
    said = []
    for tenth in range(6000):
        running.received, running.age, running.done = tenth / 10, tenth / 10, tenth // 100
        line = lines.plain(running, tenth / 10)
        if line:
            said.append(line)
    assert 55 <= len(said) <= 61


def test_plain_output_says_each_new_cause_at_once_and_an_old_one_seldom() -> None:
    """Catches a wait that is invisible in a log, and one that fills it."""
    running = task(age=5.0, wait=("the lock", "vzdump", 5.0))
    assert lines.plain(running, 0.0) == "Make: 0/100 5 s  waiting 5 s for the lock: vzdump"
    assert [lines.plain(running, float(second)) for second in range(1, 30)] == [None] * 29
    assert lines.plain(running, 30.0) is not None
    running.wait = ("the lock", "qmigrate", 40.0)
    assert lines.plain(running, 32.0) is not None


class Output:
    """A text stream over a real file, and what arrived in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stream = io.TextIOWrapper(io.BufferedWriter(io.FileIO(path, "w")), write_through=True)

    def content(self) -> bytes:
        return self.path.read_bytes()


@pytest.fixture
def screen() -> Iterator[Screen]:
    with tempfile.TemporaryFile() as unnamed:
        yield Screen(unnamed.fileno())


def test_ansible_erases_the_moving_line_before_it_writes(screen: Screen, tmp_path: Path) -> None:
    """Catches output written onto a moving line."""
    output = Output(tmp_path / "out")
    guard = Guard(screen, [output.stream], threading.RLock(), lambda: None)
    screen.visible = True
    output.stream.write("ok\n")
    assert output.content() == ERASE + b"ok\n"
    assert not screen.visible
    output.stream.write("more\n")
    assert output.content() == ERASE + b"ok\nmore\n"
    guard.remove()
    screen.visible = True
    output.stream.write("after\n")
    output.stream.flush()
    assert output.content().endswith(b"more\nafter\n")


@pytest.mark.parametrize(
    ("written", "midline"),
    [
        ("line\n", False),
        ("Password: ", True),
        ("\x1b[0;32mline\n\x1b[0m", False),
        ("\x1b[0;32mhalf\x1b[0m", True),
        ("half\r", True),
    ],
)
def test_a_begun_line_is_known(screen: Screen, tmp_path: Path, written: str, midline: bool) -> None:
    """Catches a moving line drawn behind a prompt, and one never drawn again after a coloured line."""
    output = Output(tmp_path / "out")
    Guard(screen, [output.stream], threading.RLock(), lambda: None)
    output.stream.write(written)
    assert screen.midline is midline
    # ansible-runner's marks stand between lines and change nothing, in one write or in several.
    output.stream.write("\x1b[KeyJ9\x1b[4D\x1b[K")
    output.stream.flush()
    assert screen.midline is midline
    for part in ("\x1b[K", "eyJ9\x1b[4D", "eyJ9\x1b[4D"):
        output.stream.write(part)
        assert screen.midline
    output.stream.write("\x1b[K")
    assert screen.midline is midline
    output.stream.write("line\n")
    assert not screen.midline


HOLDER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from _progress.screen import Screen
screen = Screen(int(sys.argv[2]))
assert screen.acquire(1)
print("held", flush=True)
sys.stdin.read()
"""


def holder(screen: Screen) -> subprocess.Popen[str]:
    folder = Path(lines.__file__).parent.parent
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", HOLDER, str(folder), str(screen.fd)],
        pass_fds=[screen.fd],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_drawer_stuck_in_its_turn_delays_ansible_once_and_shortly(screen: Screen, tmp_path: Path) -> None:
    """Catches a run that hangs because the drawer was stopped while it held the output."""
    process = holder(screen)
    output = Output(tmp_path / "out")
    Guard(screen, [output.stream], threading.RLock(), process.kill)
    began = time.monotonic()
    output.stream.write("one\n")
    assert time.monotonic() - began < 5
    process.wait(5)
    assert screen.acquire(1)
    screen.release()
    output.stream.write("two\n")
    assert output.content() == b"one\ntwo\n"
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()


def test_the_lock_of_a_killed_drawer_is_free(screen: Screen) -> None:
    """Catches a lock that outlives its holder."""
    process = holder(screen)
    assert not screen.acquire(0.01)
    process.kill()
    process.communicate()
    assert screen.acquire(1)


def test_a_worker_that_ansible_forks_writes_past_the_guard(screen: Screen, tmp_path: Path) -> None:
    """Catches a forked worker that waits for a lock its parent holds."""
    output = Output(tmp_path / "out")
    lock = threading.Lock()
    Guard(screen, [output.stream], lock, lambda: None)
    lock.acquire()
    child = os.fork()
    if child == 0:
        output.stream.write("from a worker\n")
        output.stream.flush()
        os._exit(0)
    deadline = time.monotonic() + 5
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, 9)
            os.waitpid(child, 0)
            pytest.fail("the worker hangs")
        threading.Event().wait(0.01)
    assert output.content() == b"from a worker\n"
