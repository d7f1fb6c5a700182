# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Text for people: columns under one another."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[object]], indent: str = "  ") -> list[str]:
    """The rows below their header, each column as wide as its widest cell. Columns without any value are left out."""
    cells = [["-" if value in (None, "") else str(value) for value in row] for row in rows]
    kept = [number for number in range(len(header)) if any(row[number] != "-" for row in cells)]
    lines = [[header[number] for number in kept], *([row[number] for number in kept] for row in cells)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(kept))]
    return [
        (indent + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))).rstrip()
        for line in lines
    ]


def some(names: Sequence[str], most: int = 4) -> str:
    """A thousand names in one line."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
