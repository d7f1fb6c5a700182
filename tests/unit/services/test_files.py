# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a platform's repository, for every inventory of the project."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.socle.platform.plugins.plugin_utils._services import declaration, platform
from ansible_collections.socle.platform.plugins.plugin_utils._services.files import files
from ansible_collections.socle.platform.plugins.plugin_utils._services.services import services
from ansible_collections.socle.platform.plugins.plugin_utils._services.values import laid_over

from .conftest import OF, ROOT, exporter

URL = "https://git.example.org/platform/cluster.git"


def _given() -> dict[str, dict[str, Any]]:
    export = exporter()
    found = {"catalogue": export.whole_catalogue(OF)}
    for manifest in sorted(ROOT.glob("inventories/*/*.socle.yml")):
        described = export.described(OF, manifest.parent)
        if described["clusters"]:
            found[manifest.parent.name] = described
    return {name: {**row, "repository": URL} for name, row in found.items()}


@pytest.fixture(scope="module", params=sorted(_given()))
def whole(request: pytest.FixtureRequest) -> platform.Platform:
    return platform.platform(_given()[request.param])


@pytest.fixture(scope="module")
def written(whole: platform.Platform) -> dict[str, str]:
    return files(whole)


def _documents(text: str) -> list[dict[str, Any]]:
    return [item for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item]


def _applications(written: dict[str, str]) -> list[dict[str, Any]]:
    texts = [text for path, text in written.items() if "/application-" in path]
    return [item for text in texts for item in _documents(text)]


def test_they_are_the_same_each_time(whole: platform.Platform, written: dict[str, str]) -> None:
    """Would catch an order or a time in them: each run would make a commit."""
    assert files(whole) == written


def test_every_object_is_what_its_kind_wants(written: dict[str, str], charts: Any) -> None:
    """Would catch a misspelt field in an Application, a project or a set of them."""
    items = [item for path, text in written.items() if "values" not in path for item in _documents(text)]
    items = [item for item in items if item["kind"] != "Kustomization"]
    assert len(items) > 10
    assert not [breach for item in items for breach in charts.object_breaches(item)]


def test_what_helm_gets_is_what_was_meant(whole: platform.Platform, written: dict[str, str]) -> None:
    """Would catch a value of one cluster in another one's, through the files that they share."""
    names = {}
    for item in _applications(written):
        sources = item["spec"]["sources"]
        files_of = next((s["helm"]["valueFiles"] for s in sources if "helm" in s), [])
        merged: dict[str, Any] = {}
        for name in files_of:
            merged = laid_over(merged, yaml.safe_load(written[name.removeprefix("$values/")]) or {})
        names[item["metadata"]["name"]] = merged
        for source in sources:
            if "directory" in source:
                assert f"{source['path']}/{source['directory']['include']}" in written
    for cluster in whole.clusters.values():
        for service in services(whole, cluster):
            name = service.name if cluster.home else f"{cluster.name}-{service.name}"
            if service.declaration.source and service.declaration.source.chart:
                assert names.pop(name) == service.values
            else:
                names.pop(name)
    assert not names


def test_waves_begin_with_what_others_need(whole: platform.Platform, written: dict[str, str]) -> None:
    """Would catch a service that is rolled out before its namespace, its kinds or its webhooks."""
    known = declaration.catalogue()
    for cluster in whole.clusters.values():
        waves = {s.name: s.declaration.wave for s in services(whole, cluster)}
        for name, wave in waves.items():
            for need in known[name].needs:
                assert need not in waves or waves[need] < wave
    spaces = {
        (path.rpartition("-")[2], item["metadata"]["name"])
        for path, text in written.items()
        if "foundation/objects-" in path
        for item in _documents(text)
        if item["kind"] == "Namespace"
    }
    for cluster in whole.clusters.values():
        for service in services(whole, cluster):
            space = service.declaration.namespace
            assert space == "kube-system" or (f"{cluster.name}.yaml", space) in spaces


def test_namespaces_are_restricted_but_where_the_node_is_touched(whole: platform.Platform) -> None:
    """Would catch a service that quietly lowers the level of its whole namespace."""
    from ansible_collections.socle.platform.plugins.plugin_utils._services.objects import namespaces

    low = {"kube-system", "metallb-system", "longhorn-system", "shared-files", "velero", "spinnaker"}
    for cluster in whole.clusters.values():
        for space, level in namespaces(cluster).items():
            assert level == "restricted" or space in low, f"{space} is {level}"


def test_every_flow_has_a_closed_namespace(written: dict[str, str]) -> None:
    """Would catch a namespace that everybody may talk to."""
    items = [item for path, text in written.items() if "/objects-" in path for item in _documents(text)]
    closed = {i["metadata"]["namespace"] for i in items if i["metadata"]["name"] == "default-deny"}
    spaces = {i["metadata"]["name"] for i in items if i["kind"] == "Namespace"}
    assert spaces and spaces == closed


def test_teams_get_the_rights_that_the_manifest_gives_them(charts: Any) -> None:
    """Would catch a developer who may change the platform's own Applications."""
    given = _given()["onprem"]
    given["teams"] = {"ops": {"role": "owner"}, "dev": {"role": "developer"}, "eyes": {"role": "viewer"}}
    (patch,) = _documents(files(platform.platform(given))["bootstrap/argocd-rbac-cm.yaml"])
    rows = patch["data"]["policy.csv"].splitlines()
    assert {"g, ops, role:admin", "g, dev, role:developer", "g, eyes, role:viewer"} <= set(rows)
    assert "p, role:developer, applications, sync, production/*, allow" in rows
    assert not [row for row in rows if row.startswith("p, ") and ("platform/*" in row or "*/*" in row.split(", ")[4])]
    assert patch["data"]["policy.default"] == ""


def test_one_cluster_carries_argo_cd() -> None:
    """Would catch two homes, or none, found out only when both fight."""
    given = _given()["onprem"]
    for cluster in given["clusters"].values():
        cluster["home"] = True
    with pytest.raises(declaration.CatalogueError, match=r"kubernetes, canada.*exactly one"):
        platform.platform(given)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not here")
def test_the_bootstrap_is_a_kustomization_that_builds(
    whole: platform.Platform, written: dict[str, str], tmp_path: Path
) -> None:
    """Would catch a resource that is not there, or a patch that meets nothing."""
    names = ("argocd-cm", "argocd-rbac-cm", "argocd-cmd-params-cm")
    released = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in names]
    for path, text in {**written, "bootstrap/install.yaml": yaml.safe_dump_all(released)}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    done = subprocess.run(
        ["kubectl", "kustomize", "bootstrap"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    built = {(i["kind"], i["metadata"]["name"]): i for i in _documents(done.stdout)}
    assert built["ConfigMap", "argocd-cm"]["data"]["application.resourceTrackingMethod"] == "annotation"
    assert {i["metadata"].get("namespace", "argocd") for i in built.values()} == {"argocd"}
    assert ("Application", "platform") in built
    assert whole.repository == URL


def test_sizes_differ_where_they_are_said_to(charts: Any) -> None:
    """Would catch a size that is only a name."""
    same = []
    for name, declared in declaration.catalogue().items():
        if declared.source is None or not declared.source.chart:
            continue
        given = _given()["catalogue"]
        whole = platform.platform(given)
        cluster = next(c for c in whole.clusters.values() if name in OF.services.chosen(c))
        rendered = [OF.services.service(name, whole, cluster, size).values for size in declaration.SIZES]
        same += [name for left, right in itertools.pairwise(rendered) if left == right and left is not right]
    # Kinds and policies have no size; two of a database's sizes may differ by more than resources only.
    assert set(same) <= {
        "prometheus-operator-crds",
        "kyverno-policies",
        "metallb",
        "shared-files",
        "filebeat",
        "openbao",
    }


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not here")
def test_the_first_installation_is_what_the_kustomization_builds(
    whole: platform.Platform, written: dict[str, str], tmp_path: Path
) -> None:
    """Would catch an Argo CD that finds itself different from Git at its first look."""
    from ansible_collections.socle.platform.plugins.plugin_utils._services.install import built

    names = ("argocd-cm", "argocd-rbac-cm", "argocd-cmd-params-cm")
    released: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"a": "b"}}} for name in names
    ]
    released[0]["data"] = {"kept": "yes", "url": "of the release"}
    released.append({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "argocd-server"}})
    rights = "rbac.authorization.k8s.io/v1"
    released.append({"apiVersion": rights, "kind": "ClusterRole", "metadata": {"name": "argocd-server"}, "rules": []})
    released.append(
        {
            "apiVersion": rights,
            "kind": "RoleBinding",
            "metadata": {"name": "argocd-server"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "argocd-server"},
            # As it is released: without a namespace.
            "subjects": [{"kind": "ServiceAccount", "name": "argocd-server"}],
        }
    )
    text = yaml.safe_dump_all(released)
    for path, content in {**written, "bootstrap/install.yaml": text}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    done = subprocess.run(
        ["kubectl", "kustomize", "bootstrap"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    theirs = {(i["kind"], i["metadata"]["name"]): i for i in _documents(done.stdout)}
    ours = {(i["kind"], i["metadata"]["name"]): i for i in built(whole, text)}
    assert ours == theirs


def test_secrets_are_whole_and_come_from_the_backend() -> None:
    """Would catch a Secret that a service is given by name, and that nobody makes."""
    from ansible_collections.socle.platform.plugins.plugin_utils._services import secrets

    whole = platform.platform(_given()["catalogue"])
    cluster = whole.clusters["kubeadm"]
    asked: list[tuple[str, str]] = []

    def lookup(reference: str, kind: str) -> str:
        asked.append((reference, kind))
        return "value"

    made = secrets.filled(whole, cluster, lookup, {"access_key": "a", "secret_key": "s"})
    names = {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in made}
    assert ("monitoring", "grafana-admin") in names and ("velero", "velero-bucket") in names
    assert ("services/grafana#password", "password") in asked
    text = "".join(files(whole).values())
    for space, name in names:
        assert name in text, f"{space}/{name} is made and used by nobody"
    with pytest.raises(declaration.CatalogueError, match="access_key is not known"):
        secrets.filled(whole, cluster, lookup, {})


def test_jobs_that_run_first_are_let_through(whole: platform.Platform, written: dict[str, str]) -> None:
    """Would catch a Job before the sync that stands before a closed namespace for ever."""
    for cluster in whole.clusters.values():
        first = [s for s in services(whole, cluster) if s.declaration.jobs_first]
        items = _documents(written[f"services/foundation/objects-{cluster.name}.yaml"])
        names = {i["metadata"]["name"] for i in items if i["kind"] == "NetworkPolicy"}
        assert all(f"{s.name}-api" in names for s in first)
