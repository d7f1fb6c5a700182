# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout for Terragrunt: what is written is HCL, says what the layers say, and holds no secret."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tfprovider
import yaml
from ansible_collections.socle.platform.plugins.plugin_utils._layers import layers
from ansible_collections.socle.platform.plugins.plugin_utils._terragrunt import hcl, layout
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[3]
QUIET = {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": "/dev/null"}
SHOP: dict[str, Any] = {
    "aws_network_name": "shop",
    "aws_network_region": "eu-west-3",
    "aws_network_cidr": "10.60.0.0/16",
    "ecs_name": "shop",
    "ecs_region": "eu-west-3",
    "ecs_domain": "shop.example.org",
    "ecs_dns_zone": "example.org",
    "ecs_services": {"web": {"port": 8000, "kept": {"TOKEN": 1}, "environment": {"PRICE": "${5} %{if}"}}},
    "ecs_secret_values": {"web/TOKEN": "hush-hush-hush"},
}
S3 = {"backend": "s3", "bucket": "shop-states", "region": "eu-west-3", "prefix": "shop", "secret_key": "hush-hush-hush"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def written(state: dict[str, Any] | None = None) -> dict[str, str]:
    described = layers(ROOT / "roles", ["aws_network", "ecs"], load, SHOP.get)
    return layout("paris", described, state or S3, load)


def terraform() -> str:
    found = shutil.which("terraform")
    if found is None:
        pytest.skip("terraform is not installed")
    return found


def understood(folder: Path, expression: str) -> Any:
    """What Terraform understands an expression as."""
    (folder / "main.tf").write_text(f"locals {{\n  value = {expression}\n}}\n")
    done = subprocess.run(
        [terraform(), "console"],
        input="base64encode(jsonencode(local.value))\n",
        capture_output=True,
        cwd=folder,
        env={**os.environ, **QUIET},
        text=True,
        check=True,
    )
    return json.loads(base64.b64decode(done.stdout.strip().strip('"')))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab-_./$%{", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=20))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_value_stays_the_same_on_its_way_through_hcl(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    """Would catch a `${` or a quote in somebody's value that becomes a template in a file of Terragrunt."""
    told = understood(tmp_path_factory.mktemp("console"), hcl(value))
    assert json.dumps(told, sort_keys=True) == json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("path", ["paris/root.hcl", "paris/aws_network/terragrunt.hcl", "paris/ecs/terragrunt.hcl"])
def test_what_is_written_is_hcl(path: str) -> None:
    """Would catch a file that Terragrunt cannot read."""
    done = subprocess.run(
        [terraform(), "fmt", "-"],
        input=written()[path],
        capture_output=True,
        text=True,
        env={**os.environ, **QUIET},
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_state_is_where_the_stack_keeps_it() -> None:
    """Would catch a second state: Terragrunt would make everything once more."""
    assert '"key" = "shop/paris/${path_relative_to_include()}.tfstate"' in written()["paris/root.hcl"]
    local = written({"backend": "local", "path": "/states"})["paris/root.hcl"]
    assert '"path" = "/states/paris/${path_relative_to_include()}.tfstate"' in local


def test_units_are_joined_as_layers_are() -> None:
    """Would catch a cluster that is planned before its network, or without its subnets."""
    unit = written()["paris/ecs/terragrunt.hcl"]
    assert 'dependency "aws_network" {\n  config_path = "../aws_network"' in unit
    assert "private_subnet_ids = dependency.aws_network.outputs.private_subnet_ids" in unit
    assert "dependency" not in written()["paris/aws_network/terragrunt.hcl"]


def test_no_secret_is_written() -> None:
    """Would catch a password in a folder that is going to be committed."""
    files = written()
    assert not any("hush" in text for text in files.values())
    assert "TF_VAR_secret_values" in files["paris/ecs/terragrunt.hcl"]


def test_terragrunt_plans_every_unit(attached: tfprovider.Attached, tmp_path: Path) -> None:
    """Would catch a layout that Terragrunt itself refuses, and a last unit that is never planned."""
    terragrunt = os.environ.get("SOCLE_TERRAGRUNT") or shutil.which("terragrunt")
    if terragrunt is None:
        pytest.skip("terragrunt is not installed: put it in the PATH, or its path in SOCLE_TERRAGRUNT")
    live = tmp_path / "live"
    state = json.dumps({"clouds_state": {"backend": "local", "path": str(tmp_path / "states")}})
    playbook = [str(Path(sys.executable).parent / "ansible-playbook"), "playbooks/terragrunt.yml"]
    options = ["-i", "inventories/eks", "-e", f"terragrunt_folder={live}", "-e", state]
    subprocess.run([*playbook, *options], cwd=ROOT, check=True, capture_output=True)
    env = {**os.environ, **attached.env, "TG_NON_INTERACTIVE": "true", "TG_TF_PATH": terraform(), "HOME": str(tmp_path)}
    command = [terragrunt, "run", "--all", "plan"]
    done = subprocess.run(command, cwd=live / "ireland", env=env, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "aws_vpc.main" in said
    assert "aws_eks_cluster.main" in said
