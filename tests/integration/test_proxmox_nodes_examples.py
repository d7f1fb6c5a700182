# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in the documentation of the modules for nodes are run: planned, made, and planned again."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxmox_helpers import helped
from proxmox_site import Site, results, running
from pvesim.world import Guest

CONNECTION = ("api_host", "api_user", "api_password", "api_token_id", "api_token_secret")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("pve")
    with running(folder, nodes=("pve1", "pve2"), cluster="lab") as site, helped(site, folder, "pve1", "pve2"):
        for node in site.world.nodes.values():
            node.interfaces["eno2"] = {"type": "eth", "exists": 1, "priority": 4}
        for vmid, name in ((1040001, "control-1"), (100, "one"), (101, "two")):
            site.world.guests[vmid] = Guest(vmid, "pve1", {"name": name})
        yield site


def examples(module: str) -> list[dict[str, Any]]:
    text = importlib.import_module(f"ansible_collections.socle.platform.plugins.modules.{module}").EXAMPLES
    found: list[dict[str, Any]] = yaml.safe_load(text)
    return found


def task(site: Site, example: dict[str, Any], module: str) -> dict[str, Any]:
    name = f"socle.platform.{module}"
    options = {key: value for key, value in example[name].items() if key not in CONNECTION}
    options = {**options, **site.connection()}
    if "reach" in options:
        options["reach"] = dict(zip(site.about["nodes"], site.hosts(), strict=True))
    if module == "proxmox_firewall":
        # The example lets an office in, and this run comes from somewhere else.
        options.update(manager=["198.51.100.7"], try_settle=0.1)
    return {"name": example["name"], name: options}


@pytest.mark.parametrize(
    "module", ["proxmox_networks", "proxmox_firewall", "proxmox_networks_info", "proxmox_firewall_info"]
)
def test_examples_do_what_they_say(nodes: Site, module: str) -> None:
    """Would catch an example with an option that does not exist, or one that never comes to rest."""
    for example in examples(module):
        wanted = task(nodes, example, module)
        nodes.forget()
        (planned,) = results(nodes.playbook([wanted], "--check"))
        assert not planned.get("failed") and nodes.writes() == [], planned
        made, again = results(nodes.playbook([wanted, wanted]))
        assert made["changed"] == planned["changed"] == (not module.endswith("_info")), made
        assert not again["changed"]


def test_the_example_of_a_cluster(tmp_path: Path) -> None:
    """Would catch an example whose nodes cannot be joined as it says."""
    (example,) = examples("proxmox_cluster")
    options = example["socle.platform.proxmox_cluster"]
    names = tuple(node["name"] for node in options["nodes"])
    with running(tmp_path, nodes=names) as site:
        hosts = dict(zip(names, site.hosts(), strict=True))
        for node in options["nodes"]:
            node["api_host"] = hosts[node["name"]]
            # The simulator's servers have addresses of their own.
            site.simulator.fleet.node(node["name"]).address = node["links"][0]
        connection = site.connection()
        del connection["api_host"]
        wanted = {"socle.platform.proxmox_cluster": {**options, **connection}}
        made, again = results(site.playbook([wanted, wanted]))
        assert made["changed"] and not again["changed"], made["msg"]
        assert {fleet.cluster["name"]: sorted(fleet.nodes) for fleet in site.simulator.fleet.sites} == {
            "cater": sorted(names)
        }
        reading, judging = examples("proxmox_cluster_info")
        reading["socle.platform.proxmox_cluster_info"] = site.connection()
        found, judged = results(site.playbook([reading, judging]))
        assert [node["name"] for node in found["nodes"]] == sorted(names) and not judged.get("failed"), judged
