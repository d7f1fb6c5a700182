# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The double of Cloud Run, as Google's own client sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from clouds.cloud_run import PARENT, CloudRun, make_service
from clouds.images import Images
from clouds.serving import cloud_run_served
from google.auth.credentials import AnonymousCredentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

NAME = f"{PARENT}/services/web"
OLD = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"


@pytest.fixture
def run() -> CloudRun:
    images = Images()
    for name in ("app:v1", "app:v2"):
        images.add(name)
    made = CloudRun(images)
    make_service(made, "web", "app:v1")
    return made


@pytest.fixture
def services(run: CloudRun) -> Iterator[Any]:
    with cloud_run_served(run) as base:
        api = build("run", "v2", client_options={"api_endpoint": base}, credentials=AnonymousCredentials())
        yield api.projects().locations().services()
        api.close()


def template(image: str) -> dict[str, Any]:
    return {"containers": [{"image": image, "ports": [{"containerPort": 8080}]}]}


def test_the_latest_gets_everybody_and_a_name_does_not(services: Any, run: CloudRun) -> None:
    """Would catch a double on which pinning traffic makes no difference: releases would pass without it."""
    services.patch(name=NAME, updateMask="template", body={"template": template("app:v2")}).execute()
    moving = services.get(name=NAME).execute()
    assert "trafficStatuses" in moving and run.serve("web", "/")[1] == "app:v2"
    revision = moving["latestReadyRevision"].rpartition("/")[2]
    pinned = [{"type": OLD, "revision": revision, "percent": 100}]
    body = {"template": template("app:v1"), "traffic": pinned}
    services.patch(name=NAME, updateMask="template,traffic", body=body).execute()
    settled = services.get(name=NAME).execute()
    assert settled["latestReadyRevision"] != moving["latestReadyRevision"] and run.serve("web", "/")[1] == "app:v2"
    assert settled["generation"] == settled["observedGeneration"] and isinstance(settled["generation"], str)


def test_a_version_that_fails_leaves_users_and_shows_the_wish(services: Any, run: CloudRun) -> None:
    """Would catch a double whose `traffic` tells the truth: a release that reads the wish would pass on it."""
    services.patch(name=NAME, updateMask="template", body={"template": template("app:nowhere")}).execute()
    found = services.get(name=NAME).execute()
    assert found["terminalCondition"]["state"] == "CONDITION_FAILED"
    assert found["latestCreatedRevision"] != found["latestReadyRevision"] and run.serve("web", "/") == (200, "app:v1")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"etag": '"0-0"', "description": "x"}, "Conflict for resource 'web'"),
        ({"traffic": [{"type": OLD, "revision": "web-nowhere", "percent": 100}]}, "there is no revision web-nowhere"),
        ({"traffic": [{"percent": 90}]}, "add up to 100"),
        ({"trafic": []}, 'Unknown name "trafic"'),
        ({"traffic": [{"percent": "100"}]}, "Invalid value at"),
    ],
)
def test_what_the_real_one_refuses_is_refused(services: Any, body: dict[str, Any], said: str) -> None:
    """Would catch a double that takes what Cloud Run would not."""
    with pytest.raises(HttpError, match=said):
        services.patch(name=NAME, body=body).execute()
