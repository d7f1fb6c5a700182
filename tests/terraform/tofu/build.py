# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenTofu from its Go module, built once into the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent


class CannotBuild(Exception):
    """Why there is no tofu here."""


def cached() -> Path:
    """Where the binary of the pinned version lies, or will lie."""
    pinned = hashlib.sha256((HERE / "go.sum").read_bytes() + (HERE / "go.mod").read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "socle" / f"tofu-{pinned}"


def tofu() -> Path:
    """The binary: from the path, from the cache, or built now (minutes, with the lowest priority)."""
    if found := shutil.which("tofu"):
        return Path(found)
    target = cached()
    if target.is_file():
        return target
    go = shutil.which("go")
    if go is None:
        raise CannotBuild("OpenTofu is neither installed nor can it be built: there is no go")
    target.parent.mkdir(parents=True, exist_ok=True)
    made = target.with_name(f"{target.name}.{os.getpid()}")
    package = "github.com/opentofu/opentofu/cmd/tofu"
    argv = ["nice", "-n", "19", go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(made), package]
    done = subprocess.run(
        argv, cwd=HERE, env={**os.environ, "CGO_ENABLED": "0"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CannotBuild(f"OpenTofu does not build: {done.stderr[-2000:]}")
    made.replace(target)
    return target
