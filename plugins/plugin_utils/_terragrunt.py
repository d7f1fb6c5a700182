# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The layers of a cloud as the folders that Terragrunt users know: a unit for each layer, joined by dependencies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..module_utils._terraform.backends import State

_HEADER = "# Written from the manifest: change that, and write this again.\n"
_INCLUDE = "path_relative_to_include()"
_SECRET_OPTIONS = ("access_key", "secret_key", "username", "password")
# What a dependency stands in for until it has been applied once, by type of the variable.
_MOCKS: dict[str, Any] = {"str": "mock", "int": 1, "bool": False, "list": ["mock-a", "mock-b"]}


def layout(
    stack: str, layers: Sequence[Mapping[str, Any]], state: Mapping[str, Any], load: Callable[[Path], Any]
) -> dict[str, str]:
    """Text by path. Modules are expected in ../modules, one folder for each layer."""
    files = {f"{stack}/root.hcl": _root(stack, state)}
    for layer in layers:
        files[f"{stack}/{layer['name']}/terragrunt.hcl"] = _unit(layer, load)
    return files


def text(value: str) -> str:
    """A string of HCL in which nothing is a template."""
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def hcl(value: Any, indent: int = 0) -> str:
    """A value as HCL writes it."""
    inside, outside = "  " * (indent + 1), "  " * indent
    if isinstance(value, Mapping):
        lines = [f"{inside}{text(str(key))} = {hcl(inner, indent + 1)}\n" for key, inner in value.items()]
        return "{\n" + "".join(lines) + outside + "}" if lines else "{}"
    if isinstance(value, (list, tuple)):
        lines = [f"{inside}{hcl(inner, indent + 1)},\n" for inner in value]
        return "[\n" + "".join(lines) + outside + "]" if lines else "[]"
    if isinstance(value, str):
        return text(str(value))
    return json.dumps(value)


def _root(stack: str, state: Mapping[str, Any]) -> str:
    options = {name: value for name, value in state.items() if name not in _SECRET_OPTIONS and value is not None}
    if "path" in options:
        options["path"] = str(Path(str(options["path"])).expanduser())
    backend = State(str(options.get("backend", "local")), stack, Path("~/.local/state/socle/terraform"), options)
    # The same place that terraform_stack keeps states in: either may run the next time.
    body = hcl({"terraform": {"backend": backend.block("LAYER")}}, 1).replace("LAYER", f"${{{_INCLUDE}}}")
    return (
        f'{_HEADER}generate "backend" {{\n  path      = "backend.tf.json"\n  if_exists = "overwrite"\n\n'
        f"  contents = jsonencode({body})\n}}\n"
    )


def _unit(layer: Mapping[str, Any], load: Callable[[Path], Any]) -> str:
    name = layer["name"]
    inputs: dict[str, Mapping[str, str]] = dict(layer.get("inputs") or {})
    parts = [
        _HEADER,
        'include "root" {\n  path = find_in_parent_folders("root.hcl")\n}\n',
        f'terraform {{\n  source = "../../modules/{name}"\n}}\n',
    ]
    mocks = _mocks(Path(layer["source"]).parents[1], name, inputs, load)
    for other in sorted({source["layer"] for source in inputs.values()}):
        body = hcl(mocks[other], 1)
        parts.append(
            f'dependency "{other}" {{\n  config_path = "../{other}"\n\n'
            "  # Until it is applied: a plan of all units reaches the last one.\n"
            f"  mock_outputs                            = {body}\n"
            '  mock_outputs_allowed_terraform_commands = ["init", "validate", "plan"]\n}\n'
        )
    others = sorted(set(layer.get("needs") or ()) - {source["layer"] for source in inputs.values()})
    if others:
        parts.append(f"dependencies {{\n  paths = {hcl([f'../{other}' for other in others], 1)}\n}}\n")
    parts += [
        f"# {secret} is secret: give it as TF_VAR_{secret} in the environment.\n"
        for secret in sorted(layer.get("secrets") or {})
    ]
    lines = [f"  {key} = {hcl(value, 1)}\n" for key, value in sorted(layer["variables"].items())]
    lines += [
        f"  {key} = dependency.{source['layer']}.outputs.{source['output']}\n" for key, source in sorted(inputs.items())
    ]
    parts.append("inputs = {\n" + "".join(lines) + "}\n")
    return "\n".join(parts)


def _mocks(
    role: Path, name: str, inputs: Mapping[str, Mapping[str, str]], load: Callable[[Path], Any]
) -> dict[str, dict[str, Any]]:
    """For each layer that something comes from, a value of the right type for each output."""
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    found: dict[str, dict[str, Any]] = {}
    for variable, source in inputs.items():
        option = options[f"{name}_{variable}"]
        mock = _MOCKS.get(option.get("type", "str"), {})
        if re.search(r"(?:^|_)cidr$", variable):
            mock = "10.255.0.0/16"
        if option.get("type") == "dict" and "default" not in option:
            mock = None
        found.setdefault(source["layer"], {})[source["output"]] = mock
    return found
