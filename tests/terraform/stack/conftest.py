# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack of two layers, and what its tests ask of it."""

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
output "nothing" { value = null }
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


class TwoLayers:
    """A network, and a database in it. `parameters` may be changed before a run."""

    def __init__(self, folder: Path, binary: str, env: dict[str, str]) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.network: dict[str, Any] = {
            "name": "network",
            "source": stacks.layer(folder / "n", NETWORK),
            "variables": {"name": "cater"},
            "secrets": {"token": "hunter22"},
        }
        self.database: dict[str, Any] = {
            "name": "database",
            "source": stacks.layer(folder / "d", DATABASE),
            "variables": {},
            "inputs": {
                "network": {"layer": "network", "output": "network"},
                "name": {"layer": "network", "output": "name"},
                "tier": {"layer": "network", "output": "nothing"},
            },
        }
        self.parameters: dict[str, Any] = {
            "name": "demo",
            "layers": [self.database, self.network],
            "work_dir": str(self.work),
            "binary": binary,
            "environment": dict(env),
            "lock_timeout": 0,
        }

    def __call__(self, check: bool = False, progress: Any = None, **more: Any) -> dict[str, Any]:
        return stacks.run({**self.parameters, **more}, check=check, progress=progress)


@pytest.fixture
def stack(tmp_path: Path, attached: Attached, binary: str) -> TwoLayers:
    """Not planned yet."""
    return TwoLayers(tmp_path, binary, attached.env)


Say = Callable[[dict[str, Any]], dict[str, str]]


@pytest.fixture
def actions() -> Say:
    """Each layer's action in a result."""
    return lambda result: {one["key"]: one["action"] for one in result["objects"]}
