# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Google's APIs over REST: credentials, and errors as sentences."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from typing import Any

from .._objects import AdapterError, TransientError, UncertainError
from .._values import Secret
from .model import Stale

RUN = "https://run.googleapis.com"
MONITORING = "https://monitoring.googleapis.com"
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
TIMEOUT = 30.0


def missing_libraries() -> list[tuple[str, str | None]]:
    """For an Adapter's `requires`."""
    missing: list[tuple[str, str | None]] = []
    try:
        import requests  # noqa: F401 - whether it is there
    except ImportError:
        missing.append(("requests", traceback.format_exc()))
    try:
        import google.auth  # noqa: F401 - whether it is there
    except ImportError:
        missing.append(("google-auth", traceback.format_exc()))
    return missing


class Google:
    """One session for one task."""

    def __init__(self, run: str = "", monitoring: str = "", token: Secret | None = None) -> None:
        self.bases = {"run": (run or RUN).rstrip("/"), "monitoring": (monitoring or MONITORING).rstrip("/")}
        # A double on this machine asks nobody who he is.
        self.anonymous = bool(run) and run.startswith(("http://127.0.0.1", "http://localhost"))
        self.token = token
        self._session: Any = None

    def session(self) -> Any:
        if self._session is None:
            import requests

            if self.token is not None or self.anonymous:
                self._session = requests.Session()
                if self.token is not None:
                    self._session.headers["Authorization"] = f"Bearer {self.token.reveal()}"
            else:
                self._session = _signed_in()
        return self._session

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def get(self, what: str, path: str, params: Mapping[str, str] | None = None, api: str = "run") -> dict[str, Any]:
        return self.call("GET", what, path, params, api=api)

    def call(
        self,
        method: str,
        what: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        api: str = "run",
    ) -> dict[str, Any]:
        url = f"{self.bases[api]}/{path}"
        session = self.session()
        try:
            answer = session.request(method, url, params=params, json=body, timeout=TIMEOUT)
        except Exception as error:  # noqa: BLE001 - of requests or of google-auth, which may be missing here
            raise _unanswered(method, what, error) from None
        if answer.status_code < 400:
            try:
                found = answer.json()
            except ValueError:
                raise UncertainError(f"{what}: the answer of {self.bases[api]} is not JSON", "try again") from None
            return found if isinstance(found, dict) else {}
        raise refused(method, what, answer.status_code, _error_of(answer))


def _signed_in() -> Any:
    import google.auth
    import google.auth.transport.requests

    try:
        credentials, _project = google.auth.default(scopes=SCOPES)
    except google.auth.exceptions.GoogleAuthError as error:
        raise AdapterError(
            f"there are no Google credentials: {error}",
            "log in where Ansible runs (gcloud auth application-default login), or set GOOGLE_APPLICATION_CREDENTIALS",
        ) from None
    return google.auth.transport.requests.AuthorizedSession(credentials)  # type: ignore[no-untyped-call]  # untyped there


def _unanswered(method: str, what: str, error: Exception) -> AdapterError:
    name = type(error).__name__
    if name in ("RefreshError", "ReauthFailError"):
        return AdapterError(
            f"{what}: Google takes these credentials no longer: {error}",
            "log in again where Ansible runs; nothing is lost: the next run goes on from here",
        )
    said = f"{what}: no answer: {name}: {error}"
    hint = "the next run goes on from where the cloud is"
    return TransientError(said, hint) if method == "GET" else UncertainError(said, hint)


def _error_of(answer: Any) -> dict[str, Any]:
    try:
        error = answer.json()["error"]
        return error if isinstance(error, dict) else {"message": str(error)}
    except (ValueError, KeyError, TypeError):
        return {"message": " ".join(answer.text.split())[:200]}


def refused(method: str, what: str, code: int, error: Mapping[str, Any]) -> AdapterError:
    """The API's own sentence, and what to do about it."""
    said = f"{what}: {error.get('message') or 'refused without a word'} ({error.get('status') or code})"
    if code == 409 and error.get("status") == "ABORTED":
        return Stale(said, "somebody else is at work on this service")
    if code == 401:
        return AdapterError(said, "the credentials have expired or are none: log in again where Ansible runs")
    if code == 403:
        named = re.search(r"[Pp]ermission '?([\w.]+)'?", str(error.get("message")))
        right = f"the permission {named.group(1)}" if named else "the role roles/run.developer"
        return AdapterError(said, f"give whoever runs this {right} on the service, and roles/iam.serviceAccountUser")
    if code == 404:
        return AdapterError(said, "make it first (playbooks/clouds.yml), or correct project, location and name")
    if code == 429:
        return TransientError(said, "a quota is used up for now: wait, or have it raised")
    if code >= 500:
        return TransientError(said) if method == "GET" or code == 503 else UncertainError(said)
    return AdapterError(said)
