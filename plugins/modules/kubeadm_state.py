#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_state
short_description: Tells what there is of a kubeadm cluster on a machine
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Looks at packages, daemons, files, certificates, etcd and the API of one machine, as root, and tells what it found
    as data. It works on a bare machine, on one whose join was interrupted, and beside an etcd without a quorum.
  - Reads only. Nothing that it tells is secret.
  - M(socle.platform.kubeadm_next) decides from it.
options:
  name:
    description: The name of the machine's Node; its hostname when left out.
    type: str
  address:
    description: The address at which the others reach this machine.
    type: str
    default: ""
  timeout:
    description: Seconds for each answer of etcd and of the API.
    type: float
    default: 3.0
extends_documentation_fragment:
  - socle.platform.kubeadm
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: none
seealso:
  - module: socle.platform.kubeadm_next
"""

EXAMPLES = r"""
- name: Ask every machine
  socle.platform.kubeadm_state:
    name: "{{ inventory_hostname }}"
    address: "{{ ansible_host }}"
  register: kubeadm_seen

- name: Say when certificates end
  ansible.builtin.debug:
    msg: "{{ kubeadm_seen.state.certificates | items2dict(key_name='name', value_name='days') }}"
"""

RETURN = r"""
state:
  description: What was found; every key is there even where there is nothing.
  type: dict
  returned: success
  contains:
    packages: {description: Versions by name; empty where a package is not installed., type: dict, returned: success}
    units: {description: What systemd says of C(containerd) and C(kubelet)., type: dict, returned: success}
    admin_conf: {description: Whether the administrator's kubeconfig is there., type: bool, returned: success}
    kubelet_conf:
      description: V(bootstrap), V(made) by kubeadm, V(finished) when the kubelet renews it itself, or empty.
      type: str
      returned: success
    kubelet_config: {description: Whether the kubelet's configuration is there., type: bool, returned: success}
    leftovers: {description: What C(kubeadm join) would refuse to find., type: list, elements: str, returned: success}
    manifests: {description: Versions of the static pods by name., type: dict, returned: success}
    authority: {description: SHA-256 of the cluster's CA., type: str, returned: success}
    authority_key: {description: Whether the keys of the CAs are here., type: bool, returned: success}
    certificates:
      description: C(name), C(path), C(subject), C(issuer), C(ends) as seconds since 1970, C(days) until then.
      type: list
      elements: dict
      returned: success
    etcd:
      description:
        - C(data), C(member) and C(cluster) as the data folder tells them, C(answers), C(healthy), C(leader),
          C(version), C(size), C(revision), C(alarms), C(reason), and C(members) with C(id), C(name), C(address),
          C(learner), C(healthy).
      type: dict
      returned: success
    api: {description: "C(ready), C(version), C(reason).", type: dict, returned: success}
    cluster:
      description: What the API tells of the whole; on a worker its own node alone.
      type: dict
      returned: success
    reason: {description: The last error in the kubelet's log where it does not get on., type: str, returned: success}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.socle.platform.plugins.module_utils._cluster.plain import STATE, state


def main():
    module = AnsibleModule(argument_spec=STATE, supports_check_mode=True)
    module.exit_json(changed=False, state=state(module.params))


if __name__ == "__main__":
    main()
