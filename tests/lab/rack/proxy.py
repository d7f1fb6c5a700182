# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's packages for nodes that have no way out: a proxy that listens in the lab and fetches from the machine.

What never changes under its name (packages, indexes by hash) is kept and served from the cache. The rest is asked for
each time, and served as it was last seen when the mirror does not answer: a second run needs no network.
"""

from __future__ import annotations

import ctypes
import hashlib
import http.client
import http.server
import os
import re
import shutil
import socketserver
import sys
import threading
import urllib.parse
from pathlib import Path
from typing import IO, ClassVar

from .images import SUITES, record
from .network import WORLD

CLONE_NEWNET = 0x40000000
PORT = 3142
ADDRESS = WORLD
FORWARDED = {"if-modified-since", "cache-control", "user-agent"}
ANSWERED = ("Last-Modified", "Content-Type", "ETag")


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hosts: ClassVar[set[str]] = set()
    cache: ClassVar[Path]

    def do_GET(self) -> None:
        match = re.fullmatch(r"/images/debian-(\d+)-genericcloud-amd64\.qcow2", self.path)
        if match and match[1] in SUITES:
            self._give(record(match[1]))
            return
        url = urllib.parse.urlsplit(self.path)
        if url.scheme != "http" or url.hostname not in self.hosts:
            self.send_error(403, f"the lab's proxy serves {', '.join(sorted(self.hosts))} only")
            return
        kept = self.cache / (hashlib.sha256(self.path.encode()).hexdigest()[:24] + "_" + Path(url.path).name)
        fixed = url.path.endswith(".deb") or "/by-hash/" in url.path
        if fixed and kept.exists():
            self._serve(kept)
            return
        try:
            self._fetch(url, kept, fixed)
        except (OSError, http.client.HTTPException) as error:
            if kept.exists():
                self._serve(kept)
            else:
                self.send_error(502, f"{url.hostname} does not answer: {error}")

    do_HEAD = do_GET

    def _fetch(self, url: urllib.parse.SplitResult, kept: Path, fixed: bool) -> None:
        upstream = http.client.HTTPConnection(str(url.hostname), url.port or 80, timeout=60)
        headers = {key: value for key, value in self.headers.items() if key.lower() in FORWARDED}
        if fixed or not kept.exists():
            headers.pop("If-Modified-Since", None)
        try:
            upstream.request("GET", url.path + (f"?{url.query}" if url.query else ""), headers=headers)
            answer = upstream.getresponse()
            if answer.status != 200:
                self._pass_on(answer)
                return
            # Whole before it is served: a client that leaves in the middle must not leave half a package in the cache.
            unfinished = kept.with_name(f"{kept.name}.{os.getpid()}.{threading.get_ident()}")
            try:
                with unfinished.open("wb") as file:
                    shutil.copyfileobj(answer, file)
                length = answer.getheader("Content-Length")
                if length is not None and unfinished.stat().st_size != int(length):
                    raise http.client.IncompleteRead(b"")
                unfinished.replace(kept)
            finally:
                unfinished.unlink(missing_ok=True)
            self._serve(kept, answer)
        finally:
            upstream.close()

    def _give(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _pass_on(self, answer: http.client.HTTPResponse) -> None:
        body = answer.read()
        self.send_response(answer.status)
        for name in ANSWERED:
            value = answer.getheader(name)
            if value:
                self.send_header(name, value)
        if answer.status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if answer.status != 304:
            self.wfile.write(body)

    def _serve(self, kept: Path, answer: http.client.HTTPResponse | None = None) -> None:
        with kept.open("rb") as file:
            self.send_response(200)
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            for name in ANSWERED:
                value = answer.getheader(name) if answer else None
                if value:
                    self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                shutil.copyfileobj(file, self.wfile)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


def listening_in(
    namespace: Path, address: tuple[str, int], handler: type[http.server.BaseHTTPRequestHandler]
) -> Server:
    """A server whose socket belongs to another network namespace, while its process stays in this one."""
    with Path("/proc/self/ns/net").open() as home, namespace.open() as lab:
        enter(lab)
        try:
            return Server(address, handler)
        finally:
            enter(home)


def enter(namespace: IO[str]) -> None:
    """This thread's network is that of an open namespace file from now on."""
    if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), namespace.name)


def serve(netns: str, address: str, cache: Path, hosts: set[str]) -> None:
    Proxy.cache, Proxy.hosts = cache, hosts
    server = listening_in(Path("/run/netns") / netns, (address, PORT), Proxy)
    print(f"listening on {address}:{PORT}", file=sys.stderr, flush=True)
    server.serve_forever()
