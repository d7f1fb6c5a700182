# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A client's profile: one file with everything in it, in a folder that only the caller reads."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# What OpenVPN 2.6 and newer offer on every system with hardware for one or the other. No fallback to older ones.
CIPHERS = "AES-256-GCM:CHACHA20-POLY1305"
SUITES = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

WRITTEN = "written"


@dataclass(frozen=True)
class Way:
    """How clients reach the gateways."""

    platform: str
    remotes: tuple[str, ...]
    port: int
    protocol: str
    options: tuple[str, ...] = ()


def text(way: Way, name: str, authority: str, certificate: str, key: str, tls_crypt: str) -> str:
    lines = [
        f"# {way.platform}: the way in for {name}. Whoever has this file is {name} to the platform: show it to nobody.",
        "client",
        "dev tun",
        f"proto {way.protocol}",
        *(f"remote {address} {way.port}" for address in way.remotes),
        # A gateway that does not answer is left for the next one soon.
        "server-poll-timeout 5",
        *(["remote-random"] if len(way.remotes) > 1 else []),
        "resolv-retry infinite",
        "nobind",
        "persist-key",
        "persist-tun",
        "auth-nocache",
        "remote-cert-tls server",
        "tls-version-min 1.3",
        f"tls-ciphersuites {SUITES}",
        f"data-ciphers {CIPHERS}",
        *(["explicit-exit-notify 1"] if way.protocol == "udp" else []),
        *way.options,
    ]
    parts = {"ca": authority, "cert": certificate, "key": key, "tls-crypt-v2": tls_crypt}
    lines += [f"<{tag}>\n{value.strip()}\n</{tag}>" for tag, value in parts.items()]
    return "\n".join(lines) + "\n"


def file_of(folder: str, name: str) -> Path:
    return Path(folder).expanduser() / f"{name}.ovpn"


def standing(file: Path, content: str) -> str:
    """`written`, or what is wrong with the file."""
    try:
        about = file.lstat()
        if not stat.S_ISREG(about.st_mode):
            return "no plain file"
        if stat.S_IMODE(about.st_mode) & 0o077:
            return "readable by others"
        return WRITTEN if file.read_text() == content else "another one"
    except FileNotFoundError:
        return "missing"
    except (OSError, UnicodeDecodeError) as error:
        return f"unreadable ({getattr(error, 'strerror', None) or error})"


def open_to_others(folder: str) -> str:
    """Why nothing secret may be put there; empty when it is fine, or not there yet."""
    place = Path(folder).expanduser()
    try:
        about = place.stat()
    except FileNotFoundError:
        return ""
    if not stat.S_ISDIR(about.st_mode):
        return "it is no folder"
    if about.st_uid != os.geteuid():
        return "it belongs to somebody else"
    mode = stat.S_IMODE(about.st_mode)
    return f"others may look into it (mode {mode:04o})" if mode & 0o077 else ""


def write(file: Path, content: str) -> None:
    """Never readable by others, not even for a moment; whole or not at all."""
    missing: list[Path] = []
    folder = file.parent
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def remove(files: Sequence[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
