# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replays a recording of a real API against the simulator: `contract.py RECORDING...`; prints `matched N of M` last."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from pvesim.replay import Replay, Verdict, read  # the package lies beside this file


def _files(paths: list[Path]) -> list[Path]:
    out: list[Path] = []
    for path in paths:
        out += sorted(path.glob("*.jsonl*")) if path.is_dir() else [path]
    return out


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+", type=Path, help="a .jsonl or .jsonl.gz file, or a folder of them")
    parser.add_argument("--least", type=float, default=97.0, help="percent that must match, or the exit code is 1")
    parser.add_argument("--as-is", action="store_true", help="send nothing in the place of rows that are missing")
    parser.add_argument("--quiet", action="store_true")
    args = parser.parse_args(argv)
    verdicts: list[Verdict] = []
    for path in _files(args.recordings):
        verdicts += Replay(read(path), repair=not args.as_is).run().verdicts
    known = [v for v in verdicts if v.kind != "unknown"]
    matched = [v for v in known if v.kind == "matched"]
    if not args.quiet:
        for v in known:
            if v.kind == "different":
                print(f"row {v.n}: {v.method} {v.path}: {v.why}")
        for (method, path), count in Counter((v.method, v.path) for v in verdicts if v.kind == "unknown").items():
            print(f"not implemented: {method} {path} ({count})")
    share = 100 * (len(verdicts) - len(known)) / max(len(verdicts), 1)
    unknown = len(verdicts) - len(known)
    print(f"rows about endpoints the simulator does not implement: {unknown} of {len(verdicts)} ({share:.1f} %)")
    print(f"rows whose making is missing from the recording and was sent again: {sum(v.repaired for v in known)}")
    print(f"matched {len(matched)} of {len(known)}")
    return 0 if len(known) and 100 * len(matched) >= args.least * len(known) else 1


if __name__ == "__main__":
    raise SystemExit(main())
