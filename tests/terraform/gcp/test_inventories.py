# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platforms with a cloud of Google: from the inventory's manifest to the last layer, with no account."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tfprovider
import yaml
from ansible_collections.socle.platform.plugins.plugin_utils._layers import layers
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping_clouds_google import google
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file
from tfprovider import Workspace, changes, planned

sys.path.insert(0, str(Path(__file__).parent))

import policies

ROOT = Path(__file__).resolve().parents[3]
CLOUDS = {"onprem": "canada", "gke-poc": "gke", "cloud-run": "google"}
Make = Callable[[Path], Workspace]
Plans = dict[str, dict[str, dict[str, Any]]]


def described(inventory: str) -> list[dict[str, Any]]:
    """The layers of an inventory's cloud, as the playbook gives them to the module."""
    result = validate_file(str(ROOT / "inventories" / inventory / "platform.socle.yml"))
    assert result.ok, result.errors
    names, variables = google(result.platform, CLOUDS[inventory])
    return layers(
        ROOT / "roles",
        names,
        lambda path: yaml.safe_load(path.read_text()),
        variables.get,
    )


def inputs(layer: dict[str, Any], outputs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Values of a layer's inputs; an output that is nothing gives nothing."""
    found = {name: outputs[source["layer"]].get(source["output"]) for name, source in layer["inputs"].items()}
    return {name: value for name, value in found.items() if value is not None}


def everything(layer: dict[str, Any], outputs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {**layer["variables"], **layer.get("secrets", {}), **inputs(layer, outputs)}


@pytest.fixture(scope="session")
def platforms(
    binary: str, clouds: tfprovider.Attached, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, dict[str, Any]]]:
    """Inventory and layer to the plan from nothing, each layer with what is known of those before it."""
    clouds.reset()
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for inventory in CLOUDS:
        outputs: dict[str, dict[str, Any]] = {}
        found[inventory] = {}
        for layer in described(inventory):
            for source in layer["inputs"].values():
                assert source["layer"] in outputs, f"{layer['name']} comes before {source['layer']}"
            place = tmp_path_factory.mktemp(inventory) / layer["name"]
            made = tfprovider.workspace(binary, Path(layer["source"]), place, clouds.env)
            made.variables(everything(layer, outputs))
            plan = made.plan()
            outputs[layer["name"]] = {name: change.get("after") for name, change in plan["output_changes"].items()}
            found[inventory][layer["name"]] = plan
    return found


@pytest.mark.parametrize("inventory", CLOUDS)
def test_it_plans_to_the_last_layer_before_anything_is_there(platforms: Plans, inventory: str) -> None:
    """Catches a layer whose variables the manifest does not give, and one that only plans after another is applied."""
    assert list(platforms[inventory]) == [layer["name"] for layer in described(inventory)]
    for name, plan in platforms[inventory].items():
        assert set(map(tuple, changes(plan).values())) == {("create",)}, name


@pytest.mark.parametrize("rule", policies.RULES, ids=lambda rule: rule.__name__)
def test_every_platform_keeps_to(platforms: Plans, rule: policies.Rule) -> None:
    """Catches a manifest whose words turn off what the layers keep to by themselves."""
    breaches = [
        f"{inventory}: {address}: {sentence}"
        for inventory, plans in platforms.items()
        for plan in plans.values()
        for address, values in planned(plan).items()
        for sentence in rule(address.split(".")[0], values)
    ]
    assert breaches == []


@pytest.mark.parametrize("inventory", CLOUDS)
def test_it_is_applied_and_then_there_is_nothing_to_do(workspace: Make, attached: Any, inventory: str) -> None:
    """Catches layers that undo each other, and outputs that another layer cannot take once they are known."""
    outputs: dict[str, dict[str, Any]] = {}
    done = []
    for layer in described(inventory):
        made = workspace(Path(layer["source"]))
        made.variables(everything(layer, outputs))
        made.plan()
        made.apply()
        outputs[layer["name"]] = made.outputs()
        done.append((layer, made))
    for layer, made in done:
        made.variables(everything(layer, outputs))
        assert changes(made.plan()) == {}, layer["name"]
    projects = {state.get("project") for state in attached["google"].world.values() if state.get("project")}
    result = validate_file(str(ROOT / "inventories" / inventory / "platform.socle.yml"))
    assert result.platform.manifest.clouds[CLOUDS[inventory]].project in projects


def first(plan: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(values for address, values in planned(plan).items() if address.startswith(f"{kind}."))


def test_canada_is_autopilot_over_two_data_centres(platforms: Plans) -> None:
    """Catches a production that is not what the company wants: Autopilot in Montreal, its bus, its names."""
    plans = platforms["onprem"]
    cluster = first(plans["gke"], "google_container_cluster")
    assert (cluster["location"], cluster["enable_autopilot"]) == ("northamerica-northeast1", True)
    assert planned(plans["gcp_pubsub"])['google_pubsub_subscription.main["available.exchange"]']["dead_letter_policy"]
    assert 'google_certificate_manager_certificate.main["cater.example.org"]' in planned(plans["gcp_load_balancer"])


def test_the_small_platform_carries_grpc_past_private_nodes(platforms: Plans) -> None:
    """Catches nodes with addresses, a control plane open to all, and a load balancer that does not speak gRPC."""
    plans = platforms["gke-poc"]
    cluster = first(plans["gke"], "google_container_cluster")
    blocks = {entry["cidr_block"] for entry in cluster["master_authorized_networks_config"][0]["cidr_blocks"]}
    assert blocks == {"198.51.100.0/24", "203.0.113.7/32"}
    assert cluster["private_cluster_config"][0]["enable_private_nodes"] is True
    assert first(plans["gcp_network"], "google_compute_router_nat")
    backend = first(plans["gcp_load_balancer"], "google_compute_backend_service")
    assert backend["protocol"] == "H2C"
    assert first(plans["gcp_load_balancer"], "google_compute_backend_bucket")
    database = first(plans["gcp_database"], "google_sql_database_instance")
    assert database["settings"][0]["ip_configuration"][0]["ipv4_enabled"] is False


def test_production_without_servers_has_what_it_needs(platforms: Plans) -> None:
    """Catches a service that is missing, a public registry, a trigger without a hand before production."""
    plans = platforms["cloud-run"]
    services = [values for address, values in planned(plans["cloud_run"]).items() if "_v2_service.main" in address]
    assert {service["name"] for service in services} == {"users", "offers", "orders"}
    assert all(service["template"][0]["vpc_access"] for service in services)
    triggers = [values for address, values in planned(plans["gcp_delivery"]).items() if "cloudbuild_trigger" in address]
    assert len(triggers) == 3
    assert all(trigger["approval_config"][0]["approval_required"] for trigger in triggers)
    assert first(plans["gcp_delivery"], "google_artifact_registry_repository")["docker_config"][0]["immutable_tags"]
