# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes: containers that boot systemd and are given what a virtual machine is given."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import modules, network
from .command import LabError, finished, inside, run
from .host import machine
from .network import Card

HERE = Path(__file__).resolve().parent
# Nested overlay file systems cannot stand on a container's own.
VOLUMES = ("/var/lib/containerd", "/var/lib/docker", "/var/lib/kubelet", "/var/lib/etcd")
MAJOR_LOOP = 7


@dataclass
class Node:
    """What a node is made of. `seed` is the content of its cloud-init drive by file name."""

    name: str
    hostname: str
    image: str
    cards: list[Card] = field(default_factory=list)
    seed: dict[str, str] = field(default_factory=dict)
    disks: dict[str, int] = field(default_factory=dict)  # name in /dev -> MiB
    aliases: dict[str, str] = field(default_factory=dict)  # name in /dev -> name in /dev/disk/by-id
    memory: int = 0  # MiB; 0 for as much as the machine has
    cores: float = 0
    address: str = ""
    user: str = "socle"


class Rack:
    """The nodes of one lab."""

    def __init__(self, name: str, state: Path, storage: Path) -> None:
        self.name, self.state, self.storage = name, state, storage
        self.netns = f"socle-{name}"

    def container(self, node: str) -> str:
        return f"{self.netns}-{node}"

    def _folder(self, node: str) -> Path:
        return self.state / "nodes" / node

    def names(self) -> list[str]:
        folder = self.state / "nodes"
        return (
            sorted(entry.name for entry in folder.iterdir() if (entry / "node.json").exists())
            if folder.is_dir()
            else []
        )

    def get(self, wanted: str) -> Node:
        """A node by its name, or by that which it calls itself."""
        for name in self.names():
            data: dict[str, Any] = json.loads((self._folder(name) / "node.json").read_text())
            if wanted in (name, data["hostname"]):
                return Node(**{**data, "cards": [Card(**card) for card in data["cards"]]})
        known = ", ".join(self.names()) or "none"
        raise LabError(f"There is no node {wanted} in the lab {self.name}; its nodes: {known}.")

    @staticmethod
    def is_guest(node: Node) -> bool:
        """Whether a hypervisor's books hold it; such nodes are named by their VM ids."""
        return node.name.isdigit()

    def known(self, name: str) -> Node | None:
        return self.get(name) if (self._folder(name) / "node.json").exists() else None

    def start(self, node: Node) -> None:
        """Boot it; a node that exists takes over what changed in its cards, disks, sizes and seed."""
        self._furnish(node)
        if self.exists(node.name):
            run("podman", "start", self.container(node.name))
            # podman takes limits of what runs only.
            self._limit(node)
            return
        try:
            run(*self._run_command(node))
        except LabError:
            run("podman", "rm", "--force", "--volumes", "--ignore", self.container(node.name))
            raise

    def update(self, node: Node) -> None:
        """Give a node that runs what can be given to it without a restart: cards, disks and their sizes."""
        self._furnish(node)
        run("podman", "exec", self.container(node.name), "/var/lib/lab/disks")

    def _furnish(self, node: Node) -> None:
        folder = self._folder(node.name)
        seed = folder / "drive" / "seed"
        seed.mkdir(parents=True, exist_ok=True)
        for name, content in node.seed.items():
            (seed / name).write_text(content)
        network.plug(self.netns, self.container(node.name), node.cards)
        lines = ["#!/bin/sh", "# Make the disks that the lab gave this node."]
        for disk, size in node.disks.items():
            minor = self._loop(node.name, disk, size)
            lines.append(
                f"[ -b /dev/{disk} ] || mknod -m 660 /dev/{disk} b {MAJOR_LOOP} {minor} && chgrp disk /dev/{disk}"
            )
        for disk, alias in node.aliases.items():
            lines.append(f"mkdir -p /dev/disk/by-id && ln -sf ../../{disk} /dev/disk/by-id/{alias}")
        disks = folder / "drive" / "disks"
        disks.write_text("\n".join([*lines, ""]))
        disks.chmod(0o755)
        self._write(node)

    def _write(self, node: Node) -> None:
        """Whole or not at all: others read it meanwhile."""
        file = self._folder(node.name) / "node.json"
        unfinished = file.with_suffix(".new")
        unfinished.write_text(json.dumps(asdict(node)))
        unfinished.replace(file)

    def _limit(self, node: Node) -> None:
        limits = [f"--memory={node.memory}m"] if node.memory else []
        limits += [f"--cpus={node.cores}"] if node.cores else []
        if limits:
            run("podman", "update", *limits, self.container(node.name))

    def _run_command(self, node: Node) -> list[str]:
        here = machine()
        name = self.container(node.name)
        drive = self._folder(node.name) / "drive"
        limits = [f"--memory={node.memory}m"] if node.memory else []
        limits += [f"--cpus={node.cores}"] if node.cores else []
        if not here.may_raise_limits:
            limits += [f"--ulimit=nofile={here.open_files}:{here.open_files}"]
            limits += [f"--ulimit=nproc={here.processes}:{here.processes}"] if here.processes > 0 else []
        return [
            # crun refuses hybrid cgroups.
            "podman", *([] if here.unified_cgroups else ["--runtime", "runc"]), "run", "--detach", "--name", name,
            "--label", f"socle.lab={self.name}", "--hostname", node.hostname, "--network", f"ns:/run/netns/{name}",
            # podman would write these anew at each start, over what a role wrote.
            "--no-hosts",
            # Without a namespace for cgroups, systemd mounts hierarchies for the whole machine; and podman's own
            # support for systemd binds the machine's hierarchy into every node.
            "--cgroupns=private", "--systemd=false", "--privileged",
            "--security-opt", f"seccomp={HERE / 'seccomp.json'}",
            # `reboot` in a node ends its first process.
            "--restart=always", "--stop-signal", "SIGRTMIN+3", "--pids-limit=-1", *limits,
            "--tmpfs", "/run:mode=755,exec", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:mode=1777,exec",
            "--env", "container=podman",
            "--volume", f"{modules.folder(self.state)}:/lib/modules:ro",
            "--volume", f"{drive}:/var/lib/lab:ro", "--volume", f"{drive / 'seed'}:/var/lib/cloud/seed/nocloud:ro",
            "--volume", f"{HERE / 'lab-init'}:/usr/local/sbin/lab-init:ro",
            *(word for path in VOLUMES for word in ("--volume", path)),
            node.image, "/usr/local/sbin/lab-init",
        ]  # fmt: skip

    def exists(self, node: str) -> bool:
        return finished(["podman", "container", "exists", self.container(node)], check=False).returncode == 0

    def running(self) -> set[str]:
        """The nodes that run, frozen ones among them."""
        rows = run(
            "podman", "ps", "--filter", f"label=socle.lab={self.name}", "--format", "{{.Names}}", timeout=60
        ).split()
        return {row.removeprefix(f"{self.netns}-") for row in rows}

    def stop(self, node: str, *, hard: bool = False) -> None:
        """Shut it down as a power button does, or cut its power."""
        run("podman", "stop", "--time", "0" if hard else "20", self.container(node))

    def freeze(self, node: str) -> None:
        run("podman", "pause", self.container(node))

    def thaw(self, node: str) -> None:
        run("podman", "unpause", self.container(node))

    def execute(self, node: str, *command: str, text: str = "", timeout: float = 60) -> tuple[int, str, str]:
        done = finished(
            ["podman", "exec", "--interactive", self.container(node), *command], check=False, text=text, timeout=timeout
        )
        return done.returncode, done.stdout, done.stderr

    def addresses(self, node: str) -> list[dict[str, Any]]:
        """Its links with their addresses, as `ip -json` tells them."""
        found: list[dict[str, Any]] = json.loads(run("ip", "-n", self.container(node), "-json", "address", "show"))
        return found

    def snapshot(self, node: str, name: str) -> None:
        """Keep what its system disk holds as an image, and its other disks as files beside it."""
        run("podman", "commit", "--quiet", self.container(node), self._snapshot_image(node, name))
        for file in self.storage.glob(f"{node}.*.img"):
            run("cp", "--sparse=always", file, f"{file}.{name}")

    def rollback(self, node: Node, name: str) -> None:
        """Take a node that is stopped back; it boots from the snapshot's image from now on."""
        run("podman", "rm", "--force", "--time", "0", "--volumes", "--ignore", self.container(node.name))
        node.image = self._snapshot_image(node.name, name)
        for file in self.storage.glob(f"{node.name}.*.img.{name}"):
            # In place, because the loop device holds on to the file; emptied first, because holes are not written.
            disk = str(file).removesuffix(f".{name}")
            run("fallocate", "--punch-hole", "--offset", "0", "--length", str(Path(disk).stat().st_size), disk)
            run(
                "dd",
                f"if={file}",
                f"of={disk}",
                "conv=notrunc,sparse",
                "bs=1M",
                "status=none",
            )
        self._write(node)

    def forget_snapshot(self, node: str, name: str) -> None:
        """Its image goes when nothing stands on it."""
        run("podman", "rmi", self._snapshot_image(node, name), check=False)
        for file in self.storage.glob(f"{node}.*.img.{name}"):
            file.unlink()

    def _snapshot_image(self, node: str, name: str) -> str:
        return f"localhost/socle/snapshot:{self.netns}-{node}-{name}".lower()

    def destroy(self, node: str) -> None:
        """The node with all that it had; it is no error when a part of it is missing already."""
        run("podman", "rm", "--force", "--time", "0", "--volumes", "--ignore", self.container(node))
        network.remove(self.container(node))
        for file in self.storage.glob(f"{node}.*.img*"):
            _detach(file)
            file.unlink()
        for image in run(
            "podman", "images", "--format", "{{.Repository}}:{{.Tag}}", "localhost/socle/snapshot"
        ).split():
            if image.startswith(self._snapshot_image(node, "")):
                run("podman", "rmi", "--force", image)
        shutil.rmtree(self._folder(node), ignore_errors=True)

    def destroy_all(self, tell: Callable[[str], None]) -> None:
        """Those that were left half-made too: a node has its folder before it has anything else."""
        prefix = f"{self.netns}-"
        known = run("podman", "ps", "--all", "--filter", f"label=socle.lab={self.name}", "--format", "{{.Names}}")
        names = {name.removeprefix(prefix) for name in known.split()}
        names |= {folder.name for folder in (self.state / "nodes").glob("*/")}
        if names:
            tell(f"remove {len(names)} nodes")
            containers = [prefix + name for name in sorted(names)]
            run("podman", "rm", "--force", "--time", "0", "--volumes", "--ignore", *containers)
        for name in sorted(names):
            self.destroy(name)

    def _loop(self, node: str, disk: str, size: int) -> int:
        """The minor number of the loop device behind a disk, whose file takes no more than what is written."""
        self.storage.mkdir(parents=True, exist_ok=True)
        file = self.storage / f"{node}.{disk}.img"
        if not file.exists() or file.stat().st_size < size << 20:
            with file.open("ab") as opened:
                opened.truncate(size << 20)
        loops = run("losetup", "--noheadings", "--output", "NAME", "--associated", file).split()
        device = loops[0] if loops else run("losetup", "--find", "--show", file).strip()
        if loops:
            run("losetup", "--set-capacity", device)
        return int(device.removeprefix("/dev/loop"))

    def wait_for_ssh(self, names: list[str], key: Path, deadline: float = 120) -> None:
        """Until each answers to the lab's key."""
        end = time.monotonic() + deadline
        waiting = set(names)
        while waiting:
            time.sleep(0.1)
            for name in sorted(waiting):
                node = self.get(name)
                done = finished(
                    inside(
                        self.netns,
                        "ssh",
                        # Only a question. A machine may have new host keys (cloud-init makes them when what it was told
                        # changes), and an SSH server shuts out who turns away at its key again and again.
                        "-o",
                        "UserKnownHostsFile=/dev/null",
                        "-o",
                        "ConnectTimeout=10",
                        *ssh_options(self.state, key),
                        f"{node.user}@{node.address}",
                        "true",
                    ),
                    check=False,
                )
                if done.returncode == 0:
                    waiting.discard(name)
                elif time.monotonic() > end:
                    said = (done.stderr.strip() or "no answer").splitlines()[-1]
                    raise LabError(
                        f"The node {name} ({node.address}) does not answer by SSH within {deadline:.0f} s: {said}"
                    )


def ssh_options(state: Path, key: Path) -> list[str]:
    return [
        "-i", str(key), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=accept-new",
        "-o", "LogLevel=ERROR", "-o", f"UserKnownHostsFile={state / 'known_hosts'}",
    ]  # fmt: skip


def _detach(file: Path) -> None:
    for device in run("losetup", "--noheadings", "--output", "NAME", "--associated", file).split():
        run("losetup", "--detach", device)
