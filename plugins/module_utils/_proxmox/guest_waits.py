# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Waiting until a machine is of use: its agent's address, its SSH port, the end of cloud-init."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .._objects import Step
from .._wait import Hopeless, Waiting
from .errors import ProxmoxError
from .live import Guest, Live
from .machines import Machine

if TYPE_CHECKING:
    from .machine_writer import Policy

SSH = 22


def wait(live: Live, policy: Policy, machine: Machine, guest: Guest, step: Step) -> None:
    """For what the task asked for, in the order in which a guest comes up."""
    if policy.wait == "started":
        return
    if policy.wait == "ssh" and machine.addresses:
        _ssh(machine.addresses, policy, step)
        return
    addresses = _addresses(live, policy, guest, step)
    step.note(f"address {', '.join(addresses)}")
    if policy.wait == "ssh":
        _ssh(addresses, policy, step)
    elif policy.wait == "cloud_init":
        _cloud_init(live, policy, guest, step)


def usable(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The addresses of an agent's answer that lead anywhere: no loopback, none that a host gives itself."""
    found = []
    for row in rows:
        for item in row.get("ip-addresses", ()):
            with contextlib.suppress(ValueError):
                address = ipaddress.ip_address(str(item.get("ip-address", "")).partition("%")[0])
                if not (address.is_loopback or address.is_link_local or address.is_unspecified):
                    found.append(address)
    return [str(address) for address in sorted(found, key=lambda a: (a.version, int(a)))]


def _addresses(live: Live, policy: Policy, guest: Guest, step: Step) -> list[str]:
    def probe() -> list[str] | Waiting | Hopeless:
        path = f"/nodes/{guest.node}/qemu/{guest.vmid}"
        try:
            answer = live.pve.request("GET", f"{path}/agent/network-get-interfaces", {})
        except ProxmoxError as error:
            if "No QEMU guest agent configured" in error.said:
                return Hopeless("the guest agent is off in its settings; set `agent: true`, or wait for `ssh`")
            if "not running" not in error.said and "Agent error" not in error.said:
                raise
            if "agent" not in error.said and live.pve.get(f"{path}/status/current").get("status") != "running":
                return Hopeless("the machine is not running any more; its console or task log says why")
            return Waiting(f"{error.said}; is the agent installed in the template?")
        found = usable(answer.get("result", ()))
        return found or Waiting("the agent answers, and has no address but link-local ones; is there a DHCP server?")

    return step.wait_for("the guest agent's address", probe, at_most=policy.wait_timeout)


def _ssh(addresses: Iterable[str], policy: Policy, step: Step) -> None:
    many = list(addresses)

    def probe() -> bool | Waiting:
        causes = []
        for address in many:
            cause = banner(address, SSH)
            if not cause:
                return True
            causes.append(cause)
        return Waiting("; ".join(causes))

    step.wait_for(f"SSH on {' or '.join(many)}", probe, at_most=policy.wait_timeout)


def banner(address: str, port: int, timeout: float = 5.0) -> str:
    """Why nobody speaks SSH there; empty when somebody does."""
    try:
        with socket.create_connection((address, port), timeout=timeout) as connection:
            said = connection.recv(64)
    except OSError as error:
        return f"{address} port {port}: {error.strerror or error}"
    return "" if said.startswith(b"SSH-") else f"{address} port {port} answers, and not with SSH"


def _cloud_init(live: Live, policy: Policy, guest: Guest, step: Step) -> None:
    path = f"/nodes/{guest.node}/qemu/{guest.vmid}/agent"

    def probe() -> bool | Waiting | Hopeless:
        pid = live.pve.post(f"{path}/exec", command=["cloud-init", "status", "--long"])["pid"]

        def ended() -> dict[str, Any] | Waiting:
            answer: dict[str, Any] = live.pve.get(f"{path}/exec-status", pid=pid)
            return answer if answer.get("exited") else Waiting("`cloud-init status` is running")

        answer = step.wait_for("the answer of cloud-init", ended, at_most=30)
        said = " ".join(str(answer.get("out-data", "")).split()) or str(answer.get("err-data", "")).strip()
        if "status: done" in said:
            return True
        if "status: error" in said or "status: disabled" in said:
            return Hopeless(f"cloud-init says: {said}")
        return Waiting(f"cloud-init says: {said or 'nothing'}")

    step.wait_for("the end of cloud-init", probe, at_most=policy.wait_timeout)


__all__ = ["banner", "usable", "wait"]
