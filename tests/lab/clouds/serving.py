# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulators as servers on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .cloud_run import CloudRun, ResetError

Route = Callable[[str, str, dict[str, str], bytes], tuple[int, bytes, str]]


@contextmanager
def served(route: Route) -> Iterator[str]:
    """`route` behind a port of its own; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                status, said, kind = route(self.command, self.path, dict(parse_qsl(parts.query)), body)
            except ResetError:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer

        def log_message(self, *_unused: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def cloud_run_served(run: CloudRun) -> Iterator[str]:
    """The API, the metrics and the services themselves behind one address."""

    def route(method: str, target: str, query: dict[str, str], body: bytes) -> tuple[int, bytes, str]:
        path = urlsplit(target).path.lstrip("/")
        if path.startswith(("v2/", "v3/")):
            status, answer = run.handle(method, path, query, json.loads(body) if body else None)
            return status, json.dumps(answer).encode(), "application/json"
        host, _slash, rest = path.partition("/")
        status, text = run.serve(host, f"/{rest}")
        return status, text.encode(), "text/plain"

    with served(route) as base:
        run.base = base
        yield base
