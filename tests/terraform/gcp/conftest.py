# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of all of Google's layers, made once for every test that only reads them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import tfprovider
from settings import CASES, VALUES, folder


@pytest.fixture(scope="session")
def plans(
    binary: str, clouds: tfprovider.Attached, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], dict[str, Any]]:
    """Layer and kind (plain, full) to the plan from nothing, as `show -json` tells it."""
    clouds.reset()
    found = {}
    for layer, kind in CASES:
        made = tfprovider.workspace(binary, folder(layer), tmp_path_factory.mktemp("plan") / layer, clouds.env)
        made.variables(VALUES[kind][layer])
        found[layer, kind] = made.plan()
    return found
