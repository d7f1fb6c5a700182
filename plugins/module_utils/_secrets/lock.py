# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A lock file that says whose it is. The kernel's lock decides; the text explains, and guards shared folders."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .._wait import Backoff, Deadline, Progress, WaitFailed, Waiting, wait_for
from .errors import StoreError


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _booted_at() -> float:
    try:
        for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
            if line.startswith("btime "):
                return float(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0.0


def _owner() -> dict[str, Any]:
    since = time.time()
    return {"pid": os.getpid(), "host": socket.gethostname(), "boot": _boot(), "since": since}


def _read_owner(descriptor: int) -> dict[str, Any] | None:
    """What the file says; None when empty or not ours to understand (killed between lock and text)."""
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0).decode())
    except (OSError, ValueError):
        return None
    return owner if isinstance(owner, dict) and {"pid", "host", "since"} <= set(owner) else None


def describe(owner: dict[str, Any] | None) -> str:
    if owner is None:
        return "an owner that left no name"
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(owner["since"])))
    except (TypeError, ValueError, OverflowError):
        since = str(owner["since"])
    return f"process {owner['pid']} on {owner['host']} since {since}"


def _dead(owner: dict[str, Any] | None) -> bool:
    """Called while we hold the kernel's lock: is the one who wrote this text certainly gone?"""
    if owner is None:
        return True
    if owner.get("boot") and owner["boot"] == _boot():
        # The same kernel has given us the lock, so nobody here holds it.
        return True
    if owner["host"] != socket.gethostname():
        return False
    try:
        return float(owner["since"]) < _booted_at()
    except (TypeError, ValueError):
        return False


@contextlib.contextmanager
def held(path: Path, what: str, timeout: float, progress: Progress | None = None) -> Iterator[str | None]:
    """Hold the lock; yields a sentence about a dead owner it was taken over from, or None."""

    def probe() -> tuple[int, dict[str, Any] | None] | Waiting:
        descriptor, owner = _try(path, what)
        return Waiting(f"it is locked by {describe(owner)}") if descriptor is None else (descriptor, owner)

    backoff = Backoff(first=0.005, most=0.2, factor=1.5, jitter=0.5)
    try:
        descriptor, owner = wait_for(
            f"the lock of {what}", probe, Deadline(timeout), progress=progress, backoff=backoff
        )
    except WaitFailed as failed:
        raise StoreError(
            what,
            f"{failed.cause}; waited {timeout:g} s",
            f"Wait for that run, or if it is no longer alive remove the lock: rm {path}",
        ) from None
    note = f"took over {path} from {describe(owner)}, which is no longer alive" if owner else None
    try:
        yield note
    finally:
        # Removed while held: whoever waits on this inode finds that the name is gone and opens anew.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _try(path: Path, what: str) -> tuple[int | None, dict[str, Any] | None]:
    """One attempt: (descriptor, dead owner) when taken, (None, living owner) when not."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreError(
            what,
            f"its lock {path} cannot be made: {error.strerror}",
            "A new secret has to be written there: give this user write access to the folder, "
            "or run where it is writable.",
        ) from error
    taken = False
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None, _read_owner(descriptor)
        except OSError as error:
            raise StoreError(
                what, f"its lock {path} cannot be taken: {error.strerror}", "Keep the file where locks work."
            ) from error
        if not _still_there(path, descriptor):
            return None, None
        owner = _read_owner(descriptor)
        if not _dead(owner):
            return None, owner
        try:
            text = json.dumps(_owner()).encode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text, 0)
        except OSError as error:
            raise StoreError(
                what, f"its lock {path} cannot be written: {error.strerror}", "Make room on that disk."
            ) from error
        taken = True
        return descriptor, owner
    finally:
        if not taken:
            os.close(descriptor)


def _still_there(path: Path, descriptor: int) -> bool:
    try:
        there = path.stat(follow_symlinks=False)
    except OSError:
        return False
    ours = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
