# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Argo CD's own folder: its released manifests, and what a platform changes in them, as a kustomization."""

from __future__ import annotations

from typing import Any

import yaml

from . import argocd
from .platform import Platform
from .policies import closed
from .services import Service

Object = dict[str, Any]
INSTALL = "install.yaml"
# Without it an Application of Applications counts as healthy at once, and waves wait for nothing.
_HEALTH = """\
hs = {status = "Progressing", message = ""}
if obj.status ~= nil and obj.status.health ~= nil then
  hs.status = obj.status.health.status
  hs.message = obj.status.health.message
end
return hs
"""
# Roles of teams, in Argo CD's words. An owner may everything; a viewer sees everything and changes nothing.
_RIGHTS = {
    "viewer": [],
    "developer": [("applications", "sync"), ("applications", "action/*"), ("logs", "get")],
    "maintainer": [
        ("applications", "sync"),
        ("applications", "action/*"),
        ("applications", "update"),
        ("applications", "delete/*/Pod/*/*"),
        ("logs", "get"),
        ("exec", "create"),
    ],
}


def policy(platform: Platform) -> str:
    """Lines of argocd-rbac-cm. Teams act in the projects of environments; the platform's own belongs to owners."""
    rows = []
    for role, rights in _RIGHTS.items():
        for project in platform.environments:
            rows += [f"p, role:{role}, {thing}, {verb}, {project}/*, allow" for thing, verb in rights]
        rows += [f"g, role:{role}, role:readonly"]
    for team, told in sorted(platform.teams.items()):
        role = told.get("role", "developer")
        rows.append(f"g, {team}, role:{'admin' if role == 'owner' else role}")
    return "\n".join(rows) + "\n"


def configuration(platform: Platform) -> Object:
    """argocd-cm."""
    admin = bool(platform.home.setting("argocd", "admin"))
    data = {
        "url": f"https://argocd.{platform.home.domain}",
        # Nobody could come in without it where nothing else says who somebody is.
        "admin.enabled": "true" if admin or not platform.oidc else "false",
        "application.resourceTrackingMethod": "annotation",
        "statusbadge.enabled": "false",
        "exec.enabled": "false",
        "users.anonymous.enabled": "false",
        "timeout.reconciliation": "120s",
        "resource.customizations.health.argoproj.io_Application": _HEALTH,
        "resource.compareoptions": "ignoreAggregatedRoles: true\n",
        "resource.exclusions": yaml.safe_dump(
            [
                {"apiGroups": ["wgpolicyk8s.io", "reports.kyverno.io", "openreports.io"], "kinds": ["*"]},
                {"apiGroups": ["cilium.io"], "kinds": ["CiliumIdentity"]},
                {"apiGroups": ["", "discovery.k8s.io"], "kinds": ["Endpoints", "EndpointSlice"]},
                {"apiGroups": ["coordination.k8s.io"], "kinds": ["Lease"]},
            ]
        ),
    }
    if platform.oidc:
        told = {
            "name": platform.oidc.get("name", "Single sign-on"),
            "issuer": platform.oidc["issuer"],
            "clientID": platform.oidc["client_id"],
            # A key of a Secret, by Argo CD's own way of writing it.
            "clientSecret": "$argocd-oidc:client_secret",
            "requestedScopes": platform.oidc.get("scopes", ["openid", "profile", "email", "groups"]),
        }
        data["oidc.config"] = yaml.safe_dump(told, sort_keys=False)
    return _config("argocd-cm", data)


def _config(name: str, data: dict[str, str]) -> Object:
    # The namespace comes from the kustomization, so that the patch finds what is released without one.
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def high(platform: Platform) -> bool:
    """Whether three nodes carry it: the released manifests for that have copies of everything."""
    return bool(platform.home.setting("argocd", "size", "standard") == "ha")


def _network() -> list[Object]:
    """Released policies say who reaches Argo CD; these let it reach others, and the ingress reach it."""
    rows = [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "allow-api-git-and-charts", "namespace": argocd.NAMESPACE},
            "spec": {
                "podSelector": {},
                "policyTypes": ["Egress"],
                "egress": [
                    {"ports": [{"port": port, "protocol": "TCP"} for port in (22, 80, 443, 6443, 8443)]},
                    {"to": [{"podSelector": {}}]},
                ],
            },
        }
    ]
    return [*closed(argocd.NAMESPACE), *rows]


def bootstrap(platform: Platform, services: list[Service]) -> dict[str, Any]:
    """Every file of the folder but the released manifests themselves."""
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": argocd.NAMESPACE,
            "labels": {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")},
            "annotations": {"argocd.argoproj.io/sync-options": "Prune=false,Delete=false"},
        },
    }
    patches = {
        "argocd-cm": configuration(platform),
        "argocd-rbac-cm": _config(
            "argocd-rbac-cm", {"policy.default": "", "policy.csv": policy(platform), "scopes": "[groups]"}
        ),
        # TLS ends at the ingress.
        "argocd-cmd-params-cm": _config("argocd-cmd-params-cm", {"server.insecure": "true"}),
    }
    resources = ["namespace.yaml", INSTALL, "network.yaml", "project.yaml", "applications.yaml"]
    registries = list(argocd.registries(platform, services))
    made: dict[str, Any] = {
        "namespace.yaml": [namespace],
        "network.yaml": _network(),
        "project.yaml": [argocd.project(platform, services)],
        "applications.yaml": [
            argocd.root(platform, "argocd", "bootstrap"),
            argocd.root(platform, "platform", "clusters"),
        ],
        **{f"{name}.yaml": [patch] for name, patch in patches.items()},
    }
    if registries:
        made["registries.yaml"] = registries
        resources.append("registries.yaml")
    made["kustomization.yaml"] = [
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": argocd.NAMESPACE,
            "resources": resources,
            "patches": [{"path": f"{name}.yaml"} for name in patches],
        }
    ]
    return made
