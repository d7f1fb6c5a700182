# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs for tests: made for one block, gone after it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
for folder in (HERE / "pve", HERE):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from rack import seeds  # noqa: E402  # the package lies beside this file
from rack.host import lacking  # noqa: E402  # as above
from rack.lab import Lab  # noqa: E402  # as above
from rack.nodes import Node  # noqa: E402  # as above


def require_lab() -> None:
    """Skip where this machine cannot carry the lab; fail instead where SOCLE_REQUIRE_LAB says that it has to."""
    sentence = lacking()
    if sentence is None:
        return
    if os.environ.get("SOCLE_REQUIRE_LAB"):
        pytest.fail(sentence)
    pytest.skip(sentence)


@contextmanager
def lab(name: str) -> Iterator[Lab]:
    """A lab of this name, empty at first. What an earlier run left of it is removed before, and all of it after."""
    require_lab()
    made = Lab(name)
    made.down()
    made.up()
    try:
        yield made
    finally:
        made.down()


def node(made: Lab, name: str, release: str = "13", **legs: str) -> Node:
    """A node to boot: address="10.10.48.1", public_address="203.0.113.9" or both."""
    key = made.key.with_suffix(".pub").read_text()
    return seeds.node(made.name, name, made.image(release), key, **legs)  # type: ignore[arg-type]  # all are text


def until(what: str, probe: Callable[[], Any], seconds: float) -> Any:
    """What `probe` gives, once it gives anything."""
    end = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)
    return found
