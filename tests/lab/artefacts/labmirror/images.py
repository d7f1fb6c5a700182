# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images, written straight into a mirror: layers, configuration, manifest."""

from __future__ import annotations

import fnmatch
import json
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from .catalogue import Image
from .debian import MOMENT, add_folder, add_program, parents
from .steps import Steps
from .store import Descriptor, Store, digest_of
from .trouble import Trouble

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
CREATED = "2026-01-01T00:00:00Z"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

SUITE = "trixie"
TOOLS = ("base-files", "coreutils", "dash", "iptables", "nftables", "ipset", "conntrack", "kmod")
# mmdebstrap only unpacks; these links would be made by the package's own script.
XTABLES = ("iptables", "ip6tables", "iptables-save", "ip6tables-save", "iptables-restore", "ip6tables-restore")
# Nothing of this is used in an image that runs one program.
LEFT_OUT = (
    "usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*", "usr/share/perl*", "usr/lib/*/perl*", "var/cache/apt/*",
    "var/lib/apt/*", "var/lib/dpkg/*", "usr/bin/perl*", "var/log/*",
)  # fmt: skip


def write(
    store: Store, image: Image, arch: str, programs: Mapping[str, Path], base: Path | None
) -> tuple[Descriptor, list[Descriptor]]:
    """Put an image's blobs into the store: the descriptor of its manifest, and of every blob."""
    layers = [adopt_layer(store, base)] if base else []
    layers.append(program_layer(store, programs))
    config: dict[str, Any] = {"Env": [PATH]}
    if image.entrypoint:
        config["Entrypoint"] = list(image.entrypoint)
    if image.user:
        config["User"] = image.user
    about = {
        "created": CREATED,
        "architecture": arch,
        "os": "linux",
        "config": config,
        # The layers are not compressed, so the digest of each is also that of its content.
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
    }
    configuration = store.put(json.dumps(about, sort_keys=True).encode(), CONFIG)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": configuration.as_json(),
        "layers": [layer.as_json() for layer in layers],
    }
    found = store.put(json.dumps(manifest, sort_keys=True).encode(), MANIFEST)
    return found, [found, configuration, *layers]


def program_layer(store: Store, programs: Mapping[str, Path]) -> Descriptor:
    """A layer of programs by their path, and the folders they are in."""
    with store.writing() as (handle, path):
        _tar(handle, programs)
    return store.adopt(path, LAYER)


def _tar(handle: IO[bytes], programs: Mapping[str, Path]) -> None:
    with tarfile.open(fileobj=handle, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder in parents(list(programs)):
            add_folder(tar, folder)
        for name, source in sorted(programs.items()):
            add_program(tar, name, source)


def adopt_layer(store: Store, source: Path) -> Descriptor:
    """A finished tar as a layer."""
    digest = digest_of(source)
    if not store.blob(digest).is_file():
        with store.writing() as (handle, path):
            handle.write(source.read_bytes())
        store.adopt(path, LAYER, digest)
    return Descriptor(LAYER, digest, source.stat().st_size)


def tools(steps: Steps, arch: str) -> Path:
    """A tar of a small Debian with what kube-proxy and flannel call."""
    inputs = {"suite": SUITE, "packages": TOOLS, "without": LEFT_OUT, "links": XTABLES, "arch": arch}
    return steps.once("debian-tools", inputs, lambda work: _debian(work / "root.tar", arch)) / "root.tar"


def _debian(out: Path, arch: str) -> None:
    raw = out.with_name("raw.tar")
    command = ["nice", "-n", "19", "mmdebstrap", "--quiet", "--variant=extract", f"--architectures={arch}"]
    command += [f"--include={','.join(TOOLS)}", SUITE, str(raw), debian_mirror()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Trouble(
            "mmdebstrap: not installed; the base of kube-proxy's image is made with it: install mmdebstrap"
        ) from None
    if done.returncode:
        raise Trouble(
            f"mmdebstrap {SUITE} ended with {done.returncode}:\n  "
            + "\n  ".join(done.stderr.strip().splitlines()[-10:])
        )
    _slim(raw, out)
    raw.unlink()


def _slim(raw: Path, out: Path) -> None:
    with tarfile.open(raw) as whole, tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as tar:
        for entry in whole:
            name = entry.name.removeprefix("./")
            if entry.isdev() or any(fnmatch.fnmatch(name, pattern) for pattern in LEFT_OUT):
                continue
            entry.mtime = MOMENT
            tar.addfile(entry, whole.extractfile(entry) if entry.isreg() else None)
        for name in XTABLES:
            link = tarfile.TarInfo(f"./usr/sbin/{name}")
            link.type, link.linkname, link.mtime = tarfile.SYMTYPE, "xtables-nft-multi", MOMENT
            tar.addfile(link)


def debian_mirror() -> str:
    """The Debian mirror that this machine's own apt uses."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(SITE) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    for line in done.stdout.splitlines():
        if line.startswith("Debian Debian "):
            return line.split()[-1]
    raise Trouble(
        "apt: no Debian mirror among this machine's package sources (or `apt-get update` was never run), wanted one: "
        "the base of kube-proxy's image comes from it"
    )
