# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A set of files: compared, validated, written and put in force together."""

from __future__ import annotations

import inspect
import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import way_back
from .way_back import WayBack, owner

PENDING = "/var/lib/socle/pending.json"
Command = list[str]


class FilesError(Exception):
    """One sentence for the user."""


@dataclass(frozen=True)
class Line:
    """A line of a file that others write too: in place of those that match, or at the end."""

    match: str
    line: str


@dataclass(frozen=True)
class Wanted:
    """One path as it shall be."""

    path: str
    content: str | None = None
    lines: tuple[Line, ...] = ()
    state: str = "file"
    target: str = ""
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    validate: tuple[str, ...] = ()
    apply: tuple[tuple[str, ...], ...] = ()
    guarded: bool = False
    undo: tuple[tuple[str, ...], ...] = ()
    keep: tuple[str, ...] = ()
    secret: bool = False


@dataclass
class Change:
    """What differs at one path."""

    wanted: Wanted
    before: bytes | None
    after: bytes | None
    details: list[str] = field(default_factory=list)


@dataclass
class Files:
    """The machine's files. `root` and `way` stand for the machine in tests."""

    root: Path = Path("/")
    way: WayBack = field(default_factory=WayBack)
    missing_owners_are_new: bool = False
    """In check mode an account that an earlier task would have made is not there."""

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def plan(self, wanted: Sequence[Wanted], owned: Sequence[str] = ()) -> list[Change]:
        """Everything that differs, in the order given; files that nobody names in owned folders go."""
        twice = {entry.path for index, entry in enumerate(wanted) if entry.path in {e.path for e in wanted[:index]}}
        if twice:
            raise FilesError(f"{', '.join(sorted(twice))} is named more than once; name each path once.")
        changes = [change for change in map(self._compare, wanted) if change is not None]
        named = {entry.path for entry in wanted if entry.state != "absent"}
        for folder in owned:
            for path in sorted(self.at(folder).glob("*")):
                name = f"{folder.rstrip('/')}/{path.name}"
                if name not in named and not path.is_dir():
                    like = next((entry for entry in wanted if entry.path.startswith(folder.rstrip("/") + "/")), None)
                    gone = Wanted(name, state="absent", apply=like.apply if like else ())
                    changes.append(Change(gone, path.read_bytes(), None))
        return changes

    def _compare(self, wanted: Wanted) -> Change | None:
        path = self.at(wanted.path)
        if wanted.state == "absent":
            there = path.is_symlink() or path.exists()
            if there and path.is_dir() and not path.is_symlink():
                raise FilesError(f"{wanted.path} is a folder and was to be no file; remove it by hand.")
            return Change(wanted, path.read_bytes() if path.is_file() else b"", None) if there else None
        if wanted.state == "link":
            found = str(path.readlink()) if path.is_symlink() else ""
            same = found == wanted.target
            return None if same else Change(wanted, found.encode(), wanted.target.encode())
        before = path.read_bytes() if path.is_file() else None
        if wanted.state == "directory" and path.exists() and not path.is_dir():
            raise FilesError(f"{wanted.path} is no folder and shall be one; move it away.")
        if wanted.state == "file" and path.is_dir():
            raise FilesError(f"{wanted.path} is a folder and shall be a file; move it away.")
        after = before
        if wanted.state == "file":
            after = self._content(wanted, before)
            if after is None:
                return None
        details = self._attributes(wanted, path)
        if before != after or details or not path.exists():
            return Change(wanted, before, after, details)
        return None

    def _content(self, wanted: Wanted, before: bytes | None) -> bytes | None:
        if wanted.content is not None:
            return wanted.content.encode()
        if not wanted.lines:
            return before
        rows = (before or b"").decode(errors="surrogateescape").splitlines()
        for entry in wanted.lines:
            places = [index for index, row in enumerate(rows) if re.search(entry.match, row)]
            for index in reversed(places[1:]):
                del rows[index]
            if places:
                rows[places[0]] = entry.line
            else:
                rows.append(entry.line)
        return ("\n".join(rows) + "\n").encode(errors="surrogateescape")

    def _attributes(self, wanted: Wanted, path: Path) -> list[str]:
        if not path.exists():
            return []
        found = path.stat()
        details = []
        if found.st_mode & 0o7777 != wanted.mode:
            details.append(f"mode {found.st_mode & 0o7777:04o} -> {wanted.mode:04o}")
        try:
            ids = owner(wanted.owner, wanted.group)
        except KeyError as error:
            if self.missing_owners_are_new:
                return [*details, f"owner -> {wanted.owner}:{wanted.group}"]
            raise FilesError(
                f"{wanted.path} shall belong to {wanted.owner}:{wanted.group}, and {error}; make that account first."
            ) from error
        if (found.st_uid, found.st_gid) != ids:
            details.append(f"owner {found.st_uid}:{found.st_gid} -> {wanted.owner}:{wanted.group}")
        return details

    def validate(self, changes: Sequence[Change]) -> None:
        """Each program has its say before anything is written."""
        for change in changes:
            if not change.wanted.validate or change.after is None or change.before == change.after:
                continue
            with tempfile.NamedTemporaryFile(prefix="socle-", suffix=Path(change.wanted.path).suffix) as file:
                file.write(change.after)
                file.flush()
                argv = [word.replace("%s", file.name) for word in change.wanted.validate]
                code, said = self.way.run(argv)
            if code:
                raise FilesError(
                    f"{change.wanted.path}: `{' '.join(change.wanted.validate)}` refuses the new content: {said}. "
                    "Nothing was written."
                )

    def write(self, changes: Sequence[Change], token: str, seconds: int) -> list[Command]:
        """Write them and put them in force; a guarded change leaves the way back armed with the token."""
        guarded = [change.wanted for change in changes if change.wanted.guarded]
        commands = self._commands(changes)
        self._remember(commands)
        if guarded:
            self._install_way_back()
            kept = [path for entry in guarded for path in (entry.path, *entry.keep)]
            undo = list(dict.fromkeys(command for entry in guarded for command in entry.undo))
            self.way.arm(token, seconds, kept, undo, _unique(guarded))
        try:
            for change in changes:
                self._write(change)
            for command in commands:
                code, said = self.way.run(command)
                if code:
                    raise FilesError(f"`{' '.join(command)}` failed ({code}): {said}")
        except (OSError, KeyError, FilesError) as error:
            if not guarded:
                raise FilesError(f"{error}. It is done again in the next run.") from error
            wrong = self.way.revert()
            said = "; ".join(wrong) or "what it changed in guarded files was put back"
            raise FilesError(f"{error}. {said}.") from error
        self.forget()
        return commands

    def _write(self, change: Change) -> None:
        wanted, path = change.wanted, self.at(change.wanted.path)
        if wanted.state == "absent":
            path.unlink(missing_ok=True)
            return
        if wanted.state == "link":
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.socle")
            new.unlink(missing_ok=True)
            new.symlink_to(wanted.target)
            new.replace(path)
            return
        ids = owner(wanted.owner, wanted.group)
        if wanted.state == "directory":
            path.mkdir(parents=True, exist_ok=True)
        elif change.before != change.after and change.after is not None:
            target = path.resolve() if wanted.lines else path
            way_back.write(target, change.after, wanted.mode, *ids)
            return
        found = path.stat()
        if (found.st_uid, found.st_gid) != ids:
            os.chown(path, *ids)
        path.chmod(wanted.mode)

    def _install_way_back(self) -> None:
        program = self.at(way_back.PROGRAM)
        source = f"#!/usr/bin/python3\n{inspect.getsource(way_back)}".encode()
        unit = self.at(f"/etc/systemd/system/{way_back.UNIT}.service")
        installed = self.at(f"/etc/systemd/system/sysinit.target.wants/{unit.name}")
        for path, content, mode in ((program, source, 0o755), (unit, AT_BOOT.encode(), 0o644)):
            if not path.is_file() or path.read_bytes() != content:
                way_back.write(path, content, mode, os.geteuid(), os.getegid())
        if not installed.is_symlink():
            installed.parent.mkdir(parents=True, exist_ok=True)
            installed.symlink_to(f"/etc/systemd/system/{unit.name}")

    def _commands(self, changes: Sequence[Change]) -> list[Command]:
        """What puts them in force, each once, with what a run that was killed still owes."""
        owed = self.pending()
        return owed + [command for command in _unique([change.wanted for change in changes]) if command not in owed]

    def pending(self) -> list[Command]:
        try:
            found: list[Command] = json.loads(self.at(PENDING).read_text())
        except (FileNotFoundError, ValueError):
            return []
        return found

    def _remember(self, commands: list[Command]) -> None:
        if commands:
            way_back.write(self.at(PENDING), json.dumps(commands).encode(), 0o600, os.geteuid(), os.getegid())

    def forget(self) -> None:
        self.at(PENDING).unlink(missing_ok=True)


def _unique(wanted: Sequence[Wanted]) -> list[Command]:
    return [list(command) for command in dict.fromkeys(command for entry in wanted for command in entry.apply)]


AT_BOOT = f"""[Unit]
Description=Goes back from changes that lock everybody out
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target nftables.service ssh.service sysinit.target
ConditionPathExists={way_back.STATE}/armed.json

[Service]
Type=oneshot
ExecStart={way_back.PROGRAM} revert
"""


def wanted_of(entry: dict[str, Any]) -> Wanted:
    """One entry of the module's parameters."""

    def words(name: str) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(str(word) for word in command) for command in entry.get(name) or ())

    if not str(entry["path"]).startswith("/"):
        raise FilesError(f"{entry['path']} is no absolute path.")
    if entry.get("content") is not None and entry.get("lines"):
        raise FilesError(f"{entry['path']} has both content and lines; say one of them.")
    try:
        mode = int(str(entry.get("mode") or ("0755" if entry.get("state") == "directory" else "0644")), 8)
    except ValueError:
        raise FilesError(
            f"{entry['path']} has the mode {entry['mode']!r}, which is no octal number in quotes."
        ) from None
    return Wanted(
        path=entry["path"],
        content=entry.get("content"),
        lines=tuple(Line(line["match"], line["line"]) for line in entry.get("lines") or ()),
        state=entry.get("state") or "file",
        target=entry.get("target") or "",
        owner=entry.get("owner") or "root",
        group=entry.get("group") or "root",
        mode=mode,
        validate=tuple(entry.get("validate") or ()),
        apply=words("apply"),
        guarded=bool(entry.get("guarded")),
        undo=words("undo"),
        keep=tuple(entry.get("keep") or ()),
        secret=bool(entry.get("secret")),
    )


def described(change: Change) -> dict[str, str]:
    """One entry of Ansible's diff."""
    path = change.wanted.path

    def text(content: bytes | None) -> str:
        if content is None:
            return ""
        return "(hidden)\n" if change.wanted.secret else content.decode(errors="replace")

    shown = {"before_header": path, "after_header": path, "before": text(change.before), "after": text(change.after)}
    if change.wanted.secret and change.before != change.after:
        shown["after"] += "(and it differs)\n"
    if change.details:
        shown["prepared"] = f"{path}: {', '.join(change.details)}\n"
    return shown
