# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artefacts of the lab's clusters as a program: see README.md."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from labmirror.catalogue import catalogue, minors, pins  # the package lies beside this file
from labmirror.mirror import Mirror, architecture, cache_folder  # as above
from labmirror.server import serving  # as above
from labmirror.steps import size  # as above
from labmirror.trouble import Trouble  # as above
from labmirror.upstream import Upstream  # as above

PINS = Path(__file__).resolve().parent / "go"


def _mirror(args: argparse.Namespace) -> Mirror:
    at = {}
    for row in args.upstream_at:
        host, equals, address = row.partition("=")
        if not equals or not address.startswith(("http://", "https://")):
            raise Trouble(
                f"--upstream-at {row}: wanted HOST=ADDRESS, for instance registry.k8s.io=http://127.0.0.1:5000"
            )
        at[host] = address
    upstream = None if args.upstream == "never" else Upstream(at)
    return Mirror(args.cache, PINS, architecture(), upstream, args.upstream != "only", say)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def make(args: argparse.Namespace) -> None:
    """Have everything of the given minors."""
    mirror = _mirror(args)
    for minor in args.minor or minors()[:1]:
        for record in mirror.fill(catalogue(minor, mirror.arch)):
            print(f"{record.origin:8}  {record.name}")
    if not mirror.builder:
        return
    with mirror.alone():
        for what, weight in mirror.trim(args.keep_build << 30, args.keep_modules << 30):
            if weight:
                say(f"{what}: {weight >> 20} MiB deleted, to stay within the bound")


def names(args: argparse.Namespace) -> None:
    """Print the names of everything of the given minors."""
    for minor in args.minor or minors()[:1]:
        for item in catalogue(minor, architecture()).items:
            print(item.name)


def check(args: argparse.Namespace) -> None:
    """Read the whole mirror again and compare it with its digests."""
    mirror = _mirror(args)
    wrong = {record.name: found for record in mirror.store.records() if (found := mirror.store.damaged(record))}
    for name, found in wrong.items():
        print(f"{name}: gone or changed: {', '.join(found)}")
    if wrong:
        raise Trouble(
            f"{len(wrong)} artefacts are damaged: delete their records below {mirror.store.root / 'records'} "
            "and run `artefacts.py make` again"
        )
    print(f"{len(mirror.store.records())} artefacts, all as their digests say")


def serve(args: argparse.Namespace) -> None:
    """Serve the mirror until told to stop."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_unused: stop.set())
    with serving(_mirror(args).store, args.address, args.port) as server:
        print(json.dumps({"url": server.url, "pid": os.getpid()}), flush=True)
        stop.wait()


def pin(args: argparse.Namespace) -> None:
    """Write go.mod and go.sum of the named pins, or of those that are not there."""
    mirror = _mirror(args)
    known = {of.name: of for of in pins()}
    if unknown := [name for name in args.name if name not in known]:
        raise Trouble(f"{', '.join(unknown)}: no such pin; there are {', '.join(sorted(known))}")
    for name in args.name or [name for name in known if not (mirror.pins / name / "go.mod").exists()]:
        mirror.tools().pin(known[name])
        print(name)


def clean(args: argparse.Namespace) -> None:
    """Delete what is not needed any more: what Go keeps, steps, and blobs that nothing names; with --all everything."""
    mirror = _mirror(args)
    with mirror.alone():
        before = size(args.cache)
        for folder in ("go", "steps", *(("mirror", "key") if args.all else ())):
            shutil.rmtree(args.cache / folder, ignore_errors=True)
        if not args.all:
            mirror.store.sweep()
    print(f"{(before - size(args.cache)) >> 20} MiB deleted, {size(args.cache) >> 20} MiB left in {args.cache}")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=cache_folder(), help="default: %(default)s")
    parser.add_argument(
        "--upstream", choices=("auto", "never", "only"), default=os.environ.get("SOCLE_UPSTREAM", "auto"),
        help="auto: fetch where upstream answers, build where it does not (also by the variable SOCLE_UPSTREAM)",
    )  # fmt: skip
    parser.add_argument(
        "--upstream-at", action="append", default=[], metavar="HOST=ADDRESS", help="who stands for a host"
    )
    commands = parser.add_subparsers(required=True)
    for command in (make, names, check, serve, pin, clean):
        sub = commands.add_parser(command.__name__, help=(command.__doc__ or "").splitlines()[0])
        sub.set_defaults(command=command)
        if command in (make, names):
            sub.add_argument("minor", nargs="*", help=f"of {', '.join(minors())}; default: the newest")
        if command is make:
            sub.add_argument("--keep-build", type=int, default=6, metavar="GIB", help="bound of Go's build cache")
            sub.add_argument("--keep-modules", type=int, default=8, metavar="GIB", help="bound of Go's modules")
        if command is serve:
            sub.add_argument("--address", default="127.0.0.1")
            sub.add_argument("--port", type=int, default=0, help="0: any free one, printed at the start")
        if command is pin:
            sub.add_argument("name", nargs="*")
        if command is clean:
            sub.add_argument("--all", action="store_true")
    args = parser.parse_args(argv)
    try:
        args.command(args)
    except Trouble as trouble:
        print(f"artefacts: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
