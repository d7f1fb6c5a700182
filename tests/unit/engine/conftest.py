# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Worlds for the engine's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.socle.platform.plugins.module_utils._values import Seal

from .world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def cheap_seals() -> Iterator[None]:
    """Seals at no cost, where thousands are made; how dear one is has its own test."""
    cost, Seal.cost = Seal.cost, 2
    yield
    Seal.cost = cost
