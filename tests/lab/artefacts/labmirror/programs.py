# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building programs: each is one cached step."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .catalogue import FromModule, Pin, Program
from .golang import Go, pin
from .steps import Steps
from .store import free
from .trouble import Trouble

ROOM = 15 << 30
# Backends of flannel that cannot be built without cgo (udp) or whose library cannot be had as a module (tencentvpc).
WITHOUT = ("tencentvpc", "udp")


@dataclass(frozen=True)
class Builder:
    """Builds programs from the pins in one folder."""

    go: Go
    steps: Steps
    pins: Path

    def inputs(self, program: Program) -> dict[str, Any]:
        """All that decides what the program will be."""
        return {
            "package": program.package,
            "ldflags": program.ldflags,
            "go": self.go.version,
            "platform": self.go.platform,
            "without": list(WITHOUT) if program.pin.prepare else [],
            "sources": self.sources(program.pin),
        }

    def sources(self, of: Pin) -> dict[str, str]:
        """Digests of the files that pin a module's build; go.sum in turn names the digest of every module."""
        folder = self.pins / of.name
        if not (folder / "go.mod").is_file():
            raise Trouble(
                f"{folder}: no go.mod there, wanted the pin of {of.name}: write it with `artefacts.py pin {of.name}`"
            )
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}

    def build(self, program: Program) -> Path:
        """The program's file, built if need be."""

        def make(work: Path) -> None:
            if (left := free(self.steps.root)) < ROOM:
                raise Trouble(
                    f"{program.name}: not built: {left >> 30} GiB are free at {self.steps.root}, wanted {ROOM >> 30}: "
                    "make room, or run `artefacts.py clean`"
                )
            sources = work / "sources"
            shutil.copytree(self.pins / program.pin.name, sources)
            self.prepare(program.pin, sources)
            self.go.build(sources, program.package, program.ldflags, work / program.name)
            shutil.rmtree(sources)

        return self.steps.once(program.name, self.inputs(program), make) / program.name

    def prepare(self, of: Pin, sources: Path) -> None:
        """What must lie beside go.mod before it can be built."""
        if of.prepare == "flannel":
            main = self._module(of, "github.com/flannel-io/flannel", sources) / "main.go"
            (sources / "main.go").write_text(without(main.read_text(), WITHOUT))

    def module_file(self, item: FromModule) -> bytes:
        """One file out of a pinned module."""
        return (self._module(item.pin, item.module, self.pins / item.pin.name) / item.path).read_bytes()

    def pin(self, of: Pin) -> None:
        """Write a pin's go.mod and go.sum anew."""
        if of.modules:
            pin(self.go, self.pins / of.name, of.modules, of.packages, lambda folder: self.prepare(of, folder))

    def _module(self, of: Pin, name: str, folder: Path) -> Path:
        return Path(self.go.module(folder, name, of.modules[name])["Dir"])


def without(source: str, backends: tuple[str, ...]) -> str:
    """flannel's main.go less the imports of some backends; each must have been there."""
    for name in backends:
        source, count = re.subn(rf'^\t_ "\S+/pkg/backend/{name}"\n', "", source, flags=re.M)
        if count != 1:
            raise Trouble(
                f"flannel's main.go imports backend {name} {count} times, wanted once: "
                "it was written anew in this version; look at it and change WITHOUT in programs.py"
            )
    return source
