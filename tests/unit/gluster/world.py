# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool of GlusterFS servers in memory: it answers as `gluster --xml` does, and can die at any write."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from ansible_collections.socle.platform.plugins.module_utils import _reconcile as engine
from ansible_collections.socle.platform.plugins.module_utils._gluster import wanted
from ansible_collections.socle.platform.plugins.module_utils._gluster.cli import Cli
from ansible_collections.socle.platform.plugins.module_utils._gluster.reader import PoolReader
from ansible_collections.socle.platform.plugins.module_utils._gluster.writer import PoolWriter
from ansible_collections.socle.platform.plugins.module_utils._module import given

READS = ("info", "status", "list")


class Died(BaseException):
    """The end of the process that called."""


@dataclass
class Volume:
    name: str
    bricks: list[str]
    arbiters: int = 0
    width: int = 3
    started: bool = False
    options: dict[str, str] = field(default_factory=dict)
    quota: int | None = None
    down: set[str] = field(default_factory=set)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    rebalanced: int = 0


class World:
    """Asked at `here`. `away`: servers that do not answer. `blank`: bricks that cannot start until they are reset."""

    def __init__(self, here: str) -> None:
        self.here = here
        self.peers: dict[str, str] = {here: f"uuid-{here}"}
        self.volumes: dict[str, Volume] = {}
        self.away: set[str] = set()
        self.blank: set[str] = set()
        self.writes: list[tuple[str, ...]] = []
        self.back_after = 0
        self.dies_at = 0
        self.dies_after = False

    def __call__(self, argv: Sequence[str]) -> tuple[int, str, str]:
        assert list(argv[:3]) == ["gluster", "--xml", "--mode=script"]
        words = tuple(argv[3:])
        write = not any(word in READS for word in words[:4])
        if write:
            self.writes.append(words)
            if len(self.writes) == self.dies_at and not self.dies_after:
                raise Died
        try:
            answer = self.answer(words)
        except LookupError as error:
            said = escape(str(error.args[0]))
            return 0, f"<cliOutput><opRet>-1</opRet><opErrstr>{said}</opErrstr></cliOutput>", ""
        if write and len(self.writes) == self.dies_at:
            raise Died
        return 0, f"<cliOutput><opRet>0</opRet><opErrno>0</opErrno><opErrstr/>{answer}</cliOutput>", ""

    def answer(self, words: tuple[str, ...]) -> str:
        if words[0] in ("peer", "pool"):
            return self.peer(words[1], *words[2:])
        verb, rest = words[1], words[2:]
        if verb == "info":
            return f"<volInfo><volumes>{''.join(map(self.info, self.volumes.values()))}</volumes></volInfo>"
        if verb == "status":
            return f"<volStatus><volumes>{''.join(map(self.status, self.volumes.values()))}</volumes></volStatus>"
        if verb == "create":
            return self.create(*rest)
        if verb == "heal":
            return ""
        volume = self.volume(rest[0])
        done: str | None = getattr(self, verb.replace("-", "_"))(volume, *rest[1:])
        return done or ""

    def volume(self, name: str) -> Volume:
        if name not in self.volumes:
            raise LookupError(f"Volume {name} does not exist")
        return self.volumes[name]

    def connected(self, server: str) -> bool:
        return server in self.peers and server not in self.away

    def peer(self, verb: str, name: str = "", *more: str) -> str:
        if verb == "probe":
            if name in self.away:
                raise LookupError("Probe returned with Transport endpoint is not connected")
            self.peers.setdefault(name, f"uuid-{name}")
        elif verb == "detach":
            if any(name == brick.partition(":")[0] for volume in self.volumes.values() for brick in volume.bricks):
                raise LookupError(f"Peer {name} hosts one or more bricks")
            if name in self.away and "force" not in more:
                raise LookupError("one of the peers is down")
            self.peers.pop(name)
        if self.back_after and verb == "list":
            self.back_after -= 1
            if not self.back_after:
                self.away.clear()
        rows = []
        for server, number in self.peers.items():
            if server == self.here and verb == "status":
                continue
            shown = "localhost" if server == self.here else server
            rows.append(
                f"<peer><uuid>{number}</uuid><hostname>{shown}</hostname>"
                f"<hostnames><hostname>{shown}</hostname></hostnames>"
                f"<connected>{int(server not in self.away)}</connected><stateStr>Peer in Cluster</stateStr></peer>"
            )
        return f"<peerStatus>{''.join(rows)}</peerStatus>"

    def info(self, volume: Volume) -> str:
        bricks = "".join(
            f"<brick><name>{b}</name><hostUuid>{self.peers.get(b.partition(':')[0], '-')}</hostUuid>"
            f"<isArbiter>{int(bool(volume.arbiters) and i % 3 == 2)}</isArbiter></brick>"
            for i, b in enumerate(volume.bricks)
        )
        options = "".join(f"<option><name>{n}</name><value>{v}</value></option>" for n, v in volume.options.items())
        return (
            f"<volume><name>{volume.name}</name><id>{volume.id}</id><status>{1 if volume.started else 2}</status>"
            f"<replicaCount>{volume.width}</replicaCount><arbiterCount>{volume.arbiters}</arbiterCount>"
            f"<bricks>{bricks}</bricks><options>{options}</options></volume>"
        )

    def online(self, volume: Volume) -> list[str]:
        if not volume.started:
            return []
        lost = volume.down | self.blank
        return [b for b in volume.bricks if b not in lost and self.connected(b.partition(":")[0])]

    def status(self, volume: Volume) -> str:
        rows = "".join(
            f"<node><hostname>{b.partition(':')[0]}</hostname><path>{b.partition(':')[2]}</path><status>1</status></node>"
            for b in self.online(volume)
        )
        return f"<volume><volName>{volume.name}</volName>{rows}</volume>"

    def create(self, name: str, *words: str) -> str:
        bricks = [word for word in words if ":/" in word]
        if name in self.volumes:
            raise LookupError(f"Volume {name} already exists")
        for brick in bricks:
            if not self.connected(brick.partition(":")[0]):
                raise LookupError(f"Host {brick.partition(':')[0]} not connected")
        self.volumes[name] = Volume(name, bricks, int("arbiter" in words))
        return ""

    def start(self, volume: Volume, *force: str) -> None:
        if volume.started and not force:
            raise LookupError(f"Volume {volume.name} already started")
        volume.started, volume.down = True, set()

    def stop(self, volume: Volume) -> None:
        volume.started = False

    def delete(self, volume: Volume) -> None:
        if volume.started:
            raise LookupError("has been started. Volume needs to be stopped before deletion.")
        del self.volumes[volume.name]

    def set(self, volume: Volume, *words: str) -> None:
        volume.options.update(zip(words[::2], words[1::2], strict=True))

    def reset(self, volume: Volume, name: str) -> None:
        volume.options.pop(name)

    def add_brick(self, volume: Volume, *bricks: str) -> None:
        assert len(bricks) % 3 == 0
        volume.bricks += bricks

    def replace_brick(self, volume: Volume, old: str, new: str, *_words: str) -> None:
        volume.bricks[volume.bricks.index(old)] = new
        volume.down.discard(old)

    def reset_brick(self, volume: Volume, old: str, *_words: str) -> None:
        assert old in volume.bricks
        self.blank.discard(old)
        volume.down.discard(old)

    def rebalance(self, volume: Volume, *_words: str) -> None:
        if len(volume.bricks) == volume.width:
            raise LookupError(f"Volume {volume.name} is not a distribute volume")
        volume.rebalanced += 1

    def quota(self, volume: Volume, verb: str, *words: str) -> str:
        if verb == "enable":
            if volume.options.get("features.quota") == "on":
                raise LookupError("Quota is already enabled")
            volume.options["features.quota"] = "on"
        elif volume.options.get("features.quota") != "on":
            raise LookupError("Quota is disabled, please enable quota")
        elif verb.endswith("-timeout"):
            volume.options[f"features.{verb}"] = words[0]
        elif verb == "limit-usage":
            volume.quota = int(words[1])
        elif verb == "remove":
            volume.quota = None
        elif verb == "list" and volume.quota is not None:
            return f"<volQuota><limit><path>/</path><hard_limit>{volume.quota}</hard_limit></limit></volQuota>"
        return ""


class Clock(engine.Clock):
    """No test waits: each pause is over at once."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def parameters(**given_ones: object) -> dict[str, object]:
    """As the module hands them on: defaults filled in, what is not given left out."""
    spec = wanted.spec()
    filled = {name: given_ones.get(name, option.get("default")) for name, option in spec.items()}
    filled["volumes"] = [
        {name: volume.get(name, option.get("default")) for name, option in wanted.VOLUME.items()}
        for volume in filled["volumes"] or ()
    ]
    return given(filled, spec)


def plan(world: World, *, prune: bool = False, **task: object) -> tuple[engine.Plan, PoolReader, engine.Options]:
    params = parameters(**task)
    reader = PoolReader(Cli(world), params, lambda address: address == world.here)
    options = engine.Options(prune=prune, concurrency=1)
    return engine.plan(wanted.desired(params), reader, options, clock=Clock()), reader, options


def apply(world: World, *, prune: bool = False, **task: object) -> engine.Result:
    made, reader, options = plan(world, prune=prune, **task)
    params = parameters(**task)
    return engine.apply(made, lambda: PoolWriter(Cli(world), params), reader=reader, options=options, clock=Clock())


def servers(count: int, first: int = 1) -> list[str]:
    return [f"10.10.80.{number}" for number in range(first, first + count)]


def bricks(addresses: Sequence[str], volume: str = "shop") -> list[str]:
    return [f"{address}:/srv/gluster/{volume}/brick" for address in addresses]
