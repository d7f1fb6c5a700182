# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A layer's own folder: a copy of its source, its variables and its backend, readable by its owner alone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._objects import AdapterError
from .._values import Secret, digest, secrets_in
from .layers import Import, Layer

VARIABLES = "socle.auto.tfvars.json"
BACKEND = "socle_backend.tf.json"
IMPORTS = "socle_imports.tf"
INPUTS = "inputs.json"
OURS = frozenset({VARIABLES, BACKEND, IMPORTS, ".terraform.lock.hcl"})
PASSED_OVER = frozenset({".terraform", ".git", "tests", "__pycache__", "terraform.tfvars", "terraform.tfvars.json"})
STAMP = "socle-ready.json"
_OUTPUT = re.compile(r'^[ \t]*output[ \t]+"?([\w-]+)"?[ \t]*\{', re.MULTILINE)


@dataclass(frozen=True)
class Workspace:
    """Where one layer is planned and applied."""

    root: Path
    layer: Layer

    @property
    def folder(self) -> Path:
        return self.root / "source"

    @property
    def plan(self) -> Path:
        return self.root / "plan.tfplan"

    def data(self, binary: str) -> Path:
        """The binary's own folder: those of Terraform and OpenTofu do not mix."""
        return self.root / f"data-{Path(binary).name}"

    def prepare(self, variables: Mapping[str, Any], backend: Mapping[str, Any], imports: tuple[Import, ...]) -> None:
        """Bring the copy up to date."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync(self.layer.source, self.folder)
        write(self.folder / BACKEND, json.dumps({"terraform": {"backend": backend}}, indent=1))
        write(self.folder / VARIABLES, json.dumps(clear(variables), indent=1))
        if imports:
            write(self.folder / IMPORTS, "".join(_import(one) for one in imports))
        else:
            (self.folder / IMPORTS).unlink(missing_ok=True)

    def ready(self, binary: str, backend: Mapping[str, Any]) -> bool:
        """Whether init has run here, with this backend."""
        try:
            told = json.loads((self.data(binary) / STAMP).read_text())
        except (OSError, ValueError):
            return False
        return bool(told == _stamp(binary, backend))

    def mark_ready(self, binary: str, backend: Mapping[str, Any]) -> None:
        write(self.data(binary) / STAMP, json.dumps(_stamp(binary, backend)))

    def remember_inputs(self, values: Mapping[str, Any]) -> None:
        """Keep what other layers told, unless there is a secret in it."""
        if any(True for _unused in secrets_in(values)):
            (self.root / INPUTS).unlink(missing_ok=True)
        else:
            write(self.root / INPUTS, json.dumps(values))

    def inputs_last_time(self) -> dict[str, Any] | None:
        """What was kept; None when there is nothing to go by."""
        try:
            told = json.loads((self.root / INPUTS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return told if isinstance(told, dict) else None

    def forget_values(self) -> None:
        """Remove what holds values in the clear."""
        for file in (self.plan, self.folder / VARIABLES):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.root / "preview", ignore_errors=True)


def outputs_in(folder: Path) -> list[str]:
    """The outputs that a layer declares: one that is null is named nowhere else."""
    names = [name for file in sorted(folder.glob("*.tf")) for name in _OUTPUT.findall(file.read_text(encoding="utf-8"))]
    for file in sorted(folder.glob("*.tf.json")):
        told = json.loads(file.read_text(encoding="utf-8"))
        names += told.get("output", {}) if isinstance(told, dict) else []
    return names


def _stamp(binary: str, backend: Mapping[str, Any]) -> dict[str, str]:
    return {"binary": binary, "backend": digest(backend)}


def _import(one: Import) -> str:
    # An address is HCL, not text, so this one file is not JSON.
    return f"import {{\n  to = {one.to}\n  id = {json.dumps(one.id)}\n}}\n"


def clear(value: Any) -> Any:
    """Plain data for a file that only its owner can read."""
    if isinstance(value, Secret):
        return clear(value.reveal())
    if isinstance(value, Mapping):
        return {str(key): clear(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clear(item) for item in value]
    return value


def write(path: Path, text: str) -> None:
    """Write a file with mode 0600, whole or not at all; untouched when it says so already."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if path.read_text(encoding="utf-8") == text:
            return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    temporary.replace(path)


def sync(source: Path, target: Path) -> None:
    """Make the copy the same as the source, but for what is ours."""
    wanted = {file.relative_to(source): file for file in _files(source)}
    for relative, file in wanted.items():
        copy = target / relative
        if not copy.is_file() or copy.read_bytes() != file.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copyfile(file, copy)
    for copy in list(_files(target)):
        relative = copy.relative_to(target)
        if relative not in wanted and str(relative) not in OURS:
            copy.unlink()


def _files(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name in PASSED_OVER or ".tfstate" in entry.name or entry.suffix == ".tfplan":
            continue
        if entry.is_dir():
            yield from _files(entry)
        elif entry.is_file():
            yield entry


@contextlib.contextmanager
def held(folder: Path, patience: float) -> Iterator[None]:
    """One run at a time in a stack's folder. The lock ends with its process, however that ends."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    until = time.monotonic() + patience
    with (folder / ".lock").open("a+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= until:
                    file.seek(0)
                    who = file.read(100).strip()
                    raise AdapterError(
                        f"another run of this stack works in {folder}" + (f" (process {who})" if who else ""),
                        "wait for it to end, or raise `lock_timeout`",
                    ) from None
                time.sleep(0.1)
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
