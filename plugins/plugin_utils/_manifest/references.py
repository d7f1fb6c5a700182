# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Secrets of the manifest as variables: read where a task uses them, so that no inventory shows them."""

from __future__ import annotations

from typing import Any


def by_reference(value: Any, *path: str) -> Any:
    """A reference or template as it is. What the manifest has in clear is read there again by whoever uses it."""
    if not isinstance(value, str) or "{{" in value:
        return value
    keys = "".join(f"['{part}']" for part in path)
    return "{{ (lookup('ansible.builtin.file', socle_manifest) | ansible.builtin.from_yaml)" + keys + " }}"
