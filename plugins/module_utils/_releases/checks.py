# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Looks at a version from outside: its health, a command of the team's, what users got from it."""

from __future__ import annotations

import http.client
import os
import ssl
import subprocess
from collections.abc import Callable
from urllib.parse import urlsplit

from .._wait import Clock, Deadline, WaitFailed, Waiting, wait_for
from .model import Limits, Port, Stand

# So many answers in a row: a single one says little, of either kind.
IN_A_ROW = 3
# Below this, one unlucky user would be an error rate.
FEWEST = 20
TIMEOUT = 10.0

Look = Callable[[str, tuple[tuple[str, str], ...]], str]


def get(url: str, headers: tuple[tuple[str, str], ...] = ()) -> str:
    """Empty when `url` answers with less than 400; what is wrong otherwise."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"{url} is not an address of http or https"
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=TIMEOUT, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT)
    try:
        connection.request(
            "GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=dict(headers)
        )
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return f"{url} does not answer: {error or type(error).__name__}"
    finally:
        connection.close()
    return "" if answer.status < 400 else f"{url} answers {answer.status} {answer.reason}"


def health_url(stand: Stand, limits: Limits) -> str:
    base = limits.url or (stand.new.url if stand.new else "")
    return base.rstrip("/") + "/" + limits.health.lstrip("/")


def before_users(stand: Stand, limits: Limits, deadline: Deadline, look: Look = get) -> str:
    """Why the new version must not get a user; empty when it may."""
    if limits.health:
        said = _healthy(health_url(stand, limits), limits, deadline, look)
        if said:
            return said
    return smoke(stand, limits) if limits.smoke else ""


def _healthy(url: str, limits: Limits, deadline: Deadline, look: Look) -> str:
    good = 0

    def probe() -> bool | Waiting:
        nonlocal good
        wrong = look(url, limits.headers)
        good = 0 if wrong else good + 1
        return True if good >= IN_A_ROW else Waiting(wrong or f"{url} answered {good} times in a row")

    try:
        wait_for("the new version's health", probe, deadline.within(limits.patience))
    except WaitFailed as failed:
        return failed.cause
    return ""


def smoke(stand: Stand, limits: Limits) -> str:
    new = stand.new
    url = limits.url or (new.url if new else "")
    known = {"SOCLE_URL": url, "SOCLE_SERVICE": stand.service, "SOCLE_IMAGE": stand.record.image}
    try:
        ended = subprocess.run(
            limits.smoke,
            env={**os.environ, **known},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=limits.smoke_timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the smoke command {limits.smoke[0]} did not end within {limits.smoke_timeout:.0f} s"
    except OSError as error:
        return f"the smoke command {limits.smoke[0]} cannot be started: {error}"
    if ended.returncode == 0:
        return ""
    last = " ".join(ended.stdout.decode(errors="replace").split())[-300:]
    return f"the smoke command {limits.smoke[0]} ended with {ended.returncode}: {last or 'it said nothing'}"


class Watcher:
    """Watches a version while users have it."""

    def __init__(self, port: Port, limits: Limits, clock: Clock, look: Look = get) -> None:
        self.port, self.limits, self.clock, self.look = port, limits, clock, look
        self.began = clock.now()
        self.bad = 0

    def wrong(self, stand: Stand) -> str:
        """Why the version must lose its users; empty when all is well so far."""
        ringing = self.port.alarms(stand)
        if ringing:
            return f"alarm {', '.join(ringing)}"
        if self.limits.max_errors is not None:
            rate = self.port.rate(stand, max(60.0, self.clock.now() - self.began))
            if rate is not None and rate.answers >= FEWEST and rate.percent > self.limits.max_errors:
                return (
                    f"{rate.percent:.1f} % of {rate.answers} answers to users were errors, "
                    f"at most {self.limits.max_errors:g} % are allowed"
                )
        if self.limits.health:
            said = self.look(health_url(stand, self.limits), self.limits.headers)
            self.bad = self.bad + 1 if said else 0
            if self.bad >= IN_A_ROW:
                return said
        return ""
