# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Checks that need more than one value of the manifest. Each module has `check(context)`."""

from __future__ import annotations

from typing import Any

from ..errors import Finding, Path
from ..load import Node
from . import clouds, delivery, hypervisors, kubernetes, names, networks, placement, secrets
from .context import Context

MOST_MACHINES = 20_000
_CHECKS = (names, networks, hypervisors, placement, kubernetes, delivery, clouds, secrets)


def run(manifest: Any, root: Node, broken: set[Path]) -> tuple[list[Finding], list[Finding]]:
    """Errors and warnings; of what is valid, when not everything is."""
    if manifest is None:
        return [], []
    context = Context(manifest, root, broken)
    total = sum(group.count for group in manifest.machines.values())
    if total > MOST_MACHINES:
        # Checking them one by one would take minutes.
        context.error(
            ("machines",), f"there are {total} machines", f"at most {MOST_MACHINES} in one manifest", key=True
        )
        return context.errors, []
    for module in _CHECKS:
        module.check(context)
    # What is unwise about half a manifest may well be right about the whole.
    return context.errors, [] if broken else context.warnings
