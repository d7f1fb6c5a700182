# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Calls of the API: one pool of kept connections for a whole task, any number of threads."""

from __future__ import annotations

import json
import ssl
import traceback
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from .config import Access
from .errors import ApiError, Lost, Unreachable, Untrusted

try:
    import urllib3
except ImportError:
    URLLIB3_MISSING: str | None = traceback.format_exc()
else:
    URLLIB3_MISSING = None

T = TypeVar("T")
R = TypeVar("R")

JSON = "application/json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PAGE = 500
READERS = 8


class Api:
    """The API of one cluster."""

    def __init__(self, access: Access, timeout: float = 60.0) -> None:
        self.access = access
        self._base = urlsplit(access.host).path.rstrip("/")
        self._timeout = urllib3.Timeout(connect=10.0, read=timeout)
        self._pool = _pool(access)

    def close(self) -> None:
        self._pool.clear()

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        *,
        content: str = JSON,
        accept: str = JSON,
    ) -> Any:
        """What the API answers, as data; ApiError where it refuses."""
        asked = urlencode({key: value for key, value in (query or {}).items() if value not in (None, "")})
        url = f"{self.access.host}{path}{'?' + asked if asked else ''}"
        headers = {"Accept": accept, "User-Agent": "socle.platform", **self.access.headers()}
        data = None
        if body is not None:
            headers["Content-Type"] = content
            data = json.dumps(body, separators=(",", ":")).encode()
        where = f"{method} {path}"
        try:
            answer = self._pool.request(
                method, url, body=data, headers=headers, timeout=self._timeout, retries=False, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise _broken(error, self.access, where) from None
        except ssl.SSLError as error:
            raise Untrusted(f"{self.access.host}: {error}", "check ca_path and the client's certificate") from None
        if answer.status >= 300:
            raise _refusal(answer.status, answer.data, answer.headers, where)
        return json.loads(answer.data) if answer.data else None

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, query)

    def find(self, path: str) -> Any:
        """The object, or None where there is none."""
        try:
            return self.call("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def pages(self, path: str, query: Mapping[str, Any] | None = None, *, accept: str = JSON) -> Iterator[list[Any]]:
        """A list, page by page."""
        more: Any = ""
        while True:
            told = self.call("GET", path, {**(query or {}), "limit": PAGE, "continue": more}, accept=accept)
            yield told.get("items") or []
            more = (told.get("metadata") or {}).get("continue")
            if not more:
                return

    def listed(self, path: str, query: Mapping[str, Any] | None = None, *, accept: str = JSON) -> list[Any]:
        return [item for page in self.pages(path, query, accept=accept) for item in page]


def each(work: Callable[[T], R], items: Iterable[T], most: int = READERS) -> list[R]:
    """`work` for each item, side by side; the results in their order."""
    todo = list(items)
    if len(todo) < 2:
        return [work(item) for item in todo]
    with ThreadPoolExecutor(min(most, len(todo)), thread_name_prefix="kubernetes") as pool:
        return list(pool.map(work, todo))


def segment(name: str) -> str:
    """One part of a path."""
    return quote(name, safe="")


def _pool(access: Access) -> Any:
    more: dict[str, Any] = {"maxsize": 32, "num_pools": 2}
    if access.tls is not None:
        more["ssl_context"] = access.tls
        if access.server_name:
            more["server_hostname"] = more["assert_hostname"] = access.server_name
        elif access.tls.verify_mode == ssl.CERT_NONE:
            more["assert_hostname"] = False
            more["cert_reqs"] = "CERT_NONE"
    proxy = access.proxy or _proxy_of_environment(access.host)
    if not proxy:
        return urllib3.PoolManager(**more)
    if proxy.startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager

        return SOCKSProxyManager(proxy, **more)
    return urllib3.ProxyManager(proxy, **more)


def _proxy_of_environment(host: str) -> str:
    parts = urlsplit(host)
    proxies = urllib.request.getproxies()
    if parts.scheme not in proxies or urllib.request.proxy_bypass(parts.hostname or ""):
        return ""
    return proxies[parts.scheme]


def _broken(error: Exception, access: Access, where: str) -> Exception:
    said = str(error).rsplit(": ", maxsplit=1)[-1] if str(error) else type(error).__name__
    if isinstance(error, urllib3.exceptions.SSLError):
        return Untrusted(
            f"{access.host}: {error}", f"check the certificates: the ones used are those of {access.origin}"
        )
    never_sent = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        urllib3.exceptions.NameResolutionError,
    )
    if isinstance(error, never_sent):
        return Unreachable(f"{access.host} cannot be reached: {said}", "is the cluster up, and is this its address?")
    return Lost(f"no answer to {where}: {said}", "")


def _refusal(status: int, data: bytes, headers: Mapping[str, str], where: str) -> ApiError:
    try:
        told = json.loads(data)
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    details = told.get("details") or {}
    causes: Sequence[Any] = details.get("causes") or ()
    message = str(told.get("message") or data[:300].decode(errors="replace"))
    wait = details.get("retryAfterSeconds") or headers.get("Retry-After") or 0
    return ApiError(status, str(told.get("reason") or ""), message, causes, where, float(wait))
