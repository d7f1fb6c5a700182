# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: machine_firewall
author:
  - The Socle authors (@socle-platform)
short_description: The firewall of a machine, for nftables
version_added: 0.1.0
description:
  - Makes the content of C(/etc/nftables.conf) of named openings. Everything that is not named is closed.
  - It replaces its own tables C(inet socle) and C(ip socle_nat) and leaves the tables of others alone.
options:
  _input:
    description:
      - The openings, each with C(name), C(ports) (numbers, or ranges such as C(49152-49251)), C(protocol) (V(tcp),
        V(udp), or one without ports such as V(vrrp)) and C(sources) (networks; anywhere when there are none).
    type: list
    elements: dict
    required: true
  ssh_ports:
    description: Ports of SSH.
    type: list
    elements: int
    default: [22]
  ssh_networks:
    description: Who reaches SSH; anybody when empty.
    type: list
    elements: str
    default: []
  ssh_new_per_minute:
    description: How many connections one address may begin.
    type: int
    default: 60
  forwarding:
    description:
      - What the machine carries between networks, each with C(name), C(sources), C(destinations) and C(masquerade).
        An empty list is any.
    type: list
    elements: dict
    default: []
  log_per_minute:
    description: How many refused packets are logged; V(0) for none.
    type: int
    default: 6
"""

EXAMPLES = r"""
- name: A web server that SSH reaches from one network
  ansible.builtin.copy:
    content: >-
      {{ [{'name': 'web', 'ports': [80, 443]}] | socle.platform.machine_firewall(ssh_networks=['10.10.0.0/16']) }}
    dest: /etc/nftables.conf
    mode: "0600"
    validate: nft --check --file %s
"""

RETURN = r"""
_value:
  description: The file.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.socle.platform.plugins.plugin_utils._firewall import FirewallError, ruleset


def machine_firewall(
    openings: list[dict[str, t.Any]],
    ssh_ports: tuple[int, ...] = (22,),
    ssh_networks: tuple[str, ...] = (),
    ssh_new_per_minute: int = 60,
    forwarding: tuple[dict[str, t.Any], ...] = (),
    log_per_minute: int = 6,
) -> str:
    """The file."""
    try:
        return ruleset(
            ssh_ports=ssh_ports,
            ssh_networks=ssh_networks,
            ssh_new_per_minute=ssh_new_per_minute,
            openings=openings,
            forwarding=forwarding,
            log_per_minute=log_per_minute,
        )
    except FirewallError as error:
        raise AnsibleFilterError(f"machine_firewall: {error}") from error


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"machine_firewall": machine_firewall}
