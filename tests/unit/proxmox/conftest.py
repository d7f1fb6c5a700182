# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated clusters for the tests of the Proxmox modules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .lab import Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """One node with the template debian-13."""
    made = Cluster(tmp_path)
    made.template()
    yield made
    made.close()


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Cluster]:
    """Three nodes with the template debian-13 on a shared storage."""
    made = Cluster(tmp_path, ("pve1", "pve2", "pve3"))
    made.template()
    yield made
    made.close()
