# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Schema: the clouds, one model for each kind."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from .base import (
    Domain,
    Duration,
    Key,
    Label,
    Network,
    Plain,
    ReleaseVersion,
    Rule,
    Section,
    Size,
    Text,
    found,
    matching,
    text_of,
    wrong,
)
from .catalogue import AWS_REGIONS, GCP_REGIONS, SCALEWAY_KAPSULE_REGIONS
from .errors import did_you_mean, one_of
from .pydantic_guard import Field
from .sections_cluster import KubernetesVersion
from .sections_platform import Bucket, StateSection

# https://cloud.google.com/resource-manager/reference/rest/v1/projects
ProjectId = Annotated[
    str,
    matching(
        r"[a-z][a-z0-9-]{4,28}[a-z0-9]",
        "a Google Cloud project id: 6 to 30 lower-case letters, digits and '-', first a letter, last no '-'",
    ),
]
UuidText = Annotated[str, matching(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "a UUID")]
AwsAccount = Annotated[str, matching(r"[0-9]{12}", "the 12 digits of an AWS account, in quotes")]
Topic = Annotated[
    str,
    matching(
        r"(?!goog)[A-Za-z][A-Za-z0-9._~%+-]{2,254}",
        "a Pub/Sub topic's name: 3 to 255 characters, beginning with a letter and not with goog",
    ),
]


def _region(cloud: str, regions: tuple[str, ...]) -> Rule:
    def check(value: Any) -> str:
        wanted = f"a region of {cloud}: {one_of(regions, len(regions))}"
        text = text_of(value, wanted)
        if text not in regions:
            hint = did_you_mean(text, regions)
            if any(text.startswith(f"{region}-") for region in regions):
                hint = f"did you mean {text.rpartition('-')[0]}? (that is a zone)"
            raise wrong(f"{found(text)}, which {cloud} does not have", wanted, hint)
        return text

    return Rule(check, {"enum": list(regions)})


GcpRegion = Annotated[str, _region("Google Cloud", GCP_REGIONS)]
AwsRegion = Annotated[str, _region("AWS", AWS_REGIONS)]
KapsuleRegion = Annotated[str, _region("Scaleway Kapsule", SCALEWAY_KAPSULE_REGIONS)]


class Topics(Section):
    """A Pub/Sub topic."""

    subscriptions: list[Key] = Field(default=[], description="Its subscriptions.")
    dead_letter: bool = Field(default=True, description="Keep what nobody could take in a topic of its own.")
    retention: Duration = Field(default="7d", description="How long messages are kept.")


class PubSub(Section):
    """Google Pub/Sub."""

    topics: dict[Topic, Topics] = Field(default={}, description="The topics by name.")


class CloudDatabase(Section):
    """A managed database; its addresses are private."""

    postgres: ReleaseVersion | None = Field(
        default=None, description="PostgreSQL of this major version.", examples=["17"]
    )
    mysql: ReleaseVersion | None = Field(default=None, description="MySQL of this version.")
    tier: Plain | None = Field(default=None, description="The machine type, as the cloud calls it.")
    disk: Size = Field(default="20 GiB", description="The disk.")
    ha: bool = Field(default=True, description="A standby in another zone.")
    backups: Duration = Field(default="7d", description="How long backups are kept.")
    databases: list[Key] = Field(
        default=[], description="Databases to make; one for each app that asks when none is named."
    )


class EdgeLoadBalancer(Section):
    """The load balancer of the outside."""

    domains: list[Domain] = Field(default=[], description="The names it answers to.")
    grpc: bool = Field(default=False, description="Whether it carries gRPC.")
    static: Bucket | None = Field(default=None, description="A bucket of static files.")
    armor: bool = Field(default=False, description="Cloud Armor or AWS WAF in front.")


class NodePool(Section):
    """Nodes of one kind."""

    machine: Plain | None = Field(default=None, description="The machine type, as the cloud calls it.")
    min: Annotated[int, Field(ge=0, le=1000)] = Field(default=1, description="At least.")
    max: Annotated[int, Field(ge=1, le=1000)] = Field(default=3, description="At most.")
    disk: Size = Field(default="50 GiB", description="The disk of a node.")
    spot: bool = Field(default=False, description="Cheap nodes that may be taken away.")
    labels: dict[Plain, Plain] = Field(default={}, description="Labels of the nodes.")


class Cloud(Section):
    """What every cloud has."""

    state: StateSection | None = Field(
        default=None, description="Where its Terraform state is kept, when not where the others are."
    )
    labels: dict[Key, Plain] = Field(default={}, description="Labels of everything in it.")
    peers: list[Key] = Field(default=[], description="Other clouds, or `rack`, that its network is joined with.")
    monthly_budget: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Warn when a month costs more, in the account's currency."
    )


class GcpNetwork(Section):
    """The VPC of a Google Cloud project."""

    nodes: Network = Field(default="10.128.0.0/20", description="The subnet of nodes.")
    pods: Network = Field(default="10.132.0.0/14", description="The secondary range of pods (gke).")
    services: Network = Field(default="10.136.0.0/20", description="The secondary range of Services (gke).")
    control_plane: Network = Field(
        default="10.137.0.0/28", description="The control plane's peering range, a /28 (gke)."
    )
    private_services: Network = Field(
        default="10.138.0.0/20", description="The range of managed databases (private service access)."
    )
    nat: bool = Field(default=True, description="Cloud NAT, the way out of nodes without public addresses.")


class GoogleCloud(Cloud):
    """What the kinds on Google Cloud share."""

    project: ProjectId = Field(description="The project's id.", examples=["cater-prod"])
    region: GcpRegion = Field(description="The region.", examples=["northamerica-northeast1"])
    create_project: bool = Field(default=False, description="Make the project; needs `billing` and `parent`.")
    billing: Text | None = Field(default=None, description="The billing account (create_project).")
    parent: Text | None = Field(default=None, description="The folder or organisation (create_project).")
    network: GcpNetwork = Field(default_factory=GcpNetwork, description="Addresses.")
    database: CloudDatabase | None = Field(default=None, description="Cloud SQL.")
    pubsub: PubSub | None = Field(default=None, description="Pub/Sub.")
    load_balancer: EdgeLoadBalancer | None = Field(default=None, description="The load balancer of the outside.")
    object_storage: list[Bucket] = Field(default=[], description="Buckets for apps.")


class Gke(GoogleCloud):
    """Google Kubernetes Engine."""

    kind: Literal["gke"] = Field(description="Google Kubernetes Engine.")
    mode: Literal["autopilot", "standard"] = Field(
        default="autopilot", description="Who runs the nodes: Google, or the pools below."
    )
    channel: Literal["rapid", "regular", "stable", "extended"] = Field(
        default="regular", description="The release channel."
    )
    pools: dict[Label, NodePool] = Field(default={}, description="Node pools (standard).")
    authorized_networks: dict[Key, Network] = Field(default={}, description="Who reaches the control plane.")
    private_endpoint: bool = Field(default=False, description="Reach the control plane only from inside.")
    volumes: Literal["regional", "zonal"] = Field(
        default="regional", description="Persistent disks with a copy in a second zone, or in one zone only."
    )
    backup: bool = Field(default=True, description="Backup for GKE.")


class CloudRun(GoogleCloud):
    """Google Cloud Run: services without servers."""

    kind: Literal["cloud_run"] = Field(description="Google Cloud Run.")
    registry: Key | None = Field(
        default=None, description="The Artifact Registry repository; the platform's name when not said."
    )
    build: bool = Field(default=True, description="Cloud Build triggers.")
    max_instances: Annotated[int, Field(ge=1, le=1000)] = Field(default=10, description="Copies of a service at most.")
    public: bool = Field(default=True, description="Whether anybody may call the services.")


class Kapsule(Cloud):
    """Scaleway Kubernetes Kapsule."""

    kind: Literal["kapsule"] = Field(description="Scaleway Kubernetes Kapsule.")
    project: UuidText | None = Field(default=None, description="The project; the caller's default when not said.")
    region: KapsuleRegion = Field(description="The region.", examples=["fr-par"])
    version: KubernetesVersion | None = Field(default=None, description="The Kubernetes minor.")
    network: Network = Field(default="172.16.16.0/22", description="The private network of the nodes.")
    pods: Network = Field(default="100.72.0.0/15", description="Addresses of pods.")
    services: Network = Field(default="10.32.0.0/20", description="Addresses of Services.")
    pools: dict[Label, NodePool] = Field(default={}, description="Node pools; one of three nodes when none is named.")
    cni: Literal["cilium", "calico", "kilo"] = Field(default="cilium", description="The network plugin.")
    authorized_networks: dict[Key, Network] = Field(
        default={}, description="Who reaches the control plane; only its own nodes when nobody is named."
    )
    database: CloudDatabase | None = Field(default=None, description="A managed database.")
    registry: bool = Field(default=True, description="A container registry.")
    load_balancer_type: Literal["LB-S", "LB-GP-M", "LB-GP-L", "LB-GP-XL"] = Field(
        default="LB-S", description="The size of the load balancer."
    )
    object_storage: list[Bucket] = Field(default=[], description="Buckets for apps.")
    dns_zone: Domain | None = Field(default=None, description="The DNS zone in which environments get their names.")


class Aws(Cloud):
    """What the kinds on AWS share."""

    account: AwsAccount | None = Field(
        default=None, description="The account, checked before anything is done in it.", examples=["123456789012"]
    )
    region: AwsRegion = Field(description="The region.", examples=["eu-west-3"])
    network: Network = Field(default="10.64.0.0/16", description="The VPC: between /16 and /24.")
    zones: Annotated[int, Field(ge=2, le=6)] = Field(default=3, description="Over how many availability zones.")
    nat: Literal["one", "per_zone", "none"] = Field(
        default="one", description="NAT gateways; with none, endpoints carry what is needed."
    )
    database: CloudDatabase | None = Field(default=None, description="RDS.")
    object_storage: list[Bucket] = Field(default=[], description="Buckets for apps.")
    dns_zone: Domain | None = Field(default=None, description="The Route 53 zone.")
    certificate: Text | None = Field(
        default=None, description="The ARN of the load balancer's certificate; made in the zone when not said."
    )


class Ecs(Aws):
    """AWS Elastic Container Service on Fargate, behind a load balancer."""

    kind: Literal["ecs"] = Field(description="AWS Elastic Container Service.")
    bake: Duration = Field(default="10m", description="How long a new version is watched before the old one goes.")
    test_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8443, description="The listener under which a new version is tested."
    )
    test_path: Plain | None = Field(
        default=None, description="A path under which a new version is tested, instead of a port.", examples=["/next"]
    )
    spot: bool = Field(default=False, description="Fargate Spot.")


class Eks(Aws):
    """AWS Elastic Kubernetes Service."""

    kind: Literal["eks"] = Field(description="AWS Elastic Kubernetes Service.")
    version: KubernetesVersion | None = Field(default=None, description="The Kubernetes minor.")
    mode: Literal["auto", "pools"] = Field(
        default="auto", description="Who runs the nodes: EKS Auto Mode, or the pools below with launch templates."
    )
    pools: dict[Label, NodePool] = Field(default={}, description="Node pools (pools).")
    services: Network = Field(default="172.20.0.0/16", description="Addresses of Services.")
    authorized_networks: dict[Key, Network] = Field(default={}, description="Who reaches the control plane.")


AnyCloud = Annotated[Gke | CloudRun | Kapsule | Ecs | Eks, Field(discriminator="kind")]
KINDS = {"gke": Gke, "cloud_run": CloudRun, "kapsule": Kapsule, "ecs": Ecs, "eks": Eks}
