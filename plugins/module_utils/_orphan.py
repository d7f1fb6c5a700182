# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""A module ends with the Ansible that started it: left alone, it would go on writing beside the next run."""

from __future__ import annotations

import os
import select
import threading

CONTROLLER_VARIABLE = "SOCLE_CONTROLLER"


def announce() -> None:
    """Called in Ansible's main process, whose environment local modules inherit."""
    os.environ[CONTROLLER_VARIABLE] = str(os.getpid())


def end_with_controller() -> None:
    """End this process at once when the announced one has ended, as if it had been killed too.

    A task with `async` is meant to live on. On a remote host nothing is announced.
    """
    told = os.environ.get(CONTROLLER_VARIABLE, "")
    if not told.isdecimal() or "ANSIBLE_ASYNC_DIR" in os.environ or not hasattr(os, "pidfd_open"):
        return
    try:
        descriptor = os.pidfd_open(int(told))
    except ProcessLookupError:
        os._exit(1)
    except OSError:
        return
    threading.Thread(target=_follow, args=(descriptor,), daemon=True).start()


def _follow(descriptor: int) -> None:
    select.select([descriptor], [], [])
    os._exit(1)
