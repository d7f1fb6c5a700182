# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How every GitLab module of this collection reaches the API."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of `module_utils/_gitlab/options.py`."""

    DOCUMENTATION = r"""
options:
  api_url:
    description: The server's address, as in V(https://gitlab.example.org). From E(GITLAB_URL) when not set.
    type: str
    required: true
  api_token:
    description:
      - A personal, group or project access token. From E(GITLAB_TOKEN) when not set.
      - Its scope is C(api). Groups want an Owner, projects a Maintainer; runners of the instance an administrator.
    type: str
    required: true
  validate_certs:
    description: Whether the server's certificate must be valid.
    type: bool
    default: true
  ca_path:
    description: File with the certificate authority to trust.
    type: path
  api_timeout:
    description: Seconds to wait for one answer.
    type: float
    default: 60
requirements:
  - python-gitlab >= 4.0
"""
