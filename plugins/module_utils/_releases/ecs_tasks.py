# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Task definitions of a service: a version each, and the record of its release in its tags."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .._objects import AdapterError
from .amazon import Amazon
from .model import Phase, Record, Stale

# Terraform may have made some since the last release.
LOOK_BACK = 20
LONGEST = 256
PREFIX = "socle:"
TEXTS = ("version", "commit", "by", "at", "reason")
# What describe_task_definition tells and register_task_definition does not take.
TOLD = frozenset(
    {
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
        "deleteRequestedAt",
    }
)
IN_ECR = re.compile(
    r"\d+\.dkr\.ecr\.[\w-]+\.amazonaws\.com(?:\.cn)?/(?P<name>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)


class Tasks:
    """The task definitions of one service, remembered where they cannot change."""

    def __init__(self, amazon: Amazon, what: str, container: str) -> None:
        self.amazon, self.what, self.container = amazon, what, container
        self._known: dict[str, dict[str, Any]] = {}

    def newest(self, family: str) -> tuple[str, Record, str]:
        """The version that the newest release is of, its record, and the version before it."""
        first: tuple[str, Record, str] | None = None
        opened: tuple[str, Record, str] | None = None
        for name in self._names(family):
            definition, tags = self._describe(name)
            self._known[name] = definition
            record = _record(tags, self._image(definition))
            if record.phase is Phase.NONE:
                continue
            found = name, record, short(tags.get("old", ""))
            first = first or found
            if record.phase is not Phase.OPEN:
                break
            # Of two that began at the same moment, the first one has the way.
            opened = found
        return opened or first or ("", Record(), "")

    def _names(self, family: str) -> list[str]:
        found = self.amazon.call(
            "ecs", "list_task_definitions", f"versions of {self.what}", familyPrefix=family, sort="DESC",
            maxResults=LOOK_BACK,
        )  # fmt: skip
        # familyPrefix is a prefix for some.
        names = [short(arn) for arn in found["taskDefinitionArns"]]
        return [name for name in names if name.partition(":")[0] == family]

    def _describe(self, name: str) -> tuple[dict[str, Any], dict[str, str]]:
        found = self.amazon.call(
            "ecs", "describe_task_definition", f"task definition {name}", taskDefinition=name, include=["TAGS"]
        )
        tags = {tag["key"]: tag["value"] for tag in found.get("tags", [])}
        ours = {key.removeprefix(PREFIX): value for key, value in tags.items() if key.startswith(PREFIX)}
        return found["taskDefinition"], ours

    def _definition(self, name: str) -> dict[str, Any]:
        if name not in self._known:
            self._known[name], _tags = self._describe(name)
        return self._known[name]

    def image(self, name: str) -> str:
        return self._image(self._definition(name))

    def since(self, name: str) -> str:
        made = self._definition(name).get("registeredAt")
        return made.isoformat() if isinstance(made, datetime) else str(made or "")

    def _image(self, definition: Mapping[str, Any]) -> str:
        return str(self._container(definition).get("image") or "")

    def _container(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        containers: list[dict[str, Any]] = list(definition.get("containerDefinitions", []))
        if len(containers) == 1:
            return containers[0]
        for one in containers:
            if one.get("name") == self.container:
                return one
        names = ", ".join(str(one.get("name")) for one in containers) or "none"
        raise AdapterError(f"{self.what}: it has no container {self.container}; there are {names}", "set container")

    def must_be_pushed(self, image: str) -> None:
        """A task that cannot pull its image is started again and again before anybody says so."""
        found = IN_ECR.fullmatch(image)
        if found is None:
            return
        name, tag, digest = found.group("name"), found.group("tag"), found.group("digest")
        wanted = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
        try:
            self.amazon.call("ecr", "describe_images", f"image {image}", repositoryName=name, imageIds=[wanted])
        except AdapterError as error:
            if "NotFoundException" not in error.sentence:
                raise
            raise AdapterError(f"image {image} is not in ECR", "push it first, or correct its tag") from None

    def register(self, like: str, record: Record, before: str) -> str:
        """A new version: the newest task definition of the family with another image. Its number is the lock."""
        family = like.partition(":")[0]
        newest = self._names(family)
        definition, _tags = self._describe(newest[0] if newest else like)
        body = {key: value for key, value in definition.items() if key not in TOLD}
        self._container(body)["image"] = record.image
        found = self.amazon.call(
            "ecs", "register_task_definition", f"a version of {self.what}", **body, tags=_tags_of(record, before)
        )
        made = short(str(found["taskDefinition"]["taskDefinitionArn"]))
        first, _record_of_first, _before = self.newest(family)
        if first != made:
            self.amazon.call("ecs", "deregister_task_definition", f"task definition {made}", taskDefinition=made)
            raise Stale(f"{self.what}: another release has just begun", "wait for its end")
        return made

    def write(self, name: str, record: Record) -> None:
        arn = str(self._definition(name)["taskDefinitionArn"])
        self.amazon.call(
            "ecs", "tag_resource", f"the record of {name}", resourceArn=arn, tags=_tags_of(record, before="")
        )


def _record(tags: Mapping[str, str], image: str) -> Record:
    try:
        phase = Phase(tags.get("phase", ""))
    except ValueError:
        return Record()
    texts = {name: tags.get(name, "") for name in TEXTS}
    return Record(phase=phase, image=image, tested=tags.get("tested") == "yes", **texts)


def _tags_of(record: Record, before: str) -> list[dict[str, str]]:
    values = {name: getattr(record, name) for name in TEXTS}
    values |= {"phase": record.phase.value, "tested": "yes" if record.tested else "", "old": before}
    return [{"key": f"{PREFIX}{name}", "value": tag_value(value)} for name, value in values.items() if value]


def tag_value(text: str) -> str:
    """What AWS takes as a tag's value."""
    return re.sub(r"[^\w\s+\-=.:/@]", " ", text)[:LONGEST].strip()


def short(arn: str) -> str:
    """family:number, as it is said in both ways."""
    return arn.rpartition("/")[2]


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def moment(text: str) -> float:
    try:
        return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return 0.0
