# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands behind a guest: by default nothing at all.

A backend that runs something real (a container, say) implements the same calls. They must return at once; `alive`
is asked again and again until it says what was wanted, so a slow start is a task that takes its time.
"""

from __future__ import annotations

from typing import Any, Protocol

from .world import Guest


class Backend(Protocol):
    def start(self, guest: Guest) -> None:
        """Begin to start what the guest's configuration says; raise RuntimeError with the reason when it cannot."""

    def stop(self, guest: Guest, *, hard: bool) -> None:
        """Begin to stop it."""

    def alive(self, guest: Guest) -> bool:
        """Whether what was begun is done; raise RuntimeError with the reason when it failed."""

    def update(self, guest: Guest) -> None:
        """The configuration of a guest that runs has changed."""

    def destroy(self, guest: Guest) -> None:
        """Remove all of it."""

    def snapshot(self, guest: Guest, name: str) -> None:
        """Keep what its disks hold."""

    def rollback(self, guest: Guest, name: str) -> None:
        """Give it back what its disks held; it is stopped."""

    def forget_snapshot(self, guest: Guest, name: str) -> None:
        """Nothing goes back to this snapshot any more."""

    def interfaces(self, guest: Guest) -> list[dict[str, Any]] | None:
        """What its agent reports; None when no agent answers."""

    def execute(self, guest: Guest, command: list[str], text: str) -> tuple[int, str, str]:
        """Run a command inside: exit code, output, errors."""


class Nothing:
    """Guests that exist only in the books: they start at once and report the addresses they were configured with."""

    def __init__(self) -> None:
        self._up: set[int] = set()

    def start(self, guest: Guest) -> None:
        self._up.add(guest.vmid)

    def stop(self, guest: Guest, *, hard: bool) -> None:
        self._up.discard(guest.vmid)

    def alive(self, guest: Guest) -> bool:
        return guest.vmid in self._up

    def destroy(self, guest: Guest) -> None:
        self._up.discard(guest.vmid)

    def update(self, guest: Guest) -> None:
        pass

    def snapshot(self, guest: Guest, name: str) -> None:
        pass

    def rollback(self, guest: Guest, name: str) -> None:
        pass

    def forget_snapshot(self, guest: Guest, name: str) -> None:
        pass

    def interfaces(self, guest: Guest) -> list[dict[str, Any]] | None:
        loopback = [{"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8}]
        out: list[dict[str, Any]] = [
            {"name": "lo", "hardware-address": "00:00:00:00:00:00", "ip-addresses": loopback, "statistics": {}}
        ]
        for number in range(32):
            net = str(guest.powered.get(f"net{number}", ""))
            if not net:
                continue
            mac = net.split(",", maxsplit=1)[0].partition("=")[2].lower()
            card: dict[str, Any] = {"name": f"eth{number}", "hardware-address": mac}
            addresses = _addresses(str(guest.powered.get(f"ipconfig{number}", "")), guest.vmid, number)
            if addresses:
                card["ip-addresses"] = addresses
            out.append(card)
        return out

    def execute(self, guest: Guest, command: list[str], text: str) -> tuple[int, str, str]:
        if command[:1] == ["echo"]:
            return 0, " ".join(command[1:]) + "\n", ""
        if command[:1] == ["cat"] and text:
            return 0, text, ""
        return 0, "", ""


def _addresses(config: str, vmid: int, number: int) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for part in config.split(","):
        key, _unused, value = part.partition("=")
        if key == "ip" and value == "dhcp":
            value = f"10.{200 + number}.{vmid // 250 % 250}.{vmid % 250 + 2}/16"
        if key in ("ip", "ip6") and "/" in value:
            address, _unused, prefix = value.partition("/")
            kind = "ipv4" if key == "ip" else "ipv6"
            out.append({"ip-address": address, "ip-address-type": kind, "prefix": int(prefix)})
    return out
