# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make lint`: every linter, as many at once as there are cores, one line each; what failed is shown whole at the end.

Arguments name the checks to run (`ruff,mypy` or `ruff mypy`); none means all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

import generate
import house
import sanity

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
COLLECTION = "ansible_collections.socle.platform.plugins"

Outcome = tuple[bool, str]


def program(*argv: str) -> Callable[[], Outcome]:
    """A check that is a program of the virtual environment, run in the checkout."""

    def run() -> Outcome:
        env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
        done = subprocess.run(
            [str(BIN / argv[0]), *argv[1:]], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )
        return done.returncode == 0, done.stdout + done.stderr

    return run


# The slowest first: the others fill the second core beside it.
CHECKS: dict[str, Callable[[], Outcome]] = {
    "sanity": sanity.run,
    "ansible-lint": program("ansible-lint", "-q"),
    "mypy": program(
        "mypy", "--strict", "-p", f"{COLLECTION}.module_utils", "-p", f"{COLLECTION}.plugin_utils",
    ),
    "collection-docs": program(
        "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--skip-rstcheck",
        "--validate-collection-refs", "self", ".",
    ),
    "ruff": program("ruff", "check", "."),
    "format": program("ruff", "format", "--check", "."),
    "yamllint": program("yamllint", "--strict", "."),
    "changelog": program("antsibull-changelog", "lint"),
    "generated": generate.check,
    "house": house.run,
}  # fmt: skip


def timed(check: Callable[[], Outcome]) -> tuple[bool, str, float]:
    """Run a check; a check that breaks down is a failed one."""
    begin = time.monotonic()
    try:
        passed, output = check()
    except Exception as error:  # noqa: BLE001 - the report must name every check, this one too
        passed, output = False, f"{type(error).__name__}: {error}"
    return passed, output, time.monotonic() - begin


def main(arguments: list[str]) -> int:
    """Run the named checks, or all."""
    names = [name for argument in arguments for name in argument.split(",") if name] or list(CHECKS)
    if unknown := [name for name in names if name not in CHECKS]:
        print(f"lint: no check named {', '.join(unknown)}; there are {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    failures: list[tuple[str, str]] = []
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        running: dict[Future[tuple[bool, str, float]], str] = {pool.submit(timed, CHECKS[n]): n for n in names}
        for future in as_completed(running):
            passed, output, seconds = future.result()
            print(f"lint: {running[future]:<16} {'ok' if passed else 'FAILED':<7} {seconds:6.1f} s", flush=True)
            if not passed:
                failures.append((running[future], output))
    for name, output in failures:
        print(f"\n--- {name}\n{output.rstrip()}")
    if failures:
        broken = ", ".join(failed for failed, text in failures)
        print(f"\nlint: {len(failures)} of {len(names)} failed: {broken}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
