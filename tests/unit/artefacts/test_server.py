# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server: what containerd and apt ask for, by every name they use."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labmirror.images import LAYER, MANIFEST
from labmirror.server import MirrorServer, serving
from labmirror.store import Record, Store

NAMES = (
    "quay.io/team/app:v1",
    "docker.io/team/app:v1",
    "registry.k8s.io/coredns/coredns:v1",
    "registry.k8s.io/pause:3",
)
BLOB = bytes(range(256)) * 5000


@pytest.fixture
def served(store: Store) -> Iterator[MirrorServer]:
    """Two images of the same name at two hosts, one below registry.k8s.io, and a file."""
    layer = store.put(BLOB, LAYER)
    for name in NAMES:
        content = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "about": name, "layers": [layer.as_json()]})
        manifest = store.put(content.encode(), MANIFEST)
        store.keep(Record(name, "image", "built", "", manifest, (manifest.digest, layer.digest)))
    store.file("pkgs.k8s.io/core:/deb/Packages").parent.mkdir(parents=True)
    store.file("pkgs.k8s.io/core:/deb/Packages").write_text("Package: a\n")
    with serving(store) as server:
        yield server


Answer = tuple[int, http.client.HTTPMessage, bytes]


def get(server: MirrorServer, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v2/coredns/coredns/manifests/v1", "registry.k8s.io/coredns/coredns:v1"),
        ("/v2/pause/manifests/3", "registry.k8s.io/pause:3"),
        ("/v2/pause/manifests/3?ns=registry.k8s.io", "registry.k8s.io/pause:3"),
        ("/v2/team/app/manifests/v1?ns=quay.io", "quay.io/team/app:v1"),
        ("/v2/team/app/manifests/v1?ns=docker.io", "docker.io/team/app:v1"),
        ("/v2/quay.io/team/app/manifests/v1", "quay.io/team/app:v1"),
        ("/v2/docker.io/team/app/manifests/v1?ns=docker.io", "docker.io/team/app:v1"),
    ],
)
def test_each_upstream_by_each_way_of_naming_it(served: MirrorServer, path: str, name: str) -> None:
    """Would catch one upstream's image being served for another's of the same name."""
    status, headers, body = get(served, path)
    assert (status, json.loads(body)["about"]) == (200, name)
    assert headers["Docker-Content-Digest"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert headers["Content-Type"] == MANIFEST
    by_digest = path.split("/manifests/")[0] + f"/manifests/{headers['Docker-Content-Digest']}"
    assert get(served, by_digest)[2] == body


@pytest.mark.parametrize(
    "path",
    [
        "/v2/team/app/manifests/v1",
        "/v2/team/app/manifests/v1?ns=ghcr.io",
        "/v2/pause/manifests/4",
        "/v2/pause/blobs/sha256:" + "0" * 64,
        "/v2/pause/manifests/sha256:" + "0" * 64,
        "/v2/pause/blobs/latest",
        "/v2/../../etc/manifests/passwd",
        "/files/../records/quay.io/team/app:v1.json",
        "/files/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/files/pkgs.k8s.io/core:/deb",
        "/files/",
        "/etc/passwd",
    ],
)
def test_what_is_not_there_is_a_404_in_the_registrys_words(served: MirrorServer, path: str) -> None:
    """Would catch a file of the machine being served, and an answer that makes containerd retry instead of going on."""
    status, headers, body = get(served, path)
    assert status == 404
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["errors"][0]["message"]


def test_a_layer_is_no_manifest(served: MirrorServer) -> None:
    """Would catch a blob served with a made-up type when it is asked for as a manifest."""
    digest = f"sha256:{hashlib.sha256(BLOB).hexdigest()}"
    assert get(served, f"/v2/pause/manifests/{digest}")[0] == 404
    assert get(served, f"/v2/pause/blobs/{digest}")[2] == BLOB


def test_head_tells_the_same_without_the_body(served: MirrorServer) -> None:
    """Would catch a body after HEAD, which the next answer on the same connection would be read from."""
    # By hand: a client's own buffer may swallow what should not be there.
    with socket.create_connection(("127.0.0.1", served.server_address[1]), timeout=10) as connection:
        asked = "HEAD /v2/pause/manifests/3 HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall((asked + asked.replace("HEAD", "GET") + asked.replace("1.1\r", "1.0\r")).encode())
        said = b""
        while chunk := connection.recv(1 << 16):
            said += chunk
    head, whole, again = said.split(b"HTTP/1.1 200 OK\r\n")[1:]
    told, _line, body = whole.partition(b"\r\n\r\n")
    assert head.partition(b"\r\n\r\n")[2] == again.partition(b"\r\n\r\n")[2] == b""
    assert f"Content-Length: {len(body)}".encode() in told
    assert b"Docker-Content-Digest: sha256:" in head


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(0, len(BLOB) + 10), length=st.integers(1, len(BLOB)))
def test_ranges(served: MirrorServer, first: int, length: int) -> None:
    """Would catch a download that goes on after a broken line being put together wrongly."""
    digest = f"sha256:{hashlib.sha256(BLOB).hexdigest()}"
    status, headers, body = get(served, f"/v2/pause/blobs/{digest}", Range=f"bytes={first}-{first + length - 1}")
    if first >= len(BLOB):
        assert (status, body) == (416, b"")
    else:
        assert body == BLOB[first : first + length]
        assert status == (200 if len(body) == len(BLOB) else 206)
        if status == 206:
            assert headers["Content-Range"] == f"bytes {first}-{first + len(body) - 1}/{len(BLOB)}"
    rest = get(served, f"/v2/pause/blobs/{digest}", Range=f"bytes={min(first, len(BLOB) - 1)}-")[2]
    assert rest == BLOB[min(first, len(BLOB) - 1) :]
    assert get(served, f"/v2/pause/blobs/{digest}", Range=f"bytes=-{length}")[2] == BLOB[-length:]


def test_an_empty_file_and_a_package_index(served: MirrorServer) -> None:
    """Would catch an empty file answered as a range, and upstream's paths with colons not being found."""
    served.store.file("files.example/empty").parent.mkdir(parents=True)
    served.store.file("files.example/empty").touch()
    assert get(served, "/files/files.example/empty")[::2] == (200, b"")
    assert get(served, "/files/pkgs.k8s.io/core:/deb/Packages")[2] == b"Package: a\n"
    assert get(served, "/files/pkgs.k8s.io/core%3A/deb/Packages")[2] == b"Package: a\n"


def test_tags_and_the_version_check(served: MirrorServer) -> None:
    """Would catch a client's first question or a look at what there is going unanswered."""
    assert get(served, "/v2/")[::2] == (200, b"{}")
    assert json.loads(get(served, "/v2/team/app/tags/list?ns=quay.io")[2])["tags"] == ["v1"]
    assert get(served, "/v2/team/other/tags/list?ns=quay.io")[0] == 404


def test_many_nodes_at_once(served: MirrorServer) -> None:
    """Would catch answers that mix when several nodes pull the same layer."""
    digest = f"sha256:{hashlib.sha256(BLOB).hexdigest()}"
    with ThreadPoolExecutor(16) as pool:
        bodies = list(pool.map(lambda _number: get(served, f"/v2/pause/blobs/{digest}")[2], range(64)))
    assert all(body == BLOB for body in bodies)
