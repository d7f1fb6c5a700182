# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays that release something, and users who send requests all along."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
if str(ROOT / "tests" / "lab") not in sys.path:
    sys.path.insert(0, str(ROOT / "tests" / "lab"))

ENOUGH = 200


@dataclass
class Users:
    """Users of one address, one request after the other from each of two of them, as long as the block lasts."""

    url: str
    got: list[tuple[int, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Users:
        for _number in range(2):
            self.threads.append(threading.Thread(target=self._use, daemon=True))
            self.threads[-1].start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(10)

    def _use(self) -> None:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        # Between requests a user thinks: two of them must not take a whole core.
        while not self.over.wait(0.01):
            try:
                connection.request("GET", parts.path or "/")
                answer = connection.getresponse()
                self.got.append((answer.status, answer.read().decode()))
            except (OSError, http.client.HTTPException) as error:
                self.got.append((0, str(error)))
                connection.close()
        connection.close()

    def images(self) -> set[str]:
        return {text for _status, text in self.got}

    def errors(self) -> list[tuple[int, str]]:
        return [one for one in self.got if one[0] != 200]


@dataclass
class Play:
    """One folder to run plays in."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *tasks: dict[str, Any], options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"localhost": here}}}))
        (self.folder / "play.yml").write_text(
            yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}])
        )
        return self.run_file("play.yml", "-i", "hosts.yml", *options)

    def run_file(self, *argv: str) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "AWS_"))}
        return subprocess.Popen(
            [str(BIN / "ansible-playbook"), *argv],
            cwd=self.folder,
            env={
                **clean,
                "HOME": str(self.folder),
                "ANSIBLE_CONFIG": str(self.folder / "none.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"),
                **self.environment,
            },
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def modules(self, *calls: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """What each module gave back, one after the other in one run. `_check` and `_fails` are for the task."""
        answer = self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        tasks: list[dict[str, Any]] = []
        for number, (name, parameters) in enumerate(calls):
            own = {key: value for key, value in parameters.items() if not key.startswith("_")}
            fails = bool(parameters.get("_fails"))
            task = {f"socle.platform.{name}": own, "register": f"found{number}", "ignore_errors": fails}
            if parameters.get("_check"):
                task["check_mode"] = True
            tasks.append(task)
        everything = "[" + ", ".join(f"found{number}" for number in range(len(calls))) + "]"
        keep = {"content": "{{ " + everything + " | to_json }}", "dest": str(answer), "mode": "0600"}
        process = self.start(*tasks, {"ansible.builtin.copy": keep})
        try:
            output, _unused = process.communicate(timeout=600)
        finally:
            kill(process)
        assert process.returncode == 0 and answer.exists(), output
        found: list[dict[str, Any]] = json.loads(answer.read_text())
        for (name, parameters), one in zip(calls, found, strict=True):
            assert bool(one.get("failed")) is bool(parameters.get("_fails")), (name, one)
        return found


def kill(process: subprocess.Popen[str]) -> None:
    """Ends a run with all that it started, without a word of farewell."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)


def until(what: str, probe: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    over = threading.Event()
    for _look in range(6000):
        if probe():
            return
        if process is not None and process.poll() is not None:
            raise AssertionError(f"{what}: the run ended before: {process.communicate()[0]}")
        over.wait(0.02)
    raise AssertionError(f"{what}: not within two minutes")
