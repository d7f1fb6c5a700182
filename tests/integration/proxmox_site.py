# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated Proxmox VE for the tests of one file: the engine's halves on it in process, and real playbooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.socle.platform.plugins.module_utils import _reconcile as engine
from ansible_collections.socle.platform.plugins.module_utils._module import given
from ansible_collections.socle.platform.plugins.module_utils._proxmox.options import connection_spec
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import Session

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
sys.path.insert(0, str(ROOT / "tests" / "lab" / "pve"))

from pvesim.simulator import Settings, Simulator  # noqa: E402  # the simulator is a program of its own


class Site:
    """One simulator, its world, and ways to use it."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        self.simulator, self.folder = simulator, folder
        self.about = simulator.about()
        self.authority = self.about["ca"]

    @property
    def world(self) -> Any:
        return self.simulator.fleet.sites[0]

    def hosts(self) -> list[str]:
        return [f"{self.about['address']}:{node['port']}" for node in self.about["nodes"].values()]

    def connection(self, **other: Any) -> dict[str, Any]:
        as_root = {"api_user": "root@pam", "api_password": "secret"}
        return {"api_host": self.hosts(), "ca_path": self.authority, **(other or as_root)}

    def control(self, method: str, action: str, **args: Any) -> Any:
        """The simulator's back door."""
        headers = {"x-control-token": self.about["control_token"]}
        status, answer = self.simulator.control.handle(
            method, f"/control/{action}", headers, json.dumps(args).encode() if args else b""
        )
        assert status == 200, answer
        return answer

    def fault(self, **row: Any) -> None:
        """One fault to come, as the simulator's faults are described."""
        self.simulator.app.faults.add(row)

    def reset(self) -> None:
        self.control("POST", "reset")

    def requests(self, *methods: str) -> list[str]:
        """What was asked since the log was cleared, logins apart."""
        rows = [row for row in self.simulator.app.log if not row["path"].endswith("/access/ticket")]
        return [f"{row['method']} {row['path']}" for row in rows if not methods or row["method"] in methods]

    def writes(self) -> list[str]:
        return self.requests("POST", "PUT", "DELETE")

    def forget(self) -> None:
        self.control("DELETE", "log")

    @contextmanager
    def session(self, **other: Any) -> Iterator[Session]:
        spec = connection_spec()
        params = {name: option.get("default") for name, option in spec.items()}
        session = Session().of({**params, **self.connection(**other)})
        yield session
        session.pve.close()

    def playbook(self, tasks: list[dict[str, Any]], *options: str, **extra: Any) -> subprocess.CompletedProcess[str]:
        """A real run of these tasks on localhost; results are in the output as JSON (`results`)."""
        play = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks, **extra}]
        path = self.folder / "play.yml"
        path.write_text(yaml.safe_dump(play, sort_keys=False))
        env = {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        argv = [
            str(BIN / "ansible-playbook"),
            "-i",
            "localhost,",
            "-c",
            "local",
            str(path),
            "-e",
            f"ansible_python_interpreter={sys.executable}",
            *options,
        ]
        return subprocess.run(argv, cwd=self.folder, env=env, capture_output=True, text=True, timeout=180, check=False)


def results(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Each task's result for localhost."""
    text = done.stdout[done.stdout.index("{") :]
    plays = json.loads(text)["plays"]
    return [task["hosts"]["localhost"] for play in plays for task in play["tasks"]]


@contextmanager
def running(folder: Path, **settings: Any) -> Iterator[Site]:
    """A simulator for as long as the block lasts."""
    simulator = Simulator(Settings(**{"refusal_delay": 0.0, "agent_patience": 0.0, **settings}), folder)
    simulator.start()
    try:
        yield Site(simulator, folder)
    finally:
        simulator.stop()


class Killed(BaseException):
    """The end of a process, as far as an engine in the same process can be ended."""


@contextmanager
def killed(session: Session, at: int, after: bool) -> Iterator[None]:
    """The run ends at its `at`-th write, before it is sent or before its answer is seen; nothing follows."""
    pve, send = session.pve, session.pve.request
    lock = threading.Lock()
    count = 0

    def request(method: str, path: str, params: Mapping[str, Any]) -> Any:
        nonlocal count
        if method != "GET":
            with lock:
                count += 1
                number = count
            if number > at or (number == at and not after):
                raise Killed
            if number == at:
                send(method, path, params)
                raise Killed
        return send(method, path, params)

    pve.request = request  # type: ignore[method-assign]  # only for this run
    try:
        yield
    except Killed:
        pass
    finally:
        pve.request = send  # type: ignore[method-assign]  # as before


class Work:
    """A module without Ansible: its parameters through its own spec, then the engine as the module uses it."""

    def __init__(
        self,
        spec: Mapping[str, Any],
        desired: Callable[[dict[str, Any]], Any],
        reader: Callable[[dict[str, Any]], engine.Reader],
        writer: Callable[[dict[str, Any]], engine.Writer],
        **options: Any,
    ) -> None:
        self.spec, self.desired, self.reader, self.writer = spec, desired, reader, writer
        self.options = engine.Options(**{"deadline": 60.0, **options})

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return given(_filled(values, self.spec), self.spec)

    def plan(self, **values: Any) -> engine.Plan:
        parameters = self.parameters(values)
        return engine.plan(list(self.desired(parameters)), self.reader(parameters), self.options)

    def apply(self, **values: Any) -> engine.Result:
        parameters = self.parameters(values)
        reader = self.reader(parameters)
        made = engine.plan(list(self.desired(parameters)), reader, self.options)
        assert not made.refusals, made.refusals
        return engine.apply(made, lambda: self.writer(parameters), reader=reader, options=self.options)


def _filled(values: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults filled in, at every depth, as Ansible does."""
    made = {}
    for name, option in spec.items():
        value = values.get(name, option.get("default"))
        inner = option.get("options")
        if inner and isinstance(value, list):
            value = [_filled(item, inner) for item in value]
        elif inner and isinstance(value, Mapping):
            value = _filled(value, inner)
        made[name] = value
    return made
