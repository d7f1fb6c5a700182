# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress beside real `ansible-playbook` runs, most of them on a pseudo-terminal read by a small screen model."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

MODULES = Path(__file__).parent / "progress_modules"
DEADLINE = 60
SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")
DRAWN = "\x1b[?7l"


class Terminal:
    """As much of a terminal as Ansible and the drawer use. Anything else is an error, never ignored."""

    def __init__(self, columns: int, rows: int = 1000) -> None:
        self.columns, self.rows = columns, rows
        self.cells: list[list[str]] = [[]]
        self.row = self.column = 0
        self.wrap = True

    def feed(self, text: str) -> None:
        position = 0
        while position < len(text):
            character = text[position]
            if character == "\x1b":
                found = SEQUENCE.match(text, position)
                assert found, f"not a sequence we know: {text[position : position + 20]!r}"
                self.control(found[1], found[2])
                position = found.end()
                continue
            self.put(character)
            position += 1

    def control(self, arguments: str, command: str) -> None:
        if command == "m":
            return
        if command in "lh" and arguments == "?7":
            self.wrap = command == "h"
        elif command == "J" and arguments in ("", "0"):
            del self.line()[self.column :]
            del self.cells[self.row + 1 :]
        elif command == "K" and arguments in ("", "0"):
            del self.line()[self.column :]
        elif command == "A":
            self.row = max(0, self.row - int(arguments or 1))
        else:
            raise AssertionError(f"not a sequence we know: {arguments}{command}")

    def line(self) -> list[str]:
        while len(self.cells) <= self.row:
            self.cells.append([])
        line = self.cells[self.row]
        line.extend(" " * (self.column - len(line)))
        return line

    def put(self, character: str) -> None:
        if character == "\n":
            self.row += 1
            self.line()
        elif character == "\r":
            self.column = 0
        elif character >= " ":
            if self.column >= self.columns:
                if not self.wrap:
                    self.column = self.columns - 1
                else:
                    self.row, self.column = self.row + 1, 0
            line = self.line()
            line[self.column : self.column + 1] = [character]
            self.column += 1
        else:
            raise AssertionError(f"not a character we know: {character!r}")

    def lines(self) -> list[str]:
        return ["".join(line).rstrip() for line in self.cells]


@dataclass
class Run:
    """One run on a pseudo-terminal."""

    output: str = ""
    code: int = -1
    pid: int = 0
    fd: int = -1
    settings: list[object] = field(default_factory=list)
    resize: Callable[[int], None] = lambda _columns: None


def environment(directory: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return (
        kept
        | {
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
            "TMPDIR": str(directory),
            "ANSIBLE_LIBRARY": str(MODULES),
            "ANSIBLE_LOCAL_TEMP": str(directory / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
            "ANSIBLE_INVENTORY_ENABLED": "host_list",
            "ANSIBLE_NOCOWS": "1",
        }
        | more
    )


def command(root: Path, playbook: Path, *more: str, hosts: str = "one,") -> list[str]:
    return [
        str(Path(sys.executable).parent / "ansible-playbook"),
        str(playbook),
        f"-i{hosts}",
        "-clocal",
        f"-eansible_python_interpreter={sys.executable}",
        *more,
    ]


def on_terminal(
    root: Path,
    argv: list[str],
    env: dict[str, str],
    columns: int = 100,
    during: Callable[[Run], bool] | None = None,
) -> Run:
    """Run `argv` on a terminal; `during` is called after each read until it returns True."""
    run = Run()
    run.pid, run.fd = pty.fork()
    if run.pid == 0:
        os.chdir(root)
        # The size must stand before Ansible asks for it.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        os.execve(argv[0], argv, env)  # noqa: S606  this is the forked child
    run.resize = lambda width: fcntl.ioctl(run.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    deadline = time.monotonic() + DEADLINE
    received = b""
    while time.monotonic() < deadline:
        if during and during(run):
            during = None
        if not select.select([run.fd], [], [], 0.1)[0]:
            if os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
        else:
            try:
                received += os.read(run.fd, 65536)
            except OSError:
                break
        run.output = received.decode("utf-8", "ignore")
    else:
        os.kill(run.pid, signal.SIGKILL)
        pytest.fail(f"not over after {DEADLINE} s:\n{run.output}")
    run.settings = termios.tcgetattr(run.fd)
    run.code = os.waitstatus_to_exitcode(os.waitpid(run.pid, 0)[1])
    os.close(run.fd)
    return run


def screen(run: Run, columns: int = 100) -> list[str]:
    terminal = Terminal(columns)
    terminal.feed(run.output)
    return terminal.lines()


def summaries(lines: list[str]) -> list[str]:
    return [line for line in lines if re.match(r"  .*: \d+ of \d+ objects in ", line)]


def drawers(directory: Path) -> list[int]:
    """The drawing processes of runs whose temporary files are in `directory`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            text = path.read_text()
            if "_progress.drawer" in text and str(directory) in text:
                found.append(int(path.parent.name))
    return found


def leftovers(directory: Path) -> list[str]:
    return [path.name for path in directory.glob("socle-progress-*")]


def until(what: str, true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, what
        select.select([], [], [], 0.05)


@pytest.fixture
def playbook(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "play.yml"
    path.write_text(
        """
- hosts: all
  gather_facts: false
  tasks:
    - name: Make things
      work: {events: 8, seconds: 1.2, prefix: "{{ inventory_hostname }}"}
    - name: Say much
      ansible.builtin.debug: {msg: "{{ range(30) | map('string') | map('regex_replace', '$', ' word') | list }}"}
    - name: Wait for it
      work: {events: 2, wait_cause: held by somebody}
    - name: Nothing
      ansible.builtin.debug: {msg: end}
"""
    )
    yield path
    assert drawers(tmp_path) == []
    assert leftovers(tmp_path) == []


CASES = {
    "as usual": ([], "one,", 100),
    "verbose": (["-v"], "one,", 100),
    "four hosts": (["-f4"], "one,two,three,four,", 100),
    "narrow": ([], "one,", 40),
}


@pytest.mark.parametrize("case", CASES)
def test_the_final_screen_is_ansibles_own_plus_summaries(root: Path, playbook: Path, case: str) -> None:
    """Catches a moving line that is left behind, or that eats or splits a line of Ansible's."""
    more, hosts, columns = CASES[case]
    argv = command(root, playbook, *more, hosts=hosts)
    env = environment(playbook.parent)
    plain = on_terminal(root, argv, env | {"SOCLE_PROGRESS": "off"}, columns)
    run = on_terminal(root, argv, env, columns)
    assert run.code == plain.code == 0
    assert DRAWN in run.output
    assert "making" in run.output
    assert "Wait for it" in run.output
    assert "2/2 0 s  waiting" in run.output
    lines = screen(run, columns)
    found = [line for line in lines if re.match(r"  (Make things|Wait for it)", line)]
    # A summary longer than the terminal is wrapped: its rest is no line of its own to be found.
    rest = [line for line in lines if line not in found]
    if columns >= 100:
        assert found == summaries(lines)
        assert len(found) == 2 * hosts.count(",")
        assert sorted(rest) == sorted(screen(plain, columns))
        if hosts == "one,":
            assert rest == screen(plain, columns)
    else:
        kept = iter(rest)
        missing = [line for line in screen(plain, columns) if line not in kept]
        assert missing == []


def test_free_strategy_draws_one_line_for_each_running_task(root: Path, playbook: Path) -> None:
    """Catches lines of several tasks that overwrite one another."""
    playbook.write_text(playbook.read_text().replace("gather_facts", "strategy: free\n  gather_facts"))
    argv = command(root, playbook, "-f3", hosts="one,two,three,")
    run = on_terminal(root, argv, environment(playbook.parent))
    assert run.code == 0
    blocks = [block.split("\x1b[?7h")[0] for block in run.output.split(DRAWN)[1:]]
    assert max(block.count("\n") for block in blocks) == 2
    assert any(all(f"[{host}]" in block for host in ("one", "two", "three")) for block in blocks)
    lines = screen(run)
    assert len(summaries(lines)) == 6
    assert not [line for line in lines if "making" in line or "waiting" in line]
    assert len([line for line in lines if line.startswith("ok: [")]) == 12


def test_the_summary_stands_before_the_result(root: Path, playbook: Path) -> None:
    """Catches a summary that appears under the next task's title."""
    lines = screen(on_terminal(root, command(root, playbook), environment(playbook.parent)))
    at = next(number for number, line in enumerate(lines) if line.startswith("TASK [Make things]"))
    assert re.fullmatch(
        r"  Make things \[one\]: 8 of 8 objects in \d+\.\d s, slowest one-\d \(0\.\d s\)", lines[at + 1]
    )
    assert lines[at + 2] == "ok: [one]"


def test_a_terminal_that_shrinks_leaves_no_remnant(root: Path, playbook: Path) -> None:
    """Catches lines cut for a width that is no longer true."""
    widths = iter([60, 30, 80])

    def shrink(run: Run) -> bool:
        if run.output.count(DRAWN) >= 3:
            run.resize(next(widths))
            return True
        return False

    run = on_terminal(root, command(root, playbook), environment(playbook.parent), 100, shrink)
    assert run.code == 0
    drawn = [part.split("\x1b[?7h")[0] for part in run.output.split(DRAWN)[1:]]
    assert max(len(SEQUENCE.sub("", part).strip()) for part in drawn[6:]) <= 59
    assert not [line for line in screen(run) if "making" in line]


def test_ctrl_c_leaves_a_sane_terminal(root: Path, playbook: Path) -> None:
    """Catches a drawer that survives Ctrl-C, a line left on the screen and changed terminal settings."""
    before: list[object] = []

    def interrupt(run: Run) -> bool:
        if "making" in run.output:
            before.append(termios.tcgetattr(run.fd))
            os.write(run.fd, b"\x03")
            return True
        return False

    run = on_terminal(root, command(root, playbook), environment(playbook.parent), during=interrupt)
    assert run.code != 0
    assert run.settings == before[0]
    assert run.output.rfind("\x1b[?7h") > run.output.rfind(DRAWN)
    lines = screen(run)
    assert not [line for line in lines if "making" in line and "ended without a word" not in line]
    until("the drawer ends", lambda: not drawers(playbook.parent))


def test_the_drawer_ends_when_ansible_is_killed(root: Path, playbook: Path) -> None:
    """Catches an orphan drawer, its folder left behind, and a moving line nobody will ever erase."""

    def kill(run: Run) -> bool:
        if "making" in run.output:
            assert len(drawers(playbook.parent)) == 1
            os.kill(run.pid, signal.SIGKILL)
            return True
        return False

    run = on_terminal(root, command(root, playbook), environment(playbook.parent), during=kill)
    assert run.code == -signal.SIGKILL
    until("the drawer ends", lambda: not drawers(playbook.parent))
    until("its folder is gone", lambda: not leftovers(playbook.parent))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_run_goes_on_without_its_drawer(root: Path, playbook: Path, number: signal.Signals) -> None:
    """Catches a run that hangs, slows down or loses output because the drawer is dead or stopped."""

    def strike(run: Run) -> bool:
        if "making" in run.output:
            os.kill(drawers(playbook.parent)[0], number)
            return True
        return False

    argv = command(root, playbook)
    run = on_terminal(root, argv, environment(playbook.parent), during=strike)
    plain = on_terminal(root, argv, environment(playbook.parent, SOCLE_PROGRESS="off"))
    assert run.code == 0
    assert screen(run) == screen(plain)


def test_a_folder_left_by_two_kills_is_swept_by_the_next_run(root: Path, playbook: Path) -> None:
    """Catches rubbish that grows in the temporary directory when everything is killed at once."""

    def kill(run: Run) -> bool:
        if "making" in run.output:
            for pid in drawers(playbook.parent):
                os.kill(pid, signal.SIGKILL)
            os.kill(run.pid, signal.SIGKILL)
            return True
        return False

    on_terminal(root, command(root, playbook), environment(playbook.parent), during=kill)
    assert len(leftovers(playbook.parent)) == 1
    playbook.write_text("- hosts: all\n  gather_facts: false\n")
    on_terminal(root, command(root, playbook), environment(playbook.parent))


def test_no_colour_when_asked(root: Path, playbook: Path) -> None:
    """Catches colours under NO_COLOR."""
    run = on_terminal(root, command(root, playbook), environment(playbook.parent, NO_COLOR="1"))
    assert DRAWN in run.output
    assert "\x1b[36m" not in run.output


def test_plain_lines_without_a_terminal(root: Path, playbook: Path) -> None:
    """Catches control sequences in a log, missing waits, and lines without end."""
    playbook.write_text(playbook.read_text().replace("seconds: 1.2", "seconds: 4"))
    env = environment(playbook.parent)
    argv = command(root, playbook)
    run, plain = (
        subprocess.run(
            argv,
            env=env | {"SOCLE_PROGRESS": mode},
            cwd=root,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=True,
        )
        for mode in ("auto", "off")
    )
    assert "\x1b" not in run.stdout
    lines = run.stdout.splitlines()
    ours = [line for line in lines if re.match(r"  (Make things|Wait for it) \[one\]: ", line)]
    assert [line for line in lines if line not in ours] == plain.stdout.splitlines()
    assert len(summaries(ours)) == 2
    assert 2 <= len([line for line in ours if "Make things" in line and "making" in line]) <= 4
    assert any("waiting 5 s for the lock: held by somebody" in line or "waiting 6 s" in line for line in ours)
    assert run.stderr == plain.stderr


def test_awx_gets_plain_lines_though_it_runs_us_on_a_terminal(root: Path, playbook: Path) -> None:
    """Catches cursor movements in AWX's job output."""
    env = environment(playbook.parent, AWX_ISOLATED_DATA_DIR="/runner", ANSIBLE_NOCOLOR="1")
    run = on_terminal(root, command(root, playbook), env)
    assert "\x1b" not in run.output
    assert len(summaries(run.output.replace("\r", "").splitlines())) == 2


def test_a_module_that_is_killed_is_said_to_have_ended(root: Path, playbook: Path) -> None:
    """Catches a moving line that stays for ever because nobody said the end."""
    playbook.write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - {name: Die, work: {events: 2, seconds: 0.3, die: true}, ignore_errors: true}\n"
        "    - {name: Live, work: {events: 2, seconds: 2}}\n"
    )
    run = on_terminal(root, command(root, playbook), environment(playbook.parent), columns=200)
    lines = screen(run, 200)
    found = [line for line in lines if line.startswith("  Die [one]: 2 of 2 objects in ")]
    assert [line.rpartition(", ")[2] for line in found] == ["ended without a word at object-1 made"]
    assert not [line for line in lines if line.startswith("Die [one]")]


def test_a_prompt_is_never_drawn_over(root: Path, playbook: Path) -> None:
    """Catches moving lines on the line where somebody is typing an answer."""
    playbook.write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - {name: Work, work: {events: 30, seconds: 3}, async: 20, poll: 0}\n"
        "    - {name: Ask, ansible.builtin.pause: {prompt: Really}}\n"
        "    - {name: Live, work: {events: 2, seconds: 0.5}}\n"
    )
    asked: list[tuple[int, float]] = []

    def answer(run: Run) -> bool:
        if "Really:" in run.output and not asked:
            asked.append((len(run.output), time.monotonic()))
        if asked and time.monotonic() - asked[0][1] > 1:
            # Somebody thinks for a second, and work goes on beside it.
            assert DRAWN not in run.output[asked[0][0] :]
            os.write(run.fd, b"yes\r")
            return True
        return False

    run = on_terminal(root, command(root, playbook), environment(playbook.parent), during=answer)
    assert asked
    assert run.code == 0
    answered = run.output.index("yes")
    assert DRAWN not in run.output[asked[0][0] : answered]
    assert DRAWN in run.output[answered:]
