# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Which options each type of storage has, which it cannot do without, and which never change afterwards."""

from __future__ import annotations

from dataclasses import dataclass

_ANY = "nodes disable content"
_LIMIT = f"{_ANY} bwlimit"
_FILES = "create-base-path create-subdirs max-protected-backups mkdir prune-backups"
_IMAGES = "format preallocation"


@dataclass(frozen=True)
class Type:
    """`needed` are given when it is made, and `fixed` (with them) cannot be changed by an update."""

    options: frozenset[str]
    needed: frozenset[str]
    fixed: frozenset[str]


def _type(needed: str, fixed: str, free: str, needed_free: str = "") -> Type:
    """`needed_free` must be given and may change later."""
    always, never = frozenset(needed.split()), frozenset(fixed.split())
    changing = frozenset(needed_free.split())
    return Type(always | never | frozenset(free.split()) | changing, always | changing, always | never)


# What is mounted has a path too, but Proxmox fills it in.
_CHAIN = "snapshot-as-volume-chain"
TYPES = {
    "btrfs": _type("path", "", f"{_ANY} {_FILES} {_IMAGES} is_mountpoint nocow shared"),
    "cephfs": _type(
        "", "path", f"{_LIMIT} {_FILES} content-dirs format fs-name fuse keyring monhost options subdir username"
    ),
    "cifs": _type(
        "server share",
        f"path {_CHAIN}",
        f"{_LIMIT} {_FILES} {_IMAGES} content-dirs domain options password smbversion subdir username",
    ),
    "dir": _type("path", _CHAIN, f"{_LIMIT} {_FILES} {_IMAGES} content-dirs is_mountpoint shared"),
    "esxi": _type("", "", f"{_ANY} password port shared skip-cert-verification", "server username"),
    "iscsi": _type("portal target", "", _LIMIT),
    "iscsidirect": _type("portal target", "", _LIMIT),
    "lvm": _type(
        "vgname", "base", f"{_LIMIT} saferemove saferemove-stepsize saferemove_throughput shared {_CHAIN} tagged_only"
    ),
    "lvmthin": _type("thinpool vgname", "", _LIMIT),
    "nfs": _type("export server", f"path {_CHAIN}", f"{_LIMIT} {_FILES} {_IMAGES} content-dirs options"),
    "pbs": _type(
        "datastore server",
        "",
        f"{_ANY} encryption-key fingerprint master-pubkey max-protected-backups namespace password port prune-backups "
        "username",
    ),
    "rbd": _type("", "", f"{_LIMIT} data-pool keyring krbd monhost namespace pool username"),
    "zfs": _type(
        "blocksize iscsiprovider pool portal target",
        "",
        f"{_LIMIT} comstar_hg comstar_tg lio_tpg nowritecache sparse zfs-base-path",
    ),
    "zfspool": _type("pool", "", f"{_LIMIT} blocksize mountpoint sparse"),
}
SECRET = frozenset({"password", "keyring", "encryption-key", "master-pubkey"})
FLAGS = frozenset(
    (
        *("create-base-path", "create-subdirs", "disable", "fuse", "krbd", "mkdir", "nocow", "nowritecache"),
        *("saferemove", "shared", "skip-cert-verification", "snapshot-as-volume-chain", "sparse", "tagged_only"),
    )
)
# What an option means when it is not set; unsetting it and setting it to this are the same.
DEFAULTS = {"create-base-path": "1", "create-subdirs": "1", "mkdir": "1", "preallocation": "metadata"}
# The options that differ from their neighbours in order only.
SETS = frozenset({"content", "nodes"})
PROPERTIES = frozenset({"prune-backups", "bwlimit", "content-dirs"})
