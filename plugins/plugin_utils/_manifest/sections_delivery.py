# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Schema: delivery. GitLab or GitHub, environments with their gates, and apps."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import Domain, Email, HostName, Key, Label, Plain, ReleaseVersion, Secret, Section, Text, Url
from .pydantic_guard import Field


class Smtp(Section):
    """How mail is sent."""

    server: Text = Field(description="The server.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(default=587, description="The port.")
    user: Text | None = Field(default=None, description="The user.")
    password: Text | None = Secret("The password.", default=None)
    sender: Email | None = Field(default=None, description="The sender.")


class GitLab(Section):
    """GitLab: our own on a machine or in a cluster, or one that is there."""

    install: Literal["machine", "chart", "existing"] = Field(
        default="machine", description="Where it runs; `existing` for gitlab.com or a company's own."
    )
    machines: Label = Field(default="gitlab", description="The machine group (machine).")
    url: Url | None = Field(default=None, description="Its URL; https://gitlab.<domain> when not said.")
    version: ReleaseVersion | None = Field(default=None, description="The version, when it is held back.")
    token: Text | None = Secret("A token for the API (existing).", default=None)
    group: Key | None = Field(
        default=None, description="The group of the platform's projects; the platform's name when not said."
    )
    pipelines: Key = Field(
        default="pipelines",
        description="The protected project that keeps pipeline definitions, outside of the apps' repositories.",
    )
    premium: bool = Field(
        default=False,
        description="Whether it has a Premium licence: approvals are then guarded by GitLab itself, and otherwise by "
        "branches, tags and jobs that are started by hand.",
    )
    registry: bool = Field(default=True, description="Its container registry.")
    smtp: Smtp | None = Field(default=None, description="How it sends mail.")


class GitHub(Section):
    """GitHub: the repositories live there."""

    organisation: Plain = Field(description="The organisation.")
    url: Url = Field(default="https://github.com", description="Its URL.")
    token: Text | None = Secret("A token for the API.", default=None)


class Runners(Section):
    """GitLab runners."""

    count: Annotated[int, Field(ge=1, le=500)] = Field(default=1, description="How many.")
    executor: Literal["kubernetes", "docker", "shell"] = Field(
        default="kubernetes", description="What runs a job: pods of the cluster, or containers or shells on machines."
    )
    machines: Label | None = Field(
        default=None, description="The machine group (docker, shell); one runner on each machine."
    )
    tags: list[Key] = Field(default=[], description="Their tags.")
    concurrent: Annotated[int, Field(ge=1, le=1000)] = Field(default=4, description="Jobs at a time of each.")


class SonarQube(Section):
    """SonarQube Community Build."""

    on: Key | None = Field(default=None, description="The cluster that carries it.")
    url: Url | None = Field(default=None, description="Its URL, when there is one already.")
    token: Text | None = Secret("A token for it, when there is one already.", default=None)


class Spinnaker(Section):
    """Spinnaker, for teams that have it; Argo CD deploys otherwise."""

    on: Key | None = Field(default=None, description="The cluster that carries it.")


class Environment(Section):
    """A place where apps run."""

    on: Key | None = Field(
        default=None, description="`kubernetes`, `swarm` or a cloud's name; the only one there is when not said."
    )
    source: Key | None = Field(
        default=None,
        description="What is promoted to it: an environment, or `commit`; the one written before it when not said.",
        examples=["staging"],
    )
    gate: Literal["none", "manual", "approval"] = Field(
        default="none", description="What stands before it: nothing, a hand, or approvals."
    )
    approvers: list[Key] = Field(default=[], description="People or teams who may open the gate.")
    approvals: Annotated[int, Field(ge=1, le=10)] = Field(default=1, description="How many of them (approval).")
    production: bool | None = Field(
        default=None, description="Whether users depend on it; by its name when not said (production, eu-prod, live-2)."
    )
    branch: Plain | None = Field(default=None, description="The branch that feeds it.")
    tags: Plain | None = Field(default=None, description="The pattern of tags that feed it.", examples=["v*"])
    domain: Domain | None = Field(default=None, description="Its domain.")
    freeze: list[Plain] = Field(
        default=[], description="When nothing is deployed, as cron expressions or spans of dates."
    )
    release: Literal["rolling", "blue_green", "canary"] = Field(
        default="rolling", description="How a new version takes over."
    )


class DeliverySection(Section):
    """From a commit to production."""

    gitlab: GitLab | None = Field(default=None, description="GitLab.")
    github: GitHub | None = Field(default=None, description="GitHub.")
    runners: Runners | None = Field(default=None, description="Runners.")
    sonarqube: SonarQube | None = Field(default=None, description="SonarQube.")
    spinnaker: Spinnaker | None = Field(default=None, description="Spinnaker.")
    environments: dict[Label, Environment] = Field(default={}, description="Environments in the order of promotion.")


class Autoscale(Section):
    """How many copies run."""

    min: Annotated[int, Field(ge=0, le=1000)] = Field(default=1, description="At least.")
    max: Annotated[int, Field(ge=1, le=1000)] = Field(default=3, description="At most.")
    cpu: Annotated[int, Field(ge=10, le=100)] = Field(
        default=70, description="The load of processors, in percent, that is aimed at."
    )


class AppEnvironment(Section):
    """What is different in one environment."""

    replicas: Annotated[int, Field(ge=0, le=1000)] | None = Field(default=None, description="Copies.")
    scale: Autoscale | None = Field(default=None, description="Copies by load.")
    host: HostName | None = Field(default=None, description="The name it answers to.")
    variables: dict[Plain, Text] = Field(default={}, description="Environment variables.")


class App(Section):
    """An application of a team."""

    repository: Text | None = Field(default=None, description="Its repository.")
    image: Text | None = Field(default=None, description="Its image, when it is built elsewhere.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(default=8080, description="The port it listens on.")
    protocol: Literal["http", "grpc", "none"] = Field(default="http", description="What it speaks.")
    health: Plain = Field(default="/healthz", description="The path that tells its health.")
    host: HostName | None = Field(
        default=None, description="The name it answers to; <app>.<environment's domain> when not said."
    )
    path: Plain = Field(default="/", description="The path it answers under.")
    replicas: Annotated[int, Field(ge=0, le=1000)] = Field(default=1, description="Copies.")
    scale: Autoscale | None = Field(default=None, description="Copies by load.")
    needs: list[Literal["mongodb", "postgres", "mysql", "valkey", "elasticsearch", "pubsub", "object_storage"]] = Field(
        default=[], description="Offers that it asks for."
    )
    publishes: list[Key] = Field(default=[], description="Pub/Sub topics that it writes.")
    listens: list[Key] = Field(default=[], description="Pub/Sub topics that it reads.")
    secrets: dict[Plain, Text] = Field(
        default={}, description="Environment variables that are secrets.", json_schema_extra={"x-socle-secret": True}
    )
    variables: dict[Plain, Text] = Field(default={}, description="Environment variables.")
    environments: dict[Label, AppEnvironment] = Field(
        default={}, description="What differs by environment; in all of them when none is named."
    )
    release: Literal["rolling", "blue_green", "canary"] | None = Field(
        default=None, description="How a new version takes over, when not as the environment says."
    )
    team: Key | None = Field(default=None, description="Whose it is.")
