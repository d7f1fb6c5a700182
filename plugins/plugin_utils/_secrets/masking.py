# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Keeps values that lookups read out of everything Ansible prints.

Lookups run in forked workers, output is written by the main process. `install`, called there before the first fork,
opens a board in memory: workers write values to it, and the main process blanks them in every line and in every
result that callbacks get. Where nobody called it, the task that used a value is hidden as a whole (no_log).
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.socle.platform.plugins.module_utils._values import Secret, clear_texts

MASK = "********"
# Blanking a shorter text everywhere would make all output unreadable.
SHORTEST = 4


class Board:
    """Values that must not be seen. Appended to by any process of this run, read by all."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.offset = 0
        self.rest = b""
        self.texts: set[str] = set()
        self.pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        # One write to a file opened for appending is not mixed with another process's.
        os.write(self.descriptor, json.dumps(value).encode() + b"\n")

    def refresh(self) -> None:
        found = False
        while chunk := os.pread(self.descriptor, 1 << 16, self.offset):
            self.offset += len(chunk)
            *lines, self.rest = (self.rest + chunk).split(b"\n")
            for line in lines:
                new = forms(json.loads(line)) - self.texts
                self.texts |= new
                found = found or bool(new)
        if found:
            longest_first = sorted(self.texts, key=len, reverse=True)
            self.pattern = re.compile("|".join(re.escape(text) for text in longest_first))

    def mask(self, data: Any) -> Any:
        """`data` with every value blanked; what holds none is returned as it is."""
        self.refresh()
        return data if self.pattern is None else self._masked(data, self.pattern)

    def _masked(self, data: Any, pattern: re.Pattern[str]) -> Any:
        if isinstance(data, str):
            return pattern.sub(MASK, data) if pattern.search(data) else data
        if isinstance(data, bytes):
            return self._masked(data.decode("utf-8", "replace"), pattern).encode()
        if isinstance(data, Mapping):
            return {self._masked(key, pattern): self._masked(value, pattern) for key, value in data.items()}
        if isinstance(data, (list, tuple, set, frozenset)):
            return [self._masked(item, pattern) for item in data]
        if isinstance(data, (int, float)) and not isinstance(data, bool) and str(data) in self.texts:
            return MASK
        return data


def forms(value: str) -> set[str]:
    """The texts under which a value can appear: as it is, line by line, escaped, encoded."""
    texts = clear_texts([Secret(value)])
    for line in value.splitlines():
        texts.add(json.dumps(line)[1:-1])
    return {text for text in texts if len(text) >= SHORTEST and not text.startswith("-----") and text.strip()}


_board: Board | None = None


def install() -> None:
    """Call once in the main process, before tasks run (the inventory plugin and the progress callback do)."""
    global _board
    if _board is not None or not hasattr(os, "memfd_create"):
        return
    # Anonymous memory: it has no name, is on no disk, and ends with the run.
    descriptor = os.memfd_create("socle-masking")
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)
    board = Board(descriptor)
    if _hook_display(board) and _hook_results(board):
        _board = board


def hide(values: Iterable[str]) -> None:
    """Say that these values were read and must not be shown."""
    task = running_task()
    if _board is None and task is None:
        install()
    if _board is None:
        if task is not None:
            task.no_log = True
        return
    for value in values:
        _board.add(value)


def running_task() -> Any:
    """The task this worker executes, or None in the main process. Lookups are not told; their callers' frames know."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        executor: Any = frame.f_locals.get("self")
        if type(executor).__name__ == "TaskExecutor" and hasattr(executor, "_task"):
            return executor._task
        frame = frame.f_back
    return None


def _hook_display(board: Board) -> bool:
    from ansible.utils.display import Display

    _wrap(Display, "display", lambda original: _display(original, board))
    return True


def _display(original: Callable[..., Any], board: Board) -> Callable[..., Any]:
    @functools.wraps(original)
    def display(self: Any, msg: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, board.mask(msg), *args, **kwargs)

    return display


def _hook_results(board: Board) -> bool:
    """The copy of a result that callbacks get: its maker has another name before 2.19."""
    from ansible.executor import task_result

    raw = getattr(task_result, "_RawTaskResult", None)
    if raw is not None and hasattr(raw, "as_callback_task_result"):
        _wrap(raw, "as_callback_task_result", lambda original: _copy(original, board))
        return True
    older = getattr(task_result, "TaskResult", None)
    if older is not None and hasattr(older, "clean_copy"):
        _wrap(older, "clean_copy", lambda original: _copy(original, board))
        return True
    return False


def _copy(original: Callable[..., Any], board: Board) -> Callable[..., Any]:
    @functools.wraps(original)
    def copy(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = original(self, *args, **kwargs)
        board.refresh()
        if board.pattern is None:
            return made
        seen = board.mask(made._result)
        if "result" in made.__dict__:  # 2.19 keeps it there, made from _return_data
            made.__dict__["result"] = seen
        else:
            made._result = seen
        name = next((n for n in ("_BaseTaskResult__task_fields", "_task_fields") if n in made.__dict__), None)
        if name is not None:
            made.__dict__[name] = board.mask(made.__dict__[name])
        return made

    return copy


def _wrap(owner: type, name: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    setattr(owner, name, wrapper(getattr(owner, name)))
