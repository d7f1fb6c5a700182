# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clouds of Google: what their checks refuse, and what their layers get."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping_clouds_google import google

from .helpers import REMOVED, read, told

SHOP = """
plugin: socle.platform.manifest
platform: {name: shop, domain: shop.example.org, labels: {team: sales}}
secrets: {generate: {web/session: {kind: key32}}}
people: {ada: {admin: true, email: ada@example.org}, bob: {email: bob@example.org}}
clouds:
  paris: {kind: cloud_run, project: shop-prod-1, region: europe-west9, max_instances: 5}
delivery:
  github: {organisation: example}
  environments: {production: {gate: manual, tags: v1.*}}
apps:
  web: {port: 8000, scale: {min: 2, max: 8}, secrets: {SESSION: {secret: web/session}}}
  api: {protocol: grpc, port: 50051, repository: https://github.com/other/api.git}
  ready: {image: registry.example.org/ready:1}
"""
GKE = """
plugin: socle.platform.manifest
platform: {name: shop, domain: shop.example.org}
clouds:
  ghent: {kind: gke, project: shop-prod-1, region: europe-west1}
delivery:
  github: {organisation: example}
  environments: {staging: {branch: main, domain: staging.example.org}, production: {gate: manual, branch: live}}
apps:
  web: {port: 8000}
"""


def layers_of(text: str, changes: dict[str, Any] | None = None, cloud: str | None = None) -> Any:
    result = read(changes or {}, text)
    assert result.errors == []
    name = cloud or next(iter(result.platform.manifest.clouds))
    return google(result.platform, name)


def test_a_cloud_has_the_layers_that_its_sections_ask_for() -> None:
    """Catches a layer that is made though nobody wants it, and an order in which one comes before what it needs."""
    layers, _variables = layers_of(GKE)
    assert layers == ["gcp_project", "gcp_network", "gcp_delivery", "gke"]
    wanted = {
        "clouds.ghent.database": {"postgres": "17"},
        "clouds.ghent.pubsub": {"topics": {"available": {}}},
        "clouds.ghent.load_balancer": {"domains": ["www.example.org"]},
    }
    layers, variables = layers_of(GKE, wanted)
    assert layers[2] == "gcp_database"
    assert layers[-3:] == ["gke", "gcp_pubsub", "gcp_load_balancer"]
    assert {variables[f"{layer}_project"] for layer in layers} == {"shop-prod-1"}
    assert {variables[f"{layer}_labels"]["cloud"] for layer in layers} == {"ghent"}


def test_names_are_the_platforms_own() -> None:
    """Catches two clouds, or two platforms in one project, that take each other's network, cluster or accounts."""
    others = {"clouds.paris": {"kind": "gke", "project": "shop-prod-1", "region": "europe-west9"}}
    _layers, one = layers_of(GKE, others, "ghent")
    _layers, other = layers_of(GKE, others, "paris")
    for name in ("gke_name", "gcp_network_name", "gcp_project_federation_pool", "gcp_delivery_name"):
        assert name not in one or one[name] != other.get(name), name
    long = {"clouds": {f"a-rather-long-name-{end}": others["clouds.paris"] for end in "xy"}}
    names = {layers_of(GKE, long, cloud)[1]["gcp_network_name"] for cloud in long["clouds"]}
    assert len(names) == 2
    assert all(len(name) <= 26 for name in names)


def test_a_service_is_what_the_app_says() -> None:
    """Catches a service with more copies than the cloud may have, with a secret's value in its variables, or shut."""
    _layers, variables = layers_of(SHOP)
    web, api, ready = (variables["cloud_run_services"][name] for name in ("web", "api", "ready"))
    assert (web["min"], web["max"], web["port"], web["ingress"]) == (2, 5, 8000, "all")
    assert web["secrets"] == {"SESSION": "web-session"}
    assert web["variables"] == {}
    assert variables["gcp_delivery_secrets"] == {"web-session": {"version": 1}}
    assert variables["gcp_delivery_secret_values"]["web-session"].secret == "web/session"
    assert (api["protocol"], api["port"]) == ("grpc", 50051)
    assert (ready["image"], ready["health"]) == ("registry.example.org/ready:1", "/healthz")
    assert "health" not in web


def test_pipelines_sign_in_from_their_own_repositories() -> None:
    """Catches a pipeline of an app that is built elsewhere, or of another cloud, that could sign in here."""
    _layers, variables = layers_of(SHOP)
    github = variables["gcp_project_federation"]["github"]
    assert github["repositories"] == ["example/web", "other/api"]
    assert github["refs"] == []
    assert variables["cloud_run_deployers"] == [
        "serviceAccount:shop-paris-deployer@shop-prod-1.iam.gserviceaccount.com"
    ]
    _layers, variables = layers_of(GKE)
    assert variables["gcp_project_federation"]["github"]["refs"] == ["refs/heads/live", "refs/heads/main"]
    _layers, variables = layers_of(GKE, {"delivery.github": REMOVED})
    assert "gcp_project_federation" not in variables
    assert variables["gke_deployers"] == {}


def test_a_trigger_waits_for_the_tag_and_for_a_hand() -> None:
    """Catches a pattern that matches another tag, and a trigger that builds production without a gate's hand."""
    _layers, variables = layers_of(SHOP)
    assert set(variables["gcp_delivery_builds"]) == {"web", "api"}
    trigger = variables["gcp_delivery_builds"]["web"]
    assert (trigger["tag"], trigger["approval"]) == ("^v1[.].*$", True)
    assert trigger["repository"].endswith("/connections/github/repositories/example-web")
    assert layers_of(SHOP, {"clouds.paris.build": False})[1]["gcp_delivery_builds"] == {}


def test_a_database_has_a_user_for_each_app_that_asks() -> None:
    """Catches an app without its password, and a log that is kept for longer than the backups it needs."""
    _layers, variables = layers_of(
        SHOP,
        {"clouds.paris.database": {"postgres": "17", "backups": "3d", "disk": "5 GiB"}, "apps.web.needs": ["postgres"]},
    )
    assert variables["gcp_database_users"] == {"web": 1}
    assert variables["gcp_database_databases"] == ["web"]
    assert (variables["gcp_database_backup_days"], variables["gcp_database_log_days"]) == (3, 3)
    assert variables["gcp_database_disk"] == 10
    web = variables["cloud_run_services"]["web"]
    assert web["secrets"]["DATABASE_PASSWORD"] == "shop-paris-web"
    assert web["databases"] == ["shop-prod-1:europe-west9:shop-paris"]
    assert variables["gcp_network_private_services"]
    assert "DATABASE_PASSWORD" not in variables["cloud_run_services"]["api"]["secrets"]


def test_each_app_is_found_at_one_place() -> None:
    """Catches two apps at one name and path, gRPC below a prefix that no client asks for."""
    balancer = {"clouds.paris.load_balancer": {"domains": ["www.example.org"]}}
    _layers, variables = layers_of(SHOP, balancer)
    found = variables["gcp_load_balancer_backends"]
    assert (found["web"]["path"], found["ready"]["path"], found["api"]["path"]) == ("/web", "/ready", "/")
    assert {service["ingress"] for service in variables["cloud_run_services"].values()} == {"load_balancer"}
    named = {**balancer, "delivery.environments.production.domain": "www.example.org"}
    _layers, variables = layers_of(SHOP, named)
    assert variables["gcp_load_balancer_backends"]["api"]["domains"] == ["api.www.example.org"]
    assert "api.www.example.org" in variables["gcp_load_balancer_domains"]
    _layers, variables = layers_of(GKE, {"clouds.ghent.load_balancer": {"domains": ["staging.example.org"]}})
    assert variables["gcp_load_balancer_backends"] == {}, "a Gateway makes it"
    grpc = {"domains": ["staging.example.org"], "grpc": True}
    _layers, variables = layers_of(GKE, {"clouds.ghent.load_balancer": grpc, "apps.web.protocol": "grpc"})
    (backend,) = variables["gcp_load_balancer_backends"].values()
    assert backend["zones"] == ["europe-west1-b", "europe-west1-c", "europe-west1-d"]
    assert (backend["domains"], backend["grpc"]) == (["staging.example.org"], True)


def test_peers_keep_their_addresses() -> None:
    """Catches two networks that are joined although their addresses meet, and one that is joined from one side only."""
    other = {"kind": "gke", "project": "shop-prod-2", "region": "europe-west4", "peers": ["ghent"]}
    other["network"] = {
        "nodes": "10.40.0.0/20", "pods": "10.44.0.0/14", "services": "10.48.0.0/20", "control_plane": "10.49.0.0/28",
        "private_services": "10.50.0.0/20",
    }  # fmt: skip
    changes = {"clouds.ghent.peers": ["delft"], "clouds.delft": other}
    _layers, here = layers_of(GKE, changes, "ghent")
    _layers, there = layers_of(GKE, changes, "delft")
    assert here["gcp_network_peers"] == {"delft": f"projects/shop-prod-2/global/networks/{there['gcp_network_name']}"}
    assert there["gcp_network_peers"] == {"ghent": f"projects/shop-prod-1/global/networks/{here['gcp_network_name']}"}
    assert {"10.40.0.0/20", "10.44.0.0/14"} <= set(here["gcp_network_reserved"].values())


@pytest.mark.parametrize(
    ("changes", "path", "sentence"),
    [
        ({"clouds.ghent.monthly_budget": 100}, "clouds.ghent.monthly_budget", "it needs billing"),
        ({"clouds.ghent.create_project": True}, "clouds.ghent.create_project", "a new project needs parent"),
        (
            {"clouds.ghent.database": {"postgres": "17", "backups": "60w"}},
            "clouds.ghent.database.backups",
            "longer than Google keeps them",
        ),
        (
            {"clouds.ghent.pubsub": {"topics": {"available": {"retention": "40d"}}}},
            "clouds.ghent.pubsub.topics.available.retention",
            "between 10m and 31d",
        ),
        ({"clouds.ghent.load_balancer": {"grpc": True}}, "clouds.ghent.load_balancer", "has no certificate"),
        (
            {"clouds.ghent.authorized_networks": {"all": "0.0.0.0/0"}},
            "clouds.ghent.authorized_networks.all",
            "everybody reaches the control plane",
        ),
        (
            {"clouds.paris": {"kind": "cloud_run", "project": "shop-prod-1", "region": "europe-west9"}},
            "clouds.paris.project",
            "is ghent's too",
        ),
        (
            {
                "clouds.paris": {"kind": "ecs", "region": "eu-west-3"},
                "clouds.ghent.peers": ["paris"],
            },
            "clouds.ghent.peers[0]",
            "only networks of Google are joined",
        ),
    ],
)  # fmt: skip
def test_what_a_layer_would_refuse_is_said_before(changes: dict[str, Any], path: str, sentence: str) -> None:
    """Catches a manifest that is called valid and fails when half of the cloud is there."""
    assert sentence in told(read(changes, GKE), path)
