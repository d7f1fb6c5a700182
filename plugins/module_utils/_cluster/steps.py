# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What is wanted of a cluster, and what is to be done next.

    wanted = {"version": "1.36.3", "control_planes": {"control-1": "10.10.0.11", ...}, "workers": ["worker-1", ...]}

    {"converged": false, "refusal": "", "notes": [], "action": "",
     "steps": [{"host": "control-1", "verb": "remove_stale_member", "why": "control-3 has lost its data ...",
                "gate": "remove", "member": "control-3", "with": {"id": "91bc3c398fb3c146", "address": "10.10.0.13"}},
               {"host": "worker-1", "verb": "join_worker", "why": "...", "gate": "", "member": "", "with": {}}]}

`steps` is one round: everything in it may be done at once, each step on its `host`. After a round all machines are
asked again. A round is empty when the cluster is as
wanted (`converged`) or when `refusal` says the only safe next action.

| verb | what is done on `host` |
| --- | --- |
| install | packages `with.names`, of version `with.version`: the machine is in no cluster |
| init | `kubeadm init`; with `with.resume` over what an interrupted one left, deleting nothing |
| join_control_plane, join_worker | `kubeadm join` |
| reset_leftovers | `kubeadm reset -f` and what it leaves; the machine is no member of etcd |
| remove_stale_member | etcd member `with.id` out of the list; the list is compared before and after |
| delete_node | the Node object `with.node` |
| move_leader | etcd's leadership to member `with.to` |
| renew_certificates | `kubeadm certs renew all`, then the static pods anew |
| renew_kubelet | kubelet.conf anew, issued on control plane `with.on`, and config.yaml where it is missing |
| rewrite_files | `kubeadm init phase control-plane`, `etcd local` or `kubeconfig admin` for each of `with.names` |
| finish_init | `kubeadm init phase` for each of `with.phases`, with the cluster's own configuration |
| mark_control_plane | label and taint of the Node |
| upgrade_first | packages, drain, `kubeadm upgrade apply`, kubelet, uncordon; to `with.version` |
| upgrade_control_plane, upgrade_worker | the same with `kubeadm upgrade node` |
| restart | the units `with.units` |
| remove_control_plane, remove_worker | drain, out of etcd's list, reset where it answers, Node deleted |
| wait | nothing: ask again, and tell how long it is so (`waited`) |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# What a step needs of etcd and the API just before it: see gate.py.
OPEN, RESTART, REMOVE, JOIN = "", "restart", "remove", "join"


@dataclass(frozen=True)
class Wanted:
    """`control_planes` by name, with their addresses; the first one is initialised when there is no cluster."""

    version: str
    control_planes: Mapping[str, str]
    workers: tuple[str, ...] = ()
    addons: tuple[str, ...] = ("coredns", "kube-proxy")
    upgrade: bool = False
    """Begin an upgrade. One that was begun is always finished."""
    remove: tuple[str, ...] = ()
    """Machines to take out for good."""
    replace: tuple[str, ...] = ()
    """Machines whose content may be thrown away: they begin anew."""
    snapshot: str = ""
    """The newest good snapshot, if there is one: then there was a cluster."""
    renew_before: float = 30.0
    """Days before their end in which certificates are renewed."""
    waited: float = 0.0
    """Seconds for which nothing but `wait` and `restart` was decided."""
    patience: float = 300.0
    done: tuple[Mapping[str, Any], ...] = ()
    """The last round that was more than waiting, in this run: what it did may take a while to show."""
    serial: int = 1
    """Workers that are upgraded at once."""


@dataclass(frozen=True)
class Step:
    host: str
    verb: str
    why: str
    gate: str = OPEN
    member: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        told = asdict(self)
        return {
            **{name: told[name] for name in ("host", "verb", "why", "gate", "member")},
            "with": dict(self.arguments),
        }


@dataclass(frozen=True)
class Decision:
    steps: tuple[Step, ...] = ()
    refusal: str = ""
    action: str = ""
    """What the refusal asks for: restore_needed, start_machine, upgrade, replace, remove, rotate, repair."""
    notes: tuple[str, ...] = ()

    @property
    def converged(self) -> bool:
        return not self.steps and not self.refusal

    def as_dict(self) -> dict[str, Any]:
        return {
            "converged": self.converged,
            "refusal": self.refusal,
            "action": self.action,
            "notes": list(self.notes),
            "steps": [step.as_dict() for step in self.steps],
        }


__all__ = ["JOIN", "OPEN", "REMOVE", "RESTART", "Decision", "Step", "Wanted"]
