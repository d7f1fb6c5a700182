# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two small servers: states over HTTP with locks, as GitLab keeps them, and Google Cloud Storage."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class States:
    """GitLab's state API as far as the http backend uses it."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}
        self.locks: dict[str, dict[str, Any]] = {}
        self.users: set[str] = set()
        self.locked: set[str] = set()
        self.url = ""

    def answer(self, method: str, path: str, body: bytes, headers: Any) -> tuple[int, bytes]:
        path = urlsplit(path).path
        self.users.add(headers.get("Authorization", ""))
        name = path.removesuffix("/lock")
        if path.endswith("/lock"):
            if method == "POST":
                if name in self.locks:
                    return 423, json.dumps(self.locks[name]).encode()
                self.locks[name] = json.loads(body)
                self.locked.add(name)
            elif method == "DELETE":
                self.locks.pop(name, None)
            return 200, b""
        if method == "GET":
            return (200, self.states[name]) if name in self.states else (404, b"")
        if method == "POST":
            self.states[name] = body
        return 200, b""


class Buckets:
    """Google Cloud Storage: buckets looked up and made, and objects as far as the gcs backend uses them."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, Any]] = {}
        self.objects: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.refuse = 0
        self.url = ""
        self._generation = 0
        self._lock = threading.Lock()

    def answer(self, method: str, path: str, body: bytes, headers: Any) -> tuple[int, bytes]:
        place = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(place.query).items()}
        parts = [unquote(part) for part in place.path.strip("/").split("/")]
        if self.refuse:
            return self.refuse, json.dumps({"error": {"message": "no storage.buckets.get access"}}).encode()
        with self._lock:
            if parts[:4] == ["upload", "storage", "v1", "b"]:
                return self._upload(parts[4], query, body, headers)
            if parts[:3] != ["storage", "v1", "b"]:
                return self._media(parts[0], "/".join(parts[1:]))
            if "o" in parts[4:5]:
                return self._object(method, parts[3], "/".join(parts[5:]), query)
            return self._bucket(method, parts[3:], body)

    def _bucket(self, method: str, rest: list[str], body: bytes) -> tuple[int, bytes]:
        if method == "POST":
            made = json.loads(body)
            self.buckets[made["name"]] = made
            return 200, body
        found = self.buckets.get(rest[0])
        return (200, json.dumps(found).encode()) if found else (404, b"{}")

    def _upload(self, bucket: str, query: dict[str, str], body: bytes, headers: Any) -> tuple[int, bytes]:
        boundary = headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
        parts = [part.strip(b"\r\n") for part in body.split(b"--" + boundary)[1:3]]
        told, content = (part.partition(b"\r\n\r\n")[2] for part in parts)
        name = json.loads(told).get("name") or query["name"]
        if query.get("ifGenerationMatch") == "0" and (bucket, name) in self.objects:
            return 412, json.dumps({"error": {"code": 412, "message": "conditionNotMet"}}).encode()
        self._generation += 1
        self.objects[bucket, name] = (self._generation, content)
        return 200, self._attributes(bucket, name)

    def _attributes(self, bucket: str, name: str) -> bytes:
        generation, content = self.objects[bucket, name]
        told = {"kind": "storage#object", "bucket": bucket, "name": name, "size": str(len(content))}
        return json.dumps({**told, "generation": str(generation), "metageneration": "1"}).encode()

    def _media(self, bucket: str, name: str) -> tuple[int, bytes]:
        found = self.objects.get((bucket, name))
        return (200, found[1]) if found else (404, b"")

    def _object(self, method: str, bucket: str, name: str, query: dict[str, str]) -> tuple[int, bytes]:
        if not name:
            names = [one for kept, one in self.objects if kept == bucket and one.startswith(query.get("prefix", ""))]
            items = [json.loads(self._attributes(bucket, one)) for one in names]
            return 200, json.dumps({"kind": "storage#objects", "items": items}).encode()
        if (bucket, name) not in self.objects:
            return 404, json.dumps({"error": {"code": 404, "message": "No such object"}}).encode()
        if method == "DELETE":
            del self.objects[bucket, name]
            return 204, b""
        return self._media(bucket, name) if query.get("alt") == "media" else (200, self._attributes(bucket, name))


@contextlib.contextmanager
def served(double: Any) -> Iterator[Any]:
    """Serve one of the above on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self._chunks() if self.headers.get("Transfer-Encoding") == "chunked" else self._plain()
            code, text = double.answer(self.command, self.path, body, self.headers)
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def _plain(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _chunks(self) -> bytes:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

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
