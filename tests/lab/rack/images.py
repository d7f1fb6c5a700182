# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node images: Debian's packages, a cloud image's behaviour, and the guard. Cached by what made them."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from .command import LabError, finished, run
from .host import Mirrors, cache_folder, mirrors

HERE = Path(__file__).resolve().parent
SUITES = {"12": "bookworm", "13": "trixie"}
NEWEST = "13"
PACKAGES = [
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "python3-apt", "sudo", "iproute2",
    "ca-certificates", "kmod", "procps", "cloud-init", "linux-base", "nftables", "systemd-resolved",
]  # fmt: skip
# A container has no terminal, no udev, and nothing to be done at night by itself.
MASKED = [
    "getty.target", "console-getty.service", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer",
    "e2scrub_all.timer", "fstrim.timer", "systemd-remount-fs.service", "systemd-modules-load.service",
    "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "dev-hugepages.mount",
    "systemd-networkd-wait-online.service",
]  # fmt: skip

# Where packages put what starts containers; RUNTIME goes in front of it.
RUNTIMES = ("/usr/sbin/runc", "/usr/bin/runc", "/usr/bin/crun")
RUNTIME = "/usr/local/lib/lab/runtime"
HOOKS = [
    *(
        f'chroot "$1" dpkg-divert --local --quiet --rename --divert {path}.real --add {path}'
        f' && ln -s {RUNTIME} "$1{path}"'
        for path in RUNTIMES
    ),
    # Where a release's own would be put, and found first: lab-init keeps these from being replaced.
    *(f'install -m 755 "$1{RUNTIME}" "$1/usr/local/{folder}/runc"' for folder in ("sbin", "bin")),
    'chroot "$1" systemctl -q enable systemd-networkd.service ssh.service',
    f'chroot "$1" systemctl -q mask {" ".join(MASKED)}',
    'chroot "$1" systemctl -q set-default multi-user.target',
    'rm -f "$1"/etc/ssh/ssh_host_* "$1"/var/lib/dbus/machine-id "$1"/var/log/*.log "$1"/var/log/apt/*',
    'for file in machine-id hostname; do rm -f "$1/etc/$file"; : >"$1/etc/$file"; done',
    'ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"',
    "printf '127.0.0.1\\tlocalhost\\n::1\\tlocalhost ip6-localhost ip6-loopback\\n' >\"$1/etc/hosts\"",
]
OPTIONS = [
    "--quiet", "--format=tar", "--variant=minbase", f"--include={','.join(PACKAGES)}", "--dpkgopt=force-unsafe-io",
    '--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright",
]  # fmt: skip


def reference(release: str) -> str:
    """The name of the image that these sources make."""
    if release not in SUITES:
        raise LabError(f"There is no node image of Debian {release}: {' and '.join(SUITES)} can be made.")
    parts = [SUITES[release], *OPTIONS, *HOOKS]
    for file in sorted((HERE / "tree").rglob("*")):
        if file.is_file():
            parts += [str(file.relative_to(HERE)), file.read_text()]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
    return f"localhost/socle/debian:{release}-{digest}"


def record(release: str) -> bytes:
    """What the lab serves as a cloud image's file: the head of one, which tells hypervisors its size and nothing more.

    The machine boots the node image of that release. The bytes never change: a manifest can name their checksum.
    """
    size = 3 << 30
    return b"QFI\xfb\x00\x00\x00\x03" + bytes(16) + size.to_bytes(8, "big") + f"debian-{release} of the lab\n".encode()


def ensure(release: str, tell: Callable[[str], None]) -> str:
    """Make sure that podman has the image; from the cache where it is, else from packages."""
    name = reference(release)
    with (cache_folder("images") / f"{release}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if finished(["podman", "image", "exists", name], check=False).returncode == 0:
            return name
        archive = cache_folder("images") / (name.rpartition(":")[2] + ".tar")
        if not archive.exists():
            tell(f"make Debian {release} of its packages (once, about half a minute)")
            _build(SUITES[release], archive, mirrors())
            for old in archive.parent.glob(f"{release}-*.tar"):
                if old != archive:
                    old.unlink()
        tell(f"load the image of Debian {release}")
        run("podman", "import", "--quiet", "--change", "STOPSIGNAL SIGRTMIN+3", archive, name)
        return name


def _build(suite: str, archive: Path, mirror: Mirrors) -> None:
    unfinished = archive.with_suffix(f".{os.getpid()}")
    sources = (
        f"deb {mirror.debian} {suite} main\ndeb {mirror.debian} {suite}-updates main\n"
        f"deb {mirror.security} {suite}-security main\n"
    )
    try:
        run(
            "mmdebstrap", *OPTIONS, f"--customize-hook=sync-in {HERE / 'tree'} /",
            *(f"--customize-hook={hook}" for hook in HOOKS), suite, unfinished, "-",
            text=sources, timeout=1800,
        )  # fmt: skip
        unfinished.replace(archive)
    finally:
        unfinished.unlink(missing_ok=True)
