# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""`gitlab/root_password#password`: where a secret is, and which of its fields is meant."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import UsageError

# Vault's policies give `*` and `+` a meaning, and `..` would leave the mount.
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@=-]*\Z")
FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")


@dataclass(frozen=True)
class Reference:
    path: str
    field: str | None = None

    def __str__(self) -> str:
        return f"{self.path}#{self.field}" if self.field else self.path


def check_path(path: str) -> str:
    """The path as given, or an error that names the part which is wrong."""
    if not isinstance(path, str) or not path:
        raise UsageError("a secret's path", f"{path!r} is not a path", "Write one such as gitlab/root_password.")
    for segment in path.split("/"):
        if not _SEGMENT.match(segment):
            raise UsageError(
                f"secret path {path!r}",
                f"the part {segment!r} is not a name",
                "Parts are separated by single slashes, begin with a letter, digit or underscore, "
                "and hold only letters, digits and _ . @ = -",
            )
    if len(path) > 255:
        raise UsageError(f"secret path {path[:40]!r}...", f"it has {len(path)} characters", "Use at most 255.")
    return str(path)


def parse(text: str) -> Reference:
    """Read `path` or `path#field`."""
    if not isinstance(text, str):
        raise UsageError(
            "a secret reference", f"{type(text).__name__} is not text", "Write one such as gitlab/root_password."
        )
    path, mark, field = text.strip().partition("#")
    path = check_path(path)
    if mark and not FIELD.match(field):
        raise UsageError(
            f"secret reference {text!r}",
            f"{field!r} after # is not a field name",
            "Write path#field, such as gitlab/deploy_key#public_key.",
        )
    return Reference(path, field or None)
