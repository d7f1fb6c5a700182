# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the API says no."""

from __future__ import annotations

BAD_PARAMETERS = "Parameter verification failed."


class ApiError(Exception):
    """An answer with a status of 400 or more; `message` is what the client reads as the reason."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: dict[str, str] | None = None,
        *,
        newline: bool = True,
        delay: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.delay = delay
        self.status = status
        self.message = message
        self.errors = errors
        self.newline = newline


class EmptyError(ApiError):
    """An answer whose body is empty (401) or plain text (501, 506): not every refusal carries JSON."""

    def __init__(self, status: int, message: str, body: str = "") -> None:
        super().__init__(status, message)
        self.body = body


class TaskError(Exception):
    """Ends a task; the text becomes its exit status."""


def bad(**errors: str) -> ApiError:
    """400 with one text per parameter (`_` in a keyword stands for `-`)."""
    return bad_params({name.replace("_", "-"): text for name, text in errors.items()})


def bad_params(errors: dict[str, str]) -> ApiError:
    return ApiError(400, BAD_PARAMETERS, errors)


def fail(message: str) -> ApiError:
    """500, which this API uses for nearly everything, missing objects included."""
    return ApiError(500, message)


def forbidden(what: str = "") -> ApiError:
    return ApiError(403, f"Permission check failed ({what})" if what else "Permission check failed")


def locked(lock: str) -> ApiError:
    return fail(f"VM is locked ({lock})")
