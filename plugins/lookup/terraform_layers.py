# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: terraform_layers
author:
  - The Socle authors (@socle-platform)
short_description: Terraform layers of this collection's roles, as data
version_added: 0.1.0
description:
  - Describes layers for M(socle.platform.terraform_stack), so that the layers of several roles are one task.
  - The variables of a layer are those of its role without the role's name in front. They are taken from the task, where
    the role itself need not run; what is not given has the default that the role's documentation says.
  - What another layer puts out is joined by declaration (C(meta/layer.yml) of the role), when that layer is asked for
    too and the role's variable is not given.
options:
  _terms:
    description: Names of roles that are layers.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Keep a network and what is in it
  socle.platform.terraform_stack:
    layers: "{{ query('socle.platform.terraform_layers', 'aws_network', 'ecs') }}"
  vars:
    aws_network_name: shop
    aws_network_region: eu-west-3
    ecs_name: shop
    ecs_region: eu-west-3
    ecs_domain: shop.example.org
"""

RETURN = r"""
_list:
  description:
    - One entry for each layer, with C(name), C(source) (the folder of its files), C(variables), C(secrets) (variables
      that are not shown), C(inputs) (by variable, each with C(layer) and C(output)), C(needs) (layers that come first)
      and C(protected) (kinds not to be destroyed unless named).
  type: list
  elements: dict
"""

from pathlib import Path

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.socle.platform.plugins.plugin_utils._layers import LayerError, layers

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core before 2.19 takes every text for a template

    def trust_as_template(value):
        return value


ROLES = Path(__file__).parents[2] / "roles"


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        seen = variables or {}

        def value_of(name, default):
            return self._templar.template(seen[name] if name in seen else _trusted(default))

        try:
            return layers(ROLES, terms, lambda path: self._loader.load_from_file(str(path)), value_of)
        except LayerError as error:
            raise AnsibleLookupError(str(error)) from None


def _trusted(value):
    if isinstance(value, str):
        return trust_as_template(str(value))
    if isinstance(value, dict):
        return {key: _trusted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_trusted(inner) for inner in value]
    return value
