# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves the artefacts inside a lab, where its nodes find the Internet: `in_lab.py up|down LAB`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pve"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rack.command import LabError, inside  # the package lies beside this folder
from rack.daemons import Daemon  # as above
from rack.lab import Lab  # as above
from rack.network import WORLD, listens  # as above

PORT = 5000
PROGRAM = Path(__file__).resolve().parent / "artefacts.py"


def daemon(lab: Lab) -> Daemon:
    return Daemon("artefacts", lab.state)


def up(lab: Lab) -> None:
    """Serve the mirror to this lab; what it holds is what `artefacts.py make` put there."""
    program = [sys.executable, str(PROGRAM), "serve", "--address", WORLD, "--port", str(PORT)]
    daemon(lab).start(inside(lab.netns, *program), lambda: listens(lab.netns, WORLD, PORT))


def down(lab: Lab) -> None:
    """Serve it no longer."""
    daemon(lab).stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["up", "down"])
    parser.add_argument("lab")
    args = parser.parse_args()
    try:
        {"up": up, "down": down}[args.action](Lab(args.lab))
    except LabError as error:
        print(f"in_lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
