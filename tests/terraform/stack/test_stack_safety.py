# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""terraform_stack: secrets, plans that bind, kills, and what is refused before anything is done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import stacks
from ansible_collections.socle.platform.plugins.module_utils import _plan
from ansible_collections.socle.platform.plugins.module_utils._progress import NullProgress
from ansible_collections.socle.platform.plugins.module_utils._terraform import process
from tfprovider import Attached

SQL = "google_sql_database_instance"
NET = "google_compute_network"
SECRET = "hunter22-is-secret"


def holding(folder: Path, text: str) -> list[Path]:
    """Files that hold a text."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [file for file in files if text.encode() in file.read_bytes()]


def until(what: str, probe: Any, seconds: float = 60) -> Any:
    """Poll with a deadline."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := probe():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


def test_secrets_are_in_files_of_their_owner_alone(stack: Any, attached: Attached) -> None:
    """Would catch a value on a command line, in a file others can read, or left behind in the clear."""
    stack.network["secrets"]["token"] = SECRET
    seen: list[str] = []
    found: list[tuple[str, int]] = []

    def look(action: str, kind: str, _state: object) -> None:
        if (action, kind) == ("create", NET):
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.append(entry.read_bytes().decode(errors="replace"))
                except OSError:
                    continue
            found.extend((file.name, file.stat().st_mode & 0o777) for file in holding(stack.work, SECRET))

    attached["google"].fault = look
    result = stack()
    assert not result["failed"], result["msg"]
    assert any("apply" in line for line in seen) and not any(SECRET in line for line in seen)
    assert found and all(mode == 0o600 for _name, mode in found)
    left = holding(stack.work, SECRET)
    assert all(".tfstate" in file.name and file.stat().st_mode & 0o777 == 0o600 for file in left), left


def test_sensitive_values_of_child_modules_are_hidden(stack: Any, tmp_path: Path) -> None:
    """Would catch a password in a diff, an object, an output or a plan because a module lies between."""
    folder = tmp_path / "with-module"
    stacks.layer(
        folder,
        """
variable "password" {
  type      = string
  sensitive = true
}
module "child" {
  source   = "./child"
  password = var.password
}
output "all" {
  value     = module.child
  sensitive = true
}
""",
    )
    stacks.layer(
        folder / "child",
        """
variable "password" { type = string }
resource "google_sql_user" "main" {
  name     = "u"
  instance = "i"
  password = var.password
}
output "password" { value = var.password }
""",
    )
    stack.parameters["layers"] = [{"name": "a", "source": str(folder), "secrets": {"password": SECRET}}]
    for result in (stack(check=True), stack(), stack(check=True)):
        assert not result["failed"], result["msg"]
        assert SECRET not in json.dumps(result, default=str)
    stack.parameters["layers"][0]["secrets"]["password"] = f"{SECRET}-new"
    result = stack(check=True)
    assert SECRET not in json.dumps(result, default=str)
    (entry,) = [one for one in result["diff"] if "google_sql_user" in one["before_header"]]
    assert entry["before"] == entry["after"] == {"password": "(secret)"}


def test_independent_layers_are_worked_on_at_once(stack: Any, attached: Attached, tmp_path: Path) -> None:
    """Would catch layers one after the other that need nothing of each other."""
    meeting = threading.Barrier(2, timeout=60)

    def meet(action: str, _kind: str, _state: object) -> None:
        if action == "create":
            meeting.wait()

    attached["google"].fault = meet
    hcl = 'resource "google_compute_network" "main" {\n  name = "NAME"\n}\n'
    stack.parameters["layers"] = [
        {"name": name, "source": stacks.layer(tmp_path / name, hcl.replace("NAME", name))} for name in ("one", "two")
    ]
    result = stack()
    assert not result["failed"], result["msg"]
    planning = threading.Barrier(2, timeout=60)

    def meet_while_planning(action: str, _kind: str, _state: object) -> None:
        if action == "configure":
            planning.wait()

    attached["google"].fault = meet_while_planning
    again = stack(check=True)
    assert not again["failed"], again["msg"]


def test_a_plan_in_a_file_is_applied_or_refused(stack: Any, attached: Attached, tmp_path: Path) -> None:
    """Would catch a plan file that lets through what nobody has seen."""
    planned = stack(check=True)
    file = tmp_path / "plan.json"
    _plan.write(file, [planned["plan"]])
    assert not stack(plan_file=str(file))["failed"]
    google = attached["google"]
    google.change(SQL, google.find(SQL)["id"], deletion_protection=False)
    _plan.write(file, [stack(check=True)["plan"]])
    google.change(SQL, google.find(SQL)["id"], deletion_protection=True)
    written = google.written()
    refused = stack(plan_file=str(file))
    assert refused["failed"] and "update was planned, and nothing is to be done any more" in refused["msg"]
    assert google.written() == written


def test_what_exists_is_taken_over(stack: Any, attached: Attached) -> None:
    """Would catch an object made twice because its state was lost."""
    stack()
    identity = attached["google"].find(NET)["id"]
    for file in stack.work.rglob("network.tfstate*"):
        file.unlink()
    imports = [{"layer": "network", "to": f"{NET}.main", "id": identity}]
    shown = stack(check=True, imports=imports)
    assert not shown["failed"], shown["msg"]
    assert any("(import: it is there already" in entry["after_header"] for entry in shown["diff"])
    result = stack(imports=imports)
    assert not result["failed"], result["msg"]
    assert attached["google"].written().count(("create", NET)) == 1
    assert not stack()["changed"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.network["variables"].update(nmae="x"), 'variable named "nmae"'),
        (lambda s: s.database["variables"].update(tier=["a"]), "tier is given, and taken from another layer"),
        (lambda s: s.network.update(needs=["database"]), "in a circle"),
        (lambda s: s.database.update(needs=["nat"]), "needs layer nat, which is not in this task"),
        (lambda s: s.database["inputs"]["name"].update(output="nam"), "which has no such output"),
        (lambda s: s.database.update(source="/nowhere"), "is not a folder"),
        (lambda s: s.parameters.update(binary="terrafrom"), "no program terrafrom"),
        (lambda s: s.parameters.update(state={"backend": "s3"}), "backend s3 needs bucket"),
    ],
    ids=[
        "undeclared",
        "given-twice",
        "circle",
        "missing-layer",
        "missing-output",
        "no-source",
        "no-binary",
        "no-bucket",
    ],
)
def test_what_is_wrong_is_found_before_anything_is_done(stack: Any, attached: Attached, change: Any, said: str) -> None:
    """Would catch half a stack made before a word of it was checked."""
    change(stack)
    result = stack()
    assert result["failed"] and said in result["msg"], result["msg"]
    assert attached["google"].written() == []


def test_a_wrong_value_of_a_later_layer_is_found_before_the_first_one_is_made(stack: Any, attached: Attached) -> None:
    """Would catch errors of dependent layers put down to what they wait for."""
    source = Path(stack.database["source"]) / "main.tf"
    source.write_text(source.read_text().replace("ipv4_enabled ", "ipv4_enabledd "))
    result = stack()
    assert result["failed"] and "layer database" in result["msg"] and "main.tf:" in result["msg"], result["msg"]
    assert attached["google"].written() == []


def test_a_plan_that_hangs_ends_at_the_deadline(
    stack: Any, attached: Attached, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would catch a task that waits for ever for a cloud that does not answer."""
    monkeypatch.setattr(process, "GRACE", 0.5)
    go_on = threading.Event()

    def silent(action: str, _kind: str, _state: object) -> None:
        if action == "configure":
            go_on.wait(120)

    attached["google"].fault = silent
    try:
        result = stack(deadline=2)
        assert not go_on.is_set() and not binaries(stack)
    finally:
        go_on.set()
    assert result["failed"] and "plan was stopped: the deadline of 2 s has passed" in result["msg"], result["msg"]
    assert "layer network" in result["msg"]


class Heard(NullProgress):
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.waits: list[tuple[str, str]] = []

    def waiting(self, what: str, cause: str, elapsed: float) -> None:
        self.waits.append((what, cause))


def test_progress_names_the_resource_under_way(stack: Any) -> None:
    """Would catch twenty silent minutes while a cluster is made."""
    heard = Heard()
    stack(progress=heard)
    assert ("layer network: 0 of 1 resources", f"create {NET}.main") in heard.waits
    assert ("layer database: 1 of 1 resources", "finishing") in heard.waits


def started(stack: Any) -> subprocess.Popen[bytes]:
    """The task in a process of its own."""
    code = "import json, sys, conftest, stacks; print(json.dumps(stacks.run(json.loads(sys.argv[1])), default=str))"
    tests = Path(__file__).resolve().parents[2]
    env = {**os.environ, "PYTHONPATH": f"{tests}:{tests / 'terraform'}"}
    argv = [sys.executable, "-c", code, json.dumps({**stack.parameters, "lock_timeout": 60})]
    return subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, cwd=tests)


def binaries(stack: Any) -> list[int]:
    """Processes that work in this stack's folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name = (entry / "exe").readlink().name
            if name.startswith(("terraform", "tofu")) and (entry / "cwd").readlink().is_relative_to(stack.work):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("victim", ["module", "binary"])
def test_the_run_after_a_kill_goes_on(stack: Any, attached: Attached, victim: str) -> None:
    """Would catch an object made twice or lost, and a lock that stays, after a kill in the middle of an apply."""
    reached, go_on = threading.Event(), threading.Event()

    def slow(action: str, kind: str, _state: object) -> None:
        if (action, kind) == ("create", SQL):
            reached.set()
            go_on.wait(60)

    attached["google"].fault = slow
    process = started(stack)
    try:
        assert reached.wait(120)
        os.kill(process.pid if victim == "module" else until("the binary", lambda: binaries(stack))[0], signal.SIGKILL)
        if victim == "module":
            assert attached["google"].stopped.wait(60), "the binary was not interrupted"
        go_on.set()
        process.communicate(timeout=120)
    finally:
        go_on.set()
        process.kill()
        process.wait()
    until("the binary ends", lambda: not binaries(stack))
    result = stack(lock_timeout=60)
    assert not result["failed"], result["msg"]
    made = attached["google"].written()
    assert made.count(("create", NET)) == 1
    if victim == "module":
        # It was interrupted, not killed: it finished what was under way and wrote that down.
        assert made.count(("create", SQL)) == 1
    assert not stack()["changed"]


def test_a_second_run_leaves_the_first_one_alone(stack: Any, attached: Attached) -> None:
    """Would catch a run that is refused and still removes the plan that the other one is about to apply."""
    reached, go_on = threading.Event(), threading.Event()

    def slow(action: str, kind: str, _state: object) -> None:
        if (action, kind) == ("create", NET):
            reached.set()
            go_on.wait(60)

    attached["google"].fault = slow
    results: list[dict[str, Any]] = []
    first = threading.Thread(target=lambda: results.append(stack()))
    first.start()
    try:
        assert reached.wait(60)
        before = {file for file in stack.work.rglob("*.tf*") if file.is_file()}
        refused = stack()
        assert refused["failed"] and "another run of this stack works in" in refused["msg"]
        assert {file for file in stack.work.rglob("*.tf*") if file.is_file()} == before
    finally:
        go_on.set()
        first.join(120)
    assert not results[0]["failed"], results[0]["msg"]


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("google: could not find default credentials", "give credentials in `credentials`"),
        ("oauth2: token expired and refresh token is not set: invalid_grant", "the credentials have expired"),
    ],
)
def test_an_account_that_does_not_open_is_explained_once(stack: Any, attached: Attached, said: str, hint: str) -> None:
    """Would catch missing or expired credentials without a next step, or told again for each layer."""
    attached["google"].fault = lambda action, _kind, _state: said if action == "configure" else None
    result = stack()
    assert result["failed"] and hint in result["msg"] and result["msg"].count(said) == 1, result["msg"]
    assert attached["google"].written() == []
