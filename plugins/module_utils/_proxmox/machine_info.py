# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What there is of a platform's machines, for people and later tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from .._values import UNREADABLE
from . import identity
from .errors import ProxmoxError
from .guest_waits import usable
from .guests import fields_of
from .live import Guest, Live


def machines_info(live: Live, names: Collection[str], *, agent: bool) -> dict[str, dict[str, Any]]:
    """Every machine of the platform, by name; only `names` if there are any."""
    live.refresh()
    rows = [
        row
        for row in live.ids().values()
        if row.get("type") == "qemu"
        and not row.get("template")
        # A guest that has just been made does not show its tags yet.
        and (live.tag in identity.tags_of(row) or row.get("status") == "unknown")
    ]
    read = live.each(lambda row: live.guest_or_none(int(row["vmid"]), str(row["node"])), rows)
    pools = {vmid: str(row.get("pool", "")) for vmid, row in live.ids().items()}
    # The tag alone proves nothing: anybody can set it.
    guests = [guest for guest in read if guest and live.owner(guest) and (not names or live.owner(guest) in names)]
    states = live.statuses(guest.node for guest in guests)
    running = [guest for guest in guests if agent and states.get(guest.vmid) == "running"]
    told = dict(zip((guest.vmid for guest in running), live.each(lambda g: _addresses(live, g), running), strict=True))
    return {
        live.owner(guest): {
            **_plain(fields_of(guest.config)),
            "id": guest.vmid,
            "node": guest.node,
            "uuid": identity.uuid_of(guest.config),
            "status": states.get(guest.vmid, ""),
            "pool": pools.get(guest.vmid, ""),
            "lock": guest.lock,
            "complete": live.complete(guest, live.owner(guest)),
            "needs_reboot": list(guest.pending) if states.get(guest.vmid) == "running" else [],
            "addresses": told.get(guest.vmid) or _configured(guest),
        }
        for guest in sorted(guests, key=lambda item: item.name)
    }


def _addresses(live: Live, guest: Guest) -> list[str]:
    """What the guest's agent tells; nothing when it does not answer."""
    try:
        path = f"/nodes/{guest.node}/qemu/{guest.vmid}/agent/network-get-interfaces"
        answer = live.pve.request("GET", path, {})
    except ProxmoxError:
        return []
    return usable(answer.get("result", ()))


def _configured(guest: Guest) -> list[str]:
    found = []
    for key, value in fields_of(guest.config)["cloud_init"].items():
        if key.startswith("ip") and isinstance(value, Mapping):
            found += [value[k].split("/")[0] for k in ("address", "address6") if "/" in value.get(k, "")]
    return found


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    shown = {**fields, "cloud_init": {k: v for k, v in fields["cloud_init"].items() if v is not UNREADABLE}}
    return {key: value for key, value in shown.items() if key != "name"}
