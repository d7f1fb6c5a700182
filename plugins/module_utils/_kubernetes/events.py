# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What Kubernetes said about an object in passing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .api import Api, segment
from .errors import ApiError


def warning(api: Api, namespace: str, name: str) -> str:
    """The newest warning about an object, or about what it made (whose names begin with its own)."""
    if not namespace:
        return ""
    try:
        rows = api.listed(f"/api/v1/namespaces/{segment(namespace)}/events", {"fieldSelector": "type=Warning"})
    except ApiError:
        # Who may not read events still is told the rest.
        return ""
    mine = [row for row in rows if _about(row, name)]
    if not mine:
        return ""
    last = max(mine, key=lambda row: str(row.get("lastTimestamp") or row.get("eventTime") or ""))
    return f"{last['involvedObject'].get('kind')} {last['involvedObject'].get('name')}: {last.get('message')}"


def _about(row: Mapping[str, Any], name: str) -> bool:
    about = str((row.get("involvedObject") or {}).get("name", ""))
    return about == name or about.startswith(f"{name}-")
