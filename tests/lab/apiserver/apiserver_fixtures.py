# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for `pytest_plugins`: one control plane for all test files of a process, and a namespace for each test."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator

import pytest
from apiserver import Cluster, running  # it lies beside this file
from apiserver_programs import Trouble  # as above

_RUNNING: list[Cluster] = []
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """One for each process of tests, whichever files ask for it; it ends with the process."""
    if not _RUNNING:
        stack = contextlib.ExitStack()
        try:
            _RUNNING.append(stack.enter_context(running()))
        except Trouble as error:
            if os.environ.get("SOCLE_REQUIRE_LAB"):
                raise
            pytest.skip(f"no kube-apiserver here: {error}")
        request.config.add_cleanup(stack.close)
    return _RUNNING[0]


@pytest.fixture
def space(cluster: Cluster) -> Iterator[str]:
    """A namespace of this test alone."""
    name = f"test-{next(_NUMBERS)}"
    cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    cluster.requests()
    yield name
    cluster.call("DELETE", f"/api/v1/namespaces/{name}", ok=(404, 409))
