# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node sees in /lib/modules, so that `modprobe` of what the kernel has succeeds and of what it lacks fails."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from .command import run

# Kernel option -> where the module would lie.
BUILT_IN = {
    "BRIDGE_NETFILTER": "net/bridge/br_netfilter",
    "BRIDGE": "net/bridge/bridge",
    "OVERLAY_FS": "fs/overlayfs/overlay",
    "NF_CONNTRACK": "net/netfilter/nf_conntrack",
    "NF_TABLES": "net/netfilter/nf_tables",
    "TUN": "drivers/net/tun",
    "FUSE_FS": "fs/fuse/fuse",
    "XFS_FS": "fs/xfs/xfs",
    "VXLAN": "drivers/net/vxlan/vxlan",
    "VETH": "drivers/net/veth",
    "IP_VS": "net/netfilter/ipvs/ip_vs",
    "IP_VS_RR": "net/netfilter/ipvs/ip_vs_rr",
    "IP_SET": "net/netfilter/ipset/ip_set",
    "BLK_DEV_DM": "drivers/md/dm-mod",
    "BLK_DEV_LOOP": "drivers/block/loop",
    "DUMMY": "drivers/net/dummy",
    "WIREGUARD": "drivers/net/wireguard/wireguard",
}


def folder(state: Path) -> Path:
    """The machine's own modules where it has some; else a tree that names what is built in."""
    release = os.uname().release
    own = Path("/lib/modules") / release
    if own.is_dir():
        return Path("/lib/modules")
    made = state / "modules"
    target = made / "lib" / "modules" / release
    if not target.exists():
        target.mkdir(parents=True)
        config = Path("/proc/config.gz")
        options = gzip.decompress(config.read_bytes()).decode() if config.exists() else ""
        names = [path for option, path in BUILT_IN.items() if f"CONFIG_{option}=y" in options.splitlines()]
        (target / "modules.builtin").write_text("".join(f"kernel/{path}.ko\n" for path in names))
        (target / "modules.order").touch()
        run("depmod", "-b", made, release)
    return made / "lib" / "modules"
