# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab on this machine: `python tests/lab/lab.py --help`, or `make lab`."""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import shlex
import socket
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "pve"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from rack import hypervisors, images, proxy, seeds  # the package lies beside this file
from rack.command import LabError, inside  # as above
from rack.host import cache_folder, require  # as above
from rack.lab import DEFAULT, Lab  # as above
from rack.nodes import ssh_options  # as above
from rack.trial import attempt  # as above


def up(lab: Lab, args: argparse.Namespace) -> None:
    lab.up_with_hypervisors(args.hypervisor or hypervisors.DEFAULT)
    lab.tell(f"The lab {lab.name} is up.")


def down(lab: Lab, args: argparse.Namespace) -> None:
    lab.down()
    lab.tell(f"The lab {lab.name} is gone.")


def reset(lab: Lab, args: argparse.Namespace) -> None:
    lab.down()
    up(lab, args)


def try_it(lab: Lab, args: argparse.Namespace) -> None:
    attempt(lab)


def status(lab: Lab, args: argparse.Namespace) -> None:
    require()
    running = lab.rack.running()
    rows = [
        {"name": node.hostname, "id": node.name, "address": node.address, "running": node.name in running}
        for node in map(lab.rack.get, lab.rack.names())
    ]
    found = {"name": lab.name, "up": lab.is_up(), "network": lab.netns, "nodes": rows}
    if args.json:
        print(json.dumps(found, indent=2))
        return
    print(f"The lab {lab.name} is {'up' if found['up'] else 'not up'}.")
    for row in rows:
        print(f"  {row['name']:<20} {row['address']:<16} {'runs' if row['running'] else 'is stopped'}")


def ssh(lab: Lab, args: argparse.Namespace) -> None:
    node = lab.rack.get(args.node)
    if lab.rack.is_guest(node):
        # The hypervisor gave it the platform's own key, not the lab's: its console is the way that always works.
        terminal = ["--tty"] if sys.stdin.isatty() else []
        words = ["--command", shlex.join(args.command)] if args.command else []
        console = ["podman", "exec", "--interactive", *terminal, lab.rack.container(node.name), "su", "-", node.user]
        os.execvp(console[0], [*console, *words])  # noqa: S606  # becomes that program
    command = inside(lab.netns, "ssh", *ssh_options(lab.state, lab.key), f"{node.user}@{node.address}", *args.command)
    os.execvp(command[0], command)  # noqa: S606  # as above


def logs(lab: Lab, args: argparse.Namespace) -> None:
    if args.node:
        node = lab.rack.get(args.node)
        command = ["podman", "exec", lab.rack.container(node.name), "journalctl", "--no-pager", "--boot", *args.command]
        os.execvp(command[0], command)  # noqa: S606  # as above
    for log in sorted(lab.state.glob("*.log")):
        print(f"== {log.name}\n{log.read_text(errors='replace')}")


def run(lab: Lab, args: argparse.Namespace) -> None:
    _must_be_up(lab)
    command = inside(lab.netns, *args.command)
    os.execvpe(command[0], command, lab.environment())  # noqa: S606  # as above


def nodes(lab: Lab, args: argparse.Namespace) -> None:
    """Molecule's nodes: a list of {name, release, address, public_address, disks: {vdb: MiB}}."""
    wanted: list[dict[str, Any]] = json.load(sys.stdin)
    if args.absent:
        for row in wanted:
            lab.rack.destroy(row["name"])
        return
    lab.up()
    key = lab.key.with_suffix(".pub").read_text()
    lab.boot(
        [
            seeds.node(
                lab.name, row["name"], lab.image(str(row.get("release", "13"))), key,
                address=row.get("address", ""), public_address=row.get("public_address", ""), disks=row.get("disks"),
            )
            for row in wanted
        ]
    )  # fmt: skip


def connect(lab: Lab, args: argparse.Namespace) -> None:
    """For SSH's ProxyCommand: standard input and output are a connection inside the lab."""
    with (Path("/run/netns") / lab.netns).open() as netns:
        proxy.enter(netns)
    with socket.create_connection((args.host, args.port), timeout=10) as peer:
        peer.settimeout(None)
        ends = {sys.stdin.fileno(): peer.fileno(), peer.fileno(): sys.stdout.fileno()}
        while True:
            for source in select.select(list(ends), [], [])[0]:
                data = os.read(source, 1 << 16)
                if not data:
                    return
                view = memoryview(data)
                while view:
                    view = view[os.write(ends[source], view) :]


def serve_packages(lab: Lab, args: argparse.Namespace) -> None:
    proxy.serve(lab.netns, proxy.ADDRESS, cache_folder("packages"), set(args.hosts))


def serve_hypervisors(lab: Lab, args: argparse.Namespace) -> None:
    hypervisors.serve(lab.rack, args.servers, lambda release: images.ensure(release, lab.tell))


def _server(text: str) -> hypervisors.Server:
    match = re.fullmatch(r"([\w-]+)=([0-9.]+),([0-9.]+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: write it as NAME=PUBLIC,RACK with its two addresses")
    return hypervisors.Server(*match.groups())


def _must_be_up(lab: Lab) -> None:
    if not lab.is_up():
        raise LabError(f"The lab {lab.name} is not up: `make lab-up`.")


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab", description="The lab: a rack of servers on this machine.")
    parser.add_argument("--name", default=os.environ.get("SOCLE_LAB", DEFAULT), help="which lab (default: %(default)s)")
    commands = parser.add_subparsers(dest="command_name", required=True, metavar="COMMAND")

    def command(function: Any, text: str, name: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(name or function.__name__, help=text)
        added.set_defaults(function=function)
        return added

    for function, text in ((up, "make it; finishes what was left half-made"), (reset, "down, then up")):
        command(function, text).add_argument(
            "--hypervisor", action="append", default=[], type=_server, metavar="NAME=PUBLIC,RACK",
            help="a server with its two addresses; default: those of inventories/lab",
        )  # fmt: skip
    command(try_it, "up, site.yml on inventories/lab, and a summary", "try")
    command(down, "remove all of it")
    command(status, "what runs").add_argument("--json", action="store_true")
    opened = command(ssh, "a shell, or one command, on a node")
    opened.add_argument("node")
    opened.add_argument("command", nargs=argparse.REMAINDER)
    shown = command(logs, "what a node's journal holds; without a node, what the lab's own programs said")
    shown.add_argument("node", nargs="?")
    shown.add_argument("command", nargs=argparse.REMAINDER, help="more arguments of journalctl")
    ran = command(run, "run a command inside the lab's network, such as ansible-playbook")
    ran.add_argument("command", nargs=argparse.REMAINDER)
    given = command(nodes, "boot the nodes that a JSON list on standard input names")
    given.add_argument("--absent", action="store_true", help="destroy them instead")
    joined = command(connect, "join standard input and output to a port in the lab (for ProxyCommand)")
    joined.add_argument("host")
    joined.add_argument("port", type=int)
    command(serve_packages, "the proxy for packages (started by up)", "serve-packages").add_argument("hosts", nargs="+")
    command(serve_hypervisors, "the Proxmox API (started by up)", "serve-hypervisors").add_argument(
        "servers", nargs="+", type=_server
    )
    args = parser.parse_args(argv)
    if getattr(args, "command", None) and args.command[0] == "--":
        args.command = args.command[1:]
    return args


def main(argv: list[str] | None = None) -> int:
    args = _arguments(argv)
    try:
        args.function(Lab(args.name), args)
    except (LabError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
