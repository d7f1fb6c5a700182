# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to an answer, in the real API's order: path, login, permission, forwarding, parameters, code."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

# The api_* modules register their endpoints when they are imported.
from . import (
    api_access,
    api_agent,
    api_cluster,
    api_firewall,
    api_guests,
    api_ha,
    api_migrate,
    api_network,
    api_nodes,
    api_pools,
    api_power,
    api_sdn,
    api_snapshots,
    api_storage,
    auth,
    privileges,
    spec,
    tasks,
    validate,
)
from .backend import Backend, Nothing
from .errors import ApiError, EmptyError, bad_params, fail, forbidden
from .faults import Faults, Hit
from .routes import ROUTES, Call, Reply
from .world import Fleet, Site

API = (
    api_access,
    api_agent,
    api_cluster,
    api_firewall,
    api_guests,
    api_ha,
    api_migrate,
    api_network,
    api_nodes,
    api_pools,
    api_power,
    api_sdn,
    api_snapshots,
    api_storage,
)
GREEDY = {"volume": ".+", "cidr": ".+"}
CLASH = "duplicate parameter (already defined in URI) with conflicting values!"
# What may be changed without a quorum: a login is no change.
NO_QUORUM_OK = {"/access/ticket"}


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    node: str


@dataclass
class Response:
    status: int
    reason: str
    body: bytes
    content_type: str = "application/json;charset=UTF-8"
    delay: float = 0.0
    cut: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Matcher:
    """Finds the endpoint of a path: a regular expression for each, the literal ones first."""

    def __init__(self) -> None:
        table: dict[str, set[str]] = {}
        for method, path in spec.load():
            table.setdefault(path, set()).add(method)
        self._paths = []
        self._literal = {path: methods for path, methods in table.items() if "{" not in path}
        for path in sorted(table, key=lambda p: (p.count("{"), -len(p))):
            if "{" in path:
                pattern = re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{GREEDY.get(m[1], '[^/]+')})", path)
                self._paths.append((re.compile(pattern), path, table[path]))

    def find(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        if path in self._literal:
            return (path, {}) if method in self._literal[path] else None
        for pattern, template, methods in self._paths:
            match = pattern.fullmatch(path)
            if match and method in methods:
                return template, match.groupdict()
        return None


class App:
    """The simulator without its sockets."""

    def __init__(self, fleet: Fleet, backend: Backend | None = None) -> None:
        self.fleet = fleet
        self.backend: Backend = backend or Nothing()
        self.faults = Faults(fleet)
        self.lock = threading.RLock()
        self.matcher = Matcher()
        self.log: list[dict[str, Any]] = []
        self.cache: dict[Any, tuple[Any, bytes]] = {}
        self.refusal_delay = 0.0

    def handle(self, request: Request) -> Response:
        path = unquote(urlsplit(request.target).path)
        entry: dict[str, Any] = {
            "method": request.method,
            "path": re.sub(r"^/api2/\w+", "", path),
            "node": request.node,
            "user": "",
        }
        with self.lock:
            tasks.advance(self.fleet)
            hits = self.faults.on_request(request.method, entry["path"])
            response = self._answer(request, hits, entry)
            for hit in hits:
                self.faults.afterwards(hit, entry["path"])
            entry["status"] = 0 if response.cut else response.status
            entry["faults"] = [hit.kind for hit in hits]
            entry["n"] = len(self.log) + 1
            self.log.append(entry)
        return response

    def _answer(self, request: Request, hits: list[Hit], entry: dict[str, Any]) -> Response:
        delay = sum(hit.seconds for hit in hits)
        early = next((hit for hit in hits if hit.answers and not hit.after), None)
        late = next((hit for hit in hits if hit.answers and hit.after), None)
        if early:
            response = _broken(early)
        else:
            response = self._real_answer(request, entry)
            if late:
                response = _broken(late, response)
        response.delay += delay
        return response

    def _real_answer(self, request: Request, entry: dict[str, Any]) -> Response:
        url = urlsplit(request.target)
        match = re.fullmatch(r"/api2/(\w+)(/.*)?", unquote(url.path))
        if not match:
            text = f"no such file '{unquote(url.path)}'"
            return Response(500, text, (text + "\n").encode(), "text/plain")
        formatter, path = match[1], "/" + "/".join(p for p in (match[2] or "").split("/") if p)
        if formatter not in ("json", "extjs"):
            text = f"no formatter for uri {path}, {formatter}"
            return Response(501, text, text.encode(), "text/plain")
        try:
            reply = self._call(request, path, url.query, entry)
        except EmptyError as error:
            wait = self.refusal_delay if error.status == 401 else 0.0
            return Response(error.status, error.message, error.body.encode(), "text/plain", delay=wait)
        except ApiError as error:
            return _refusal(error, formatter)
        if isinstance(reply, bytes):
            return Response(200, "OK", reply)
        data: dict[str, Any] = {"data": reply.data, **reply.extra}
        if formatter == "extjs":
            data["success"] = 1
        return Response(200, "OK", json.dumps(data).encode(), delay=reply.delay)

    def _call(self, request: Request, path: str, query: str, entry: dict[str, Any]) -> Reply | bytes:
        raw = _parameters(request, query)
        here = self.fleet.site_of(request.node)
        found = self.matcher.find(request.method, path)
        endpoint = spec.load()[request.method, found[0]] if found else None
        open_to_all = endpoint is not None and endpoint.permission == ("world",)
        user = ""
        by_ticket = False
        if not open_to_all or request.headers.get("authorization", "").startswith("PVEAPIToken"):
            principal = auth.identify(self.fleet, here, request.headers, request.method)
            user, by_ticket = principal.user, principal.by_ticket
        entry["user"] = user
        if found is None or endpoint is None or (request.method, found[0]) not in ROUTES:
            raise ApiError(501, f"Method '{request.method} {path}' not implemented", newline=False)
        if not endpoint.token and user and not by_ticket:
            raise forbidden(f"URI '{path}' not available with API token, need proper ticket.\n")
        for name, value in found[1].items():
            if name in raw and str(raw[name]) != value:
                raise bad_params({name: CLASH})
            raw[name] = value
        entry["endpoint"] = found[0]
        privileges.check(here, user, endpoint.permission, raw)
        node = self._forward(here, request.node, found, raw)
        params = validate.parameters(endpoint, raw)
        if request.method != "GET" and not here.quorum and found[0] not in NO_QUORUM_OK:
            raise fail("cluster not ready - no quorum?")
        call = Call(self.fleet, here, here.nodes[node], user, params, self.backend, request.method, found[0])
        if found[0] == "/cluster/resources":
            return self._resources(call)
        result = ROUTES[request.method, found[0]](call)
        if request.method != "GET":
            call.changed()
        return result if isinstance(result, Reply) else Reply(result)

    def _forward(self, site: Site, local: str, found: tuple[str, dict[str, str]], raw: dict[str, Any]) -> str:
        """The node that carries the request out."""
        if not found[0].startswith("/nodes/{node}"):
            return local
        wanted = found[1]["node"]
        if wanted == "localhost":
            raw["node"] = wanted = local
        if wanted not in site.nodes:
            why = f"failed to get address info for: {wanted}: Name or service not known"
            raise fail(f"hostname lookup '{wanted}' failed - {why}")
        if not site.nodes[wanted].online:
            raise EmptyError(595, "Network is unreachable")
        return wanted

    def _resources(self, call: Call) -> bytes:
        """A thousand guests are written as JSON once for each state of the world, not for each request."""
        from .api_cluster import resources, stat_round

        key = (call.site.name, call.user, call.get("type"))
        stamp = (call.site.revision, stat_round(call))
        cached = self.cache.get(key)
        if cached and cached[0] == stamp:
            return cached[1]
        body = json.dumps({"data": resources(call)}).encode()
        self.cache[key] = (stamp, body)
        return body


def _broken(hit: Hit, response: Response | None = None) -> Response:
    if hit.kind == "reset":
        out = response or Response(200, "OK", b"")
        out.cut = "middle" if response else "start"
        return out
    texts = {500: "internal error", 502: "Bad Gateway", 503: "Service Unavailable"}
    forwarding = {595: "Network is unreachable", 596: "Connection timed out", 599: "Too many redirections"}
    text = hit.text or {**texts, **forwarding}.get(hit.status, "error")
    if hit.status == 500:
        return _refusal(ApiError(500, text), "json")
    return Response(hit.status, text, b"", "text/plain")


def _refusal(error: ApiError, formatter: str) -> Response:
    message = error.message + ("\n" if error.newline and error.status != 501 else "")
    reason = error.message.split("\n")[0]
    data: dict[str, Any] = {"data": None, "message": message}
    if error.errors:
        data["errors"] = error.errors
    if formatter == "extjs":
        data.update(success=0, status=str(error.status) if error.errors else error.status)
        return Response(200, "OK", json.dumps(data).encode())
    return Response(error.status, reason, json.dumps(data).encode(), delay=error.delay)


def _collect(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in pairs:
        if name in out:
            out[name] = [*(out[name] if isinstance(out[name], list) else [out[name]]), value]
        else:
            out[name] = value
    return out


def _pairs(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text.replace(";", "&"), keep_blank_values=True)


def _parameters(request: Request, query: str) -> dict[str, Any]:
    """Body and query; the query wins."""
    body: dict[str, Any] = {}
    if request.body and request.method == "DELETE":
        text = "Unexpected content for method 'DELETE'"
        raise EmptyError(501, text, text)
    if request.body and request.method in ("POST", "PUT"):
        kind = request.headers.get("content-type", "application/x-www-form-urlencoded").split(";")[0].strip()
        if kind == "application/json":
            try:
                loaded = json.loads(request.body)
            except ValueError as error:
                raise fail(f"malformed JSON string: {error}") from error
            body = {k: v for k, v in loaded.items() if v is not None} if isinstance(loaded, dict) else {}
        elif kind == "application/x-www-form-urlencoded":
            body = _collect(_pairs(request.body.decode("utf-8", "replace")))
        elif kind == "multipart/form-data":
            body = _multipart(request)
        else:
            text = f"upload 'Content-Type '{kind}' not implemented"
            raise EmptyError(506, text, text)
    return {**body, **_collect(_pairs(query))}


def _multipart(request: Request) -> dict[str, Any]:
    """An upload: its fields, and the file as `filename` with the bytes under `*file`."""
    boundary = request.headers["content-type"].partition("boundary=")[2].strip('"').encode()
    out: dict[str, Any] = {}
    for part in request.body.split(b"--" + boundary)[1:-1]:
        head, _unused, content = part.partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        name = re.search(rb'name="([^"]+)"', head)
        filename = re.search(rb'filename="([^"]+)"', head)
        if name and filename:
            out["filename"] = filename[1].decode()
            api_storage.UPLOADS[out["filename"]] = content
        elif name:
            out[name[1].decode()] = content.decode()
    return out
