# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the documentation of pools, access, storages, templates and the live inventory really run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxmox_site import Site, results, running

PLUGINS = "ansible_collections.socle.platform.plugins"
MODULES = (
    "proxmox_pools",
    "proxmox_pools_info",
    "proxmox_access",
    "proxmox_access_info",
    "proxmox_storages",
    "proxmox_storages_info",
    "proxmox_templates",
    "proxmox_templates_info",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        made = stack.enter_context(running(tmp_path_factory.mktemp("pve"), nodes=("pve1", "pve2"), cluster="lab"))
        with made.session() as session:
            session.pve.put("/storage/local", content="images,import,rootdir,iso,backup,snippets,vztmpl")
            for name in ("fast", "backup-store"):
                session.pve.post("/storage", storage=name, type="dir", path=f"/srv/{name}", content="images")
            network = {"iface": "vmbr1", "type": "bridge", "autostart": True}
            for node in ("pve1", "pve2"):
                session.pve.request("POST", f"/nodes/{node}/network", network)
                session.pve.put(f"/nodes/{node}/network")
        made.control("POST", "settle")
        yield made


def examples(module: str) -> list[dict[str, Any]]:
    text = importlib.import_module(f"{PLUGINS}.modules.{module}").EXAMPLES
    tasks: list[dict[str, Any]] = yaml.safe_load(text)
    return tasks


def here(task: dict[str, Any], site: Site, tmp_path: Path) -> dict[str, Any]:
    """The task with the simulator's own address and login."""
    made = dict(task)
    for name, options in task.items():
        if name.startswith("socle.platform."):
            mine = {key: value for key, value in options.items() if not key.startswith("api_")}
            made[name] = {**mine, **site.connection()}
            if "tokens" in mine:
                made[name]["backend"] = {"file": str(tmp_path / "secrets.vault.yml")}
    return made


def test_playbook_examples_run_as_they_stand(site: Site, tmp_path: Path) -> None:
    """Would catch an example with a wrong option, or one that contradicts what the module allows."""
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    tasks = [here(task, site, tmp_path) for module in MODULES for task in examples(module)]
    # Storages named in other examples are there with another type; each example stands for itself.
    for task in tasks:
        if "socle.platform.proxmox_storages" in task:
            task["socle.platform.proxmox_storages"]["allow_replace"] = True
    done = site.playbook(tasks, "--check", "--vault-password-file", str(password))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    changed = [result["changed"] for result in results(done)]
    assert changed.count(True) >= 5, changed


def test_the_inventory_s_examples_have_only_options_that_exist() -> None:
    """Would catch an option renamed in the plugin and not in its examples."""
    plugin = importlib.import_module(f"{PLUGINS}.inventory.proxmox")
    known = set(yaml.safe_load(plugin.DOCUMENTATION)["options"])
    fragments = {"compose", "groups", "keyed_groups", "strict", "cache", "cache_plugin", "cache_connection"}
    for example in yaml.safe_load_all(plugin.EXAMPLES):
        assert set(example) <= known | fragments | {"cache_timeout"}, example
