# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Which kinds a cluster has: asked for as they are needed, by group and version, and never kept on disk."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from .api import Api, each, segment
from .errors import ApiError


@dataclass(frozen=True)
class Resource:
    """A kind as it is served: `name` is the plural of its paths."""

    group: str
    version: str
    kind: str
    name: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()

    @property
    def base(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def collection(self, namespace: str = "") -> str:
        where = f"/namespaces/{segment(namespace)}" if self.namespaced and namespace else ""
        return f"{self.base}{where}/{self.name}"

    def path(self, namespace: str, name: str) -> str:
        return f"{self.collection(namespace)}/{segment(name)}"


def group_version(api_version: str) -> tuple[str, str]:
    group, slash, version = api_version.rpartition("/")
    return (group, version) if slash else ("", version)


class Discovery:
    """What is found is remembered for the task; what is not may come, so it is asked for again."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[tuple[str, str], Resource] = {}
        self._lock = threading.Lock()

    def ask(self, api_versions: Iterable[str]) -> None:
        """Read these groups' kinds, side by side."""
        each(self._read, sorted(set(api_versions)))

    def find(self, api_version: str, kind: str) -> Resource | None:
        if (api_version, kind) not in self._known:
            self._read(api_version)
        return self.known(api_version, kind)

    def known(self, api_version: str, kind: str) -> Resource | None:
        return self._known.get((api_version, kind))

    def kinds(self, api_version: str) -> list[str]:
        return sorted({kind for version, kind in self._known if version == api_version})

    def everything(self) -> list[Resource]:
        """Every kind that can be listed and deleted, each in its preferred version."""
        groups = self._api.get("/apis").get("groups") or []
        preferred = [group["preferredVersion"]["groupVersion"] for group in groups]
        self.ask(["v1", *preferred])
        with self._lock:
            return [
                resource
                for (version, _unused), resource in self._known.items()
                if version in ("v1", *preferred) and {"list", "delete"} <= resource.verbs
            ]

    def _read(self, api_version: str) -> None:
        group, version = group_version(api_version)
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        try:
            told = self._api.get(path)
        except ApiError as error:
            # 503: an aggregated API whose server is away. Its kinds are not known now.
            if error.status in (404, 503):
                return
            raise
        with self._lock:
            for row in told.get("resources") or []:
                if "/" not in row["name"]:
                    self._known[api_version, row["kind"]] = Resource(
                        group, version, row["kind"], row["name"], row["namespaced"], frozenset(row.get("verbs") or ())
                    )
