# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A Terraform layer as data: its role's variables are its variables, meta/layer.yml says what joins it to others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

# Options of the stack itself that a role carries so that it works alone; no variables of Terraform.
OF_THE_STACK = ("binary", "state")
_OF_A_SPEC = ("type", "elements", "options", "required", "default", "choices", "no_log")


class LayerError(Exception):
    """A layer that cannot be described."""


def roles(folder: Path) -> list[str]:
    """The roles that are layers."""
    return sorted(path.parent.parent.name for path in folder.glob("*/meta/layer.yml"))


def layers(
    folder: Path,
    names: Sequence[str],
    load: Callable[[Path], Any],
    value_of: Callable[[str, Any], Any],
) -> list[dict[str, Any]]:
    """One description for each name. ``value_of(variable, default)`` is a role variable as the task sees it."""
    known = roles(folder)
    for name in names:
        if name not in known:
            raise LayerError(f"{name} is not a layer. There are: {', '.join(known)}.")
    return [_layer(folder / name, set(names), load, value_of) for name in names]


def _layer(
    role: Path, asked: set[str], load: Callable[[Path], Any], value_of: Callable[[str, Any], Any]
) -> dict[str, Any]:
    joins = load(role / "meta" / "layer.yml") or {}
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    variables = _variables(role.name, options, value_of)
    inputs = {}
    for variable, source in joins.get("inputs", {}).items():
        layer, _unused, output = source.partition(".")
        if layer in asked and not variables.get(variable):
            inputs[variable] = {"layer": layer, "output": output}
    for variable in inputs:
        variables.pop(variable, None)
    hidden = {name.removeprefix(f"{role.name}_") for name, option in options.items() if option.get("no_log")}
    return {
        "name": role.name,
        "source": str(role / "files" / role.name),
        "variables": {name: value for name, value in variables.items() if name not in hidden},
        "secrets": {name: value for name, value in variables.items() if name in hidden},
        "inputs": inputs,
        "needs": [layer for layer in joins.get("needs", ()) if layer in asked],
        "protected": list(joins.get("protected", ())),
    }


def _variables(role: str, options: Mapping[str, Any], value_of: Callable[[str, Any], Any]) -> dict[str, Any]:
    prefix = f"{role}_"
    own = {name: spec for name, spec in options.items() if name.removeprefix(prefix) not in OF_THE_STACK}
    given = {name: value_of(name, spec.get("default")) for name, spec in own.items()}
    result = ArgumentSpecValidator({name: _spec(spec) for name, spec in own.items()}).validate(
        {name: value for name, value in given.items() if value is not None}
    )
    if result.error_messages:
        raise LayerError(f"Variables of the role {role}: {'; '.join(result.error_messages)}.")
    return {
        name.removeprefix(prefix): _without_none(value)
        for name, value in result.validated_parameters.items()
        if value is not None
    }


def _spec(option: Mapping[str, Any]) -> dict[str, Any]:
    # What is an input may come from another layer, so nothing is required here: Terraform asks for what is missing.
    spec = {key: value for key, value in option.items() if key in _OF_A_SPEC and key not in ("default", "required")}
    if "options" in spec:
        spec["options"] = {name: {**_spec(inner), **_required(inner)} for name, inner in option["options"].items()}
    return spec


def _required(option: Mapping[str, Any]) -> dict[str, Any]:
    return {"required": True} if option.get("required") else {}


def _without_none(value: Any) -> Any:
    """Terraform takes null for a value; what nobody gave shall have Terraform's own default."""
    if isinstance(value, Mapping):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_none(inner) for inner in value]
    return value
