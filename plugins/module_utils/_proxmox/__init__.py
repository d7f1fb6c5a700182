# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The Proxmox VE API, for every module of this collection that speaks it.

    from ._proxmox.client import Connection, Proxmox
    with Proxmox(Connection(hosts=("pve1",), user="socle@pve", token_id="ci", token_secret=Secret(...))) as pve:
        guests = pve.get("/cluster/resources", type="vm")
        upid = pve.post("/nodes/pve1/qemu/100/status/start")
        pve.wait(upid, "start of 100", Deadline(60))

One `Proxmox` per Ansible task; any thread may use it (each gets its own keep-alive session; there is one login).
Errors are the classes of `errors`; `client.classify` and `client.explain` are what an engine's Reader needs.
`options` turns module parameters into a Connection. `tasks` reads UPIDs.
"""
