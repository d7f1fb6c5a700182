# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ecs_deployment as a playbook meets it: moto behind HTTP, users of a load balancer all along, runs that are killed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

from clouds.amazon import REGION, Aws, load_balancer, make_site, server
from clouds.images import Images
from release_site import ENOUGH, Play, Users, kill, until


@dataclass
class Site:
    aws: Aws
    images: Images
    balancer: str
    play: Play

    def place(self) -> dict[str, Any]:
        return {"cluster": "shop", "region": REGION, "endpoint": self.aws.endpoint}

    def release(self, *, check: bool = False, fails: bool = False, **service: Any) -> tuple[str, dict[str, Any]]:
        services = [{"name": "web", "health": "/healthz", "url": f"{self.balancer}/next", **service}]
        return "ecs_deployment", {**self.place(), "services": services, "_check": check, "_fails": fails}

    def info(self) -> tuple[str, dict[str, Any]]:
        return "ecs_deployment_info", {**self.place(), "names": ["web"]}

    def users(self) -> Users:
        return Users(f"{self.balancer}/")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    images = Images()
    for name in ("app:v1", "app:v2"):
        images.add(name)
    images.add("app:sick", health=503, status=500)
    keys = {"AWS_ACCESS_KEY_ID": "lab", "AWS_SECRET_ACCESS_KEY": "lab"}
    with server() as endpoint:
        aws = Aws(images, endpoint=endpoint)
        make_site(aws)
        with load_balancer(aws) as balancer:
            yield Site(aws, images, balancer, Play(tmp_path, keys))


def test_from_deployed_to_released_and_back(site: Site) -> None:
    """Would catch an error for a user, a second run or a check mode that changes, a failure without its reason."""
    with site.users() as users:
        planned, refused, sick, _released, told, again, back, back_again = site.play.modules(
            site.release(check=True, image="app:v2"),
            site.release(state="deployed", image="app:sick", fails=True),
            site.release(image="app:sick", fails=True),
            site.release(image="app:v2", version="v2", by="ada", commit="abc", steps=[10, 50], bake=0.2),
            site.info(),
            site.release(image="app:v2"),
            site.release(state="rolled_back", reason="orders are lost"),
            site.release(state="rolled_back"),
        )
        done = len(users.got)
        until("more users", lambda: len(users.got) > done + 20)
        assert {text for _status, text in users.got[done + 2 :]} == {"app:v1"}
    assert planned["changed"] and planned["releases"][0]["phase"] == "none"
    assert "failed ELB health checks" in refused["msg"] and "web: app:sick was taken back" in refused["msg"]
    assert "set again to true" in sick["msg"]
    found = told["releases"][0]
    assert (found["phase"], found["version"], found["by"], found["commit"]) == ("done", "v2", "ada", "abc")
    assert [(one["image"], one["percent"]) for one in found["versions"]] == [("app:v2", 100), ("app:v1", 0)]
    assert not again["changed"] and back["changed"] and not back_again["changed"]
    assert not site.images.users_of("app:sick")
    assert users.images() == {"app:v1", "app:v2"}
    assert len(users.got) > ENOUGH and not users.errors()


def test_a_run_that_is_killed_is_continued(site: Site) -> None:
    """Would catch a release that only the run knew of which was killed while a tenth of the users had it."""
    with site.users() as users:
        name, task = site.release(image="app:v2", steps=[10], bake=60)
        own = {key: value for key, value in task.items() if not key.startswith("_")}
        process = site.play.start({f"socle.platform.{name}": own})
        try:
            until("the first users of the new version", lambda: "app:v2" in users.images(), process)
        finally:
            kill(process)
        site.play.modules(site.release(steps=[10], bake=0.2))
        done = len(users.got)
        until("more users", lambda: len(users.got) > done + 20)
        assert {text for _status, text in users.got[done + 2 :]} == {"app:v2"}
    assert not users.errors()
