# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator of GitLab's REST API as a program: see README.md."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from gitlabsim.server import GitLab  # the package lies beside this file
from gitlabsim.world import ADMIN_TOKEN, Settings  # as above


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--edition", choices=["ce", "ee", "premium"], default="premium")
    parser.add_argument("--rate", type=int, default=0, help="requests in each window; 0: all")
    parser.add_argument("--users", default="", help="names, separated by commas")
    args = parser.parse_args(argv)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_unused: stop.set())
    server = GitLab(Settings(edition=args.edition, rate=args.rate), args.port).start()
    for name in filter(None, args.users.split(",")):
        server.world.user(name)
    print(json.dumps({"url": server.url, "token": ADMIN_TOKEN}), flush=True)
    stop.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
