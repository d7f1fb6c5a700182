# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes `ansible_collections.socle.platform` importable from the checkout, as Ansible itself would."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# The machine is shared: how long one example takes says nothing.
settings.register_profile("socle", deadline=None)
settings.load_profile("socle")

_AnsibleCollectionFinder(paths=[str(ROOT / "playbooks" / "collections")])._install()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longer than CI has runs in `make test-long` only."""
    if not os.environ.get("SOCLE_LONG"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="long: run by `make test-long`"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Data recorded from real systems, kept beside the checkout and never in it."""
    path = ROOT.parent / "shared"
    if not path.is_dir():
        pytest.skip("no ../shared beside this checkout")
    return path
