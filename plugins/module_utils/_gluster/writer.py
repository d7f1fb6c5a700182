# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Does what the plan says to a pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._objects import Change, Step, Writer
from .._values import ABSENT
from .._wait import Hopeless, Waiting
from . import bricks, state
from .cli import Cli
from .state import IN_POOL, UNBALANCED, WIDTH, Pool
from .wanted import alike

START_SECONDS = 180

# How often the use of a volume is looked at, in seconds: below its soft limit (80 %), and above.
QUOTA_LOOKS = {"soft-timeout": "5", "hard-timeout": "2"}


class PoolWriter(Writer):
    def __init__(self, cli: Cli, parameters: Mapping[str, Any]) -> None:
        self.cli = cli
        self.force = ("force",) if parameters["force"] else ()

    def create(self, change: Change, step: Step) -> None:
        kind, name = change.key.split(maxsplit=1)
        if kind == "server":
            self.cli.call("peer", "probe", name)
            step.wait_for("it is in the pool", lambda: self._joined(name), at_most=START_SECONDS)
            return
        wanted = change.after
        arbiter = ("arbiter", "1") if wanted["arbiter"] else ()
        copies = ("replica", str(WIDTH), *arbiter)
        self.cli.call("volume", "create", name, *copies, "transport", "tcp", *wanted["bricks"], *self.force)
        self._options(name, {}, wanted.get("options", {}))
        if wanted["started"]:
            self.cli.call("volume", "start", name)
            self._await_bricks(name, step)
        self._quota(name, wanted, {})

    def update(self, change: Change, step: Step) -> None:
        name = change.key.split(maxsplit=1)[1]
        found = change.current.fields if change.current else {}
        wanted = {**found, **change.desired.fields}
        self._bricks(name, found, wanted, step)
        self._options(name, found["options"], change.desired.fields.get("options", {}))
        if found["started"] and not wanted["started"]:
            self.cli.call("volume", "stop", name)
        elif wanted["started"] and (not found["started"] or found["bricks_down"]):
            # `force` starts what of a running volume is not running.
            self.cli.call("volume", "start", name, *(("force",) if found["started"] else ()))
            self._await_bricks(name, step)
        self._quota(name, wanted, found)
        if self._marked(name):
            self._rebalance(name, step)

    def delete(self, change: Change, step: Step) -> None:
        kind, name = change.key.split(maxsplit=1)
        if kind == "server":
            peer = state.read(self.cli, quotas=frozenset()).peer(name)
            self.cli.call("peer", "detach", name, *(() if peer is None or peer.connected else ("force",)))
            return
        if change.current and change.current.fields["started"]:
            self.cli.call("volume", "stop", name)
        self.cli.call("volume", "delete", name)
        step.note("its files are still in its bricks' folders")

    def _bricks(self, name: str, found: Mapping[str, Any], wanted: Mapping[str, Any], step: Step) -> None:
        way = bricks.steps(found["bricks"], wanted["bricks"])
        for old, new in way.replaced:
            self.cli.call("volume", "replace-brick", name, old, new, "commit", "force")
        for brick in found["bricks_blank"]:
            self._await_server(brick, step)
            self.cli.call("volume", "reset-brick", name, brick, brick, "commit", "force")
        if way.replaced or found["bricks_blank"]:
            self._await_bricks(name, step)
            self.cli.call("volume", "heal", name, "full")
            step.note("its copies are made in the background; gluster_volumes_info tells what is left")
        if way.added:
            self.cli.call("volume", "set", name, UNBALANCED, "pending")
            self.cli.call("volume", "add-brick", name, *way.added, *self.force)

    def _options(self, name: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        words = [
            word
            for option, value in wanted.items()
            if value is not ABSENT and not (option in found and alike(value, found[option]))
            for word in (option, value)
        ]
        if words:
            self.cli.call("volume", "set", name, *words)
        for option, value in wanted.items():
            if value is ABSENT and option in found:
                self.cli.call("volume", "reset", name, option)

    def _quota(self, name: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        limit, before = wanted.get("quota", 0), found.get("quota", 0)
        if limit == before or not wanted["started"]:
            return
        if not limit:
            self.cli.call("volume", "quota", name, "remove", "/")
            return
        if found.get("options", {}).get("features.quota") != "on":
            self.cli.call("volume", "quota", name, "enable")
        # By default bricks look once a minute, and take whatever is written until then.
        for kind, seconds in QUOTA_LOOKS.items():
            self.cli.call("volume", "quota", name, kind, seconds)
        self.cli.call("volume", "quota", name, "limit-usage", "/", str(limit))

    def _marked(self, name: str) -> bool:
        volume = self._pool().volume(name)
        return volume is not None and UNBALANCED in volume.options

    def _rebalance(self, name: str, step: Step) -> None:
        self.cli.call("volume", "rebalance", name, "start")
        # From here on it is glusterd's own work, which outlives restarts.
        self.cli.call("volume", "reset", name, UNBALANCED)
        step.note("files are spread over its bricks in the background; gluster_volumes_info tells how far it is")

    def _pool(self) -> Pool:
        return state.read(self.cli, quotas=frozenset())

    def _joined(self, address: str) -> bool | Waiting | Hopeless:
        peer = self._pool().peer(address)
        if peer is None:
            return Waiting("the pool does not name it yet")
        if "Rejected" in peer.state:
            return Hopeless(f"its state is {peer.state!r}")
        if not peer.connected or peer.state != IN_POOL:
            return Waiting(f"its state is {peer.state!r}, {'connected' if peer.connected else 'not connected'}")
        return True

    def _await_server(self, brick: str, step: Step) -> None:
        def probe() -> bool | Waiting:
            peer = self._pool().peer(bricks.server(brick))
            return Waiting("the pool is not connected to it") if peer is not None and not peer.connected else True

        step.wait_for(f"the server of {brick} answers", probe, at_most=START_SECONDS)

    def _await_bricks(self, name: str, step: Step) -> None:
        def probe() -> bool | Waiting:
            pool = self._pool()
            volume = pool.volume(name)
            if volume is None:
                return Waiting("the pool does not name it yet")
            down = [b.name for b in volume.bricks if b.name not in volume.online and pool.reachable(b)]
            log = "/var/log/glusterfs/bricks there"
            return Waiting(f"{', '.join(down)} does not run, see {log}") if down else True

        step.wait_for("its bricks run", probe, at_most=START_SECONDS)
