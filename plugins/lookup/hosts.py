# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: hosts
author:
  - The Socle authors (@socle-platform)
short_description: A host pattern, once the manifest is known to be read
version_added: 0.1.0
description:
  - For the C(hosts) of a play. Gives back the pattern that it is given.
  - Before that, it looks for a manifest among the inventory sources of the run. One that was not read into the
    inventory ends the run with everything that is wrong with it, before the first task.
  - The inventory plugin P(socle.platform.manifest#inventory) does so itself whenever Ansible gives it the file. But
    Ansible reads a file before it knows whose it is, and when that fails it only warns and goes on without hosts.
  - A run without a manifest, with a static inventory or the one that AWX makes, is left alone.
options:
  _terms:
    description: The host pattern.
    required: true
"""

EXAMPLES = r"""
- name: Nothing is done with half a platform
  hosts: "{{ lookup('socle.platform.hosts', 'machines') }}"
  tasks: []
"""

RETURN = r"""
_raw:
  description: The host pattern, as it was given.
  type: list
  elements: str
"""

import os
import re
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

from ansible import constants as C
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

SUFFIXES = (".socle.yml", ".socle.yaml")
# As Ansible does: an editor's lock is called .#platform.socle.yml, and points to nothing.
PASSED_OVER = re.compile(r"\.|(?:host_vars|group_vars|vars_plugins)\Z")
# As of the inventory plugin: a broken manifest ends every kind of run in the same way.
EXIT_STATUS = 4

_read_already: set[str] = set()


class LookupModule(LookupBase):
    """The guard of our playbooks."""

    def run(self, terms: list[str], variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        """The terms, or the end of the run."""
        del kwargs
        variables = variables or {}
        for path in manifests(variables.get("ansible_inventory_sources") or ()):
            if path not in _read_already:
                fault = self._fault(path, set(variables.get("groups") or ()))
                if fault:
                    self._end(fault)
                _read_already.add(path)
        return terms

    def _fault(self, path: str, groups: set[str]) -> str:
        from ansible_collections.socle.platform.plugins.plugin_utils._manifest.ansible_values import decrypted
        from ansible_collections.socle.platform.plugins.plugin_utils._manifest.errors import report
        from ansible_collections.socle.platform.plugins.plugin_utils._manifest.mapping import inventory
        from ansible_collections.socle.platform.plugins.plugin_utils._manifest.validate import validate_file

        result = validate_file(path, decrypted(path, self._loader))
        if not result.ok:
            return str(report(result))
        missing = sorted(set(inventory(result.platform, path).groups) - groups)
        if missing:
            return (
                f"{path} is a valid manifest, but Ansible did not read it: the groups {', '.join(missing)} are missing."
                " Nothing was touched.\n"
                "    wanted: `socle.platform.manifest` (or `auto`) in `enable_plugins` of the `[inventory]` section of"
                f" {C.CONFIG_FILE or 'ansible.cfg'}, or in ANSIBLE_INVENTORY_ENABLED"
            )
        return ""

    def _end(self, message: str) -> t.NoReturn:
        # An exception would reach the user wrapped in sentences about templates.
        Display().display(message, color=C.COLOR_ERROR, stderr=True)
        sys.stdout.flush()
        raise SystemExit(EXIT_STATUS)


def manifests(sources: t.Iterable[str]) -> Iterator[str]:
    """The manifests that Ansible would come by in its inventory sources."""
    for source in sources:
        if "," in source:
            continue
        if Path(source).is_dir():
            for folder, inside, files in os.walk(source):
                inside[:] = sorted(name for name in inside if not PASSED_OVER.match(name))
                names = (name for name in sorted(files) if not PASSED_OVER.match(name))
                yield from (str(Path(folder) / name) for name in names if name.endswith(SUFFIXES))
        elif source.endswith(SUFFIXES) and Path(source).is_file():
            yield source
