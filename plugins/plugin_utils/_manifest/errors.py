# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What is wrong with a manifest, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Path = tuple[Any, ...]

SHOWN = 50


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (`error`) or unwise (`warning`), with its place in the file (both counted from 1)."""

    path: Path
    line: int
    column: int
    what: str
    wanted: str = ""
    hint: str = ""
    severity: str = "error"

    def dotted(self) -> str:
        return dotted(self.path)

    def sentence(self) -> str:
        """All but the place, on one line."""
        parts = [self.what]
        if self.wanted:
            parts.append(f"wanted: {self.wanted}")
        if self.hint:
            parts.append(self.hint)
        return "; ".join(parts)

    def lines(self, file: str) -> list[str]:
        head = f"{file}:{self.line}:{self.column}: "
        where = self.dotted()
        out = [head + (f"{where}: " if where else "") + self.what]
        if self.wanted:
            out.append(f"    wanted: {self.wanted}")
        if self.hint:
            out.append(f"    {self.hint}")
        return out


@dataclass
class Result:
    """A manifest that was read: either `platform` is set, or `errors` says why not."""

    file: str
    platform: Any = None
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.errors


def dotted(path: Path) -> str:
    """`('machines', 'worker', 'on', 0)` is shown as `machines.worker.on[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + shown(part, 60)
    return text


def shown(value: Any, limit: int = 80) -> str:
    """A value as the user wrote it, on one line and never longer than a line."""
    text = str(value)
    text = "".join(char if char.isprintable() else "?" for char in text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 3] + "..."


# What other tools call it.
_ELSEWHERE = {
    "cpu": "cores",
    "cpus": "cores",
    "vcpus": "cores",
    "ram": "memory",
    "mem": "memory",
    "replicas": "count",
    "instances": "count",
    "number": "count",
    "ip": "address",
    "ips": "addresses",
    "host": "address",
    "cidr": "network",
    "subnet": "network",
    "vmid": "ids",
    "hypervisor": "on",
    "node": "on",
    "cluster": "on",
    "cni": "network",
    "from": "source",
    "promote_from": "source",
    "promotes_from": "source",
    "after": "source",
    "approval": "gate",
    "database": "needs",
    "requires": "needs",
    "type": "kind",
    "provider": "kind",
    "zone": "region",
    "location": "region",
    "fqdn": "domain",
    "mail": "email",
    "users": "people",
    "redis": "valkey",
    "mariadb": "mysql",
    "mongo": "mongodb",
    "elastic": "elasticsearch",
    "bucket": "object_storage",
}


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """The nearest valid word as a sentence, or nothing when none is near."""
    if not isinstance(word, str) or len(word) > 100:
        return ""
    words = {str(entry).lower(): str(entry) for entry in known}
    lowered = word.lower()
    if _ELSEWHERE.get(lowered) in words:
        return f"did you mean {_ELSEWHERE[lowered]}?"
    near = difflib.get_close_matches(lowered.replace("-", "_"), words, n=1, cutoff=0.6)
    near = near or difflib.get_close_matches(lowered, words, n=1, cutoff=0.6)
    if not near:
        near = [
            entry for entry in words if len(lowered) >= 3 and (entry.startswith(lowered) or lowered.startswith(entry))
        ][:1]
    return f"did you mean {words[near[0]]}?" if near else ""


def one_of(known: Iterable[str], most: int = 24) -> str:
    words = [str(entry) for entry in known]
    if not words:
        return ""
    if len(words) > most:
        words = [*words[:most], f"... ({len(words) - most} more)"]
    return words[0] if len(words) == 1 else "one of " + ", ".join(words)


def report(result: Result) -> str:
    """The errors of a manifest as a person reads them: sorted by place, at most SHOWN of them."""
    ordered = in_order(result.errors)
    count = len(ordered)
    lines = [f"{result.file} is not a valid manifest: {count} error{'s' if count != 1 else ''}. Nothing was touched."]
    for finding in ordered[:SHOWN]:
        lines.extend(finding.lines(result.file))
    if count > SHOWN:
        lines.append(f"... and {count - SHOWN} more errors after these.")
    return "\n".join(lines)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    unique = {(finding.line, finding.column, finding.path, finding.what): finding for finding in findings}
    return sorted(unique.values(), key=lambda finding: (finding.line, finding.column, finding.dotted(), finding.what))
