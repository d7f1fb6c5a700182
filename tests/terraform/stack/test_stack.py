# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""terraform_stack with the real binary: plan, apply, order, inputs, refusals, faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stacks
from tfprovider import Attached

NETWORK = """
variable "name" { type = string }
variable "token" {
  type      = string
  default   = "none"
  sensitive = true
}
resource "google_compute_network" "main" {
  name                    = var.name
  auto_create_subnetworks = false
}
output "network" { value = google_compute_network.main.id }
output "name" { value = var.name }
output "token" {
  value     = var.token
  sensitive = true
}
"""
DATABASE = """
variable "network" { type = string }
variable "name" { type = string }
variable "tier" {
  type    = string
  default = "db-custom-1-3840"
}
variable "region" {
  type    = string
  default = "europe-west1"
}
resource "google_sql_database_instance" "main" {
  name             = "${var.name}-db"
  database_version = "POSTGRES_17"
  region           = var.region
  settings {
    tier = var.tier
    ip_configuration {
      ipv4_enabled    = false
      private_network = var.network
    }
  }
}
output "database" { value = google_sql_database_instance.main.name }
"""
SQL = "google_sql_database_instance"
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path, attached: Attached, binary: str) -> Run:
    """The stack of a network and a database in it; keywords change its parameters."""
    network, database = stacks.layer(tmp_path / "n", NETWORK), stacks.layer(tmp_path / "d", DATABASE)

    def go(check: bool = False, variables: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        parameters = {
            "name": "demo",
            "layers": [
                {
                    "name": "database",
                    "source": database,
                    "variables": variables or {},
                    "inputs": {
                        "network": {"layer": "network", "output": "network"},
                        "name": {"layer": "network", "output": "name"},
                    },
                },
                {
                    "name": "network",
                    "source": network,
                    "variables": {"name": "cater"},
                    "secrets": {"token": "hunter22"},
                },
            ],
            "work_dir": str(tmp_path / "work"),
            "binary": binary,
            "environment": attached.env,
            **more,
        }
        return stacks.run(parameters, check=check)

    return go


def actions(result: dict[str, Any]) -> dict[str, str]:
    return {one["key"]: one["action"] for one in result["objects"]}


def test_a_first_plan_reaches_the_last_layer(run: Run, attached: Attached) -> None:
    """Would catch layers after the first one not planned, their unknown inputs guessed, or check mode that writes."""
    result = run(check=True)
    assert not result["failed"], result["msg"]
    assert actions(result) == {"network": "create", "database": "create"}
    shown = {entry["before_header"]: entry["after"] for entry in result["diff"]}
    assert shown[f"database: {SQL}.main"]["settings.0.ip_configuration.0.private_network"] == "(known after apply)"
    assert shown[f"database: {SQL}.main"]["name"] == "cater-db"
    assert result["outputs"]["network"] == {"network": "(known after apply)", "name": "cater", "token": "(secret)"}
    assert attached["google"].written() == []


def test_layers_are_applied_in_order_and_then_unchanged(run: Run, attached: Attached) -> None:
    """Would catch a wrong order, outputs that do not arrive, or a second run that writes or calls too often."""
    result = run()
    assert not result["failed"], result["msg"]
    google = attached["google"]
    made = google.find(SQL)
    assert made["settings"][0]["ip_configuration"][0]["private_network"] == google.find("google_compute_network")["id"]
    assert google.written() == [("create", "google_compute_network"), ("create", SQL)]
    again = run()
    assert not again["failed"] and not again["changed"]
    assert again["calls"] <= 2 * 2
    assert again["outputs"]["database"]["database"] == "cater-db"
    assert len(google.written()) == 2
