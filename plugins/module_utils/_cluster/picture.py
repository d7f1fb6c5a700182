# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""All machines' states put together: one cluster, or why they are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from .gate import View
from .state import CONTROL_PLANE, FINISHED, MADE, Cluster, Etcd, Member, Node, State
from .steps import Wanted
from .versions import newest

OWN = CONTROL_PLANE[1:]
AUTHORITIES = frozenset({"ca", "etcd-ca", "front-proxy-ca"})
# Kept up by the kubelet itself, and made anew in another way than the rest.
KUBELETS = frozenset({"kubelet", "kubelet-server"})


@dataclass(frozen=True)
class Picture:
    states: Mapping[str, State]
    wanted: Wanted

    @cached_property
    def controls(self) -> dict[str, State]:
        """The control planes that were seen, those to be removed too, in the manifest's order."""
        listed = [name for name in self.wanted.control_planes if name in self.states]
        more = [name for name in self.wanted.remove if name in self.states and self.states[name].etcd.data]
        return {name: self.states[name] for name in [*listed, *more]}

    @cached_property
    def workers(self) -> dict[str, State]:
        return {name: self.states[name] for name in self.wanted.workers if name in self.states}

    @cached_property
    def unseen(self) -> list[str]:
        """Machines of the manifest that could not be asked, control planes first."""
        listed = [*self.wanted.control_planes, *self.wanted.workers]
        return [name for name in listed if name not in self.states]

    @cached_property
    def teller(self) -> State | None:
        """Whose member list counts: one that commits, that most agree with, and the furthest of those.

        An etcd that lost its data may have begun a cluster of its own, in which it is healthy all alone.
        """
        telling = [state for state in self.controls.values() if state.etcd.answers]
        agree = Counter(_ids(state) for state in telling)
        return max(
            telling, key=lambda s: (s.etcd.healthy, len(_ids(s)) > 1, agree[_ids(s)], s.etcd.index), default=None
        )

    def alone(self, state: State) -> bool:
        """Whether its etcd runs beside the cluster, with another list of members."""
        teller = self.teller
        return teller is not None and state.etcd.healthy and _ids(state) != _ids(teller)

    @cached_property
    def etcd(self) -> Etcd:
        return self.teller.etcd if self.teller else Etcd()

    @cached_property
    def view(self) -> View:
        members = tuple(replace(m, healthy=self._healthy(m)) for m in self.etcd.members)
        apis = {name: state.api.ready for name, state in self.controls.items()}
        return View(members, self.etcd.leader, apis)

    def _healthy(self, member: Member) -> bool:
        owner = self.owner(member)
        if owner in self.states:
            state = self.states[owner]
            return state.etcd.member == member.id and state.etcd.healthy and not self.alone(state)
        told = [
            m.healthy for s in self.controls.values() if s.etcd.healthy for m in s.etcd.members if m.id == member.id
        ]
        return bool(told) and all(told)

    def owner(self, member: Member) -> str:
        """The machine of the manifest that a member runs on, or ran on; by its address, since it may lack a name."""
        for name, state in self.controls.items():
            if member.address and member.address == state.address:
                return name
        for name, address in self.wanted.control_planes.items():
            if member.address == address or (member.name == name and not member.address):
                return name
        return member.name if member.name in self.wanted.remove else ""

    def member_of(self, name: str) -> Member | None:
        """The member that this machine's data belongs to."""
        state = self.states.get(name)
        mine = state.etcd.member if state else ""
        return next((member for member in self.view.members if mine and member.id == mine), None)

    @cached_property
    def is_up(self) -> bool:
        """etcd commits and at least one API server is ready."""
        return self.view.has_quorum and bool(self.api_hosts)

    @cached_property
    def api_hosts(self) -> list[str]:
        return [name for name, state in self.controls.items() if state.api.ready]

    @cached_property
    def cluster(self) -> Cluster:
        told = [self.states[name].cluster for name in self.api_hosts]
        return max(told, key=lambda cluster: (len(cluster.nodes), len(cluster.configs)), default=Cluster())

    @cached_property
    def nodes(self) -> dict[str, Node]:
        return {node.name: node for node in self.cluster.nodes}

    def joined_control(self, name: str) -> bool:
        """A voter, with a kubelet that belongs to the cluster."""
        member = self.member_of(name)
        return member is not None and not member.learner and bool(member.name) and has_kubelet(self.states[name])

    def joined_worker(self, name: str) -> bool:
        state = self.states[name]
        return has_kubelet(state) and state.authority == self.authority

    @cached_property
    def authority(self) -> str:
        """The CA of the cluster: of what works, else of what has data, else of most."""
        kinds = (
            [s for s in self.controls.values() if s.etcd.healthy and s.authority],
            [s for s in self.controls.values() if s.etcd.data and s.authority],
            [s for s in self.states.values() if s.authority],
        )
        telling = next((found for found in kinds if found), [])
        return Counter(state.authority for state in telling).most_common(1)[0][0] if telling else ""

    @cached_property
    def version(self) -> str:
        """The newest version that any control plane runs."""
        told = [
            s.manifests.get(part, "") for s in self.controls.values() if s.authority == self.authority for part in OWN
        ]
        return newest([*told, self.cluster.version])

    @cached_property
    def has_trace(self) -> bool:
        """Whether there ever was a cluster that came up: its data, a kubelet that belongs to it, a snapshot of it."""
        if any(state.etcd.answers for state in self.controls.values()):
            return True
        kept = {name: state for name, state in self.states.items() if name not in self.wanted.replace}
        data = any(state.etcd.data for state in kept.values())
        kubelets = any(state.kubelet_conf == FINISHED for state in kept.values())
        joined = any(state.kubelet_conf == MADE for name, state in kept.items() if name in self.workers)
        # Whoever gives all control planes away does not want the snapshot either.
        given = set(self.wanted.control_planes) <= set(self.wanted.replace)
        return data or kubelets or joined or (bool(self.wanted.snapshot) and not given)


def _ids(state: State) -> frozenset[str]:
    return frozenset(member.id for member in state.etcd.members)


def has_kubelet(state: State) -> bool:
    return state.kubelet_conf in (MADE, FINISHED) and state.kubelet_config


__all__ = ["AUTHORITIES", "KUBELETS", "OWN", "Picture", "has_kubelet"]
