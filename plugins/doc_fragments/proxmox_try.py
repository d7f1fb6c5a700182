# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try mode, of the modules that could lock everybody out of a node."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of `module_utils/_proxmox/networks.try_spec`."""

    DOCUMENTATION = r"""
options:
  try_mode:
    description:
      - Whether a node goes back by itself when it cannot be reached after a change.
      - It needs the helper C(socle-try) on the node; without it nothing is changed.
    type: bool
    default: true
  try_seconds:
    description: After how many seconds the node goes back when nobody has reached it.
    type: int
    default: 120
  try_ports:
    description: Ports that must take a connection after the change if they did before it. The API must always answer.
    type: list
    elements: int
    default: [22]
  reach:
    description:
      - The address at which each node is reached from here, by node; V(address:port) where the port differs.
      - Without it, an O(api_host) of that name, else the address that the cluster knows.
    type: dict
    default: {}
"""
