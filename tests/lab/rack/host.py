# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine that carries the lab is, and what it lacks."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .command import LabError, run

PROGRAMS = {
    "podman": "podman",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "losetup": "mount",
    "ssh-keygen": "openssh-client",
    "depmod": "kmod",
}
CLUSTER_WATCHES = 1024
WATCHES = Path("/proc/sys/fs/inotify/max_user_instances")
CAP_SYS_RESOURCE = 24


@dataclass(frozen=True)
class Machine:
    """What decides how a container has to be started here."""

    unified_cgroups: bool
    may_raise_limits: bool
    open_files: int
    processes: int
    modules: bool


@cache
def machine() -> Machine:
    status = dict(line.partition(":\t")[::2] for line in Path("/proc/self/status").read_text().splitlines())
    return Machine(
        unified_cgroups=Path("/sys/fs/cgroup/cgroup.controllers").exists(),
        may_raise_limits=bool(int(status["CapEff"], 16) >> CAP_SYS_RESOURCE & 1),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        # podman lowers its own limit to the number of processes that the kernel can count.
        processes=min(resource.getrlimit(resource.RLIMIT_NPROC)[1], int(Path("/proc/sys/kernel/pid_max").read_text())),
        modules=Path("/proc/modules").exists(),
    )


def lacking() -> str | None:
    """Why the lab cannot run here, and how to get it; None where it can."""
    if not sys.platform.startswith("linux"):
        return f"The lab needs Linux, and this is {sys.platform}: run it in a Linux virtual machine."
    if os.geteuid() != 0:
        return "The lab needs root, because its nodes are containers that boot systemd: run it with sudo, or as root."
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    if missing:
        return f"The lab needs {', '.join(missing)}: as root, apt-get install {' '.join(missing)} (or `make setup`)."
    if not Path("/dev/net/tun").exists():
        return "The lab needs /dev/net/tun, and this machine's kernel does not offer it."
    if not Path("/dev/fuse").exists():
        return "The lab needs /dev/fuse, and this machine's kernel does not offer it."
    return None


@contextmanager
def room_for_a_cluster() -> Iterator[None]:
    """As many sets of watched files as the nodes of a cluster need, and what there was before at the end.

    All nodes are root of one kernel, which allows a user 128. It is the one setting of the machine that a lab ever
    touches, and only a test of a cluster does.
    """
    before = int(WATCHES.read_text())
    if before >= CLUSTER_WATCHES:
        yield
        return
    try:
        WATCHES.write_text(f"{CLUSTER_WATCHES}\n")
    except OSError as error:
        raise LabError(
            f"A cluster in the lab needs fs.inotify.max_user_instances of {CLUSTER_WATCHES}; this machine has {before} "
            f"and lets nobody change it here: {error.strerror}. On the machine itself: sysctl "
            f"fs.inotify.max_user_instances={CLUSTER_WATCHES}"
        ) from None
    try:
        yield
    finally:
        WATCHES.write_text(f"{before}\n")


def require() -> None:
    sentence = lacking()
    if sentence:
        raise LabError(sentence)


def cache_folder(name: str) -> Path:
    """A folder that makes the next start faster and may be deleted at any time."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "socle" / "lab" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class Mirrors:
    """Where this machine itself gets Debian's packages."""

    debian: str
    security: str


def mirrors() -> Mirrors:
    """From the machine's own sources, so that no mirror is written down in the project."""
    debian = os.environ.get("SOCLE_DEBIAN_MIRROR", "")
    security = os.environ.get("SOCLE_DEBIAN_SECURITY_MIRROR", "")
    for uri, suite in _sources():
        if suite.endswith("-security"):
            security = security or uri
        elif "debian" in uri and "-" not in suite and "/" not in suite:
            debian = debian or uri
    if not debian:
        raise LabError(
            "The lab's nodes are made of Debian's packages, and no Debian mirror is named in /etc/apt: "
            "set SOCLE_DEBIAN_MIRROR and SOCLE_DEBIAN_SECURITY_MIRROR to the addresses of one."
        )
    return Mirrors(debian.rstrip("/"), (security or debian.rstrip("/") + "-security").rstrip("/"))


def _sources() -> list[tuple[str, str]]:
    """(address, suite) of each source of packages."""
    out: list[tuple[str, str]] = []
    for file in sorted(Path("/etc/apt/sources.list.d").glob("*.sources")):
        for stanza in file.read_text(errors="replace").split("\n\n"):
            fields = dict(
                line.partition(":")[::2] for line in stanza.splitlines() if ":" in line and not line.startswith("#")
            )
            for uri in fields.get("URIs", "").split():
                out += [(uri, suite) for suite in fields.get("Suites", "").split()]
    for file in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*.list"))]:
        if file.exists():
            for line in file.read_text(errors="replace").splitlines():
                words = [word for word in line.split() if not word.startswith("[") and not word.endswith("]")]
                if len(words) >= 3 and words[0] == "deb":
                    out.append((words[1], words[2]))
    return out


def settings() -> dict[str, str]:
    """What a lab must leave as it found it."""
    out = {
        "links": run("ip", "-o", "link", "show"),
        "addresses": run("ip", "-o", "address", "show"),
        "routes": run("ip", "route", "show", "table", "all"),
        "namespaces": run("ip", "netns", "list"),
        "loops": run("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"),
        "swaps": Path("/proc/swaps").read_text(),
        "mounts": "\n".join(sorted(line.split()[1] for line in Path("/proc/mounts").read_text().splitlines())),
        "hostname": run("uname", "-n"),
    }
    if machine().modules:
        out["modules"] = "\n".join(
            sorted(line.split(maxsplit=1)[0] for line in Path("/proc/modules").read_text().splitlines())
        )
    for tree in ("kernel", "vm", "fs", "net", "user", "dev"):
        for file in sorted(Path("/proc/sys", tree).rglob("*")):
            name = str(file)
            if file.is_file() and not VOLATILE.intersection(file.parts):
                try:
                    out[name] = file.read_text(errors="replace")
                except OSError:
                    continue
    return out


# Counters and states that move by themselves.
VOLATILE = {
    "random", "ns_last_pid", "dentry-state", "file-nr", "inode-nr", "inode-state", "aio-nr", "pty", "binfmt_misc",
    "nf_conntrack_count", "entropy_avail", "neigh", "drop_caches", "sched_domain", "flush", "syncs",
}  # fmt: skip
