# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of clouds to what is released there."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.plugin_utils import _releases

HOSTS: dict[str, dict[str, Any]] = {
    "google": {"cloud_run_services": {"web": {"health": "/healthz"}, "orders": {"protocol": "grpc"}}},
    "paris": {
        "ecs_services": {
            "web": {"health": "/health", "hosts": [], "slow_seconds": 2},
            "shop": {"hosts": ["s.example.org"]},
        },
        "ecs_name": "shop-paris",
        "ecs_domain": "shop.example.org",
        "ecs_test_path": "/next",
        "ecs_bake_minutes": 5,
        "ecs_strategy": "CANARY",
        "ecs_step_percent": 20,
    },
    "canada": {"gke_name": "canada"},
}


def test_what_follows_from_a_cloud() -> None:
    """Would catch a release without the health, the alarms or the steps that the manifest asks for."""
    assert _releases.services(HOSTS["google"], "web", "deployed", {"image": "a:1"}) == [
        {"name": "web", "state": "deployed", "health": "/healthz", "image": "a:1"}
    ]
    assert _releases.services(HOSTS["paris"], "web", "released", {"bake": 60, "version": None}) == [
        {
            "name": "web", "state": "released", "health": "/health", "bake": 60, "steps": [20],
            "alarms": ["shop-paris-web-errors", "shop-paris-web-slow"], "url": "https://shop.example.org/next",
        }
    ]  # fmt: skip
    assert _releases.services(HOSTS["paris"], "shop", "released", {})[0]["url"] == "https://s.example.org/next"
    assert _releases.services(HOSTS["canada"], "web", "released", {}) == []


def test_an_app_that_is_nowhere_ends_the_run() -> None:
    """Would catch a deployment that does nothing and says that all is well."""
    assert _releases.places(HOSTS, "web") == ["google", "paris"]
    with pytest.raises(ValueError, match=r"no cloud of this run has an app wbe; did you mean web\?"):
        _releases.places(HOSTS, "wbe")
    with pytest.raises(ValueError, match="did you mean image"):
        _releases.services(HOSTS["google"], "web", "deployed", {"imgae": "a:1"})


def test_the_deadline_covers_every_step() -> None:
    """Would catch a release that is cut off because it was watched for as long as it was asked to be."""
    assert _releases.seconds([{"bake": 300, "steps": [10, 50]}]) > 3 * 300
    assert _releases.seconds([]) > 0
