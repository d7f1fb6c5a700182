# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that are done once: each result lies in a folder named after the hash of all that made it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .store import locked


def key_of(inputs: Mapping[str, Any]) -> str:
    """A hash of plain data, the same on every machine."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:24]


class Steps:
    """Results by what made them. Made beside and renamed at the end: what is there is whole, whatever was killed."""

    def __init__(self, root: Path, say: Callable[[str], None]) -> None:
        self.root = root
        self.say = say
        root.mkdir(parents=True, exist_ok=True)

    def folder(self, name: str, key: str) -> Path:
        return self.root / f"{name}-{key}"

    def once(self, name: str, inputs: Mapping[str, Any], make: Callable[[Path], None]) -> Path:
        """The folder of this step's result; `make` fills it if it is not there."""
        done = self.folder(name, key_of(inputs))
        if done.is_dir():
            os.utime(done)
            return done
        with locked(self.root / f".{done.name}.lock", f"  {name}: another run is making it; waiting for that"):
            if not done.is_dir():
                self._make(name, done, make)
        return done

    def _make(self, name: str, done: Path, make: Callable[[Path], None]) -> None:
        for left in self.root.glob(f".{done.name}.making*"):
            shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f".{done.name}.making", dir=self.root))
        work.chmod(0o755)
        begin = time.monotonic()
        self.say(f"  {name} ...")
        try:
            make(work)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        work.rename(done)
        self.say(f"  {name}: {time.monotonic() - begin:.0f} s, {size(done) >> 20} MiB")


def size(path: Path) -> int:
    """Bytes of all files below a folder; what vanishes meanwhile does not count."""
    total = 0
    for folder, _folders, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118 - a Path for each of 100,000 is slow
            except FileNotFoundError:
                continue
    return total


def trim(folder: Path, limit: int) -> int:
    """Delete the files used longest ago until a cache is within its limit; how many bytes went."""
    files = []
    for where, _folders, names in os.walk(folder):
        for name in names:
            path = Path(where, name)
            try:
                told = path.lstat()
            except FileNotFoundError:
                continue
            files.append((told.st_mtime, told.st_size, path))
    total = sum(weight for _when, weight, _path in files)
    before = total
    for _when, weight, path in sorted(files, key=lambda row: row[0]):
        if total <= limit:
            break
        path.unlink(missing_ok=True)
        total -= weight
    return before - total
