# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab: what it consists of, and how it comes and goes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from . import hypervisors, images, network
from .command import LabError, inside, run
from .daemons import Daemon
from .host import mirrors, require
from .nodes import Node, Rack
from .proxy import PORT

PROGRAM = Path(__file__).resolve().parent.parent / "lab.py"
DEFAULT = "lab"


class Lab:
    """Everything lies in three places: a network namespace, podman, and two folders that are its own."""

    def __init__(self, name: str = DEFAULT, output: TextIO | None = None) -> None:
        if not name.translate({ord("-"): None, ord("_"): None}).isalnum() or len(name) > 24:
            raise LabError(f"{name!r} cannot be the name of a lab: letters, digits, '-' and '_', at most 24.")
        self.name = name
        self.state = Path("/run/socle-lab") / name
        self.rack = Rack(name, self.state, Path("/var/tmp/socle-lab") / name)
        self.netns = self.rack.netns
        self.key = self.state / "ssh" / "id_ed25519"
        self.packages = Daemon("packages", self.state)
        self.pve = Daemon("hypervisors", self.state)
        self._output = output or sys.stderr

    def tell(self, text: str) -> None:
        # Whoever listened may have gone, as after an interrupted test; what is under way goes on.
        with contextlib.suppress(ValueError, OSError):
            print(text, file=self._output, flush=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Say what is done, and how long it took."""
        begun = time.monotonic()
        if self._output.isatty():
            print(f"  {text} ...", end="\r", file=self._output, flush=True)
        yield
        self.tell(f"  {text:<60} {time.monotonic() - begun:6.1f} s")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One change of this lab at a time."""
        self.state.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with self._lock.open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self.tell(f"waiting: somebody else changes the lab {self.name}")
                    fcntl.flock(lock, fcntl.LOCK_EX)
                # Who took the lab down removed the file that we waited for: then it locks nobody out any more.
                if self._lock.exists() and os.path.samestat(self._lock.stat(), os.fstat(lock.fileno())):
                    yield
                    return

    @property
    def _lock(self) -> Path:
        return self.state.parent / f"{self.name}.lock"

    def is_up(self) -> bool:
        return network.exists(self.netns) and self.packages.pid() is not None

    def up(self) -> None:
        """Network, packages, key. Finishes what an earlier attempt left half-made."""
        require()
        with self.alone():
            if not network.exists(self.netns) and self.state.exists():
                # The machine was restarted, or somebody removed the namespace: nodes without a network are of no use.
                self._remove()
            self.state.mkdir(parents=True, exist_ok=True)
            with self.step("network"):
                network.create(self.netns)
            with self.step("packages"):
                self._serve_packages()
            if not self.key.exists():
                with self.step("key"):
                    self.key.parent.mkdir(mode=0o700, exist_ok=True)
                    (self.state / "vault-password").touch(mode=0o600)
                    (self.state / "vault-password").write_text(secrets.token_urlsafe(24) + "\n")
                    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"lab {self.name}", "-f", self.key)

    def up_with_hypervisors(self, servers: list[hypervisors.Server]) -> None:
        """And servers of a Proxmox cluster to come, on which machines can be made."""
        self.up()
        self.image()
        with self.alone(), self.step(f"hypervisors {', '.join(server.name for server in servers)}"):
            for server in servers:
                for bridge, address in ((network.PUBLIC, server.public), (network.RACK, server.rack)):
                    run("ip", "-n", self.netns, "address", "replace", f"{address}/32", "dev", bridge.name)
            words = [f"{server.name}={server.public},{server.rack}" for server in servers]
            argv = [sys.executable, str(PROGRAM), "--name", self.name, "serve-hypervisors", *words]
            self.pve.start(
                inside(self.netns, *argv),
                lambda: all(network.listens(self.netns, server.public, hypervisors.PORT) for server in servers),
            )

    def image(self, release: str = images.NEWEST) -> str:
        with self.step(f"node image of Debian {release}"):
            return images.ensure(release, lambda text: self.tell(f"    {text}"))

    def _serve_packages(self) -> None:
        hosts = {address.split("/")[2].partition(":")[0] for address in (mirrors().debian, mirrors().security)}
        argv = [sys.executable, str(PROGRAM), "--name", self.name, "serve-packages", *sorted(hosts)]
        self.packages.start(argv, lambda: network.listens(self.netns, network.WORLD, PORT))

    def down(self) -> None:
        """Remove all of it. What was left half-made by a failure goes too."""
        require()
        with self.alone():
            self._remove()
            self._last()
            self._lock.unlink(missing_ok=True)

    def _remove(self) -> None:
        # Whoever makes machines first, and every program that was started for this lab, by whomever.
        self.pve.stop()
        self.rack.destroy_all(self.tell)
        for file in self.state.glob("*.pid"):
            Daemon(file.stem, self.state).stop()
        network.remove(self.netns)
        for folder in (self.state, self.rack.storage):
            shutil.rmtree(folder, ignore_errors=True)

    def _last(self) -> None:
        """With the last lab goes what labs share. Another one begins with its lock, so none is on its way here."""
        if set(self.state.parent.iterdir()) - {self._lock}:
            return
        with contextlib.suppress(OSError):
            self.rack.storage.parent.rmdir()
        # podman leaves its groups behind, empty; those of a container that runs cannot be removed.
        for group in Path("/sys/fs/cgroup").glob("*/libpod_parent"):
            for empty in (*group.glob("*/"), group):
                with contextlib.suppress(OSError):
                    empty.rmdir()

    def boot(self, nodes: list[Node], deadline: float = 120) -> None:
        """Start nodes and wait until they answer."""
        for node in nodes:
            with self.step(f"boot {node.name} ({node.address})"):
                self.rack.start(node)
        with self.step("wait for SSH"):
            self.rack.wait_for_ssh([node.name for node in nodes], self.key, deadline)

    def environment(self) -> dict[str, str]:
        """What Ansible has to know to reach nodes by SSH: said here, so that no inventory needs to."""
        known = self.state / "known_hosts"
        return {
            **os.environ,
            "SOCLE_LAB": self.name,
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.state / "vault-password"),
            # Labs have the same addresses: a connection kept open by one must not be taken by another.
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.state / "cp"),
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s -o StrictHostKeyChecking=accept-new "
            f"-o UserKnownHostsFile={known}",
        }
