# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: machine_certificates
author:
  - The Socle authors (@socle-platform)
short_description: Certificates of authorities as files that a machine trusts
version_added: 0.1.0
description:
  - Gives back files for M(socle.platform.machine_files), in the folder in which Debian looks for further authorities.
options:
  _input:
    description: Certificates in PEM by name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Trust the company's own authority
  socle.platform.machine_files:
    files: "{{ {'company': lookup('ansible.builtin.file', 'company.pem')} | socle.platform.machine_certificates }}"
    owned: [/usr/local/share/ca-certificates/socle]
"""

RETURN = r"""
_value:
  description: The files.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

FOLDER = "/usr/local/share/ca-certificates/socle"
COMMAND = ["/usr/sbin/update-ca-certificates", "--fresh"]


def machine_certificates(certificates: dict[str, str]) -> list[dict[str, t.Any]]:
    """One file for each."""
    files: list[dict[str, t.Any]] = [{"path": FOLDER, "state": "directory", "apply": [COMMAND]}]
    for name, pem in certificates.items():
        if "-----BEGIN CERTIFICATE-----" not in pem:
            raise AnsibleFilterError(f"machine_certificates: {name} is no certificate in PEM")
        files.append({"path": f"{FOLDER}/{name}.crt", "content": f"{pem.strip()}\n", "apply": [COMMAND]})
    return files


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"machine_certificates": machine_certificates}
