# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Plans a layer some of whose inputs are not known yet: as a module, where an input can really be unknown."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .workspace import BACKEND, IMPORTS, VARIABLES, clear, sync, write

# Unknown of no particular type: it becomes whatever the variable asks for, and stays unknown.
UNKNOWN = "${jsondecode(timestamp())}"


def prepare(
    source: Path,
    folder: Path,
    variables: Mapping[str, Any],
    unknown: Iterable[str],
    backend: Mapping[str, Any],
    there: Iterable[str],
) -> None:
    """Write a root module around the layer. What is there already is found under its new address."""
    shutil.rmtree(folder, ignore_errors=True)
    inside = folder / "layer"
    inside.mkdir(parents=True, mode=0o700)
    sync(source, inside)
    for ours in (BACKEND, IMPORTS, VARIABLES):
        (inside / ours).unlink(missing_ok=True)
    call: dict[str, Any] = {"source": "./layer"}
    call.update({name: f"${{var.given[{json.dumps(name)}]}}" for name in variables})
    call.update(dict.fromkeys(unknown, UNKNOWN))
    root: dict[str, Any] = {
        "terraform": {"backend": backend},
        "variable": {"given": {"type": "any", "default": {}}},
        "module": {"layer": call},
        # Sensitive outputs are among them; the caller knows which.
        "output": {"outputs": {"value": "${module.layer}", "sensitive": True}},
    }
    moved = [{"from": top, "to": f"module.layer.{top}"} for top in sorted(set(map(_top, there)))]
    if moved:
        root["moved"] = moved
    write(folder / "main.tf.json", json.dumps(root, indent=1))
    write(folder / VARIABLES, json.dumps({"given": clear(variables)}, indent=1))


def _top(address: str) -> str:
    """The resource or module as a whole: a move carries its instances along."""
    parts = address.split(".")
    return ".".join(part.partition("[")[0] for part in parts[:2])
