# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cloud Run in this process: users come before each request of a release, and what they got is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.socle.platform.plugins.module_utils._releases import cloud_run, drive, google
from ansible_collections.socle.platform.plugins.module_utils._releases.model import Aim, Limits, Wish
from ansible_collections.socle.platform.plugins.module_utils._wait import Clock, Deadline
from clouds.cloud_run import CloudRun, Fault, make_service
from clouds.images import Images

PATH = "projects/shop/locations/europe-west1/services/web"


class Killed(BaseException):
    """The run was ended from outside: nothing of its own runs any more."""


class Virtual(Clock):
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Answer:
    status_code: int
    found: Any

    def json(self) -> Any:
        return self.found

    @property
    def text(self) -> str:
        return str(self.found)


class Session:
    """What `requests` would be, without a network."""

    def __init__(self, site: Site) -> None:
        self.site, self.run, self.headers = site, site.run, {}

    def request(self, method: str, url: str, params: Any = None, json: Any = None, timeout: float = 0) -> Answer:
        lost = self.site.hook()
        answer = Answer(*self.run.handle(method, urlsplit(url).path.lstrip("/"), params or {}, json))
        if lost:
            raise ConnectionError("the connection was reset")
        return answer

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Site:
    """A service `web` that serves app:v1."""

    run: CloudRun
    images: Images
    clock: Virtual = field(default_factory=Virtual)
    got: list[tuple[int, str]] = field(default_factory=list)
    kill_at: int = 0
    requests: int = 0
    hook: Callable[[], bool] = lambda: False
    """Called before each request of a run; says whether its answer is lost."""

    def users(self, *_unused: Any) -> None:
        """Some users come; then the run may die before its request is sent."""
        for _again in range(7):
            self.got.append(self.run.serve("web", "/"))

    def before(self, method: str, path: str) -> None:
        self.users()
        if path.startswith("v2/"):
            self.requests += 1
            if self.requests == self.kill_at:
                raise Killed

    def look(self, url: str, _headers: Any) -> str:
        host, _slash, rest = urlsplit(url).path.lstrip("/").partition("/")
        status, _text = self.run.serve(host, f"/{rest}")
        return "" if status < 400 else f"{url} answers {status}"

    def port(self) -> cloud_run.CloudRun:
        api = google.Google("http://127.0.0.1:1", "http://127.0.0.1:1")
        api._session = Session(self)
        return cloud_run.CloudRun(api, "shop", "europe-west1", "web")

    def drive(self, wish: Wish, limits: Limits | None = None, seconds: float = 3600, **more: Any) -> Any:
        limits = limits or Limits(health="/healthz", bake=60, max_errors=5)
        return drive.drive(self.port(), wish, limits, Deadline(seconds, self.clock), look=self.look, **more)

    def percents(self) -> dict[str, int]:
        """Who has how many users, by image, as Cloud Run itself says it."""
        service = self.run.services[PATH]
        found: dict[str, int] = {}
        for status in service.statuses:
            if status.get("percent"):
                name, _status = self.run._target(service, status)
                image = service.revisions[name]["containers"][0]["image"]
                found[image] = found.get(image, 0) + status["percent"]
        return found

    def no_error_seen(self) -> bool:
        self.users()
        return {status for status, _image in self.got} == {200}


def site_of(patience: int = 1) -> Site:
    images = Images()
    images.add("app:v1")
    images.add("app:v2")
    images.add("app:sick", health=500, status=500)
    images.add("app:faulty", status=500)
    images.add("app:dead", starts="The user-provided container failed to start and listen on the port.")
    run = CloudRun(images, patience=patience)
    make_service(run, "web", "app:v1")
    site = Site(run, images)
    run.before = site.before
    return site


def released(image: str, **more: Any) -> Wish:
    return Wish("web", Aim.RELEASED, image, **more)


BACK = Wish("web", Aim.ROLLED_BACK)
__all__ = ["BACK", "Fault", "Killed", "Limits", "Site", "released", "site_of"]
