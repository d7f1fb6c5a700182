# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What one machine tells about itself: the result `state` of the module `kubeadm_state`.

A control plane that works, shortened:

    {"name": "control-1", "address": "10.10.0.11",
     "packages": {"kubeadm": "1.36.3", "kubelet": "1.36.3", "kubectl": "1.36.3", "containerd": "2.3.7"},
     "units": {"containerd": "active", "kubelet": "active"},
     "admin_conf": true, "kubelet_conf": "finished", "kubelet_config": true,
     "leftovers": ["/etc/kubernetes/pki", ...],
     "manifests": {"etcd": "3.6.8", "kube-apiserver": "1.36.3", ...},
     "authority": "5f0c...", "authority_key": true,
     "certificates": [{"name": "apiserver", "path": "/etc/kubernetes/pki/apiserver.crt", "subject": "kube-apiserver",
                       "issuer": "kubernetes", "ends": 1795172400, "days": 364.9}],
     "etcd": {"data": true, "member": "8e9e05c52164694d", "cluster": "cdf818194e3a8c32",
              "answers": true, "healthy": true,
              "leader": "8e9e05c52164694d", "version": "3.6.8", "size": 20480, "revision": 1207,
              "index": 1630, "alarms": [],
              "members": [{"id": "8e9e05c52164694d", "name": "control-1", "address": "10.10.0.11",
                           "learner": false, "healthy": true}], "reason": ""},
     "api": {"ready": true, "version": "1.36.3", "reason": ""},
     "cluster": {"version": "1.36.3", "configs": ["cluster-info", "kubeadm-config", "kubelet-config"],
                 "addons": ["coredns", "kube-proxy"],
                 "nodes": [{"name": "control-1", "ready": true, "version": "1.36.3", "control_plane": true,
                            "schedulable": true, "reason": ""}]},
     "reason": ""}

A bare machine has the same keys with nothing in them. A machine that could not be asked has no state at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

# How far the kubelet's own credentials are: none, a token only, made by kubeadm, or kept up by the kubelet itself,
# which is so after an init or a join went through.
NONE, BOOTSTRAP, MADE, FINISHED = "", "bootstrap", "made", "finished"
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
CONFIGS = frozenset({"cluster-info", "kubeadm-config", "kubelet-config"})

T = TypeVar("T")


@dataclass(frozen=True)
class Certificate:
    """`days` until its end, by the machine's own clock; negative when it is over."""

    name: str
    path: str = ""
    subject: str = ""
    issuer: str = ""
    ends: int = 0
    days: float = 0.0


@dataclass(frozen=True)
class Member:
    """A line of etcd's member list. One that was added and never started has no name yet."""

    id: str
    name: str = ""
    address: str = ""
    learner: bool = False
    healthy: bool = False
    url: str = ""
    """Where it takes clients; nothing before it has started."""


@dataclass(frozen=True)
class Etcd:
    """`data`: there is a data folder with a log in it; `member` and `cluster` are read from that log.

    `answers`: this machine's etcd tells its member list; `healthy`: it also commits, so there is a quorum.
    """

    data: bool = False
    member: str = ""
    cluster: str = ""
    answers: bool = False
    healthy: bool = False
    leader: str = ""
    version: str = ""
    size: int = 0
    revision: int = 0
    index: int = 0
    """How far its log is: of what runs from itself, else from the data folder. 0 where it is not known."""
    alarms: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Api:
    """This machine's own API server, or for a worker the one that its kubelet talks to."""

    ready: bool = False
    version: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Node:
    """A Node object; `version` is its kubelet's."""

    name: str
    ready: bool = False
    version: str = ""
    control_plane: bool = False
    schedulable: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Cluster:
    """What the API tells this machine of the whole. `version` is the one in kubeadm's own configuration."""

    version: str = ""
    configs: tuple[str, ...] = ()
    addons: tuple[str, ...] = ()
    nodes: tuple[Node, ...] = ()


@dataclass(frozen=True)
class State:
    name: str
    address: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    admin_conf: bool = False
    kubelet_conf: str = NONE
    kubelet_config: bool = False
    leftovers: tuple[str, ...] = ()
    """Whatever `kubeadm init` and `kubeadm join` would refuse to find."""
    manifests: Mapping[str, str] = field(default_factory=dict)
    authority: str = ""
    """SHA-256 of the cluster's CA certificate: which cluster this machine belongs to."""
    authority_key: bool = False
    certificates: tuple[Certificate, ...] = ()
    etcd: Etcd = field(default_factory=Etcd)
    api: Api = field(default_factory=Api)
    cluster: Cluster = field(default_factory=Cluster)
    reason: str = ""
    """Why the kubelet does not get on, from its own log."""


def parse(kind: type[T], told: Mapping[str, Any]) -> T:
    """A dataclass of plain data. What is not told has its default, what is not known is left out."""
    readers = _readers(kind)  # type: ignore[arg-type] # a class can be hashed
    return kind(**{name: readers[name](value) for name, value in told.items() if name in readers})


@cache
def _readers(kind: Any) -> dict[str, Callable[[Any], Any]]:
    hints = get_type_hints(kind)
    return {item.name: _reader(hints[item.name]) for item in fields(kind)}


def _reader(hint: Any) -> Callable[[Any], Any]:
    if is_dataclass(hint) and isinstance(hint, type):
        return lambda value: parse(hint, value or {})
    if get_origin(hint) is tuple:
        inner = _reader(get_args(hint)[0])
        return lambda value: tuple(inner(item) for item in value or ())
    if get_origin(hint) is not None:
        return lambda value: dict(value or {})
    return lambda value: value


__all__ = [
    "BOOTSTRAP",
    "CONFIGS",
    "CONTROL_PLANE",
    "FINISHED",
    "MADE",
    "NONE",
    "Api",
    "Certificate",
    "Cluster",
    "Etcd",
    "Member",
    "Node",
    "State",
    "parse",
]
