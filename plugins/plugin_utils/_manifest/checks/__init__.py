# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Checks that need more than one value of the manifest."""

from __future__ import annotations

from typing import Any

from ..errors import Finding
from ..load import Node


def run(manifest: Any, root: Node) -> tuple[list[Finding], list[Finding]]:
    return [], []
