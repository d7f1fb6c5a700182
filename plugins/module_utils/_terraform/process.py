# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Runs terraform or tofu: its JSON stream goes through a file, so that a dead reader never kills a half-done apply."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from .._objects import AdapterError
from .._wait import Deadline

Message = dict[str, Any]
Listener = Callable[[Message], None]

# How often the stream is looked at while a command runs; its end is noticed at once.
LOOK_EVERY = 0.2
# Seconds that a command which only reads gets to end, once it was asked to.
GRACE = 10.0
READING = ("init", "plan")
GUARD = """
once() { trap '' TERM; kill -TERM "$child"; }
trap once TERM
"$@" & child=$!
code=0; wait "$child" || code=$?
while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done
exit "$code"
"""


def binary_of(wanted: str | None) -> str:
    """The program asked for, or whichever is there."""
    names = [wanted] if wanted else ["terraform", "tofu"]
    for name in names:
        if found := shutil.which(str(Path(name).expanduser())):
            return found
    looked = " nor ".join(names)
    raise AdapterError(
        f"there is neither {looked} on the path" if len(names) > 1 else f"there is no program {looked}",
        "install Terraform or OpenTofu, or name the one to use in `binary`",
    )


@dataclass
class Done:
    """How a command ended, and all that it said."""

    code: int
    messages: list[Message] = field(default_factory=list)
    text: str = ""

    @property
    def diagnostics(self) -> list[Message]:
        return [one["diagnostic"] for one in self.messages if one.get("type") == "diagnostic"]


def _nobody(_message: Message) -> None:
    return None


class Runner:
    """Starts the binary in layers' folders, and counts how often."""

    def __init__(self, binary: str, environment: Mapping[str, str]) -> None:
        self.binary = binary
        self.environment = dict(environment)
        self.calls: list[str] = []
        self.deadline: Deadline | None = None
        self._lock = threading.Lock()
        # When this module is killed the binary is interrupted once: it finishes what is under way, saves its state and
        # releases its lock. A second time would make it drop everything, and the kernel tells each thread's death: so
        # the signals go to a shell, which passes on the first. Of util-linux, so Linux alone has it.
        told = shutil.which("setpriv")
        self._argv = [told, "--pdeathsig", "TERM", "--", "/bin/sh", "-c", GUARD, "guard", binary] if told else [binary]

    def _env(self, data: Path) -> dict[str, str]:
        env = {**os.environ, **self.environment}
        # Options that a user has set for his own commands would change what is planned and shown here.
        for name in [name for name in env if name == "TF_CLI_ARGS" or name.startswith(("TF_CLI_ARGS_", "TF_VAR_"))]:
            del env[name]
        env.pop("TF_WORKSPACE", None)
        env.update({"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "TF_DATA_DIR": str(data), "CHECKPOINT_DISABLE": "1"})
        return env

    def _start(self, argv: Sequence[str], folder: Path, data: Path, out: int | BinaryIO) -> subprocess.Popen[bytes]:
        with self._lock:
            self.calls.append(argv[0])
        return subprocess.Popen(
            [*self._argv, *argv],
            cwd=folder,
            env=self._env(data),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT if out != subprocess.PIPE else subprocess.PIPE,
            umask=0o077,
            # An interrupt from the keyboard reaches us; the binary hears of it by our end, once.
            start_new_session=True,
        )

    def stream(self, argv: Sequence[str], folder: Path, data: Path, listen: Listener = _nobody) -> Done:
        """Run a command that talks JSON lines; each message is passed on as it comes."""
        log = data.parent / f"{argv[0]}.log"
        done = Done(1)
        late = False
        with _private(log) as out:
            process = self._start(argv, folder, data, out)
            with log.open("rb") as lines:
                rest = b""
                for _unused in _until_end(process):
                    rest = _take(rest + lines.read(), done, listen)
                    # What writes is left to end by itself: an apply goes on until the task does.
                    if argv[0] in READING and self.deadline is not None and self.deadline.passed():
                        late = True
                        _stop(process)
                _take(rest + lines.read() + b"\n", done, listen)
        done.code = process.wait()
        if late and self.deadline is not None:
            command = f"{Path(self.binary).name} {argv[0]}"
            raise AdapterError(
                f"{command} was stopped: the deadline of {self.deadline.seconds:.0f} s has passed",
                "see what it waited for in its log, then run again, or raise `deadline`",
            )
        return done

    def data(self, argv: Sequence[str], folder: Path, data: Path) -> Any:
        """Run a command that prints one JSON document."""
        process = self._start(argv, folder, data, subprocess.PIPE)
        out, err = process.communicate()
        if process.returncode:
            said = err.decode("utf-8", "replace").strip() or out.decode("utf-8", "replace").strip()
            raise AdapterError(f"{Path(self.binary).name} {argv[0]} failed: {said[:500]}")
        return json.loads(out)


def _private(path: Path) -> BinaryIO:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask once, ask again, and end it: nothing is written by what is ended here."""
    ways: tuple[Callable[[], None], ...] = (
        lambda: process.send_signal(signal.SIGTERM),
        lambda: os.killpg(process.pid, signal.SIGTERM),
        lambda: os.killpg(process.pid, signal.SIGKILL),
    )
    for way in ways:
        with contextlib.suppress(ProcessLookupError):
            way()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
            return


def _until_end(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Yields now and then while the process runs."""
    try:
        watch = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        watch = -1
    try:
        while process.poll() is None:
            if watch >= 0:
                select.select([watch], [], [], LOOK_EVERY)
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_EVERY)
            yield
    finally:
        if watch >= 0:
            os.close(watch)


def _take(raw: bytes, done: Done, listen: Listener) -> bytes:
    """Whole lines are taken, the rest is given back."""
    *whole, rest = raw.split(b"\n")
    for line in whole:
        text = line.decode("utf-8", "replace").strip()
        if not text:
            continue
        try:
            message = json.loads(text)
        except ValueError:
            message = None
        if isinstance(message, dict) and "@level" in message:
            done.messages.append(message)
            listen(message)
        else:
            done.text += text + "\n"
    return rest
