# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""terraform_stack with the real binary: plan, apply, order, inputs, refusals, faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import stacks
from ansible_collections.socle.platform.plugins.module_utils import _plan
from tfprovider import Attached

SQL = "google_sql_database_instance"


def test_a_first_plan_reaches_the_last_layer(stack: Any, actions: Any, attached: Attached) -> None:
    """Would catch layers after the first one not planned, their unknown inputs guessed, or check mode that writes."""
    result = stack(check=True)
    assert not result["failed"], result["msg"]
    assert actions(result) == {"network": "create", "database": "create"}
    shown = {entry["before_header"]: entry["after"] for entry in result["diff"]}
    assert shown[f"database: {SQL}.main"]["settings.0.ip_configuration.0.private_network"] == "(known after apply)"
    assert shown[f"database: {SQL}.main"]["name"] == "cater-db"
    assert result["outputs"]["network"] == {
        "network": "(known after apply)",
        "name": "cater",
        "token": "(secret)",
        "nothing": None,
    }
    assert attached["google"].written() == []


def test_layers_are_applied_in_order_and_then_unchanged(stack: Any, attached: Attached) -> None:
    """Would catch a wrong order, outputs that do not arrive, or a second run that writes or calls too often."""
    result = stack()
    assert not result["failed"], result["msg"]
    google = attached["google"]
    made = google.find(SQL)
    assert made["settings"][0]["ip_configuration"][0]["private_network"] == google.find("google_compute_network")["id"]
    assert google.written() == [("create", "google_compute_network"), ("create", SQL)]
    again = stack()
    assert not again["failed"] and not again["changed"]
    assert again["calls"] <= 2 * 2
    assert again["outputs"]["database"]["database"] == "cater-db"
    assert len(google.written()) == 2


def test_an_unknown_input_of_what_is_there_shows_what_it_would_do(stack: Any, attached: Attached) -> None:
    """Would catch a dependent layer called unchanged while the network under it is made anew."""
    stack()
    stack.network["variables"]["name"] = "other"
    result = stack(check=True, allow=["google_compute_network", f"{SQL}.main"])
    assert not result["failed"], result["msg"]
    shown = {entry["after_header"]: entry for entry in result["diff"]}
    assert "network: google_compute_network.main (replace: name cannot change in place)" in shown
    assert f"database: {SQL}.main (replace: name cannot change in place)" in shown or any(
        header.startswith(f"database: {SQL}.main (replace") for header in shown
    )


@pytest.mark.parametrize("by", [SQL, f"{SQL}.main", f"database:{SQL}.main"])
def test_a_protected_resource_is_replaced_only_when_named(stack: Any, attached: Attached, by: str) -> None:
    """Would catch a database lost to a change of its region, or one that can never be replaced."""
    stack()
    stack.database["variables"]["region"] = "europe-west4"
    before = attached["google"].written()
    for check in (True, False):
        refused = stack(check=check)
        assert refused["failed"] and f"{SQL}.main would be destroyed and made anew (region" in refused["msg"]
    assert attached["google"].written() == before
    allowed = stack(allow=[by])
    assert not allowed["failed"], allowed["msg"]
    assert attached["google"].find(SQL)["region"] == "europe-west4"


def test_a_stack_goes_in_reverse_order_and_only_when_named(stack: Any, attached: Attached) -> None:
    """Would catch a destroy that needs no word, or that takes the network before what is in it."""
    stack()
    refused = stack(present=False)
    assert refused["failed"] and "would be destroyed" in refused["msg"]
    gone = stack(present=False, allow=[SQL, "google_compute_network"])
    assert not gone["failed"], gone["msg"]
    assert attached["google"].world == {}
    assert attached["google"].written()[-2:] == [("delete", SQL), ("delete", "google_compute_network")]
    again = stack(present=False)
    assert not again["failed"] and not again["changed"], again


def test_taking_down_what_was_never_made_is_nothing(stack: Any, attached: Attached) -> None:
    """Would catch a destroy that fails for want of values that nothing ever told."""
    result = stack(present=False)
    assert not result["failed"] and not result["changed"], result
    assert attached["google"].written() == []


def test_drift_is_shown_apart_from_what_is_wanted(stack: Any, attached: Attached) -> None:
    """Would catch a change made by hand shown as if the manifest had asked for it."""
    stack()
    google = attached["google"]
    google.change(SQL, google.find(SQL)["id"], deletion_protection=False)
    (shown,) = [one for one in stack(check=True)["objects"] if one["key"] == "database"]
    assert [field["path"] for field in shown["fields"]] == [f"drift: {SQL}.main.deletion_protection"]
    del stack.database["inputs"]["tier"]
    stack.database["variables"]["tier"] = "db-custom-2-7680"
    both = stack(check=True)
    (shown,) = [one for one in both["objects"] if one["key"] == "database"]
    assert sorted(field["path"] for field in shown["fields"]) == [
        f"drift: {SQL}.main.deletion_protection",
        f"{SQL}.main.settings.0.tier",
    ]
    assert not stack()["failed"]
    assert google.find(SQL)["deletion_protection"] is True


def test_a_failed_layer_stops_only_those_that_need_it_and_says_where(stack: Any, attached: Attached) -> None:
    """Would catch an error without resource, file, line or what to do."""

    def denied(action: str, kind: str, _state: object) -> tuple[str, str] | None:
        if (action, kind) == ("create", SQL):
            return (
                "Error, failed to create instance",
                "googleapi: Error 403: Permission 'cloudsql.instances.create' denied on resource",
            )
        return None

    attached["google"].fault = denied
    result = stack()
    assert result["failed"]
    assert f"{SQL}.main (main.tf:" in result["msg"]
    assert "lacks the permission cloudsql.instances.create" in result["msg"]
    assert {one["key"]: one["outcome"] for one in result["objects"]} == {"network": "succeeded", "database": "failed"}
    attached["google"].reset_faults()
    again = stack()
    assert not again["failed"], again["msg"]
    assert attached["google"].written().count(("create", "google_compute_network")) == 1


def test_a_changed_output_reaches_those_who_take_it(stack: Any, attached: Attached) -> None:
    """Would catch a layer applied with the values of last time, which it is planned with first."""
    stack()
    stack.network["variables"]["name"] = "other"
    result = stack(allow=["google_compute_network", SQL])
    assert not result["failed"], result["msg"]
    made = attached["google"].find(SQL)
    assert made["name"] == "other-db"
    assert (
        made["settings"][0]["ip_configuration"][0]["private_network"]
        == attached["google"].find("google_compute_network")["id"]
    )
    again = stack()
    assert not again["changed"] and again["calls"] <= 4


LATER = """
variable "networks" { type = set(string) }
resource "google_compute_subnetwork" "main" {
  for_each      = var.networks
  name          = "s"
  network       = each.value
  ip_cidr_range = "10.0.0.0/24"
}
"""


def test_what_cannot_be_planned_yet_is_planned_later_and_never_bound(
    stack: Any, attached: Attached, tmp_path: Path
) -> None:
    """Would catch a stack that cannot start because a layer waits, or a plan file that allows what it hides."""
    source = Path(stack.network["source"]) / "main.tf"
    source.write_text(source.read_text() + 'output "ids" { value = [google_compute_network.main.id] }\n')
    later = {"name": "later", "source": stacks.layer(tmp_path / "later", LATER)}
    stack.parameters["layers"] = [
        stack.network,
        {**later, "inputs": {"networks": {"layer": "network", "output": "ids"}}},
    ]
    shown = stack(check=True)
    assert not shown["failed"], shown["msg"]
    (one,) = [one for one in shown["objects"] if one["key"] == "later"]
    (field,) = one["fields"]
    assert field["path"] == "planned later" and "once network is there" in field["after"]
    file = tmp_path / "plan.json"
    _plan.write(file, [shown["plan"]])
    bound = stack(plan_file=str(file))
    assert bound["failed"] and "it could not be planned when the plan was made" in bound["msg"]
    assert attached["google"].written() == [("create", "google_compute_network")]
    assert not stack()["failed"]
    assert attached["google"].written()[1:] == [("create", "google_compute_subnetwork")]


def test_init_runs_only_when_it_must(stack: Any) -> None:
    """Would catch an init at every run, or none when a layer needs another provider or its state lies elsewhere."""
    assert stack()["calls"] > 4
    assert stack()["calls"] <= 4
    source = Path(stack.network["source"]) / "main.tf"
    source.write_text(source.read_text() + 'resource "random_id" "x" { byte_length = 4 }\n')
    changed = stack()
    assert not changed["failed"], changed["msg"]
    assert stack()["calls"] <= 4
    moved = stack(check=True, state={"backend": "local", "path": str(stack.folder / "elsewhere")})
    assert not moved["failed"] and moved["changed"], moved


def test_a_changed_output_is_seen_at_once(stack: Any) -> None:
    """Would catch check mode that shows a layer as it was with the values of last time."""
    source = Path(stack.network["source"]) / "main.tf"
    text = source.read_text().replace('output "nothing" { value = null }', 'output "nothing" { value = var.tier }')
    source.write_text(text + 'variable "tier" {\n  type    = string\n  default = "db-custom-1-3840"\n}\n')
    stack()
    stack.network["variables"]["tier"] = "db-custom-4-15360"
    result = stack(check=True)
    (database,) = [one for one in result["objects"] if one["key"] == "database"]
    assert [(field["path"], field["after"]) for field in database["fields"]] == [
        (f"{SQL}.main.settings.0.tier", "db-custom-4-15360")
    ]


def test_a_value_that_an_earlier_task_will_know_is_unknown(stack: Any, attached: Attached) -> None:
    """Would catch the words for 'not known yet' sent to a cloud, or a plan that fails for want of a secret."""
    stack.network["variables"]["name"] = "(known after apply)"
    result = stack(check=True)
    assert not result["failed"], result["msg"]
    shown = {entry["before_header"]: entry["after"] for entry in result["diff"]}
    assert shown["network: google_compute_network.main"]["name"] == "(known after apply)"
    refused = stack()
    assert refused["failed"] and "still not known" in refused["msg"]
    assert attached["google"].written() == []
