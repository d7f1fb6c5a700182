# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What the platform's own role may do, and which call needs it. This table is the whole truth about that role."""

from __future__ import annotations

from typing import NamedTuple


class Need(NamedTuple):
    privilege: str
    method: str
    endpoint: str
    what_for: str


NEEDS = (
    Need("Datastore.Allocate", "POST", "/storage", "storages are made, changed and forgotten"),
    Need("Datastore.AllocateSpace", "POST", "/nodes/{node}/qemu", "disks are allocated"),
    Need("Datastore.AllocateTemplate", "POST", "/nodes/{node}/storage/{storage}/download-url", "images are fetched"),
    Need("Datastore.Audit", "GET", "/cluster/resources", "the storages of each node are found"),
    Need("Pool.Allocate", "POST", "/pools", "pools are made, and machines put into them"),
    Need("Pool.Audit", "GET", "/pools", "pools and their members are read"),
    Need("SDN.Use", "POST", "/nodes/{node}/qemu", "network cards are attached to a bridge"),
    Need("Sys.Audit", "GET", "/nodes/{node}/status", "nodes, their networks and tasks are read"),
    Need("Sys.Modify", "PUT", "/nodes/{node}/network", "networks and firewalls are changed, start order is set"),
    Need("VM.Allocate", "POST", "/nodes/{node}/qemu", "machines and templates are made and removed"),
    Need("VM.Audit", "GET", "/nodes/{node}/qemu/{vmid}/config", "machines are read"),
    Need("VM.Clone", "POST", "/nodes/{node}/qemu/{vmid}/clone", "machines are made from templates"),
    Need("VM.Config.CPU", "PUT", "/nodes/{node}/qemu/{vmid}/config", "cores are set"),
    Need("VM.Config.Cloudinit", "PUT", "/nodes/{node}/qemu/{vmid}/config", "addresses, users and keys are set"),
    Need(
        "VM.Config.Disk",
        "PUT",
        "/nodes/{node}/qemu/{vmid}/resize",
        "disks and cloud-init drives are added, disks are grown",
    ),
    Need("VM.Config.HWType", "PUT", "/nodes/{node}/qemu/{vmid}/config", "SMBIOS, display and serial console are set"),
    Need("VM.Config.Memory", "PUT", "/nodes/{node}/qemu/{vmid}/config", "memory is set"),
    Need("VM.Config.Network", "PUT", "/nodes/{node}/qemu/{vmid}/config", "network cards and their firewall are set"),
    Need("VM.Config.Options", "PUT", "/nodes/{node}/qemu/{vmid}/config", "names, tags, the agent and start are set"),
    Need(
        "VM.GuestAgent.Audit",
        "GET",
        "/nodes/{node}/qemu/{vmid}/agent/network-get-interfaces",
        "the addresses that a machine has are read",
    ),
    Need("VM.PowerMgmt", "POST", "/nodes/{node}/qemu/{vmid}/status/start", "machines are started and stopped"),
)

PLATFORM = tuple(sorted(need.privilege for need in NEEDS))
PRESETS = {"platform": PLATFORM}


def page() -> str:
    """The table of the documentation."""
    rows = [f"| `{n.privilege}` | `{n.method} {n.endpoint}` | {n.what_for} |" for n in NEEDS]
    return "\n".join(["| privilege | a call that needs it | what for |", "| --- | --- | --- |", *rows])
