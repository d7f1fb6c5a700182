# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets as a playbook meets them: the lookup, the modules, the phase, check mode, and what the output shows."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

BIN = Path(sys.executable).parent
PLUGINS = Path(__file__).with_name("secrets_plugins")
PLACEHOLDER = "(known after apply)"


@dataclass
class Site:
    """A folder with an inventory, a vault password, and a way to run plays in it."""

    folder: Path
    collections: Path
    variables: dict[str, Any] = field(default_factory=dict)
    hosts: int = 0

    @property
    def file(self) -> Path:
        return self.folder / ".secrets.vault.yml"

    def environment(self, **more: str) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "VAULT_", "BAO_"))}
        return {
            **clean,
            "HOME": str(self.folder),
            "ANSIBLE_CONFIG": str(self.folder / "none.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "EVENTS": str(self.folder / "events"),
            **more,
        }

    def write(self, tasks: list[dict[str, Any]], hosts: str = "localhost") -> Path:
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory = {"all": {"hosts": {f"h{n}": None for n in range(self.hosts)} or {"localhost": None}}}
        inventory["all"]["vars"] = {**here, **self.variables}  # type: ignore[assignment] # another shape of mapping
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
        play = self.folder / "play.yml"
        play.write_text(yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "tasks": tasks}]))
        return play

    def start(self, play: Path | str, *options: str, password: bool = True, **more: str) -> subprocess.Popen[str]:
        argv = [str(BIN / "ansible-playbook"), "-i", "hosts.yml", str(play), *options]
        if password:
            argv += ["--vault-password-file", "key"]
        return subprocess.Popen(
            argv, cwd=self.folder, env=self.environment(**more), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(
        self, tasks: list[dict[str, Any]], *options: str, code: int = 0, hosts: str = "localhost", **more: Any
    ) -> str:
        process = self.start(self.write(tasks, hosts), *options, **more)
        out, _err = process.communicate(timeout=180)
        assert process.returncode == code, out
        return out

    def kept(self) -> dict[str, dict[str, str]]:
        return self.kept_with(self.folder / "key")

    def kept_with(self, key: Path) -> dict[str, dict[str, str]]:
        argv = [str(BIN / "ansible-vault"), "view", "--vault-password-file", str(key), str(self.file)]
        shown = subprocess.run(
            argv, cwd=self.folder, env=self.environment(), capture_output=True, text=True, check=True
        )
        found: dict[str, dict[str, str]] = yaml.load(shown.stdout, yaml.BaseLoader)["secrets"]  # noqa: S506 - text only
        return found


@pytest.fixture
def site(tmp_path: Path, root: Path) -> Site:
    (tmp_path / "key").write_text("a-vault-password\n")
    (tmp_path / "none.cfg").write_text("")
    return Site(tmp_path, root / "playbooks" / "collections")


def lookup(term: str, **options: Any) -> str:
    more = "".join(f", {name}={value!r}" for name, value in options.items())
    return "{{ lookup('socle.platform.secret', '" + term + "'" + more + ") }}"


def task(module: str, **arguments: Any) -> dict[str, Any]:
    return {"name": module, module: arguments}


def store(site: Site, name: str, term: str, **options: Any) -> dict[str, Any]:
    return task("ansible.builtin.copy", dest=str(site.folder / name), content=lookup(term, **options), mode="0600")


def test_the_same_value_in_every_run_and_nothing_changes_the_second_time(site: Site) -> None:
    tasks = [store(site, "a", "gitlab/root_password"), store(site, "b", "ssh/key#public_key", kind="ed25519")]
    assert "changed=2" in site.run(tasks)
    kept = site.kept()
    assert (site.folder / "a").read_text() == kept["gitlab/root_password"]["password"]
    assert len(kept["gitlab/root_password"]["password"]) == 32
    assert (site.folder / "b").read_text() == kept["ssh/key"]["public_key"]
    before = site.file.read_bytes()
    assert "changed=0" in site.run(tasks) and site.file.read_bytes() == before


def test_twenty_hosts_at_once_and_two_runs_at_once_agree(site: Site) -> None:
    """Each host's task runs in a process of its own."""
    site.hosts = 10
    line = {"line": lookup("shared/password"), "create": True, "mode": "0600"}
    play = site.write(
        [task("ansible.builtin.lineinfile", path=str(site.folder) + "/{{ run }}-{{ inventory_hostname }}", **line)],
        "all",
    )
    runs = [site.start(play, "-f", "10", "-e", f"run={run}") for run in "xy"]
    for run in runs:
        out, _err = run.communicate(timeout=180)
        assert run.returncode == 0, out
    values = {path.read_text() for path in site.folder.glob("[xy]-h*")}
    assert values == {site.kept()["shared/password"]["password"] + "\n"}
    assert len(list(site.folder.glob("[xy]-h*"))) == 20


def test_check_mode_makes_nothing_and_marks_what_is_missing(site: Site) -> None:
    tasks = [store(site, "out", "new/password"), task("ansible.builtin.debug", msg="seen " + lookup("new/password"))]
    out = site.run(tasks, "--check", "--diff")
    assert f"seen <secret new/password {PLACEHOLDER}>" in out
    assert not site.file.exists() and not (site.folder / "out").exists()
    site.run(tasks)
    assert "changed=0" in site.run(tasks, "--check"), "check mode must see the value that exists"


def test_a_task_in_check_mode_of_its_own_makes_nothing(site: Site) -> None:
    """`check_mode: true` on the task, in a run that is real."""
    site.run([{**store(site, "out", "new/password"), "check_mode": True}])
    assert not site.file.exists()


def test_a_real_task_in_a_check_mode_run_gets_no_placeholder(site: Site) -> None:
    """It would write the placeholder into a system."""
    out = site.run([{**store(site, "out", "new/password"), "check_mode": False}], "--check", code=2)
    assert "nothing is made in check mode, and this task runs for real" in out and "socle.platform.secrets" in out
    assert not site.file.exists() and not (site.folder / "out").exists()


def test_without_a_vault_password_the_error_says_how_to_make_one(site: Site) -> None:
    out = site.run([store(site, "a", "x")], code=2, password=False)
    assert "Ansible was given no vault password" in out and "vault_password_file = " in out
    assert "--vault-password-file" in out and "Traceback" not in out
    out = site.run([task("socle.platform.secrets", secrets={"x": {}})], code=2, password=False)
    assert "Ansible was given no vault password" in out and "Traceback" not in out


def _forms(value: str) -> set[str]:
    lines = {line for line in value.splitlines() if not line.startswith("-----")}
    return lines | {base64.b64encode(value.encode()).decode(), json.dumps(value)[1:-1]}


def _telling(site: Site) -> list[dict[str, Any]]:
    """Every careless way to show a value."""
    site.variables["careless"] = lookup("a/password")
    quiet = {"ignore_errors": True}
    return [
        task("ansible.builtin.debug", msg="the password is " + lookup("a/password")),
        task("ansible.builtin.debug", var="careless"),
        task("ansible.builtin.set_fact", fact="{{ careless }}", key=lookup("a/key", kind="ed25519")),
        task("ansible.builtin.debug", msg="{{ fact }} {{ key }}"),
        task("ansible.builtin.debug", msg="{{ careless | b64encode }}"),
        task("ansible.builtin.copy", dest=str(site.folder / "out"), content="{{ key }}", mode="0600"),
        task("ansible.builtin.command", argv=["echo", "{{ careless }}"]),
        {**task("ansible.builtin.debug", msg="{{ item }}"), "loop": ["{{ careless }}", "{{ key }}"]},
        {**task("ansible.builtin.fail", msg="it was {{ careless }}"), **quiet},
        {**task("ansible.builtin.command", argv=["cat", "/no/{{ careless }}"]), **quiet},
        {**task("ansible.builtin.debug", msg="{{ [careless] | map('nothing_such') }}"), **quiet},
        {**task("ansible.builtin.assert", that="careless == 'x'", fail_msg="not {{ careless }}"), **quiet},
        task("ansible.builtin.debug", msg=lookup("a/by_hand")),
    ]


@pytest.mark.parametrize("format_", ["json", "yaml"])
def test_no_value_is_in_the_output_nor_in_what_callbacks_get_nor_in_the_log(site: Site, format_: str) -> None:
    site.run([store(site, "x", "a/password")])
    argv = [str(BIN / "ansible-vault"), "decrypt", "--vault-password-file", "key", str(site.file)]
    subprocess.run(argv, cwd=site.folder, env=site.environment(), check=True, capture_output=True)
    text = site.file.read_text().replace("secrets:\n", "secrets:\n  a/by_hand: 'quote\" and \\ and é'\n")
    site.file.write_text(text)
    argv[1] = "encrypt"
    subprocess.run(argv, cwd=site.folder, env=site.environment(), check=True, capture_output=True)
    more = {
        "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS),
        "ANSIBLE_LOG_PATH": str(site.folder / "log"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": format_,
        "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "true",
    }
    out = site.run(_telling(site), "-vvvv", "--diff", **more)
    places = {"output": out, "log": (site.folder / "log").read_text(), "events": (site.folder / "events").read_text()}
    assert "the password is ********" in out and "it was ********" in places["events"]
    for path, fields in site.kept().items():
        for name, value in (fields if isinstance(fields, dict) else {"password": fields}).items():
            for form in _forms(value) if name != "public_key" else ():
                for place, content in places.items():
                    assert form not in content, f"{path}#{name} is in the {place}"
    # Output is masked, use is not.
    assert (site.folder / "out").read_text().strip() == site.kept()["a/key"]["private_key"].strip()


def test_without_the_board_the_task_that_uses_a_value_is_hidden(site: Site) -> None:
    """Somebody else's playbook, with none of our plugins but the lookup."""
    out = site.run(
        [
            task("ansible.builtin.debug", msg="the password is " + lookup("a/password")),
            {**task("ansible.builtin.debug", msg="{{ item }}"), "loop": [lookup("a/password")]},
            store(site, "out", "a/password"),
        ],
        "-vvv",
        "--diff",
    )
    assert site.kept()["a/password"]["password"] not in out and "censored" in out


def test_a_public_key_is_shown(site: Site) -> None:
    public = lookup("a/key#public_key", kind="ed25519")
    out = site.run([task("ansible.builtin.debug", msg=public)], ANSIBLE_CALLBACK_PLUGINS=str(PLUGINS))
    assert site.kept()["a/key"]["public_key"] in out


def test_the_module_makes_what_is_missing_and_its_result_has_no_value(site: Site) -> None:
    wanted = {"a/password": None, "a/key": {"kind": "ed25519"}, "a/ca": {"kind": "ca", "name": "Test"}}
    tasks = [
        task("socle.platform.secrets", secrets=wanted) | {"register": "made"},
        task("ansible.builtin.debug", var="made"),
    ]
    checked = site.run(tasks, "--check", "--diff")
    assert "changed=1" in checked and PLACEHOLDER in checked and not site.file.exists()
    out = site.run(tasks, "-vvv", "--diff")
    kept = site.kept()
    assert set(kept) == set(wanted) and "changed=1" in out
    for path, name in (("a/password", "password"), ("a/key", "private_key"), ("a/ca", "key")):
        assert not any(form in out for form in _forms(kept[path][name])), f"{path}#{name} is shown"
    assert kept["a/key"]["public_key"] in out and "a-vault-password" not in out
    assert "changed=0" in site.run(tasks) and site.kept() == kept


def test_rotation_only_when_named_and_the_ages_tell(site: Site) -> None:
    wanted = {"a/password": {}, "b/password": {}}
    site.run([task("socle.platform.secrets", secrets=wanted)])
    before = site.kept()
    rotate = task("socle.platform.secrets", secrets=wanted, rotate=["a/password"])
    assert "changed=1" in site.run([rotate], "--check") and site.kept() == before
    info = task("socle.platform.secrets_info") | {"register": "ages"}
    out = site.run([rotate, info, task("ansible.builtin.debug", msg="{{ ages.secrets | to_json }}")])
    after = site.kept()
    assert after["a/password"] != before["a/password"] and after["b/password"] == before["b/password"]
    assert '"generation": 2' in out.replace('\\"', '"')
    out = site.run([task("socle.platform.secrets", secrets=wanted, rotate=["c"])], code=2)
    assert "is to be rotated and is not among secrets" in out


def test_a_kind_that_differs_stops_everything(site: Site) -> None:
    site.run([task("socle.platform.secrets", secrets={"a": {}})])
    before = site.file.read_bytes()
    out = site.run([task("socle.platform.secrets", secrets={"new": {}, "a": {"kind": "ed25519"}})], code=2)
    assert "asked for kind ed25519, found kind password" in out and site.file.read_bytes() == before
    out = site.run([store(site, "x", "a", kind="ca")], code=2)
    assert "asked for kind ca, found kind password" in out and site.file.read_bytes() == before


def test_the_vault_password_is_never_written_to_a_file(site: Site) -> None:
    """The module's input goes through a pipe; where Ansible would use a file, the task is refused."""
    tasks = [task("socle.platform.secrets", secrets={"a": {}})]
    out = site.run(tasks, code=2, ANSIBLE_KEEP_REMOTE_FILES="1", ANSIBLE_REMOTE_TMP=str(site.folder / "tmp"))
    assert "would write the vault password into a temporary file" in out
    site.run(tasks, ANSIBLE_REMOTE_TMP=str(site.folder / "tmp"))
    assert not list((site.folder / "tmp").rglob("*")) and "PUT" not in site.run(tasks, "-vvv")


def test_the_phase_makes_what_the_manifest_declares(site: Site) -> None:
    site.variables["socle_secrets_wanted"] = {"shop/session": {"kind": "key32"}, "shop/password": {"length": 40}}
    site.write([])
    for changed in (1, 0):
        run = site.start("socle.platform.secrets")
        out, _err = run.communicate(timeout=180)
        assert run.returncode == 0 and f"changed={changed}" in out, out
    kept = site.kept()
    assert len(base64.b64decode(kept["shop/session"]["key"])) == 32 and len(kept["shop/password"]["password"]) == 40
    # The lookup knows what was declared, without naming the kind again.
    site.run([store(site, "out", "shop/session")])
    assert (site.folder / "out").read_text() == kept["shop/session"]["key"]


MANIFEST = """
plugin: socle.platform.manifest
platform: {name: cater, domain: cater.example.org}
secrets: {generate: {shop/session: {kind: key32}, shop/password: {length: 40}}}
"""


def test_a_manifest_is_enough(site: Site, root: Path) -> None:
    """From the manifest alone: the file is beside it, the phase makes what it declares, lookups find it, masked."""
    beside = site.folder / "inventory"
    beside.mkdir()
    (beside / "platform.socle.yml").write_text(MANIFEST)
    site.write(
        [
            store(site, "out", "shop/session"),
            task("ansible.builtin.debug", msg="it is " + lookup("shop/password")),
            # A fact outlives the task that read the value: only the board can hide what a later task prints.
            task("ansible.builtin.set_fact", kept_for_later=lookup("shop/password")),
            task("ansible.builtin.debug", var="kept_for_later"),
        ]
    )
    argv = ["-i", "inventory", "-vvv", "--diff", "-e", f"ansible_playbook_python={sys.executable}"]
    runs = [site.start(root / "playbooks" / "secrets.yml", *argv), site.start(site.folder / "play.yml", *argv)]
    outputs = [run.communicate(timeout=180)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    kept = Site(beside, site.collections).kept_with(site.folder / "key")
    assert set(kept) == {"shop/session", "shop/password"} and not site.file.exists()
    assert (site.folder / "out").read_text() == kept["shop/session"]["key"]
    values = [value for fields in kept.values() for value in fields.values()]
    assert not any(value in output for value in values for output in outputs)
    assert "it is ********" in outputs[1] and '"kept_for_later": "********"' in outputs[1]


def test_a_plan_of_the_module_binds(site: Site, tmp_path: Path) -> None:
    """A secret made after the plan: applying the plan is refused by name."""
    from ansible_collections.socle.platform.plugins.module_utils import _plan

    want = task("socle.platform.secrets", secrets={"a": {}, "b": {}}) | {"register": "made"}
    keep = task(
        "ansible.builtin.copy", content="{{ made.plan | to_json }}", dest=str(tmp_path / "section"), mode="0600"
    )
    site.run([want, {**keep, "check_mode": False}], "--check")
    _plan.write(str(tmp_path / "plan.json"), [json.loads((tmp_path / "section").read_text())])
    apply = task("socle.platform.secrets", secrets={"a": {}, "b": {}}, plan_file=str(tmp_path / "plan.json"))
    site.run([store(site, "x", "b")])
    out = site.run([apply], code=2)
    assert "is not the plan of what is to be done now" in out and "b" in out and set(site.kept()) == {"b"}


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = Path(__file__).resolve().parents[1] / "unit" / "secrets" / "server.py"
    spec = importlib.util.spec_from_file_location("socle_secrets_server", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    with module.running(tmp_path_factory.mktemp("bao")) as running:
        yield running


def test_vault_serves_lookup_and_modules_alike(site: Site, bao: Any) -> None:
    site.variables["socle_secrets"] = {"backend": "vault", "address": "{{ 'http' }}://127.0.0.1:" + str(bao.port)}
    wanted = {"p/key": {"kind": "ed25519"}}
    tasks = [
        store(site, "a", "p/password"),
        task("socle.platform.secrets", secrets=wanted),
        store(site, "b", "p/key#public_key"),
        task("socle.platform.secrets_info") | {"register": "ages"},
        task("ansible.builtin.assert", that=["ages.secrets | list == ['p/key', 'p/password']"]),
    ]
    out = site.run(tasks, VAULT_TOKEN=bao.token, password=False, ANSIBLE_CALLBACK_PLUGINS=str(PLUGINS))
    read: Callable[[str], Any] = lambda path: bao.client().secrets.kv.v2.read_secret_version(  # noqa: E731 - one line
        path, mount_point="socle", raise_on_deleted_version=True
    )["data"]["data"]
    assert (site.folder / "a").read_text() == read("p/password")["password"]
    assert (site.folder / "b").read_text() == read("p/key")["public_key"]
    assert bao.token not in out
    assert "changed=0" in site.run(tasks, VAULT_TOKEN=bao.token, password=False)


def test_listing_the_inventory_contacts_nothing_and_shows_no_value(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        site.variables["socle_secrets"] = {
            "backend": "vault", "address": f"http://127.0.0.1:{listening.getsockname()[1]}",
        }  # fmt: skip
        site.variables["careless"] = lookup("a/password")
        site.write([])
        argv = [str(BIN / "ansible-inventory"), "-i", "hosts.yml", "--list"]
        done = subprocess.run(argv, cwd=site.folder, env=site.environment(), capture_output=True, text=True, check=True)
        assert "lookup('socle.platform.secret'" in done.stdout
        with pytest.raises(TimeoutError):
            listening.accept()


def test_errors_are_sentences(site: Site) -> None:
    for term, says in (("a//b", "the part '' is not a name"), ("a#b c", "is not a field name")):
        out = site.run([store(site, "x", term)], code=2)
        assert says in out and "Traceback" not in out
    site.variables["socle_secrets"] = {"backend": "valt"}
    out = site.run([store(site, "x", "a")], code=2)
    assert "no backend 'valt'" in out
    site.variables["socle_secrets"] = {"backend": "vault", "address": "http://127.0.0.1:1", "timeout": 1}
    for wrong in (store(site, "x", "a"), task("socle.platform.secrets", secrets={"a": {}})):
        out = site.run([wrong], code=2, VAULT_TOKEN="hush-hush")
        assert "cannot be reached" in out and "secret a" in out and "http://127.0.0.1:1" in out
        assert "Traceback" not in out and "hush-hush" not in out


def test_a_secret_as_a_file_lasts_as_long_as_the_run(site: Site) -> None:
    """Catches a private key that others can read, that stays after the run, or that each host writes anew."""
    site.hosts = 3
    path = "{{ lookup('socle.platform.secret_file', 'machines/ssh') }}"
    site.run([task("socle.platform.secrets", secrets={"machines/ssh": {"kind": "ed25519"}})], hosts="h0")
    kept = f"{site.folder}/key-{{{{ inventory_hostname }}}}"
    look = "stat -c '%a %i' " + path + " > " + str(site.folder) + "/seen-{{ inventory_hostname }} && cat " + path
    out = site.run(
        [
            {"name": "look", "ansible.builtin.shell": look, "register": "read", "no_log": True},
            task("ansible.builtin.copy", dest=f"{site.folder}/path", content=path, mode="0600"),
            task("ansible.builtin.copy", dest=kept, content="{{ read.stdout }}", mode="0600"),
        ],
        hosts="all",
    )  # fmt: skip
    seen = {(site.folder / f"seen-h{number}").read_text() for number in range(3)}
    assert len(seen) == 1, "each host wrote its own"
    assert seen.pop().startswith("600 ")
    key = site.kept()["machines/ssh"]
    private = (key.get("private_key") or key["fields"]["private_key"]).strip()  # type: ignore[index]  # either layout
    assert (site.folder / "key-h1").read_text().strip() == private
    assert private not in out
    assert not Path((site.folder / "path").read_text().strip()).exists()


def test_a_file_that_cannot_be_made_is_a_warning(site: Site) -> None:
    """Catches a task that needs no connection and fails because the backend is closed."""
    path = "{{ lookup('socle.platform.secret_file', 'machines/ssh') }}"
    out = site.run([task("ansible.builtin.debug", msg="<" + path + ">")], password=False)
    assert "<>" in out
    assert "No file is made of the secret machines/ssh" in out
