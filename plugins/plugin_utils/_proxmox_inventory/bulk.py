# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Thousands of small reads. What the transport would do for each of them takes longer here than the answer itself.

Anything but a plain answer is left to the transport: another host, another login, retries, errors.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible_collections.socle.platform.plugins.module_utils._proxmox.client import Proxmox
from ansible_collections.socle.platform.plugins.module_utils._proxmox.errors import (
    Busy,
    LoginFailed,
    Uncertain,
    of_answer,
)


class Bulk:
    """GETs on a keep-alive connection for each thread, with the login that the transport has."""

    def __init__(self, pve: Proxmox) -> None:
        self._pve = pve
        self._own = threading.local()
        self._opened: list[http.client.HTTPSConnection] = []
        self._host, self._headers = pve.entrance()
        self._context = _context(pve.connection.verify) if self._headers else None

    def close(self) -> None:
        for connection in self._opened:
            with contextlib.suppress(OSError):
                connection.close()

    def get(self, path: str) -> Any:
        if self._context is None:
            return self._pve.get(path)
        connection = self._connection(self._context)
        try:
            connection.request("GET", "/api2/json" + quote(path), headers=self._headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 200:
                return json.loads(body)["data"]
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            connection.close()
            return self._pve.get(path)
        error = of_answer(answer.status, answer.reason, None, f"GET {path} at {self._host}", write=False)
        if isinstance(error, (Busy, Uncertain, LoginFailed)):
            return self._pve.get(path)
        raise error

    def _connection(self, context: ssl.SSLContext) -> http.client.HTTPSConnection:
        found: http.client.HTTPSConnection | None = getattr(self._own, "connection", None)
        if found is None:
            host, _colon, port = self._host.rpartition(":")
            timeout = self._pve.connection.timeout
            found = http.client.HTTPSConnection(host.strip("[]"), int(port), timeout=timeout, context=context)
            self._own.connection = found
            self._opened.append(found)
        return found


def _context(verify: bool | str) -> ssl.SSLContext | None:
    if verify is False:
        # The user said so: validate_certs is off.
        return ssl._create_unverified_context()  # noqa: S323
    try:
        if isinstance(verify, str):
            folder = Path(verify).is_dir()
            return ssl.create_default_context(capath=verify if folder else None, cafile=None if folder else verify)
        import certifi

        return ssl.create_default_context(cafile=certifi.where())
    except (ImportError, OSError):
        return None
