# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sockets: one TLS listener for each node, HTTP/1.1 with keep-alive, a thread for each connection."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

from .app import App, Request, Response
from .control import Control

IDLE = 30.0
BODY_LIMIT = 64 * 1024**2


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "pve-api-daemon/3.0"
    sys_version = ""
    timeout = IDLE
    server: Listener

    def log_message(self, format: str, *args: Any) -> None:
        """The request log is kept by the application, without parameters."""

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_LIMIT:
            self._send(Response(501, "for data too large", b"", "text/plain"))
            return
        body = self.rfile.read(length) if length else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.path.startswith("/control/"):
            status, data = self.server.control.handle(self.command, self.path, headers, body)
            self._send(Response(status, "OK" if status == 200 else "refused", json.dumps(data).encode()))
            return
        if not self.server.reachable():
            self._cut(b"")
            return
        response = self.server.app.handle(Request(self.command, self.path, headers, body, self.server.node))
        if response.delay:
            time.sleep(response.delay)
        self._send(response)

    do_GET = do_POST = do_PUT = do_DELETE = _handle

    def _send(self, response: Response) -> None:
        if response.cut == "start":
            self._cut(b"")
            return
        # Not send_response(): the whole answer goes out in one write, and reasons may hold any character.
        reason = response.reason.encode("latin-1", "replace").decode("latin-1").replace("\r", " ").replace("\n", " ")
        close = response.status >= 400 or self.headers.get("Connection", "").lower() == "close"
        lines = [
            f"HTTP/1.1 {response.status} {reason}",
            f"Server: {self.server_version}",
            f"Date: {self.date_time_string()}",
            f"Content-Type: {response.content_type}",
            f"Content-Length: {len(response.body)}",
            f"Connection: {'close' if close else 'Keep-Alive'}",
        ]
        data = "\r\n".join([*lines, "", ""]).encode("latin-1") + response.body
        if response.cut == "middle":
            self._cut(data[: max(len(data) - max(len(response.body) // 2, 1), 1)])
            return
        self.close_connection = self.close_connection or close
        self.wfile.write(data)
        self.wfile.flush()

    def _cut(self, data: bytes) -> None:
        """Send what there is, then reset the connection."""
        self.close_connection = True
        if data:
            self.wfile.write(data)
            self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One node's port."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], node: str, app: App, control: Control, context: ssl.SSLContext
    ) -> None:
        self.node, self.app, self.control, self.context = node, app, control, context
        super().__init__(address, Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True, name=f"pve-{node}")

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def reachable(self) -> bool:
        with self.app.lock:
            return any(self.node in site.nodes and site.nodes[self.node].online for site in self.app.fleet.sites)

    def get_request(self) -> tuple[socket.socket, Any]:
        plain, address = self.socket.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(IDLE)
        # The handshake happens in the connection's own thread, so that one slow client stops nobody.
        secure = self.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        return secure, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no event."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(timeout=5)
