# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where kubeadm, the kubelet and etcd keep what modules look at on a machine."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  kubernetes_dir:
    description: Where kubeadm keeps its files.
    type: path
    default: /etc/kubernetes
  kubelet_dir:
    description: Where the kubelet keeps its files.
    type: path
    default: /var/lib/kubelet
  etcd_dir:
    description: Where etcd keeps its data.
    type: path
    default: /var/lib/etcd
"""
