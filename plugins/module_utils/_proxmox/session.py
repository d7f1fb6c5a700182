# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What adapters of the API have in common: one connection for a task, its errors, and values as the API writes them."""

from __future__ import annotations

import re
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from .._objects import Fault, Reader, Writer
from .client import LibraryMissing, Proxmox, classify, explain
from .errors import LoginFailed
from .options import connection_of, connection_problems

T = TypeVar("T")
R = TypeVar("R")

READERS = 6


def missing_libraries() -> list[tuple[str, str | None]]:
    """For an Adapter's `requires`."""
    missing: list[tuple[str, str | None]] = []
    try:
        import requests  # noqa: F401
    except ImportError:
        missing.append(("requests", traceback.format_exc()))
    try:
        import proxmoxer  # noqa: F401
    except ImportError:
        missing.append(("proxmoxer", traceback.format_exc()))
    return missing


class Session:
    """The one connection of a task, opened by its first use and shared by the reader and every writer."""

    def __init__(self) -> None:
        self._params: Mapping[str, Any] = {}
        self._pve: Proxmox | None = None
        self._lock = threading.Lock()
        self.writing = threading.Lock()

    def of(self, params: Mapping[str, Any]) -> Session:
        self._params = params
        return self

    @property
    def pve(self) -> Proxmox:
        with self._lock:
            if self._pve is None:
                problems = connection_problems(self._params)
                if problems:
                    raise LoginFailed("; ".join(problems))
                try:
                    self._pve = Proxmox(connection_of(self._params))
                except LibraryMissing as error:
                    raise LoginFailed(f"the Python library {error.library} is missing", "install it") from None
            return self._pve

    def close(self) -> None:
        with self._lock:
            if self._pve is not None:
                self._pve.close()

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """`work` for each item, side by side; the results in their order."""
        todo = list(items)
        if len(todo) < 2:
            return [work(item) for item in todo]
        with ThreadPoolExecutor(min(READERS, len(todo)), thread_name_prefix="proxmox-read") as pool:
            return list(pool.map(work, todo))


class ApiReader(Reader):
    """A Reader whose errors are the API's."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def classify(self, error: Exception) -> Fault:
        return classify(error)

    def explain(self, error: Exception) -> tuple[str, str]:
        return explain(error)


class ApiWriter(Writer):
    def __init__(self, session: Session) -> None:
        self.session = session


def words(value: Any) -> list[str]:
    """A list as the API writes it ('a,b' or 'a;b' or 'a b'), sorted: its order means nothing."""
    if isinstance(value, (list, tuple)):
        return sorted({str(item) for item in value})
    return sorted({item for item in re.split(r"[,; ]+", str(value or "")) if item})


def flag(value: Any) -> bool:
    return str(value).lower() in ("1", "true", "yes", "on")


def missing_names(kind: str, named: Iterable[str], there: Sequence[str], whose: str) -> list[str]:
    """A sentence for each name that the live system does not have."""
    return [
        f"{whose}: there is no {kind} {name}; there are {', '.join(sorted(there)) or 'none'}"
        for name in sorted(set(named) - set(there))
    ]
