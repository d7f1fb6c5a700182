# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""One login to Vault or OpenBao, and every call through it: retried when harmless, explained when it fails."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .._wait import Backoff, Deadline, Hopeless, Progress, WaitFailed, Waiting, wait_for
from . import auth
from .auth import Environment, Settings
from .errors import MissingLibrary, SecretError, StoreError, UsageError

T = TypeVar("T")


def _libraries() -> tuple[Any, Any]:
    try:
        import hvac
        import requests
    except ImportError as error:
        raise MissingLibrary("hvac", "secrets in Vault or OpenBao", str(error)) from error
    return hvac, requests


class _NotThere(Exception):
    """404, with what came along."""

    def __init__(self, body: Any, sentence: str) -> None:
        self.body = body if isinstance(body, dict) else {}
        self.sentence = sentence
        super().__init__(sentence)


class _Refused(Exception):
    """400: the request was understood and turned down."""


NotThere, Refused = _NotThere, _Refused


@dataclass
class Session:
    """`call` opens the connection and logs in when it is first used."""

    address: str
    login: Settings = field(default_factory=dict, repr=False)
    ca_file: str = ""
    namespace: str = ""
    environ: Environment = field(default_factory=lambda: os.environ, repr=False)
    timeout: float = 15.0
    progress: Progress | None = None
    _client: Any = field(default=None, repr=False)

    @property
    def method(self) -> str:
        return str(self.login.get("method") or "token")

    def call(self, what: str, rule: str, request: Callable[[Any], T]) -> T:
        """Do one request, again while that may help. `rule` is what a policy must allow, for the error.

        A request whose answer was lost is sent again as it was: a write must carry a check-and-set, so that the second
        one is refused if the first had its effect.
        """
        deadline = Deadline(self.timeout)
        try:
            return self._attempts(what, request, deadline)
        except _Denied as denied:
            sentence = str(denied)
        if self.method != "token" and not self._token_lives():
            # A login's token may have expired in a long run; one new login decides.
            self._client = None
            try:
                return self._attempts(what, request, deadline)
            except _Denied as denied:
                sentence = str(denied)
        raise self._denied(what, rule, sentence)

    def _attempts(self, what: str, request: Callable[[Any], T], deadline: Deadline) -> T:
        last: list[StoreError] = []

        def probe() -> tuple[T] | Waiting | Hopeless:
            try:
                return (self._once(what, request),)
            except _Transient as passing:
                last[:] = [passing.error]
                return Waiting(passing.error.found)

        try:
            return wait_for(what, probe, deadline, progress=self.progress, backoff=Backoff(first=0.05, most=1.0))[0]
        except WaitFailed as failed:
            error = last[-1]
            waited = f"; tried for {failed.elapsed:.0f} s" if failed.elapsed >= 1 else ""
            raise StoreError(error.what, error.found + waited, error.todo, error.where) from failed

    def _once(self, what: str, request: Callable[[Any], T]) -> T:
        hvac, requests = _libraries()
        client = self._open(what)
        try:
            return request(client)
        except (hvac.exceptions.VaultError, requests.exceptions.RequestException) as error:
            raise self._explain(what, error) from None

    def _open(self, what: str) -> Any:
        if self._client is not None:
            return self._client
        hvac, requests = _libraries()
        if self.method not in auth.METHODS:
            raise UsageError(
                "secrets.auth.method", f"no method {self.method!r}", f"Methods are {', '.join(auth.METHODS)}."
            )
        ca_file = self.ca_file
        if ca_file and not os.path.exists(ca_file):  # noqa: PTH110  # may be a folder, as requests allows
            raise UsageError("secrets.ca_file", f"{ca_file} does not exist", "Name the CA's certificate file.")
        client = hvac.Client(
            url=self.address,
            token=auth.token(self.login, self.environ) if self.method == "token" else "",
            verify=ca_file or True,
            timeout=min(10.0, self.timeout),
            namespace=self.namespace or None,
        )
        if self.method != "token":
            try:
                auth.LOGINS[self.method](client, self.login, self.environ)
            except (hvac.exceptions.VaultError, requests.exceptions.RequestException) as error:
                raise self._login_failed(what, error) from None
        self._client = client
        return client

    def _login_failed(self, what: str, error: Exception) -> Exception:
        explained = self._explain(what, error)
        if isinstance(explained, (_Denied, _NotThere, _Refused)):
            mount = self.login.get("mount") or self.method
            return StoreError(
                what,
                f"login by {self.method} at auth/{mount} was refused: {explained}",
                "Check the role, its credentials (are they expired or used up?) and the mount of this method.",
                self.address,
            )
        return explained

    def _explain(self, what: str, error: Exception) -> Exception:
        """The library's error as ours: passing, denied, not there, refused, or final."""
        hvac, requests = _libraries()
        kinds = hvac.exceptions
        where = self.address
        if isinstance(error, requests.exceptions.RequestException):
            return self._explain_connection(what, error)
        sentence = _sentence(error)
        if isinstance(error, (kinds.Forbidden, kinds.Unauthorized)):
            return _Denied(sentence)
        if isinstance(error, kinds.InvalidPath):
            return _NotThere(getattr(error, "json", None), sentence)
        if isinstance(error, kinds.InvalidRequest):
            return _Refused(sentence)
        if isinstance(error, kinds.VaultDown) and "sealed" in sentence.lower():
            return StoreError(
                what, f"the server is sealed ({sentence})", "Unseal it (bao operator unseal), then run again.", where
            )
        if isinstance(error, kinds.VaultNotInitialized):
            return StoreError(
                what, f"the server is not initialised ({sentence})", "Initialise it: bao operator init.", where
            )
        found = f"the server answered: {sentence}"
        todo = "Look at the server's log, then run again."
        return _Transient(StoreError(what, found, todo, where))

    def _explain_connection(self, what: str, error: Exception) -> Exception:
        _hvac, requests = _libraries()
        kinds = requests.exceptions
        where = self.address
        if isinstance(error, kinds.SSLError):
            return StoreError(
                what,
                f"the server's certificate is not trusted ({_reason(error)})",
                "Name the CA that signed it: ca_file under secrets, or VAULT_CACERT.",
                where,
            )
        if isinstance(error, ValueError) and not isinstance(error, kinds.JSONDecodeError):
            return UsageError(
                "secrets.address",
                f"{where!r} is no address ({error})",
                "Write one such as https://vault.example.org:8200.",
            )
        found = f"the server cannot be reached ({_reason(error)})"
        todo = "Check the address, the network on the way, and that the server runs."
        if "name resolution" in str(error).lower() or "NameResolutionError" in str(error):
            return StoreError(what, found, todo, where)
        return _Transient(StoreError(what, found, todo, where))

    def _token_lives(self) -> bool:
        hvac, requests = _libraries()
        if self._client is None:
            return False
        try:
            self._client.auth.token.lookup_self()
        except hvac.exceptions.Forbidden:
            return False
        except (hvac.exceptions.VaultError, requests.exceptions.RequestException):
            return True
        return True

    def _denied(self, what: str, rule: str, sentence: str) -> SecretError:
        if not self._token_lives():
            return StoreError(
                what,
                f"the token is not valid any more: expired, revoked, or of another server ({sentence})",
                "Log in again (bao login, vault login), or give a fresh VAULT_TOKEN.",
                self.address,
            )
        return StoreError(
            what,
            f"the token may not do this ({sentence})",
            f"Add to one of its policies: {rule}",
            self.address,
        )


class _Transient(Exception):
    """May work when tried again."""

    def __init__(self, error: StoreError) -> None:
        self.error = error
        super().__init__(str(error))


class _Denied(Exception):
    """403: the policy, or a token that is gone."""


def _sentence(error: Exception) -> str:
    """What the server said, on one line."""
    said = getattr(error, "errors", None)
    text = ", ".join(str(item) for item in said) if said else str(error.args[0] if error.args else error)
    return re.sub(r"\s+", " ", text).strip() or type(error).__name__


def _reason(error: Exception) -> str:
    """The innermost cause in a few words: requests wraps four deep."""
    reason: Any = error
    for _depth in range(6):
        inner = getattr(reason, "reason", None) or (reason.args[0] if getattr(reason, "args", None) else None)
        if not isinstance(inner, BaseException):
            break
        reason = inner
    text = re.sub(r"\s+", " ", str(reason)).strip()
    return re.sub(r"^.*?object at 0x[0-9a-f]+>:\s*", "", text) or type(error).__name__
