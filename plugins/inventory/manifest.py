# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: manifest
author:
  - The Socle authors (@socle-platform)
short_description: A whole platform from one manifest
version_added: 0.1.0
description:
  - Reads a manifest of the collection, a YAML file whose name ends in C(.socle.yml) or C(.socle.yaml), and turns it
    into hosts, groups and variables.
  - The whole manifest is checked first. When anything is wrong, everything that is wrong is printed with file, line,
    column, path and what would be right, and the run ends with exit status 4 before anything is touched.
  - Addresses and VM ids that the manifest does not state are derived from names, and never change when other machines
    come or go.
  - Nothing is looked up while the inventory is read. Secrets stay templates until they are used.
notes:
  - The sections and keys of a manifest are described in C(docs/manifest.md) of the collection.
requirements:
  - pydantic >= 2.7
options:
  plugin:
    description: Says that this file is a manifest.
    required: true
    choices: [socle.platform.manifest]
seealso:
  - name: Guide to the manifest
    description: How to write one, the groups and variables that it becomes, and how addresses are derived.
    link: https://github.com/socle-platform/socle.platform/tree/main/docs/manifest-guide.md
"""

EXAMPLES = r"""
# inventories/example/platform.socle.yml
plugin: socle.platform.manifest
platform: {name: cater, domain: cater.example.org}
hypervisors:
  cluster: cater
  network: {rack: 10.10.0.0/16}
  nodes:
    compute1: {address: 203.0.113.11}
machines:
  worker: {count: 4, cores: 4, memory: 16 GiB}
"""

import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from ansible.errors import AnsibleError
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.ansible_values import decrypted, native
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.errors import report
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping import inventory as mapped
from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file
from ansible_collections.socle.platform.plugins.plugin_utils._secrets import masking

EXIT_STATUS = 4
OURS = re.compile(rb"""^plugin:[ ]*['"]?socle\.platform\.manifest['"]?[ ]*(?:#.*)?\r?$""", re.MULTILINE)


def keeps_secrets(path: str) -> bool:
    """The encrypted file beside a manifest is no inventory; Ansible's own plugins would make hosts of it."""
    if not path.endswith((".vault.yml", ".vault.yaml")):
        return False
    folder = Path(path).parent
    return any(folder.glob("*.socle.yml")) or any(folder.glob("*.socle.yaml"))


class InventoryModule(BaseInventoryPlugin):
    """Ansible's side of a manifest: read, print or hand over."""

    NAME = "socle.platform.manifest"

    def verify_file(self, path: str) -> bool:
        """Every *.socle.yml, even a missing one (the run must not go on without it), and what says that it is ours."""
        if path.endswith((".socle.yml", ".socle.yaml")):
            return True
        if not path.endswith((".yml", ".yaml")):
            return False
        if keeps_secrets(path):
            return True
        try:
            with Path(path).open("rb") as file:
                return bool(OURS.search(file.read(65536)))
        except OSError:
            return False

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        # Before the first worker is forked, so that what its lookups read stays out of all output.
        masking.install()
        if keeps_secrets(path):
            return
        result = validate_file(path, self._content(path))
        for warning in result.warnings:
            self.display.warning("\n".join(warning.lines(path)))
        if not result.ok:
            self._end(report(result))
        self._hand_over(mapped(result.platform, str(Path(path).resolve())))

    def _content(self, path: str) -> bytes | None:
        try:
            return decrypted(path, self.loader)
        except AnsibleError as exc:
            self._end(f"{path}:1:1: the manifest is encrypted and cannot be decrypted: {exc}. Nothing was touched.")

    def _end(self, message: str) -> NoReturn:
        """Ansible would only warn about an exception and go on without hosts; so the run ends here."""
        self.display.display(message, color="red", stderr=True)
        sys.stdout.flush()
        raise SystemExit(EXIT_STATUS)

    def _hand_over(self, made: Any) -> None:
        inventory = self.inventory
        before = inventory.groups["all"].vars.get("socle_manifest")
        if before is not None and str(before) != made.everywhere["socle_manifest"]:
            self._end(
                f"{made.everywhere['socle_manifest']} is a second manifest in this run: the first one is {before}. "
                "Nothing was touched.\n    wanted: one manifest in a run (other inventories may stand beside it)"
            )
        for name, value in made.everywhere.items():
            inventory.set_variable("all", name, native(value, self.loader))
        for group, variables in made.groups.items():
            inventory.add_group(group)
            for name, value in variables.items():
                inventory.set_variable(group, name, native(value, self.loader))
        for parent, children in made.children.items():
            for child in children:
                inventory.add_child(parent, child)
        for group, hosts in made.members.items():
            for host in hosts:
                inventory.add_host(host, group)
        for host, variables in made.hosts.items():
            for name, value in variables.items():
                inventory.set_variable(host, name, native(value, self.loader))
