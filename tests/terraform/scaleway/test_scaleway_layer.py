# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer kapsule by itself: valid, made, unchanged the second time, gone; its policies, changes and refusals."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scaleway_policies import RULES, breaches
from tfprovider import VERSIONS, CliError, Workspace, changes

Make = Callable[[Path], Workspace]
LAYER = Path(__file__).parents[3] / "roles" / "kapsule" / "files" / "kapsule"

PLAIN: dict[str, Any] = {"name": "bin-paris", "region": "fr-par"}
FULL: dict[str, Any] = {
    **PLAIN,
    "project": "11111111-2222-3333-4444-555555555555",
    "labels": {"team": "ops"},
    "pools": {"default": {"machine": "PRO2-S", "min": 2, "max": 6}, "far": {"zone": "fr-par-2", "min": 0}},
    "authorized_networks": {"office": "198.51.100.0/24"},
    "load_balancer_type": "LB-GP-M",
    "domain": "bin.example.org",
    "dns_zone": "example.org",
    "buckets": ["bin-files"],
    "registry": "bin-paris",
    "database": {"engine": "PostgreSQL-17", "names": ["httpbin"], "settings": {"max_connections": "100"}},
    "database_password": "long-enough-for-everybody",
    "secrets": ["session"],
    "alarm_emails": ["ops@example.org"],
    "monthly_budget": 300,
}


@pytest.mark.parametrize("given", [PLAIN, FULL], ids=["plain", "full"])
def test_the_layer_is_made_stays_as_it_is_and_goes(workspace: Make, given: dict[str, Any]) -> None:
    """Would catch a layer that is invalid, changes something at every run, cannot be destroyed, or breaks a policy."""
    made = workspace(LAYER)
    made.validate()
    made.variables(given)
    first = made.plan()
    assert breaches(first) == []
    made.apply()
    again = made.plan()
    assert changes(again) == {}
    assert breaches(again) == []
    made.destroy()
    assert "values" not in made.state()


def test_the_layers_own_tests_hold(workspace: Make) -> None:
    """Would catch a wrong value in a plan, and an input that is refused no more."""
    assert re.search(r"Success! [1-9]\d* passed", workspace(LAYER).test())


def test_the_provider_that_is_asked_for_is_one_that_is_tried() -> None:
    """Would catch a version constraint that the schemas of these tests do not meet: nothing else compares them."""
    (wanted,) = re.findall(r'version = "~> (\d+)\.(\d+)"', (LAYER / "versions.tf").read_text())
    major, minor, _patch = VERSIONS["scaleway/scaleway"].split(".")
    assert wanted[0] == major
    assert int(wanted[1]) <= int(minor)


SPOILED = [
    ("public_ip_disabled     = true", "public_ip_disabled = false", "nodes with public addresses"),
    ("  private_network_id = scaleway_vpc_private_network.main.id\n  pod_cidr", "  pod_cidr", "no private network"),
    ('  private_network {', '  load_balancer {\n  }\n  private_network {', "has a public endpoint"),
    ("${scaleway_vpc_public_gateway_ip.main.address}/32", "0.0.0.0/0", "everybody reaches the control plane"),
    ("bastion_enabled = false", "bastion_enabled = true", "answers to SSH"),
    ('"ContainerRegistryFullAccess"', '"AllProductsFullAccess"', "gives AllProductsFullAccess"),
    ("is_admin            = false", "is_admin = true", "an app administers"),
    ("  password_wo         = var.database_password\n  password_wo_version = var.database_password_version",
     "  password = var.database_password", "password in the state"),
    ("encryption_at_rest = true", "encryption_at_rest = false", "rdb_instance.main[0] is not encrypted"),
    ("for_each = var.buckets\n\n  bucket", "for_each = toset([])\n\n  bucket", "files\"] is not encrypted"),
    ("protected   = var.deletion_protection", "protected = false", "can be deleted"),
    ("force_destroy = false", "force_destroy = true", "deleted with what is in it"),
    ("delete_additional_resources = false", "delete_additional_resources = true", "takes volumes"),
    ("disable_backup            = false", "disable_backup = true", "has no backups"),
    ("backup_same_region = false", "backup_same_region = true", "backups where it is itself"),
    ("  versioning {\n    enabled = true", "  versioning {\n    enabled = false", "keeps no versions"),
    ("is_public   = false", "is_public = true", "is public"),
    ('acl           = "private"', 'acl = "public-read"', "is public-read"),
    ('toset(["logs", "metrics"])', 'toset(["metrics"])', "logs and metrics have no place"),
    ("autohealing            = true", "autohealing = false", "stays broken"),
    ("  name = var.name\n  tags = local.tags", "  name = var.name", "vpc.main does not say whose"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "instead", "sentence"), SPOILED, ids=[case[-1] for case in SPOILED])
def test_a_policy_sees_what_it_is_for(workspace: Make, written: str, instead: str, sentence: str) -> None:
    """Would catch a policy that passes whatever the layer says."""
    made = workspace(LAYER)
    texts = {file: file.read_text() for file in made.folder.glob("*.tf")}
    assert any(written in text for text in texts.values()), f"{written} is not in the layer any more"
    for file, text in texts.items():
        file.write_text(text.replace(written, instead))
    made.variables(FULL)
    assert sentence in "\n".join(breaches(made.plan()))


def test_every_policy_is_seen_to_fail() -> None:
    """Would catch a rule that is added without a case above that breaks it."""
    assert len(RULES) == 10


DATABASE, POOLS = FULL["database"], FULL["pools"]
NAMED: list[tuple[str, dict[str, Any]]] = [
    ("labels", {"labels": {"team": "sales"}}),
    ("machine size of the database", {"database": {**DATABASE, "node_type": "DB-PRO2-S"}}),
    ("disk of the database", {"database": {**DATABASE, "disk": 100}}),
    ("database flags", {"database": {**DATABASE, "settings": {"max_connections": "400"}}}),
    ("backups kept longer", {"database": {**DATABASE, "backup_days": 30}}),
    ("one database more", {"database": {**DATABASE, "names": ["httpbin", "more"]}}),
    ("another password", {"database_password": "another-long-password", "database_password_version": 2}),
    ("more nodes", {"pools": {**POOLS, "default": {**POOLS["default"], "min": 3, "max": 12}}}),
    ("one pool more", {"pools": {**POOLS, "big": {"machine": "PRO2-L"}}}),
    ("labels of nodes", {"pools": {**POOLS, "default": {**POOLS["default"], "labels": {"a": "b"}}}}),
    ("an upgrade", {"kubernetes_version": "1.37"}),
    ("who reaches the control plane", {"authorized_networks": {"home": "192.0.2.0/24"}}),
    ("one bucket more", {"buckets": ["bin-files", "bin-more"]}),
]
# A secret's version is one of many, as a revision is.
NEW_EACH_TIME = "scaleway_secret_version."


def test_a_named_change_replaces_nothing(workspace: Make) -> None:
    """Would catch a change of size, flags or labels that takes a cluster, its nodes, a database or a bucket away."""
    made = workspace(LAYER)
    made.variables(FULL)
    made.plan()
    made.apply()
    for called, change in NAMED:
        made.variables({**FULL, **change})
        found = changes(made.plan("-refresh=false"))
        assert found, f"{called} changes nothing"
        going = {address for address, actions in found.items() if "delete" in actions}
        assert {address for address in going if not address.startswith(NEW_EACH_TIME)} == set(), called


def test_other_machines_come_before_those_that_go(workspace: Make) -> None:
    """Would catch a change that Scaleway cannot make in place and that drains every node before there is another."""
    made = workspace(LAYER)
    made.variables(FULL)
    made.plan()
    made.apply()
    made.variables({**FULL, "pools": {**POOLS, "default": {**POOLS["default"], "machine": "PRO2-M"}}})
    found = changes(made.plan())
    assert found == {'scaleway_k8s_pool.main["default"]': ["create", "delete"]}


def test_an_autoscaler_is_not_worked_against(workspace: Make, attached: Any) -> None:
    """Would catch a run that takes away the nodes that the load asked for."""
    made = workspace(LAYER)
    made.variables(PLAIN)
    made.plan()
    made.apply()
    pool = attached["scaleway"].find("scaleway_k8s_pool")
    attached["scaleway"].change("scaleway_k8s_pool", pool["id"], size=6)
    assert changes(made.plan()) == {}


def test_a_password_is_in_no_state_that_terraform_shows(workspace: Make) -> None:
    """Would catch a password that an output, a plan or a diagnostic shows in the clear."""
    made = workspace(LAYER)
    made.variables(FULL)
    shown = made.run("plan", "-input=false", "-no-color", "-out=given.tfplan").stdout
    made.apply()
    shown += made.run("show", "-no-color").stdout + made.run("output", "-no-color").stdout
    assert FULL["database_password"] not in shown


WRONG = [
    ({"region": "fr-par-1"}, "fr-par-1 is a zone"),
    ({"zone": "nl-ams-1"}, "A zone of the region"),
    ({"cidr": "172.16.16.1/22"}, "The first address of a network"),
    ({"kubernetes_version": "1.36.2"}, "A minor such as 1.36"),
    ({"pools": {"a": {"min": 0}}}, "One pool at least has a node"),
    ({"pools": {"a": {"min": 5, "max": 3}}}, "min is not above max"),
    ({"authorized_networks": {"all": "0.0.0.0/0"}}, "not the whole world"),
    ({"database": {"engine": "PostgreSQL-17"}}, "needs the password of its user"),
    ({"database": {"engine": "postgres"}, "database_password": "long-enough-for-it"}, "such as PostgreSQL-17"),
    (
        {"database": {"engine": "MySQL-8", "backup_days": 0}, "database_password": "long-enough-for-it"},
        "a database without any is refused",
    ),
    ({"dns_zone": "example.com", "domain": "bin.example.org"}, "The domain is not in this zone"),
    ({"monthly_budget": 5}, "warns nobody"),
]


@pytest.mark.parametrize(("wrong", "sentence"), WRONG)
def test_what_is_wrong_is_said_before_anything_is_made(workspace: Make, wrong: dict[str, Any], sentence: str) -> None:
    """Would catch an input that is found wrong by the cloud, in the middle of an apply."""
    made = workspace(LAYER)
    made.variables({**PLAIN, **wrong})
    with pytest.raises(CliError) as caught:
        made.plan()
    assert sentence in re.sub(r"[\s│]+", " ", caught.value.output)
