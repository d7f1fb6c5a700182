# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module whose Ansible was killed does not go on writing."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.socle.platform.plugins.module_utils import _orphan

MODULE = "import sys, time; sys.path.insert(0, sys.argv[1]); import _orphan; _orphan.end_with_controller(); "
MODULE += "print('at work', flush=True); time.sleep(60)"
CONTROLLER = "import subprocess, sys; sys.path.insert(0, sys.argv[1]); import _orphan; _orphan.announce(); "
# A shell in between, as with Ansible's local connection: the module's own parent does not die.
CONTROLLER += (
    "subprocess.run(['/bin/sh', '-c', '\"$0\" -c \"$1\" \"$2\"; :', sys.executable, sys.argv[2], sys.argv[1]])"
)


@pytest.mark.parametrize("more", [{}, {"ANSIBLE_ASYNC_DIR": "/tmp"}], ids=["task", "async"])
def test_a_module_ends_with_the_ansible_that_started_it(more: dict[str, str]) -> None:
    """After SIGKILL of the controller the module ends at once; one that runs with async lives on."""
    folder = str(Path(_orphan.__file__).parent)
    controller = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, folder, MODULE],
        stdout=subprocess.PIPE,
        env=os.environ | more,
        start_new_session=True,
    )
    assert controller.stdout is not None
    try:
        assert controller.stdout.readline() == b"at work\n"
        controller.kill()
        controller.wait()
        # The end of the output is the end of the last process that holds it.
        ended, _w, _x = select.select([controller.stdout], [], [], 1.0 if more else 30.0)
        assert bool(ended) is not bool(more)
    finally:
        os.killpg(controller.pid, 9) if more else None
        controller.stdout.close()


def test_nobody_announced_is_nobody_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """On remote hosts, and with a foreign value, modules run as ever."""
    for value in ("", "x", "-1"):
        monkeypatch.setenv(_orphan.CONTROLLER_VARIABLE, value)
        _orphan.end_with_controller()
