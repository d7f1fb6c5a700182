# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A manifest's text into plain data and the place of everything in it.

YAML 1.1 makes `on:` the key True, `1.30` the number 1.3, `010` eight and `22:30` 1350. A manifest is read by YAML 1.2's
rules instead, and what a number was written as is kept, so that an error can quote it. The file is read event by event:
no depth of nesting, no number of aliases and no size can exhaust the stack or the memory.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from .errors import Finding, Path, shown

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 50
MAX_NODES = 200_000

_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_TRUE = re.compile(r"(?:true|True|TRUE)\Z")
_FALSE = re.compile(r"(?:false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?\Z")
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STANDARD = "tag:yaml.org,2002:"
_VAULT = ("!vault", "!vault-encrypted")


@dataclass(frozen=True)
class Vault:
    """A value encrypted by ansible-vault: handed on as it is, decrypted by Ansible only where it is used."""

    ciphertext: str


class Unsafe(str):
    """Text tagged `!unsafe`: never a template, whatever it contains."""


@dataclass
class Node:
    """A piece of the file: where it stands, what it was written as and what it is."""

    kind: str
    line: int
    column: int
    value: Any = None
    raw: str = ""
    items: list[Node] = field(default_factory=list)
    entries: dict[str, tuple[Node, Node]] = field(default_factory=dict)
    merges: list[Node] = field(default_factory=list)

    def at(self, path: Path) -> Node:
        """The node at a path, or the nearest one above it that exists."""
        node = self
        for part in path:
            following = node.child(part)
            if following is None:
                return node
            node = following
        return node

    def child(self, part: Any) -> Node | None:
        if self.kind == "map":
            entry = self.entries.get(str(part)) if not isinstance(part, int) else None
            return entry[1] if entry else None
        if self.kind == "list" and isinstance(part, int) and 0 <= part < len(self.items):
            return self.items[part]
        return None

    def key_at(self, path: Path) -> Node:
        """Where the key of a path stands (for what is wrong with a name rather than with its value)."""
        parent = self.at(path[:-1])
        entry = parent.entries.get(str(path[-1])) if path and parent.kind == "map" else None
        return entry[0] if entry else self.at(path)


class Unreadable(Exception):
    """The file cannot be read any further."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


def load(raw: bytes) -> tuple[Any, Node, list[Finding]]:
    """Data, its places, and what is wrong with the file as YAML. Raises Unreadable when nothing can be read."""
    text = _decode(raw)
    reader = _Reader(text)
    root = reader.read()
    if root.kind != "map":
        found = {"list": "a list", "scalar": "a single value"}[root.kind]
        raise Unreadable(
            Finding(
                (),
                root.line,
                root.column,
                f"the manifest is {found}",
                "a mapping that begins with plugin: socle.platform.manifest",
            )
        )
    data = _plain(root, _Budget(), 0)
    return data, root, reader.findings


def _decode(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise Unreadable(
            Finding(
                (),
                1,
                1,
                f"the file is {len(raw) / 1048576:.1f} MiB",
                f"a manifest of at most {MAX_BYTES // 1048576} MiB",
                "is this the right file?",
            )
        )
    for bom, name in (
        (b"\xff\xfe\x00\x00", "UTF-32"),
        (b"\x00\x00\xfe\xff", "UTF-32"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xfe\xff", "UTF-16"),
    ):
        if raw.startswith(bom):
            raise Unreadable(
                Finding((), 1, 1, f"the file is encoded in {name}", "UTF-8", f"convert it: iconv -f {name} -t UTF-8")
            )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line, column = _place(raw[: exc.start].decode("utf-8", "replace"))
        what = f"byte 0x{raw[exc.start]:02x} is not UTF-8"
        raise Unreadable(
            Finding(
                (), line, column, what, "a file in UTF-8", "if it is Latin-1, convert it: iconv -f ISO-8859-1 -t UTF-8"
            )
        ) from None
    bad = _CONTROL.search(text)
    if bad:
        line, column = _place(text[: bad.start()])
        raise Unreadable(
            Finding(
                (),
                line,
                column,
                f"the character U+{ord(bad.group()):04X} cannot stand in YAML",
                "printable text",
                "remove it",
            )
        )
    return text


def _place(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


@dataclass
class _Open:
    """A collection that is being read: its anchor, the key that waits for a value, and the last key."""

    node: Node
    anchor: str | None
    key: Node | None = None
    at: str | None = None


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.findings: list[Finding] = []
        self.anchors: dict[str, Node | None] = {}
        self.stack: list[_Open] = []
        self.merged = 0
        self.root: Node | None = None

    def read(self) -> Node:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        documents = 0
        nodes = 0
        try:
            for event in yaml.parse(self.text, Loader=loader):
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        raise self.stop(
                            event, "a second document begins here", "one document in a file", "remove the line with ---"
                        )
                elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                    self.close()
                elif isinstance(event, yaml.NodeEvent):
                    nodes += 1
                    if nodes > MAX_NODES:
                        raise self.stop(event, f"the file holds more than {MAX_NODES} values", "a smaller manifest")
                    self.node(event)
        except yaml.MarkedYAMLError as exc:
            raise Unreadable(self.syntax(exc)) from None
        except yaml.YAMLError as exc:
            raise Unreadable(Finding((), 1, 1, f"not YAML: {shown(exc, 200)}")) from None
        if self.root is None or (self.root.kind == "scalar" and self.root.value is None):
            raise Unreadable(
                Finding((), 1, 1, "the manifest is empty", "a mapping that begins with plugin: socle.platform.manifest")
            )
        return self.root

    def stop(self, event: Any, what: str, wanted: str = "", hint: str = "") -> Unreadable:
        return Unreadable(
            Finding(self.path(), event.start_mark.line + 1, event.start_mark.column + 1, what, wanted, hint)
        )

    def note(self, event: Any, what: str, wanted: str = "", hint: str = "") -> None:
        self.findings.append(self.stop(event, what, wanted, hint).finding)

    def path(self) -> Path:
        """Where the reader is: for errors inside a file that is only half read."""
        parts: list[Any] = []
        for level in self.stack:
            if level.node.kind == "list":
                parts.append(max(0, len(level.node.items) - 1))
            elif level.at is not None:
                parts.append(level.at)
        return tuple(parts)

    def syntax(self, exc: yaml.MarkedYAMLError) -> Finding:
        mark = exc.problem_mark or exc.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = str(exc.problem or exc.context or "not YAML")
        source = self.text.splitlines()
        written = source[line - 1] if line <= len(source) else ""
        if "\t" in written[:column] or "\\t" in problem or "tab" in problem:
            return Finding(
                self.path(),
                line,
                column,
                "a tab stands where only spaces may",
                "spaces for indentation",
                "replace the tab by spaces",
            )
        what = f"not valid YAML here: {problem}"
        if exc.context and exc.context_mark and exc.context != exc.problem:
            what += f" ({exc.context}, which began in line {exc.context_mark.line + 1})"
        hint = ""
        if "mapping values are not allowed" in problem:
            hint = "a value that contains ': ' needs quotes, or the line is indented wrongly"
        elif "expected <block end>" in problem or "did not find expected key" in problem:
            hint = "compare the indentation of this line with the one above it"
        elif "could not find expected ':'" in problem or "did not find expected ',' or" in problem:
            hint = "a ':' or ',' or a closing bracket is missing here or in the line above"
        elif "undefined alias" in problem:
            hint = "a value that begins with * needs quotes"
        return Finding(self.path(), line, column, what, "valid YAML", hint)

    def node(self, event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self.stop(
                    event,
                    f"*{shown(event.anchor, 40)} refers to an anchor that is not defined above",
                    f"&{shown(event.anchor, 40)} earlier in the file",
                )
            target = self.anchors[event.anchor]
            if target is None:
                raise self.stop(
                    event,
                    f"*{shown(event.anchor, 40)} stands inside what it refers to",
                    "an alias to something that is complete",
                )
            self.attach(target, event)
            return
        if isinstance(event, yaml.ScalarEvent):
            node = Node("scalar", line, column, self.scalar(event), event.value)
            if event.anchor:
                self.anchors[event.anchor] = node
            self.attach(node, event)
            return
        if len(self.stack) >= MAX_DEPTH:
            raise self.stop(event, f"more than {MAX_DEPTH} levels of nesting", "a flatter manifest")
        kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
        if event.tag and event.tag not in ("!", _STANDARD + "map", _STANDARD + "seq"):
            self.note(event, f"the tag {shown(event.tag, 60)} is not known here", "no tag, !vault or !unsafe")
        node = Node(kind, line, column)
        if event.anchor:
            self.anchors[event.anchor] = None
        self.attach_later(node, event)

    def attach_later(self, node: Node, event: Any) -> None:
        """Open a collection; it is attached to its parent at once, so that its place in the file keeps its order."""
        if self.stack and self.stack[-1].node.kind == "map" and self.stack[-1].key is None:
            raise self.stop(
                event,
                "a key is a list or a mapping",
                "a word as key",
                'a value that begins with {{ needs quotes: "{{ ... }}"',
            )
        self.attach(node, event)
        self.stack.append(_Open(node, event.anchor))

    def close(self) -> None:
        level = self.stack.pop()
        self.merge(level.node)
        if level.anchor:
            self.anchors[level.anchor] = level.node

    def attach(self, node: Node, event: Any) -> None:
        if not self.stack:
            self.root = node
            return
        level = self.stack[-1]
        parent, key = level.node, level.key
        if parent.kind == "list":
            parent.items.append(node)
            return
        if key is None:
            if node.kind != "scalar":
                raise self.stop(event, "a key is a list or a mapping", "a word as key")
            at = Node("scalar", event.start_mark.line + 1, event.start_mark.column + 1, node.value, node.raw)
            merge = at.raw == "<<" and event.implicit[0]
            at.kind = "merge" if merge else "scalar"
            level.key, level.at = at, at.raw
            return
        level.key = None
        if key.kind == "merge":
            parent.merges.append(node)
            return
        held = parent.entries.get(key.raw)
        if held:
            mark = Finding(
                self.path(),
                key.line,
                key.column,
                f"the key {shown(key.raw, 60)} is written twice (first in line {held[0].line})",
                "each key once",
                "remove one of them or join what they hold",
            )
            self.findings.append(mark)
            return
        parent.entries[key.raw] = (key, node)

    def merge(self, parent: Node) -> None:
        """`<<` only gives what the mapping itself does not say; of several sources the first one wins."""
        for merged in parent.merges:
            for source in merged.items if merged.kind == "list" else [merged]:
                if source.kind != "map":
                    what = "<< merges something that is not a mapping"
                    self.findings.append(
                        Finding(self.path(), source.line, source.column, what, "an alias to a mapping")
                    )
                    continue
                self.merged += len(source.entries)
                if self.merged > MAX_NODES:
                    what = f"<< merges more than {MAX_NODES} values in all"
                    raise Unreadable(
                        Finding(self.path(), source.line, source.column, what, "fewer merges", "write the part out")
                    )
                for name, entry in source.entries.items():
                    parent.entries.setdefault(name, entry)

    def scalar(self, event: Any) -> Any:
        tag, text = event.tag, event.value
        if tag in _VAULT:
            return Vault(text)
        if tag == "!unsafe":
            return Unsafe(text)
        if tag in ("!", _STANDARD + "str") or (tag is None and not event.implicit[0]):
            return text
        if tag is None:
            return resolve(text)
        value = resolve(text)
        standard = {
            _STANDARD + "int": int,
            _STANDARD + "float": float,
            _STANDARD + "bool": bool,
            _STANDARD + "null": type(None),
        }
        if tag in standard:
            if not isinstance(value, standard[tag]) or isinstance(value, bool) != (standard[tag] is bool):
                self.note(event, f"{shown(text, 40)} is not what its tag !!{tag.removeprefix(_STANDARD)} says")
            return value
        self.note(event, f"the tag {shown(tag, 60)} is not known here", "no tag, !vault or !unsafe")
        return text


def resolve(text: str) -> Any:
    """A plain scalar by YAML 1.2's core rules."""
    if len(text) > 40:
        return text
    if _NULL.match(text):
        return None
    if _TRUE.match(text):
        return True
    if _FALSE.match(text):
        return False
    if _INT.match(text):
        return int(text)
    if _HEX.match(text):
        return int(text, 16)
    if _FLOAT.match(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


class _Budget:
    """Aliases may repeat, but what they expand to is bounded."""

    def __init__(self) -> None:
        self.left = MAX_NODES


def _plain(node: Node, budget: _Budget, depth: int) -> Any:
    budget.left -= 1
    if budget.left < 0 or depth > MAX_DEPTH:
        what = (
            "aliases expand to too many values"
            if depth <= MAX_DEPTH
            else f"aliases expand to more than {MAX_DEPTH} levels"
        )
        raise Unreadable(
            Finding(
                (),
                node.line,
                node.column,
                what,
                f"at most {MAX_NODES} values and {MAX_DEPTH} levels",
                "write the part out",
            )
        )
    if node.kind == "map":
        return {name: _plain(value, budget, depth + 1) for name, (_key, value) in node.entries.items()}
    if node.kind == "list":
        return [_plain(item, budget, depth + 1) for item in node.items]
    return node.value
