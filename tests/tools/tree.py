# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Git holds or would hold, and copies of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = "playbooks/collections/ansible_collections/socle/platform"


def names(root: Path = ROOT) -> list[str]:
    """Every file and link of a checkout that is committed or would be, but for those deleted in the working tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return sorted(name for name in listed.split("\0") if name and os.path.lexists(root / name))


def copy(target: Path, *, link: bool) -> None:
    """Copy the working tree; with or without the link that makes a checkout work in place."""
    for name in names():
        if name == LINK and not link:
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
