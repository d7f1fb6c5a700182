# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulators for tests: one in this process (`running`) or as a program of its own (`spawned`), with a small client.

sys.path.insert(0, str(root / "tests" / "lab" / "pve"))
from fixture import running

with running(nodes=("pve1", "pve2"), cluster="lab") as pve:
    pve.fault(kind="status", status=503, method="POST", path="/clone$", at=2)
    ... pve.url, pve.root().post("/pools", poolid="p1") ...
    assert not pve.writes()
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from pvesim.simulator import Settings, Simulator  # noqa: E402  # the package lies beside this file

# Nothing waits unless a test asks for it.
QUICK: dict[str, Any] = {"agent_patience": 0.0, "refusal_delay": 0.0}


class RefusedError(Exception):
    """An answer of 400 or more."""

    def __init__(self, status: int, reason: str, body: Any) -> None:
        super().__init__(f"{status} {reason}")
        self.status, self.reason, self.body = status, reason, body

    @property
    def errors(self) -> dict[str, str]:
        return dict(self.body.get("errors") or {}) if isinstance(self.body, dict) else {}


@dataclass
class Client:
    """One keep-alive connection to a node, as one user. Not for several threads."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    timeout: float = 30.0
    _connection: http.client.HTTPSConnection | None = None

    def _open(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            parts = urlsplit(self.url)
            # The certificate was made a moment ago for this one test.
            context = ssl._create_unverified_context()  # noqa: S323  # see above
            self._connection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=self.timeout, context=context
            )
        return self._connection

    def raw(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[int, str, dict[str, Any]]:
        headers = {**self.headers, **({"Content-Type": kind} if kind else {})}
        connection = self._open()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.will_close:
            self.close()
        is_json = "json" in (answer.getheader("Content-Type") or "") and data
        return answer.status, answer.reason, json.loads(data) if is_json else {"data": data.decode(), "text": True}

    def call(self, method: str, path: str, /, **params: Any) -> Any:
        """The `data` of an answer; RefusedError for 400 and more. `__` in a name stands for `-`."""
        named = {name.replace("__", "-"): value for name, value in params.items() if value is not None}
        target, body = f"/api2/json{path}", None
        if named and method in ("GET", "DELETE"):
            target += "?" + urlencode(named, doseq=True)
        elif named:
            body = urlencode(named, doseq=True).encode()
        kind = "application/x-www-form-urlencoded" if body else ""
        status, reason, answer = self.raw(method, target, body, kind)
        if status >= 400:
            raise RefusedError(status, reason, answer)
        return answer.get("data")

    def get(self, path: str, /, **params: Any) -> Any:
        return self.call("GET", path, **params)

    def post(self, path: str, /, **params: Any) -> Any:
        return self.call("POST", path, **params)

    def put(self, path: str, /, **params: Any) -> Any:
        return self.call("PUT", path, **params)

    def delete(self, path: str, /, **params: Any) -> Any:
        return self.call("DELETE", path, **params)

    def login(self, user: str, password: str) -> Client:
        data = self.post("/access/ticket", username=user, password=password)
        ticket = quote(data["ticket"], safe="")
        headers = {"Cookie": f"PVEAuthCookie={ticket}", "CSRFPreventionToken": data["CSRFPreventionToken"]}
        return Client(self.url, headers, self.timeout)

    def wait(self, upid: str, seconds: float = 30.0) -> str:
        """The exit status of a task."""
        node = upid.split(":")[1]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self.get(f"/nodes/{node}/tasks/{quote(upid, safe=':@!')}/status")
            if state["status"] == "stopped":
                return str(state["exitstatus"])
            time.sleep(0.01)
        raise TimeoutError(f"task {upid} still runs after {seconds} s")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Pve:
    """A simulator that runs, and its back door."""

    nodes: dict[str, dict[str, Any]]
    control_token: str
    ca: str
    address: str
    password: str = "secret"
    simulator: Simulator | None = None
    _clients: list[Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return str(next(iter(self.nodes.values()))["url"])

    @property
    def host(self) -> str:
        """host:port of the first node."""
        return urlsplit(self.url).netloc

    def url_of(self, node: str) -> str:
        return str(self.nodes[node]["url"])

    def client(self, node: str = "", headers: dict[str, str] | None = None) -> Client:
        client = Client(self.url_of(node) if node else self.url, headers or {})
        self._clients.append(client)
        return client

    def root(self, node: str = "") -> Client:
        with contextlib.closing(Client(self.url_of(node) if node else self.url)) as anonymous:
            client = anonymous.login("root@pam", self.password)
        self._clients.append(client)
        return client

    def token(self, tokenid: str, secret: str, node: str = "") -> Client:
        return self.client(node, {"Authorization": f"PVEAPIToken={tokenid}={secret}"})

    # --- the back door

    def control(self, method: str, what: str, /, **args: Any) -> Any:
        client = Client(self.url, {"X-Control-Token": self.control_token})
        with contextlib.closing(client):
            status, _reason, data = client.raw(method, f"/control/{what}", json.dumps(args).encode() if args else None)
        if status != 200:
            raise RuntimeError(f"control {method} {what}: {data}")
        return data

    def fault(self, **row: Any) -> int:
        return int(self.control("POST", "faults", **row)["id"])

    def clear_faults(self) -> None:
        self.control("DELETE", "faults")

    def requests(self) -> list[dict[str, Any]]:
        """The request log: method, path, user, status, faults."""
        return list(self.control("GET", "log"))

    def forget_requests(self) -> None:
        self.control("DELETE", "log")

    def writes(self) -> list[dict[str, Any]]:
        """Requests that could have changed something; a login is none."""
        return [r for r in self.requests() if r["method"] != "GET" and r["path"] != "/access/ticket"]

    def durations(self, **seconds: float) -> None:
        self.control("POST", "durations", **seconds)

    def skip(self, seconds: float) -> None:
        self.control("POST", "clock", skip=seconds)

    def settle(self) -> None:
        self.control("POST", "settle")

    def dump(self) -> dict[str, Any]:
        return dict(self.control("GET", "dump"))

    def load(self, state: dict[str, Any]) -> None:
        self.control("POST", "load", **state)

    def reset(self) -> None:
        self.control("POST", "reset")

    def seed_guests(self, count: int, **args: Any) -> list[int]:
        return list(self.control("POST", "guests", count=count, **args))

    def close(self) -> None:
        for client in self._clients:
            client.close()


@contextlib.contextmanager
def running(**settings: Any) -> Iterator[Pve]:
    """A simulator in this process, on free ports. The settings are those of `Settings`."""
    with tempfile.TemporaryDirectory(prefix="pve-sim-") as folder:
        simulator = Simulator(Settings(**{**QUICK, **settings}), Path(folder))
        simulator.start()
        about = simulator.about()
        pve = Pve(password=simulator.settings.root_password, simulator=simulator, **about)
        try:
            yield pve
        finally:
            pve.close()
            simulator.stop()


@contextlib.contextmanager
def spawned(*arguments: str, quick: bool = True) -> Iterator[Pve]:
    """A simulator as its own process, with the arguments of server.py."""
    command = [sys.executable, str(HERE / "server.py"), "--port", "0", *arguments]
    if quick:
        command += ["--agent-patience", "0", "--refusal-delay", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise RuntimeError(f"the simulator did not start: exit code {process.wait(timeout=10)}")
        pve = Pve(**json.loads(line))
        yield pve
        pve.close()
    finally:
        process.terminate()
        process.wait(timeout=10)
        if process.stdout:
            process.stdout.close()
