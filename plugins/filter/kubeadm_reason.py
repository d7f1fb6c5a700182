# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubeadm_reason
author:
  - The Socle authors (@socle-platform)
short_description: Why a machine did not come into a cluster
version_added: 0.1.0
description:
  - Finds the errors in what kubeadm and the kubelet wrote.
options:
  _input:
    description: What kubeadm wrote.
    type: str
    required: true
  journal:
    description: What the kubelet wrote.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Say why
  ansible.builtin.fail:
    msg: "{{ joined.stderr | socle.platform.kubeadm_reason(journal.stdout) }}"
"""

RETURN = r"""
_value:
  description: The errors in one line.
  type: str
"""

import typing as t

from ansible_collections.socle.platform.plugins.plugin_utils import _kubeadm


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"kubeadm_reason": _kubeadm.reason}
