# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated GitLab for the tests of one file: the engine's halves on it in process, and real playbooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.socle.platform.plugins.module_utils import _reconcile as engine
from ansible_collections.socle.platform.plugins.module_utils._gitlab import adapter
from ansible_collections.socle.platform.plugins.module_utils._module import given

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
sys.path.insert(0, str(ROOT / "tests" / "lab" / "gitlab"))

from gitlabsim.server import GitLab  # noqa: E402  # the simulator is a program of its own
from gitlabsim.world import ADMIN_TOKEN, World  # noqa: E402  # as above

PASSWORD = "a vault password for these tests"


class Site:
    """One simulator, its world, and ways to use it."""

    def __init__(self, server: GitLab, folder: Path) -> None:
        self.server, self.folder = server, folder

    @property
    def world(self) -> World:
        return self.server.world

    def fresh(self, **settings: Any) -> World:
        """An empty server with the users of these tests."""
        world = self.server.reset(**settings)
        for name in ("ada", "grace", "alan"):
            world.user(name)
        (self.folder / ".secrets.vault.yml").unlink(missing_ok=True)
        return world

    def connection(self, token: str = ADMIN_TOKEN) -> dict[str, Any]:
        return {"api_url": self.server.url, "api_token": token}

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        secrets = {
            "backend": {"backend": "file"},
            "folder": str(self.folder),
            "vault_passwords": [{"id": "default", "password": PASSWORD}],
        }
        spec = adapter.spec()
        return given(_filled({**self.connection(), **secrets, **values}, spec), spec)

    def options(self, values: Mapping[str, Any], **options: Any) -> engine.Options:
        # Short pauses: a test waits for what it asks for, not for a server to recover.
        backoff = engine.Backoff(first=0.02, most=0.1)
        return engine.Options(**{"deadline": 30.0, "prune": values.get("prune", False), "backoff": backoff, **options})

    def plan(self, *, settle: float = 0.0, replace: bool = False, **values: Any) -> engine.Plan:
        return self._plan(values, settle, replace)[0]

    def _plan(
        self, values: Mapping[str, Any], settle: float, replace: bool
    ) -> tuple[engine.Plan, engine.Reader, adapter.Configuration, dict[str, Any], engine.Options]:
        parameters = self.parameters(values)
        configuration = adapter.Configuration()
        reader = configuration.reader(parameters)
        reader.settle = settle
        options = self.options(values, allow_replace=replace)
        made = engine.plan(configuration.desired(parameters), reader, options)
        return made, reader, configuration, parameters, options

    def apply(self, *, settle: float = 0.0, replace: bool = False, **values: Any) -> engine.Result:
        made, reader, configuration, parameters, options = self._plan(values, settle, replace)
        assert not made.refusals, made.refusals
        return engine.apply(made, lambda: configuration.writer(parameters), reader=reader, options=options)

    def done(self, **values: Any) -> engine.Result:
        result = self.apply(**values)
        assert result.ok, result.message()
        return result

    def quiet(self, **values: Any) -> None:
        """Once more, nothing is to be done."""
        made = self.plan(**values)
        assert not made.refusals, made.refusals
        assert not made.changed, [change.as_dict() for change in made.pending]

    def project(self, path: str) -> Any:
        return self.world.find("project", path)

    def group(self, path: str) -> Any:
        return self.world.find("group", path)

    def playbook(self, tasks: list[dict[str, Any]], *options: str, **extra: Any) -> subprocess.CompletedProcess[str]:
        """A real run of these tasks on localhost; `results` has what came of them."""
        play = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks, **extra}]
        path = self.folder / "play.yml"
        path.write_text(yaml.safe_dump(play, sort_keys=False))
        password = self.folder / "password"
        password.write_text(PASSWORD)
        env = {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_VAULT_PASSWORD_FILE": str(password),
        }
        argv = [str(BIN / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(path)]
        argv += ["-e", f"ansible_python_interpreter={sys.executable}", *options]
        return subprocess.run(argv, cwd=self.folder, env=env, capture_output=True, text=True, timeout=180, check=False)


def results(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Each task's result for localhost."""
    text = done.stdout[done.stdout.index("{") :]
    plays = json.loads(text)["plays"]
    return [task["hosts"]["localhost"] for play in plays for task in play["tasks"]]


@contextmanager
def running(folder: Path) -> Iterator[Site]:
    """A simulator for as long as the block lasts."""
    server = GitLab().start()
    try:
        yield Site(server, folder)
    finally:
        server.stop()


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
