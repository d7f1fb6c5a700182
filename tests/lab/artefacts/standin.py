# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the publishers' hosts: registries with tokens and redirects, package repositories, files; their faults.

It answers below /HOST/, so that one server is all of them: give `Upstream` the addresses of `at()`. What it publishes
is made here and not by the code under test, and differs from what that writes as the real things do: compressed
layers, indexes of many architectures, repositories with more versions than are wanted.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
import secrets
import subprocess
import tarfile
import tempfile
import threading
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

OCI = "application/vnd.oci.image"
DOCKER = "application/vnd.docker.distribution.manifest"
PAGE = b"<html>Welcome to this hotel's network. Please accept our terms.</html>"


@dataclass
class Fault:
    """What goes wrong with an address. `times` of None: always.

    `cut`: the line breaks in the middle; `change`: other bytes of the same length; `page`: a portal's own page;
    a number: that status.
    """

    kind: str
    times: int | None = None


@dataclass
class StandIn:
    """The hosts. `tokens` are hosts that want a bearer token; `redirected` ones keep their blobs elsewhere."""

    tokens: set[str] = field(default_factory=set)
    redirected: set[str] = field(default_factory=set)
    content: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[tuple[str, bool]] = field(default_factory=list)
    secret: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.standin = self  # type: ignore[attr-defined]  # how the handler finds it
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def at(self, *hosts: str) -> dict[str, str]:
        return {host: f"{self.url}/{host}" for host in hosts}

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def image(self, name: str, arches: Iterable[str] = ("arm64", "amd64", "s390x"), docker: bool = False) -> str:
        """Publish an image; the digest of what its tag points to."""
        repository, _colon, tag = name.rpartition(":")
        rows = [self._for(repository, arch, f"{name} for {arch}", docker) for arch in arches]
        # What builders add to an index beside the images.
        rows.append({**rows[0], "platform": {"os": "unknown", "architecture": "unknown"}})
        rows.insert(0, {**rows[0], "platform": {"os": "windows", "architecture": "amd64"}})
        media_type = f"{DOCKER}.list.v2+json" if docker else f"{OCI}.index.v1+json"
        return self._manifest(repository, {"schemaVersion": 2, "mediaType": media_type, "manifests": rows}, tag)[
            "digest"
        ]

    def plain_image(self, name: str) -> str:
        """Publish an image of no index."""
        repository, _colon, tag = name.rpartition(":")
        row = self._for(repository, "amd64", name, False)
        host, _slash, path = repository.partition("/")
        found = self.content[f"/{host}/v2/{path}/manifests/{row['digest']}"]
        self.content[f"/{host}/v2/{path}/manifests/{tag}"] = found
        return str(row["digest"])

    def file(self, name: str, content: bytes, checksum: str = "") -> None:
        """Publish a file, and its checksum beside it."""
        self.content[f"/{name}"] = ("application/octet-stream", content)
        if checksum:
            line = f"{hashlib.sha256(content).hexdigest()}  {name.rsplit('/', maxsplit=1)[-1]}\n"
            self.content[f"/{name}{checksum}"] = ("text/plain", line.encode())

    def repository(self, name: str, packages: Iterable[tuple[str, str]]) -> None:
        """Publish a flat repository; its signature is none, as only apt would look at it."""
        stanzas = []
        for package, version in packages:
            for arch in ("amd64", "arm64"):
                content = deb(package, version, arch)
                filename = f"{arch}/{package}_{version}_{arch}.deb"
                self.file(f"{name}/{filename}", content)
                about = f"Package: {package}\nVersion: {version}\nArchitecture: {arch}\nDescription: a\n of two lines\n"
                summed = hashlib.sha256(content).hexdigest()
                stanzas.append(f"{about}Filename: {filename}\nSize: {len(content)}\nSHA256: {summed}\n")
        index = "\n".join(stanzas).encode()
        self.file(f"{name}/Packages", index)
        summed = hashlib.sha256(index).hexdigest()
        signed = f"-----BEGIN PGP SIGNED MESSAGE-----\n\nSHA256:\n {summed} {len(index)} Packages\n"
        self.file(f"{name}/InRelease", signed.encode())
        self.file(f"{name}/Release.key", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n")

    def _for(self, repository: str, arch: str, text: str, docker: bool) -> dict[str, Any]:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as tar:
            entry = tarfile.TarInfo("about")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
        rootfs = {"type": "layers", "diff_ids": [_digest(raw.getvalue())]}
        about = {"architecture": arch, "os": "linux", "rootfs": rootfs}
        layer = self._blob(repository, gzip.compress(raw.getvalue()), f"{OCI}.layer.v1.tar+gzip")
        config = self._blob(repository, json.dumps(about).encode(), f"{OCI}.config.v1+json")
        media_type = f"{DOCKER}.v2+json" if docker else f"{OCI}.manifest.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]}
        return {**self._manifest(repository, manifest), "platform": {"os": "linux", "architecture": arch}}

    def _blob(self, repository: str, content: bytes, media_type: str) -> dict[str, Any]:
        host, _slash, path = repository.partition("/")
        self.content[f"/{host}/v2/{path}/blobs/{_digest(content)}"] = (media_type, content)
        return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}

    def _manifest(self, repository: str, manifest: dict[str, Any], tag: str = "") -> dict[str, Any]:
        host, _slash, path = repository.partition("/")
        content = json.dumps(manifest, indent=3).encode()
        for reference in filter(None, (tag, _digest(content))):
            self.content[f"/{host}/v2/{path}/manifests/{reference}"] = (manifest["mediaType"], content)
        return {"mediaType": manifest["mediaType"], "digest": _digest(content), "size": len(content)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read `asked`."""

    def do_GET(self) -> None:
        standin: StandIn = self.server.standin  # type: ignore[attr-defined]  # set by StandIn
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        standin.asked.append((path, "Authorization" in self.headers))
        host = path.split("/")[1]
        if path == "/token":
            wanted = urllib.parse.parse_qs(url.query)
            good = wanted.get("service") == ["stand-in"] and wanted.get("scope", [""])[0].startswith("repository:")
            self._send(200 if good else 400, "application/json", json.dumps({"token": standin.secret}).encode())
        elif path.startswith("/storage/"):
            # As a real storage: credentials that are not for it are an error.
            media_type, content = standin.content[path.removeprefix("/storage")]
            self._send(400 if "Authorization" in self.headers else 200, media_type, content)
        elif (fault := standin.faults.get(path)) and fault.times != 0:
            fault.times = None if fault.times is None else fault.times - 1
            self._wrong(fault, *standin.content.get(path, ("", b"")))
        elif host in standin.tokens and "/v2/" in path and not self._has(standin.secret):
            name = path.split("/v2/")[1].rsplit("/", maxsplit=2)[0]
            said = f'Bearer realm="{standin.url}/token",service="stand-in",scope="repository:{name}:pull"'
            self._send(401, "application/json", b"{}", {"WWW-Authenticate": said})
        elif path not in standin.content:
            self._send(404, "application/json", b"{}")
        elif host in standin.redirected and "/blobs/" in path:
            self._send(307, "text/plain", b"", {"Location": f"{standin.url}/storage{path}"})
        else:
            media_type, content = standin.content[path]
            told = {"Docker-Content-Digest": _digest(content)} if "/manifests/" in path else {}
            self._send(200, media_type, content, told)

    def _has(self, secret: str) -> bool:
        return self.headers.get("Authorization") == f"Bearer {secret}"

    def _wrong(self, fault: Fault, media_type: str, content: bytes) -> None:
        if fault.kind == "cut":
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        elif fault.kind == "change":
            self._send(200, media_type, content[:-2] + bytes(byte ^ 1 for byte in content[-2:]))
        elif fault.kind == "page":
            self._send(200, "text/html", PAGE)
        else:
            self._send(int(fault.kind), "text/plain", b"no")

    def _send(self, status: int, media_type: str, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": media_type, "Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@functools.cache
def deb(package: str, version: str, arch: str) -> bytes:
    """A package as Debian's own tool makes it."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name, "root")
        (root / "DEBIAN").mkdir(parents=True)
        fields = f"Package: {package}\nVersion: {version}\nArchitecture: {arch}\n"
        (root / "DEBIAN" / "control").write_text(f"{fields}Maintainer: a <a@example.org>\nDescription: a\n")
        subprocess.run(["dpkg-deb", "--build", root, f"{name}/out.deb"], check=True, capture_output=True)
        return Path(name, "out.deb").read_bytes()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
