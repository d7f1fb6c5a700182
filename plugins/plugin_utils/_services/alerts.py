# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Alerts beyond those of the charts, only on measurements that some program of the platform really gives."""

from __future__ import annotations

from typing import Any

Rule = dict[str, Any]


def _rule(name: str, expression: str, wait: str, severity: str, summary: str, todo: str) -> Rule:
    return {
        "alert": name,
        "expr": expression,
        "for": wait,
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "description": todo},
    }


RULES: dict[str, tuple[str, list[Rule]]] = {
    "platform.certificates": (
        "certificates",
        [
            _rule(
                "CertificateEndsSoon",
                "certmanager_certificate_expiration_timestamp_seconds - time() < 14 * 86400",
                "1h",
                "warning",
                "Certificate {{ $labels.namespace }}/{{ $labels.name }} ends in less than 14 days",
                "It should have been renewed a month before its end: look at its CertificateRequest and Challenge.",
            ),
            _rule(
                "CertificateNotReady",
                'certmanager_certificate_ready_status{condition="False"} == 1',
                "30m",
                "critical",
                "Certificate {{ $labels.namespace }}/{{ $labels.name }} is not ready",
                "kubectl describe certificate says what it waits for.",
            ),
        ],
    ),
    "platform.backups": (
        "backup",
        [
            _rule(
                "BackupTooOld",
                'time() - max by (schedule) (velero_backup_last_successful_timestamp{schedule!=""}) > 2 * 86400',
                "1h",
                "critical",
                "The last good backup of schedule {{ $labels.schedule }} is older than two days",
                "velero backup get, then velero backup logs of the newest one, say why.",
            ),
            _rule(
                "BackupFailed",
                'increase(velero_backup_failure_total{schedule!=""}[1d]) > 0',
                "5m",
                "warning",
                "A backup of schedule {{ $labels.schedule }} failed",
                "velero backup logs of the newest one says why.",
            ),
        ],
    ),
    "platform.postgres": (
        "postgres",
        [
            _rule(
                "PostgresReplicaLags",
                "cnpg_pg_replication_lag > 300",
                "10m",
                "warning",
                "PostgreSQL {{ $labels.pod }} is more than five minutes behind",
                "kubectl cnpg status shows what it waits for.",
            )
        ],
    ),
    "platform.secrets": (
        "secrets",
        [
            _rule(
                "SecretNotBrought",
                'externalsecret_status_condition{condition="Ready",status="False"} == 1',
                "15m",
                "critical",
                "ExternalSecret {{ $labels.namespace }}/{{ $labels.name }} is not brought",
                "kubectl describe externalsecret says what the server answered.",
            )
        ],
    ),
    "platform.delivery": (
        "monitoring",
        [
            _rule(
                "ApplicationNotSynced",
                'argocd_app_info{sync_status!="Synced"} == 1',
                "30m",
                "warning",
                "Application {{ $labels.name }} is {{ $labels.sync_status }}",
                "Argo CD shows which object differs, and who changed it.",
            ),
            _rule(
                "ApplicationNotHealthy",
                'argocd_app_info{health_status!~"Healthy|Progressing|Suspended"} == 1',
                "15m",
                "critical",
                "Application {{ $labels.name }} is {{ $labels.health_status }}",
                "Argo CD shows the object that is not, and its events.",
            ),
        ],
    ),
}
