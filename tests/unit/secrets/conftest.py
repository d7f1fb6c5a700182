# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of secrets share."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _server() -> ModuleType:
    name = "socle_secrets_server"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("server.py"))
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def server() -> ModuleType:
    return _server()


@pytest.fixture(scope="session")
def bao(server: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One server for all tests that do not break it."""
    with server.running(tmp_path_factory.mktemp("bao")) as running:
        yield running


@pytest.fixture
def vault(bao: Any) -> Callable[..., Any]:
    """Opens the store as a user's settings would; options override."""
    from ansible_collections.socle.platform.plugins.module_utils._secrets.config import open_store

    def make(remark: Callable[[str], None] = print, environ: dict[str, str] | None = None, **given: Any) -> Any:
        settings = {
            "backend": "vault", "address": bao.address, "auth": {"token": bao.token}, "timeout": 5, **given,
        }  # fmt: skip
        return open_store(
            settings, folder=None, passwords=list, environ=environ or {"HOME": "/nonexistent"}, remark=remark
        )

    return make
