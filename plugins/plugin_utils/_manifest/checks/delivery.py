# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Delivery: environments in an order that ends, gates before production, apps that get what they ask for."""

from __future__ import annotations

import re
from typing import Any

from ..errors import Path, one_of
from .context import Context

_PRODUCTION = re.compile(r"(?:.*-)?(?:production|prod|prd|live)[0-9]*(?:-.*)?")
_BEFORE_PRODUCTION = re.compile(r"(?:.*-)?(?:pre|non|not|post)-.*")


def check(context: Context) -> None:
    _services(context)
    _gitlab(context)
    _environments(context)
    _apps(context)


def _services(context: Context) -> None:
    services = context.manifest.services
    clusters = context.clusters()
    for name in type(services).model_fields:
        service = getattr(services, name)
        if service is None:
            continue
        path: Path = ("services", name)
        single = context.root.at((*path, "on")).kind != "list"
        if not service.on and not clusters:
            context.error(
                path,
                "there is no cluster that could carry it",
                "the section kubernetes, or a cloud of kind gke, kapsule or eks",
                key=True,
            )
        for index, cluster in enumerate(service.on):
            where = (*path, "on") if single else (*path, "on", index)
            if cluster in context.names("clouds") and cluster not in clusters:
                kind = context.root.at(("clouds", cluster, "kind")).value
                context.error(
                    where, f"'{cluster}' is of kind {kind}, which has no cluster", one_of(clusters) or "a cluster"
                )
            else:
                context.known(where, cluster, clusters, "a cluster")
    if services.backup is not None and not context.written("backups"):
        context.error(("services", "backup"), "nothing says where backups go", "the section backups", key=True)
    certificates = services.certificates
    if certificates is not None and certificates.challenge == "dns" and certificates.dns_provider is None:
        context.error(
            ("services", "certificates", "challenge"), "dns needs to know who keeps the zone", "dns_provider: beside it"
        )


def _gitlab(context: Context) -> None:
    delivery = context.manifest.delivery
    path: Path = ("delivery", "gitlab")
    gitlab, runners = delivery.gitlab, delivery.runners
    if gitlab is not None and gitlab.install == "existing":
        for key in ("url", "token"):
            if getattr(gitlab, key) is None and not context.written(*path, key):
                context.error(path, f"an existing GitLab needs {key}", f"{key}: beside install: existing", key=True)
    if gitlab is not None and gitlab.install == "chart" and not context.clusters():
        context.error(
            (*path, "install"), "there is no cluster for the chart", "the section kubernetes, or install: machine"
        )
    if runners is not None:
        where: Path = ("delivery", "runners")
        if not context.written("delivery", "gitlab"):
            context.error(where, "there is no GitLab whose jobs they could run", "delivery.gitlab", key=True)
        if runners.executor == "kubernetes":
            if runners.machines is not None:
                context.error(
                    (*where, "machines"),
                    "the kubernetes executor runs in pods",
                    "executor: docker or shell beside it",
                    key=True,
                )
            if not context.clusters():
                context.error(
                    where,
                    "there is no cluster for the kubernetes executor",
                    "executor: docker with machines:",
                    key=True,
                )
        elif runners.machines is None:
            context.error(
                where, f"the {runners.executor} executor needs machines", "machines: with a machine group", key=True
            )
        elif runners.machines in context.platform.host_groups:
            have = len(context.platform.of_group(runners.machines))
            if context.written(*where, "count") and runners.count > have:
                what = f"{runners.count} runners for {have} machines in '{runners.machines}'"
                context.error((*where, "count"), what, "one runner on each machine")
    for name in ("sonarqube", "spinnaker"):
        part = getattr(delivery, name)
        at: Path = ("delivery", name)
        if part is None or getattr(part, "url", None) is not None:
            continue
        if part.on is not None:
            context.known((*at, "on"), part.on, context.clusters(), "a cluster")
        elif not context.clusters():
            context.error(at, "there is no cluster that could carry it", "the section kubernetes", key=True)


def sources(environments: dict[str, Any]) -> dict[str, str | None]:
    """What is promoted to each environment: the one written before it when nothing is said."""
    found: dict[str, str | None] = {}
    before: str | None = None
    for name, environment in environments.items():
        source = environment.source if environment.source is not None else before
        found[name] = None if source == "commit" else source
        before = name
    return found


def is_production(name: str, environment: Any) -> bool:
    if environment.production is not None:
        return bool(environment.production)
    return bool(_PRODUCTION.fullmatch(name)) and not _BEFORE_PRODUCTION.fullmatch(name)


def _environments(context: Context) -> None:
    environments = context.manifest.delivery.environments
    names, targets = context.names("delivery", "environments"), context.targets()
    before = sources(environments)
    for name, environment in environments.items():
        path: Path = ("delivery", "environments", name)
        if environment.source is not None and environment.source != "commit":
            context.known((*path, "source"), environment.source, [*names, "commit"], "an environment")
        if environment.on is not None:
            context.known((*path, "on"), environment.on, targets, "a cluster, the swarm or a cloud")
        if is_production(name, environment) and environment.gate == "none":
            stated = context.written(*path, "gate")
            what = "production without a gate: every promotion would reach users at once"
            context.error((*path, "gate") if stated else path, what, "gate: manual or gate: approval", key=not stated)
        if environment.gate == "approval" and not environment.approvers:
            context.error((*path, "gate"), "nobody may approve", "approvers: with people or teams")
        elif environment.approvers and environment.gate == "none":
            context.error((*path, "approvers"), "there are approvers but no gate", "gate: approval beside it", key=True)
        elif environment.gate == "approval" and environment.approvals > _approvers(context, environment.approvers):
            what = f"{environment.approvals} approvals, but fewer people may approve"
            context.error((*path, "approvals"), what, "at most as many as there are approvers")
    _cycles(context, before)


def _approvers(context: Context, approvers: list[str]) -> int:
    teams = context.manifest.teams
    people = {person for entry in approvers for person in (teams[entry].people if entry in teams else [entry])}
    members = {name for name, person in context.manifest.people.items() if set(person.teams) & set(approvers)}
    unknown = any(entry in teams and not teams[entry].people for entry in approvers)
    return 10 if unknown and not members else len(people | members)


def _cycles(context: Context, before: dict[str, str | None]) -> None:
    told: set[str] = set()
    for name in before:
        walked: list[str] = []
        here: str | None = name
        while here is not None and here in before and here not in walked:
            walked.append(here)
            here = before[here]
        if here is not None and here in walked and here not in told:
            circle = walked[walked.index(here) :]
            told.update(circle)
            stated = next(
                (entry for entry in circle if context.written("delivery", "environments", entry, "source")), here
            )
            path: Path = ("delivery", "environments", stated, "source")
            way = " <- ".join([*circle, circle[0]])
            context.error(
                path, f"the promotion goes in a circle: {way}", "one environment with source: commit", key=False
            )


def _offers(context: Context) -> dict[str, set[str]]:
    """What each target gives to apps."""
    manifest = context.manifest
    offers: dict[str, set[str]] = {target: set() for target in context.targets()}
    for name in ("mongodb", "postgres", "valkey", "elasticsearch"):
        service = getattr(manifest.services, name)
        if service is not None:
            for cluster in service.on or context.clusters():
                offers.setdefault(cluster, set()).add(name)
    for name, cloud in manifest.clouds.items():
        here = offers.setdefault(name, set())
        if cloud.database is not None:
            here.update(engine for engine in ("postgres", "mysql") if getattr(cloud.database, engine) is not None)
        if getattr(cloud, "pubsub", None) is not None:
            here.add("pubsub")
        if cloud.object_storage:
            here.add("object_storage")
    # Pub/Sub is reached from anywhere.
    if any("pubsub" in here for here in offers.values()):
        for here in offers.values():
            here.add("pubsub")
    return offers


def _apps(context: Context) -> None:
    manifest = context.manifest
    offers = _offers(context)
    everywhere = set().union(*offers.values()) if offers else set()
    # What is wrong there is told already; whether it would offer something cannot be known.
    certain = context.sound("clouds") and context.sound("services")
    environments = context.names("delivery", "environments")
    topics = {
        topic for cloud in manifest.clouds.values() if getattr(cloud, "pubsub", None) for topic in cloud.pubsub.topics
    }
    for name, app in manifest.apps.items():
        path: Path = ("apps", name)
        for environment in app.environments:
            if environment not in environments:
                context.known((*path, "environments", environment), environment, environments, "an environment")
        for index, need in enumerate(app.needs if certain else []):
            where = (*path, "needs", index)
            if need not in everywhere:
                what = f"no service provides {need}"
                context.error(
                    where, what, f"{_where_from(need)}", f"what there is: {one_of(sorted(everywhere)) or 'nothing'}"
                )
                continue
            for environment in list(app.environments) or list(manifest.delivery.environments):
                entry = manifest.delivery.environments.get(environment)
                target = entry.on if entry is not None else None
                if target is not None and target in offers and need not in offers[target]:
                    what = f"no service provides {need} on {target}, where {environment} runs"
                    context.error(where, what, _where_from(need))
        for key in ("publishes", "listens"):
            for index, topic in enumerate(getattr(app, key)):
                if not topics and not any(context.written("clouds", cloud, "pubsub") for cloud in manifest.clouds):
                    context.error(
                        (*path, key, index), "no cloud has Pub/Sub", "pubsub: in a cloud of kind gke or cloud_run"
                    )
                else:
                    context.known((*path, key, index), topic, sorted(topics), "a Pub/Sub topic")
        for place, scale in (
            (path, app.scale),
            *(((*path, "environments", env), entry.scale) for env, entry in app.environments.items()),
        ):
            if scale is not None and scale.min > scale.max:
                context.error(
                    (*place, "scale", "min"),
                    f"at least {scale.min}, at most {scale.max}",
                    "a min that is not above max",
                )


def _where_from(need: str) -> str:
    return {
        "mysql": "database: {mysql: ...} in the cloud",
        "pubsub": "pubsub: in a cloud of kind gke or cloud_run",
        "object_storage": "object_storage: with a bucket in the cloud",
        "postgres": "services.postgres on that cluster, or database: {postgres: ...} in the cloud",
    }.get(need, f"services.{need} on that cluster")
