# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two small servers: states over HTTP with locks, as GitLab keeps them, and the buckets of Google Cloud Storage."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class States:
    """GitLab's state API as far as the http backend uses it."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}
        self.locks: dict[str, dict[str, Any]] = {}
        self.users: set[str] = set()
        self.url = ""

    def answer(self, method: str, path: str, body: bytes, headers: Any) -> tuple[int, bytes]:
        self.users.add(headers.get("Authorization", ""))
        name = path.removesuffix("/lock")
        if path.endswith("/lock"):
            if method == "POST":
                if name in self.locks:
                    return 423, json.dumps(self.locks[name]).encode()
                self.locks[name] = json.loads(body)
            elif method == "DELETE":
                self.locks.pop(name, None)
            return 200, b""
        if method == "GET":
            return (200, self.states[name]) if name in self.states else (404, b"")
        if method == "POST":
            self.states[name] = body
        return 200, b""


class Buckets:
    """Google Cloud Storage's buckets: looked up and made."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, Any]] = {}
        self.refuse = 0
        self.url = ""

    def answer(self, method: str, path: str, body: bytes, _headers: Any) -> tuple[int, bytes]:
        if self.refuse:
            return self.refuse, json.dumps({"error": {"message": "no storage.buckets.get access"}}).encode()
        if method == "POST" and path == "/storage/v1/b":
            made = json.loads(body)
            self.buckets[made["name"]] = made
            return 200, body
        found = self.buckets.get(path.removeprefix("/storage/v1/b/"))
        return (200, json.dumps(found).encode()) if found else (404, b"{}")


@contextlib.contextmanager
def served(double: Any) -> Iterator[Any]:
    """Serve one of the above on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            code, text = double.answer(self.command, urlsplit(self.path).path, body, self.headers)
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _any

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    double.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
