# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubeadm_files
author:
  - The Socle authors (@socle-platform)
short_description: The files that a node of a kubeadm cluster is made by
version_added: 0.1.0
description:
  - Turns a few choices into kubeadm's configuration (v1beta4) and the files that it refers to. The role
    C(socle.platform.kubeadm) makes the mapping from its variables.
options:
  _input:
    description:
      - A mapping of C(name), C(version), C(endpoint), C(node), C(address), C(pods), C(services), C(proxy_mode), and
        what the role's variables add to them.
    type: dict
    required: true
  purpose:
    description: Which files.
    type: str
    choices: [init, join, join_control_plane, upgrade, control_plane]
    required: true
  token:
    description: What C(kubeadm token create --print-join-command) printed, for C(join) and C(join_control_plane).
    type: str
    default: ''
  uploaded:
    description: What C(kubeadm init phase upload-certs --upload-certs) printed, for C(join_control_plane).
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Write what control planes refer to
  ansible.builtin.copy:
    content: "{{ item.content }}"
    dest: "{{ item.path }}"
    mode: "0600"
  loop: "{{ choices | socle.platform.kubeadm_files('control_plane') }}"
"""

RETURN = r"""
_value:
  description: The files.
  type: list
  elements: dict
  contains:
    path:
      description: Where it lies.
      type: str
    content:
      description: All that is in it.
      type: str
"""

import typing as t
from collections.abc import Mapping

import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.socle.platform.plugins.plugin_utils import _kubeadm

NEEDED = ("name", "version", "endpoint", "node", "address", "pods", "services", "proxy_mode")


def kubeadm_files(
    choices: Mapping[str, t.Any], purpose: str, token: str = "", uploaded: str = ""
) -> list[dict[str, str]]:
    """The files, each whole."""
    missing = [name for name in NEEDED if not choices.get(name)]
    if missing:
        raise AnsibleFilterError(f"kubeadm_files: {', '.join(missing)} must be given, and is not")
    try:
        return [
            {"path": f"{_kubeadm.FOLDER}/{name}", "content": _text(documents)}
            for name, documents in _files(choices, purpose, token, uploaded).items()
        ]
    except _kubeadm.KubeadmError as error:
        raise AnsibleFilterError(f"kubeadm_files: {error}") from None


def _files(choices: Mapping[str, t.Any], purpose: str, token: str, uploaded: str) -> dict[str, list[dict[str, t.Any]]]:
    if purpose == "init":
        return {"init.yaml": _kubeadm.init(choices)}
    if purpose == "upgrade":
        return {"upgrade.yaml": _kubeadm.upgrade(choices)}
    if purpose in ("join", "join_control_plane"):
        ticket = _kubeadm.ticket(token, uploaded)
        return {"join.yaml": _kubeadm.join(choices, ticket, control_plane=purpose == "join_control_plane")}
    if purpose != "control_plane":
        known = "init, join, join_control_plane, upgrade and control_plane"
        raise _kubeadm.KubeadmError(f"there are no files for {purpose!r}; there are those for {known}")
    security = choices.get("pod_security") or {}
    found = {
        "admission.yaml": [
            _kubeadm.admission(
                security.get("enforce", "baseline"),
                security.get("warn", "restricted"),
                security.get("exempt", ["kube-system"]),
            )
        ]
    }
    if choices.get("audit"):
        found["audit.yaml"] = [_kubeadm.audit_policy()]
    if choices.get("keys"):
        found["encryption.yaml"] = [_kubeadm.encryption(choices["keys"])]
    return found


def _plain(value: t.Any) -> t.Any:
    """Values of Ansible remember where they come from, which YAML cannot write; and a value met twice is no anchor."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else str(value)


def _text(documents: list[dict[str, t.Any]]) -> str:
    return "# Written by Ansible (socle.platform.kubeadm).\n" + yaml.safe_dump_all(
        [_plain(document) for document in documents], sort_keys=False, width=1000
    )


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"kubeadm_files": kubeadm_files}
