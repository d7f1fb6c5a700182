# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ECS in this process: users come before each call of a release, and what they got is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.socle.platform.plugins.module_utils._releases import amazon, drive, ecs, ecs_native, ecs_watch
from ansible_collections.socle.platform.plugins.module_utils._releases.model import Aim, Limits, Wish
from ansible_collections.socle.platform.plugins.module_utils._wait import Deadline
from cloud_site import Killed, Virtual
from clouds.amazon import REGION, Aws, make_site
from clouds.images import Images
from clouds.plain_amazon import Calls, CodedError, plain_site
from moto import mock_aws

# Here a release is over before its first minute is.
ecs_watch.full_minute = lambda _since: 0.0
READS = ("describe_", "list_", "get_")


class Broken(ConnectionError):
    """The answer was lost."""


@dataclass
class Site:
    aws: Aws
    images: Images
    plain: Calls | None = None
    clock: Virtual = field(default_factory=Virtual)
    got: list[tuple[int, str]] = field(default_factory=list)
    kill_at: int = 0
    lose_at: int = 0
    calls: list[str] = field(default_factory=list)
    clients: dict[str, Any] = field(default_factory=dict)
    refusals: dict[str, Exception] = field(default_factory=dict)
    hook: Callable[[], bool] = lambda: False
    """Called before each request of a run; says whether its answer is lost."""

    def users(self) -> None:
        for _again in range(7):
            self.got.append(self.aws.serve("/"))

    def port(self) -> Any:
        if self.aws.natives:
            return ecs_native.EcsNative(Watched(self), "shop", "web")
        return ecs.Ecs(Watched(self), "shop", "web")

    def look(self, url: str, _headers: Any) -> str:
        status, _text = self.aws.serve(urlsplit(url).path)
        return "" if status < 400 else f"{url} answers {status}"

    def drive(self, wish: Wish, limits: Limits | None = None, seconds: float = 3600) -> Any:
        limits = limits or Limits(health="/healthz", bake=20, max_errors=5)
        return drive.drive(self.port(), wish, limits, Deadline(seconds, self.clock), look=self.look)

    def percents(self) -> dict[str, int]:
        return self.aws.percents()

    def no_error_seen(self) -> bool:
        self.users()
        return {status for status, _image in self.got} == {200}

    def running(self) -> dict[str, str]:
        """Which image runs in which service, and in how many tasks."""
        self.aws.tick()
        found = {}
        for service in self.aws.ecs.services.values():
            definition = self.aws.ecs.describe_task_definition(service.task_definition)
            found[service.name] = f"{service.desired_count} {definition.container_definitions[0]['image']}"
        return found


class Watched(amazon.Amazon):
    """Each call may be the last one of its run, or one whose answer is lost."""

    def __init__(self, site: Site) -> None:
        super().__init__(REGION)
        # A client takes long to make.
        self._clients = site.clients
        self.site = site

    def call(self, api: str, operation: str, what: str, **parameters: Any) -> dict[str, Any]:
        site = self.site
        site.users()
        lost = site.hook()
        site.calls.append(operation)
        if len(site.calls) == site.kill_at:
            raise Killed
        if operation in site.refusals:
            raise amazon.refused(site.refusals.pop(operation), what, operation.startswith(READS))
        if site.plain is None:
            found = super().call(api, operation, what, **parameters)
        else:
            try:
                found = site.plain.call(api, operation, parameters)
            except CodedError as error:
                raise amazon.refused(error, what, False) from None
        if len(site.calls) == site.lose_at or lost:
            raise amazon.refused(Broken("reset"), what, operation.startswith(READS))
        return found


def images_of() -> Images:
    images = Images()
    images.add("app:v1")
    images.add("app:v2")
    images.add("app:v3")
    images.add("app:sick", health=500, status=500)
    images.add("app:faulty", status=500)
    images.add("app:dead", starts="Essential container in task exited")
    return images


def site_of(patience: int = 1, strategy: str = "") -> Site:
    """From plain dictionaries; with a strategy, ECS moves users itself."""
    images = images_of()
    aws, calls = plain_site(images, patience, strategy=strategy)
    return Site(aws, images, calls)


@contextmanager
def site_on_moto() -> Iterator[Site]:
    images = images_of()
    with mock_aws():
        aws = Aws(images)
        make_site(aws)
        yield Site(aws, images)


def released(image: str, **more: Any) -> Wish:
    return Wish("web", Aim.RELEASED, image, **more)


BACK = Wish("web", Aim.ROLLED_BACK)
