# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What the API refuses, as exceptions: its own sentence, where it was said, and what to do next.

The API answers 500 for nearly everything, and says the same thing at once or later as a task's end. So the sentence
decides, and both ways end in the same class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .._objects import AdapterError, TransientError, UncertainError


class ProxmoxError(AdapterError):
    """Something the API said no to. `sentence` is the API's own, `where` is the request or the task."""

    def __init__(self, sentence: str, hint: str = "", *, status: int = 0, where: str = "") -> None:
        self.status, self.where, self.said = status, where, sentence
        super().__init__(f"{sentence} [{where}]" if where else sentence, hint)


class LoginFailed(ProxmoxError):
    """Wrong user, password, token, or an expired one."""


class Denied(ProxmoxError):
    """A privilege is missing."""


class Invalid(ProxmoxError):
    """A parameter is wrong; `parameters` has the API's text for each."""

    def __init__(self, sentence: str, hint: str = "", *, parameters: Mapping[str, str] | None = None, **more: object):
        self.parameters = dict(parameters or {})
        super().__init__(sentence, hint, **more)  # type: ignore[arg-type] # status and where, checked by ProxmoxError


class NotFound(ProxmoxError):
    """The object is not there."""


class Exists(ProxmoxError):
    """The id or name is taken."""


class Moved(ProxmoxError):
    """The configuration is not the one that the digest was read from."""


class Untrusted(ProxmoxError):
    """The server's certificate cannot be verified."""


class Busy(ProxmoxError, TransientError):
    """No effect: a lock, a missing quorum, a node that cannot be reached. It may work later."""


class Unreachable(Busy):
    """No API host could be reached, so nothing was sent. `never`: nor was there any before, in the same task."""

    never = False


class Uncertain(ProxmoxError, UncertainError):
    """The answer was lost: the call may or may not have had its effect."""


class TaskFailed(ProxmoxError):
    """A task of the node ended in an error. `log` holds its last lines."""

    log: tuple[str, ...] = ()


_LOCK_HELD = re.compile(
    r"can't lock file|trying to ac?quire (?:cfs )?lock|cfs-lock .* (?:error|timeout)|unable to ac?quire lock"
)
_GUEST_LOCK = re.compile(r"VM is locked(?: \((?P<lock>[\w-]+)\))?|CT is locked")
_MISSING = re.compile(
    r"does not exist|unable to find configuration file|^no such |"
    r"no such (?:user|token|resource|task|cluster node|ha rule|storage|group|role|job|pool)",
    re.IGNORECASE,
)
_TAKEN = re.compile(r"already exists|already defined|config file already exists|already a pool member", re.IGNORECASE)
_MOVED = re.compile(r"checksum mismatch|detected modified configuration", re.IGNORECASE)
_QUORUM = re.compile(r"no quorum|cluster not ready", re.IGNORECASE)
# Sentences a proxy or a crashed worker gives instead of the API's own: they tell nothing of the effect.
_NO_SENTENCE = re.compile(
    r"^(?:\d{3}\s*)?(?:internal (?:server )?error|server error|proxy loop detected)?[.!]?$", re.IGNORECASE
)
_GOT_TIMEOUT = re.compile(r"got timeout|connection timed out|timeout waiting", re.IGNORECASE)

_HINTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"storage '([^']+)' does not exist"), "name a storage that `pvesm status` lists on that node"),
    (re.compile(r"bridge '([^']+)' does not exist"), "create the bridge on that node, or name one that it has"),
    (re.compile(r"shrinking disks is not supported"), "Proxmox cannot shrink disks: ask for at least the present size"),
    (re.compile(r"protection mode enabled"), "the guest is protected in Proxmox; lift its protection to go on"),
    (
        re.compile(r"only root can|user != root@pam|Only root"),
        "this needs root@pam with its password; no token may do it",
    ),
    (
        re.compile(r"not enough (?:free )?space|out of space|No space left"),
        "free space on that storage or name another",
    ),
    (re.compile(r"still in use by linked clone"), "remove the linked clones of that disk first"),
)


def hint_for(sentence: str) -> str:
    return next((hint for pattern, hint in _HINTS if pattern.search(sentence)), "")


def lock_of(sentence: str) -> str:
    """The name of the guest lock that a refusal speaks of; empty when it speaks of none."""
    match = _GUEST_LOCK.search(sentence)
    return (match.group("lock") or "unknown") if match else ""


def of_sentence(sentence: str, where: str, *, status: int = 0, write: bool = True) -> ProxmoxError | None:
    """The error that the API's sentence stands for, whichever way it came; None when the sentence decides nothing."""
    hint = hint_for(sentence)
    if _MOVED.search(sentence):
        return Moved(sentence, "somebody changed it since it was read; run again", status=status, where=where)
    if _LOCK_HELD.search(sentence) or _GUEST_LOCK.search(sentence):
        held = lock_of(sentence)
        what = f"the lock '{held}' goes when its task ends; `qm unlock` on its node removes a dead one" if held else ""
        return Busy(sentence, hint or what, status=status, where=where)
    if _QUORUM.search(sentence):
        return Busy(sentence, "bring back enough nodes for a quorum", status=status, where=where)
    if _TAKEN.search(sentence):
        return Exists(sentence, hint, status=status, where=where)
    if _MISSING.search(sentence):
        return NotFound(sentence, hint, status=status, where=where)
    if _GOT_TIMEOUT.search(sentence):
        kind = Uncertain if write else Busy
        return kind(sentence, "the node is slow or stuck; look at its task log", status=status, where=where)
    return None


def of_answer(
    status: int, reason: str, parameters: Mapping[str, object] | None, where: str, *, write: bool
) -> ProxmoxError:
    """The error for an answer of the API with a status of 400 or more."""
    said = {str(k): str(v).strip() for k, v in (parameters or {}).items() if k != "errors"}
    sentence = reason.strip() or f"HTTP status {status} without a reason"
    if said:
        sentence = f"{sentence.rstrip('.')}: " + "; ".join(f"{name}: {text}" for name, text in sorted(said.items()))
    if status == 401:
        advice = "check api_user with api_password, or api_token_id with api_token_secret (and that none has expired)"
        return LoginFailed(sentence, advice, status=status, where=where)
    if status == 403:
        return Denied(sentence, _grant(sentence), status=status, where=where)
    if status == 595 or (status >= 595 and not write):
        return Busy(sentence, "the node that the call was for cannot be reached", status=status, where=where)
    if status > 595:
        return Uncertain(sentence, "the node stopped answering during the call", status=status, where=where)
    if status in (502, 504) or (status == 500 and _NO_SENTENCE.match(reason.strip())):
        kind = Uncertain if write else Busy
        return kind(sentence, "something between here and the API failed", status=status, where=where)
    if status in (429, 503):
        return Busy(sentence, "the API is overloaded or restarting", status=status, where=where)
    known = of_sentence(sentence, where, status=status, write=write)
    if known is not None:
        return known
    if status == 400:
        return Invalid(sentence, hint_for(sentence), status=status, where=where, parameters=said)
    if status == 501:
        return ProxmoxError(sentence, "this Proxmox VE release does not know that call", status=status, where=where)
    return ProxmoxError(sentence, hint_for(sentence), status=status, where=where)


def _grant(sentence: str) -> str:
    match = re.search(r"\(([^(),]+), ([\w.|]+)\)", sentence)
    if match:
        path, privileges = match.groups()
        return f"give the user or token a role with {privileges.replace('|', ' or ')} on {path}"
    return hint_for(sentence) or "give the user or token the missing privilege"
