# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Diagnostics as sentences: the resource, file and line, what was said, what to do. Not the 300 lines around it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .._objects import AdapterError

Diagnostic = Mapping[str, Any]

NEEDS_INIT = re.compile(r"\b(?:terraform|tofu) init\b")
LOCKED = re.compile(r"acquiring the state lock|state lock", re.IGNORECASE)
# Whatever else is missing, these are wrong in the configuration or its values: no other layer will mend them.
DEFINITE = re.compile(
    r"Invalid value for (?:input )?variable|No value for required variable"
    r"|Unsupported (?:argument|block type|attribute)"
    r"|Missing required argument|Invalid resource type|Unsupported Terraform Core version"
    r"|Unsupported OpenTofu Core version|Reference to undeclared"
    r"|Argument or block definition required|Invalid expression"
)
PERMISSION = (
    re.compile(r"[Pp]ermission[s]? [`'\"]?([a-z][\w-]*(?:\.[\w-]+)+)[`'\"]?"),
    re.compile(r"[`'\"]([a-z][\w-]*(?:\.[a-zA-Z][\w-]+){2,})[`'\"] (?:permission|denied)"),
    re.compile(r"not authorized to perform:? [`'\"]?([a-z0-9-]+:[A-Za-z0-9*]+)"),
    re.compile(r"missing (?:the )?permission[s]?:? [`'\"]?([\w.:-]+)"),
    re.compile(r"insufficient permissions: ([^,;\n]+)"),
)
HINTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"quota|limit ?exceeded|too many .* in use|rateLimitExceeded", re.IGNORECASE),
        "ask the cloud for a higher quota, or free what is not needed, then run again: what is done stays done",
    ),
    (
        re.compile(r"ExpiredToken|token (?:has|is) expired|expired token|invalid_grant|reauth|SSO session has expired"
                   r"|InvalidClientTokenId|RequestExpired", re.IGNORECASE),
        "the credentials have expired: log in again (or renew the job's token), then run again",
    ),
    (
        re.compile(
            r"could not find default credentials|No valid credential|no (?:valid )?credentials|Unable to locate cred"
            r"|Attempted to load application default credentials|access key.*(?:missing|required)"
            r"|Unauthenticated|\b401\b",
            re.IGNORECASE,
        ),
        "give credentials in `credentials`, or log in where Ansible runs",
    ),
    (
        re.compile(r"SERVICE_DISABLED|has not been used in project|API .* is (?:not enabled|disabled)", re.IGNORECASE),
        "switch that API on in the project (the layer gcp_project does), wait a few minutes, then run again",
    ),
    (
        re.compile(r"not available in (?:the )?(?:region|zone|location)|unsupported (?:region|location)"
                   r"|not supported in (?:this |the )?(?:region|zone|location)"
                   r"|zones? do(?:es)? not support|invalid AWS Region|Unknown region|UnsupportedAvailabilityZone"
                   r"|Location \S+ is not found|Permission denied on '?locations?/|dial tcp: lookup \S+: no such host",
                   re.IGNORECASE),
        "take another region, or another machine type or product that this region has; a misspelt region says the same",
    ),
    (
        re.compile(r"RESOURCE_POOL_EXHAUSTED|does not have enough resources|InsufficientInstanceCapacity"
                   r"|sufficient capacity|out of stock", re.IGNORECASE),
        "the cloud has none left there at the moment: take another zone or machine type, or run again later",
    ),
    (
        re.compile(r"Throttling|Rate exceeded|\b429\b|Too Many Requests", re.IGNORECASE),
        "the cloud slows this account down: wait some minutes, then run again: what is done stays done",
    ),
    (
        re.compile(r"overlap|conflicts with (?:an )?existing subnet", re.IGNORECASE),
        "give networks that are joined ranges that do not overlap",
    ),
    (
        re.compile(r"already exists|alreadyExists|409.*exist|EntityAlreadyExists|BucketAlready", re.IGNORECASE),
        "it is there and not in this state: take it over with `imports`, or rename one of the two",
    ),
    (
        re.compile(r"deletion_protection|deletion protection|prevent_destroy", re.IGNORECASE),
        "set the layer's deletion protection to false, apply that, and then remove it",
    ),
    (
        re.compile(r"Saved plan is stale|plan file can no longer be applied", re.IGNORECASE),
        "somebody has changed this state since the plan was made: run again",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Lock:
    """Who holds a state, as the backend tells it."""

    identity: str
    who: str
    operation: str
    created: str

    def sentence(self, now: datetime | None = None) -> str:
        since = _age(self.created, now or datetime.now(timezone.utc))
        doing = self.operation.removeprefix("OperationType").lower() or "unknown operation"
        return f"the state is locked by {self.who or 'somebody'} ({doing}) since {since}"


def lock_in(diagnostics: Iterable[Diagnostic]) -> Lock | None:
    """The lock that a command met, if that is why it failed."""
    for one in diagnostics:
        text = f"{one.get('summary', '')}\n{one.get('detail', '')}"
        if LOCKED.search(text):
            told = dict(re.findall(r"^\s*(ID|Who|Operation|Created):\s*(.*?)\s*$", text, re.MULTILINE))
            if other := re.search(r"already locked: ID=(\S+)", text):
                # The http backend names the holder's id alone, and then describes the lock that we asked for.
                return Lock(other[1], "", "", "")
            if told.get("ID"):
                found = (told.get(key, "") for key in ("ID", "Who", "Operation", "Created"))
                return Lock(*found)
    return None


def _age(created: str, now: datetime) -> str:
    # Go prints nanoseconds and names the zone twice: 2026-11-21 15:06:24.531883 +0000 UTC
    match = re.match(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)? ?(?:\+0000|Z)", created)
    if not match:
        return created or "an unknown time"
    began = datetime.fromisoformat(f"{match[1]}T{match[2]}+00:00")
    minutes = int((now - began).total_seconds() // 60)
    ago = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"
    return f"{match[1]} {match[2]} UTC, {ago} ago"


def errors_of(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    return [one for one in diagnostics if one.get("severity") == "error"]


def sentence(one: Diagnostic, folder: str = "") -> str:
    """One diagnostic: resource, place, summary, and the first paragraph of its detail."""
    where = one.get("range") or {}
    file = str(where.get("filename", "")).removeprefix("layer/").removeprefix(folder)
    line = (where.get("start") or {}).get("line")
    place = f"{file}:{line}" if file and line else file
    address = str(one.get("address", "")).removeprefix("module.layer.")
    if not address:
        context = str((one.get("snippet") or {}).get("context") or "")
        match = re.match(r'(resource|data) "([^"]+)" "([^"]+)"', context)
        if match:
            address = f"{'data.' if match[1] == 'data' else ''}{match[2]}.{match[3]}"
    said = " ".join(str(one.get("summary", "")).split()).rstrip(".:")
    detail = " ".join(str(one.get("detail", "")).split("\n\n", maxsplit=1)[0].split())
    head = address or place
    if address and place:
        head = f"{address} ({place})"
    text = f"{said}: {detail}" if detail and detail != said else said
    return f"{head}: {_cut(text)}" if head else _cut(text)


def _cut(text: str, most: int = 600) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def hint_for(diagnostics: Sequence[Diagnostic]) -> str:
    """What to do about the first cause that is known."""
    texts = [f"{one.get('summary', '')}\n{one.get('detail', '')}" for one in diagnostics]
    for text in texts:
        for pattern in PERMISSION:
            if match := pattern.search(text):
                return f"the account lacks the permission {match[1]}: give it a role that holds it, then run again"
    for text in texts:
        for pattern, hint in HINTS:
            if pattern.search(text):
                return hint
    return ""


def failure(diagnostics: Sequence[Diagnostic], what: str, text: str = "", lock: Lock | None = None) -> AdapterError:
    """The error of a command: each distinct diagnostic once, with what to do."""
    errors = errors_of(diagnostics)
    lock = lock or lock_in(errors)
    if lock is not None:
        return AdapterError(
            lock.sentence(),
            f"if nobody works there any more, run again with `unlock: ['{lock.identity}']`; else wait for them",
        )
    said = list(dict.fromkeys(sentence(one) for one in errors))
    if not said:
        said = [_cut(" ".join(text.split())) or "it ended without saying why"]
    shown = said[:5]
    if len(said) > len(shown):
        shown.append(f"and {len(said) - len(shown)} more")
    return AdapterError(f"{what} failed: {'; '.join(shown)}", hint_for(errors))
