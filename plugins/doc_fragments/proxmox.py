# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How every Proxmox module of this collection reaches the API."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of `module_utils/_proxmox/options.py`."""

    DOCUMENTATION = r"""
options:
  api_host:
    description:
      - Nodes of the cluster whose API is used, as V(name), V(name:port) or an address.
      - The first that answers is used; when it goes away in the middle of a task, the next one takes over.
      - From E(PROXMOX_HOST), separated by commas, when not set.
    type: list
    elements: str
    required: true
  api_port:
    description: Port of the API, for hosts that do not name one. From E(PROXMOX_PORT) when that is set.
    type: int
    default: 8006
  api_user:
    description: Who logs in, with the realm, as in V(root@pam). From E(PROXMOX_USER) when not set.
    type: str
  api_password:
    description: The user's password, for one login per task. From E(PROXMOX_PASSWORD) when not set.
    type: str
  api_token_id:
    description:
      - Name of an API token, as in V(ci) beside O(api_user), or whole as in V(socle@pve!ci).
      - From E(PROXMOX_TOKEN_ID) when not set. A token is preferred to a password.
    type: str
  api_token_secret:
    description: The token's secret. From E(PROXMOX_TOKEN_SECRET) when not set.
    type: str
  validate_certs:
    description:
      - Whether the server's certificate must be valid. No variable of the environment overrules V(false).
      - From E(PROXMOX_VALIDATE_CERTS) when not set.
    type: bool
    default: true
  ca_path:
    description:
      - File with the certificate authority to trust, such as a copy of a node's C(/etc/pve/pve-root-ca.pem).
      - From E(PROXMOX_CA_PATH) when not set.
    type: path
  api_timeout:
    description:
      - Seconds to wait for one answer. A node that has to ask another one may take 30 seconds to say that it is away.
    type: float
    default: 60
requirements:
  - proxmoxer >= 2.0
  - requests
"""
