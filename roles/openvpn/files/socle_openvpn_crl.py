# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""socle-openvpn-crl: takes up the revocation list whose time has come, and ends sessions of who was revoked.

The lists were signed in advance, because the key that signs them is not on this machine. OpenVPN reads the file again
at each handshake, so nothing is restarted. When the last list has run out nobody gets in: this says so a month before.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

FOLDER = Path("/etc/openvpn/server")
GIVEN, INSTALLED, DONE, AUTHORITY = (
    FOLDER / name for name in ("socle-revocations.json", "socle-crl.pem", "socle-ended.json", "socle-ca.crt")
)
MANAGEMENT = "/run/openvpn-server/socle.sock"
WARN = timedelta(days=30)
# What systemd reads at the beginning of a line as its severity.
ERROR, WARNING = "<3>", "<4>"


@dataclass(frozen=True)
class Listed:
    text: str
    begins: datetime
    ends: datetime


def main() -> int:
    moment = datetime.now(timezone.utc)
    try:
        given = json.loads(GIVEN.read_text())
        lists = [found for text in given["lists"] if (found := read(text))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{ERROR}{GIVEN} cannot be used ({error}); the list in force stays. Run access.yml.", flush=True)
        return 1
    begun = [item for item in lists if item.begins <= moment]
    if not begun:
        print(
            f"{ERROR}no list in {GIVEN} counts yet; the one in force stays. Is this machine's clock right?", flush=True
        )
        return 1
    chosen = max(begun, key=lambda item: item.begins)
    if install(chosen.text):
        print(
            f"in force now: the list of {chosen.begins:%Y-%m-%d %H:%M}, until {chosen.ends:%Y-%m-%d %H:%M}", flush=True
        )
    end_sessions(given.get("revoked") or {})
    last = max(item.ends for item in lists)
    if last <= moment:
        print(
            f"{ERROR}the last revocation list ended at {last:%Y-%m-%d %H:%M}: nobody gets in. Run access.yml.",
            flush=True,
        )
        return 1
    if last - moment < WARN:
        print(f"{WARNING}after {last:%Y-%m-%d %H:%M} nobody gets in, unless access.yml is run before.", flush=True)
    return 0


def read(text: str) -> Listed | None:
    """When a list counts; None, and said, when it is not whole or not of our authority."""
    argv = ["openssl", "crl", "-noout", "-lastupdate", "-nextupdate", "-CAfile", str(AUTHORITY)]
    done = subprocess.run(argv, input=text, text=True, capture_output=True, check=False)
    moments = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if "verify OK" not in done.stderr or len(moments) != 2:
        said = (done.stderr.strip() or "it says no times").splitlines()[-1]
        print(f"{WARNING}a list in {GIVEN} is left out: {said}", flush=True)
        return None
    return Listed(text, moment_of(moments["lastUpdate"]), moment_of(moments["nextUpdate"]))


def moment_of(text: str) -> datetime:
    return datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=timezone.utc)


def install(text: str) -> bool:
    """Whole or not at all: OpenVPN may read it at any time."""
    if INSTALLED.exists() and INSTALLED.read_text() == text:
        return False
    write(INSTALLED, text)
    return True


def write(file: Path, text: str) -> None:
    fresh = file.with_name(f".{file.name}.new")
    with fresh.open("w") as out:
        os.fchmod(out.fileno(), 0o644)
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)


def end_sessions(revoked: dict[str, str]) -> None:
    """Once for each revoked certificate; whoever has a newer one comes back by himself."""
    try:
        done = set(json.loads(DONE.read_text()))
    except (OSError, ValueError):
        done = set()
    fresh = {serial: name for serial, name in revoked.items() if serial not in done}
    for name in sorted(set(fresh.values())):
        try:
            answer = ask(f"kill {name}")
        except OSError as error:
            # Not running: there is no session, and the next one meets the list.
            print(f"OpenVPN was not asked to end sessions of {name}: {error}", flush=True)
            continue
        if answer.startswith("SUCCESS"):
            print(f"ended the session of {name}, whose certificate is revoked", flush=True)
    if fresh:
        write(DONE, json.dumps(sorted(revoked)) + "\n")


def ask(command: str) -> str:
    """One command of OpenVPN's management interface, and its answer."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(MANAGEMENT)
        stream = peer.makefile("rw", encoding="utf-8", newline="\n")
        stream.write(f"{command}\n")
        stream.flush()
        for line in stream:
            if line.startswith(("SUCCESS", "ERROR")):
                return line.strip()
    raise OSError("it closed the connection without an answer")


if __name__ == "__main__":
    sys.exit(main())
