# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each layer of Google Cloud: valid, tested, applied, unchanged afterwards, destroyed; nothing secret left behind."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from packaging.specifiers import SpecifierSet
from packaging.version import Version
from settings import CASES, FULL, PLAIN, VALUES, folder, removable
from tfprovider import VERSIONS, Workspace, changes

Make = Callable[[Path], Workspace]
Plans = dict[tuple[str, str], dict[str, Any]]


def pessimistic(constraint: str) -> SpecifierSet:
    """`~> 8.0` as Python's packaging says it."""
    found = re.fullmatch(r"~> (\d+(?:\.\d+)+)", constraint)
    assert found, f"{constraint}: write it as ~> MAJOR.MINOR"
    return SpecifierSet(f"~={found.group(1)}")


@pytest.mark.parametrize("layer", PLAIN)
def test_the_constraint_admits_the_version_that_is_tested(layer: str) -> None:
    """Catches a layer that real runs would give another major of the provider than the one tested here."""
    text = (folder(layer) / "versions.tf").read_text()
    wanted = re.findall(r'source\s+= "([^"]+)"\s+version = "([^"]+)"', text)
    assert wanted
    for source, constraint in wanted:
        assert Version(VERSIONS[source]) in pessimistic(constraint), (source, constraint)


@pytest.mark.parametrize("layer", PLAIN)
def test_it_is_valid_and_its_own_tests_pass(workspace: Make, layer: str) -> None:
    """Catches an argument that the provider does not have, and an HCL assertion that does not hold."""
    made = workspace(folder(layer))
    made.validate()
    said = made.test()
    passed = re.search(r"(\d+) passed, 0 failed", said)
    assert passed and int(passed.group(1)) > 0, said


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_it_is_applied_unchanged_and_destroyed(workspace: Make, attached: Any, case: tuple[str, str]) -> None:
    """Catches a second run that changes something, and a resource that survives the destruction."""
    layer, kind = case
    made = workspace(folder(layer))
    made.variables(removable(layer, VALUES[kind][layer]))
    assert changes(made.plan())
    made.apply()
    assert changes(made.plan()) == {}
    made.destroy()
    assert attached["google"].world == {}


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_outputs_that_can_be_known_before_apply_are(plans: Plans, case: tuple[str, str]) -> None:
    """Catches an output that no longer lets the next layer be planned before this one is there."""
    known_later = {
        "gcp_project": {"number", "federation"},
        "gcp_network": {"nat_addresses"},
        "gke": {"endpoint", "certificate_authority"},
        "gcp_database": {"address"},
        "gcp_load_balancer": {"address"},
        "cloud_run": {"urls"},
    }
    outputs = plans[case]["output_changes"]
    unknown = {name for name, change in outputs.items() if "true" in json.dumps(change.get("after_unknown"))}
    assert unknown <= known_later.get(case[0], set())


@pytest.mark.parametrize("layer", PLAIN)
def test_everything_is_described(plans: Plans, layer: str) -> None:
    """Catches a variable or an output that nobody can understand without reading the code."""
    module = plans[layer, "plain"]["configuration"]["root_module"]
    for kind in ("variables", "outputs"):
        for name, entry in module[kind].items():
            assert entry.get("description", "").endswith("."), f"{kind[:-1]} {name} of {layer}"


def test_no_secret_is_in_the_state(workspace: Make) -> None:
    """Catches a password, or a secret's value, that Terraform writes into its state."""
    delivery = workspace(folder("gcp_delivery"))
    delivery.variables(FULL["gcp_delivery"])
    delivery.plan()
    delivery.apply()
    text = (delivery.folder / "terraform.tfstate").read_text()
    assert "google_secret_manager_secret_version" in text
    assert FULL["gcp_delivery"]["secret_values"]["sent"] not in text

    database = workspace(folder("gcp_database"))
    database.variables(FULL["gcp_database"])
    database.plan()
    resources = {entry["address"]: entry["values"] for entry in database.apply()["values"]["root_module"]["resources"]}
    assert 'google_sql_user.main["shop"]' in resources
    for values in resources.values():
        assert not any(values.get(name) for name in ("password", "password_wo", "secret_data", "secret_data_wo"))
