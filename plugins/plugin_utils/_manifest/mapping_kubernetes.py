# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Mapping: variables of the roles that make the cluster on machines, and what its nodes' firewall lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .catalogue import KUBERNETES_RELEASES
from .mapping_machines import API_PORT, PAIR, forwarding, hosts_of, opening
from .platform import Host, Platform

if TYPE_CHECKING:
    from .mapping import Inventory

NODES, CONTROL_PLANE, WORKERS = "kubernetes", "kubernetes_control_plane", "kubernetes_workers"
# Where the API server itself has API_PORT, HAProxy on the same machine needs another one.
SHARED_PORT = 8443
# VXLAN of the network plugins: flannel's and Cilium's, Calico's.
OVERLAY = {"flannel": 8472, "cilium": 8472, "calico": 4789}
ETCD, KUBELET = "2379-2380", 10250


def kubernetes(platform: Platform, made: Inventory) -> None:
    """What the roles of a node are told."""
    cluster = platform.manifest.kubernetes
    if cluster is None:
        return
    by_name = {host.name: host for host in platform.hosts}
    nodes = [by_name[name] for name in hosts_of(made, NODES)]
    control = [by_name[name] for name in hosts_of(made, CONTROL_PLANE)]
    if not control or any(host.address is None for host in nodes):
        return
    release, pause = release_of(cluster.version)
    proxy = cluster.proxy or ("nftables" if _minor(release) >= (1, 37) else "iptables")
    made.groups[NODES].update(
        containerd_sandbox_image=f"registry.k8s.io/pause:{pause}",
        kubernetes_packages_version=release,
        kubeadm_version=release,
        kubeadm_name=platform.manifest.platform.name,
        kubeadm_endpoint=_endpoint(platform, made, control),
        kubeadm_certificate_names=_names(platform, control),
        kubeadm_control_planes=[host.name for host in control],
        kubeadm_nodes={host.name: [host.address] for host in nodes},
        kubeadm_pods=cluster.pods,
        kubeadm_services=cluster.services,
        kubeadm_proxy_mode=proxy,
        kubeadm_audit=cluster.audit,
        kubernetes_network_plugin=cluster.network,
        kubernetes_network_pods=cluster.pods,
    )
    missing = [
        words
        for words, wanted in (
            ("encryption: kms", cluster.encryption == "kms"),
            ("load_balancer: kube-vip", cluster.load_balancer == "kube-vip" and platform.vip() is not None),
        )
        if wanted
    ]
    if missing:
        made.groups[NODES]["kubeadm_unsupported"] = missing
    if cluster.encryption == "secretbox":
        key = "{{ lookup('socle.platform.secret', 'kubernetes/encryption', kind='key32') }}"
        made.groups[CONTROL_PLANE]["kubeadm_encryption_keys"] = [key]
    _shared_address(platform, made, control)
    _firewall(platform, made, nodes, control)


def release_of(version: str) -> tuple[str, str]:
    """A version with its patch, and the pause image that belongs to it."""
    bare = version.removeprefix("v")
    minor = ".".join(bare.split(".")[:2])
    newest, pause = KUBERNETES_RELEASES[minor]
    return (bare if bare.count(".") == 2 else newest), pause


def _minor(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _endpoint(platform: Platform, made: Inventory, control: list[Host]) -> str:
    """Where everything finds the API: an address, because a name would have to be known before there is a cluster."""
    cluster, vip = platform.manifest.kubernetes, platform.vip()
    if vip is None:
        return f"{cluster.endpoint}:{API_PORT}" if cluster.endpoint else f"{control[0].address}:{API_PORT}"
    on_nodes = cluster.load_balancer == "haproxy" and not made.members.get(PAIR)
    return f"{vip}:{SHARED_PORT if on_nodes else API_PORT}"


def _names(platform: Platform, control: list[Host]) -> list[str]:
    """What else the API's certificate is for: its name, its address, and every control plane."""
    name = platform.manifest.kubernetes.endpoint or f"kubernetes.{platform.manifest.platform.domain}"
    found = [name, platform.vip(), *(word for host in control for word in (host.name, host.address))]
    return [str(word) for word in dict.fromkeys(found) if word]


def _shared_address(platform: Platform, made: Inventory, control: list[Host]) -> None:
    """Without machines of their own, keepalived and HAProxy run on the control planes."""
    vip, rack = platform.vip(), platform.rack
    if vip is None or rack is None or made.members.get(PAIR) or platform.manifest.kubernetes.load_balancer != "haproxy":
        return
    peers = [str(host.address) for host in control]
    made.groups[CONTROL_PLANE].update(
        load_balancer_name=platform.manifest.platform.name,
        load_balancer_peers=peers,
        load_balancer_addresses=[f"{vip}/{rack.network.prefixlen}"],
        load_balancer_services=[
            {
                "name": "kubernetes",
                "port": SHARED_PORT,
                "check_path": "/readyz",
                "check_tls": True,
                "servers": [{"name": host.name, "address": host.address, "port": API_PORT} for host in control],
            }
        ],
    )
    opening(platform, made, CONTROL_PLANE, "kubernetes-shared", [SHARED_PORT])
    opening(platform, made, CONTROL_PLANE, "vrrp", [], protocol="vrrp", sources=peers)


def _firewall(platform: Platform, made: Inventory, nodes: list[Host], control: list[Host]) -> None:
    """Between nodes only, but for the API. Pods come with their own addresses when they stay on their node."""
    cluster = platform.manifest.kubernetes
    addresses, planes = [str(host.address) for host in nodes], [str(host.address) for host in control]
    # Clients come through the shared address, whoever carries it.
    rack, shared = platform.rack, "load_balancer_peers" in made.groups[CONTROL_PLANE]
    clients = addresses if shared or rack is None else [str(rack.network)]
    opening(platform, made, CONTROL_PLANE, "kubernetes-api", [API_PORT], sources=[*clients, cluster.pods])
    opening(platform, made, CONTROL_PLANE, "etcd", [ETCD], sources=planes)
    # metrics-server asks kubelets from a pod.
    opening(platform, made, NODES, "kubelet", [KUBELET], sources=[*addresses, cluster.pods])
    opening(platform, made, NODES, "overlay", [OVERLAY[cluster.network]], protocol="udp", sources=addresses)
    forwarding(made, NODES, "pods", sources=[cluster.pods])
    # A NodePort is the pod itself by the time it is let through. Services with addresses of their own are for the rack.
    inside = [*addresses, cluster.pods]
    if platform.manifest.services.load_balancer is not None and platform.rack is not None:
        inside = [str(platform.rack.network), cluster.pods]
    forwarding(made, NODES, "to-pods", sources=inside, destinations=[cluster.pods])
