#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_next
short_description: Says which steps bring a kubeadm cluster safely nearer to what is wanted
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Puts together what M(socle.platform.kubeadm_state) told of all machines and decides the next round of steps. All
    steps of a round may be done at once; after it the machines are asked again.
  - It never proposes what would cost etcd its quorum or destroy the last copy of its data. Where only such ways are
    left, it says the one safe next action instead.
  - Changes nothing and connects to nothing. Run it once, on the controller.
options:
  machines:
    description: RV(socle.platform.kubeadm_state#module:state) of every machine that could be asked, by its name.
    type: dict
    required: true
  version:
    description: The version of Kubernetes that is wanted.
    type: str
    required: true
  control_planes:
    description: Addresses of the control planes by name. Where there is no cluster, it begins on the first one.
    type: dict
    required: true
  workers:
    description: Names of the workers.
    type: list
    elements: str
    default: []
  addons:
    description: Addons of kubeadm that the cluster has to have.
    type: list
    elements: str
    default: [coredns, kube-proxy]
  upgrade:
    description: Begin an upgrade. One that was begun is finished in any case.
    type: bool
    default: false
  remove:
    description: Machines to take out for good.
    type: list
    elements: str
    default: []
  replace:
    description: Machines whose content may be thrown away, for those that are lost, made anew, or of another cluster.
    type: list
    elements: str
    default: []
  snapshot:
    description: The newest good snapshot of etcd. A cluster that has one is never begun anew.
    type: str
    default: ""
  renew_before:
    description: Days before their end in which certificates are renewed.
    type: float
    default: 30.0
  serial:
    description: Workers that are upgraded at once.
    type: int
    default: 1
  done:
    description:
      - The steps of the last round of this run that were more than V(wait). What was done and does not show yet is
        waited for, not done again.
    type: list
    elements: dict
    default: []
  waited:
    description: Seconds for which nothing but V(wait) and V(restart) was decided.
    type: float
    default: 0.0
  patience:
    description: After this time of O(waited) it says what did not get better, and stops.
    type: float
    default: 300.0
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: none
seealso:
  - module: socle.platform.kubeadm_state
"""

EXAMPLES = r"""
- name: Ask every machine
  socle.platform.kubeadm_state:
    address: "{{ ansible_host }}"
  register: kubeadm_seen

- name: Decide
  socle.platform.kubeadm_next:
    machines: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, seen))) }}"
    version: "1.36.3"
    control_planes: {control-1: 10.10.0.11, control-2: 10.10.0.12, control-3: 10.10.0.13}
    workers: [worker-1, worker-2]
  vars:
    seen: [kubeadm_seen, state]
  delegate_to: localhost
  run_once: true
  register: kubeadm_decided

- name: Stop where only people can go on
  ansible.builtin.fail:
    msg: "{{ kubeadm_decided.refusal }}"
  when: kubeadm_decided.refusal | length > 0
  run_once: true
"""

RETURN = r"""
converged:
  description: Whether the cluster is as wanted.
  type: bool
  returned: success
steps:
  description:
    - The next round, with C(host), C(verb), C(why), C(gate), C(member), C(with). C(gate) is what has to be open just
      before the step.
    - Verbs are C(install), C(init), C(finish_init), C(join_control_plane), C(join_worker), C(reset_leftovers),
      C(remove_stale_member), C(delete_node), C(move_leader), C(renew_certificates), C(renew_kubelet), C(rewrite_files),
      C(mark_control_plane), C(upgrade_first), C(upgrade_control_plane), C(upgrade_worker), C(restart),
      C(remove_control_plane), C(remove_worker), C(wait).
  type: list
  elements: dict
  returned: success
refusal:
  description: Why nothing is done, with the only safe next action; empty when something is, or nothing has to be.
  type: str
  returned: success
action:
  description: The word for what RV(refusal) asks for, as V(restore_needed), V(start_machine), V(upgrade), V(replace),
    V(remove), V(rotate), V(repair).
  type: str
  returned: success
notes:
  description: What else should be known.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.socle.platform.plugins.module_utils._cluster.plain import NEXT, next_steps


def main():
    module = AnsibleModule(argument_spec=NEXT, supports_check_mode=True)
    module.exit_json(changed=False, **next_steps(module.params))


if __name__ == "__main__":
    main()
