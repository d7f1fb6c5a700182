# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every plan of Google's layers keeps to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import policies
from settings import CASES, KEY
from tfprovider import planned

Plans = dict[tuple[str, str], dict[str, Any]]

# For each rule, resources that break it: what a rule does not see, it does not forbid.
BAD: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "no_public_address": [
        ("google_container_cluster", {"private_cluster_config": []}),
        ("google_container_node_pool", {"network_config": [{"enable_private_nodes": False}]}),
        ("google_sql_database_instance", {"settings": [{"ip_configuration": [{"ipv4_enabled": True}]}]}),
        ("google_sql_database_instance", {"settings": [{}]}),
        ("google_compute_instance", {"network_interface": [{"access_config": [{}]}]}),
    ],
    "nobody_from_everywhere": [
        ("google_compute_firewall", {"allow": [{"protocol": "tcp"}], "source_ranges": ["10.0.0.0/8", "0.0.0.0/0"]}),
        ("google_container_cluster", {}),
        (
            "google_sql_database_instance",
            {"settings": [{"ip_configuration": [{"authorized_networks": [{"value": "0.0.0.0/0"}]}]}]},
        ),
    ],
    "least_privilege": [
        ("google_project_iam_member", {"role": "roles/editor", "member": "user:a@example.org"}),
        ("google_project_iam_member", {"role": "roles/container.admin", "member": "user:a@example.org"}),
        ("google_project_iam_binding", {"role": "roles/run.invoker", "members": ["user:a@example.org"]}),
        ("google_storage_bucket_iam_member", {"role": "roles/storage.objectViewer", "member": "allUsers"}),
    ],
    "no_key_files": [
        ("google_service_account_key", {}),
        ("google_iam_workload_identity_pool_provider", {"attribute_condition": ""}),
    ],
    "encrypted_on_the_way": [
        ("google_sql_database_instance", {"settings": [{"ip_configuration": [{}]}]}),
        ("google_compute_ssl_policy", {"min_tls_version": "TLS_1_0"}),
        ("google_compute_target_https_proxy", {"ssl_policy": None}),
        ("google_compute_url_map", {"name": "a-redirect"}),
    ],
    "protected": [
        ("google_container_cluster", {"deletion_protection": False}),
        ("google_sql_database_instance", {"deletion_protection": True, "settings": [{}]}),
        ("google_cloud_run_v2_service", {}),
        ("google_secret_manager_secret", {"deletion_protection": False}),
        ("google_project", {"deletion_policy": "DELETE"}),
        ("google_storage_bucket", {"force_destroy": True}),
    ],
    "backed_up": [
        ("google_sql_database_instance", {"settings": [{"backup_configuration": [{"enabled": True}]}]}),
        ("google_container_cluster", {"addons_config": []}),
        ("google_gke_backup_backup_plan", {"backup_config": [{"all_namespaces": True}]}),
        ("google_storage_bucket", {"versioning": []}),
    ],
    "logged": [
        ("google_compute_subnetwork", {"log_config": []}),
        ("google_compute_router_nat", {}),
        ("google_compute_backend_service", {"log_config": [{"enable": False}]}),
        ("google_compute_firewall", {"deny": [{"protocol": "all"}]}),
        ("google_container_cluster", {"logging_config": [{"enable_components": ["SYSTEM_COMPONENTS"]}]}),
        ("google_sql_database_instance", {"database_version": "POSTGRES_17", "settings": [{"database_flags": []}]}),
    ],
    "hardened": [
        ("google_container_node_pool", {"node_config": [{}]}),
        ("google_container_cluster", {}),
        ("google_storage_bucket", {"uniform_bucket_level_access": True}),
    ],
    "labelled": [
        ("google_pubsub_topic", {"labels": {"platform": "shop"}}),
        ("google_sql_database_instance", {"settings": [{}]}),
        ("google_container_cluster", {"resource_labels": None}),
    ],
}


@pytest.mark.parametrize("rule", policies.RULES, ids=lambda rule: rule.__name__)
def test_every_plan_keeps_to(plans: Plans, rule: policies.Rule) -> None:
    """Catches a layer that would build something which this rule forbids."""
    breaches = []
    for (layer, kind), plan in plans.items():
        resources = planned(plan)
        assert resources
        for address, values in resources.items():
            type_ = address.split(".")[0]
            breaches += [f"{layer} ({kind}) {address}: {sentence}" for sentence in rule(type_, values)]
    assert breaches == []


@pytest.mark.parametrize("rule", policies.RULES, ids=lambda rule: rule.__name__)
def test_each_rule_sees_what_it_forbids(rule: policies.Rule) -> None:
    """Catches a rule that passes because it looks nowhere."""
    for kind, values in BAD[rule.__name__]:
        assert list(rule(kind, values)), (kind, values)


def test_a_key_of_ones_own_reaches_everything_that_is_stored(plans: Plans) -> None:
    """Catches stored data that stays under Google's own key although a customer's key was given."""
    seen = set()
    for case in CASES:
        if case[1] != "full" or case[0] == "gcp_project":
            continue
        for address, values in planned(plans[case]).items():
            kind = address.split(".")[0]
            if kind in policies.KEYS:
                seen.add(kind)
                assert policies.at(values, policies.KEYS[kind]) == KEY, address
    assert seen == set(policies.KEYS)


def test_a_cluster_has_a_backup_plan(plans: Plans) -> None:
    """Catches a cluster that can be backed up and is not."""
    for kind in ("plain", "full"):
        types = [address.split(".")[0] for address in planned(plans["gke", kind])]
        assert types.count("google_gke_backup_backup_plan") == types.count("google_container_cluster") == 1


def test_the_project_logs_who_reads(plans: Plans) -> None:
    """Catches an audit log that does not tell who read the data."""
    (config,) = (
        values
        for address, values in planned(plans["gcp_project", "plain"]).items()
        if address.startswith("google_project_iam_audit_config")
    )
    assert config["service"] == "allServices"
    assert {entry["log_type"] for entry in config["audit_log_config"]} == {"ADMIN_READ", "DATA_READ", "DATA_WRITE"}
