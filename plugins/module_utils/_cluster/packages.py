# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Which packages a machine lacks."""

from __future__ import annotations

from .state import State
from .versions import plain

# kubectl is for people: a site may leave it out.
OURS = ("kubeadm", "kubelet")


def lacking(state: State, version: str) -> list[str]:
    """Packages that are not there, or are of another version."""
    wrong = [name for name in OURS if plain(state.packages.get(name, "")) != plain(version)]
    return wrong if state.packages.get("containerd") else [*wrong, "containerd"]


def absent(state: State) -> list[str]:
    """Packages that are not there in any version."""
    return [name for name in (*OURS, "containerd") if not state.packages.get(name)]


__all__ = ["absent", "lacking"]
