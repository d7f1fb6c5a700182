# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clouds of AWS and Scaleway: what their checks refuse, and what their layers get."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping_clouds_aws import aws
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping_clouds_scaleway import scaleway

from .helpers import read, told

SHOP = """
plugin: socle.platform.manifest
platform: {name: shop, domain: shop.example.org, labels: {team: sales}}
people: {ada: {admin: true, email: ada@example.org}, bob: {email: bob@example.org}}
clouds:
  paris: {kind: ecs, region: eu-west-3, dns_zone: example.org, test_path: /next, bake: 90s, monthly_budget: 500}
delivery:
  github: {organisation: example}
  environments: {production: {gate: manual, release: blue_green, domain: www.example.org}}
apps:
  web: {port: 8000, health: /health, scale: {min: 2, max: 8}}
"""
BIN = """
plugin: socle.platform.manifest
platform: {name: bin, domain: bin.example.org}
clouds:
  warsaw: {kind: kapsule, region: pl-waw, database: {mysql: "8.4", disk: 10.5 GiB}, object_storage: [bin-files]}
delivery:
  github: {organisation: example}
  environments: {production: {gate: manual}}
apps:
  api: {needs: [mysql]}
"""


def layers_of(text: str, changes: dict[str, Any] | None = None) -> Any:
    result = read(changes or {}, text)
    assert result.errors == []
    (name,) = result.platform.manifest.clouds
    kind = result.platform.manifest.clouds[name].kind
    return (scaleway if kind == "kapsule" else aws)(result.platform, name)


@pytest.mark.parametrize(
    ("cloud", "path", "sentence"),
    [
        ({"kind": "ecs", "region": "eu-west-3", "network": "10.60.0.0/24"}, "network", "room for 2 zones, not for 3"),
        (
            {"kind": "eks", "region": "eu-west-3", "network": "10.60.0.0/23", "zones": 5},
            "network",
            "room for 4 zones, not for 5",
        ),
        (
            {"kind": "eks", "region": "eu-west-3", "authorized_networks": {"all": "0.0.0.0/0"}},
            "authorized_networks.all",
            "everybody reaches the control plane",
        ),
        (
            {"kind": "kapsule", "region": "fr-par", "authorized_networks": {"all": "0.0.0.0/0"}},
            "authorized_networks.all",
            "everybody reaches the control plane",
        ),
        (
            {"kind": "eks", "region": "eu-west-3", "database": {"postgres": "17", "databases": ["a", "b"]}},
            "database.databases",
            "RDS makes one database",
        ),
        ({"kind": "kapsule", "region": "fr-par", "pools": {"a": {"spot": True}}}, "pools.a.spot", "Scaleway has no"),
    ],
)
def test_what_no_layer_would_take_is_refused_before(cloud: dict[str, Any], path: str, sentence: str) -> None:
    """Would catch a manifest that is found wrong only when Terraform plans it."""
    result = read({"clouds": {"x": cloud}}, SHOP)
    assert any(entry.dotted() == f"clouds.x.{path}" for entry in result.errors)
    assert sentence in told(result, f"clouds.x.{path}")


def test_a_service_gets_what_its_app_says() -> None:
    """Would catch a port, a path of tests or a wait that the manifest says and the service never has."""
    layers, variables = layers_of(SHOP, {"apps.web.secrets": {"TOKEN": "hush-hush"}, "apps.web.path": "/shop"})
    assert layers == ["aws_network", "ecs"]
    assert variables["ecs_services"] == {
        "web": {
            "port": 8000,
            "protocol": "http",
            "health": "/health",
            "paths": ["/shop", "/shop/*"],
            "hosts": [],
            "min": 2,
            "max": 8,
            "cpu_target": 70,
            "environment": {},
            "kept": {"TOKEN": 1},
            "database": False,
        }
    }
    assert variables["ecs_secret_values"] == {"web/TOKEN": "hush-hush"}
    assert variables["ecs_bake_minutes"] == 2
    assert variables["ecs_strategy"] == "BLUE_GREEN"
    assert variables["ecs_domain"] == "www.example.org"
    assert variables["ecs_labels"] == {"team": "sales", "cloud": "paris"}
    assert variables["aws_network_name"] == variables["ecs_name"] == "shop-paris"


def test_what_is_kept_is_a_layer_of_its_own() -> None:
    """Would catch a database or a bucket that the manifest names and nobody makes, and an app that never finds it."""
    cloud = {
        "clouds.paris.database": {"postgres": "17", "disk": "5 GiB"},
        "clouds.paris.object_storage": ["shop-files"],
    }
    layers, variables = layers_of(SHOP, {**cloud, "apps.web.needs": ["postgres"]})
    assert layers == ["aws_network", "aws_data", "ecs"]
    assert variables["aws_data_database"] == {
        "engine": "postgres",
        "version": "17",
        "disk": 20,
        "ha": True,
        "backup_days": 7,
        "name": "web",
    }
    assert variables["aws_data_buckets"] == ["shop-files"]
    assert variables["ecs_services"]["web"]["database"] is True


def test_those_who_run_the_platform_are_warned() -> None:
    """Would catch a budget that warns nobody, or everybody."""
    _layers, variables = layers_of(SHOP)
    assert variables["aws_network_budget_emails"] == ["ada@example.org"]
    assert variables["aws_network_monthly_budget"] == 500
    _layers, variables = layers_of(SHOP, {"people": {}})
    assert "aws_network_monthly_budget" not in variables


def test_several_apps_are_told_apart_by_their_names() -> None:
    """Would catch two services of which one gets the other's requests."""
    _layers, variables = layers_of(SHOP, {"apps.api": {"port": 8080}, "apps.web.host": "www.example.org"})
    hosts = {name: service["hosts"] for name, service in variables["ecs_services"].items()}
    assert hosts == {"web": ["www.example.org"], "api": ["api.www.example.org"]}


def test_an_app_with_nothing_to_say_has_no_port() -> None:
    """Would catch a worker put behind the load balancer, where it is never healthy."""
    _layers, variables = layers_of(SHOP, {"apps.web.protocol": "none"})
    assert "port" not in variables["ecs_services"]["web"]


def test_pools_of_eks_have_machines_of_whole_sizes() -> None:
    """Would catch a mode of pools without one, and a disk in another unit."""
    changes = {"clouds": {"x": {"kind": "eks", "region": "eu-west-1", "mode": "pools"}}}
    _layers, variables = layers_of(SHOP, changes)
    assert variables["eks_pools"] == {"default": {"min": 1, "max": 3, "disk": 50, "spot": False, "labels": {}}}
    changes["clouds"]["x"]["pools"] = {"a": {"machine": "m7g.large", "disk": "0.5 TiB"}}
    _layers, variables = layers_of(SHOP, changes)
    assert variables["eks_pools"]["a"]["disk"] == 512


def test_a_database_of_kapsule_gets_its_password_from_the_secrets() -> None:
    """Would catch a password in the inventory, and databases that nobody asked for."""
    layers, variables = layers_of(BIN)
    assert layers == ["kapsule"]
    assert variables["kapsule_database"] == {
        "engine": "MySQL-8",
        "disk": 11,
        "ha": True,
        "backup_days": 7,
        "names": ["api"],
    }
    assert variables["kapsule_database_password"] == "{{ lookup('socle.platform.secret', 'clouds/warsaw/database') }}"
    assert variables["kapsule_buckets"] == ["bin-files"]
    assert "kapsule_pools" not in variables


def test_names_of_two_clouds_never_meet() -> None:
    """Would catch two clouds of one account that make the same role, also where the names are too long to be kept."""
    long = {"kind": "ecs", "region": "eu-west-3", "dns_zone": "example.org"}
    first, second = "the-first-of-two-long-cloud-names", "the-first-of-two-long-cloud-namez"
    result = read({"clouds": {first: long, second: {**long, "network": "10.80.0.0/16"}}}, SHOP)
    names = {aws(result.platform, name)[1]["ecs_name"] for name in (first, second)}
    assert len(names) == 2
    assert all(len(name) <= 32 for name in names)
