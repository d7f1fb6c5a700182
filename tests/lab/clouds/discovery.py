# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and answers held to the discovery document that Google publishes and its Python client ships."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


class RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, code: int, status: str, message: str) -> None:
        self.code, self.status, self.message = code, status, message
        super().__init__(message)

    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message, "status": self.status}}


KINDS: dict[str, Any] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "array": list,
    "object": dict,
    "number": (int, float),
}


@dataclass(frozen=True)
class Method:
    id: str
    verb: str
    pattern: re.Pattern[str]
    query: frozenset[str]
    request: str
    response: str


class Discovery:
    """One API's document."""

    def __init__(self, name: str) -> None:
        spec = importlib.util.find_spec("googleapiclient")
        assert spec and spec.origin
        path = Path(spec.origin).parent / "discovery_cache" / "documents" / f"{name}.json"
        self.document = json.loads(path.read_text())
        self.schemas: dict[str, Any] = self.document["schemas"]
        self.methods = list(self._methods(self.document["resources"]))
        self.common = frozenset(self.document["parameters"])

    def _methods(self, resources: Mapping[str, Any]) -> Iterator[Method]:
        for resource in resources.values():
            for method in resource.get("methods", {}).values():
                path = re.sub(r"\{\w+\}", "([^/:]+)", method["flatPath"])
                query = frozenset(n for n, p in method["parameters"].items() if p["location"] == "query")
                request, response = (method.get(part, {}).get("$ref", "") for part in ("request", "response"))
                yield Method(method["id"], method["httpMethod"], re.compile(path), query, request, response)
            yield from self._methods(resource.get("resources", {}))

    def find(self, verb: str, path: str, query: Mapping[str, str]) -> tuple[Method, tuple[str, ...]]:
        for method in self.methods:
            found = method.pattern.fullmatch(path)
            if found and method.verb == verb:
                extra = sorted(set(query) - method.query - self.common)
                if extra:
                    raise RefusedError(
                        400, "INVALID_ARGUMENT", f'Invalid JSON payload received. Unknown name "{extra[0]}"'
                    )
                return method, found.groups()
        raise RefusedError(404, "NOT_FOUND", f"Method not found: {verb} /{path}")

    def hold(self, value: Any, schema: str, where: str = "") -> None:
        """Refuse what the document does not know."""
        for said in self.wrong(value, {"$ref": schema}, where or schema):
            raise RefusedError(400, "INVALID_ARGUMENT", f"Invalid JSON payload received. {said}")

    def wrong(self, value: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        kind = schema.get("type", "any")
        expected = {
            "string": str,
            "boolean": bool,
            "integer": int,
            "array": list,
            "object": dict,
            "number": (int, float),
        }
        if kind in expected and (not isinstance(value, expected[kind]) or (kind == "integer" and value is True)):
            yield f"Invalid value at '{where}' ({kind}), {value!r}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"Invalid value at '{where}', {value!r}"
        if kind == "array":
            for number, item in enumerate(value):
                yield from self.wrong(item, schema["items"], f"{where}[{number}]")
        if kind == "object":
            properties, more = schema.get("properties", {}), schema.get("additionalProperties")
            for name, item in value.items():
                inner = properties.get(name, more)
                if inner is None:
                    yield f"Unknown name \"{name}\" at '{where}': Cannot find field."
                else:
                    yield from self.wrong(item, inner, f"{where}.{name}")


@cache
def discovery(name: str) -> Discovery:
    return Discovery(name)
