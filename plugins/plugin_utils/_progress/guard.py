# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Makes every write of this process take its turn on the shared output, and clear the moving lines first."""

from __future__ import annotations

import contextlib
import os
import re
import typing as t
from collections.abc import Callable

from .screen import ERASE, Screen

PATIENCE = 0.1
CLEAR = b"\x1b[K"
_COLOURS_AT_END = re.compile(rb"(\x1b\[[0-9;]*m)+\Z")


class Guard:
    """Stands before the byte streams of `streams` until `remove()`.

    The bytes are the right place: text, prompts, tracebacks and other callbacks' prints all pass there.
    `outer_lock` is the lock Ansible holds while it writes; taking it first keeps one order of locks everywhere.
    """

    def __init__(
        self,
        screen: Screen,
        streams: list[t.Any],
        outer_lock: contextlib.AbstractContextManager[t.Any],
        give_up: Callable[[], None],
    ) -> None:
        self._screen = screen
        self._outer_lock = outer_lock
        self._give_up = give_up
        self._owner = os.getpid()
        self._in_mark = self._before_mark = False
        self._originals: list[tuple[t.Any, Callable[[t.Any], int]]] = []
        for stream in streams:
            # Text that is still in the stream was written before the guard; it belongs before the first drawing.
            stream.flush()
            buffer = stream.buffer
            original = buffer.write
            self._originals.append((buffer, original))
            buffer.write = self._guarded(original, buffer)

    def remove(self) -> None:
        """Let the streams be what they were."""
        for buffer, original in self._originals:
            buffer.write = original
        self._originals = []

    def _guarded(self, original: Callable[[t.Any], int], buffer: t.Any) -> Callable[[t.Any], int]:
        def write(data: t.Any) -> int:
            if os.getpid() != self._owner or not self._originals:
                return original(data)
            with self._outer_lock:
                held = self._screen.acquire(PATIENCE)
                if not held:
                    # The drawer is stopped in the middle of a write. Ansible's output goes first.
                    self._give_up()
                try:
                    if self._screen.visible:
                        original(ERASE)
                        self._screen.visible = False
                    written = original(data)
                    buffer.flush()
                    self._note_end(bytes(data[-512:]))
                finally:
                    if held:
                        self._screen.release()
            return written

        return write

    def _note_end(self, tail: bytes) -> None:
        """Keep account of whether the output stands at the start of a line.

        ansible-runner, and so AWX, writes invisible marks around events: CLEAR, text and cursor movements, CLEAR, in
        one write or in many. Inside of one nothing may be drawn; after it all is as before.
        """
        tail = _COLOURS_AT_END.sub(b"", tail)
        if tail.endswith(b"\n"):
            self._in_mark = self._screen.midline = False
        elif self._in_mark:
            if tail.endswith(CLEAR):
                self._in_mark, self._screen.midline = False, self._before_mark
        elif tail.endswith(CLEAR):
            text = tail.partition(CLEAR)[0]
            self._before_mark = not text.endswith(b"\n") if text else self._screen.midline
            self._in_mark = tail.count(CLEAR) % 2 == 1
            self._screen.midline = self._in_mark or self._before_mark
        elif tail:
            self._screen.midline = True
