# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines with kubeadm and etcd on them, in memory, as harsh as the real ones.

Every act is a row of small steps and may be killed between any two. After each of them the world itself checks that no
act took etcd its quorum, wiped the last copy of its data, or went back a version: `Broken` says which one did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

NEW, OLD = "1.36.3", "1.35.4"
PARTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
CA, OTHER_CA = "a" * 64, "b" * 64


class Broken(AssertionError):
    """An act did what must never happen."""


class Failed(Exception):
    """An act ended without success, and did nothing more."""


@dataclass
class Data:
    member: str
    cluster: str
    index: int


@dataclass
class Machine:
    name: str
    address: str
    control: bool
    alive: bool = True
    packages: str = ""
    containerd: str = ""
    kubelet: str = ""
    ca: str = ""
    key: bool = False
    admin: bool = False
    kubelet_conf: str = ""
    config: bool = False
    manifests: dict[str, str] = field(default_factory=dict)
    data: Data | None = None
    days: float = 365
    kubelet_days: float = 365
    stuck: bool = False
    """etcd cannot run on what is in its folder."""
    alone: bool = False
    """etcd began anew in an empty folder, beside the others."""
    paused: bool = False
    """An act has stopped etcd for a moment."""

    @property
    def leftovers(self) -> list[str]:
        found = [part for part in PARTS if part in self.manifests]
        found += ["pki"] if self.ca else []
        found += ["kubelet.conf"] if self.kubelet_conf else []
        return found + (["etcd"] if self.data else [])


@dataclass
class Member:
    id: str
    name: str
    address: str
    learner: bool = False


@dataclass
class Node:
    version: str
    control: bool = False
    schedulable: bool = True


class World:
    def __init__(self, controls: int = 3, workers: int = 2, version: str = NEW) -> None:
        names = [*(f"c{n}" for n in range(1, controls + 1)), *(f"w{n}" for n in range(1, workers + 1))]
        self.machines = {n: Machine(n, f"10.0.0.{i}", n[0] == "c") for i, n in enumerate(names, 1)}
        self.members: dict[str, Member] = {}
        self.cluster = ""
        self.index = 0
        self.leader = ""
        self.configs: set[str] = set()
        self.addons: set[str] = set()
        self.nodes: dict[str, Node] = {}
        self.version = ""
        self.replace: set[str] = set()
        self.numbers = 0
        self.acts: list[str] = []
        for machine in self.machines.values():
            self.packaged(machine, version)

    @classmethod
    def healthy(cls, controls: int = 3, workers: int = 2, version: str = NEW) -> World:
        """Built by its own acts, so that they are right at least where nothing goes wrong."""
        world = cls(controls, workers, version)
        world.act("c1", "init", version=version)
        for machine in list(world.machines.values())[1:]:
            world.act(machine.name, "join_control_plane" if machine.control else "join_worker")
        world.acts.clear()
        return world

    # What is so

    def packaged(self, machine: Machine, version: str) -> None:
        machine.packages, machine.containerd = version, machine.containerd or "active"
        machine.kubelet = machine.kubelet or ("active" if machine.config else "activating")

    def fresh(self) -> int:
        """A number that nothing had before."""
        self.numbers += 1
        return self.numbers

    @property
    def controls(self) -> list[Machine]:
        return [machine for machine in self.machines.values() if machine.control]

    def pods(self, machine: Machine) -> bool:
        return machine.alive and machine.containerd == "active" and machine.kubelet == "active" and machine.config

    def runs(self, machine: Machine) -> bool:
        """Whether this machine's etcd takes part."""
        data = machine.data
        return (
            self.pods(machine)
            and "etcd" in machine.manifests
            and data is not None
            and data.member in self.members
            and data.cluster == self.cluster
            and machine.days > 0
            and not (machine.stuck or machine.alone or machine.paused)
        )

    def running(self) -> set[str]:
        return {m.data.member for m in self.controls if m.data and self.runs(m)}

    def voters(self) -> list[str]:
        return [member.id for member in self.members.values() if not member.learner]

    def quorum(self, without: str = "") -> bool:
        voters = self.voters()
        up = [voter for voter in voters if voter in self.running() and voter != without]
        return bool(voters) and len(up) > len(voters) // 2

    def api(self, machine: Machine) -> bool:
        parts = self.runs(machine) and "kube-apiserver" in machine.manifests
        return parts and self.quorum() and not self.members[machine.data.member].learner  # type: ignore[union-attr]

    def up(self) -> bool:
        return any(self.api(machine) for machine in self.controls)

    def ready(self, machine: Machine) -> bool:
        return self.pods(machine) and machine.ca == CA and bool(machine.kubelet_conf) and machine.kubelet_days > 0

    def is_well(self, version: str) -> str:
        """What is not as wanted, or nothing: judged by the world, not by what it shows."""
        for machine in self.machines.values():
            node = self.nodes.get(machine.name)
            if node is None or not self.ready(machine) or node.version != version or machine.packages != version:
                return f"{machine.name} is no ready node of {version}: {node} {machine}"
            if machine.control and not (self.api(machine) and node.control and machine.days > 30):
                return f"{machine.name} is no whole control plane: {machine}"
            if machine.control and {machine.manifests.get(part) for part in PARTS[1:]} != {version}:
                return f"{machine.name} runs {machine.manifests}"
        owners = sorted(member.name for member in self.members.values() if not member.learner)
        if owners != [machine.name for machine in self.controls] or len(self.members) != len(owners):
            return f"etcd's members are {self.members}"
        whole = self.configs >= {"kubeadm-config", "kubelet-config", "cluster-info"} and len(self.addons) == 2
        return "" if whole else f"{self.configs} {self.addons}"

    # What is shown

    def observe(self) -> dict[str, Any]:
        return {machine.name: self.show(machine) for machine in self.machines.values() if machine.alive}

    def show(self, machine: Machine) -> dict[str, Any]:
        names = ("ca", "apiserver", "etcd-server") if machine.control and machine.key else ()
        certificates = [{"name": n, "days": 3000 if n == "ca" else machine.days} for n in names]
        if machine.kubelet_conf in ("made", "finished"):
            certificates.append({"name": "kubelet", "days": machine.kubelet_days})
        version = machine.packages
        return {
            "name": machine.name,
            "address": machine.address,
            "packages": dict.fromkeys(("kubeadm", "kubelet", "kubectl"), version)
            | {"containerd": "2.3.7" if machine.containerd else ""},
            "units": {"containerd": machine.containerd, "kubelet": machine.kubelet},
            "admin_conf": machine.admin,
            "kubelet_conf": machine.kubelet_conf,
            "kubelet_config": machine.config,
            "leftovers": machine.leftovers,
            "manifests": dict(machine.manifests),
            "authority": machine.ca,
            "authority_key": machine.key,
            "certificates": certificates,
            "etcd": self.show_etcd(machine),
            "api": {"ready": self.api(machine), "version": machine.manifests.get("kube-apiserver", "")},
            "cluster": self.show_cluster() if self.api(machine) and machine.admin else {},
        }

    def show_etcd(self, machine: Machine) -> dict[str, Any]:
        data = machine.data
        if data is None:
            return {"data": False}
        told: dict[str, Any] = {"data": True, "member": data.member, "cluster": data.cluster, "index": data.index}
        if machine.alone and self.pods(machine):
            me = {"id": data.member, "name": machine.name, "address": machine.address, "healthy": True}
            return told | {"answers": True, "healthy": True, "leader": data.member, "members": [me]}
        if not self.runs(machine):
            return told | {"reason": "connection refused"}
        up = self.running()
        members = [
            {
                "id": m.id,
                "name": m.name,
                "address": m.address,
                "learner": m.learner,
                "healthy": self.quorum() and m.id in up,
            }
            for m in self.members.values()
        ]
        learner = self.members[data.member].learner
        healthy = self.quorum() and not learner
        return told | {"answers": True, "healthy": healthy, "leader": self.lead(), "members": members}

    def lead(self) -> str:
        if not self.quorum():
            return ""
        able = [voter for voter in self.voters() if voter in self.running()]
        if self.leader not in able:
            self.leader = able[0]
        return self.leader

    def show_cluster(self) -> dict[str, Any]:
        nodes = [
            {
                "name": name,
                "ready": name in self.machines and self.ready(self.machines[name]),
                "version": node.version,
                "control_plane": node.control,
                "schedulable": node.schedulable,
            }
            for name, node in self.nodes.items()
        ]
        return {"version": self.version, "configs": sorted(self.configs), "addons": sorted(self.addons), "nodes": nodes}

    # What happens by itself

    def tick(self) -> None:
        """Time goes by: what was only stopped for a moment is back, and kubelets register themselves."""
        for machine in self.machines.values():
            machine.paused = False
            if machine.kubelet_conf == "bootstrap" and self.pods(machine) and self.up():
                machine.kubelet_conf = "finished"
        self.grow()

    def grow(self) -> None:
        if self.quorum():
            self.index += 1
            for machine in self.controls:
                if machine.data and self.runs(machine):
                    machine.data.index = self.index

    # What is done

    def act(self, host: str, verb: str, kill: int | None = None, **arguments: Any) -> bool:
        """Whether it went through. `kill`: so many of its small steps are done and no more."""
        self.acts.append(f"{verb} on {host} {arguments or ''}" + (f" killed at {kill}" if kill is not None else ""))
        machine = self.machines[host]
        if not machine.alive:
            raise Broken(f"{verb} on {host}, which is not there")
        try:
            for number, _unused in enumerate(self.watched(getattr(self, f"do_{verb}")(machine, **arguments))):
                if number == kill:
                    return False
        except Failed:
            return False
        finally:
            machine.paused = False
        self.grow()
        return True

    def watched(self, steps: Iterator[None]) -> Iterator[None]:
        had, few = self.quorum(), len(self.voters()) < 3
        seen = {machine.name: dict(machine.manifests) for machine in self.controls}
        while True:
            done = next(steps, steps)
            if had and not few and not self.quorum():
                raise Broken(f"{self.acts[-1]}: etcd lost its quorum")
            for machine in self.controls:
                for part, version in machine.manifests.items():
                    if version < seen[machine.name].get(part, version):
                        raise Broken(f"{self.acts[-1]}: {part} went back to {version}")
            if done is steps:
                return
            yield

    def wipe(self, machine: Machine) -> None:
        """`kubeadm reset`: everything goes."""
        data = machine.data
        if data and machine.name not in self.replace:
            if data.cluster == self.cluster and data.member in self.members:
                raise Broken(f"{self.acts[-1]}: {machine.name} is still a member of etcd")
            if not self.quorum() or data.index > self.index:
                raise Broken(f"{self.acts[-1]}: the last copy of etcd's data was on {machine.name}")
        if machine.ca == OTHER_CA and machine.name not in self.replace:
            raise Broken(f"{self.acts[-1]}: {machine.name} belonged to somebody else")
        machine.manifests, machine.data, machine.stuck, machine.alone = {}, None, False, False

    def need(self, what: bool, why: str) -> None:
        if not what:
            raise Broken(f"{self.acts[-1]} cannot work: {why}")

    def do_install(self, machine: Machine, names: list[str], version: str) -> Iterator[None]:
        yield
        self.packaged(machine, version)

    def do_restart(self, machine: Machine, units: list[str]) -> Iterator[None]:
        yield
        for unit in units:
            setattr(machine, unit, "active" if unit == "containerd" or machine.config else "activating")
        if machine.kubelet == "active" and machine.kubelet_conf == "finished" and self.up() and machine.ca == CA:
            self.nodes.setdefault(machine.name, Node(machine.packages))

    def do_wait(self, machine: Machine) -> Iterator[None]:
        yield
        self.tick()

    def do_init(self, machine: Machine, version: str, resume: bool = False) -> Iterator[None]:
        self.need(machine.packages == version, "kubeadm is not of this version")
        self.need(resume or not machine.leftovers, f"preflight finds {machine.leftovers}")
        if self.cluster and any(m.data and m.data.cluster == self.cluster for m in self.controls if m is not machine):
            raise Broken("init beside a cluster that exists")
        if self.index > 50 and machine.name not in self.replace:
            raise Broken("init where data was lost")
        yield
        machine.ca, machine.key = machine.ca or CA, True
        yield
        machine.admin, machine.kubelet_conf = True, machine.kubelet_conf or "made"
        yield
        machine.manifests.setdefault("etcd", version)
        yield
        for part in PARTS[1:]:
            machine.manifests.setdefault(part, version)
        yield
        machine.config, machine.kubelet = True, "active"
        yield
        if machine.data is None:
            self.cluster, self.members, self.index = f"k{self.fresh()}", {}, 1
            member = f"e{self.fresh()}"
            self.members[member] = Member(member, machine.name, machine.address)
            machine.data = Data(member, self.cluster, 1)
            self.nodes, self.configs, self.addons = {}, set(), set()
        yield
        self.need(self.api(machine), "the API does not come up")
        self.nodes.setdefault(machine.name, Node(version))
        yield
        self.version = self.version or version
        self.configs |= {"kubeadm-config"}
        yield
        self.configs |= {"kubelet-config"}
        yield
        self.nodes[machine.name].control = True
        yield
        self.configs |= {"cluster-info"}
        yield
        machine.kubelet_conf = "finished"
        yield
        self.addons |= {"coredns"}
        yield
        self.addons |= {"kube-proxy"}

    def do_finish_init(self, machine: Machine, phases: list[str]) -> Iterator[None]:
        self.need(self.api(machine), "no API here")
        for phase in phases:
            yield
            if phase == "upload-config all":
                self.version = self.version or machine.manifests["kube-apiserver"]
                self.configs |= {"kubeadm-config", "kubelet-config"}
            elif phase == "bootstrap-token":
                self.configs |= {"cluster-info"}
            elif phase == "kubelet-finalize all":
                machine.kubelet_conf = "finished"
            else:
                self.addons |= {phase.split()[1]}

    def joinable(self, machine: Machine) -> None:
        self.need(self.up(), "no API")
        self.need(not machine.leftovers, f"preflight finds {machine.leftovers}")
        self.need(machine.name not in self.nodes, "a Node has its name")
        self.need(self.configs >= {"kubeadm-config", "kubelet-config", "cluster-info"}, "there is no configuration")
        self.need(machine.packages <= self.version, f"kubelet {machine.packages} is newer than {self.version}")

    def do_join_control_plane(self, machine: Machine, version: str = "") -> Iterator[None]:
        self.joinable(machine)
        self.need(all(v in self.running() for v in self.voters()), "a member more while one is away")
        version = self.version
        yield
        machine.ca, machine.key = CA, True
        yield
        machine.admin = True
        yield
        machine.manifests |= dict.fromkeys(PARTS[1:], version)
        yield
        machine.kubelet_conf = "bootstrap"
        yield
        machine.config, machine.kubelet = True, "active"
        yield
        machine.kubelet_conf, machine.kubelet_days = "finished", 365
        self.nodes[machine.name] = Node(machine.packages)
        yield
        if any(other.learner for other in self.members.values()):
            raise Failed("etcd takes one learner at a time")
        member = f"e{self.fresh()}"
        self.members[member] = Member(member, "", machine.address, learner=True)
        yield
        machine.manifests["etcd"] = version
        machine.data, machine.days = Data(member, self.cluster, 0), 365
        self.members[member].name = machine.name
        yield
        self.members[member].learner = False
        self.grow()
        yield
        self.nodes[machine.name].control = True

    def do_join_worker(self, machine: Machine, version: str = "") -> Iterator[None]:
        self.joinable(machine)
        servers = [m.manifests["kube-apiserver"] for m in self.controls if self.api(m)]
        self.need(machine.packages <= min(servers), f"kubelet {machine.packages} is newer than {min(servers)}")
        yield
        machine.ca = CA
        yield
        machine.kubelet_conf = "bootstrap"
        yield
        machine.config, machine.kubelet = True, "active"
        yield
        machine.kubelet_conf, machine.kubelet_days = "finished", 365
        yield
        self.nodes[machine.name] = Node(machine.packages)

    def do_reset_leftovers(self, machine: Machine) -> Iterator[None]:
        yield
        self.wipe(machine)
        yield
        machine.config, machine.kubelet = False, "activating"
        yield
        machine.ca, machine.key, machine.admin, machine.kubelet_conf = "", False, False, ""

    def do_remove_stale_member(self, machine: Machine, id: str, name: str, address: str) -> Iterator[None]:
        self.need(self.runs(machine) and self.quorum(), "no etcd here to ask")
        self.need(id in self.members, f"{id} is no member")
        owner = next((m for m in self.controls if m.data and m.data.member == id), None)
        if owner and self.runs(owner) and not self.members[id].learner and owner.name not in self.replace:
            raise Broken(f"{self.acts[-1]}: it is a healthy member")
        yield
        del self.members[id]
        yield

    def do_delete_node(self, machine: Machine, nodes: list[str]) -> Iterator[None]:
        self.need(self.api(machine), "no API here")
        yield
        for node in nodes:
            self.nodes.pop(node, None)

    def do_move_leader(self, machine: Machine, to: str, name: str) -> Iterator[None]:
        self.need(machine.data is not None and machine.data.member == self.lead(), "only the leader hands over")
        self.need(to in self.running(), "the heir does not run")
        yield
        self.leader = to

    def away_for_a_moment(self, machine: Machine) -> Iterator[None]:
        if machine.data and self.lead() == machine.data.member and len(self.voters()) > 2:
            raise Broken(f"{self.acts[-1]}: {machine.name} leads etcd")
        machine.paused = True
        yield
        machine.paused = False
        yield

    def do_renew_certificates(self, machine: Machine, names: list[str]) -> Iterator[None]:
        self.need(machine.key, "the CA's key is not here")
        yield
        yield from self.away_for_a_moment(machine)
        machine.days = 365

    def do_renew_kubelet(self, machine: Machine, on: str) -> Iterator[None]:
        self.need(self.machines[on].key, "the CA's key is not there")
        yield
        machine.kubelet_days, machine.kubelet_conf, machine.config = 365, "finished", True
        machine.ca = machine.ca or CA
        machine.kubelet = "active"

    def do_rewrite_files(self, machine: Machine, names: list[str]) -> Iterator[None]:
        self.need(machine.key, "the CA's key is not here")
        for name in names:
            yield
            if name == "admin.conf":
                machine.admin = True
            else:
                machine.manifests[name] = machine.packages

    def do_mark_control_plane(self, machine: Machine) -> Iterator[None]:
        yield
        self.nodes[machine.name].control = True

    def do_upgrade_first(self, machine: Machine, version: str) -> Iterator[None]:
        yield from self.upgraded(machine, version, first=True)

    def do_upgrade_control_plane(self, machine: Machine, version: str) -> Iterator[None]:
        self.need(self.version == version, "kubeadm upgrade apply was not done yet")
        yield from self.upgraded(machine, version, first=False)

    def upgraded(self, machine: Machine, version: str, first: bool) -> Iterator[None]:
        self.need(self.up(), "no API")
        yield
        machine.packages = version
        yield
        self.nodes[machine.name].schedulable = False
        yield
        yield from self.away_for_a_moment(machine)
        for part in PARTS:
            machine.manifests[part] = version
            yield
        if first:
            self.version = version
        yield
        self.nodes[machine.name].version = version
        yield
        self.nodes[machine.name].schedulable = True

    def do_upgrade_worker(self, machine: Machine, version: str) -> Iterator[None]:
        behind = [m.name for m in self.controls if self.runs(m) and m.manifests.get("kube-apiserver") != version]
        self.need(not behind, f"{behind} would be older than its kubelet")
        yield
        self.nodes[machine.name].schedulable = False
        yield
        machine.packages = version
        yield
        self.nodes[machine.name].version = version
        yield
        self.nodes[machine.name].schedulable = True

    def do_remove_control_plane(self, machine: Machine, id: str) -> Iterator[None]:
        if self.lead() == id and len(self.voters()) > 1:
            raise Broken(f"{self.acts[-1]}: {machine.name} leads etcd")
        yield
        self.nodes[machine.name].schedulable = False
        yield
        del self.members[id]
        yield
        yield from self.do_reset_leftovers(machine)
        yield
        self.nodes.pop(machine.name, None)

    def do_remove_worker(self, machine: Machine, on: str) -> Iterator[None]:
        self.need(self.api(self.machines[on]), "no API there")
        yield
        yield from self.do_reset_leftovers(machine)
        yield
        self.nodes.pop(machine.name, None)


Damage = Callable[[World], None]
