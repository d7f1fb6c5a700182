#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_firewall
short_description: Keeps the firewall of a Proxmox VE cluster, its nodes and its guests
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Options, ordered rules, aliases, IP sets and security groups, at all three levels in one task. What is not given
    stays as it is.
  - The cluster's own options come last, so that what they switch on is complete by then.
  - Before anything is written it is worked out whether the nodes would still let this run in, at the ports of the API
    and of SSH. Changes that can have an effect on nodes are made in try mode. A node goes back to what it was unless it
    has been reached again from outside.
options:
  cluster:
    description: What applies to all nodes.
    type: dict
    suboptions:
      options:
        description: Options. Those that are not given stay as they are.
        type: dict
        suboptions:
          enable:
            description: Whether the firewall is on at all.
            type: bool
          ebtables:
            description: Whether rules also apply at the link layer.
            type: bool
          policy_in:
            description: What happens to what comes in and no rule decides.
            type: str
            choices: [ACCEPT, REJECT, DROP]
          policy_out:
            description: The same for what goes out.
            type: str
            choices: [ACCEPT, REJECT, DROP]
          policy_forward:
            description: The same for what is forwarded.
            type: str
            choices: [ACCEPT, DROP]
      aliases:
        description: Names for addresses.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the alias.
            type: str
            required: true
          comment:
            description: A note.
            type: str
          state:
            description: Whether it is there.
            type: str
            choices: [present, absent]
            default: present
          cidr:
            description: The address or network. Needed unless it is to be absent.
            type: str
      ipsets:
        description: Sets of addresses; that with the name V(management) is let in by all nodes.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the set.
            type: str
            required: true
          comment:
            description: A note.
            type: str
          state:
            description: Whether it is there.
            type: str
            choices: [present, absent]
            default: present
          members:
            description: Its members, all of them. Left out, they stay as they are.
            type: list
            elements: dict
            suboptions:
              cidr:
                description: An address or network.
                type: str
                required: true
              nomatch:
                description: Whether it is taken out of the set instead.
                type: bool
                default: false
              comment:
                description: A note.
                type: str
                default: ""
      groups:
        description: Security groups.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the group.
            type: str
            required: true
          comment:
            description: A note.
            type: str
          state:
            description: Whether it is there.
            type: str
            choices: [present, absent]
            default: present
          rules:
            description: Its rules, all of them, in order. Left out, they stay as they are.
            type: list
            elements: dict
            suboptions:
              type:
                description: Direction, or V(group) for a security group whose name is the action.
                type: str
                choices: [in, out, forward, group]
                default: in
              action:
                description: V(ACCEPT), V(DROP), V(REJECT), or the name of a security group.
                type: str
                required: true
              enable:
                description: Whether the rule is in force.
                type: bool
                default: true
              macro:
                description: Name of a macro of Proxmox, such as V(SSH).
                type: str
              proto:
                description: Protocol, such as V(tcp).
                type: str
              source:
                description: Where it comes from; addresses, networks, ranges, an alias, or V(+name) for an IP set.
                type: str
              dest:
                description: Where it goes to, in the same forms.
                type: str
              sport:
                description: Source ports.
                type: str
              dport:
                description: Destination ports, as in V(22,8000:8100).
                type: str
              iface:
                description: Interface; of a guest, such as V(net0).
                type: str
              icmp_type:
                description: Type of ICMP.
                type: str
              log:
                description: Level at which it is logged.
                type: str
                choices: [emerg, alert, crit, err, warning, notice, info, debug, nolog]
              comment:
                description: A note.
                type: str
      rules:
        description: Rules, in order. Rules that are not ours stay behind them, unless O(prune).
        type: list
        elements: dict
        suboptions:
          type:
            description: Direction, or V(group) for a security group whose name is the action.
            type: str
            choices: [in, out, forward, group]
            default: in
          action:
            description: V(ACCEPT), V(DROP), V(REJECT), or the name of a security group.
            type: str
            required: true
          enable:
            description: Whether the rule is in force.
            type: bool
            default: true
          macro:
            description: Name of a macro of Proxmox, such as V(SSH).
            type: str
          proto:
            description: Protocol, such as V(tcp).
            type: str
          source:
            description: Where it comes from; addresses, networks, ranges, an alias, or V(+name) for an IP set.
            type: str
          dest:
            description: Where it goes to, in the same forms.
            type: str
          sport:
            description: Source ports.
            type: str
          dport:
            description: Destination ports, as in V(22,8000:8100).
            type: str
          iface:
            description: Interface; of a guest, such as V(net0).
            type: str
          icmp_type:
            description: Type of ICMP.
            type: str
          log:
            description: Level at which it is logged.
            type: str
            choices: [emerg, alert, crit, err, warning, notice, info, debug, nolog]
          comment:
            description: A note.
            type: str
  nodes:
    description: Firewalls of nodes.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the node.
        type: str
        required: true
      options:
        description: Options. Those that are not given stay as they are.
        type: dict
        suboptions:
          enable:
            description: Whether the node's own firewall is on.
            type: bool
          nftables:
            description: Whether the newer implementation is used.
            type: bool
          ndp:
            description: Whether neighbour discovery is let through.
            type: bool
          nosmurfs:
            description: Whether smurf attacks are filtered.
            type: bool
          tcpflags:
            description: Whether illegal TCP flags are filtered.
            type: bool
          protection_synflood:
            description: Whether the node is protected against SYN floods.
            type: bool
          nf_conntrack_max:
            description: How many connections are tracked.
            type: int
          log_level_in:
            description: Level at which what comes in is logged.
            type: str
            choices: [emerg, alert, crit, err, warning, notice, info, debug, nolog]
          log_level_out:
            description: Level at which what goes out is logged.
            type: str
            choices: [emerg, alert, crit, err, warning, notice, info, debug, nolog]
          log_level_forward:
            description: Level at which what is forwarded is logged.
            type: str
            choices: [emerg, alert, crit, err, warning, notice, info, debug, nolog]
      rules:
        description: Rules, in order. Rules that are not ours stay behind them, unless O(prune).
        type: list
        elements: dict
        suboptions:
          type:
            description: Direction, or V(group) for a security group whose name is the action.
            type: str
            choices: [in, out, forward, group]
            default: in
          action:
            description: V(ACCEPT), V(DROP), V(REJECT), or the name of a security group.
            type: str
            required: true
          enable:
            description: Whether the rule is in force.
            type: bool
            default: true
          macro:
            description: Name of a macro of Proxmox, such as V(SSH).
            type: str
          proto:
            description: Protocol, such as V(tcp).
            type: str
          source:
            description: Where it comes from; addresses, networks, ranges, an alias, or V(+name) for an IP set.
            type: str
          dest:
            description: Where it goes to, in the same forms.
            type: str
          sport:
            description: Source ports.
            type: str
          dport:
            description: Destination ports, as in V(22,8000:8100).
            type: str
          iface:
            description: Interface; of a guest, such as V(net0).
            type: str
          icmp_type:
            description: Type of ICMP.
            type: str
          log:
            description: Level at which it is logged.
            type: str
            choices: [emerg, alert, crit, err, warning, notice, info, debug, nolog]
          comment:
            description: A note.
            type: str
  guests:
    description: Firewalls of virtual machines.
    type: list
    elements: dict
    suboptions:
      id:
        description: Id of the machine.
        type: int
        required: true
      name:
        description: Name of the machine. One with that id and another name is refused.
        type: str
        required: true
      options:
        description: Options. Those that are not given stay as they are.
        type: dict
        suboptions:
          enable:
            description: Whether the guest's firewall is on; each network device has a switch of its own besides.
            type: bool
          dhcp:
            description: Whether DHCP is let through.
            type: bool
          ndp:
            description: Whether neighbour discovery is let through.
            type: bool
          radv:
            description: Whether the guest may send router advertisements.
            type: bool
          macfilter:
            description: Whether other MAC addresses than its own are filtered.
            type: bool
          ipfilter:
            description: Whether other addresses than its own are filtered.
            type: bool
          policy_in:
            description: What happens to what comes in and no rule decides.
            type: str
            choices: [ACCEPT, REJECT, DROP]
          policy_out:
            description: The same for what goes out.
            type: str
            choices: [ACCEPT, REJECT, DROP]
          log_level_in:
            description: Level at which what comes in is logged.
            type: str
            choices: [emerg, alert, crit, err, warning, notice, info, debug, nolog]
          log_level_out:
            description: Level at which what goes out is logged.
            type: str
            choices: [emerg, alert, crit, err, warning, notice, info, debug, nolog]
      aliases:
        description: Names for addresses, of this guest alone.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the alias.
            type: str
            required: true
          comment:
            description: A note.
            type: str
          state:
            description: Whether it is there.
            type: str
            choices: [present, absent]
            default: present
          cidr:
            description: The address or network. Needed unless it is to be absent.
            type: str
      ipsets:
        description: Sets of addresses, of this guest alone.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the set.
            type: str
            required: true
          comment:
            description: A note.
            type: str
          state:
            description: Whether it is there.
            type: str
            choices: [present, absent]
            default: present
          members:
            description: Its members, all of them. Left out, they stay as they are.
            type: list
            elements: dict
            suboptions:
              cidr:
                description: An address or network.
                type: str
                required: true
              nomatch:
                description: Whether it is taken out of the set instead.
                type: bool
                default: false
              comment:
                description: A note.
                type: str
                default: ""
      rules:
        description: Rules, in order. Rules that are not ours stay behind them, unless O(prune).
        type: list
        elements: dict
        suboptions:
          type:
            description: Direction, or V(group) for a security group whose name is the action.
            type: str
            choices: [in, out, forward, group]
            default: in
          action:
            description: V(ACCEPT), V(DROP), V(REJECT), or the name of a security group.
            type: str
            required: true
          enable:
            description: Whether the rule is in force.
            type: bool
            default: true
          macro:
            description: Name of a macro of Proxmox, such as V(SSH).
            type: str
          proto:
            description: Protocol, such as V(tcp).
            type: str
          source:
            description: Where it comes from; addresses, networks, ranges, an alias, or V(+name) for an IP set.
            type: str
          dest:
            description: Where it goes to, in the same forms.
            type: str
          sport:
            description: Source ports.
            type: str
          dport:
            description: Destination ports, as in V(22,8000:8100).
            type: str
          iface:
            description: Interface; of a guest, such as V(net0).
            type: str
          icmp_type:
            description: Type of ICMP.
            type: str
          log:
            description: Level at which it is logged.
            type: str
            choices: [emerg, alert, crit, err, warning, notice, info, debug, nolog]
          comment:
            description: A note.
            type: str
  prune:
    description:
      - Whether rules, aliases, sets and groups that are not named are removed, at the levels and of the kinds that are
        given.
    type: bool
    default: false
  lockout_check:
    description: Whether rules that would refuse this run the way in are refused.
    type: bool
    default: true
  manager:
    description:
      - Addresses that must be let in, as nodes see them.
      - Without it, the address that connections to the node have here; name it where addresses are translated.
    type: list
    elements: str
  try_settle:
    description: Seconds that Proxmox may take to put rules in force. Being reached before that proves nothing.
    type: float
    default: 15.0
extends_documentation_fragment:
  - socle.platform.engine
  - socle.platform.proxmox
  - socle.platform.proxmox_try
seealso:
  - module: socle.platform.proxmox_networks
"""

EXAMPLES = r"""
- name: Only the office and the rack reach the nodes
  socle.platform.proxmox_firewall:
    api_host: [203.0.113.11, 203.0.113.12]
    api_token_id: socle@pve!socle
    api_token_secret: "{{ lookup('socle.platform.secret', 'proxmox/token') }}"
    reach: {pve1: 203.0.113.11, pve2: 203.0.113.12}
    cluster:
      options: {enable: true, policy_in: DROP}
      ipsets:
        - name: management
          members: [{cidr: 198.51.100.0/24, comment: office}, {cidr: 10.10.0.0/16, comment: rack}]
      groups:
        - name: web
          rules:
            - {action: ACCEPT, proto: tcp, dport: "80,443"}
    nodes:
      - name: pve1
        rules:
          - {action: ACCEPT, proto: udp, dport: "1194", comment: VPN}
    guests:
      - id: 1040001
        name: control-1
        options: {enable: true}
        rules:
          - {type: group, action: web}
"""

RETURN = r"""
objects:
  description: Every firewall, with the fields that change, and what came of it.
  type: list
  elements: dict
  returned: always
plan:
  description: This task's section for a plan file.
  type: dict
  returned: always
"""

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run
from ansible_collections.socle.platform.plugins.module_utils._proxmox import firewall
from ansible_collections.socle.platform.plugins.module_utils._proxmox.firewall_writer import FirewallsWriter
from ansible_collections.socle.platform.plugins.module_utils._proxmox.options import connection_spec
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import Session, missing_libraries


def main():
    session = Session()
    readers = []

    def open_reader(parameters):
        readers.append(firewall.Firewalls(session.of(parameters), parameters))
        return readers[0]

    run(
        Adapter(
            spec={**connection_spec(), **firewall.spec()},
            desired=firewall.desired,
            reader=open_reader,
            writer=lambda _parameters: FirewallsWriter(session, readers[0]),
            requires=missing_libraries(),
        )
    )


if __name__ == "__main__":
    main()
