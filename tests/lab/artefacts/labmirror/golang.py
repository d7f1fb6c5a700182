# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Go: how it is called, so that what it builds is pinned, verified and the same everywhere; and how pins are made."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .trouble import Trouble

# What would let Go take a module without looking it up in the checksum database.
WEAKENING = ("GONOSUMDB", "GONOSUMCHECK", "GOPRIVATE", "GOINSECURE", "GONOPROXY", "GOFLAGS", "GOWORK", "GOEXPERIMENT")
TAKEN_OVER = ("GOPROXY", "GOTOOLCHAIN", "GOSUMDB")


@dataclass(frozen=True)
class Go:
    """A Go toolchain and where it keeps its things."""

    program: str
    version: str
    env: Mapping[str, str]
    platform: str
    jobs: int = 2

    def run(self, *argv: str, cwd: Path) -> str:
        """Run `go ARGV`; what it printed."""
        return _run([self.program, *argv], cwd, self.env)

    def build(self, folder: Path, package: str, ldflags: str, output: Path) -> None:
        """One static program of one package, from a folder with a go.mod and go.sum that name everything exactly."""
        # A compiler does not outlive the run that asked for it: whoever is killed is not in the next run's way.
        argv = [
            "setpriv",
            "--pdeathsig",
            "TERM",
            "nice",
            "-n",
            "19",
            self.program,
            "build",
            f"-p={self.jobs}",
            "-mod=readonly",
            "-buildvcs=false",
        ]
        argv += ["-trimpath", "-ldflags", f"-s -w {ldflags}".strip(), "-o", str(output), package]
        _run(argv, folder, self.env)

    def module(self, folder: Path, name: str, version: str) -> Mapping[str, str]:
        """Where a module's files are (`Dir`, `GoMod`); downloads it if need be, verified."""
        told: dict[str, str] = json.loads(self.run("mod", "download", "-json", f"{name}@{version}", cwd=folder))
        return told


def toolchain(cache: Path, jobs: int = 2) -> Go:
    """The installed Go, with its caches under `cache` and its verification on."""
    try:
        told = _run(["go", "env", "-json", "GOPROXY", "GOTOOLCHAIN", "GOSUMDB", "GOVERSION", "GOOS", "GOARCH"])
    except FileNotFoundError:
        raise Trouble("go: not installed; the lab's programs are built with Go 1.26 or newer: install it") from None
    here = json.loads(told)
    if here["GOSUMDB"] == "off":
        raise Trouble(
            "go: GOSUMDB is off, so modules would not be verified; found GOSUMDB=off, wanted the checksum database: "
            "unset it (`go env -u GOSUMDB`)"
        )
    env = {name: value for name, value in os.environ.items() if name not in WEAKENING}
    env |= {name: here[name] for name in TAKEN_OVER}
    env |= {
        "GOENV": "off",
        "GOWORK": "off",
        "GOFLAGS": "-modcacherw",
        "CGO_ENABLED": "0",
        "GOCACHE": str(cache / "build"),
        "GOMODCACHE": str(cache / "modules"),
    }
    return Go("go", here["GOVERSION"], env, f"{here['GOOS']}-{here['GOARCH']}", jobs)


def _run(argv: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(list(argv), cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        shown = "\n  ".join(lines[-20:])
        raise Trouble(f"{' '.join(argv)[:200]} ... in {cwd} ended with {done.returncode}:\n  {shown}")
    return done.stdout


def pin(
    go: Go,
    folder: Path,
    modules: Mapping[str, str],
    packages: Sequence[str],
    prepare: Callable[[Path], None] = lambda _folder: None,
) -> None:
    """Write go.mod and go.sum that build `packages` of `modules`, or the program that `prepare` puts beside them."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        lines = [f"module socle.example/lab/{folder.name}", "", "go 1.25.0", ""]
        lines += [f"tool {package}" for package in packages if package != "."] + [""]
        lines += [f"require {module} {version}" for module, version in modules.items()]
        (work / "go.mod").write_text("\n".join(lines) + "\n")
        if "k8s.io/kubernetes" in modules:
            _pin_staging(go, work, modules["k8s.io/kubernetes"])
        prepare(work)
        go.run("mod", "tidy", cwd=work)
        folder.mkdir(parents=True, exist_ok=True)
        for kept in ("go.mod", "go.sum"):
            shutil.copyfile(work / kept, folder / kept)


def _pin_staging(go: Go, folder: Path, version: str) -> None:
    # Kubernetes replaces its libraries by folders of its own repository, which a module cannot have.
    theirs = Path(go.module(folder, "k8s.io/kubernetes", version)["GoMod"]).read_text()
    language = re.search(r"^go \S+$", theirs, re.M)
    debug = re.search(r"^godebug (\(.*?^\)|.*?$)", theirs, re.M | re.S)
    libraries = re.findall(r"^\t(k8s\.io/\S+) => \./staging/", theirs, re.M)
    if not language or not libraries:
        raise Trouble(
            f"k8s.io/kubernetes {version}: its go.mod is not of the form that is known; look at it and change golang.py"
        )
    text = (folder / "go.mod").read_text().replace("go 1.25.0", language.group(), 1)
    text += debug.group() + "\n" if debug else ""
    text += "".join(f"replace {name} => {name} v0.{version.removeprefix('v1.')}\n" for name in libraries)
    (folder / "go.mod").write_text(text)
