# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests: tasks of our modules on a control plane, in this process, and objects to give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, Task, argument_spec, given
from ansible_collections.socle.platform.plugins.module_utils._progress import NullProgress
from ansible_collections.socle.platform.plugins.modules import kubernetes_nodes, kubernetes_objects
from apiserver import Cluster  # it lies beside this file


def perform(adapter: Callable[[], Adapter], check: bool, parameters: dict[str, Any]) -> dict[str, Any]:
    """One task, from parameters as a playbook gives them to the result."""
    made = adapter()
    spec = argument_spec(made)
    checked = ArgumentSpecValidator(spec, **{k: v for k, v in made.rules.items() if k != "supports_check_mode"})
    told = checked.validate(parameters)
    assert not told.error_messages, told.error_messages
    return Task(made, given(told.validated_parameters, spec), "test", NullProgress(), "").perform(check)


def objects(cluster: Cluster, *bodies: Any, check: bool = False, **parameters: Any) -> dict[str, Any]:
    """kubernetes_objects, on objects given inline unless the parameters say otherwise."""
    if bodies:
        parameters["objects"] = list(bodies)
    connection = (
        {} if {"kubeconfig_data", "host", "gke", "eks"} & set(parameters) else {"kubeconfig": cluster.kubeconfig}
    )
    given_ = {**{key: str(value) for key, value in connection.items()}, "deadline": 60, **parameters}
    return perform(kubernetes_objects.adapter, check, given_)


def nodes(cluster: Cluster, *rows: Any, check: bool = False, **parameters: Any) -> dict[str, Any]:
    """kubernetes_nodes."""
    given_ = {"kubeconfig": str(cluster.kubeconfig), "deadline": 60, "nodes": list(rows), **parameters}
    return perform(kubernetes_nodes.adapter, check, given_)


def outcomes(result: dict[str, Any]) -> dict[str, str]:
    """What came of each object, by its key."""
    return {row["key"]: row["outcome"] for row in result["objects"]}


def row(result: dict[str, Any], key: str) -> dict[str, Any]:
    return next(item for item in result["objects"] if item["key"] == key)


def paths(result: dict[str, Any], key: str) -> dict[str, tuple[Any, Any]]:
    """The fields of an object that differ."""
    return {item["path"]: (item["before"], item["after"]) for item in row(result, key)["fields"]}


def configmap(name: str, namespace: str = "", **data: str) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **({"data": data} if data else {})}


def deployment(name: str, namespace: str, replicas: int = 1, image: str = "web:1", **container: Any) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": image, **container}]},
            },
        },
    }


def crd(plural: str, kind: str, group: str = "example.org", scope: str = "Namespaced") -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {"size": {"type": "integer", "maximum": 10}, "note": {"type": "string"}},
            },
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }  # fmt: skip
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [version],
        },
    }
