# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: openvpn_gateway
author:
  - The Socle authors (@socle-platform)
short_description: The configuration of an OpenVPN gateway
version_added: 0.1.0
description:
  - Turns what is known of a gateway into the text that OpenVPN reads, or into the rules of its firewall.
  - The role C(socle.platform.openvpn) makes it from its variables.
options:
  _input:
    description:
      - A mapping of C(network), C(port), C(protocol), C(routes), C(listen), C(dns), C(domain), C(options).
    type: dict
    required: true
  part:
    description: Which text.
    type: str
    choices: [configuration, firewall]
    default: configuration
"""

EXAMPLES = r"""
- name: Show a gateway's configuration
  ansible.builtin.debug:
    msg: "{{ gateway | socle.platform.openvpn_gateway }}"
  vars:
    gateway: {network: 10.8.0.0/24, port: 1194, protocol: udp, routes: [10.10.0.0/16]}
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.socle.platform.plugins.module_utils._openvpn import server

PARTS = {"configuration": server.configuration, "firewall": server.firewall}


def openvpn_gateway(settings: Mapping[str, t.Any], part: str = "configuration") -> str:
    """One of a gateway's texts."""
    missing = [name for name in ("network", "port", "protocol") if not settings.get(name)]
    if missing or part not in PARTS:
        raise AnsibleFilterError(f"openvpn_gateway: {', '.join(missing) or part} is missing or unknown")
    try:
        return PARTS[part](settings)
    except ValueError as error:
        raise AnsibleFilterError(
            f"openvpn_gateway: {error}; networks are written as in 10.8.0.0/24, without host bits"
        ) from None


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"openvpn_gateway": openvpn_gateway}
