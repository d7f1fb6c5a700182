# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""One output shared by two processes: Ansible, which writes its lines, and the drawer of the moving ones.

A record lock on an unnamed file says whose turn it is. The kernel lets go of it when its holder dies, and
worker processes that Ansible forks do not inherit it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time

# The cursor rests at the start of the moving lines, so erasing them needs neither their number nor a width.
ERASE = b"\r\x1b[J"

_VISIBLE, _MIDLINE, _SUSPENDED = 0, 1, 2


class Screen:
    """The lock and three flags, on the file behind `fd`."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        if os.fstat(fd).st_size < mmap.PAGESIZE:
            os.ftruncate(fd, mmap.PAGESIZE)
        self._flags = mmap.mmap(fd, mmap.PAGESIZE)

    def acquire(self, seconds: float) -> bool:
        """Take the output, waiting at most `seconds`."""
        deadline = time.monotonic() + seconds
        pause = 0.00005
        while True:
            try:
                fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(pause)
                pause = min(pause * 2, 0.005)
            else:
                return True

    def release(self) -> None:
        """Give the output back."""
        fcntl.lockf(self.fd, fcntl.LOCK_UN)

    @property
    def visible(self) -> bool:
        """Moving lines stand below the cursor."""
        return self._flags[_VISIBLE] == 1

    @visible.setter
    def visible(self, value: bool) -> None:
        self._flags[_VISIBLE] = int(value)

    @property
    def midline(self) -> bool:
        """Ansible has begun a line and not ended it, a prompt for example."""
        return self._flags[_MIDLINE] == 1

    @midline.setter
    def midline(self, value: bool) -> None:
        self._flags[_MIDLINE] = int(value)

    @property
    def suspended(self) -> bool:
        """Somebody is being asked something: draw nothing."""
        return self._flags[_SUSPENDED] == 1

    @suspended.setter
    def suspended(self, value: bool) -> None:
        self._flags[_SUSPENDED] = int(value)
