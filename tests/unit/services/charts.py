# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded data of the real charts: their values and schemas, and the schemas of Kubernetes' kinds."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.jsonschema import DRAFT202012

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("SOCLE_CHARTS") or ROOT.parent / "shared" / "charts")
# A folder of newer data beside the older one of the same chart.
FOLDERS = {"sonarqube": "sonarqube-2026.5"}

# Read by the charts' templates, whether their values name them or not; and files of other programs.
PASSED_ON = {"fullnameOverride", "grafana.ini", "limits_config", "compactor"}
CONTEXTS = {"securityContext", "podSecurityContext", "containerSecurityContext", "resources"}
CONTEXT_FIELDS = {
    "requests",
    "limits",
    "allowPrivilegeEscalation",
    "appArmorProfile",
    "capabilities",
    "fsGroup",
    "fsGroupChangePolicy",
    "privileged",
    "procMount",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
    "supplementalGroups",
}


@functools.cache
def text(chart: str, name: str) -> str:
    path = FOLDER / FOLDERS.get(chart, chart) / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


@functools.cache
def version(chart: str) -> str:
    return str(yaml.safe_load(text(chart, "Chart.yaml"))["version"])


@functools.cache
def _defaults(chart: str) -> tuple[dict[str, Any], str]:
    """Values as published, those of sub-charts under their keys, and everything that comments mention."""
    values = yaml.load(text(chart, "values.yaml"), Loader=yaml.CSafeLoader) or {}
    comments = text(chart, "values.yaml")
    for folder in sorted((FOLDER / FOLDERS.get(chart, chart) / "subcharts").glob("*")):
        found = (folder / "values.yaml").read_text(encoding="utf-8")
        comments += found
        values[folder.name] = _joined(yaml.load(found, Loader=yaml.CSafeLoader) or {}, values.get(folder.name) or {})
    return values, comments


def _joined(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: _joined(below.get(key), value) for key, value in above.items()}}


@functools.cache
def schema(chart: str) -> dict[str, Any]:
    found = text(chart, "values.schema.json")
    return json.loads(found) if found else {}


def unknown_keys(chart: str, values: dict[str, Any]) -> list[str]:
    """Keys that the chart does not know: neither its values have them, nor its schema, nor a comment beside them."""
    defaults, comments = _defaults(chart)
    mentioned = set(re.findall(r"^\s*#+[\s-]*\"?([A-Za-z0-9_.-]+)\"?:", comments, re.MULTILINE))
    return list(_unknown(values, defaults, [schema(chart)], schema(chart), mentioned, ""))


def _unknown(
    values: Any, defaults: Any, schemas: list[Any], root: dict[str, Any], mentioned: set[str], path: str
) -> Iterator[str]:
    if not isinstance(values, dict):
        return
    # Kubernetes' own fields, which the API server checks.
    if path.rpartition(".")[2] in CONTEXTS:
        yield from (f"{path}.{key}".lstrip(".") for key in values if key not in CONTEXT_FIELDS and key not in defaults)
        return
    # An empty mapping, nothing or a list as default: whatever is put there is handed on.
    if not isinstance(defaults, dict) or (path and not defaults):
        return
    for key, value in values.items():
        if key in PASSED_ON:
            continue
        below = [found for each in schemas for found in _property(each, key, root)]
        if key in defaults:
            yield from _unknown(value, defaults[key], below, root, mentioned, f"{path}.{key}")
        elif not below and key not in mentioned:
            yield f"{path}.{key}".lstrip(".")


def _property(each: Any, key: str, root: dict[str, Any]) -> Iterator[Any]:
    if not isinstance(each, dict):
        return
    reference = each.get("$ref", "")
    if reference.startswith("#/"):
        found: Any = root
        for part in reference[2:].split("/"):
            found = found.get(part, {}) if isinstance(found, dict) else {}
        yield from _property(found, key, root)
    if key in each.get("properties", {}):
        yield each["properties"][key]
    for kind in ("allOf", "anyOf", "oneOf"):
        for inner in each.get(kind, []):
            yield from _property(inner, key, root)


def schema_breaches(chart: str, values: dict[str, Any]) -> list[str]:
    """Where the whole of the chart's own values and ours does not fit its schema."""
    found = schema(chart)
    if not found:
        return []
    whole = _joined(_defaults(chart)[0], values)
    cleaned = _local(found)
    validator = validator_for(cleaned, Draft202012Validator)(cleaned)
    return [f"{'.'.join(map(str, error.path))}: {error.message[:200]}" for error in validator.iter_errors(whole)]


def _local(value: Any) -> Any:
    """Without references to files on the Internet."""
    if isinstance(value, dict):
        return {k: _local(v) for k, v in value.items() if not (k == "$ref" and str(v).startswith("http"))}
    return [_local(item) for item in value] if isinstance(value, list) else value


@functools.cache
def _kind(api_version: str, kind: str) -> dict[str, Any] | None:
    group, _slash, version = api_version.rpartition("/")
    suffix = f"-{group.split('.', maxsplit=1)[0]}" if group else ""
    for path in (
        FOLDER / "_kubernetes-1.36" / f"{kind.lower()}{suffix}-{version}.json",
        FOLDER / "_schemas" / group / f"{kind.lower()}_{version}.json",
    ):
        if path.exists():
            return dict(json.loads(path.read_text(encoding="utf-8")))
    return None


def object_breaches(item: dict[str, Any]) -> list[str]:
    """Where an object is not what its kind's strict schema wants."""
    found = _kind(item["apiVersion"], item["kind"])
    if found is None:
        return [f"no schema of {item['apiVersion']} {item['kind']}"]
    registry: Registry[Any] = Registry().with_resource("", DRAFT202012.create_resource(found))
    validator = Draft202012Validator(found, registry=registry)
    where = f"{item['kind']} {item['metadata']['name']}"
    return [f"{where}: {'.'.join(map(str, e.path))}: {e.message[:200]}" for e in validator.iter_errors(item)]


def invented(chart: str) -> Iterator[tuple[str, str, list[str]]]:
    """Set of values, object and fields that two renders of the same input disagree on."""
    for render in json.loads(text(chart, "render.json"))["renders"]:
        for row in render.get("differs_at_each_render") or []:
            yield render["id"], f"{row['kind']} {row['name']}", row["fields"]
