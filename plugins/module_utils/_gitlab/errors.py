# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What went wrong, in sentences: the API's own words, and what to do next."""

from __future__ import annotations

import json
from typing import Any

from .._objects import AdapterError

ANOTHER_ONE = (
    "make a token with the scope api that has not expired, and give it as api_token; what is done stays, run again"
)


class ApiError(AdapterError):
    """An answer of the API that is an error."""

    def __init__(self, status: int, text: str, hint: str = "", *, route: bool = False) -> None:
        self.status, self.text = status, text
        self.no_such_route = route
        """The server has no such route, as one without the feature."""
        super().__init__(f"GitLab answered {status}: {text}", hint)


def words(body: Any) -> str:
    """An error's text, whichever of its shapes it has: text, a list of sentences, or sentences for each field."""
    if isinstance(body, dict):
        said = [
            f"{name} {text}" if isinstance(text, str) else f"{name} {', '.join(map(str, text))}"
            for name, text in body.items()
        ]
        return "; ".join(said)
    if isinstance(body, list):
        return "; ".join(map(str, body))
    return str(body)


def parse(content: bytes) -> tuple[Any, str]:
    """The body of an error, and its text."""
    try:
        body = json.loads(content)
    except ValueError:
        return None, content.decode("utf-8", "replace").strip()[:300] or "(no text)"
    if not isinstance(body, dict):
        return body, words(body)
    if "message" in body:
        return body, words(body["message"])
    text = words(body.get("error", body))
    if body.get("error_description"):
        text = f"{text}: {body['error_description']}"
    return body, text


def api_error(status: int, content: bytes, what: str) -> ApiError:
    """`what` is the request, as in `POST /projects`."""
    body, text = parse(content)
    route = status == 404 and isinstance(body, dict) and "error" in body
    return ApiError(status, f"{text} ({what})", _hint(status, text, body, route), route=route)


def _hint(status: int, text: str, body: Any, route: bool) -> str:
    if status == 401:
        return ANOTHER_ONE
    if status == 403 and isinstance(body, dict) and body.get("error") == "insufficient_scope":
        return f"the token lacks the scope {body.get('scope') or 'api'}; " + ANOTHER_ONE
    if status == 403:
        return "the token's user needs to be Maintainer of the project or Owner of the group, or the server lacks it"
    if route:
        return "this server has no such feature: it may need GitLab Premium or a newer version"
    if status == 404:
        return "it is not there, or the token's user may not see it"
    if status == 405 and "moved" in text:
        return "name it by its new path"
    if status == 422 and "local network" in text:
        return "an administrator can allow it: Admin, Settings, Network, Outbound requests"
    if status >= 500:
        return "look into the server's exceptions_json.log, then run again"
    return ""
