# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Proxmox's package repository: signed, laid out as theirs, its packages nearly empty.

Installing them brings what the real ones bring from Debian (ifupdown2), and a kernel that counts from a restart on.
"""

from __future__ import annotations

import base64
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "artefacts"))

from labmirror import debian  # lies in the artefacts' folder
from labmirror.catalogue import Package  # as above

SUITE, COMPONENT = "trixie", "pve-no-subscription"
KEY = "key.gpg"
KERNEL = "6.17.0-1-pve"
# A container runs the machine's kernel, so the node's Python tells another name, from the next start on.
_NAME = f"""import os, platform
if os.path.exists("/run/booted-pve"):
    platform.release = lambda: "{KERNEL}"
    _uname = platform.uname
    platform.uname = lambda: _uname()._replace(release="{KERNEL}")
"""
_BOOTED = """[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/usr/bin/touch /run/booted-pve
[Install]
WantedBy=sysinit.target
"""
_NOTE = '#!/bin/sh\necho "$0 $*" >> /var/log/standins.log\n'
PACKAGES = (
    Package(
        "proxmox-default-kernel", "2.0.0", "Stand-in for Proxmox's kernel", {},
        texts={
            "usr/lib/python3/dist-packages/booted_pve.py": _NAME,
            "usr/lib/python3/dist-packages/booted_pve.pth": "import booted_pve\n",
            "usr/lib/systemd/system/booted-pve.service": _BOOTED,
        },
        folders=("etc/default/grub.d",),
        postinst="#!/bin/sh\nsystemctl enable booted-pve.service\n",
    ),
    Package(
        "proxmox-ve", "9.1.0", "Stand-in for Proxmox VE", {},
        depends=("proxmox-default-kernel", "ifupdown2", "bridge-utils"),
        texts={"usr/share/proxmox-ve/standin": _NOTE},
        postinst="#!/bin/sh\ninstall -m 755 /usr/share/proxmox-ve/standin /usr/sbin/update-grub\n",
    ),
)  # fmt: skip


def write(folder: Path) -> None:
    """The repository and its key, ready to be served."""
    pool = folder / "pve" / "pool"
    pool.mkdir(parents=True)
    index = ""
    for package in PACKAGES:
        path = pool / f"{package.name}_{package.version}_amd64.deb"
        with path.open("wb") as out, tempfile.TemporaryFile() as scratch:
            debian.write(package, "amd64", {}, out, scratch)
        controls = debian.control(package, "amd64", 1)
        index += debian.stanza(controls, f"pool/{path.name}", path) + "\n"
    suite = folder / "pve" / "dists" / SUITE
    name = f"{COMPONENT}/binary-amd64/Packages"
    (suite / name).parent.mkdir(parents=True)
    (suite / name).write_text(index)
    key = debian.Key(folder / "keyring")
    told = debian.release({name: index.encode()}, "Proxmox", "amd64", time.time())
    told = told.replace("Architectures:", f"Suite: {SUITE}\nCodename: {SUITE}\nComponents: {COMPONENT}\nArchitectures:")
    (suite / "InRelease").write_bytes(key.sign(told))
    (folder / KEY).write_bytes(_binary(key.public().decode()))


def _binary(armoured: str) -> bytes:
    lines = armoured.split("\n\n", 1)[1].splitlines()
    return base64.b64decode("".join(line for line in lines if line and line[0] not in "=-"))
