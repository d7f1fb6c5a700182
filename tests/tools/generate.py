# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make docs` writes the generated pages; `make lint` fails when one of them is out of date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Each writes its pages when called plainly, and with --check only compares, naming the pages that differ.
GENERATORS = [["tests/tools/manifest_docs.py"]]


def _run(*extra: str) -> tuple[bool, str]:
    passed, output = True, ""
    for generator in GENERATORS:
        done = subprocess.run(
            [sys.executable, *generator, *extra], cwd=ROOT, capture_output=True, text=True, check=False
        )
        passed = passed and done.returncode == 0
        output += done.stdout + done.stderr
    return passed, output


def check() -> tuple[bool, str]:
    """Are all generated pages up to date?"""
    return _run("--check")


if __name__ == "__main__":
    ok, text = _run(*sys.argv[1:])
    print(text, end="")
    sys.exit(not ok)
