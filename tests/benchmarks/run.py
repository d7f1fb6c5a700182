# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: our work beside the peer's on the same data in one run, as ratios.

Each `bench_NAME.py` beside this file has `run() -> list[dict]` with rows of name, ours, theirs, unit, runs and, where
there is something to say, note. `theirs` is None where nobody does the same work. The ratio is made here, the same way
for all: theirs / ours, above 1 where we are faster or lighter. The rows go to build/bench.json; a full run also writes
the table of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- table: written by make bench -->", "<!-- end of table -->"

Row = dict[str, Any]


sys.path[:0] = [str(HERE.parent), str(HERE)]
# Importing it makes the collection importable from the checkout.
importlib.import_module("conftest")


def load(path: Path) -> Any:
    """Import one benchmark file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def figure(value: float | None) -> str:
    """Three significant digits, no exponent."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| what | ours | theirs | theirs / ours | unit | runs | |",
        "| --- | ---: | ---: | ---: | --- | ---: | --- |",
    ]
    lines += [
        f"| {r['name']} | {figure(r['ours'])} | {figure(r.get('theirs'))} | {figure(r.get('ratio'))} "
        f"| {r['unit']} | {r['runs']} | {r.get('note', '')} |"
        for r in rows
    ]
    return "\n".join(lines)


def write_page(rows: list[Row]) -> None:
    """Put the table of this run between the page's marks."""
    text = PAGE.read_text()
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    PAGE.write_text(f"{head}{BEGIN}\n\nMade by `make bench` on {machine}.\n\n{table(rows)}\n\n{END}{tail}")


def main() -> int:
    """Run the benchmarks named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", help="names, as in bench_NAME.py; none means all, and writes the page")
    only = {name for argument in parser.parse_args().only for name in argument.split(",") if name}
    files = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    if unknown := only - files.keys():
        print(f"bench: none named {', '.join(sorted(unknown))}; there are {', '.join(files)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name, path in files.items():
        if only and name not in only:
            continue
        print(f"bench: {name} ...", file=sys.stderr, flush=True)
        for row in load(path).run():
            row["ratio"] = row["theirs"] / row["ours"] if row.get("theirs") and row["ours"] else None
            rows.append(row)
    print(table(rows))
    out = ROOT / "build" / "bench.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"\nwritten: {out.relative_to(ROOT)}")
    if not only:
        write_page(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
