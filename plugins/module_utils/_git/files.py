# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A set of files kept in a repository beside everybody else's: ours are known by a record of what we wrote last."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from .._objects import AdapterError, Change, Current, Desired, Reader, Step, Writer
from .._values import Secret
from .client import REGULAR, Clone, Snapshot, remote

RECORD = ".socle/files.json"
_SHOWN = 40
_LARGE = 65536

CONNECTION: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "required": True},
    "branch": {"type": "str", "default": "main"},
    "user": {"type": "str", "default": "oauth2"},
    "token": {"type": "str", "no_log": True},
    "ssh_key_file": {"type": "path", "no_log": False},
    "known_hosts_file": {"type": "path"},
    "ca_file": {"type": "path"},
    "timeout": {"type": "float", "default": 120.0},
}
SPEC: dict[str, dict[str, Any]] = {
    **CONNECTION,
    "files": {"type": "dict", "required": True},
    "reason": {"type": "str", "default": "The platform's manifest asks for it."},
    "author": {"type": "str", "default": "Socle <socle@localhost>"},
    "force": {"type": "bool", "default": False},
}


def field(content: str | None) -> str:
    """What plans and results show of a file: all of it, unless nobody could read that."""
    if content is None:
        return "(no text)"
    return content if len(content) <= _LARGE else f"{len(content.splitlines())} lines, {digest(content)}"


def digest(content: str) -> str:
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Clash:
    """A file that is not as we left it, and not as it is wanted either."""

    path: str
    found: str
    text: str
    hard: bool = False
    """Nothing that this may write over, whatever force says."""

    def sentence(self) -> str:
        return f"{self.path}: {self.found}{self.text}"


class Repository:
    """What reader and writer share: one clone, and what was found in it, by commit."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        token = parameters.get("token", "")
        self.clone = Clone(remote(parameters, token.reveal() if isinstance(token, Secret) else str(token)))
        self.key = f"{self.clone.remote.shown} ({self.clone.remote.branch})"
        self.force = bool(parameters["force"])
        self.wanted: dict[str, str] = {str(path): content for path, content in parameters["files"].items()}
        self.commit = ""
        """What this made."""
        self.seen: dict[str, tuple[Snapshot, dict[str, str]]] = {}

    def look(self, paths: Iterable[str]) -> tuple[Snapshot, dict[str, str]]:
        """The branch now, with the contents of these files and of those that we wrote, and our record."""
        snapshot = self.clone.fetch()
        self.clone.read(snapshot, [RECORD])
        recorded = _record(snapshot.contents.get(RECORD, "{}"), self.key)
        self.clone.read(snapshot, sorted({*paths, *recorded}))
        self.seen[snapshot.commit] = (snapshot, recorded)
        return snapshot, recorded


def _record(text: str | None, where: str) -> dict[str, str]:
    try:
        found = json.loads(text or "")
        if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
            return found
    except ValueError:
        pass
    raise AdapterError(
        f"{where}: {RECORD}, which says what this wrote, is not readable",
        "take it back as it was (git log -- " + RECORD + " has it), then run again",
    )


def recorded_text(files: Mapping[str, str]) -> str:
    """One line for each file, so that two branches are joined without a conflict."""
    return json.dumps({path: digest(content) for path, content in sorted(files.items())}, indent=1) + "\n"


def clashes(snapshot: Snapshot, recorded: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[Clash]:
    """Files that somebody else wrote, changed or removed. One that is as we want it is no clash, whoever made it so."""
    for path in sorted({*recorded, *wanted}):
        entry, ours = snapshot.entries.get(path), wanted.get(path)
        content = snapshot.contents.get(path)
        if entry is None:
            below = next((name for name in snapshot.entries if name.startswith(f"{path}/")), None)
            above = next((str(p) for p in PurePosixPath(path).parents if str(p) in snapshot.entries), None)
            if ours is not None and (below or above):
                yield Clash(
                    path, f"{'a folder' if below else 'a file ' + str(above)} stands in its place", "", hard=True
                )
            elif path in recorded and ours is not None:
                yield Clash(path, "it was removed by hand", "")
            continue
        if entry.mode == REGULAR and content is not None and content == ours:
            continue
        if entry.mode != REGULAR or content is None:
            if path in recorded or ours is not None:
                yield Clash(path, f"found a file of mode {entry.mode} or no text, wanted plain text", "")
        elif path not in recorded:
            yield Clash(path, "it is there and was not written by this", _difference(path, content, ours))
        elif digest(content) != recorded[path]:
            yield Clash(path, "it was changed by hand", _difference(path, content, ours))


def _difference(path: str, found: str, wanted: str | None) -> str:
    rows = difflib.unified_diff(
        found.splitlines(), (wanted or "").splitlines(), f"{path} (found)", f"{path} (wanted)", lineterm=""
    )
    lines = list(rows)
    more = [f"... {len(lines) - _SHOWN} more lines"] if len(lines) > _SHOWN else []
    return "\n" + "\n".join([*lines[:_SHOWN], *more])


def desired(parameters: Mapping[str, Any], key: str) -> Iterator[Desired]:
    files: dict[str, str] = {}
    for path, content in parameters["files"].items():
        pure = PurePosixPath(str(path))
        odd = pure.is_absolute() or ".." in pure.parts or str(pure) != str(path) or pure.parts[:1] in ((".git",), ())
        if odd or "\n" in str(path) or "\t" in str(path) or str(path) == RECORD:
            raise AdapterError(
                f"files: found the path {path!r}, wanted one inside the repository such as services/x.yaml"
            )
        if not isinstance(content, str):
            raise AdapterError(f"files.{path}: found {type(content).__name__}, wanted its content as text")
        files[str(path)] = content
    if not files:
        raise AdapterError("files: found none, wanted at least one; to take all of ours away, remove the repository")
    shown = {path: field(content) for path, content in files.items()}
    yield Desired(key, {"files": shown, "record": digest(recorded_text(files))})


class Files(Reader):
    kind = "repository"
    exact = frozenset({"files"})

    def __init__(self, repository: Repository) -> None:
        self.repository = repository

    def read(self, desired: Sequence[Desired]) -> Iterable[Current]:
        del desired
        wanted = self.repository.wanted
        snapshot, recorded = self.repository.look(wanted)
        if not snapshot.commit:
            return
        ours = {*wanted, *recorded}
        found = {path: content for path, content in snapshot.contents.items() if path in ours and path != RECORD}
        fields: dict[str, Any] = {"files": {path: field(text) for path, text in found.items()}}
        fields["record"] = digest(snapshot.contents.get(RECORD) or "")
        yield Current(self.repository.key, fields, revision=snapshot.commit, owned=True)

    def check(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del current, desired
        for clash in self._clashes():
            if self.repository.force and not clash.hard:
                continue
            yield (
                f"{self.repository.key}: {clash.sentence()}\n"
                "Take the change into the manifest, undo it in the repository, or give force to have it written over"
            )

    def warn(self, desired: Sequence[Desired], current: Mapping[str, Current]) -> Iterable[str]:
        del current, desired
        for clash in self._clashes():
            if self.repository.force and not clash.hard:
                yield f"{self.repository.key}: written over, as force says: {clash.sentence()}"

    def _clashes(self) -> Iterator[Clash]:
        if not self.repository.seen:
            return
        snapshot, recorded = list(self.repository.seen.values())[-1]
        yield from clashes(snapshot, recorded, self.repository.wanted)


class FilesWriter(Writer):
    """One commit for everything that is to change."""

    def __init__(self, repository: Repository, reason: str, author: str) -> None:
        self.repository = repository
        self.reason = reason
        self.author = author

    def create(self, change: Change, step: Step) -> None:
        del change
        self._write(step, "")

    def update(self, change: Change, step: Step) -> None:
        self._write(step, str(change.current.revision) if change.current else "")

    def _write(self, step: Step, revision: str) -> None:
        snapshot, recorded = self.repository.seen[revision]
        wanted = self.repository.wanted
        # The branch may have moved since the plan was looked at.
        for clash in clashes(snapshot, recorded, wanted):
            if clash.hard or not self.repository.force:
                hint = "somebody changed it while this ran; run again to see it in the plan"
                raise AdapterError(clash.sentence(), hint)
        files: dict[str, str | None] = {
            path: content for path, content in wanted.items() if snapshot.contents.get(path) != content
        }
        gone = [path for path in recorded if path not in wanted and path in snapshot.entries]
        files |= dict.fromkeys(gone)
        text = message(files, snapshot, self.reason)
        files[RECORD] = recorded_text(wanted)
        commit = self.repository.clone.commit(snapshot, files, text, self.author)
        self.repository.commit = commit
        step.note(f"commit {commit[:12]}: {text.splitlines()[0]}")


def message(files: Mapping[str, str | None], snapshot: Snapshot, reason: str) -> str:
    """What changes in a line, why, and each file with what became of it."""
    verbs: dict[str, list[str]] = {"add": [], "change": [], "remove": []}
    for path, content in sorted(files.items()):
        verb = "remove" if content is None else "change" if path in snapshot.entries else "add"
        verbs[verb].append(path)
    parts = []
    for verb, paths in verbs.items():
        names = list(dict.fromkeys(_topic(path) for path in paths))
        if names:
            parts.append(f"{verb} {', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''}")
    subject = "; ".join(parts) or "record what is kept"
    rows = [f"{verb} {path}" for verb, paths in verbs.items() for path in paths]
    return "\n".join([subject[:1].upper() + subject[1:], "", reason.strip(), "", *rows]).rstrip() + "\n"


def _topic(path: str) -> str:
    parts = PurePosixPath(path).parts
    return parts[1] if len(parts) > 2 else parts[0] if len(parts) == 2 else path
