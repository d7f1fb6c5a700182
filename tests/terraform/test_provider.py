# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provider made of its schema behaves as a real one would: real terraform, plan by plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tfprovider
from tfprovider import Attached, CliError, Workspace, changes, planned, replacements

SIMPLE = Path(__file__).parent / "simple"
DATABASE = "google_sql_database_instance"
Make = Callable[[Path], Workspace]


@pytest.fixture
def layer(workspace: Make) -> Workspace:
    return workspace(SIMPLE)


def test_a_layer_lives_from_plan_to_destroy(layer: Workspace, attached: Attached) -> None:
    """Would catch a provider whose second plan is never empty, or that leaves something behind."""
    layer.validate()
    assert changes(layer.plan()) == {"google_compute_network.main": ["create"], f"{DATABASE}.main": ["create"]}
    layer.apply()
    assert layer.outputs()["database"] == attached["google"].find(DATABASE, name="db")["id"]
    assert changes(layer.plan()) == {}
    layer.destroy()
    assert attached["google"].world == {}


def test_hcl_assertions_run_and_can_fail(layer: Workspace) -> None:
    """Would catch `terraform test` passing whatever the layer says."""
    assert "1 passed, 0 failed" in layer.test()
    main = layer.folder / "main.tf"
    main.write_text(main.read_text().replace("= false\n      private", "= true\n      private"))
    with pytest.raises(CliError, match="public address"):
        layer.test()


def test_defaults_of_the_provider_are_planned(layer: Workspace) -> None:
    """Would catch policies judged without what a provider adds by itself."""
    assert planned(layer.plan())[f"{DATABASE}.main"]["deletion_protection"] is True


def test_what_can_change_in_place_is_updated_and_what_cannot_is_replaced(layer: Workspace) -> None:
    """Would catch force_new ignored, or seen where it is not: 'named changes never replace' would prove nothing."""
    layer.plan()
    layer.apply()
    layer.variables({"tier": "db-custom-2-7680"})
    plan = layer.plan()
    assert changes(plan) == {f"{DATABASE}.main": ["update"]} and replacements(plan) == {}
    layer.variables({"region": "europe-west4"})
    assert replacements(layer.plan()) == {f"{DATABASE}.main": [["region"]]}


def test_changes_made_by_hand_are_drift_and_deleted_objects_come_back(layer: Workspace, attached: Attached) -> None:
    """Would catch a provider that answers a refresh from the state instead of from its world."""
    layer.plan()
    layer.apply()
    google, identity = attached["google"], layer.outputs()["database"]
    google.change(DATABASE, identity, deletion_protection=False)
    plan = layer.plan()
    assert [one["address"] for one in plan["resource_drift"]] == [f"{DATABASE}.main"]
    assert changes(plan) == {f"{DATABASE}.main": ["update"]}
    google.remove(DATABASE, identity)
    assert changes(layer.plan()) == {f"{DATABASE}.main": ["create"]}


def test_a_fault_stops_the_object_and_what_needs_it(layer: Workspace, attached: Attached) -> None:
    """Would catch a fault swallowed by the server, or an object made in spite of it."""
    layer.plan()

    def quota(action: str, kind: str, _state: object) -> tuple[str, str] | None:
        if (action, kind) == ("create", "google_compute_network"):
            return "Error 403: Quota exceeded", "Limit NETWORKS is 5"
        return None

    attached["google"].fault = quota
    with pytest.raises(CliError, match="Quota exceeded"):
        layer.apply()
    assert attached["google"].world == {}


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('name                    = "net"', 'name = "net"\n  nmae = "net"', "Unsupported argument"),
        ('name                    = "net"', 'name = "net"\n  routing_mode = "SIDEWAYS"', "routing_mode to be one of"),
        ('name                    = "net"', 'name = "net"\n  self_link = "x"', "self_link"),
        ('name                    = "net"', "", "Missing required argument"),
    ],
    ids=["unknown-argument", "outside-the-enum", "computed-only", "required"],
)
def test_a_wrong_configuration_is_refused(layer: Workspace, right: str, wrong: str, said: str) -> None:
    """Would catch a provider that takes anything."""
    main = layer.folder / "main.tf"
    text = main.read_text()
    assert right in text
    main.write_text(text.replace(right, wrong))
    with pytest.raises(CliError, match=said):
        layer.validate()


def test_the_whole_of_the_data_is_served(attached: Attached, workspace: Make, tmp_path: Path) -> None:
    """Would catch a schema that terraform cannot read: one bad type spoils its whole provider."""
    needs = "\n".join(
        f'{address.rsplit("/", maxsplit=1)[-1]} = {{ source = "{"/".join(address.split("/")[-2:])}" }}'
        for address in tfprovider.load()
    )
    source = tmp_path / "all"
    source.mkdir()
    (source / "main.tf").write_text(f"terraform {{\n required_providers {{\n{needs}\n}}\n}}\n")
    layer = workspace(source)
    told = json.loads(layer.run("providers", "schema", "-json").stdout)["provider_schemas"]
    for address, found in told.items():
        served = attached[address.rsplit("/", maxsplit=1)[-1]]
        assert set(found.get("resource_schemas", {})) == set(served.resources)
        assert set(found.get("data_source_schemas", {})) == set(served.data)
    assert len(told) == len(attached.providers)


def test_every_provider_has_the_version_its_data_is_of() -> None:
    """Would catch data of a provider for which no constraint can be checked."""
    if tfprovider.schemas_folder() is None:
        pytest.skip("no provider schemas")
    served = {"/".join(address.split("/")[-2:]) for address in tfprovider.load()}
    assert served <= set(tfprovider.VERSIONS)
