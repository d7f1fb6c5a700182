# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What is never destroyed or replaced unless it is named."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from .changes import ResourceChange

# Databases, buckets, clusters, addresses, and what holds keys or names for all of them.
KINDS = frozenset({
    "google_project", "google_container_cluster", "google_sql_database_instance", "google_sql_database",
    "google_storage_bucket", "google_compute_address", "google_compute_global_address", "google_compute_network",
    "google_dns_managed_zone", "google_artifact_registry_repository", "google_secret_manager_secret",
    "google_kms_key_ring", "google_kms_crypto_key", "google_pubsub_topic", "google_compute_disk",
    "google_compute_region_disk", "google_gke_backup_backup_plan", "google_spanner_instance", "google_redis_instance",
    "google_alloydb_cluster", "google_bigquery_dataset", "aws_eks_cluster", "aws_ecs_cluster", "aws_db_instance",
    "aws_rds_cluster", "aws_s3_bucket", "aws_eip", "aws_vpc", "aws_route53_zone", "aws_ecr_repository",
    "aws_secretsmanager_secret", "aws_kms_key", "aws_dynamodb_table", "aws_ebs_volume", "aws_efs_file_system",
    "aws_elasticache_cluster", "aws_elasticache_replication_group", "aws_backup_vault", "scaleway_k8s_cluster",
    "scaleway_rdb_instance", "scaleway_rdb_database", "scaleway_object_bucket", "scaleway_lb_ip",
    "scaleway_instance_ip", "scaleway_vpc_public_gateway_ip", "scaleway_ipam_ip", "scaleway_registry_namespace",
    "scaleway_secret", "scaleway_key_manager_key", "scaleway_block_volume", "scaleway_domain_zone", "scaleway_vpc",
    "scaleway_vpc_private_network", "scaleway_redis_cluster", "scaleway_documentdb_instance",
    "scaleway_mongodb_instance",
})  # fmt: skip


def refusals(
    layer: str, changes: Iterable[ResourceChange], protected: Collection[str], allowed: Collection[str]
) -> Iterator[str]:
    """A sentence for each protected resource that would be lost and is not named in `allow`."""
    kinds = KINDS | set(protected)
    for change in changes:
        address = change.address.partition(" (")[0]
        names = {address, change.kind, f"{layer}:{address}", f"{layer}:{change.kind}"}
        if change.destroys and change.kind in kinds and not names & set(allowed):
            how = "destroyed and made anew" if change.action == "replace" else "destroyed"
            why = f" ({change.reason})" if change.reason else ""
            yield (
                f"layer {layer}: {address} would be {how}{why}, and what it holds would be lost; "
                f"name {address} in `allow` if that is meant"
            )
