# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server: who asks, pages, limits, faults, and a log of what was asked."""

from __future__ import annotations

import copy
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

# The api_* modules register their endpoints when they are imported.
from . import api_ci, api_containers, api_refs, api_runner
from .base import ROUTES, Answer, Call, Fail
from .world import Settings, World

API = (api_ci, api_containers, api_refs, api_runner)
WRITES = ("POST", "PUT", "PATCH", "DELETE")
MOST_BY_OFFSET = 50_000
MOST_COUNTED = 10_000


@dataclass
class Fault:
    """Something that happens to requests whose `METHOD path` matches."""

    match: str
    times: int = 1
    skip: int = 0
    """How many matching requests are answered as usual first."""
    status: int = 0
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: str = ""
    """`before` the request is worked on, or `after`: the answer is lost."""
    revoke: bool = False
    """The caller's token is revoked from now on."""


class GitLab:
    """One simulated server on loopback."""

    def __init__(self, settings: Settings | None = None, port: int = 0) -> None:
        self.settings = settings or Settings()
        self.world = World(self.settings)
        self.lock = threading.RLock()
        # What has a name of its own comes before what an id could stand for.
        self.routes = sorted(ROUTES, key=lambda route: route[1].count(":"))
        self.faults: list[Fault] = []
        self.log: list[dict[str, Any]] = []
        self.window: list[float] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One small answer follows another; waiting to join them costs 40 ms each.
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_any(self) -> None:
                outer.serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def start(self) -> GitLab:
        self.thread.start()
        return self

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def reset(self, **settings: Any) -> World:
        """An empty server of the same address."""
        with self.lock:
            self.settings = Settings(**settings)
            self.world = World(self.settings)
            self.faults, self.log, self.window = [], [], []
            return self.world

    def fault(self, match: str, **more: Any) -> None:
        with self.lock:
            self.faults.append(Fault(match, **more))

    def requests(self, *methods: str) -> list[str]:
        with self.lock:
            return [f"{row['method']} {row['path']}" for row in self.log if not methods or row["method"] in methods]

    def writes(self) -> list[str]:
        return self.requests(*WRITES)

    def forget(self) -> None:
        with self.lock:
            self.log = []

    def serve(self, http: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(http.path)
        path = parts.path.removeprefix("/api/v4")
        raw = http.rfile.read(int(http.headers.get("Content-Length") or 0))
        row: dict[str, Any] = {"method": http.command, "path": path, "query": dict(parse_qsl(parts.query))}
        with self.lock:
            hit = self._hit(f"{http.command} {unquote(path)}")
            if hit and hit.cut == "before":
                self._drop(http)
                return
            answer = self._answer(http, path, parts.query, raw, row, hit)
            row["status"] = answer.status
            self.log.append(row)
            # What is sent is what was so while the lock was held.
            body = b"" if answer.status == 204 else json.dumps(answer.body).encode()
        if hit and hit.cut == "after":
            self._drop(http)
            return
        if isinstance(answer.body, str):
            body = answer.body.encode()
        kind = "text/plain" if isinstance(answer.body, str) else "application/json"
        http.send_response(answer.status)
        for name, value in {"Content-Type": kind, "X-Request-Id": "01SIM", **answer.headers}.items():
            http.send_header(name, value)
        if answer.status != 204:
            http.send_header("Content-Length", str(len(body)))
        http.end_headers()
        http.wfile.write(body)

    def _drop(self, http: BaseHTTPRequestHandler) -> None:
        http.close_connection = True
        http.connection.shutdown(2)

    def _hit(self, what: str) -> Fault | None:
        for fault in self.faults:
            if re.search(fault.match, what):
                if fault.skip:
                    fault.skip -= 1
                    return None
                if fault.times:
                    fault.times -= 1
                    return fault
        return None

    def _answer(
        self, http: BaseHTTPRequestHandler, path: str, query: str, raw: bytes, row: dict[str, Any], hit: Fault | None
    ) -> Answer:
        try:
            self._limit()
            headers = dict(http.headers.items())
            params = _params(query, raw, headers.get("Content-Type") or headers.get("Content-type") or "")
            row["body"] = params
            user, token = self._who(headers, hit)
            if hit and hit.status:
                raise Fail(hit.status, hit.body if hit.body is not None else {"message": str(hit.status)}, hit.headers)
            answer = self._dispatch(http.command, path, params, user, token, headers, raw)
        except Fail as fail:
            return Answer(fail.status, fail.body, fail.headers)
        if answer.listed:
            return _paged(answer, params, f"{self.url}/api/v4{path}", query)
        answer.body = copy.deepcopy(answer.body)
        return answer

    def _limit(self) -> None:
        if not self.settings.rate:
            return
        now = time.monotonic()
        self.window = [at for at in self.window if now - at < self.settings.retry_after]
        if len(self.window) >= self.settings.rate:
            raise Fail(
                429, "Retry later\n", {"Retry-After": str(self.settings.retry_after), "RateLimit-Remaining": "0"}
            )
        self.window.append(now)

    def _who(self, headers: dict[str, str], hit: Fault | None) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        lower = {name.lower(): value for name, value in headers.items()}
        value = lower.get("private-token") or lower.get("authorization", "").removeprefix("Bearer ")
        if not value:
            return None, None
        token = self.world.tokens.get(value)
        if token is None:
            raise Fail(401, {"message": "401 Unauthorized"})
        if hit and hit.revoke:
            token["revoked"] = True
        if token["revoked"]:
            text = "Token was revoked. You have to re-authorize from the user."
            raise Fail(401, {"error": "invalid_token", "error_description": text})
        return self.world.user_by(token["user"]), token

    def _dispatch(
        self,
        method: str,
        path: str,
        params: dict[str, Any],
        user: dict[str, Any] | None,
        token: dict[str, Any] | None,
        headers: dict[str, str],
        raw: bytes,
    ) -> Answer:
        others = False
        for verb, _template, pattern, handler, anonymous in self.routes:
            found = pattern.match(path)
            if not found:
                continue
            if verb != method:
                others = True
                continue
            if user is None and not anonymous:
                raise Fail(401, {"message": "401 Unauthorized"})
            if token and not _allowed(method, path, token["scopes"]):
                text = "The request requires higher privileges than provided by the access token."
                raise Fail(403, {"error": "insufficient_scope", "error_description": text, "scope": "api"})
            call = Call(self.world, method, path, params, found.groupdict(), user, token, headers, raw)
            return handler(call)
        if others:
            raise Fail(405, {"error": "405 Not Allowed"})
        raise Fail(404, {"error": "404 Not Found"})


def _allowed(method: str, path: str, scopes: list[str]) -> bool:
    if "api" in scopes:
        return True
    if method == "POST" and path == "/user/runners":
        return "create_runner" in scopes
    return method == "GET" and "read_api" in scopes


def _params(query: str, raw: bytes, kind: str) -> dict[str, Any]:
    params: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    if raw and "json" in kind:
        try:
            body = json.loads(raw)
        except ValueError:
            raise Fail(400, {"error": "The body is not valid JSON"}) from None
        params.update(body if isinstance(body, dict) else {})
    return params


def _paged(answer: Answer, params: dict[str, Any], url: str, query: str) -> Answer:
    rows = answer.body
    size = min(100, max(1, int(params.get("per_page") or 20)))
    given = dict(parse_qsl(query))
    if params.get("pagination") == "keyset":
        return _by_key(answer, params, size, url, given)
    page = max(1, int(params.get("page") or 1))
    if answer.keyset and page * size > MOST_BY_OFFSET:
        text = (
            f"Offset pagination has a maximum allowed offset of {MOST_BY_OFFSET} for requests that return objects of "
            "type Project. Remaining records can be retrieved using keyset pagination."
        )
        return Answer(405, {"error": text})
    last = max(1, -(-len(rows) // size))
    part = rows[(page - 1) * size : page * size]
    headers = {"X-Page": str(page), "X-Per-Page": str(size), "X-Next-Page": "", "X-Prev-Page": ""}
    links = {"first": 1}
    if page < last:
        headers["X-Next-Page"], links["next"] = str(page + 1), page + 1
    if page > 1:
        headers["X-Prev-Page"], links["prev"] = str(page - 1), page - 1
    if len(rows) <= MOST_COUNTED:
        headers.update({"X-Total": str(len(rows)), "X-Total-Pages": str(last)})
        links["last"] = last
    headers["Link"] = ", ".join(
        f'<{url}?{urlencode({**given, "page": number, "per_page": size})}>; rel="{name}"'
        for name, number in links.items()
    )
    return Answer(200, copy.deepcopy(part), headers)


def _by_key(answer: Answer, params: dict[str, Any], size: int, url: str, given: dict[str, str]) -> Answer:
    order = str(params.get("order_by") or "id")
    if order not in answer.keyset:
        return Answer(405, {"error": "Keyset pagination is not yet available for this type of request"})
    rows = sorted(answer.body, key=lambda row: row[order], reverse=params.get("sort", "desc") == "desc")
    after = params.get("cursor")
    if after is not None:
        position = next((index for index, row in enumerate(rows) if str(row["id"]) == after), len(rows))
        rows = rows[position + 1 :]
    headers = {}
    if len(rows) > size:
        following = urlencode({**given, "cursor": str(rows[size - 1]["id"])})
        headers["Link"] = f'<{url}?{following}>; rel="next"'
    return Answer(200, copy.deepcopy(rows[:size]), headers)
