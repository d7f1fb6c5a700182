# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: proxmox_answer
author:
  - The Socle authors (@socle-platform)
short_description: The answer file of Proxmox's automated installer
version_added: 0.1.0
description:
  - Turns what is known of a server into the answer file that Proxmox's installer reads. The role
    C(socle.platform.proxmox_node) makes it from its variables (C(tasks_from=answer)).
  - Check the result with C(proxmox-auto-install-assistant validate-answer).
options:
  _input:
    description:
      - A mapping of C(name), C(domain), C(keyboard), C(country), C(mailto), C(timezone), C(password_hash), C(ssh_keys),
        C(interface), C(address), C(gateway), C(dns), C(filesystem), C(raid), C(disks).
      - Without an address the server asks for one by DHCP.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the answer file of a server
  ansible.builtin.copy:
    content: "{{ server | socle.platform.proxmox_answer }}"
    dest: answer-pve1.toml
    mode: "0600"
  vars:
    server:
      name: pve1
      domain: example.org
      password_hash: "{{ lookup('socle.platform.secret', 'proxmox/root_password_hash') }}"
      interface: eno1
      address: 203.0.113.11/24
      gateway: 203.0.113.1
      dns: 9.9.9.9
      filesystem: zfs
      raid: raid1
      disks: [sda, sdb]
"""

RETURN = r"""
_value:
  description: The file, in TOML.
  type: str
"""

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError

NEEDED = ("name", "password_hash", "disks")
WITH_RAID = ("zfs", "btrfs")


def proxmox_answer(server: Mapping[str, t.Any]) -> str:
    """The answer file of one server."""
    missing = [name for name in NEEDED if not server.get(name)]
    if server.get("address"):
        missing += [name for name in ("interface", "gateway", "dns") if not server.get(name)]
        if "/" not in str(server["address"]):
            raise AnsibleFilterError(f"proxmox_answer: address {server['address']!r} lacks its prefix, as in /24")
    if missing:
        raise AnsibleFilterError(
            f"proxmox_answer: {', '.join(missing)} of {server.get('name') or 'a server'} is missing"
        )
    if not str(server["password_hash"]).startswith("$"):
        raise AnsibleFilterError("proxmox_answer: password_hash is no hash; make one with mkpasswd, never the password")
    filesystem = str(server.get("filesystem") or "zfs")
    disks: dict[str, t.Any] = {"filesystem": filesystem, "disk-list": [str(disk) for disk in server["disks"]]}
    if filesystem in WITH_RAID:
        disks[f"{filesystem}.raid"] = str(server.get("raid") or "raid1")
    sections: dict[str, dict[str, t.Any]] = {
        "global": {
            "keyboard": str(server.get("keyboard") or "en-us"),
            "country": str(server.get("country") or "us").lower(),
            "fqdn": f"{server['name']}.{server.get('domain') or 'localdomain'}",
            "mailto": str(server.get("mailto") or "root@localhost"),
            "timezone": str(server.get("timezone") or "UTC"),
            "root-password-hashed": str(server["password_hash"]),
            "root-ssh-keys": [str(key) for key in server.get("ssh_keys") or []],
        },
        "network": _network(server),
        "disk-setup": disks,
    }
    return "\n".join(line for name, values in sections.items() for line in _section(name, values))


def _network(server: Mapping[str, t.Any]) -> dict[str, t.Any]:
    if not server.get("address"):
        return {"source": "from-dhcp"}
    return {
        "source": "from-answer",
        "cidr": str(server["address"]),
        "gateway": str(server["gateway"]),
        "dns": str(server["dns"]),
        "filter.ID_NET_NAME": str(server["interface"]),
    }


def _section(name: str, values: Mapping[str, t.Any]) -> list[str]:
    return [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in values.items() if value != []), ""]


def _value(value: t.Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    escaped = "".join(f"\\u{ord(c):04X}" if c in '"\\' or ord(c) < 32 or ord(c) == 127 else c for c in str(value))
    return f'"{escaped}"'


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"proxmox_answer": proxmox_answer}
