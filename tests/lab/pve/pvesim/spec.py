# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the endpoint tables in spec/*.txt: which endpoints there are, who may call them, with which parameters.

A table is made of `alias NAME VALUES`, `group NAME` (a property string's keys, or parameters used in several
places, pulled in with `+NAME`) and endpoints, `METHOD /path : who may call it [; notoken]`. A parameter line is
`name?,other?[count] type [range] [/pattern/] [len=a..b] [needs=x] [when=key:value] [first] [alias=x sets=y]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from . import formats

TABLES = Path(__file__).parent / "spec"
_TYPES = ("str", "int", "num", "bool", "list")


@dataclass(frozen=True)
class Param:
    name: str
    kind: str = "str"
    optional: bool = False
    count: int = 0
    enum: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    shortest: int | None = None
    longest: int | None = None
    pattern: str = ""
    format: str = ""
    is_list: bool = False
    keys: str = ""
    needs: str = ""
    when: tuple[str, str] | None = None
    first: bool = False
    alias: str = ""
    sets: str = ""


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    permission: Any
    token: bool
    table: str
    params: dict[str, Param] = field(default_factory=dict)
    groups: dict[str, dict[str, Param]] = field(default_factory=dict)

    def find(self, name: str) -> Param | None:
        """The parameter of that name; net3 is found through net[32]."""
        return lookup(self.params, name)


def lookup(params: dict[str, Param], name: str) -> Param | None:
    found = params.get(name)
    if found:
        return None if found.count else found
    match = re.fullmatch(r"(.*?[a-z])(0|[1-9]\d*)", name)
    family = params.get(f"{match[1]}[]") if match else None
    return family if family and match and int(match[2]) < family.count else None


def _expand(values: str) -> tuple[str, ...]:
    out: list[str] = []
    for value in values.rstrip("|").split("|"):
        match = re.fullmatch(r"(\w+)\[(\d+)\]", value)
        out += [f"{match[1]}{i}" for i in range(int(match[2]))] if match else [value]
    return tuple(out)


def _number(text: str) -> float | None:
    return float(text) if text else None


def _param(text: str, aliases: dict[str, tuple[str, ...]]) -> Param:
    """Everything of a parameter line behind its names."""
    out: dict[str, Any] = {}
    pattern = re.search(r"(?:^| )/(.*)/(?= (?:len|needs|when)=| first| |$)", text) if " /" in f" {text}" else None
    if pattern:
        out["pattern"] = pattern[1]
        text = text.replace(pattern[0], "", 1)
    for word in text.split():
        key, _unused, value = word.partition("=")
        if key == "len":
            short, _unused, long = value.partition("..")
            out["shortest"], out["longest"] = (int(short) if short else None), (int(long) if long else None)
        elif key in ("needs", "alias", "sets") and value:
            out[key] = value
        elif key == "when":
            out["when"] = tuple(value.split(":", 1))
        elif key == "of":
            continue
        elif key == "" and value:
            out["format"] = value
        elif word == "first":
            out["first"] = True
        elif word in _TYPES:
            out["kind"] = word
        elif word.startswith("{"):
            out["keys"], out["is_list"] = word.split("}")[0][1:], word.endswith("-list")
        elif word.startswith("@"):
            out["enum"] = aliases[word[1:]]
        elif re.fullmatch(r"-?[\d.]*?\.\.-?[\d.]*", word):
            low, _unused, high = word.partition("..")
            out["low"], out["high"] = _number(low), _number(high)
        elif "|" in word:
            out["enum"] = _expand(word)
        else:
            base = re.sub(r"-(list|opt)$", "", word) if not formats.known(word) else word
            if not formats.known(base):
                raise ValueError(f"unknown format {word!r} in {text!r}")
            out["format"] = word
            out["is_list"] = word.endswith("-list")
    return Param("", **out)


def _names(head: str, body: Param) -> dict[str, Param]:
    out = {}
    for name in head.split(","):
        optional = name.endswith("?") or bool(body.alias)
        bare = name.rstrip("?")
        match = re.fullmatch(r"(.*)\[(\d+)\]", bare)
        key = f"{match[1]}[]" if match else bare
        count = int(match[2]) if match else 0
        out[key] = replace(body, name=match[1] if match else bare, optional=optional, count=count)
    return out


def _permission(text: str) -> Any:
    """`and(a, b)` and friends become tuples: ("and", a, b), ("perm", path, privileges, any, only with parameter)."""
    text = text.removesuffix(" +code").strip()
    match = re.fullmatch(r"(and|or)\((.*)\)", text)
    if match:
        parts, depth, start = [], 0, 0
        for i, char in enumerate(match[2] + ","):
            depth += (char == "(") - (char == ")")
            if char == "," and depth == 0:
                parts.append(match[2][start:i])
                start = i + 1
        return (match[1], *(_permission(part) for part in parts))
    words = text.split()
    if words[0].startswith("/"):
        any_of = "|" in words[1]
        return ("perm", words[0], tuple(re.split(r"[|&]", words[1])), any_of, words[3] if len(words) > 3 else "")
    if words[0] == "userid-group":
        return ("userid-group", tuple(words[1].split("|")), words[3] if len(words) > 3 else "")
    return tuple(words)


def _read(path: Path) -> list[Endpoint]:
    lines = re.sub(r"\\\n\s*", "", path.read_text()).splitlines()
    aliases: dict[str, tuple[str, ...]] = {}
    groups: dict[str, dict[str, Param]] = {}
    endpoints: list[Endpoint] = []
    into: dict[str, Param] = {}
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line.startswith("alias "):
            _unused, name, values = line.split(" ", 2)
            aliases[name] = _expand(values)
        elif line.startswith("group "):
            into = groups.setdefault(line.split()[1], {})
        elif line.startswith("  +"):
            into.update(groups[line.strip()[1:]])
        elif line.startswith("  *"):
            into["*"] = Param("*", optional=True)
        elif line.startswith("  "):
            head, _unused, rest = line.strip().partition(" ")
            into.update(_names(head, _param(rest, aliases)))
        else:
            head, _unused, who = line.partition(" : ")
            method, url = head.split()
            who, _unused, flags = who.partition(" ; ")
            into = {}
            endpoints.append(Endpoint(method, url, _permission(who), "notoken" not in flags, path.stem, into, groups))
    for endpoint in endpoints:
        for name, text in (
            ("node", "pve-node"),
            ("vmid", "int pve-vmid 100..999999999"),
            ("storage", "pve-storage-id"),
        ):
            if f"{{{name}}}" in endpoint.path and name not in endpoint.params:
                endpoint.params.update(_names(name, _param(text, {})))
    return endpoints


@cache
def load() -> dict[tuple[str, str], Endpoint]:
    """Every endpoint of the tables by method and path."""
    return {(e.method, e.path): e for table in sorted(TABLES.glob("*.txt")) for e in _read(table)}
