# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: terragrunt_layout
author:
  - The Socle authors (@socle-platform)
short_description: Layers as the folders of Terragrunt
version_added: 0.1.0
description:
  - Turns what P(socle.platform.terraform_layers#lookup) gives into files for Terragrunt 1.x, one unit for each layer.
  - State is kept where M(socle.platform.terraform_stack) keeps it, so that either may be run the next time.
  - Secrets are in none of the files. Each is named, with the environment variable that Terraform reads it from.
positional: stack, state
options:
  _input:
    description: The layers.
    type: list
    elements: dict
    required: true
  stack:
    description: The stack's name, which is the cloud's.
    type: str
    required: true
  state:
    description: Where the state is kept, as M(socle.platform.terraform_stack) takes it.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show the files of a cloud
  ansible.builtin.debug:
    msg: >-
      {{ query('socle.platform.terraform_layers', *clouds_layers)
         | socle.platform.terragrunt_layout(inventory_hostname, clouds_state) }}
"""

RETURN = r"""
_value:
  description: Text by path.
  type: dict
"""

from pathlib import Path

from ansible.parsing.dataloader import DataLoader
from ansible_collections.socle.platform.plugins.plugin_utils._terragrunt import layout


def terragrunt_layout(layers, stack, state=None):
    return layout(str(stack), layers, state or {}, lambda path: DataLoader().load_from_file(str(Path(path))))


class FilterModule:
    def filters(self):
        return {"terragrunt_layout": terragrunt_layout}
