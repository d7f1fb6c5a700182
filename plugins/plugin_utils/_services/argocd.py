# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Objects of Argo CD's own: Applications, projects, repositories of charts, and its configuration."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from .declaration import CatalogueError, Declaration, Source
from .platform import Cluster, Platform
from .services import Service

Object = dict[str, Any]
NAMESPACE = "argocd"
PROJECT = "platform"
WAVE = "argocd.argoproj.io/sync-wave"
CASCADE = "resources-finalizer.argocd.argoproj.io"
HERE = "https://kubernetes.default.svc"


def _object(api: str, kind: str, name: str, **metadata: Any) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE, **metadata}}


def application_name(service: Service) -> str:
    """Names of another cluster's begin with it: all lie in one namespace."""
    return service.name if service.cluster.home else f"{service.cluster.name}-{service.name}"


def chart_address(source: Source, platform: Platform) -> str:
    """As Argo CD writes it: a registry without its scheme. A mirror has every chart."""
    address = platform.charts or source.repository
    return address.removeprefix("oci://")


def application(platform: Platform, service: Service, objects: bool, own_values: bool) -> Object:
    """One service in one cluster: its chart at its version, our values, and our objects beside it."""
    declared = service.declaration
    made = _object(
        "argoproj.io/v1alpha1",
        "Application",
        application_name(service),
        annotations={WAVE: str(declared.wave)},
        labels={"app.kubernetes.io/part-of": platform.name, "socle.platform/cluster": service.cluster.name},
    )
    if not declared.keeps:
        made["metadata"]["finalizers"] = [CASCADE]
    spec: Object = {
        "project": PROJECT,
        "destination": {**_destination(service.cluster), "namespace": declared.namespace},
        "sources": list(_sources(platform, service, objects, own_values)),
        "syncPolicy": _policy(),
    }
    if declared.ignore:
        spec["ignoreDifferences"] = [dict(row) for row in declared.ignore]
    return {**made, "spec": spec}


def _destination(cluster: Cluster) -> Object:
    return {"server": HERE} if cluster.home else {"name": cluster.name}


def _policy() -> Object:
    return {
        "automated": {"prune": True, "selfHeal": True},
        # Kinds and webhooks of other services may still be on their way.
        "retry": {"limit": 10, "backoff": {"duration": "15s", "factor": 2, "maxDuration": "5m"}},
        "syncOptions": [
            "ServerSideApply=true",
            "CreateNamespace=false",
            "SkipDryRunOnMissingResource=true",
            "PruneLast=true",
            "RespectIgnoreDifferences=true",
        ],
    }


def _sources(platform: Platform, service: Service, objects: bool, own_values: bool) -> Iterator[Object]:
    declared, folder = service.declaration, f"services/{service.name}"
    ours = {"repoURL": platform.repository, "targetRevision": platform.branch}
    source = declared.source
    if source is not None and source.chart:
        files = [f"$values/{folder}/values.yaml"]
        if own_values:
            files.append(f"$values/{folder}/values-{service.cluster.name}.yaml")
        helm: Object = {"releaseName": service.release, "valueFiles": files}
        if source.skip_schema:
            helm["skipSchemaValidation"] = True
        address = chart_address(source, platform)
        yield {"repoURL": address, "chart": source.chart, "targetRevision": declared.version, "helm": helm}
        yield {**ours, "ref": "values"}
    elif source is not None:
        made: Object = {"repoURL": source.repository, "path": source.path, "targetRevision": declared.version}
        if declared.name in KUSTOMIZE:
            made["kustomize"] = KUSTOMIZE[declared.name](declared)
        yield made
    if objects:
        yield {**ours, "path": folder, "directory": {"include": f"objects-{service.cluster.name}.yaml"}}


def _spinnaker(declared: Declaration) -> Object:
    """All of its images at the release, and none at a branch's newest."""
    release = declared.version.removeprefix("spinnaker-release-")
    parts = ["clouddriver", "deck", "echo", "fiat", "front50", "gate", "igor", "kayenta", "keel", "orca", "rosco"]
    images = [f"ghcr.io/spinnaker/{part}:{release}" for part in parts]
    return {"images": [*images, "mariadb:11.8.3", "redis:8.2.1"], "namespace": declared.namespace}


KUSTOMIZE = {"spinnaker": _spinnaker}


def project(platform: Platform, services: list[Service]) -> Object:
    """What the platform's own Applications may be made of, and where they may go."""
    charts = {
        chart_address(s.declaration.source, platform) if s.declaration.source.chart else s.declaration.source.repository
        for s in services
        if s.declaration.source is not None
    }
    made = _object("argoproj.io/v1alpha1", "AppProject", PROJECT, annotations={WAVE: "-1000"})
    spaces = sorted({s.declaration.namespace for s in services} | {NAMESPACE, "kube-system"})
    targets = [HERE if cluster.home else cluster.name for cluster in platform.clusters.values()]
    destinations = [
        {("server" if target == HERE else "name"): target, "namespace": space} for target in targets for space in spaces
    ]
    return {
        **made,
        "spec": {
            "description": "Services of the platform",
            "sourceRepos": sorted({platform.repository, *charts}),
            "destinations": destinations,
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    }


def app_of_apps(platform: Platform, cluster: Cluster) -> Object:
    """The Applications of one cluster, wave by wave; another cluster does not wait for it."""
    made = _object("argoproj.io/v1alpha1", "Application", f"services-{cluster.name}", annotations={WAVE: "0"})
    source = {
        "repoURL": platform.repository,
        "targetRevision": platform.branch,
        "path": "services",
        "directory": {"recurse": True, "include": f"*/application-{cluster.name}.yaml"},
    }
    return {
        **made,
        "spec": {
            "project": PROJECT,
            "destination": {"server": HERE, "namespace": NAMESPACE},
            "source": source,
            "syncPolicy": _policy(),
        },
    }


def root(platform: Platform, name: str, path: str) -> Object:
    """An Application for a folder of the repository."""
    made = _object("argoproj.io/v1alpha1", "Application", name)
    return {
        **made,
        "spec": {
            "project": PROJECT,
            "destination": {"server": HERE, "namespace": NAMESPACE},
            "source": {"repoURL": platform.repository, "targetRevision": platform.branch, "path": path},
            "syncPolicy": _policy(),
        },
    }


def registries(platform: Platform, services: list[Service]) -> Iterator[Object]:
    """Registries of charts, which Argo CD has to be told of. Nothing in them is secret."""
    found = {s.declaration.source for s in services if s.declaration.source is not None}
    names = sorted(
        {
            chart_address(source, platform)
            for source in found
            if source.chart and (platform.charts or source.repository).startswith("oci://")
        }
    )
    for address in names:
        made = _object(
            "v1",
            "Secret",
            "charts-" + address.replace("/", "-").replace(".", "-").replace(":", "-"),
            labels={"argocd.argoproj.io/secret-type": "repository"},
        )
        yield {**made, "stringData": {"name": address, "url": address, "type": "helm", "enableOCI": "true"}}


def environment(platform: Platform, name: str, cluster: Cluster) -> Iterator[Object]:
    """A project and a set of Applications for one environment: a folder for each app, made by delivery."""
    made = _object("argoproj.io/v1alpha1", "AppProject", name, annotations={WAVE: "-900"})
    yield {
        **made,
        "spec": {
            "description": f"Apps of the environment {name}",
            "sourceRepos": [platform.repository],
            "destinations": [{**_destination(cluster), "namespace": f"{name}-*"}],
            "clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}],
            "namespaceResourceBlacklist": [
                {"group": "", "kind": "ResourceQuota"},
                {"group": "", "kind": "LimitRange"},
            ],
        },
    }
    made = _object("argoproj.io/v1alpha1", "ApplicationSet", name)
    folders = {
        "repoURL": platform.repository,
        "revision": platform.branch,
        "directories": [{"path": f"environments/{name}/*"}],
    }
    template = {
        "metadata": {"name": f"{name}-{{{{.path.basename}}}}", "labels": {"socle.platform/environment": name}},
        "spec": {
            "project": name,
            "destination": {**_destination(cluster), "namespace": f"{name}-{{{{.path.basename}}}}"},
            "source": {
                "repoURL": platform.repository,
                "targetRevision": platform.branch,
                "path": "{{.path.path}}",
            },
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["ServerSideApply=true", "CreateNamespace=true"],
                "managedNamespaceMetadata": {
                    "labels": {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
                },
            },
        },
    }
    yield {
        **made,
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [{"git": folders}],
            # An app that is taken out of Git goes; one that cannot be read does not.
            "syncPolicy": {"preserveResourcesOnDeletion": False},
            "template": template,
        },
    }


def credentials(
    platform: Platform,
    repository: Mapping[str, str],
    clusters: Mapping[str, Mapping[str, Any]],
    oidc_secret: str = "",
) -> Iterator[Object]:
    """Secrets that Argo CD itself reads: for the repository, other clusters, and who knows people."""
    labels = {"argocd.argoproj.io/secret-type": "repository"}
    told = {key: value for key, value in repository.items() if value}
    if told:
        made = _object("v1", "Secret", "repository-platform", labels=labels)
        yield {**made, "type": "Opaque", "data": _encoded({"type": "git", "url": platform.repository, **told})}
    for name, reached in sorted(clusters.items()):
        unknown = sorted(set(reached) - {"server", "token", "ca_data"})
        if unknown or "server" not in reached or "token" not in reached:
            raise CatalogueError(
                f"clusters.{name}: found {', '.join(sorted(reached)) or 'nothing'}, wanted server, token and ca_data"
            )
        config: Object = {"bearerToken": reached["token"], "tlsClientConfig": {"insecure": False}}
        if reached.get("ca_data"):
            config["tlsClientConfig"]["caData"] = reached["ca_data"]
        made = _object("v1", "Secret", f"cluster-{name}", labels={"argocd.argoproj.io/secret-type": "cluster"})
        data = {"name": name, "server": reached["server"], "config": json.dumps(config)}
        yield {**made, "type": "Opaque", "data": _encoded(data)}
    if oidc_secret:
        made = _object("v1", "Secret", "argocd-oidc", labels={"app.kubernetes.io/part-of": "argocd"})
        yield {**made, "type": "Opaque", "data": _encoded({"client_secret": oidc_secret})}


def _encoded(data: Mapping[str, str]) -> Object:
    return {key: base64.b64encode(str(value).encode()).decode() for key, value in data.items()}
