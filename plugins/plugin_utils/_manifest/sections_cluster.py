# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Schema: the Kubernetes cluster on the machines, and the services in all clusters."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import (
    Address,
    Domain,
    Duration,
    Email,
    HostName,
    Key,
    Label,
    Network,
    OneOrMany,
    Plain,
    Range,
    ReleaseVersion,
    Secret,
    Section,
    Size,
    Text,
    matching,
)
from .catalogue import KUBERNETES_DEFAULT
from .pydantic_guard import Field

KubernetesVersion = Annotated[
    str, matching(r"v?[0-9]+\.[0-9]+(?:\.[0-9]+)?", f'a Kubernetes version in quotes such as "{KUBERNETES_DEFAULT}"')
]


class KubernetesSection(Section):
    """A kubeadm cluster on the machines."""

    version: KubernetesVersion = Field(
        default=KUBERNETES_DEFAULT, description="The minor, or a patch of it.", examples=["1.36", "1.36.4"]
    )
    upgrade_from: KubernetesVersion | None = Field(
        default=None,
        description="The version that runs now, while an upgrade is on its way: a skipped minor is then an error.",
    )
    network: Literal["calico", "flannel", "cilium"] = Field(default="calico", description="The network plugin.")
    encryption: Literal["secretbox", "kms", "none"] = Field(
        default="secretbox", description="Encryption of Secrets in etcd."
    )
    kms_endpoint: Plain | None = Field(default=None, description="The socket of the KMS v2 plugin (kms).")
    proxy: Literal["iptables", "nftables"] | None = Field(
        default=None, description="The mode of kube-proxy; nftables from 1.37 on when not said."
    )
    control_plane: Label = Field(default="control", description="The machine group of the control plane.")
    workers: OneOrMany[Label] = Field(default=["worker"], description="The machine groups of the workers.")
    load_balancer: Literal["haproxy", "kube-vip"] = Field(
        default="haproxy", description="What carries the control plane's address."
    )
    vip: Address | None = Field(
        default=None, description="The control plane's address in the rack network; derived when not said."
    )
    endpoint: HostName | None = Field(
        default=None, description="The control plane's name; kubernetes.<domain> when not said."
    )
    pods: Network = Field(default="10.244.0.0/16", description="Addresses of pods.")
    services: Network = Field(default="10.96.0.0/16", description="Addresses of Services.")
    audit: bool = Field(default=True, description="Keep an audit log.")
    snapshots: Duration = Field(default="6h", description="How often etcd is saved.")


class Service(Section):
    """A service in one cluster or several."""

    on: OneOrMany[Key] = Field(
        default=[],
        description="Clusters: `kubernetes` (the machines'), or a cloud's name; every one when not said.",
    )
    size: Literal["small", "standard", "ha"] = Field(default="standard", description="How big.")


class Ingress(Service):
    """NGINX Ingress Controller (F5's)."""

    domain: Domain | None = Field(default=None, description="The domain of the services; the platform's when not said.")


class Gateway(Service):
    """Gateway API."""

    kind: Literal["nginx", "envoy", "traefik"] = Field(default="nginx", description="The implementation.")


class LoadBalancer(Service):
    """Addresses for Services of type LoadBalancer (MetalLB)."""

    pool: Range | None = Field(
        default=None, description="The addresses it gives out; derived in the rack network when not said."
    )


class Certificates(Service):
    """cert-manager with Let's Encrypt and an internal CA."""

    email: Email = Field(description="Where Let's Encrypt writes to.")
    issuer: Literal["letsencrypt", "letsencrypt-staging", "internal"] = Field(
        default="letsencrypt", description="The issuer of the services' certificates."
    )
    challenge: Literal["http", "dns"] = Field(default="http", description="How the domain is proven.")
    dns_provider: Literal["cloud_dns", "route53", "scaleway", "cloudflare", "rfc2136"] | None = Field(
        default=None, description="Who keeps the zone (dns)."
    )
    dns_token: Text | None = Secret("The token for it (dns).", default=None)


class Monitoring(Service):
    """Prometheus, Alertmanager and Grafana."""

    retention: Duration = Field(default="15d", description="How long measurements are kept.")
    disk: Size = Field(default="50 GiB", description="The disk of Prometheus.")
    alerts: Email | None = Field(default=None, description="Where alerts go by mail.")
    webhook: Text | None = Secret("A URL that alerts are posted to.", default=None)


class Logging(Service):
    """Logs of everything."""

    kind: Literal["loki", "elastic"] = Field(
        default="loki", description="`loki` (Loki and Alloy) or `elastic` (Filebeat, Logstash, Elasticsearch, Kibana)."
    )
    retention: Duration = Field(default="14d", description="How long logs are kept.")
    disk: Size = Field(default="50 GiB", description="The disk for them.")


class Dashboard(Service):
    """Headlamp."""


class Metrics(Service):
    """metrics-server."""


class ExternalSecrets(Service):
    """External Secrets, with OpenBao."""

    server: bool = Field(default=False, description="Also run an OpenBao server in the cluster.")


class Backup(Service):
    """Velero; needs the section `backups`."""


class Policies(Service):
    """Kyverno."""

    enforce: bool = Field(default=False, description="Refuse what breaks a policy, instead of reporting it.")


class ArgoCd(Service):
    """Argo CD, which owns all other services. It is there whenever a cluster is."""

    repository: Text | None = Field(
        default=None, description="The platform repository's URL; made in GitLab when not said."
    )
    token: Text | None = Secret("What may write to the repository.", default=None)
    admin: bool = Field(default=False, description="Keep the admin user.")


class Rollouts(Service):
    """Argo Rollouts."""


class Longhorn(Service):
    """Replicated block storage."""

    replicas: Annotated[int, Field(ge=1, le=5)] = Field(default=3, description="Copies of each volume.")


class Autoscaling(Service):
    """Scaling of nodes, where the cloud does not do it itself."""


class Database(Service):
    """An offer that apps can ask for."""

    version: ReleaseVersion | None = Field(default=None, description="The major version.")
    disk: Size = Field(default="20 GiB", description="The disk of each member.")


class MongoDb(Database):
    """MongoDB (Percona's operator)."""


class Postgres(Database):
    """PostgreSQL (CloudNativePG)."""


class Valkey(Database):
    """Valkey, which speaks Redis."""


class Elasticsearch(Database):
    """Elasticsearch (ECK)."""


class ServicesSection(Section):
    """What runs in the clusters. A name with `{}` is enough."""

    ingress: Ingress | None = Field(default=None, description="NGINX Ingress Controller.")
    gateway: Gateway | None = Field(default=None, description="Gateway API.")
    load_balancer: LoadBalancer | None = Field(default=None, description="MetalLB.")
    certificates: Certificates | None = Field(default=None, description="cert-manager.")
    monitoring: Monitoring | None = Field(default=None, description="Prometheus, Alertmanager, Grafana.")
    logging: Logging | None = Field(default=None, description="Loki, or Elasticsearch with Logstash and Kibana.")
    dashboard: Dashboard | None = Field(default=None, description="Headlamp.")
    metrics: Metrics | None = Field(default=None, description="metrics-server.")
    secrets: ExternalSecrets | None = Field(default=None, description="External Secrets.")
    backup: Backup | None = Field(default=None, description="Velero.")
    policies: Policies | None = Field(default=None, description="Kyverno.")
    argocd: ArgoCd | None = Field(default=None, description="Argo CD's settings.")
    rollouts: Rollouts | None = Field(default=None, description="Argo Rollouts.")
    longhorn: Longhorn | None = Field(default=None, description="Longhorn.")
    autoscaling: Autoscaling | None = Field(default=None, description="Scaling of nodes.")
    mongodb: MongoDb | None = Field(default=None, description="MongoDB, for apps.")
    postgres: Postgres | None = Field(default=None, description="PostgreSQL, for apps.")
    valkey: Valkey | None = Field(default=None, description="Valkey, for apps.")
    elasticsearch: Elasticsearch | None = Field(default=None, description="Elasticsearch, for apps.")
