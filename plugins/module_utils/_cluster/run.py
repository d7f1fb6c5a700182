# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Runs what needs time and can be refused as a module: progress, and one sentence at the end of a failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from .._progress import NullProgress, Progress
from .._wait import WaitFailed
from .call import Unanswered
from .live import Refused
from .snapshot import Unusable


class Module(Protocol):
    """What is needed of Ansible's own class."""

    params: Mapping[str, Any]
    check_mode: bool
    _name: str

    def fail_json(self, msg: str, **more: Any) -> None: ...

    def exit_json(self, **more: Any) -> None: ...


def run(module: Module, act: Callable[[Mapping[str, Any], bool, NullProgress], dict[str, Any]]) -> None:
    progress = Progress.from_environment(module._name)
    try:
        found = act(module.params, module.check_mode, progress)
    except (Refused, Unanswered, Unusable, WaitFailed) as error:
        return module.fail_json(msg=str(error))
    finally:
        progress.close()
    return module.exit_json(**found)


__all__ = ["run"]
