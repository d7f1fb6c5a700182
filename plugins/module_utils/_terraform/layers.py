# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What a layer is: a folder of HCL, its variables, and what it takes from other layers."""

from __future__ import annotations

import graphlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._objects import DesiredError
from .._values import Secret

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


@dataclass(frozen=True)
class Input:
    """An output of another layer."""

    layer: str
    output: str


@dataclass(frozen=True)
class Import:
    """An object that exists already and is to be taken over."""

    to: str
    id: str


@dataclass(frozen=True)
class Layer:
    """One root module with one state."""

    name: str
    source: Path
    variables: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Input] = field(default_factory=dict)
    after: frozenset[str] = frozenset()
    protected: frozenset[str] = frozenset()
    present: bool = True
    imports: tuple[Import, ...] = ()

    @property
    def needs(self) -> frozenset[str]:
        return self.after | {item.layer for item in self.inputs.values()}


def layers_of(parameters: Mapping[str, Any]) -> list[Layer]:
    """The task's layers, needs before those who need them; every contradiction in them at once."""
    wanted = parameters["layers"]
    imports = parameters.get("imports", [])
    made = [_layer(item, parameters.get("present", True), imports) for item in wanted]
    problems = [*_problems(made), *_doubled(wanted)]
    names = {layer.name for layer in made}
    problems += [
        f"imports: there is no layer {item['layer']} in this task; there are {', '.join(sorted(names))}"
        for item in imports
        if item["layer"] not in names
    ]
    if problems:
        raise DesiredError(problems)
    return _ordered(made)


def _layer(item: Mapping[str, Any], present: bool, imports: Sequence[Mapping[str, Any]]) -> Layer:
    secrets = item.get("secrets", Secret({})).reveal()
    hidden = {name: Secret(value) for name, value in secrets.items() if value is not None}
    return Layer(
        name=item["name"],
        source=Path(item["source"]),
        variables={**{n: v for n, v in item.get("variables", {}).items() if v is not None}, **hidden},
        inputs={n: Input(told["layer"], told["output"]) for n, told in item.get("inputs", {}).items()},
        after=frozenset(item.get("needs", ())),
        protected=frozenset(item.get("protected", ())),
        present=present and item.get("present", True),
        imports=tuple(Import(one["to"], one["id"]) for one in imports if one["layer"] == item["name"]),
    )


def _doubled(wanted: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    for item in wanted:
        for name in sorted(set(item.get("variables", {})) & set(item.get("inputs", {}))):
            yield f"layer {item['name']}: variable {name} is given, and taken from another layer too; keep one"


def _problems(made: Sequence[Layer]) -> Iterable[str]:
    seen: set[str] = set()
    names = {layer.name for layer in made}
    for layer in made:
        if not NAME.match(layer.name):
            yield f"layer {layer.name!r}: a name has letters, digits, '.', '-' and '_' only, and no '/'"
        if layer.name in seen:
            yield f"layer {layer.name}: named twice; remove one"
        seen.add(layer.name)
        if not any(layer.source.glob("*.tf")) and not any(layer.source.glob("*.tf.json")):
            what = "holds no *.tf file" if layer.source.is_dir() else "is not a folder"
            yield f"layer {layer.name}: its source {layer.source} {what}; give the folder of its root module"
        for need in sorted(layer.needs - names):
            yield f"layer {layer.name}: needs layer {need}, which is not in this task; add it, or give the value"


def _ordered(made: Sequence[Layer]) -> list[Layer]:
    by_name = {layer.name: layer for layer in made}
    sorter = graphlib.TopologicalSorter({layer.name: sorted(layer.needs) for layer in made})
    try:
        return [by_name[name] for name in sorter.static_order()]
    except graphlib.CycleError as error:
        circle = " needs ".join(error.args[1][::-1])
        raise DesiredError([f"layers need each other in a circle: {circle}; remove one of these needs"]) from None


def state_home() -> Path:
    """Where copies and local states lie when nothing else is said."""
    told = os.environ.get("XDG_STATE_HOME")
    return (Path(told) if told else Path.home() / ".local" / "state") / "socle" / "terraform"
