# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: network_manifests
author:
  - The Socle authors (@socle-platform)
short_description: A network plugin's own manifests, changed for one cluster
version_added: 0.1.0
description:
  - Puts the addresses of pods into the manifests that a plugin's developers publish, and for Calico switches to VXLAN.
    Everything else stays as it was published.
options:
  _input:
    description: The text as it was published.
    type: str
    required: true
  plugin:
    description: Whose it is.
    type: str
    choices: [calico, flannel]
    required: true
  pods:
    description: Addresses of pods, as in 10.244.0.0/16.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Write what is applied
  ansible.builtin.copy:
    content: "{{ published | socle.platform.network_manifests('flannel', '10.244.0.0/16') }}"
    dest: /etc/kubernetes/socle/network.yaml
    mode: "0600"
"""

RETURN = r"""
_value:
  description: The changed text.
  type: str
"""

import json
import typing as t

import yaml
from ansible.errors import AnsibleFilterError

Manifest = dict[str, t.Any]


def network_manifests(text: str, plugin: str, pods: str) -> str:
    """The manifests for one cluster."""
    try:
        documents = [found for found in yaml.safe_load_all(str(text)) if isinstance(found, dict)]
    except yaml.YAMLError as error:
        raise AnsibleFilterError(f"network_manifests: what was published for {plugin} is no YAML: {error}") from None
    change = {"flannel": _flannel, "calico": _calico}.get(plugin)
    if change is None:
        raise AnsibleFilterError(f"network_manifests: no manifests are known for {plugin!r}; calico and flannel are")
    change(documents, str(pods))
    return "# Written by Ansible (socle.platform.kubernetes_network).\n" + yaml.safe_dump_all(
        documents, sort_keys=False, width=1000
    )


def _one(documents: list[Manifest], kind: str, name: str) -> Manifest:
    for document in documents:
        if document.get("kind") == kind and document.get("metadata", {}).get("name") == name:
            return document
    raise AnsibleFilterError(
        f"network_manifests: there is no {kind} {name} in what was published; this version's manifests look different: "
        "name one of the series that the role's defaults name"
    )


def _flannel(documents: list[Manifest], pods: str) -> None:
    data = _one(documents, "ConfigMap", "kube-flannel-cfg")["data"]
    data["net-conf.json"] = json.dumps({**json.loads(data["net-conf.json"]), "Network": pods}, indent=2) + "\n"


def _calico(documents: list[Manifest], pods: str) -> None:
    _one(documents, "ConfigMap", "calico-config")["data"]["calico_backend"] = "vxlan"
    node = _one(documents, "DaemonSet", "calico-node")["spec"]["template"]["spec"]["containers"][0]
    wanted = {
        "CALICO_IPV4POOL_CIDR": pods,
        "CALICO_IPV4POOL_IPIP": "Never",
        "CALICO_IPV4POOL_VXLAN": "Always",
        "IP_AUTODETECTION_METHOD": "kubernetes-internal-ip",
    }
    kept = [entry for entry in node["env"] if entry["name"] not in wanted]
    node["env"] = kept + [{"name": name, "value": value} for name, value in wanted.items()]
    for probe in ("livenessProbe", "readinessProbe"):
        # Without BGP there is no BIRD to ask.
        command = node[probe]["exec"]["command"]
        node[probe]["exec"]["command"] = [word for word in command if word not in ("-bird-live", "-bird-ready")]


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"network_manifests": network_manifests}
