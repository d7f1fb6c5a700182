# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue, held to the real charts' data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.socle.platform.plugins.plugin_utils._services.declaration import (
    HERE,
    CatalogueError,
    catalogue,
    declaration,
)

ROOT = Path(__file__).resolve().parents[3]


def _distinct(all_services: Any) -> dict[str, tuple[str, Any]]:
    """Each set of values once, whoever has it."""
    return {f"{s.name} {json.dumps(s.values, sort_keys=True)}": (where, s) for where, _platform, s in all_services}


def test_every_key_of_the_values_is_known_by_the_chart(all_services: Any, charts: Any) -> None:
    """Would catch a misspelt or renamed key, which Helm ignores in silence."""
    wrong = {
        where: unknown
        for where, service in _distinct(all_services).values()
        if service.declaration.source
        and service.declaration.source.chart
        and (unknown := charts.unknown_keys(service.declaration.source.chart, service.values))
    }
    assert not wrong


def test_values_fit_the_schema_of_the_chart(all_services: Any, charts: Any) -> None:
    """Would catch a value of the wrong type where the chart publishes a schema."""
    wrong = {
        where: breaches
        for where, service in _distinct(all_services).values()
        if service.declaration.source
        and service.declaration.source.chart
        and (breaches := charts.schema_breaches(service.declaration.source.chart, service.values))
    }
    assert not wrong


def test_the_check_of_keys_finds_a_misspelt_one(charts: Any) -> None:
    """Would catch a check that lets everything through."""
    assert charts.unknown_keys("metrics-server", {"replicaz": 1, "tls": {"typo": 1}}) == ["replicaz", "tls.typo"]
    assert charts.schema_breaches("cert-manager", {"replicaCount": "many"})


def test_versions_are_those_that_the_checks_know(charts: Any) -> None:
    """Would catch a version raised without the chart's data being looked at again."""
    for made in catalogue().values():
        if made.source is not None and made.source.chart:
            assert made.version.lstrip("v") == charts.version(made.source.chart).lstrip("v"), made.name


def test_our_own_objects_are_what_their_kinds_want(all_services: Any, charts: Any) -> None:
    """Would catch a misspelt field in a policy, an issuer or a page's address."""
    from ansible_collections.socle.platform.plugins.plugin_utils._services.objects import objects

    seen: set[str] = set()
    wrong = []
    for _where, platform, service in all_services:
        for item in objects(platform, service):
            text = json.dumps(item, sort_keys=True)
            if text not in seen:
                seen.add(text)
                wrong += charts.object_breaches(item)
    assert not wrong
    assert charts.object_breaches({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}, "spce": {}}), (
        "the check lets a misspelt field through"
    )


SECRET_KEY = re.compile(
    r"(password|passwd|token|secretkey|secret_key|accesskey|access_key|apikey|privatekey)$", re.IGNORECASE
)

# They say which Secret, or which key of it.
NAMES = re.compile(r"(SecretName|PasscodeSecretKey|SecretPasswordKey|[a-z]\.(passwordKey|userKey)|[eE]xistingSecret)$")


def _leaves(value: Any, path: str = "") -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def test_no_secret_stands_in_values(all_services: Any) -> None:
    """Would catch a password in Git: charts are given names of Secrets only."""
    for where, service in _distinct(all_services).values():
        for path, value in _leaves(service.values):
            if SECRET_KEY.search(path) and isinstance(value, str) and not NAMES.search(path):
                assert value == "" or value.startswith("${"), f"{where}: {path} is {value}"


def test_waves_and_files(tmp_path: Path) -> None:
    """Would catch a declaration whose mistakes only show when it is rolled out."""
    good = "title: x\nserves: [a]\nnamespace: a\nwave: 1\n"
    assert declaration("a", good, {}).wave == 1
    for text, versions, said in (
        (good + "sizez: {}\n", {}, "unknown keys sizez"),
        (good + "version: 1\n", {}, "versions.yml"),
        (good + "source: {repository: x, chart: y}\n", {}, "a source and no version"),
        (good, {"a": "1"}, "a version and no source"),
        (good + "source: {repository: x, chart: y}\nsizes: {small: {}}\n", {"a": "1"}, "wanted small, standard, ha"),
        (good + "security: none\n", {}, "wanted restricted or baseline or privileged"),
    ):
        with pytest.raises(CatalogueError, match=said):
            declaration("a", text, versions)


def test_renovate_reads_every_version() -> None:
    """Would catch a version that nobody would ever be told to raise, or one looked up at another place."""
    rules = json.loads((ROOT / "renovate.json").read_text())["customManagers"]
    patterns = [re.compile(p.replace("(?<", "(?P<")) for rule in rules for p in rule["matchStrings"]]
    text = (HERE / "versions.yml").read_text()
    found = {}
    for pattern in patterns:
        for match in pattern.finditer(text):
            found[text[match.end() - 200 : match.end()].rsplit("\n", 1)[-1].split(":")[0]] = match.groupdict()
    assert set(found) == set(yaml.safe_load(text))
    for name, made in catalogue().items():
        if made.source is None:
            continue
        row, repository = found[name], made.source.repository
        if repository.startswith("oci://"):
            assert row["datasource"] == "docker"
            assert row["depName"] == f"{repository.removeprefix('oci://')}/{made.source.chart}"
        elif made.source.chart:
            assert (row["datasource"], row["registryUrl"], row["depName"]) == ("helm", repository, made.source.chart)
        else:
            assert row["datasource"].startswith("github-") and row["depName"] in repository


def test_argo_cds_version_is_said_once() -> None:
    """Would catch a release raised in one of the two places only."""
    defaults = yaml.safe_load((ROOT / "roles/platform_repository/defaults/main.yml").read_text())
    versions = yaml.safe_load((HERE / "versions.yml").read_text())
    assert defaults["platform_repository_argocd_version"] == versions["argocd"]


# What charts do at each render or sync unless they are told otherwise: chart, path of the value, what it has to be.
TRAPS = [
    ("kube-prometheus-stack", "grafana.admin.existingSecret", "grafana-admin"),
    ("kube-prometheus-stack", "crds.enabled", False),
    ("kube-prometheus-stack", "prometheus.prometheusSpec.serviceMonitorSelectorNilUsesHelmValues", False),
    ("cert-manager", "crds.enabled", True),
    ("cert-manager", "startupapicheck.enabled", False),
    ("cert-manager", "global.leaderElection.namespace", "cert-manager"),
    ("metallb", "frrk8s.enabled", False),
    ("metallb", "speaker.frr.enabled", False),
    ("headlamp", "clusterRoleBinding.clusterRoleName", "view"),
    ("longhorn", "preUpgradeChecker.jobEnabled", False),
    ("velero", "upgradeCRDs", False),
    ("kyverno", "admissionController.createSelfSignedCert", False),
    ("kyverno", "crds.migration.enabled", False),
    ("kyverno", "webhooksCleanup.enabled", False),
    ("kyverno-policies", "kyvernoVersion", "1.19.0"),
    ("local-path-provisioner", "storageClass.provisionerName", "socle.platform/shared-files"),
    ("local-path-provisioner", "helperImage.tag", "1.37.0"),
    ("loki", "chunksCache.enabled", False),
    ("alloy", "alloy.enableReporting", False),
    ("eck-operator", "telemetry.disabled", True),
    ("psmdb-operator", "disableTelemetry", True),
    ("psmdb-db", "upgradeOptions.apply", "disabled"),
    ("psmdb-db", "sharding.enabled", False),
    ("psmdb-db", "secrets.users", "mongodb-users"),
    ("cluster", "cluster.enableSuperuserAccess", False),
    ("cluster", "cluster.initdb.secret.name", "postgres-owner"),
    ("valkey", "auth.usersExistingSecret", "valkey-users"),
    ("sonarqube", "initSysctl.enabled", False),
    ("sonarqube", "monitoringPasscodeSecretName", "sonarqube-monitoring"),
    ("nginx-ingress", "controller.telemetryReporting.enable", False),
    ("nginx-gateway-fabric", "nginxGateway.productTelemetry.enable", False),
    ("nginx-gateway-fabric", "certGenerator.ttlSecondsAfterFinished", 600),
    ("openbao", "injector.enabled", False),
    ("argo-rollouts", "dashboard.enabled", False),
]


@pytest.mark.parametrize(("chart", "path", "wanted"), TRAPS)
def test_a_chart_is_told_what_it_must_not_do_by_itself(all_services: Any, chart: str, path: str, wanted: Any) -> None:
    """Would catch a password made at each render, a Job at each sync, rights or reports that nobody asked for."""
    met = 0
    for where, _platform, service in all_services:
        source = service.declaration.source
        if source is None or source.chart != chart:
            continue
        value: Any = service.values
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        assert value == wanted, f"{where}: {path} is {value}"
        met += 1
    assert met


def test_what_charts_invent_is_known(all_services: Any, charts: Any) -> None:
    """Would catch a chart that begins to invent something: two renders of its own defaults disagree."""
    used = {s.declaration.source.chart for _w, _p, s in all_services if s.declaration.source}
    inventing = {
        chart
        for chart in filter(None, used)
        if any(render == "default" for render, _object, _fields in charts.invented(chart))
    }
    assert inventing <= {chart for chart, _path, _wanted in TRAPS}
    metrics = [s for _w, _p, s in all_services if s.name == "metrics-server"]
    assert metrics and all(s.values["tls"]["type"] in ("metrics-server", "cert-manager") for s in metrics)
    # Those whose schema lies on the Internet are rendered without asking for it.
    online = "raw.githubusercontent.com"
    away = {chart for chart in filter(None, used) if online in charts.text(chart, "values.schema.json")}
    sources = [s.declaration.source for _w, _p, s in all_services if s.declaration.source]
    assert away == {source.chart for source in sources if source.skip_schema}
