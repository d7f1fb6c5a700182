# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make lock`: requirements*.in become locks with hashes, for every Python from 3.11 on and without index addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")


def lock(source: str) -> None:
    """Resolve one file."""
    subprocess.run(
        [UV, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes",
         "--no-header", "--no-annotate", "--no-emit-index-url",
         source, "-o", Path(source).with_suffix(".txt").name],
        cwd=ROOT,
        check=True,
    )  # fmt: skip


if __name__ == "__main__":
    for name in ("requirements.in", "requirements-dev.in"):
        lock(name)
