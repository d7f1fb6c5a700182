# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A machine's way back from a change that locks everybody out.

Installed on the machine as /usr/local/sbin/socle-way-back, and used by the module that makes such changes. `arm` keeps
files as they are and starts a timer; `disarm`, said over a connection that was opened afterwards, ends it. Otherwise
the timer puts the files back and runs what puts them in force. What is kept lies on disk: a machine that restarts
meanwhile goes back too, before its network comes up.

It stands alone and needs nothing but Python, so that it works where everything else is broken.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import grp
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

STATE = "/var/lib/socle/way-back"
PROGRAM = "/usr/local/sbin/socle-way-back"
UNIT = "socle-way-back"


class WayBack:
    """What is kept, and the way to it. `root` and `run` stand for the machine in tests."""

    def __init__(self, root: str = "/", run: Any = None) -> None:
        self.root = Path(root)
        self.state = self.at(STATE)
        self.run = run or really_run

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody disarms what is being put back."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.state / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def load(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads((self.state / "armed.json").read_text())
        except FileNotFoundError:
            return None
        return found

    def arm(
        self,
        token: str,
        seconds: int,
        paths: Sequence[str],
        undo: Sequence[Sequence[str]],
        apply: Sequence[Sequence[str]],
    ) -> None:
        """Keep these files, and put them back by yourself when the time is over."""
        with self.alone():
            armed = self.load()
            if armed is not None:
                raise RuntimeError(f"it is armed already, by {armed['token']}: wait until that is over")
            state = {
                "token": token,
                "files": {path: keep(self.at(path)) for path in paths},
                "undo": [list(command) for command in undo],
                "apply": [list(command) for command in apply],
            }
            new = self.state / "armed.new"
            with open(new, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                json.dump(state, file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.state / "armed.json")
            (self.state / "reverted").unlink(missing_ok=True)
        code, said = self.run(
            [
                "systemd-run", "--quiet", f"--unit={UNIT}-{token}", f"--on-active={seconds}",
                "--timer-property=AccuracySec=1s", PROGRAM, "revert", token,
            ]
        )  # fmt: skip
        if code:
            (self.state / "armed.json").unlink()
            raise RuntimeError(f"systemd-run does not start the timer: {said}")

    def disarm(self, token: str) -> bool:
        """Whether it was armed with that token, and is so no longer."""
        with self.alone():
            state = self.load()
            if state is None or state["token"] != token:
                return False
            (self.state / "armed.json").unlink()
        self.run(["systemctl", "stop", f"{UNIT}-{token}.timer"])
        return True

    def revert(self, token: str | None = None) -> list[str]:
        """Put everything back and in force; the sentences of what could not be."""
        with self.alone():
            state = self.load()
            if state is None or token not in (None, state["token"]):
                return []
            wrong = []
            for path, kept in state["files"].items():
                try:
                    put_back(self.at(path), kept)
                except OSError as error:
                    wrong.append(f"{path}: {error}")
            for command in state["undo"]:
                self.run(command)
            for command in state["apply"]:
                code, said = self.run(command)
                if code:
                    wrong.append(f"`{' '.join(command)}` failed ({code}): {said}")
            (self.state / "reverted").write_text(state["token"])
            (self.state / "armed.json").unlink()
        if token is None:
            self.run(["systemctl", "stop", f"{UNIT}-{state['token']}.timer"])
        return wrong


def keep(path: Path) -> dict[str, Any] | None:
    """A file with its owner and mode, a link with its target; None for nothing."""
    if path.is_symlink():
        return {"link": str(path.readlink())}
    if not path.is_file():
        return None
    found = path.stat()
    content = base64.b64encode(path.read_bytes()).decode()
    return {"content": content, "mode": found.st_mode & 0o7777, "uid": found.st_uid, "gid": found.st_gid}


def put_back(path: Path, kept: dict[str, Any] | None) -> None:
    if keep(path) == kept:
        return
    if kept is None:
        path.unlink()
    elif "link" in kept:
        path.unlink(missing_ok=True)
        path.symlink_to(kept["link"])
    else:
        write(path, base64.b64decode(kept["content"]), kept["mode"], kept["uid"], kept["gid"])


def write(path: Path, content: bytes, mode: int, uid: int, gid: int) -> None:
    """All of it or nothing, and never readable by others for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.socle")
    new.unlink(missing_ok=True)
    with open(new, "wb", opener=lambda name, flags: os.open(name, flags | os.O_EXCL, 0o600)) as file:
        file.write(content)
        if (os.geteuid(), os.getegid()) != (uid, gid):
            os.fchown(file.fileno(), uid, gid)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def really_run(argv: Sequence[str]) -> tuple[int, str]:
    """Status and last words."""
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return done.returncode, " / ".join(said[-4:])


def owner(name: str, group: str) -> tuple[int, int]:
    return pwd.getpwnam(name).pw_uid, grp.getgrnam(group).gr_gid


def main(argv: list[str]) -> int:
    way = WayBack()
    if argv[:1] == ["revert"] and len(argv) <= 2:
        wrong = way.revert(*argv[1:])
        for sentence in wrong:
            sys.stderr.write(f"{UNIT}: could not be put back: {sentence}\n")
        return 1 if wrong else 0
    if argv[:1] == ["disarm"] and len(argv) == 2:
        if way.disarm(argv[1]):
            return 0
        sys.stderr.write(f"{UNIT}: is not armed with {argv[1]}: it was put back, or never armed\n")
        return 4
    if argv == ["status"]:
        state = way.load()
        sys.stdout.write(json.dumps({"armed": state["token"] if state else None}) + "\n")
        return 0
    sys.stderr.write(f"usage: {UNIT} revert [TOKEN] | disarm TOKEN | status\n")
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
