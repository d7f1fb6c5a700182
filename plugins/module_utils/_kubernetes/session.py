# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What adapters of the API have in common: one connection for a task, and its errors."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from .._objects import AdapterError, Fault, Reader
from .._wait import Deadline, WaitFailed, wait_for
from . import errors
from .api import URLLIB3_MISSING, Api
from .config import access
from .discovery import Discovery

# How long the API may be away before a task begins: a leader that moves, a load balancer that notices.
AWAY = 30.0


def missing_libraries() -> list[tuple[str, str | None]]:
    """For an Adapter's `requires`."""
    return [("urllib3", URLLIB3_MISSING)]


class Session:
    """The one connection of a task, opened by its first use and shared by the reader and every writer."""

    def __init__(self) -> None:
        self._parameters: Mapping[str, Any] = {}
        self._api: Api | None = None
        self._discovery: Discovery | None = None
        self._lock = threading.RLock()

    def of(self, parameters: Mapping[str, Any]) -> Session:
        self._parameters = parameters
        return self

    @property
    def api(self) -> Api:
        with self._lock:
            if self._api is None:
                self._api = Api(access(self._parameters), float(self._parameters.get("api_timeout") or 60.0))
            return self._api

    @property
    def discovery(self) -> Discovery:
        with self._lock:
            if self._discovery is None:
                self._discovery = Discovery(self.api)
            return self._discovery

    def learn(self, api_versions: set[str]) -> Discovery:
        """Know the kinds of these groups; waits a little for an API that is away."""

        def ask() -> bool:
            self.discovery.ask(api_versions)
            return True

        deadline = Deadline(min(AWAY, float(self._parameters.get("deadline") or AWAY)))
        try:
            wait_for(
                "reading the kinds that the cluster has",
                ask,
                deadline,
                transient=lambda error: errors.classify(error) is not Fault.PERMANENT,
            )
        except WaitFailed as error:
            raise AdapterError(str(error)) from None
        return self.discovery

    def close(self) -> None:
        with self._lock:
            if self._api is not None:
                self._api.close()


class ApiReader(Reader):
    """A Reader whose errors are the API's."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def classify(self, error: Exception) -> Fault:
        return errors.classify(error)

    def explain(self, error: Exception) -> tuple[str, str]:
        return errors.explain(error)
