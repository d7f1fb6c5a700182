# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a manifest's section services to variables of roles, and to what runs where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.base import SecretRef
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping import inventory
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file
from ansible_collections.socle.platform.plugins.plugin_utils._services.declaration import CatalogueError
from ansible_collections.socle.platform.plugins.plugin_utils._services.platform import platform
from ansible_collections.socle.platform.plugins.plugin_utils._services.services import chosen, service

from .conftest import ROOT

HEAD = """
plugin: socle.platform.manifest
platform: {name: cater, domain: cater.example.org}
hypervisors:
  cluster: cater
  network: {rack: 10.10.0.0/16}
  nodes: {one: {address: 203.0.113.11, role: compute, cores: 32, memory: 128 GiB}}
machines: {control: {on: compute}, worker: {count: 2, on: compute}}
kubernetes: {}
"""


def told(tmp_path: Path, text: str) -> dict[str, Any]:
    """Variables of everywhere."""
    path = tmp_path / "platform.socle.yml"
    path.write_text(HEAD + text)
    valid = validate_file(path)
    assert valid.ok, repr(valid)
    return inventory(valid.platform, str(path)).everywhere


def whole(variables: dict[str, Any]) -> Any:
    prefix = "platform_repository_"
    return platform({k.removeprefix(prefix): v for k, v in variables.items() if k.startswith(prefix)})


def test_a_name_with_braces_is_enough(tmp_path: Path) -> None:
    """Would catch a service that needs more than its name, and one that does not bring what it needs."""
    text = "services: {ingress: {}, load_balancer: {}, logging: {}, postgres: {}, metrics: {}}\n"
    cluster = whole(told(tmp_path, text)).home
    assert {"foundation", "nginx-ingress", "metallb", "loki", "alloy", "postgres", "postgres-operator"} <= set(
        chosen(cluster)
    )
    assert cluster.pool and "eck-operator" not in chosen(cluster)


def test_secrets_stay_references_and_never_reach_the_files(tmp_path: Path) -> None:
    """Would catch a token of the manifest in what is written to Git."""
    variables = told(
        tmp_path,
        """
services:
  argocd: {repository: https://git.example.org/p.git, token: {secret: git/platform#token}}
  monitoring: {webhook: {secret: chat/alerts#url}}
  backup: {}
backups:
  {to: s3, bucket: cater-backups, access_key: {secret: s3/b#access_key}, secret_key: {secret: s3/b#secret_key}}
""",
    )
    assert variables["platform_repository_token"] == SecretRef("git/platform#token")
    assert variables["argocd_values"]["webhook"] == SecretRef("chat/alerts#url")
    described = {k: v for k, v in variables.items() if k.startswith("platform_repository_") and "token" not in k}
    assert "SecretRef" not in repr(described)
    found = service("kube-prometheus-stack", whole(variables), whole(variables).home, "standard").values
    receiver = found["alertmanager"]["config"]["receivers"][1]
    assert receiver["webhook_configs"][0]["url_file"].endswith("/alertmanager-webhook/url")


def test_settings_reach_the_charts(tmp_path: Path) -> None:
    """Would catch a setting of the manifest that changes nothing."""
    text = """
services:
  monitoring: {retention: 30d, disk: 100 GiB, alerts: ops@cater.example.org}
  logging: {retention: 7d, disk: 1.5 GiB}
  longhorn: {replicas: 2}
  policies: {enforce: true}
  valkey: {disk: 5 GiB, size: ha}
  postgres: {version: "18"}
"""
    given = whole(told(tmp_path, text))

    def values(name: str) -> Any:
        return service(name, given, given.home, chosen(given.home)[name]).values

    prometheus = values("kube-prometheus-stack")["prometheus"]["prometheusSpec"]
    claim = prometheus["storageSpec"]["volumeClaimTemplate"]["spec"]
    assert (prometheus["retention"], claim["resources"]["requests"]["storage"]) == ("30d", "100Gi")
    assert claim["storageClassName"] == "longhorn"
    assert values("loki")["loki"]["limits_config"]["retention_period"] == "168h"
    assert values("loki")["singleBinary"]["persistence"]["size"] == "1536Mi"
    assert values("longhorn")["persistence"]["defaultClassReplicaCount"] == 2
    assert values("kyverno-policies")["validationFailureAction"] == "Enforce"
    assert values("valkey")["replica"]["persistence"]["size"] == "5Gi"
    assert values("postgres")["version"]["postgresql"] == "18"


def test_what_cannot_be_is_said_with_what_can(tmp_path: Path) -> None:
    """Would catch a service that is rolled out and never works."""
    text = """
services:
  certificates: {email: a@example.org, challenge: dns, dns_provider: rfc2136}
  backup: {}
backups: {to: nfs, path: "nas:/backups"}
"""
    given = whole(told(tmp_path, text))
    from ansible_collections.socle.platform.plugins.plugin_utils._services.objects import objects

    with pytest.raises(CatalogueError, match=r"dns_provider: found rfc2136.*wanted cloud_dns"):
        objects(given, service("cert-manager", given, given.home, "standard"))
    with pytest.raises(CatalogueError, match=r"found backups to nfs.*wanted backups: {to: s3}"):
        service("velero", given, given.home, "standard")


def test_nothing_waits_for_what_cannot_come(tmp_path: Path) -> None:
    """Would catch a wave that stands still: an address nobody gives, an issuer that reaches nobody."""
    from ansible_collections.socle.platform.plugins.plugin_utils._services.objects import objects

    base = "services: {ingress: {}, certificates: {email: a@example.org, issuer: internal}%s}\n"
    alone = whole(told(tmp_path, base % ""))
    assert service("nginx-ingress", alone, alone.home, "small").values["controller"]["service"]["type"] == "NodePort"
    issuers = [o for o in objects(alone, service("cert-manager", alone, alone.home, "small")) if "Issuer" in o["kind"]]
    assert [issuer["metadata"]["name"] for issuer in issuers] == ["internal"]
    given = whole(told(tmp_path, base % ", load_balancer: {}"))
    type_of = service("nginx-ingress", given, given.home, "small").values["controller"]["service"]["type"]
    assert type_of == "LoadBalancer"


def test_every_inventory_of_the_project_is_described() -> None:
    """Would catch an example whose services nobody could roll out."""
    for manifest in sorted(ROOT.glob("inventories/*/*.socle.yml")):
        valid = validate_file(manifest)
        variables = inventory(valid.platform, str(manifest)).everywhere
        if "platform_repository_clusters" in variables:
            assert whole(variables).home
