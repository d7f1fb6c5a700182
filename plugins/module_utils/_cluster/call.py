# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""JSON over TLS with a client certificate, and why it did not work in words of a person."""

from __future__ import annotations

import http.client
import json
import ssl
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from . import x509

TIMEOUT = 3.0


class Unanswered(Exception):
    """No answer, or not the one that was asked for; `status` is 0 when there was none at all."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Identity:
    """Whom to trust and what to show, as PEM."""

    authority: bytes
    certificate: bytes
    key: bytes

    def context(self) -> ssl.SSLContext:
        made = ssl.create_default_context(cadata=self.authority.decode())
        # The standard library takes a client certificate from files only.
        with tempfile.NamedTemporaryFile(prefix="socle-") as handle:
            handle.write(self.certificate + b"\n" + self.key)
            handle.flush()
            made.load_cert_chain(handle.name)
        return made


class Client:
    """One connection to one server."""

    def __init__(self, url: str, identity: Identity, timeout: float = TIMEOUT) -> None:
        parts = urlsplit(url)
        self.url = url
        self._identity = identity
        try:
            context = identity.context()
        except (ssl.SSLError, ValueError, OSError) as error:
            raise Unanswered(f"{url}: the client certificate cannot be used ({error})") from None
        self._connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port or 443, timeout=timeout, context=context
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def text(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        content = None if body is None else json.dumps(body)
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            self._connection.request(method, path, content, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Unanswered(f"{self.url}: {self._ended() or said(error)}") from None

    def _ended(self) -> str:
        """A server that refuses a certificate only closes the connection."""
        try:
            leaf = x509.read(x509.der(self._identity.certificate))
        except ValueError as error:
            return f"the client certificate cannot be used: {error}"
        days = (time.time() - leaf.ends) / 86400
        return f"the client certificate of {leaf.subject} has ended {days:.0f} days ago" if days > 0 else ""

    def lines(self, method: str, path: str, body: Any) -> Iterator[bytes]:
        """An answer that comes line by line, however long it is."""
        try:
            self._connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            if answer.status >= 300:
                raise Unanswered(f"{self.url}{path}: {answer.status}", answer.status)
            while line := answer.readline():
                yield line
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(f"{self.url}: {self._ended() or said(error)}") from None

    def json(self, method: str, path: str, body: Any = None) -> Any:
        status, text = self.text(method, path, body)
        try:
            told = json.loads(text)
        except ValueError:
            told = None
        if status >= 300 or told is None:
            message = told.get("message", "") if isinstance(told, dict) else text.strip()
            raise Unanswered(f"{self.url}{path}: {status} {message[:200]}".strip(), status)
        return told


def said(error: Exception) -> str:
    """The reason in one short sentence."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or str(error)).lower().replace('_', ' ')}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or type(error).__name__).lower()
    return str(error) or type(error).__name__


def pem(*paths: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in paths)


__all__ = ["TIMEOUT", "Client", "Identity", "Unanswered", "pem", "said"]
