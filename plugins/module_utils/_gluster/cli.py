# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The command line of GlusterFS, whose answers are XML."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from xml.etree import ElementTree

from .._objects import AdapterError, TransientError, UncertainError

# argv -> exit status, standard output, standard error
Runner = Callable[[Sequence[str]], tuple[int, str, str]]
# The program itself gives up after two minutes, on most commands.
CALL_SECONDS = 300
# glusterd takes one change at a time, and says so of the second one: nothing was done.
BUSY = ("another transaction is in progress", "locking failed", "please try again", "commit failed on localhost")
READING = frozenset({"list", "status", "info"})
LOST = ("request timed out", "error : request timed out")


class NotInstalled(Exception):
    """There is no `gluster` here. A plan for a machine that is still bare has to do without it."""


def run(argv: Sequence[str]) -> tuple[int, str, str]:
    try:
        done = subprocess.run(list(argv), capture_output=True, text=True, timeout=CALL_SECONDS, check=False)
    except FileNotFoundError:
        raise NotInstalled from None
    except subprocess.TimeoutExpired:
        raise UncertainError(
            f"`{' '.join(argv)}` did not end within {CALL_SECONDS} s", "look into /var/log/glusterfs/glusterd.log"
        ) from None
    return done.returncode, done.stdout, done.stderr


class NotRunning(AdapterError):
    """The daemon does not answer."""


class Cli:
    """Calls of `gluster`; one at a time, since the daemon refuses a second change beside the first."""

    def __init__(self, runner: Runner = run) -> None:
        self._runner = runner
        self._alone = threading.Lock()

    def call(self, *words: str) -> ElementTree.Element:
        """The answer's root, or what the program said."""
        with self._alone:
            _status, out, err = self._runner(("gluster", "--xml", "--mode=script", *words))
        command = f"gluster {' '.join(words)}"
        try:
            root = ElementTree.fromstring(out)  # noqa: S314  # what the local daemon says is no attacker's text
        except ElementTree.ParseError:
            said = (err.strip() or out.strip() or "it said nothing").splitlines()[-1]
            raise failure(command, said) from None
        if text(root, "opRet") not in ("0", ""):
            said = text(root, "opErrstr") or text(root, "output") or err.strip()
            if not said:
                # Under load the daemon may fail without a word. What only reads can be asked again at once.
                kind = TransientError if READING & {*words} else UncertainError
                raise kind(f"`{command}` failed without a reason", "look into /var/log/glusterfs/glusterd.log")
            raise failure(command, said)
        return root


def failure(command: str, said: str) -> AdapterError:
    sentence = f"`{command}` failed: {' '.join(said.split())}"
    low = said.lower()
    if any(word in low for word in LOST):
        return UncertainError(sentence)
    if any(word in low for word in BUSY):
        return TransientError(sentence, "another change of the pool is under way")
    if "connection failed" in low:
        return NotRunning(sentence, "glusterd does not run here: systemctl status glusterd")
    if "already part of another cluster" in low:
        return AdapterError(sentence, "it belongs to another pool: take it out there first, or correct the address")
    return AdapterError(sentence)


def text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
