# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Mappings as TOML. Python reads it and does not write it; what filters need of it is this little."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def merged(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what `extra` says instead, table by table."""
    found = dict(base)
    for name, value in extra.items():
        both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
        found[name] = merged(found[name], value) if both else value
    return found


def toml(table: Mapping[str, Any], path: tuple[str, ...] = (), *, listed: bool = False) -> str:
    """A table with those inside of it. A listed one stands in double brackets; one without a value needs no heading."""
    plain = "".join(f"{key(name)} = {value(v)}\n" for name, v in table.items() if not isinstance(v, Mapping))
    heading = ".".join(key(part) for part in path)
    if listed:
        plain = f"[[{heading}]]\n{plain}"
    elif path and plain:
        plain = f"\n[{heading}]\n{plain}"
    return plain + "".join(toml(v, (*path, str(name))) for name, v in table.items() if isinstance(v, Mapping))


def key(name: Any) -> str:
    return str(name) if _BARE.fullmatch(str(name)) else value(str(name))


def value(found: Any) -> str:
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int):
        return str(int(found))
    if isinstance(found, (list, tuple)):
        return f"[{', '.join(value(item) for item in found)}]"
    if isinstance(found, str):
        escaped = "".join(f"\\u{ord(c):04X}" if c in '"\\' or ord(c) < 32 or ord(c) == 127 else c for c in found)
        return f'"{escaped}"'
    raise AnsibleFilterError(
        f"{found!r} is a {type(found).__name__}, which TOML here does not take; wanted are texts, whole numbers, "
        "truth values, lists and mappings"
    )
