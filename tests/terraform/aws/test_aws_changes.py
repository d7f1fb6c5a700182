# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that people make to a platform that runs: none of them may take anything away on the way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from aws_settings import FULL, folder
from tfprovider import Workspace, changes

Make = Callable[[Path], Workspace]
# Each is a revision; the one before is kept (skip_destroy).
REVISIONS = "aws_ecs_task_definition."

ECS = FULL["ecs"]["services"]
POOLS = FULL["eks"]["pools"]
DATABASE = FULL["aws_data"]["database"]
# Layer, what is called so, and what it changes.
NAMED: list[tuple[str, str, dict[str, Any]]] = [
    ("aws_network", "labels", {"labels": {"team": "ops"}}),
    ("aws_network", "one zone more", {"zones": 3}),
    ("aws_network", "one NAT gateway instead of several", {"nat": "one"}),
    ("aws_network", "endpoints", {"endpoints": ["ecr.api", "ecr.dkr", "logs"]}),
    ("aws_network", "logs kept longer", {"log_retention_days": 731}),
    ("ecs", "labels", {"labels": {"team": "ops"}}),
    ("ecs", "machine size", {"services": {**ECS, "web": {**ECS["web"], "cpu": 1024, "memory": 4096}}}),
    ("ecs", "another image", {"services": {**ECS, "web": {**ECS["web"], "image": "registry.example.org/web:2"}}}),
    ("ecs", "more copies", {"services": {**ECS, "web": {**ECS["web"], "min": 4, "max": 40}}}),
    ("ecs", "another health path", {"services": {**ECS, "web": {**ECS["web"], "health": "/ready"}}}),
    ("ecs", "one service more", {"services": {**ECS, "about": {"port": 8080, "paths": ["/about/*"]}}}),
    ("ecs", "a longer bake", {"bake_minutes": 60}),
    ("ecs", "in steps", {"strategy": "CANARY", "step_percent": 20}),
    ("ecs", "another value of a secret", {"services": {**ECS, "web": {**ECS["web"], "kept": {"TOKEN": 2}}}}),
    ("aws_data", "machine size", {"database": {**DATABASE, "machine": "db.m7g.large"}}),
    ("aws_data", "database flags", {"database": {**DATABASE, "settings": {"long_query_time": "5"}}}),
    ("aws_data", "a bigger disk", {"database": {**DATABASE, "disk": 100}}),
    ("aws_data", "backups kept longer", {"database": {**DATABASE, "backup_days": 30}}),
    ("aws_data", "one bucket more", {"buckets": ["shop-files", "shop-more"]}),
    ("eks", "labels", {"labels": {"team": "ops"}}),
    ("eks", "machine size", {"pools": {**POOLS, "main": {**POOLS["main"], "machine": "m7g.xlarge", "disk": 100}}}),
    ("eks", "more nodes", {"pools": {**POOLS, "main": {**POOLS["main"], "min": 4, "max": 20}}}),
    ("eks", "labels of nodes", {"pools": {**POOLS, "main": {**POOLS["main"], "labels": {"a": "b"}}}}),
    ("eks", "one pool more", {"pools": {**POOLS, "big": {"machine": "m7i.4xlarge"}}}),
    ("eks", "an upgrade", {"kubernetes_version": "1.37"}),
    ("eks", "who may do what", {"access": {}}),
    ("eks", "who reaches the control plane", {"authorized_networks": {"home": "192.0.2.0/24"}}),
]
MAY_GO = {
    "one NAT gateway instead of several": ("aws_eip.nat", "aws_nat_gateway.main"),
    "another image": ("aws_ecr_repository.main", "aws_ecr_lifecycle_policy.main"),
    "who may do what": ("aws_eks_access_entry.main", "aws_eks_access_policy_association.main"),
}


@pytest.mark.parametrize("layer", ["aws_network", "aws_data", "ecs", "eks"])
def test_a_named_change_replaces_nothing(workspace: Make, layer: str) -> None:
    """Would catch a change of size, labels or copies that takes a network, a database, a cluster or its nodes away."""
    made = workspace(folder(layer))
    made.variables({**FULL[layer], "zones": 2} if layer == "aws_network" else FULL[layer])
    made.plan()
    made.apply()
    for _layer, called, change in (entry for entry in NAMED if entry[0] == layer):
        base = {**FULL[layer], "zones": 2} if layer == "aws_network" else FULL[layer]
        made.variables({**base, **change})
        found = changes(made.plan("-refresh=false"))
        # Tags are the provider's defaults, which only the real provider adds to resources.
        assert found or called == "labels", f"{called} changes nothing"
        going = {
            address
            for address, actions in found.items()
            if "delete" in actions and not address.startswith((REVISIONS, *MAY_GO.get(called, ())))
        }
        assert going == set(), called


def test_a_change_that_must_replace_is_seen_as_one(workspace: Make) -> None:
    """Would catch a provider of these tests that replaces nothing, so that the test above could not fail."""
    made = workspace(folder("aws_network"))
    made.variables(FULL["aws_network"])
    made.plan()
    made.apply()
    made.variables({**FULL["aws_network"], "cidr": "10.80.0.0/16"})
    assert "delete" in changes(made.plan())["aws_vpc.main"]


def test_who_is_new_in_a_pool_comes_before_who_goes(workspace: Make) -> None:
    """Would catch a change of what EKS cannot change (spot or not) that drains every node before there is another."""
    made = workspace(folder("eks"))
    made.variables(FULL["eks"])
    made.plan()
    made.apply()
    made.variables({**FULL["eks"], "pools": {**POOLS, "cheap": {"spot": False, "min": 0}}})
    assert changes(made.plan())['aws_eks_node_group.pool["cheap"]'] == ["create", "delete"]


def test_a_release_is_not_taken_back(workspace: Make, attached: Any) -> None:
    """Would catch a run that puts the first revision, the first copies or the first weights back after a release."""
    made = workspace(folder("ecs"))
    made.variables(FULL["ecs"])
    made.plan()
    made.apply()
    cloud = attached["aws"]
    service = cloud.find("aws_ecs_service", name="web")
    cloud.change("aws_ecs_service", service["id"], task_definition="shop-web:7", desired_count=6)
    rules = [state for (kind, _id), state in cloud.world.items() if kind == "aws_lb_listener_rule"]
    assert len(rules) == 4
    for rule in rules:
        (action,) = rule["action"]
        (forward,) = action["forward"]
        groups = [{**group, "weight": 100 - group["weight"]} for group in forward["target_group"]]
        moved = [{**action, "forward": [{**forward, "target_group": groups}]}]
        cloud.change("aws_lb_listener_rule", rule["id"], action=moved)
    assert changes(made.plan()) == {}
