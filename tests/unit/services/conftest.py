# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole catalogue on clusters of each kind: what `make services-export` writes, in memory."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils._manifest import mapping_services, validate
from ansible_collections.socle.platform.plugins.plugin_utils._services import (
    declaration,
    objects,
    platform,
    services,
)

from . import charts as recorded_charts

ROOT = Path(__file__).resolve().parents[3]


def exporter() -> Any:
    spec = importlib.util.spec_from_file_location("services_export", ROOT / "tests/tools/services_export.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OF = SimpleNamespace(
    validate=validate,
    mapping=mapping_services,
    platform=platform,
    services=services,
    objects=objects,
    declaration=declaration,
)


def everything() -> Iterator[tuple[str, platform.Platform, services.Service]]:
    """Every service of every inventory and of the whole catalogue, in each size."""
    export = exporter()
    given = {"catalogue": export.whole_catalogue(OF)}
    for manifest in sorted(ROOT.glob("inventories/*/*.socle.yml")):
        given[manifest.parent.name] = export.described(OF, manifest.parent)
    for inventory, described in given.items():
        whole = platform.platform(described)
        for cluster in whole.clusters.values():
            for name in services.chosen(cluster):
                for size in declaration.SIZES:
                    where = f"{inventory}/{cluster.name}/{name}/{size}"
                    yield where, whole, services.service(name, whole, cluster, size)


@pytest.fixture(scope="session")
def all_services() -> list[tuple[str, platform.Platform, services.Service]]:
    return list(everything())


@pytest.fixture(scope="session")
def charts() -> Any:
    if not recorded_charts.FOLDER.is_dir():
        pytest.skip("no data of charts: neither ../shared/charts nor SOCLE_CHARTS")
    return recorded_charts
