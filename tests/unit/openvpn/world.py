# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend in memory that can die at any write, and one task's run against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ansible_collections.socle.platform.plugins.module_utils import _reconcile as engine
from ansible_collections.socle.platform.plugins.module_utils._openvpn import adapter, pki
from ansible_collections.socle.platform.plugins.module_utils._openvpn.vault import Vault
from ansible_collections.socle.platform.plugins.module_utils._secrets.errors import Conflict
from ansible_collections.socle.platform.plugins.module_utils._secrets.keeper import Keeper
from ansible_collections.socle.platform.plugins.module_utils._secrets.store import Stored

START = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)


class Killed(BaseException):
    """The process is gone: nothing of ours catches this."""


@dataclass
class Memory:
    """Check-and-set as Vault and the file have it."""

    secrets: dict[str, list[Stored]] = field(default_factory=dict)
    dies_after: int | None = None
    where: str = "memory"

    def read(self, path: str) -> Stored | None:
        return self.secrets[path][-1] if path in self.secrets else None

    def create(self, path: str, secret: Stored) -> Stored:
        self._turn()
        return self.secrets.setdefault(path, [secret])[-1]

    def rotate(self, path: str, before: Stored, secret: Stored) -> Stored:
        self._turn()
        if dict(self.secrets[path][-1].fields) != dict(before.fields):
            raise Conflict(f"secret {path}", "another run changed it", "Run again.")
        self.secrets[path].append(secret)
        return secret

    def list(self) -> list[str]:
        return sorted(self.secrets)

    def tell(self, progress: Any) -> None:
        """Nothing here waits."""

    def _turn(self) -> None:
        if self.dies_after is not None:
            if self.dies_after == 0:
                raise Killed
            self.dies_after -= 1


@dataclass
class World:
    """Parameters, time, and the backend."""

    folder: Path
    store: Memory = field(default_factory=Memory)
    moment: datetime = START
    given: dict[str, Any] = field(default_factory=dict)

    def parameters(self) -> dict[str, Any]:
        defaults = {name: option["default"] for name, option in adapter.spec().items() if "default" in option}
        gateways = [{"name": "vpn-1", "address": "203.0.113.50"}]
        named = {"name": "cater", "gateways": gateways, "profiles": str(self.folder / "profiles")}
        return {**defaults, **named, **self.given}

    def plan(self) -> engine.Plan:
        parameters = self.parameters()
        pki.now = lambda: self.moment  # type: ignore[assignment]
        options = engine.Options(prune=True, concurrency=1)
        return engine.plan(adapter.desired(parameters), self.reader(parameters), options)

    def run(self) -> engine.Result:
        made, parameters = self.plan(), self.parameters()
        return engine.apply(
            made,
            lambda: adapter.AccessWriter(parameters, self.vault(parameters)),
            reader=self.reader(parameters),
            options=engine.Options(prune=True, concurrency=1),
        )

    def good(self) -> engine.Result:
        """A run that does all of it."""
        result = self.run()
        assert result.ok, result.message()
        return result

    def reader(self, parameters: Mapping[str, Any]) -> adapter.AccessReader:
        return adapter.AccessReader(parameters, self.vault(parameters))

    def vault(self, parameters: Mapping[str, Any]) -> Vault:
        return Vault(parameters, _keeper=Keeper(self.store))

    def house(self) -> adapter.House:
        return adapter.House(self.vault(self.parameters()))

    def later(self, **time: float) -> None:
        self.moment += timedelta(**time)

    def fields(self, path: str) -> dict[str, str]:
        found = self.store.read(f"openvpn/{path}")
        assert found is not None
        return dict(found.fields)

    def every_certificate(self, name: str, role: str = "people") -> list[pki.Seen]:
        """All that were ever kept for somebody, oldest first."""
        authority = self.house().authority
        assert authority is not None
        versions = self.store.secrets.get(f"openvpn/{role}/{name}", [])
        seen = [authority.signed(version.fields["certificate"]) for version in versions]
        return [item for item in seen if item is not None]

    def in_force(self, moment: datetime | None = None) -> frozenset[str]:
        """The serials on the list that a gateway goes by."""
        house, moment = self.house(), moment or self.moment
        assert house.authority is not None
        lists = [found for text in house.register.lists if (found := house.authority.listed(text))]
        begun = [item for item in lists if item[0].begins <= moment <= item[0].ends]
        assert begun, "no list counts now: nobody gets in"
        return max(begun, key=lambda item: item[0].begins)[1]

    def copy(self) -> Memory:
        return replace(self.store, secrets={path: list(kept) for path, kept in self.store.secrets.items()})
