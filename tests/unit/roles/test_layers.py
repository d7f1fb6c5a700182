# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles that are Terraform layers: their variables and Terraform's are the same, and what joins them is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.socle.platform.plugins.plugin_utils._layers import OF_THE_STACK, LayerError, layers, roles

ROLES = Path(__file__).parents[3] / "roles"
LAYERS = roles(ROLES)
BLOCK = re.compile(r'(?ms)^(variable|output) "(\w+)" \{\n(.*?)^\}')
TYPES = {"string": "str", "number": ("int", "float"), "bool": "bool", "list": "list", "set": "list", "tuple": "list"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def blocks(layer: str, kind: str) -> dict[str, str]:
    """Name to body of the variables or outputs of a layer."""
    files = sorted((ROLES / layer / "files" / layer).glob("*.tf"))
    found = (match for file in files for match in BLOCK.finditer(file.read_text()))
    return {match[2]: match[3] for match in found if match[1] == kind}


def default(body: str) -> tuple[bool, Any]:
    """Whether a variable has a default, and which; written as JSON would be, but for the names of keys."""
    found = re.search(r"(?ms)^  default\s+= (.*?)(?=^  \w|\Z)", body)
    if found is None:
        return False, None
    text = re.sub(r'(?m)"?(\w+)"?\s+= ', r'"\1": ', found[1])
    text = re.sub(r"(?m)^(\s*\".*[^,{\[(])$", r"\1,", text)
    return True, json.loads(re.sub(r",(\s*[}\]])", r"\1", text).strip().rstrip(","))


def options(layer: str) -> dict[str, dict[str, Any]]:
    specs = load(ROLES / layer / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    return {name.removeprefix(f"{layer}_"): option for name, option in specs.items()}


def differences(layer: str) -> Iterator[str]:
    variables, specs = blocks(layer, "variable"), options(layer)
    joined = (load(ROLES / layer / "meta" / "layer.yml") or {}).get("inputs", {})
    for name in sorted(variables.keys() ^ (specs.keys() - set(OF_THE_STACK))):
        yield f"{name} is on one side only"
    for name in sorted(variables.keys() & specs.keys()):
        body, option = variables[name], specs[name]
        has, value = default(body)
        if not has and not option.get("required") and name not in joined:
            yield f"{name} is required by Terraform and not by the role"
        if has and option.get("required"):
            yield f"{name} is required by the role and not by Terraform"
        if has and value != option.get("default"):
            yield f"{name} is {value!r} to Terraform and {option.get('default')!r} to the role"
        if bool(re.search(r"(?m)^  sensitive\s+= true$", body)) != bool(option.get("no_log")):
            yield f"{name} is a secret on one side only"
        kind = re.search(r"(?m)^  type\s+= (\w+)", body)
        wanted = TYPES.get(kind[1] if kind else "", "dict")
        if option.get("type", "str") not in (wanted if isinstance(wanted, tuple) else (wanted,)):
            yield f"{name} is a {kind and kind[1]} to Terraform and a {option.get('type')} to the role"


@pytest.mark.parametrize("layer", LAYERS)
def test_the_role_and_terraform_say_the_same(layer: str) -> None:
    """Would catch a variable that a role documents and Terraform does not take, or takes with another default."""
    assert list(differences(layer)) == []


@pytest.mark.parametrize("layer", LAYERS)
def test_what_joins_layers_is_there(layer: str) -> None:
    """Would catch an input from an output that nobody has, or into a variable that is not there."""
    joins = load(ROLES / layer / "meta" / "layer.yml") or {}
    assert joins.keys() <= {"inputs", "needs", "protected"}
    variables = blocks(layer, "variable")
    for variable, source in joins.get("inputs", {}).items():
        other, _dot, output = source.partition(".")
        assert variable in variables
        assert output in blocks(other, "output"), source
    assert set(joins.get("needs", [])) <= set(LAYERS)


@pytest.mark.parametrize("layer", LAYERS)
def test_everything_is_explained(layer: str) -> None:
    """Would catch a variable or an output that nobody can know the meaning of."""
    for kind in ("variable", "output"):
        for name, body in blocks(layer, kind).items():
            assert re.search(r'(?m)^  description\s+= (".{5,}"|<<-?EOT)', body), f"{kind} {name}"


def described(given: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    return layers(ROLES, names, load, given.get)


SHOP = {"aws_network_cidr": "10.0.0.0/16", "ecs_name": "shop", "ecs_bake_minutes": "5", "ecs_account": None}


def test_layers_are_joined_where_both_are_asked_for() -> None:
    """Would catch a cluster that looks for a network which is made beside it."""
    network, ecs = described(SHOP, "aws_network", "ecs")
    assert (network["name"], network["inputs"], network["needs"]) == ("aws_network", {}, [])
    assert ecs["inputs"]["vpc_id"] == {"layer": "aws_network", "output": "vpc_id"}
    assert ecs["needs"] == ["aws_network"]
    assert Path(ecs["source"]).is_dir()


def test_what_is_given_is_no_input() -> None:
    """Would catch a VPC of somebody's own that is passed over for one that is made here."""
    _network, ecs = described({**SHOP, "ecs_vpc_id": "vpc-mine"}, "aws_network", "ecs")
    assert ecs["variables"]["vpc_id"] == "vpc-mine"
    assert "vpc_id" not in ecs["inputs"]


def test_a_layer_alone_has_no_inputs() -> None:
    """Would catch a role that cannot be used without the others."""
    (ecs,) = described(SHOP, "ecs")
    assert (ecs["inputs"], ecs["needs"]) == ({}, [])


def test_values_have_the_types_that_are_documented() -> None:
    """Would catch numbers that arrive as text, as templates make them, and what nobody gave sent as null."""
    (ecs,) = described(SHOP, "ecs")
    assert ecs["variables"]["bake_minutes"] == 5
    assert ecs["variables"]["test_port"] == 8443
    assert not {"account", "state", "binary"} & ecs["variables"].keys()


def test_secrets_are_kept_apart() -> None:
    """Would catch a password among the variables, which are shown."""
    (ecs,) = described({**SHOP, "ecs_secret_values": {"web/TOKEN": "hush"}}, "ecs")
    assert ecs["secrets"] == {"secret_values": {"web/TOKEN": "hush"}}
    assert "secret_values" not in ecs["variables"]


@pytest.mark.parametrize(
    ("given", "name", "sentence"),
    [
        ({"ecs_bake_minutes": "long"}, "ecs", "ecs_bake_minutes"),
        ({"ecs_strategy": "BLUE"}, "ecs", "BLUE_GREEN, CANARY, LINEAR, ROLLING"),
        ({}, "ecz", "ecz is not a layer. There are: .*ecs"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], name: str, sentence: str) -> None:
    """Would catch a mistyped layer or value that is found by Terraform, or by nobody."""
    with pytest.raises(LayerError, match=sentence):
        described({**SHOP, **given}, name)
