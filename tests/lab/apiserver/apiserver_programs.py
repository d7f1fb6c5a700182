# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd, kube-apiserver and kube-controller-manager as programs, out of the images that the lab's mirror holds.

Only these three images are asked of the mirror: fetched where upstream answers, built where it does not, once.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "artefacts"))

from labmirror.catalogue import Catalogue, Image, catalogue, minors  # the package lies beside this one
from labmirror.mirror import Mirror, architecture, cache_folder  # as above
from labmirror.steps import Steps  # as above
from labmirror.trouble import Trouble  # as above
from labmirror.upstream import Upstream  # as above

ARTEFACTS = Path(__file__).resolve().parents[1] / "artefacts"
__all__ = ["Trouble", "programs"]

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager")


def programs(minor: str = "", say: Callable[[str], None] = print) -> dict[str, Path]:
    """Where each of the three programs lies; had first if need be, under the mirror's own lock."""
    upstream = None if os.environ.get("SOCLE_UPSTREAM") == "never" else Upstream()
    mirror = Mirror(cache_folder(), ARTEFACTS / "go", architecture(), upstream, say=say)
    whole = catalogue(minor or minors()[0], mirror.arch)
    images = [item for item in whole.items if isinstance(item, Image) and _program(item) in NAMES]
    mirror.fill(Catalogue(whole.minor, whole.kubernetes, tuple(images)))
    steps = Steps(mirror.cache / "steps", say)
    return {_program(image): _unpacked(mirror, steps, image) for image in images}


def _program(image: Image) -> str:
    return image.name.rsplit("/", maxsplit=1)[-1].partition(":")[0]


def _unpacked(mirror: Mirror, steps: Steps, image: Image) -> Path:
    record = mirror.store.record(image.name)
    assert record, image.name
    name = _program(image)

    def make(work: Path) -> None:
        for digest in record.blobs:
            blob = mirror.store.blob(digest)
            if not tarfile.is_tarfile(blob):
                continue
            with tarfile.open(blob) as layer:
                for member in layer:
                    if member.isfile() and member.name.rsplit("/", maxsplit=1)[-1] == name:
                        source = layer.extractfile(member)
                        assert source
                        with (work / name).open("wb") as target:
                            shutil.copyfileobj(source, target)
                        (work / name).chmod(0o755)
        assert (work / name).is_file(), f"{image.name}: no program {name} in it"

    return steps.once(f"unpacked-{name}", {"blobs": list(record.blobs)}, make) / name
