# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules over planned resources of Google Cloud: each yields a sentence for what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Values = dict[str, Any]
Rule = Callable[[str, Values], Iterator[str]]

EVERYBODY = {"0.0.0.0/0", "::/0", "*"}
PRIMITIVE = {"roles/owner", "roles/editor", "roles/viewer"}
KEYS = {
    "google_artifact_registry_repository": "kms_key_name",
    "google_cloud_run_v2_service": "template.0.encryption_key",
    "google_container_cluster": "database_encryption.0.key_name",
    "google_container_node_pool": "node_config.0.boot_disk_kms_key",
    "google_gke_backup_backup_plan": "backup_config.0.encryption_key.0.gcp_kms_encryption_key",
    "google_pubsub_topic": "kms_key_name",
    "google_secret_manager_secret":
        "replication.0.user_managed.0.replicas.0.customer_managed_encryption.0.kms_key_name",
    "google_sql_database_instance": "encryption_key_name",
    "google_storage_bucket": "encryption.0.default_kms_key_name",
}  # fmt: skip
OWN_LABELS = {
    "google_monitoring_notification_channel": "user_labels",
    "google_sql_database_instance": "settings.0.user_labels",
}


def at(values: Any, path: str) -> Any:
    """A value by its path, such as settings.0.tier; None where there is none."""
    for step in path.split("."):
        if isinstance(values, list):
            values = values[int(step)] if int(step) < len(values) else None
        elif isinstance(values, dict):
            values = values.get(step)
        else:
            return None
    return values


def no_public_address(kind: str, values: Values) -> Iterator[str]:
    """Nodes and databases have private addresses only."""
    if kind == "google_container_cluster" and not at(values, "private_cluster_config.0.enable_private_nodes"):
        yield "nodes have public addresses"
    if kind == "google_container_node_pool" and not at(values, "network_config.0.enable_private_nodes"):
        yield "nodes have public addresses"
    if kind == "google_sql_database_instance" and at(values, "settings.0.ip_configuration.0.ipv4_enabled") is not False:
        yield "the database has a public address"
    if kind in ("google_compute_instance", "google_compute_instance_template"):
        for interface in values.get("network_interface") or ():
            if interface.get("access_config"):
                yield "a machine has a public address"


def nobody_from_everywhere(kind: str, values: Values) -> Iterator[str]:
    """Only load balancers answer to everybody."""
    if kind == "google_compute_firewall" and values.get("allow") and EVERYBODY & set(values.get("source_ranges") or ()):
        yield "lets everybody in"
    if kind == "google_container_cluster":
        for block in at(values, "master_authorized_networks_config.0.cidr_blocks") or ():
            if block["cidr_block"] in EVERYBODY:
                yield "everybody reaches the control plane"
        if at(values, "master_authorized_networks_config.0") is None:
            yield "the control plane does not ask where somebody is from"
        if at(values, "master_authorized_networks_config.0.gcp_public_cidrs_access_enabled") is not False:
            yield "every machine in Google Cloud reaches the control plane"
    if kind == "google_sql_database_instance":
        for network in at(values, "settings.0.ip_configuration.0.authorized_networks") or ():
            if network["value"] in EVERYBODY:
                yield "everybody reaches the database"


def least_privilege(kind: str, values: Values) -> Iterator[str]:
    """No role that reaches everything, no member that is everybody but for public files, no default account."""
    role = values.get("role")
    if role in PRIMITIVE or (kind == "google_project_iam_member" and str(role).endswith(("dmin", "admin"))):
        yield f"grants {role}"
    if kind.endswith(("_iam_binding", "_iam_policy")):
        yield "takes the role from everybody who is not named here"
    members = {values.get("member"), *(values.get("members") or ())}
    if members & {"allUsers", "allAuthenticatedUsers"} and (kind, role) != (
        "google_storage_bucket_iam_member",
        "roles/storage.legacyObjectReader",
    ):
        yield "is for everybody"


def no_key_files(kind: str, values: Values) -> Iterator[str]:
    """Nobody signs in with a file."""
    if kind in ("google_service_account_key", "google_storage_hmac_key", "google_compute_project_metadata"):
        yield "is a key that can be copied"
    if kind == "google_iam_workload_identity_pool_provider" and not values.get("attribute_condition"):
        yield "lets every repository of that server sign in"


def encrypted_on_the_way(kind: str, values: Values) -> Iterator[str]:
    """Nothing goes unencrypted over a network."""
    if kind == "google_sql_database_instance" and at(values, "settings.0.ip_configuration.0.ssl_mode") not in (
        "ENCRYPTED_ONLY",
        "TRUSTED_CLIENT_CERTIFICATE_REQUIRED",
    ):
        yield "takes unencrypted connections"
    if kind == "google_compute_ssl_policy" and values.get("min_tls_version") not in ("TLS_1_2", "TLS_1_3"):
        yield "takes TLS older than 1.2"
    if kind == "google_compute_target_https_proxy" and "ssl_policy" in values and values["ssl_policy"] is None:
        yield "has no TLS policy"
    redirects = kind == "google_compute_url_map" and values.get("name", "").endswith("-redirect")
    if redirects and not at(values, "default_url_redirect.0.https_redirect"):
        yield "does not lead to HTTPS"
    if kind == "google_monitoring_uptime_check_config" and not at(values, "http_check.0.use_ssl"):
        yield "asks without TLS"


def protected(kind: str, values: Values) -> Iterator[str]:
    """What holds data or serves users is not destroyed by mistake."""
    guarded = kind in ("google_container_cluster", "google_sql_database_instance", "google_cloud_run_v2_service")
    if guarded and values.get("deletion_protection") is not True:
        yield "may be destroyed"
    if kind == "google_sql_database_instance" and not at(values, "settings.0.deletion_protection_enabled"):
        yield "may be destroyed in the console"
    if kind == "google_secret_manager_secret" and not values.get("deletion_protection"):
        yield "may be destroyed"
    if kind == "google_project" and values.get("deletion_policy") != "PREVENT":
        yield "may be destroyed"
    if kind == "google_storage_bucket" and values.get("force_destroy") is not False:
        yield "may be destroyed with what is in it"


def backed_up(kind: str, values: Values) -> Iterator[str]:
    """What was written yesterday can be had today."""
    if kind == "google_sql_database_instance":
        backup = at(values, "settings.0.backup_configuration.0") or {}
        if not backup.get("enabled"):
            yield "has no backups"
        if not (backup.get("point_in_time_recovery_enabled") or backup.get("binary_log_enabled")):
            yield "cannot be restored to any moment"
        if not at(values, "settings.0.retain_backups_on_delete"):
            yield "takes its backups with it"
    if kind == "google_container_cluster" and not at(values, "addons_config.0.gke_backup_agent_config.0.enabled"):
        yield "cannot be backed up"
    if kind == "google_gke_backup_backup_plan":
        for what in ("all_namespaces", "include_volume_data", "include_secrets"):
            if not at(values, f"backup_config.0.{what}"):
                yield f"does not {what.replace('_', ' ')}"
    if kind == "google_storage_bucket" and not (at(values, "versioning.0.enabled") or values.get("retention_policy")):
        yield "keeps no old versions"


def logged(kind: str, values: Values) -> Iterator[str]:
    """Who did what is told afterwards."""
    if kind == "google_compute_subnetwork" and values.get("purpose") is None and not values.get("log_config"):
        yield "does not log its flows"
    if kind == "google_compute_router_nat" and not at(values, "log_config.0.enable"):
        yield "does not log"
    if kind == "google_compute_backend_service" and not at(values, "log_config.0.enable"):
        yield "does not log its requests"
    if kind == "google_compute_firewall" and values.get("deny") and not values.get("log_config"):
        yield "does not log what it keeps out"
    if kind == "google_container_cluster":
        told = set(at(values, "logging_config.0.enable_components") or ())
        if missing := {"APISERVER", "WORKLOADS", "SYSTEM_COMPONENTS"} - told:
            yield f"does not log {', '.join(sorted(missing))}"
    if kind == "google_sql_database_instance" and str(values.get("database_version")).startswith("POSTGRES"):
        flags = {flag["name"]: flag["value"] for flag in at(values, "settings.0.database_flags") or ()}
        for flag in ("log_connections", "log_disconnections", "cloudsql.enable_pgaudit"):
            if flags.get(flag) != "on":
                yield f"has {flag} off"


def hardened(kind: str, values: Values) -> Iterator[str]:
    """Nodes boot what they should, pods do not see the nodes' account, buckets are not public."""
    if kind == "google_container_node_pool":
        if not at(values, "node_config.0.shielded_instance_config.0.enable_secure_boot"):
            yield "nodes boot without checking what"
        if at(values, "node_config.0.workload_metadata_config.0.mode") != "GKE_METADATA":
            yield "pods get the nodes' account"
    if kind == "google_container_cluster" and not at(values, "workload_identity_config.0.workload_pool"):
        yield "pods have no identity of their own"
    if kind == "google_storage_bucket":
        if not values.get("uniform_bucket_level_access"):
            yield "has rights for single files"
        if values.get("public_access_prevention") != "enforced" and not values.get("website"):
            yield "could be made public"


def labelled(kind: str, values: Values) -> Iterator[str]:
    """Everything that can have labels says whose it is."""
    name = OWN_LABELS.get(kind) or next((name for name in ("labels", "resource_labels") if name in values), None)
    if name is not None and (at(values, name) or {}).get("managed-by") != "socle":
        yield "has no labels"


RULES: tuple[Rule, ...] = (
    no_public_address,
    nobody_from_everywhere,
    least_privilege,
    no_key_files,
    encrypted_on_the_way,
    protected,
    backed_up,
    logged,
    hardened,
    labelled,
)
