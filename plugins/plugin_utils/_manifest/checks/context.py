# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What a check works with: the manifest as far as it is valid, its places, and a list to write findings to."""

from __future__ import annotations

from typing import Any

from ..errors import Finding, Path, did_you_mean, one_of
from ..load import Node
from ..platform import Platform


class Context:
    """One manifest under examination."""

    def __init__(self, manifest: Any, root: Node, broken: set[Path]) -> None:
        self.manifest = manifest
        self.platform = Platform(manifest)
        self.root = root
        self._around_broken = {path[:end] for path in broken for end in range(len(path) + 1)}
        self._beside_broken = {path[:-1] for path in broken if path}
        self.promised: int | None = None
        """Where the last range ends that an error told to pin: two groups are not told the same one."""
        self.errors: list[Finding] = []
        self.warnings: list[Finding] = []

    def sound(self, *path: Any) -> bool:
        """Whether nothing at or below a path is wrong by itself."""
        return path not in self._around_broken

    def error(self, path: Path, what: str, wanted: str = "", hint: str = "", key: bool = False) -> None:
        # `gate: manul` must not also be called production without a gate.
        if not self.sound(*path):
            return
        if self.misspelt(*path):
            return
        self.errors.append(self._finding(path, what, wanted, hint, key, "error"))

    def misspelt(self, *path: Any) -> bool:
        """A wrong key beside what is not written may be what was meant: `cuont: 3` is not also too few."""
        return path[:-1] in self._beside_broken and not self.written(*path)

    def warn(self, path: Path, what: str, wanted: str = "", hint: str = "", key: bool = False) -> None:
        self.warnings.append(self._finding(path, what, wanted, hint, key, "warning"))

    def _finding(self, path: Path, what: str, wanted: str, hint: str, key: bool, severity: str) -> Finding:
        node = self.root.key_at(path) if key else self.root.at(path)
        return Finding(path, node.line, node.column, what, wanted, hint, severity)

    def written(self, *path: Any) -> bool:
        """Whether the file says it, even if wrongly: what is told as wrong is not told again as missing."""
        node = self.root
        for part in path:
            following = node.child(part)
            if following is None:
                return False
            node = following
        return True

    def names(self, *path: Any) -> list[str]:
        """The names that a mapping of the file has, those of wrong entries too."""
        return list(self.root.at(path).entries) if self.written(*path) else []

    def known(self, path: Path, word: str, words: list[str], what: str) -> bool:
        """Whether a reference is to something that exists; an error if not."""
        if word in words:
            return True
        wanted = one_of(words) if words else f"{what} in the manifest; there is none"
        self.error(path, f"'{word}' is not {what} of this manifest", wanted, did_you_mean(word, words))
        return False

    def clusters(self) -> list[str]:
        """What can carry services: the cluster on the machines and the clouds' clusters."""
        found = ["kubernetes"] if self.written("kubernetes") else []
        kinds = {name: self.root.at(("clouds", name, "kind")).value for name in self.names("clouds")}
        return found + [name for name, kind in kinds.items() if kind in ("gke", "kapsule", "eks")]

    def targets(self) -> list[str]:
        """Where apps can run."""
        swarm = ["swarm"] if self.written("swarm") else []
        kubernetes = ["kubernetes"] if self.written("kubernetes") else []
        return kubernetes + swarm + self.names("clouds")
