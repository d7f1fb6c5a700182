# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Proxmox VE API simulator as a program: see README.md."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from pvesim.simulator import Settings, Simulator  # the package lies beside this file
from pvesim.world import RECENT  # as above


def _durations(rows: list[str]) -> dict[str, float]:
    out = {}
    for row in rows:
        kind, equals, seconds = row.partition("=")
        if not equals:
            raise SystemExit(f"--duration {row}: write it as KIND=SECONDS, for instance qmclone=2")
        out[kind] = float(seconds)
    return out


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8006, help="of the first node; the others follow; 0: any free ones")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--nodes", default="pve1", help="names, separated by commas")
    parser.add_argument("--cluster", default="", help="join the nodes into a cluster of this name")
    parser.add_argument("--root-password", default="secret")
    parser.add_argument("--control-token", default="", help="default: a random one, printed at the start")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", type=float, default=1.0, help="how many seconds pass in one")
    parser.add_argument(
        "--duration", action="append", default=[], metavar="KIND=SECONDS", help="of a kind of task; * for all"
    )
    parser.add_argument("--stat-interval", type=float, default=RECENT)
    parser.add_argument("--agent-patience", type=float, default=3.0)
    parser.add_argument("--refusal-delay", type=float, default=3.0, help="before a 401")
    parser.add_argument("--state", type=Path, help="load this dump at the start")
    args = parser.parse_args(argv)
    settings = Settings(
        nodes=tuple(args.nodes.split(",")),
        cluster=args.cluster,
        address=args.address,
        port=args.port,
        root_password=args.root_password,
        control_token=args.control_token,
        seed=args.seed,
        speed=args.speed,
        durations=_durations(args.duration),
        stat_interval=args.stat_interval,
        agent_patience=args.agent_patience,
        refusal_delay=args.refusal_delay,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_unused: stop.set())
    with tempfile.TemporaryDirectory(prefix="pve-sim-") as folder:
        simulator = Simulator(settings, Path(folder))
        if args.state:
            simulator.fleet.load(json.loads(args.state.read_text()))
        simulator.start()
        print(json.dumps(simulator.about()), flush=True)
        stop.wait()
        simulator.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
