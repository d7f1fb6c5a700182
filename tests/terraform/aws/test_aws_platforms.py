# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Platforms on AWS from their manifests to what is made: each layer takes what the ones before it put out."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.socle.platform.plugins.plugin_utils._layers import layers
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping_clouds_aws import aws
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

sys.path.insert(0, str(Path(__file__).parent))

from aws_policies import breaches
from tfprovider import Workspace, changes

ROOT = Path(__file__).resolve().parents[3]
Make = Callable[[Path], Workspace]


def manifest(inventory: str, changed: dict[str, str]) -> bytes:
    text = (ROOT / "inventories" / inventory / "platform.socle.yml").read_text()
    for written, instead in changed.items():
        assert written in text
        text = text.replace(written, instead)
    return text.encode()


WITH_DATA = {
    "    bake: 15m": '    bake: 15m\n    nat: none\n    database: {postgres: "17"}\n    object_storage: [shop-files]',
    "apps:": "apps:\n  worker: {protocol: none, needs: [postgres]}",
}


@pytest.mark.parametrize(
    ("inventory", "changed", "wanted"),
    [
        ("ecs", {}, ["aws_network", "ecs"]),
        ("ecs", WITH_DATA, ["aws_network", "aws_data", "ecs"]),
        ("eks", {}, ["aws_network", "eks"]),
    ],
    ids=["ecs", "ecs with data and without NAT", "eks"],
)
def test_a_platform_is_made_of_its_manifest(
    workspace: Make, inventory: str, changed: dict[str, str], wanted: list[str]
) -> None:
    """Would catch a word that no layer takes, an output of another type than its input, a breach of a policy."""
    result = validate_file("platform.socle.yml", manifest(inventory, changed))
    assert result.errors == []
    (cloud,) = result.platform.manifest.clouds
    names, variables = aws(result.platform, cloud)
    assert names == wanted
    described = layers(
        ROOT / "roles",
        names,
        lambda path: yaml.safe_load(path.read_text()),
        variables.get,
    )
    outputs: dict[str, dict[str, Any]] = {}
    for layer in described:
        made = workspace(Path(layer["source"]))
        joined = {name: outputs[source["layer"]].get(source["output"]) for name, source in layer["inputs"].items()}
        given = {**layer["variables"], **layer["secrets"], **joined}
        made.variables({name: value for name, value in given.items() if value is not None})
        made.plan()
        made.apply()
        again = made.plan()
        assert changes(again) == {}
        assert breaches(again) == []
        outputs[layer["name"]] = made.outputs()
    if "ecs" in names:
        assert re.fullmatch(r"https://shop\.example\.org", outputs["ecs"]["entry_point"])
        assert outputs["ecs"]["test_entry_point"] == "https://shop.example.org/next"
    else:
        assert outputs["eks"]["join"]["kind"] == "eks"
