# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A branch of a remote repository, by the git command: there is no work tree, so nothing is ever half written."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._objects import AdapterError, TransientError, UncertainError

# Somebody else was faster: look again, and do what is still to be done.
_MOVED = re.compile(
    r"stale info|fetch first|non-fast-forward|cannot lock ref|incorrect old value|reference already exists|"
    r"failed to update ref|remote ref .* changed",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"authentication failed|could not read (username|password)|permission denied|access denied|HTTP( error:?)? 40[13]|"
    r"The requested URL returned error: 40[13]|not authorized|host key verification failed",
    re.IGNORECASE,
)
_MISSING = re.compile(
    r"repository .*not found|does not appear to be a git repository|returned error: 404|not exported", re.IGNORECASE
)
_NO_BRANCH = re.compile(r"couldn't find remote ref", re.IGNORECASE)
REGULAR = "100644"


@dataclass(frozen=True)
class Remote:
    """Where it is, and how it is reached. Nothing secret is ever an argument of a process."""

    url: str
    branch: str = "main"
    user: str = "oauth2"
    token: str = ""
    ssh_key_file: str = ""
    known_hosts_file: str = ""
    ca_file: str = ""
    timeout: float = 120.0

    def environment(self) -> dict[str, str]:
        set_for_git = {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "SSH_ASKPASS": "/bin/false",
            "LC_ALL": "C",
        }
        if self.ca_file:
            set_for_git["GIT_SSL_CAINFO"] = self.ca_file
        if self.ssh_key_file or self.known_hosts_file:
            options = ["ssh", "-o", "BatchMode=yes"]
            if self.ssh_key_file:
                options += ["-o", "IdentitiesOnly=yes", "-i", _quoted(self.ssh_key_file)]
            if self.known_hosts_file:
                options += ["-o", f"UserKnownHostsFile={_quoted(self.known_hosts_file)}"]
            set_for_git["GIT_SSH_COMMAND"] = " ".join(options)
        if self.token:
            pair = base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
            set_for_git |= {
                "GIT_CONFIG_COUNT": "1",
                # Bound to the address: a redirect elsewhere does not get it.
                "GIT_CONFIG_KEY_0": f"http.{self.url}.extraHeader",
                "GIT_CONFIG_VALUE_0": f"Authorization: Basic {pair}",
            }
        return {**os.environ, **set_for_git}

    @property
    def shown(self) -> str:
        return re.sub(r"//[^/@]*@", "//***@", self.url)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


@dataclass(frozen=True)
class Entry:
    """A file of a tree."""

    mode: str
    blob: str


@dataclass
class Snapshot:
    """The branch at one commit; none when it has no commit yet."""

    commit: str
    entries: dict[str, Entry] = field(default_factory=dict)
    contents: dict[str, str | None] = field(default_factory=dict)
    """What was read of it; None for what is no text."""


class Clone:
    """What is fetched lies in a folder of its own, that goes when this is closed."""

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self._lock = threading.Lock()
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        if self._folder is None:
            if shutil.which("git") is None:
                raise AdapterError("the command git is not there", "install git on the machine that runs this task")
            self._folder = Path(tempfile.mkdtemp(prefix="socle-git-"))
            self.git("init", "--quiet", "--bare", ".")
        return self._folder

    def close(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def git(self, *arguments: str, given: bytes = b"", more: Mapping[str, str] | None = None) -> bytes:
        """One call; its error is raised as what git said, never with an address's password."""
        where = self._folder or self.folder
        command = ["git", "-c", "core.quotePath=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false", *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=where,
                input=given,
                capture_output=True,
                check=False,
                timeout=self.remote.timeout,
                env={**self.remote.environment(), **(more or {}), "GIT_DIR": str(where)},
            )
        except subprocess.TimeoutExpired:
            raise _Failed(arguments[0], f"no answer within {self.remote.timeout:.0f} s") from None
        if done.returncode:
            said = (done.stderr + b"\n" + done.stdout).decode(errors="replace")
            raise _Failed(arguments[0], re.sub(r"//[^/@\s]*@", "//***@", said).strip())
        return done.stdout

    def fetch(self) -> Snapshot:
        """The branch as it is now."""
        with self._lock:
            reference = f"refs/heads/{self.remote.branch}"
            try:
                self.git("fetch", "--quiet", "--depth=1", "--no-tags", self.remote.url, f"+{reference}:refs/socle/now")
            except _Failed as error:
                if _NO_BRANCH.search(error.said):
                    return Snapshot("")
                raise self._why(error, "read", TransientError) from None
            commit = self.git("rev-parse", "--verify", "refs/socle/now").decode().strip()
            listed = self.git("ls-tree", "-r", "-z", "--full-tree", commit).decode(errors="surrogateescape")
            entries = {}
            for row in filter(None, listed.split("\0")):
                about, _tab, path = row.partition("\t")
                mode, _kind, blob = about.split()
                entries[path] = Entry(mode, blob)
            return Snapshot(commit, entries)

    def read(self, snapshot: Snapshot, paths: Sequence[str]) -> None:
        """Contents of these files, by one call for all of them."""
        wanted = [path for path in paths if path in snapshot.entries and path not in snapshot.contents]
        if not wanted:
            return
        asked = "".join(f"{snapshot.entries[path].blob}\n" for path in wanted).encode()
        with self._lock:
            answer = self.git("cat-file", "--batch", given=asked)
        for path, content in zip(wanted, _blobs(answer), strict=True):
            snapshot.contents[path] = content

    def commit(self, snapshot: Snapshot, files: Mapping[str, str | None], message: str, author: str) -> str:
        """One commit with these files written (None: removed) on top of the snapshot, put on the branch."""
        with self._lock:
            commit = self._commit(snapshot, files, message, author)
            reference = f"refs/heads/{self.remote.branch}"
            # Only if the branch still is where the snapshot was taken: nothing of anybody is ever written over.
            lease = f"--force-with-lease={reference}:{snapshot.commit}"
            try:
                self.git("push", "--porcelain", lease, self.remote.url, f"{commit}:{reference}")
            except _Failed as error:
                if _MOVED.search(error.said):
                    raise TransientError(
                        f"branch {self.remote.branch} of {self.remote.shown} has moved meanwhile",
                        "somebody else wrote to it; it is read again",
                    ) from None
                raise self._why(error, "write", UncertainError) from None
            return commit

    def _commit(self, snapshot: Snapshot, files: Mapping[str, str | None], message: str, author: str) -> str:
        index = {"GIT_INDEX_FILE": str(self.folder / "index")}
        (self.folder / "index").unlink(missing_ok=True)
        if snapshot.commit:
            self.git("read-tree", snapshot.commit, more=index)
        rows = []
        for path, content in files.items():
            if content is None:
                rows.append(f"0 {'0' * 40}\t{path}")
            else:
                blob = self.git("hash-object", "-w", "--stdin", "--no-filters", given=content.encode()).decode().strip()
                rows.append(f"{REGULAR} {blob}\t{path}")
        self.git("update-index", "-z", "--index-info", given="".join(f"{row}\0" for row in rows).encode(), more=index)
        tree = self.git("write-tree", more=index).decode().strip()
        name, _bracket, address = author.rstrip(">").partition(" <")
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", address))
        }
        parent = ["-p", snapshot.commit] if snapshot.commit else []
        made = self.git("commit-tree", tree, *parent, given=message.encode(), more={**index, **who})
        return made.decode().strip()

    def _why(self, error: _Failed, verb: str, otherwise: type[AdapterError]) -> AdapterError:
        where = f"{self.remote.shown} (branch {self.remote.branch})"
        said = error.said.splitlines()
        sentence = next((line for line in said if line.startswith(("fatal:", "remote:", "!", "error:"))), error.said)
        sentence = " ".join(sentence.split())[:300]
        if _REFUSED.search(error.said):
            return AdapterError(
                f"{where}: refused to be {_PARTICIPLE[verb]}: {sentence}",
                "check the token or the key, and that it may write to this repository",
            )
        if _MISSING.search(error.said):
            return AdapterError(
                f"{where}: there is no such repository: {sentence}", "make an empty one there first, or correct the URL"
            )
        if "remote rejected" in error.said or "pre-receive hook declined" in error.said:
            reason = next((line for line in said if "rejected" in line), sentence)
            return AdapterError(
                f"{where}: the server rejected the commit: {' '.join(reason.split())[:300]}",
                "let this account push to the branch, or choose another branch",
            )
        return otherwise(f"{where}: could not be {_PARTICIPLE[verb]}: {sentence}", "is the server reachable?")


_PARTICIPLE = {"read": "read", "write": "written"}


class _Failed(AdapterError):
    def __init__(self, command: str, said: str) -> None:
        super().__init__(f"git {command}: {' '.join(said.split())[:300]}")
        self.said = said


def _blobs(answer: bytes) -> Iterator[str | None]:
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        size = int(answer[at:end].split()[2])
        body = answer[end + 1 : end + 1 + size]
        try:
            yield body.decode()
        except UnicodeDecodeError:
            yield None
        at = end + 1 + size + 1


def remote(parameters: Mapping[str, Any], token: str) -> Remote:
    """Of a task's parameters."""
    names = ("url", "branch", "user", "ssh_key_file", "known_hosts_file", "ca_file", "timeout")
    return Remote(token=token, **{name: parameters[name] for name in names if parameters.get(name) is not None})
