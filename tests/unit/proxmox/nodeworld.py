# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that can lock us out: files on disk, the real helper of role proxmox_node, an API, and who reaches what.

A node has eno1 on the public side and eno2 on the rack's VLAN. It is reached if, as it runs, its public address stands
on something untagged that leads to eno1, with the right gateway, and its firewall lets the controller in.
"""

from __future__ import annotations

import hashlib
import importlib.util
import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from ansible_collections.socle.platform.plugins.module_utils._objects import Change, Step
from ansible_collections.socle.platform.plugins.module_utils._proxmox import errors, trymode
from ansible_collections.socle.platform.plugins.module_utils._wait import Clock, Deadline, Quiet

ROOT = Path(__file__).resolve().parents[3]
CONTROLLER = "198.51.100.7"
GATEWAY = "203.0.113.1"


def load_helper() -> Any:
    path = ROOT / "roles" / "proxmox_node" / "files" / "socle_try.py"
    spec = importlib.util.spec_from_file_location("socle_try", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.say = str
    return module


helper = load_helper()


class Killed(BaseException):
    """The controller is no more."""


class WorldClock(Clock):
    """Virtual seconds; in each of them the helpers of all nodes do what is due."""

    def __init__(self) -> None:
        self.time = 0.0
        self.each_second: list[Callable[[], None]] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        target = self.time + seconds
        while int(self.time) < int(target):
            self.time = float(int(self.time) + 1)
            for work in self.each_second:
                work()
        self.time = max(self.time, target)


@dataclass
class FakeNode:
    name: str
    public: str
    root: Path
    clock: WorldClock
    helped: bool = True
    running: dict[str, dict[str, Any]] = field(default_factory=dict)
    firewall: dict[str, Any] = field(default_factory=dict)
    firewall_due: float = 0.0
    reloads: int = 0
    dead: bool = False

    def __post_init__(self) -> None:
        self.guard = helper.Guard(helper.Node(self.root, self.name, self.run), now=self.clock.now)
        for folder in ("etc/network", "etc/pve/firewall", f"etc/pve/nodes/{self.name}"):
            (self.root / folder).mkdir(parents=True)
        self.write("etc/network/interfaces", self.fresh())
        self.reload()
        self.clock.each_second.append(self.second)

    def fresh(self) -> dict[str, dict[str, Any]]:
        rack = str(ipaddress.ip_address("10.10.10.0") + int(self.public.rsplit(".", 1)[1]) % 100)
        return {
            "eno1": {"type": "eth", "exists": 1},
            "eno2": {"type": "eth", "exists": 1},
            "vmbr0": {
                "type": "bridge",
                "cidr": f"{self.public}/24",
                "gateway": GATEWAY,
                "bridge_ports": "eno1",
                "autostart": 1,
                "comments": "public\n",
            },
            "vmbr1": {
                "type": "bridge",
                "cidr": f"{rack}/16",
                "bridge_ports": "eno2.100",
                "autostart": 1,
                "mtu": "1400",
            },
        }

    def read(self, name: str) -> Any:
        path = self.root / name
        return json.loads(path.read_text()) if path.exists() else {}

    def write(self, name: str, data: Any) -> None:
        (self.root / name).write_text(json.dumps(data, sort_keys=True))

    def second(self) -> None:
        if self.helped and not self.dead:
            self.guard.tick()
        if self.clock.now() >= self.firewall_due:
            # As pve-firewall does, which looks at its files every ten seconds.
            self.firewall = {**self.read("etc/pve/firewall/cluster.fw"), "host": self.read(self.host_fw)}
            self.firewall_due = self.clock.now() + 10

    @property
    def host_fw(self) -> str:
        return f"etc/pve/nodes/{self.name}/host.fw"

    def run(self, argv: list[str]) -> int:
        """The node's commands, as far as the helper calls them."""
        if argv[0] == "ifreload":
            self.reload()
        elif argv[:2] == ["pvesh", "set"]:
            self.set_notes("" if argv[3] == "--delete" else argv[4])
        elif argv == ["pve-firewall", "restart"]:
            self.firewall_due = 0.0
        return 0

    def reload(self) -> None:
        self.running = self.read("etc/network/interfaces")
        self.reloads += 1

    def config_text(self) -> str:
        path = self.root / "etc/pve/nodes" / self.name / "config"
        return path.read_text() if path.exists() else ""

    def notes(self) -> str:
        lines = [line for line in self.config_text().splitlines() if line.startswith("#")]
        return "\n".join(unquote(line[1:]) for line in lines)

    def digest(self) -> str:
        return hashlib.sha1(self.config_text().encode(), usedforsecurity=False).hexdigest()

    def set_notes(self, text: str) -> None:
        lines = [f"#{quote(line, safe=' /-_.,()')}" for line in text.splitlines()]
        (self.root / "etc/pve/nodes" / self.name / "config").write_text("".join(f"{line}\n" for line in lines))

    def reached(self, address: str, port: int = 8006) -> bool:
        return not self.dead and self._leads_out(address) and self._let_in(port)

    def _leads_out(self, address: str) -> bool:
        for conf in self.running.values():
            if str(conf.get("cidr", "")).partition("/")[0] == address:
                inside = ipaddress.ip_address(GATEWAY) in ipaddress.ip_interface(conf["cidr"]).network
                return inside and conf.get("gateway") == GATEWAY and self._to_public(conf)
        return False

    def _to_public(self, conf: dict[str, Any]) -> bool:
        parts = f"{conf.get('bridge_ports', '')} {conf.get('slaves', '')}".split()
        for part in parts:
            if part == "eno1":
                return True
            inner = self.running.get(part)
            if inner and inner["type"] == "bond" and self._to_public(inner):
                return True
        return False

    def _let_in(self, port: int) -> bool:
        options = self.firewall.get("options", {})
        host = self.firewall.get("host", {})
        if not options.get("enable") or str(host.get("options", {}).get("enable", 1)) == "0":
            return True
        for rule in [*host.get("rules", []), *self.firewall.get("rules", [])]:
            if rule.get("type") != "in" or not rule.get("enable"):
                continue
            source, ports = rule.get("source"), str(rule.get("dport", ""))
            if source and ipaddress.ip_address(CONTROLLER) not in ipaddress.ip_network(source, strict=False):
                continue
            if ports and str(port) not in ports.split(","):
                continue
            return bool(rule["action"] == "ACCEPT")
        members = self.firewall.get("ipsets", {}).get("management", [])
        if any(ipaddress.ip_address(CONTROLLER) in ipaddress.ip_network(m["cidr"], strict=False) for m in members):
            return True
        return bool(options.get("policy_in", "DROP") == "ACCEPT")


class FakeApi:
    """The API as seen through one address. A controller that is killed dies in the middle of a call."""

    def __init__(self, world: NodeWorld, node: FakeNode, address: str) -> None:
        self.world, self.node, self.address = world, node, address
        self.connection = world

    def get(self, path: str, **params: Any) -> Any:
        return self._call("GET", path, params)["data"]

    def whole(self, path: str, **params: Any) -> Any:
        return self._call("GET", path, params)

    def post(self, path: str, **params: Any) -> Any:
        return self._call("POST", path, params)["data"]

    def put(self, path: str, **params: Any) -> Any:
        return self._call("PUT", path, params)["data"]

    def delete(self, path: str, **params: Any) -> Any:
        return self._call("DELETE", path, params)["data"]

    def wait(self, upid: str, what: str, deadline: Deadline) -> None:
        del upid, what, deadline
        self.world.clock.sleep(1.0)
        self.get("/version")

    def close(self) -> None:
        """Nothing is kept open."""

    def _call(self, method: str, path: str, params: dict[str, Any]) -> dict[str, Any]:
        self.world.calls.append(f"{method} {path}")
        self.world.clock.sleep(0.05)
        if len(self.world.calls) == self.world.kill_at:
            raise Killed
        if not self.node.reached(self.address):
            self.world.clock.sleep(5.0)
            raise errors.Unreachable(f"{self.address}: timed out")
        answer = self.world.answer(self.node, method, path, {k: v for k, v in params.items() if v is not None})
        if not self.node.reached(self.address):
            raise errors.Uncertain("the answer was lost: connection reset")
        return answer


class NodeWorld:
    def __init__(self, root: Path, count: int = 1) -> None:
        self.clock = WorldClock()
        self.calls: list[str] = []
        self.kill_at = 0
        names = [f"pve{n + 1}" for n in range(count)]
        self.nodes = {
            name: FakeNode(name, f"203.0.113.{11 + n}", root / name, self.clock) for n, name in enumerate(names)
        }
        self.reach = {node.name: node.public for node in self.nodes.values()}
        self.hosts = (self.nodes["pve1"].public,)
        self.tools = trymode.Tools(self.connect, self.knock)

    def connect(self, address: str) -> FakeApi:
        for node in self.nodes.values():
            if node.public == address or any(
                str(c.get("cidr", "")).startswith(f"{address}/") for c in node.running.values()
            ):
                return FakeApi(self, node, address)
        return FakeApi(self, next(iter(self.nodes.values())), address)

    def knock(self, address: str, port: int) -> str:
        node = self.connect(address).node
        return "" if node.reached(address, port) else f"{address} port {port}: timed out"

    def step(self, change: Change, seconds: float = 600.0) -> Step:
        return Step(change, Deadline(seconds, self.clock), Quiet(), lambda _error: False)

    def pass_time(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def answer(self, node: FakeNode, method: str, path: str, params: dict[str, Any]) -> dict[str, Any]:
        if path == "/version":
            return {"data": {"version": "9.2.11"}}
        if path == "/cluster/status":
            rows = [{"type": "node", "name": n.name, "ip": n.public, "online": 1} for n in self.nodes.values()]
            return {"data": [{"type": "cluster", "name": "c", "quorate": 1}, *rows]}
        parts = path.strip("/").split("/")
        node = self.nodes[parts[1]] if parts[0] == "nodes" else node
        if parts[2:] == ["config"]:
            return {"data": self._config(node, method, params)}
        if parts[2:3] == ["network"]:
            return self._network(node, method, parts[3] if len(parts) > 3 else "", params)
        raise AssertionError(f"the world has no {method} {path}")

    def _config(self, node: FakeNode, method: str, params: dict[str, Any]) -> Any:
        if method == "GET":
            return {"digest": node.digest(), **({"description": node.notes()} if node.notes() else {})}
        if params.get("digest") not in (None, node.digest()):
            raise errors.Moved("detected modified configuration - file changed by other user? Try again.")
        node.set_notes(params.get("description", ""))
        return None

    def _network(self, node: FakeNode, method: str, iface: str, params: dict[str, Any]) -> dict[str, Any]:
        new = node.root / "etc/network/interfaces.new"
        name = "etc/network/interfaces.new" if new.exists() else "etc/network/interfaces"
        conf = node.read(name)
        if method == "GET":
            rows = [{"iface": key, **row} for key, row in conf.items()]
            return {"data": rows, **({"changes": "--- a\n"} if new.exists() else {})}
        if not iface and method == "PUT":
            if new.exists():
                new.replace(node.root / "etc/network/interfaces")
            node.reload()
            return {"data": "UPID"}
        if not iface and method == "DELETE":
            new.unlink(missing_ok=True)
            return {"data": None}
        iface = iface or params.pop("iface")
        if method == "POST" and iface in conf:
            raise errors.Exists("interface already exists")
        if method == "DELETE":
            del conf[iface]
        else:
            for other, row in conf.items():
                if other != iface and row.get("gateway") and params.get("gateway"):
                    raise errors.Invalid(f"Default gateway already exists on interface '{other}'.")
            conf[iface] = params
        node.write("etc/network/interfaces.new", conf)
        return {"data": None}


class WorldSession:
    """Stands in for `session.Session`."""

    def __init__(self, world: NodeWorld) -> None:
        self.pve = world.connect(world.hosts[0])

    def each(self, work: Callable[[Any], Any], items: Any) -> list[Any]:
        return [work(item) for item in items]
