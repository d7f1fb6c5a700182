# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program of the machine, or say which one failed with its own words."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


class LabError(Exception):
    """Something the user has to know: one sentence, and what to do next where there is something to do."""


def run(*argv: str | Path, check: bool = True, text: str | None = None, timeout: float = 300) -> str:
    """Its output. The words of a failure are the program's own."""
    return finished(argv, check=check, text=text, timeout=timeout).stdout


def finished(
    argv: Sequence[str | Path], *, check: bool = True, text: str | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(words, input=text or "", text=True, capture_output=True, timeout=timeout, check=False)
    except FileNotFoundError:
        raise LabError(f"{words[0]} is not installed: run `make setup` as root.") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"`{' '.join(words)}` did not end within {timeout:.0f} s.") from None
    if check and done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()
        raise LabError(f"`{' '.join(words)}` failed ({done.returncode}): {' / '.join(said[-4:])}")
    return done


def inside(netns: str, *argv: str | Path) -> list[str]:
    """The same command in a network namespace. Not `ip netns exec`: that hides the cgroups."""
    return ["nsenter", f"--net=/run/netns/{netns}", "--", *(str(word) for word in argv)]
