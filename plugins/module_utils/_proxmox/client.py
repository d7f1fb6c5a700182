# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""One login, a keep-alive session for each thread, several API hosts: the transport, on proxmoxer."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

from .._objects import AdapterError, Fault
from .._values import Secret, bare, clear_texts, scrub, secrets_in
from .._wait import Backoff, Deadline, Progress, Waiting, wait_for
from .errors import Busy, LoginFailed, ProxmoxError, Uncertain, Unreachable, Untrusted, of_answer
from .tasks import Ended, Watch

# The server closes a connection that was idle for 5 s; a write on a closing one would be lost without a trace.
IDLE = 3.5
READ_TRIES = 6

T = TypeVar("T")


class LibraryMissing(ImportError):
    """A library that the transport stands on is not installed."""

    def __init__(self, library: str, error: ImportError) -> None:
        self.library = library
        super().__init__(str(error))


@dataclass(frozen=True)
class Connection:
    """How to reach the API and as whom. A token wins over a password."""

    hosts: tuple[str, ...]
    user: str
    password: Secret | None = None
    token_id: str = ""
    token_secret: Secret | None = None
    verify: bool | str = True
    port: int = 8006
    timeout: float = 60.0

    def secrets(self) -> list[Secret]:
        return [secret for secret in (self.password, self.token_secret) if secret is not None and secret.reveal()]


class Proxmox:
    """The API of one cluster or standalone node, for one Ansible task. Safe to share among threads."""

    def __init__(self, connection: Connection) -> None:
        if not connection.hosts:
            raise LoginFailed("no API host is named", "set api_host, or PROXMOX_HOST in the environment")
        self.connection = connection
        self._library = _load()
        self._texts = clear_texts(connection.secrets())
        self._lock = threading.RLock()
        self._auth: Any = None
        self._generation = 0
        self._first = 0
        self._heard = False
        self._own = threading.local()
        self._sessions: list[Any] = []
        self._watch = Watch(self.get)

    def __enter__(self) -> Proxmox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            with contextlib.suppress(Exception):
                session.close()

    def get(self, path: str, /, **params: Any) -> Any:
        """Read. What failed on the way is tried again, on another host if there is one."""
        # A node's own trouble (595 and later) lasts longer than these tries.
        return _patiently(
            f"GET {path}",
            lambda: self.request("GET", path, params),
            lambda error: isinstance(error, (Busy, Uncertain)) and error.status < 595,
            Backoff(first=0.1, most=2.0),
        )

    def entrance(self) -> tuple[str, dict[str, str]]:
        """The host (with its port) that answered last, and the headers that let a plain GET in there.

        There are none before the first answer, and where a proxy stands between.
        """
        host = _netloc(self.connection.hosts[self._first], self.connection.port)
        with self._lock:
            auth = self._auth
        if auth is None or self._library.requests.utils.get_environ_proxies(f"https://{host}"):
            return host, {}
        headers = {"Accept": "application/json"}
        if self.connection.token_secret is not None:
            asked = self._library.requests.Request("GET", f"https://{host}/", auth=auth).prepare()
            return host, {**headers, "Authorization": asked.headers["Authorization"]}
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in auth.get_cookies())
        return host, {**headers, "Cookie": cookies} if cookies else {}

    def whole(self, path: str, **params: Any) -> dict[str, Any]:
        """The answer with what stands beside its data (`changes`, `total`), which `get` leaves out."""
        self._own.whole = True
        try:
            answer: dict[str, Any] = self.get(path, **params)
            return answer
        finally:
            self._own.whole = False

    def post(self, at: str, /, **params: Any) -> Any:
        return self.request("POST", at, params)

    def put(self, at: str, /, **params: Any) -> Any:
        return self.request("PUT", at, params)

    def delete(self, at: str, /, **params: Any) -> Any:
        return self.request("DELETE", at, params)

    def wait(
        self,
        upid: str,
        what: str,
        deadline: Deadline,
        *,
        progress: Progress | None = None,
        alone: Callable[[], bool] | None = None,
        pace: Backoff | None = None,
    ) -> Ended:
        """Until that task of a node has ended well; raises what it ended with otherwise (see `tasks.Watch`)."""
        return self._watch.wait(upid, what, deadline, progress=progress, alone=alone, pace=pace)

    def expect(self, upid: str) -> None:
        """Take note of this task's end, should it be told while others are waited for."""
        self._watch.expect(upid)

    def told(self, upid: str) -> None:
        """Raise what an expected task ended with, if it is known by now to have failed."""
        self._watch.told(upid)

    def request(self, method: str, path: str, params: Mapping[str, Any]) -> Any:
        """One call, sent once. Only what surely had no effect (no connection, an expired login) is sent again."""
        sent = {key: _encode(value) for key, value in params.items() if value is not None}
        texts = self._texts | clear_texts(secrets_in(params))
        unreachable: list[str] = []
        for index in self._turns():
            host = self.connection.hosts[index]
            try:
                answer = self._authorised(method, host, path, sent, texts)
            except Unreachable as error:
                unreachable.append(error.said)
                continue
            # The next call begins with the host that answered.
            self._first, self._heard = index, True
            return answer
        lost = Unreachable(
            f"no API host could be reached: {'; '.join(unreachable)}",
            "check api_host and api_port, the node, and the network to it",
            where=f"{method} {path}",
        )
        lost.never = not self._heard
        raise lost

    def _turns(self) -> list[int]:
        count = len(self.connection.hosts)
        return [(self._first + turn) % count for turn in range(count)]

    def _authorised(self, method: str, host: str, path: str, sent: dict[str, Any], texts: set[str]) -> Any:
        """Send; when the ticket turns out to be no longer valid, log in again and send once more."""
        session, generation = self._session(host)
        try:
            return self._send(session, method, host, path, sent, texts)
        except LoginFailed as error:
            if error.status != 401 or self.connection.token_secret is not None:
                raise
        self._log_in_again(generation)
        session = self._session(host)[0]
        return self._send(session, method, host, path, sent, texts)

    def _send(self, session: Any, method: str, host: str, path: str, sent: dict[str, Any], texts: set[str]) -> Any:
        requests, core = self._library.requests, self._library.core
        write = method != "GET"
        where = f"{method} {path} at {host}"
        now = time.monotonic()
        if now - getattr(session, "used", now) > IDLE:
            session.close()
        session.used = now
        resource = core.ProxmoxResource(
            base_url=f"https://{_netloc(host, self.connection.port)}/api2/json",
            session=session,
            serializer=_serializer(self._library, whole=getattr(self._own, "whole", False)),
        )
        parts = [quote(part, safe=":!@.,=+~-_") for part in path.split("/") if part]
        call = getattr(resource(parts), method.lower())
        try:
            answer = call(**sent)
        except core.ResourceException as error:
            errors = error.errors if isinstance(error.errors, Mapping) else None
            raised = of_answer(
                error.status_code, scrub(str(error.content), texts), _hide(errors, texts), where, write=write
            )
        except requests.exceptions.RequestException as error:
            raised = self._of_network(error, host, where, write)
        except core.AuthenticationError as error:
            raised = LoginFailed(scrub(str(error), texts), "log in again", status=401, where=where)
        else:
            session.used = time.monotonic()
            if isinstance(answer, dict) and isinstance(answer.get("errors"), bytes):
                raised = Uncertain("the answer was no JSON", "is this a Proxmox VE server?", where=where)
                raise raised
            return answer
        raise raised from None

    def _of_network(self, error: Exception, host: str, where: str, write: bool) -> ProxmoxError:
        requests = self._library.requests.exceptions
        text = _innermost(error)
        if isinstance(error, requests.SSLError) and "certificate" in text.lower():
            advice = "give the cluster's CA as ca_path (on a node: /etc/pve/pve-root-ca.pem), or correct the host name"
            return Untrusted(f"{host}: {text}", advice, where=where)
        if isinstance(error, requests.ConnectTimeout) or _never_sent(error):
            return Unreachable(f"{host}: {text}", where=where)
        if isinstance(error, (requests.ConnectionError, requests.Timeout, requests.ChunkedEncodingError)):
            kind = Uncertain if write else Busy
            return kind(f"the answer was lost: {text}", "the network or the node failed during the call", where=where)
        return ProxmoxError(text, "check api_host and api_port", where=where)

    def _session(self, host: str) -> tuple[Any, int]:
        """This thread's session for that host, with the login that all share."""
        with self._lock:
            if self._auth is None:
                self._auth = self._log_in(host)
            auth, generation = self._auth, self._generation
        own: dict[str, tuple[Any, int]] = self._own.__dict__.setdefault("sessions", {})
        session, made = own.get(host, (None, -1))
        if made != generation:
            if session is not None:
                session.close()
            session = self._open(auth, host)
            own[host] = (session, generation)
            with self._lock:
                self._sessions.append(session)
        return session, generation

    def _open(self, auth: Any, host: str) -> Any:
        session = self._library.https.ProxmoxHttpSession()
        session.auth = auth
        session.headers["accept"] = "application/json"
        # The environment is asked once here instead of at each request; `verify` cannot be overruled by it.
        session.proxies.update(self._library.requests.utils.get_environ_proxies(f"https://{host}"))
        session.trust_env = False
        return session

    def _log_in(self, host: str) -> Any:
        who = self.connection
        user, token_id = who.user, who.token_id
        if "!" in token_id:
            user, token_id = token_id.split("!", 1)
        common: dict[str, Any] = {"timeout": who.timeout, "verify_ssl": _verify(who.verify), "service": "PVE"}
        https = self._library.https
        if who.token_secret is not None:
            return https.ProxmoxHTTPApiTokenAuth(user, token_id, who.token_secret.reveal(), **common)
        if who.password is None:
            raise LoginFailed(
                "neither a password nor a token is given",
                "set api_password, or api_token_id with api_token_secret",
            )
        return _patiently(
            f"login of {user} at {host}",
            lambda: self._with_password(host, user, common),
            # A login has no effect: it may always be tried again.
            lambda error: isinstance(error, Busy) and not isinstance(error, Unreachable),
            Backoff(first=0.2, most=2.0),
        )

    def _with_password(self, host: str, user: str, common: dict[str, Any]) -> Any:
        """One login."""
        who, library = self.connection, self._library
        password = who.password.reveal() if who.password is not None else ""
        base = f"https://{_netloc(host, who.port)}/api2/json"
        where = f"POST /access/ticket at {host}"
        raised: ProxmoxError
        try:
            return library.https.ProxmoxHTTPAuth(user, password, base_url=base, **common)
        except library.core.AuthenticationError as error:
            status = _status_in(str(error))
            advice = "check api_user (with its realm, as in root@pam) and api_password"
            if status == 401:
                raised = LoginFailed(f"login of {user} was refused", advice, status=401, where=where)
            else:
                raised = of_answer(status or 500, f"login of {user} failed", None, where, write=False)
                if not isinstance(raised, Busy) and status >= 500:
                    raised = Busy(raised.said, raised.hint, status=status, where=where)
        except library.requests.exceptions.RequestException as error:
            raised = self._of_network(error, host, where, write=False)
        except (ValueError, KeyError, TypeError):
            raised = Busy("the answer to the login was no JSON", "is this a Proxmox VE server?", where=where)
        raise raised from None

    def _log_in_again(self, generation: int) -> None:
        with self._lock:
            if self._generation == generation:
                self._auth = None
                self._generation += 1


def _patiently(what: str, once: Callable[[], T], passing: Callable[[ProxmoxError], bool], backoff: Backoff) -> T:
    """`once`, and again while its error may pass; after some tries its error is the answer."""
    tries = iter(range(READ_TRIES - 1, -1, -1))

    def probe() -> T | Waiting:
        left = next(tries)
        try:
            return once()
        except ProxmoxError as error:
            if not left or not passing(error):
                raise
            return Waiting(error.sentence)

    # The tries are what ends it; each has the connection's own timeout.
    return wait_for(what, probe, Deadline(math.inf), backoff=backoff)


def classify(error: Exception) -> Fault:
    """For an engine's Reader."""
    if isinstance(error, Uncertain):
        return Fault.UNCERTAIN
    if isinstance(error, Unreachable) and error.never:
        # A wrong address, or servers that are not there: nobody should wait for the deadline to learn that.
        return Fault.PERMANENT
    return Fault.TRANSIENT if isinstance(error, Busy) else Fault.PERMANENT


def explain(error: Exception) -> tuple[str, str]:
    """For an engine's Reader: the API's own sentence with the request, and what to do next."""
    if isinstance(error, AdapterError):
        return error.sentence, error.hint
    return f"{type(error).__name__}: {error}", ""


@dataclass(frozen=True)
class _Library:
    requests: Any
    core: Any
    https: Any


def _load() -> _Library:
    """The libraries, imported when they are needed: a module must be able to say that one is missing."""
    try:
        import requests
    except ImportError as error:
        raise LibraryMissing("requests", error) from error
    try:
        from proxmoxer import core
        from proxmoxer.backends import https
    except ImportError as error:
        raise LibraryMissing("proxmoxer", error) from error
    # At its info level it writes every parameter, passwords too.
    logging.getLogger("proxmoxer.core").setLevel(logging.CRITICAL)
    return _Library(requests, core, https)


def _serializer(library: _Library, *, whole: bool) -> Any:
    made = library.https.JsonSerializer()
    if whole:

        def loads(response: Any) -> Any:
            try:
                return json.loads(response.content.decode("utf-8"))
            except (UnicodeDecodeError, ValueError):
                return {"errors": response.content}

        made.loads = loads
    return made


def _encode(value: Any) -> Any:
    value = bare(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (list, tuple)):
        return [_encode(item) for item in value]
    return value


def _verify(verify: bool | str) -> bool | str:
    if verify is True:
        import os

        return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    return verify


def _netloc(host: str, port: int) -> str:
    if host.startswith("["):
        return host if "]:" in host else f"{host}:{port}"
    if host.count(":") > 1:
        return f"[{host}]:{port}"
    return host if ":" in host else f"{host}:{port}"


def _hide(errors: Mapping[str, Any] | None, texts: set[str]) -> dict[str, str] | None:
    if not errors:
        return None
    return {str(key): scrub(str(value), texts) for key, value in errors.items()}


def _status_in(text: str) -> int:
    last = text.rsplit("code:", 1)[-1].strip()
    return int(last) if last.isdigit() else 0


def _never_sent(error: Exception) -> bool:
    """Whether the connection was not even made, so that nothing can have happened."""
    reason: Any = error
    for _layer in range(6):
        if type(reason).__name__ in ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError"):
            return True
        inner = getattr(reason, "reason", None) or (reason.args[0] if getattr(reason, "args", None) else None)
        if not isinstance(inner, BaseException):
            return False
        reason = inner
    return False


def _innermost(error: BaseException) -> str:
    """The words of the cause, without the layers of libraries around it."""
    reason: Any = error
    for _layer in range(8):
        inner = getattr(reason, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in getattr(reason, "args", ()) if isinstance(arg, BaseException)), None)
        if inner is None:
            break
        reason = inner
    text = str(reason) or type(reason).__name__
    return text.split(": ", 1)[1] if text.startswith(("<", "HTTPSConnection(")) and ": " in text else text
