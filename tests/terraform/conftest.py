# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for tests of Terraform layers. README.md shows how a layer's test looks."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import tfprovider
from tofu import build


def missing(reason: str) -> None:
    """Skip, or fail where the lab must be whole."""
    if os.environ.get("SOCLE_REQUIRE_LAB"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def clouds() -> Iterator[tfprovider.Attached]:
    """All providers there is data of, served for the whole session; `attached` gives them empty."""
    if tfprovider.schemas_folder() is None:
        missing("no provider schemas: neither ../shared/terraform nor SOCLE_TERRAFORM_SCHEMAS")
    with tfprovider.attached() as served:
        yield served


@pytest.fixture
def attached(clouds: tfprovider.Attached) -> tfprovider.Attached:
    """The same with empty clouds and no faults."""
    clouds.reset()
    return clouds


@pytest.fixture(scope="session", params=["terraform", "tofu"])
def binary(request: pytest.FixtureRequest) -> str:
    """Each test runs with both; OpenTofu is built where terraform is absent, and for the long tests."""
    terraform = shutil.which("terraform")
    if request.param == "terraform":
        if terraform is None:
            missing("terraform is not installed")
        return str(terraform)
    if terraform is not None and not os.environ.get("SOCLE_LONG"):
        pytest.skip("with OpenTofu too in `make test-long` only: terraform is here")
    try:
        return str(build.tofu())
    except build.CannotBuild as error:
        missing(str(error))
        raise


@pytest.fixture
def workspace(binary: str, attached: tfprovider.Attached, tmp_path: Path) -> Callable[[Path], tfprovider.Workspace]:
    """`workspace(folder)` copies a layer's folder to a fresh place, initialises it, and gives plan, apply, destroy."""
    numbers = itertools.count()

    def make(source: Path) -> tfprovider.Workspace:
        return tfprovider.workspace(binary, source, tmp_path / f"layer{next(numbers)}", attached.env)

    return make
