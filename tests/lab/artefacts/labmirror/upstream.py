# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching from where an artefact is published. What does not answer is told apart from what answers wrongly.

`Silent`: nobody there, or nobody who has it: the artefact is built instead.
`Trouble`: an answer that contradicts its own checksum: never kept, never replaced by something else in silence.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .debian import paragraphs
from .images import CONFIG, MANIFEST
from .store import CHUNK, Descriptor, Store, digest_of
from .trouble import Trouble

INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES = (INDEX, DOCKER_LIST)
ACCEPT = ", ".join((INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))
ATTEMPTS = 3
# Names of images that are served by a host of another name.
SERVED_BY = {"docker.io": "https://registry-1.docker.io"}


class Silent(Exception):
    """Upstream does not answer, or has not got it."""


@dataclass
class Upstream:
    """The publishers' own hosts. `at` puts others in their place: for a host the address that stands for it."""

    at: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0
    pause: Callable[[float], None] = time.sleep
    silent: dict[str, str] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def image(self, store: Store, name: str, arch: str) -> tuple[Descriptor, list[Descriptor]]:
        """Fetch an image for one architecture, digests unchanged: the descriptor its tag points to, and of every blob.

        An index is kept as it is, so its digest stays the official one;
        of what it names, only this architecture is fetched.
        """
        host, repository, tag = split(name)
        top, content = self._manifest(store, host, repository, tag, "")
        blobs = [top]
        told = content
        if top.media_type in INDEXES:
            wanted = next((row for row in content.get("manifests", []) if _is_for(row, arch)), None)
            if not wanted:
                raise Silent(f"{name}: upstream has it, but not for linux/{arch}")
            manifest, told = self._manifest(store, host, repository, wanted["digest"], wanted["digest"])
            blobs.append(manifest)
        for row in [told["config"], *told["layers"]]:
            descriptor = Descriptor(row.get("mediaType", CONFIG), row["digest"], row["size"])
            self._blob(store, host, repository, descriptor)
            blobs.append(descriptor)
        return top, blobs

    def file(self, store: Store, name: str, ending: str = "") -> dict[str, Path]:
        """Fetch a file, and with `ending` the checksum beside it, which must agree; each to a place of its own."""
        found = {name: self._keep(store, name)}
        if not ending:
            return found
        try:
            found[name + ending] = self._keep(store, name + ending)
            wanted = found[name + ending].read_text(errors="replace")[:64].lower()
            if not re.fullmatch(r"[0-9a-f]{64}", wanted):
                raise Silent(f"{name}{ending}: what came is no checksum")
            if digest_of(found[name]) != f"sha256:{wanted}":
                raise Trouble(
                    f"{name}: its SHA-256 is not the one that {ending} beside it says ({wanted}): "
                    "nothing was kept; try again later"
                )
        except BaseException:
            _forget(found)
            raise
        return found

    def repository(self, store: Store, name: str, wanted: Mapping[str, str | None], arch: str) -> dict[str, Path]:
        """Fetch packages of a flat repository by name and version (None: the newest), and its indexes as signed."""
        found: dict[str, Path] = {}
        try:
            self._repository(store, name, wanted, arch, found)
        except BaseException:
            _forget(found)
            raise
        return found

    def _repository(
        self, store: Store, name: str, wanted: Mapping[str, str | None], arch: str, found: dict[str, Path]
    ) -> None:
        for part in ("InRelease", "Packages", "Release.key"):
            found[f"{name}/{part}"] = self._keep(store, f"{name}/{part}")
        signed = found[f"{name}/InRelease"].read_text(errors="replace")
        index = found[f"{name}/Packages"]
        summed = digest_of(index).removeprefix("sha256:")
        if "BEGIN PGP SIGNED MESSAGE" not in signed:
            raise Silent(f"{name}/InRelease: what came is not a signed index")
        if not re.search(rf"^ {summed} +{index.stat().st_size} +(\./)?Packages$", signed, re.M):
            raise Trouble(
                f"{name}/Packages: not the file that InRelease names: nothing was kept; "
                "it may be changing right now: try again"
            )
        rows = [row for row in paragraphs(index.read_text()) if row.get("Architecture") in (arch, "all")]
        for package, version in wanted.items():
            row = _choose(rows, package, version)
            if not row:
                raise Silent(f"{name}: no {package} {version or ''} there")
            address = f"{name}/{row['Filename'].removeprefix('./')}"
            found[address] = self._keep(store, address)
            if digest_of(found[address]) != f"sha256:{row['SHA256']}":
                raise Trouble(
                    f"{address}: its SHA-256 is not the one that Packages says ({row['SHA256']}): "
                    "nothing was kept; try again later"
                )

    def _keep(self, store: Store, name: str) -> Path:
        host, path = name.split("/", maxsplit=1)
        with store.writing() as (handle, found):
            self._download(host, f"/{path}", handle)
        return found

    def _manifest(
        self, store: Store, host: str, repository: str, reference: str, digest: str
    ) -> tuple[Descriptor, dict[str, Any]]:
        with store.writing() as (handle, path):
            told = self._download(host, f"/v2/{repository}/manifests/{reference}", handle, repository)
        digest = digest or told.get("Docker-Content-Digest", "")
        if digest and digest_of(path) != digest:
            path.unlink()
            raise Trouble(
                f"{host}/{repository}: manifest {reference} is not what its digest {digest} says: "
                "nothing was kept; try again later"
            )
        try:
            content = json.loads(path.read_bytes())
            media_type = content.get("mediaType") or told.get("Content-Type", "").split(";")[0]
            if media_type not in (*INDEXES, MANIFEST, DOCKER_MANIFEST):
                raise ValueError(f"its type is {media_type or 'not said'}")
        except (ValueError, AttributeError) as error:
            path.unlink()
            # A proxy's own page, for instance: whoever answered is no registry.
            raise Silent(f"{host}/{repository}:{reference}: what came is no manifest ({error})") from None
        return store.adopt(path, media_type, digest), content

    def _blob(self, store: Store, host: str, repository: str, wanted: Descriptor) -> None:
        if store.blob(wanted.digest).is_file():
            return
        with store.writing() as (handle, path):
            self._download(host, f"/v2/{repository}/blobs/{wanted.digest}", handle, repository)
        store.adopt(path, wanted.media_type, wanted.digest)

    def _download(self, host: str, path: str, handle: IO[bytes], repository: str = "") -> Mapping[str, str]:
        """Everything of an address into a file, again from the start if the line breaks."""
        for attempt in range(1, ATTEMPTS + 1):
            handle.seek(0)
            handle.truncate()
            try:
                with self._asked(host, path, repository) as answer:
                    got = 0
                    while chunk := answer.read(CHUNK):
                        handle.write(chunk)
                        got += len(chunk)
                    told = answer.headers
                if (length := told.get("Content-Length")) and int(length) != got:
                    raise http.client.IncompleteRead(b"", int(length) - got)
                return dict(told.items())
            except (http.client.HTTPException, OSError) as error:
                if attempt == ATTEMPTS:
                    raise self._went(host, f"broke off {attempt} times ({error})") from None
                self.pause(attempt)
        raise AssertionError("unreachable")

    def _asked(self, host: str, path: str, repository: str) -> Any:
        with self._lock:
            if host in self.silent:
                raise Silent(f"{host} {self.silent[host]}")
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._open(host, path, repository)
                self.answered.add(host)
                return answer
            except urllib.error.HTTPError as error:
                error.close()
                if error.code not in (429, 500, 502, 503, 504):
                    raise Silent(f"{host}{path}: {error.code} {error.reason}") from None
                why = f"answers {error.code} {error.reason}"
            except (OSError, http.client.HTTPException) as error:
                why = f"does not answer ({_cause(error)})"
                if host not in self.answered:
                    raise self._went(host, why) from None
            if attempt < ATTEMPTS:
                self.pause(attempt)
        raise self._went(host, why)

    def _went(self, host: str, why: str) -> Silent:
        with self._lock:
            self.silent[host] = why
        return Silent(f"{host} {why}")

    def _open(self, host: str, path: str, repository: str) -> Any:
        address = self.at.get(host, SERVED_BY.get(host, f"https://{host}")).rstrip("/") + urllib.parse.quote(
            path, safe="/:@+~%=?&"
        )
        try:
            return self._request(address, self._tokens.get((host, repository), ""))
        except urllib.error.HTTPError as error:
            challenge = error.headers.get("WWW-Authenticate", "")
            if error.code != 401 or not repository or not challenge.lower().startswith("bearer "):
                raise
            error.close()
        token = self._tokens[host, repository] = self._token(challenge)
        return self._request(address, token)

    def _request(self, address: str, token: str) -> Any:
        request = urllib.request.Request(address, headers={"Accept": ACCEPT if "/manifests/" in address else "*/*"})  # noqa: S310 - the address is ours
        if token:
            # Not sent on to where a redirect leads: a registry's storage is somebody else's.
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        return urllib.request.urlopen(request, timeout=self.timeout)  # noqa: S310 - as above

    def _token(self, challenge: str) -> str:
        told = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        if "realm" not in told:
            raise OSError("it asks for a token and does not say where to get one")
        query = urllib.parse.urlencode({name: told[name] for name in ("service", "scope") if name in told})
        with self._request(f"{told['realm']}?{query}", "") as answer:
            said = json.load(answer)
        return str(said.get("token") or said.get("access_token") or "")


def _forget(found: Mapping[str, Path]) -> None:
    for path in found.values():
        path.unlink(missing_ok=True)


def split(name: str) -> tuple[str, str, str]:
    """Host, repository and tag of an image's full name."""
    host, _slash, rest = name.partition("/")
    repository, colon, tag = rest.rpartition(":")
    if not colon or not repository or "/" in tag:
        raise Trouble(f"{name}: not an image's full name, wanted HOST/REPOSITORY:TAG")
    return host, repository, tag


def _is_for(row: Mapping[str, Any], arch: str) -> bool:
    platform = row.get("platform") or {}
    return platform.get("os") == "linux" and platform.get("architecture") == arch


def _choose(rows: list[dict[str, str]], package: str, version: str | None) -> dict[str, str] | None:
    found = [row for row in rows if row["Package"] == package and version in (None, row["Version"])]
    return max(found, key=lambda row: _order(row["Version"]), default=None)


def _order(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _cause(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, socket.gaierror):
        return "its name is not known here"
    return str(reason) or type(reason).__name__
