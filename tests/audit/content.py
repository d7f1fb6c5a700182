# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules that OpenSCAP judges by: two packages of Debian's unstable, since stable's own know no Debian 13."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from rack.command import LabError, run
from rack.host import cache_folder, mirrors

PACKAGES = ("ssg-base", "ssg-debian")


def packages() -> list[Path]:
    """From the cache; the first time from unstable, checked by apt against Debian's keys."""
    folder = cache_folder("audit")
    found = [sorted(folder.glob(f"{name}_*_all.deb")) for name in PACKAGES]
    if all(found):
        return [files[-1] for files in found]
    with tempfile.TemporaryDirectory(prefix="socle-audit-") as name:
        root = Path(name)
        for part in ("lists/partial", "cache/archives/partial"):
            (root / part).mkdir(parents=True)
        (root / "status").touch()
        (root / "sources.list").write_text(f"deb {mirrors().debian} sid main\n")
        options = [
            f"Dir::Etc::sourcelist={root}/sources.list", "Dir::Etc::sourceparts=/nonexistent",
            f"Dir::State::lists={root}/lists", f"Dir::State::status={root}/status", f"Dir::Cache={root}/cache",
            "APT::Sandbox::User=root",
        ]  # fmt: skip
        words = [word for option in options for word in ("-o", option)]
        try:
            run("apt-get", "-qq", *words, "update", timeout=600)
            run("sh", "-c", 'cd "$1" && shift && exec apt-get -qq "$@"', "sh", root, *words, "download", *PACKAGES)
        except LabError as error:
            raise LabError(
                f"OpenSCAP's rules for Debian 13 come with {' and '.join(PACKAGES)} of Debian unstable, which cannot "
                f"be fetched now ({error}). Put the two .deb files into {folder} and run it again."
            ) from error
        for file in root.glob("*.deb"):
            shutil.move(file, folder / file.name)
    return packages()
