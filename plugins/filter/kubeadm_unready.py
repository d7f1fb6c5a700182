# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubeadm_unready
author:
  - The Socle authors (@socle-platform)
short_description: Which nodes of a cluster are not ready, and why
version_added: 0.1.0
description:
  - Takes the reasons from what the nodes tell of themselves.
options:
  _input:
    description: The list of nodes, as C(kubectl get nodes -o json) prints it.
    type: dict
    required: true
  patience:
    description: How many seconds were waited.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Say which is not ready
  ansible.builtin.fail:
    msg: "{{ told.stdout | from_json | socle.platform.kubeadm_unready(180) }}"
"""

RETURN = r"""
_value:
  description: The nodes with their reasons.
  type: str
"""

import typing as t

from ansible_collections.socle.platform.plugins.plugin_utils import _kubeadm


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"kubeadm_unready": _kubeadm.unready}
