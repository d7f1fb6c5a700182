# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What a plan file holds and no task of the run that applies it has taken up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.socle.platform.plugins.module_utils import _plan

from .table import some


class Undone:
    """The sections of one plan file that would change something, less those that tasks have been held to."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._plan = _plan.load(path)
        except _plan.PlanFileError:
            # Every task that is given this file says so itself.
            self._plan = {"sections": []}
        self._left = [section for section in self._plan["sections"] if section["changes"]]

    def saw(self, result: Mapping[str, Any]) -> None:
        """Take note of a task's result, whatever came of it: a refusal has been said."""
        for made in _plans(result):
            task = _plan.Identity(made["module"], made["scope"], made["parameters"])
            mine = _plan.section_for(self._plan, task)
            self._left = [section for section in self._left if section is not mine]

    def sentences(self) -> list[str]:
        """One for each section that is left."""
        return [
            f"{self.path}: no task of this run has taken up what was planned with {section['module']}"
            f"{' for ' + section['scope'] if section['scope'] else ''}: {_changes(section)}. "
            "The play, the host, or the tag that holds it was left out, or a task before it failed"
            for section in self._left
        ]


def _plans(result: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The plans in a result: its own, or those of its loop's items."""
    items = result.get("results")
    for said in [result, *(items if isinstance(items, list) else [])]:
        made = said.get("plan") if isinstance(said, Mapping) else None
        if isinstance(made, Mapping) and {"module", "scope", "parameters", "digest"} <= made.keys():
            yield made


def _changes(section: Mapping[str, Any]) -> str:
    return some([f"{change['action']} {section['kind']} {change['key']}" for change in section["changes"]])
