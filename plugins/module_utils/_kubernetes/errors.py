# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What the API refuses, as exceptions, and which of it may be tried again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._objects import AdapterError, Fault

# Sentences by which a server says 500 for something that passes: a webhook whose pods are not up yet, a new leader.
PASSING = ("failed calling webhook", "etcdserver:", "leader changed", "connection refused", "try again", "timeout")


class ApiError(AdapterError):
    """An answer that is a refusal. `reason` and `causes` are the API's own."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        causes: Sequence[Mapping[str, Any]] = (),
        where: str = "",
        retry_after: float = 0.0,
    ) -> None:
        self.status, self.reason, self.message, self.causes = status, reason, message, tuple(causes)
        self.where, self.retry_after = where, retry_after
        super().__init__(sentence(self), hint(self))

    @property
    def conflicts(self) -> list[tuple[str, str]]:
        """Of a conflict of field managers: who has which field."""
        return [
            (str(cause.get("message", "")), str(cause.get("field", "")))
            for cause in self.causes
            if cause.get("reason") == "FieldManagerConflict"
        ]

    @property
    def immutable(self) -> bool:
        return self.status == 422 and ("immutable" in self.message or "may not change" in self.message)

    @property
    def unknown_kind(self) -> bool:
        """The path itself is not served, as opposed to an object that is not there."""
        return self.status == 404 and "could not find the requested resource" in self.message


class Unreachable(AdapterError):
    """Nothing was sent: there was no connection."""


class Lost(AdapterError):
    """It was sent, and no answer came."""


class Untrusted(AdapterError):
    """The server's certificate, or ours, is not accepted."""


def holder(message: str) -> str:
    """The manager's name out of `conflict with "kubectl" using apps/v1 at 2026-...`."""
    quoted = message.split('"')
    return quoted[1] if len(quoted) > 2 else message


def sentence(error: ApiError) -> str:
    if error.conflicts:
        by: dict[str, list[str]] = {}
        for message, field in error.conflicts:
            by.setdefault(holder(message), []).append(field.lstrip("."))
        parts = [f"{who} has {', '.join(fields)}" for who, fields in by.items()]
        return f"conflict with another field manager: {'; '.join(parts)}"
    return f"{error.message or error.reason} [{error.status}{f', {error.where}' if error.where else ''}]"


def hint(error: ApiError) -> str:
    if error.conflicts:
        return "leave these fields out, or set force to true to take them over"
    if error.immutable:
        return "set allow_replace to true to delete it and make it anew, if that is meant"
    if error.status == 401:
        return "the login is not valid (any more): renew it"
    if error.status == 403 and "is being terminated" in error.message:
        return "its namespace is being deleted: wait until it is gone and run again"
    if error.status == 403:
        return "give this user that right, or use another one"
    if error.unknown_kind:
        return "its CustomResourceDefinition is not there: add it to the set, or install what brings it"
    if error.status == 404 and error.message.startswith("namespaces "):
        return "add the namespace to the set"
    return ""


def classify(error: Exception) -> Fault:
    if isinstance(error, Lost):
        return Fault.UNCERTAIN
    if isinstance(error, Unreachable):
        return Fault.TRANSIENT
    if isinstance(error, ApiError):
        return _of_status(error)
    return Fault.PERMANENT


def _of_status(error: ApiError) -> Fault:
    if error.status in (429, 503) or (error.status == 409 and not error.conflicts and error.reason == "Conflict"):
        return Fault.TRANSIENT
    if error.status in (502, 504):
        return Fault.UNCERTAIN
    if error.status == 500 and any(text in error.message for text in PASSING):
        return Fault.UNCERTAIN
    return Fault.PERMANENT


def explain(error: Exception) -> tuple[str, str]:
    if isinstance(error, AdapterError):
        return error.sentence, error.hint
    return f"{type(error).__name__}: {error}", ""
