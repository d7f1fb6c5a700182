# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What can go wrong with a secret. No message ever carries a value."""

from __future__ import annotations


class SecretError(Exception):
    """Says which secret (or store), what was found, and the next thing to do."""

    def __init__(self, what: str, found: str, todo: str, where: str = "") -> None:
        self.what = what
        self.found = found
        self.todo = todo
        self.where = where
        super().__init__(what, found, todo, where)

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.what}{place}: {self.found.rstrip('.')}. {self.todo}"


class UsageError(SecretError):
    """The request itself is wrong: a path, a kind, an option."""


class MissingSecret(SecretError):
    """There is none, and it was not to be made."""


class KindMismatch(SecretError):
    """There is one, of another kind."""


class StoreError(SecretError):
    """The backend refused, or cannot be reached."""


class Conflict(StoreError):
    """Another run was first."""


class MissingLibrary(SecretError):
    """A Python library is not installed where this runs."""

    def __init__(self, library: str, needed_for: str, problem: str) -> None:
        super().__init__(
            f"the Python library {library} is needed for {needed_for}",
            f"it cannot be imported here ({problem})",
            f"Install it for the Python that runs this: python -m pip install {library}",
        )
