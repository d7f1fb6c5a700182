# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serving a mirror, read-only: images as a registry does, files and package repositories under their upstream address.

/v2/HOST/REPOSITORY/manifests/TAG        the upstream host as first part of the name ...
/v2/REPOSITORY/manifests/TAG?ns=HOST     ... or as containerd itself tells a mirror
/v2/REPOSITORY/manifests/TAG             or not at all: registry.k8s.io
/files/HOST/PATH                         what https://HOST/PATH would be
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .store import CHUNK, Store
from .trouble import Trouble

DEFAULT_HOST = "registry.k8s.io"
_CALL = re.compile(
    r"/v2/(?P<name>[a-z0-9][a-z0-9._/:-]*)/(?P<what>manifests|blobs|tags)/(?P<reference>[A-Za-z0-9._:-]+)"
)


class MirrorServer(ThreadingHTTPServer):
    """Serves one mirror; a request is a thread."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], store: Store, handler: type[BaseHTTPRequestHandler] | None = None
    ) -> None:
        self.store = store
        super().__init__(address, handler or Handler)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"


@contextlib.contextmanager
def serving(store: Store, address: str = "127.0.0.1", port: int = 0) -> Iterator[MirrorServer]:
    """A server in a thread, for as long as the block runs."""
    server = MirrorServer((address, port), store)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Headers and body are two writes: without this the second waits for the first one's acknowledgement.
    disable_nagle_algorithm = True
    server: MirrorServer

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nodes ask thousands of times; only what is not there is worth a line, and that the asker logs."""

    def _answer(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        try:
            if path in ("/v2", "/v2/"):
                self._send_json({})
            elif path.startswith("/files/"):
                self._send_file(self.server.store.file(path.removeprefix("/files/")), "application/octet-stream")
            elif call := _CALL.fullmatch(path):
                namespace = urllib.parse.parse_qs(url.query).get("ns", [""])[0]
                self._registry(call["name"], call["what"], call["reference"], namespace)
            else:
                self._refuse(404, "NAME_UNKNOWN", f"{path}: nothing is served there")
        except Trouble as trouble:
            self._refuse(404, "NAME_INVALID", str(trouble))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _registry(self, name: str, what: str, reference: str, namespace: str) -> None:
        store = self.server.store
        if what == "blobs":
            self._send_file(store.blob(reference), "application/octet-stream", reference)
        elif what == "tags":
            self._tags(self._hosts(name, namespace), name)
        elif reference.startswith("sha256:"):
            self._send_manifest(reference)
        else:
            found = (store.record(f"{image}:{reference}") for image in self._hosts(name, namespace))
            record = next((record for record in found if record and record.descriptor), None)
            if record and record.descriptor:
                self._send_manifest(record.descriptor.digest)
            else:
                self._refuse(404, "MANIFEST_UNKNOWN", f"{name}:{reference}: not in this mirror")

    def _hosts(self, name: str, namespace: str) -> list[str]:
        """The full names that a request can mean, the likeliest first."""
        if namespace:
            return [f"{namespace}/{name}", name] if name.startswith(f"{namespace}/") else [f"{namespace}/{name}"]
        return [name, f"{DEFAULT_HOST}/{name}"] if "." in name.split("/", maxsplit=1)[0] else [f"{DEFAULT_HOST}/{name}"]

    def _send_manifest(self, digest: str) -> None:
        path = self.server.store.blob(digest)
        try:
            media_type = json.loads(path.read_bytes())["mediaType"] if path.stat().st_size < CHUNK * 8 else ""
        except (OSError, ValueError, KeyError, TypeError):
            media_type = ""
        if media_type:
            self._send_file(path, media_type, digest)
        else:
            self._refuse(404, "MANIFEST_UNKNOWN", f"{digest}: no such manifest in this mirror")

    def _tags(self, images: list[str], name: str) -> None:
        records = [record.name for record in self.server.store.records() if record.descriptor]
        tags = [record.rpartition(":")[2] for record in records if record.rpartition(":")[0] in images]
        if tags:
            self._send_json({"name": name, "tags": sorted(tags)})
        else:
            self._refuse(404, "NAME_UNKNOWN", f"{name}: not in this mirror")

    def _send_file(self, path: Path, media_type: str, digest: str = "") -> None:
        try:
            handle = path.open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            self._refuse(404, "BLOB_UNKNOWN", f"{digest or self.path}: not in this mirror")
            return
        with handle:
            whole = path.stat().st_size
            first, last = self._range(whole)
            if first > last and whole:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{whole}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            length = last - first + 1
            self.send_response(200 if length == whole else 206)
            if length != whole:
                self.send_header("Content-Range", f"bytes {first}-{last}/{whole}")
            if digest:
                self.send_header("Docker-Content-Digest", digest)
                self.send_header("ETag", f'"{digest}"')
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD" and length:
                self.connection.sendfile(handle, first, length)

    def _range(self, whole: int) -> tuple[int, int]:
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not asked or not (asked[1] or asked[2]):
            return 0, whole - 1
        if not asked[1]:
            return max(0, whole - int(asked[2])), whole - 1
        return int(asked[1]), min(int(asked[2]) if asked[2] else whole - 1, whole - 1)

    def _send_json(self, content: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Docker-Distribution-API-Version", "registry/2.0")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._send_json({"errors": [{"code": code, "message": message}]}, status)


def hosts_toml(url: str) -> str:
    """containerd's certs.d/_default/hosts.toml: every upstream is asked for here first."""
    return f'[host."{url}"]\n  capabilities = ["pull", "resolve"]\n'
