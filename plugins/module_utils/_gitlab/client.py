# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The way to the API: python-gitlab carries the requests; here they get pages, limits and errors."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import quote

from .._objects import AdapterError, TransientError, UncertainError
from .errors import ApiError, api_error
from .options import Connection

try:
    import gitlab
    import requests

    MISSING: list[tuple[str, str | None]] = []
except ImportError:
    MISSING = [("python-gitlab", traceback.format_exc())]

T = TypeVar("T")
R = TypeVar("R")

READERS = 8
PAGE = 100
# A server that has never answered is more likely misspelt than away.
SILENT_TRIES = 4
LONGEST_PAUSE = 120.0
# How long one request keeps to the server's limits before the engine hears of it.
PATIENCE = 60.0
QUICK_TRIES = 3


class Limited(TransientError):
    """The server does not want to hear from us for a while."""


def enc(part: object) -> str:
    """One part of a path: a full path or a branch name with slashes stays one part."""
    return quote(str(part), safe="")


class Api:
    """One server. No two threads use a client at once; all of them keep to what the server says about its limits."""

    def __init__(self, connection: Connection, budget: float = 600.0) -> None:
        self.connection = connection
        self.url = connection.url
        self._free: list[tuple[Any, dict[str, float]]] = []
        self._lock = threading.Lock()
        self._answered = False
        self._silent = 0
        self._not_before = 0.0
        self._until = time.monotonic() + budget
        self._metadata: dict[str, Any] | None = None

    def _borrowed(self) -> tuple[Any, dict[str, float]]:
        """A client nobody uses now, and where it keeps the pause that its last answer asked for."""
        with self._lock:
            if self._free:
                return self._free.pop()
        session, told = requests.Session(), {"retry_after": 1.0}

        def pause(answer: Any, *_unused: Any, **_more: Any) -> None:
            given = answer.headers.get("Retry-After", "")
            told["retry_after"] = float(given) if given.isdigit() else 1.0

        session.hooks["response"].append(pause)
        client = gitlab.Gitlab(
            self.url,
            private_token=self.connection.token.reveal(),
            ssl_verify=self.connection.verify,
            timeout=self.connection.timeout,
            session=session,
            user_agent="socle.platform",
        )
        return client, told

    def request(self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """The answer as `requests` has it.

        What had no effect is tried again here for a while: a read of many requests must not begin anew for one of them.
        """
        began, tries = time.monotonic(), 0
        while True:
            self._wait()
            try:
                return self._once(method, path, query, body)
            except TransientError as error:
                tries += 1
                limited = isinstance(error, Limited)
                over = time.monotonic() - began > PATIENCE if limited else tries > QUICK_TRIES or method != "GET"
                if over or time.monotonic() >= self._until:
                    raise
                if not limited:
                    time.sleep(min(0.2 * tries, max(0.0, self._until - time.monotonic())))

    def _once(self, method: str, path: str, query: Mapping[str, Any] | None, body: Any) -> Any:
        what = f"{method} {path}"
        client, told = self._borrowed()
        try:
            answer = client.http_request(
                method.lower(),
                path,
                query_data=dict(query or {}),
                post_data=body,
                obey_rate_limit=False,
                retry_transient_errors=False,
            )
        except gitlab.exceptions.RedirectError as error:
            raise AdapterError(
                f"{self.url} redirects ({what}): {error}", "give api_url as the server calls itself"
            ) from None
        except gitlab.exceptions.GitlabHttpError as error:
            self._answered = True
            raise self._refused(method, what, error, told["retry_after"]) from None
        except gitlab.exceptions.GitlabAuthenticationError as error:
            self._answered = True
            raise api_error(401, error.response_body or b"", what) from None
        except requests.RequestException as error:
            raise self._lost(method, what, error) from None
        finally:
            with self._lock:
                self._free.append((client, told))
        self._answered = True
        return answer

    def _wait(self) -> None:
        """Until the server wants to hear from us again, or time is up."""
        pause = min(self._not_before, self._until) - time.monotonic()
        if pause > 0:
            time.sleep(pause)

    def _refused(self, method: str, what: str, error: Any, retry_after: float) -> Exception:
        status, content = int(error.response_code or 0), error.response_body or b""
        if status == 429:
            return self._limited(what, retry_after)
        if status in (502, 503, 504):
            text = f"GitLab answered {status} ({what})"
            hint = "the server is starting, or something behind its proxy is away"
            return TransientError(text, hint) if method == "GET" else UncertainError(text, hint)
        return api_error(status, content, what)

    def _limited(self, what: str, retry_after: float) -> Exception:
        pause = min(retry_after, LONGEST_PAUSE)
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + pause)
        return Limited(
            f"GitLab answered 429, too many requests ({what}); the next one goes out in {pause:.0f} s",
            "raise the server's limits for this user, lower `concurrency`, or raise `deadline`",
        )

    def _lost(self, method: str, what: str, error: Exception) -> Exception:
        text = f"{self.url} does not answer ({what}): {_plain(error)}"
        if isinstance(error, requests.exceptions.SSLError):
            return AdapterError(text, "give the authority that signed its certificate as ca_path")
        if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema)):
            return AdapterError(text, "write api_url as https://gitlab.example.org")
        with self._lock:
            self._silent += 1
            never = not self._answered and self._silent >= SILENT_TRIES
        if never:
            return AdapterError(f"{text}, and never has", "check api_url, the network and the server")
        if method == "GET" or _never_sent(error):
            return TransientError(text, "check that the server runs")
        return UncertainError(text, "check that the server runs")

    def get(self, path: str, **query: Any) -> Any:
        return self.request("GET", path, query).json()

    def find(self, path: str, **query: Any) -> Any:
        """As `get`; None where there is nothing."""
        try:
            return self.get(path, **query)
        except ApiError as error:
            if error.status == 404 and not error.no_such_route:
                return None
            raise

    def pages(self, path: str, **query: Any) -> Iterable[tuple[list[dict[str, Any]], int | None]]:
        """Page after page, each with the number of pages where the server tells it."""
        page = 1
        while True:
            answer = self.request("GET", path, {**query, "per_page": PAGE, "page": page})
            rows = answer.json()
            total = answer.headers.get("X-Total-Pages")
            yield rows, int(total) if total else None
            following = answer.headers.get("X-Next-Page")
            if following == "" or (following is None and len(rows) < PAGE):
                return
            page = int(following) if following else page + 1

    def all(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Every row, of all pages."""
        return [row for rows, _total in self.pages(path, **query) for row in rows]

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        answer = self.request(method, path, query, dict(body) if body is not None else None)
        return answer.json() if answer.content else None

    def drop(self, path: str, **query: Any) -> None:
        """DELETE; what is gone already is gone."""
        try:
            self.send("DELETE", path, **query)
        except ApiError as error:
            if error.status != 404 or error.no_such_route:
                raise

    @property
    def metadata(self) -> dict[str, Any]:
        """Version and edition."""
        with self._lock:
            known = self._metadata
        if known is None:
            known = self.get("/metadata")
            with self._lock:
                self._metadata = known
        return known

    @property
    def named(self) -> str:
        told = self.metadata
        return f"GitLab {told['version']} at {self.url}" + ("" if told.get("enterprise") else " (Community Edition)")

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """`work` for each item, side by side; the results in their order."""
        todo = list(items)
        if len(todo) < 2:
            return [work(item) for item in todo]
        with ThreadPoolExecutor(min(READERS, len(todo)), thread_name_prefix="gitlab-read") as pool:
            return list(pool.map(work, todo))


def _never_sent(error: Exception) -> bool:
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return type(reason).__name__ in ("NewConnectionError", "NameResolutionError")


def _plain(error: Exception) -> str:
    """requests wraps the cause in the names of its own objects."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    text = str(reason or error)
    return text.rpartition(">: ")[2] or text
