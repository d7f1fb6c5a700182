# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Sizes and durations, from the manifest's way of writing them to other programs'."""

from __future__ import annotations

_MIB = {"MiB": 1, "GiB": 1024, "TiB": 1024 * 1024}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def kubernetes_size(size: str) -> str:
    """50 GiB -> 50Gi; a fraction becomes whole in the smaller unit."""
    number, unit = size.split()
    mebi = int(float(number) * _MIB[unit])
    return f"{mebi // 1024}Gi" if mebi % 1024 == 0 else f"{mebi}Mi"


def hours(duration: str) -> str:
    """14d -> 336h, for programs that know no days."""
    text = duration.replace(" ", "")
    return f"{-(-int(text[:-1]) * _SECONDS[text[-1]] // 3600)}h"


def cron(every: str, minute: int = 0) -> str:
    """The times at which something is done that often: at night when once a day or rarer."""
    text = every.replace(" ", "")
    seconds = int(text[:-1]) * _SECONDS[text[-1]]
    if seconds >= 7 * 86400:
        return f"{minute} 2 * * 0"
    if seconds >= 86400:
        return f"{minute} 2 * * *"
    step = max(1, seconds // 3600)
    return f"{minute} */{step} * * *" if step > 1 else f"{minute} * * * *"
