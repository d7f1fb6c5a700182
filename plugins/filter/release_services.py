# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: release_services
author:
  - The Socle authors (@socle-platform)
short_description: What is released on a cloud, from its host's variables
version_added: 0.1.0
description:
  - Gives the option C(services) of M(socle.platform.cloud_run_traffic) or M(socle.platform.ecs_deployment) for an app,
    with the health, the alarms, the time to watch and the test address that follow from the cloud's own variables.
  - An empty list for a host that does not have the app. Ends the run when no host has it.
options:
  _input:
    description: Variables of every cloud's host, by name.
    type: dict
    required: true
  host:
    description: The host that is meant.
    type: str
    required: true
  app:
    description: The app.
    type: str
    required: true
  state:
    description: The state that is asked for.
    type: str
    choices: [deployed, released, rolled_back]
    required: true
  said:
    description: What is said about this release, such as C(image) and C(version).
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Say what a deployment would be
  ansible.builtin.debug:
    msg: >-
      {{ hostvars | socle.platform.release_services(inventory_hostname, 'web', 'deployed', {'version': '2'}) }}
"""

RETURN = r"""
_value:
  description: A mapping for the service, with C(name), C(state), and the rest of what its module takes.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.socle.platform.plugins.plugin_utils import _releases


def release_services(hosts: t.Any, host: str, app: str, state: str, said: t.Any = None) -> list[dict[str, t.Any]]:
    """The services."""
    try:
        _releases.places(hosts, app)
        return _releases.services(hosts[host], app, state, said or {})
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Any]:
        return {"release_services": release_services}
