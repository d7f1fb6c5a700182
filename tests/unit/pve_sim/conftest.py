# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the simulator importable and gives each test a small world without sockets."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab" / "pve"))

from pvesim import auth, tasks  # the simulator is no installed package
from pvesim.app import App, Request, Response  # as above
from pvesim.world import Clock, Fleet  # as above


class Api:
    """Calls an App directly, as root or as somebody else."""

    def __init__(self, app: App, node: str) -> None:
        self.app, self.node = app, node
        self.user = "root@pam"
        self.headers: dict[str, str] | None = None

    @property
    def site(self) -> Any:
        return self.app.fleet.site_of(self.node)

    def send(self, method: str, path: str, params: dict[str, Any] | None = None) -> Response:
        now = self.app.fleet.clock.now()
        headers = self.headers
        if headers is None:
            ticket = quote(auth.ticket(self.site, self.user, now), safe="")
            headers = {"cookie": f"PVEAuthCookie={ticket}", "csrfpreventiontoken": auth.csrf(self.site, self.user, now)}
        target, body = f"/api2/json{path}", b""
        if params and method in ("GET", "DELETE"):
            target += "?" + urlencode(params, doseq=True)
        elif params:
            body = urlencode(params, doseq=True).encode()
        return self.app.handle(Request(method, target, headers, body, self.node))

    def call(self, method: str, path: str, params: dict[str, Any] | None = None) -> Any:
        response = self.send(method, path, params)
        assert response.status == 200, (response.status, response.reason, response.body)
        return json.loads(response.body)["data"]

    def refused(self, method: str, path: str, params: dict[str, Any] | None = None) -> tuple[int, str]:
        response = self.send(method, path, params)
        assert response.status >= 400, response.body
        return response.status, response.reason

    def as_user(self, user: str) -> Api:
        other = Api(self.app, self.node)
        other.user = user
        return other

    def as_token(self, tokenid: str, secret: str) -> Api:
        other = Api(self.app, self.node)
        other.headers = {"authorization": f"PVEAPIToken={tokenid}={secret}"}
        return other

    def exit(self, upid: str) -> str:
        tasks.settle(self.app.fleet)
        return str(self.site.tasks[upid].status)


@pytest.fixture
def make_api() -> Callable[..., Api]:
    def make(*nodes: str, cluster: str = "", seed: int = 0) -> Api:
        fleet = Fleet(Clock(0.0, 1_700_000_000.0), seed)
        names = nodes or ("pve1",)
        for index, name in enumerate(names):
            fleet.add_node(name, index)
        if cluster:
            fleet.join(list(names), cluster)
        fleet.agent_patience = 0.0
        return Api(App(fleet), names[0])

    return make


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    return make_api()
