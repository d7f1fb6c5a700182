# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The manifest: one definition for validation, defaults, the JSON Schema and the reference page."""

from __future__ import annotations

from typing import Literal

from .base import Key, Label, Section
from .pydantic_guard import Field
from .sections_clouds import AnyCloud
from .sections_cluster import KubernetesSection, ServicesSection
from .sections_delivery import App, DeliverySection
from .sections_platform import (
    BackupsSection,
    MirrorSection,
    Person,
    PlatformSection,
    SecretsSection,
    Team,
    TerraformSection,
)
from .sections_rack import AccessSection, HypervisorsSection, MachineGroup, ServerGroup, StorageSection, SwarmSection


class Manifest(Section):
    """A whole platform."""

    plugin: Literal["socle.platform.manifest"] = Field(
        description="Always `socle.platform.manifest`: the file is an Ansible inventory."
    )
    platform: PlatformSection = Field(description="Its name and domain.")
    secrets: SecretsSection = Field(default_factory=SecretsSection, description="Where secrets are kept.")
    people: dict[Key, Person] = Field(default={}, description="People by login.")
    teams: dict[Key, Team] = Field(default={}, description="Teams by name.")
    hypervisors: HypervisorsSection | None = Field(default=None, description="The bare servers.")
    machines: dict[Label, MachineGroup] = Field(default={}, description="Machines by group.")
    servers: dict[Label, ServerGroup] = Field(default={}, description="Servers that exist already, by group.")
    access: AccessSection = Field(default_factory=AccessSection, description="Who gets in.")
    storage: StorageSection = Field(default_factory=StorageSection, description="Shared storage.")
    kubernetes: KubernetesSection | None = Field(default=None, description="The cluster on the machines.")
    swarm: SwarmSection | None = Field(default=None, description="A Docker Swarm.")
    services: ServicesSection = Field(default_factory=ServicesSection, description="What runs in the clusters.")
    delivery: DeliverySection = Field(default_factory=DeliverySection, description="From a commit to production.")
    apps: dict[Label, App] = Field(default={}, description="Applications by name.")
    clouds: dict[Label, AnyCloud] = Field(default={}, description="Clouds by name.")
    terraform: TerraformSection = Field(default_factory=TerraformSection, description="How Terraform is run.")
    backups: BackupsSection | None = Field(default=None, description="Where backups go.")
    mirror: MirrorSection | None = Field(default=None, description="Where artefacts come from without the Internet.")
