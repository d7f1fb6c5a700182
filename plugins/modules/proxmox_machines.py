#!/usr/bin/python
# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All virtual machines of a platform on Proxmox VE, in one task."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxmox_machines
short_description: Make and keep the virtual machines of a platform on Proxmox VE
version_added: 0.1.0
author:
  - The Socle authors (@socle-platform)
description:
  - Takes all machines of a platform in one task, reads what there is with one request per machine, and changes what
    differs.
    New machines are cloned from a template, configured, grown and started side by side.
  - A machine is known by its SMBIOS uuid, which follows from O(platform) and its name, never by its id alone. Every
    change is
    made to a guest that was read right before and proved to be the machine, with the digest of its configuration.
  - Settings that are not given are left as they are.
  - What the machines name (nodes, templates, storages, space, bridges, pools) is checked before the first change.
options:
  platform:
    description:
      - Name of the platform that the machines belong to. Machines of another platform are never touched.
      - Guests carry it as a tag, V(socle-<platform>).
    type: str
    required: true
  machines:
    description: The machines. Those that are not in the list are left alone, unless O(prune) is set.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name, which is its host name too.
        type: str
        required: true
      state:
        description: Whether the machine shall be there. V(absent) stops and destroys it, with its disks.
        type: str
        choices: [present, absent]
        default: present
      id:
        description:
          - Its id in Proxmox. Derived from O(platform) and the name when not given, and found by proof in any case.
        type: int
      node:
        description: The node that a new machine is made on. A machine that has moved since is left where it is.
        type: str
      nodes:
        description: The nodes that a new machine may be made on. O(nodes) when not given.
        type: list
        elements: str
      group:
        description: Machines of the same group are spread over the nodes as far as there are enough.
        type: str
      template:
        description:
          - Name or id of the template that a new machine is cloned from. Required unless O(machines[].state=absent).
          - Where several nodes have a template of that name, the one on the machine's own node is used.
          - Machines that exist keep what they were made of.
        type: str
      full:
        description:
          - Whether a new machine gets full copies of the template's disks. By default when O(machines[].storage) is
            given.
        type: bool
      storage:
        description: Storage for a new machine's disks. The template's when not given.
        type: str
      started:
        description: Whether the machine shall be running.
        type: bool
        default: true
      cores:
        description: Cores of each socket.
        type: int
      sockets:
        description: Sockets.
        type: int
      memory:
        description: Memory, as in V(4 GiB). A bare number counts MiB.
        type: raw
      balloon:
        description: The least memory that ballooning leaves, as in V(2 GiB). A bare number counts MiB.
        type: raw
      disks:
        description: Disks to have. Others, such as further ones of the template, are left as they are.
        type: list
        elements: dict
        suboptions:
          slot:
            description: Where it is plugged in, as V(scsi0). By default V(scsi) with its place in the list.
            type: str
          size:
            description: Its size, as in V(80 GiB). A bare number counts GiB. Disks grow, and never shrink.
            type: raw
          storage:
            description: Storage for a new disk. By default that of the machine or its template.
            type: str
          options:
            description: Further settings of the disk as Proxmox names them, as in C(ssd) and C(discard).
            type: dict
      nics:
        description: Network cards, V(net0) first. Further ones that are there are left as they are.
        type: list
        elements: dict
        suboptions:
          bridge:
            description: Bridge of the node.
            type: str
            required: true
          model:
            description: Model of the card. V(virtio) for a new one.
            type: str
          mac:
            description:
              - Its MAC address. By default one that follows from O(platform), name and place, and so never changes.
            type: str
          vlan:
            description: Tag of its VLAN.
            type: int
          firewall:
            description: Whether the firewall of Proxmox filters it.
            type: bool
          mtu:
            description: Its MTU; V(1) is that of the bridge.
            type: int
          rate:
            description: Limit in MB per second.
            type: float
          link_down:
            description: Whether its cable is out.
            type: bool
          queues:
            description: Queues of the card.
            type: int
          address:
            description: IPv4 address with prefix length that cloud-init sets, or V(dhcp).
            type: str
          gateway:
            description: IPv4 gateway.
            type: str
          address6:
            description: IPv6 address with prefix length, V(dhcp) or V(auto).
            type: str
          gateway6:
            description: IPv6 gateway.
            type: str
      cloud_init:
        description: What cloud-init sets up. A drive for it is made when the template has none.
        type: dict
        suboptions:
          user:
            description: The user that is made.
            type: str
          password:
            description:
              - The user's password. Proxmox keeps a hash and never tells it, so a change of it alone is not noticed.
            type: str
          ssh_keys:
            description: Public keys that the user can log in with. Their order means nothing.
            type: list
            elements: str
          nameservers:
            description: DNS servers.
            type: list
            elements: str
          search_domains:
            description: DNS search domains.
            type: list
            elements: str
          upgrade:
            description: Whether packages are upgraded at the first start.
            type: bool
      tags:
        description: All its tags. The platform's own is always added. Their order and case mean nothing.
        type: list
        elements: str
      pool:
        description: The pool that it belongs to.
        type: str
      description:
        description: Notes, as Proxmox shows them.
        type: str
      onboot:
        description: Whether it starts with its node.
        type: bool
      order:
        description: Its place when a node starts or stops all guests.
        type: int
      boot:
        description: Devices to boot from, as in V([scsi0, net0]).
        type: list
        elements: str
      agent:
        description: Whether Proxmox may talk to the guest's agent.
        type: bool
      protection:
        description:
          - Whether Proxmox refuses to destroy the machine. This module lifts the protection itself, bound to the
            digest of what it
            read, right before it destroys a machine that is asked to be absent.
          - So a request that comes late, for an id that was given to another machine, is refused by the server.
        type: bool
        default: true
      options:
        description:
          - Any other setting of a guest as Proxmox names it, as in C(cpu) and C(numa). An empty value unsets it.
        type: dict
  nodes:
    description: Nodes for new machines that name none. All that are online when not given.
    type: list
    elements: str
  wait:
    description:
      - How far a machine that was started must have come before it counts as done.
      - V(agent) waits for an address told by the guest's agent, V(ssh) for an SSH server on the machine's address
        (asked of the agent
        when none is given), V(cloud_init) for the end of cloud-init.
    type: str
    choices: [started, agent, ssh, cloud_init]
    default: started
  wait_timeout:
    description: Seconds after which such a wait ends, with its cause.
    type: float
    default: 300.0
  reboot:
    description:
      - What is done about settings that a running machine takes only at its next start. They are told as notes and
        warnings.
      - V(rolling) reboots such machines one after the other, each when the one before is back.
    type: str
    choices: [never, rolling]
    default: never
  shutdown_timeout:
    description: Seconds that a guest gets to shut down by itself.
    type: float
    default: 60.0
  destroy_detached_disks:
    description:
      - Proxmox destroys the detached disks of a guest with it. A machine that has such disks is not destroyed
        unless this is V(true).
    type: bool
    default: false
  overcommit:
    description:
      - Whether disks may be made on a storage that has less room than all of them could take.
      - Thin storages can be promised more than they have; whoever does so has to watch them.
    type: bool
    default: false
  concurrency:
    description: How many machines are worked on at the same time at most.
    type: int
    default: 20
  deadline:
    description: Seconds that the whole task may take, with all its retries and waits.
    type: float
    default: 1800.0
extends_documentation_fragment:
  - socle.platform.proxmox
  - socle.platform.engine
  - socle.platform.engine.prune
seealso:
  - module: socle.platform.proxmox_machines_info
"""

EXAMPLES = r"""
- name: All machines of the platform
  socle.platform.proxmox_machines:
    api_host: [pve1.example.org, pve2.example.org]
    api_token_id: socle@pve!machines
    api_token_secret: "{{ token }}"
    platform: cater
    machines:
      - name: control-1
        group: control
        template: debian-13
        cores: 2
        memory: 4 GiB
        disks:
          - size: 20 GiB
        nics:
          - bridge: vmbr0
            address: 10.10.0.11/16
            gateway: 10.10.0.1
        cloud_init:
          user: ops
          ssh_keys: ["{{ ssh_key }}"]
      - name: storage-1
        template: debian-13
        memory: 8 GiB
        disks:
          - size: 20 GiB
          - slot: scsi1
            size: 500 GiB
            storage: local
        nics:
          - bridge: vmbr0
            address: dhcp

- name: More memory, and reboot the machines that need it, one after the other
  socle.platform.proxmox_machines:
    api_host: [pve1.example.org]
    api_token_id: socle@pve!machines
    api_token_secret: "{{ token }}"
    platform: cater
    reboot: rolling
    machines:
      - name: control-1
        template: debian-13
        memory: 8 GiB

- name: A machine that is not needed any more
  socle.platform.proxmox_machines:
    api_host: [pve1.example.org]
    api_token_id: socle@pve!machines
    api_token_secret: "{{ token }}"
    platform: cater
    machines:
      - name: storage-1
        state: absent
"""

RETURN = r"""
machines:
  description: Where each machine is, by name. In check mode, where a new one would be.
  returned: always
  type: dict
  sample:
    control-1:
      id: 100231
      node: pve1
      uuid: 5f0c4b1e-2d7c-5a35-9b7e-0f6b1c2d3e4f
      addresses: [10.10.0.11]
objects:
  description: Each machine with its action, the fields that differ, the outcome, and notes such as C(needs a reboot).
  returned: always
  type: list
  elements: dict
  sample:
    - key: control-1
      action: create
      outcome: succeeded
plan:
  description: The plan, for C(playbooks/plan.yml).
  returned: always
  type: dict
"""

from ansible_collections.socle.platform.plugins.module_utils._module import Adapter, run
from ansible_collections.socle.platform.plugins.module_utils._proxmox.machine_adapter import Machines, argument_spec


def main() -> None:
    """Read, plan, apply."""
    parts = Machines()
    run(
        Adapter(
            spec=argument_spec(),
            desired=parts.desired,
            reader=parts.reader,
            writer=parts.writer,
            prunes=True,
            more=parts.more,
        )
    )


if __name__ == "__main__":
    main()
