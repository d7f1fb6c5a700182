# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks: tickets, the token against forged requests, API tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from urllib.parse import unquote

from .errors import EmptyError
from .world import Fleet, Site, check_password

LIFETIME = 7200
GRACE = 300


@dataclass(frozen=True)
class Principal:
    """`user` is user@realm, or user@realm!token."""

    user: str
    by_ticket: bool


def _sign(site: Site, text: str) -> str:
    mac = hmac.new(site.secret.encode(), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(mac).decode().rstrip("=")


def ticket(site: Site, user: str, now: float) -> str:
    body = f"PVE:{user}:{int(now):08X}"
    return f"{body}::{_sign(site, body)}"


def csrf(site: Site, user: str, now: float) -> str:
    stamp = f"{int(now):08X}"
    return f"{stamp}:{_sign(site, f'csrf {stamp}:{user}')}"


def _age_ok(fleet: Fleet, stamp: str) -> bool:
    issued = int(stamp, 16)
    now = fleet.clock.now()
    return issued >= int(fleet.tickets_since) and -GRACE < now - issued < LIFETIME


def ticket_user(fleet: Fleet, site: Site, text: str) -> str | None:
    """The user of a ticket that is genuine and still good."""
    match = re.fullmatch(r"(PVE:(\S+):([0-9A-F]{8}))::(\S+)", text)
    if not match or not hmac.compare_digest(match[4], _sign(site, match[1])):
        return None
    return match[2] if _age_ok(fleet, match[3]) and site.user_enabled(match[2], fleet.clock.now()) else None


def _csrf_ok(fleet: Fleet, site: Site, user: str, text: str) -> bool:
    stamp, _unused, mac = text.partition(":")
    if not re.fullmatch(r"[0-9A-F]{8}", stamp) or not mac:
        return False
    return hmac.compare_digest(mac, _sign(site, f"csrf {stamp}:{user}")) and _age_ok(fleet, stamp)


def _token_user(fleet: Fleet, site: Site, header: str) -> str | None:
    match = re.fullmatch(r"PVEAPIToken[= ]([^\s!=]+)!([^\s=]+)=(\S+)", header.strip())
    if not match:
        return None
    user, name, secret = match.groups()
    settings = site.users.get(user, {}).get("tokens", {}).get(name)
    now = fleet.clock.now()
    if not settings or not site.user_enabled(user, now) or not hmac.compare_digest(settings["secret"], secret):
        return None
    expire = settings.get("expire", 0)
    return f"{user}!{name}" if not expire or expire > now else None


def identify(fleet: Fleet, site: Site, headers: dict[str, str], method: str) -> Principal:
    """Who this request comes from; 401 with an empty body when that cannot be said. A cookie wins over a token."""
    match = re.search(r"(?:^|;\s*)PVEAuthCookie=([^;]+)", headers.get("cookie", ""))
    if match:
        user = ticket_user(fleet, site, unquote(match[1]))
        if user is None:
            raise EmptyError(401, "Authentication failed!")
        if method != "GET" and not _csrf_ok(fleet, site, user, headers.get("csrfpreventiontoken", "")):
            raise EmptyError(401, "Permission denied - invalid csrf token")
        return Principal(user, by_ticket=True)
    header = headers.get("authorization", "")
    if not header.startswith("PVEAPIToken"):
        raise EmptyError(401, "No ticket")
    token = _token_user(fleet, site, header)
    if token is None:
        raise EmptyError(401, "Authentication failed!")
    return Principal(token, by_ticket=False)


def password_ok(fleet: Fleet, site: Site, user: str, password: str) -> bool:
    """A password, or a ticket that is still good in its place (that is how a ticket is renewed)."""
    if password.startswith("PVE:"):
        return ticket_user(fleet, site, password) == user
    return site.user_enabled(user, fleet.clock.now()) and check_password(site, user, password)
