# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What brings a damaged cluster back to the machines of the manifest."""

from __future__ import annotations

from collections.abc import Iterator

from .packages import absent, lacking
from .picture import AUTHORITIES, KUBELETS, OWN, Picture, has_kubelet
from .proposals import Problem, Proposal, gated, restarting, step
from .state import BOOTSTRAP, CONFIGS, CONTROL_PLANE, MADE, NONE, Member, State
from .steps import JOIN, REMOVE

DOWN = frozenset({"inactive", "failed"})
PHASES = {
    "kubeadm-config": ("upload-config all",),
    "kubelet-config": ("upload-config all",),
    "cluster-info": ("bootstrap-token",),
    "coredns": ("addon coredns",),
    "kube-proxy": ("addon kube-proxy",),
}


def revive(picture: Picture) -> Iterator[Proposal]:
    """What needs neither quorum nor API: daemons, files and certificates of machines that belong to the cluster."""
    for name, state in picture.states.items():
        if not _belongs(picture, name):
            continue
        gone = absent(state)
        stopped = [unit for unit in ("containerd", "kubelet") if state.units.get(unit) in DOWN]
        if gone:
            version = picture.version or picture.wanted.version
            why = f"{', '.join(gone)} is gone from a machine of the cluster"
            yield step(name, "install", why, names=gone, version=version)
        elif stopped:
            yield step(name, "restart", f"{', '.join(stopped)} does not run", units=stopped)
    for name in picture.controls:
        if _holds(picture, name):
            yield from _files(picture, name)
            yield from _ended(picture, name)


def _belongs(picture: Picture, name: str) -> bool:
    if name in picture.controls:
        return _holds(picture, name)
    return name in picture.workers and has_kubelet(picture.states[name])


def _holds(picture: Picture, name: str) -> bool:
    """A voter's machine; where etcd tells no members, any machine with data of this cluster."""
    state = picture.states[name]
    member = picture.member_of(name)
    if picture.etcd.members:
        return member is not None and not member.learner and bool(member.name)
    return state.etcd.data and state.authority in ("", picture.authority)


def _files(picture: Picture, name: str) -> Iterator[Proposal]:
    state = picture.states[name]
    missing = [part for part in CONTROL_PLANE if part not in state.manifests]
    missing += [] if state.admin_conf else ["admin.conf"]
    if missing and not state.authority_key:
        yield Problem(
            f"{name}: {', '.join(missing)} is missing, and so is the CA's key (/etc/kubernetes/pki/ca.key): copy "
            "/etc/kubernetes/pki/ca.* and etcd/ca.* from another control plane",
            "repair",
        )
    elif missing:
        gate, member = restarting(picture, name)
        # Without its manifest etcd is not running; beside a running one, writing the others stops nothing.
        gate, member = (gate, member) if "etcd" in missing else ("", "")
        wish = step(name, "rewrite_files", f"{', '.join(missing)} is missing", gate, member, names=missing)
        yield from gated(picture, wish) if gate else iter((wish,))
    elif not has_kubelet(state):
        yield step(name, "renew_kubelet", "the kubelet's own files are missing", on=name)


def _ended(picture: Picture, name: str) -> Iterator[Proposal]:
    state = picture.states[name]
    ended = [c.name for c in state.certificates if c.days <= 0 and c.name not in AUTHORITIES | KUBELETS]
    if ended and not state.authority_key:
        yield Problem(
            f"{name}: certificates have ended ({', '.join(ended)}) and the CA's key is not here to renew them: copy "
            "/etc/kubernetes/pki/ca.key and etcd/ca.key from another control plane",
            "repair",
        )
    elif ended:
        gate, member = restarting(picture, name)
        wish = step(
            name, "renew_certificates", f"certificates have ended: {', '.join(ended)}", gate, member, names=ended
        )
        yield from gated(picture, wish) if gate else iter((wish,))
    if _kubelet_ended(state):
        yield step(name, "renew_kubelet", "its kubelet's certificate has ended", on=name)


def _kubelet_ended(state: State) -> bool:
    return any(certificate.name == "kubelet" and certificate.days <= 0 for certificate in state.certificates)


def proposals(picture: Picture) -> Iterator[Proposal]:
    """With a quorum and an API: whoever is no proper member is taken out, cleaned and taken in again."""
    yield from _unfinished(picture)
    yield from _stale(picture)
    yield from _strangers(picture)
    yield from _clean(picture)
    yield from _workers(picture)
    yield from _prepare(picture)
    yield from _join(picture)
    yield from _marks(picture)


def _unfinished(picture: Picture) -> Iterator[Proposal]:
    wanted = {*CONFIGS, *picture.wanted.addons}
    missing = sorted(wanted - {*picture.cluster.configs, *picture.cluster.addons})
    made = [name for name in picture.api_hosts if picture.states[name].kubelet_conf == MADE]
    phases = sorted({phase for item in missing for phase in PHASES.get(item, ())})
    phases += ["kubelet-finalize all"] if made else []
    host = next(iter([*made, *(name for name in picture.api_hosts if picture.states[name].authority_key)]), "")
    if phases and host:
        why = f"the init was not finished: {', '.join(missing) or 'kubelet-finalize'} is missing"
        yield step(host, "finish_init", why, phases=phases)


def _stale(picture: Picture) -> Iterator[Proposal]:
    for member in picture.view.members:
        why = _why_stale(picture, member)
        if not why:
            continue
        key = member.id
        host = next((name for name in picture.api_hosts if picture.owner(member) != name), picture.api_hosts[0])
        arguments = {"id": member.id, "name": member.name, "address": member.address}
        yield from gated(picture, step(host, "remove_stale_member", why, REMOVE, key, **arguments))


def _why_stale(picture: Picture, member: Member) -> str:
    owner = picture.owner(member)
    label = member.name or member.address or member.id
    state = picture.states.get(owner)
    if not member.name:
        return f"the member for {label} was added and never started"
    if state is None:
        return f"{label} cannot be asked, and may be replaced" if owner in picture.wanted.replace else ""
    if owner in picture.wanted.replace and not member.healthy:
        return f"{owner} does not take part, and may be replaced"
    if state.etcd.member != member.id:
        return (
            f"{owner} has lost the data of its member" if not state.etcd.data else f"{owner}'s data is another member's"
        )
    return f"{owner} was never made a voting member: its join was interrupted" if member.learner else ""


def _outside(picture: Picture) -> Iterator[tuple[str, State]]:
    """Machines of the manifest that were seen and are in no proper way in the cluster; none that still is a member."""
    owners = {picture.owner(member) for member in picture.view.members}
    for name, state in picture.controls.items():
        if name in picture.wanted.control_planes and not picture.joined_control(name) and name not in owners:
            yield name, state
    for name, state in picture.workers.items():
        if not picture.joined_worker(name):
            yield name, state


def _foreign(picture: Picture, name: str, state: State) -> str:
    if name in picture.wanted.replace:
        return ""
    if state.authority and state.authority != picture.authority:
        return f"the CA {state.authority[:12]}, this cluster's is {picture.authority[:12]}"
    if state.etcd.data and state.etcd.cluster and picture.etcd.cluster not in ("", state.etcd.cluster):
        return f"data of the etcd cluster {state.etcd.cluster}, this one is {picture.etcd.cluster}"
    if state.etcd.data and not 0 < state.etcd.index <= picture.etcd.index:
        # A member that was taken out stays behind. What is further has seen what this cluster never did.
        found = f"at {state.etcd.index}" if state.etcd.index else "of unknown age"
        return f"etcd data {found}, this cluster is at {picture.etcd.index}"
    return ""


def _strangers(picture: Picture) -> Iterator[Proposal]:
    for name, state in _outside(picture):
        foreign = _foreign(picture, name, state)
        if foreign:
            yield Problem(
                f"{name} does not belong to this cluster: it has {foreign}. It is not touched; when nothing on it is "
                "to be kept, name it in `replace`",
                "replace",
            )
    for name, state in picture.controls.items():
        if _is_worker(picture, name, state):
            yield Problem(
                f"{name} is a control plane in the manifest and works as a worker: take it out with "
                "playbooks/scale.yml (`remove`) first, so that it is drained, then it can come back",
                "remove",
            )
    for name, state in picture.controls.items():
        if picture.alone(state):
            yield Problem(
                f"the etcd of {name} runs all alone (revision {state.etcd.revision}) beside the cluster (revision "
                f"{picture.etcd.revision}): it lost its data and began anew. When "
                "nothing written there is to be kept, name it in `replace`",
                "replace",
            )
    for member in picture.view.members:
        if member.name and not member.healthy and not picture.owner(member):
            yield Problem(
                f"{member.name} ({member.address}) is a member of etcd, does not answer and is not in the manifest: if "
                f"it is gone for good, take it out with playbooks/scale.yml (`remove`: {member.name})",
                "remove",
            )


def _is_worker(picture: Picture, name: str, state: State) -> bool:
    """A control plane whose join was interrupted has its static pods before its Node."""
    joined = name in picture.nodes and has_kubelet(state) and not state.manifests and not state.etcd.data
    return joined and not picture.nodes[name].control_plane and name not in picture.wanted.replace


def _clean(picture: Picture) -> Iterator[Proposal]:
    for name, state in _outside(picture):
        worker = name in picture.controls and _is_worker(picture, name, state)
        if state.leftovers and not worker and not _foreign(picture, name, state):
            yield step(name, "reset_leftovers", _why_half(name, state))


def _why_half(name: str, state: State) -> str:
    if state.etcd.data:
        return f"{name} is no member of etcd any more"
    if state.kubelet_conf in (NONE, BOOTSTRAP):
        return f"a join of {name} was interrupted before its kubelet had its certificate"
    return f"a join of {name} was interrupted"


def _workers(picture: Picture) -> Iterator[Proposal]:
    """Workers that joined and whose kubelet cannot get on without help."""
    for name, state in picture.workers.items():
        if picture.joined_worker(name) and _kubelet_ended(state):
            yield step(name, "renew_kubelet", "its kubelet's certificate has ended", on=picture.api_hosts[0])
        elif picture.joined_worker(name) and name not in picture.nodes and state.units.get("kubelet") == "active":
            # A kubelet registers itself when it starts, and not again when its Node is deleted behind it.
            why = f"{name} has joined, and the cluster has no Node of that name"
            yield step(name, "restart", why, units=["kubelet"])


def _ready_to_join(picture: Picture) -> Iterator[tuple[str, State]]:
    for name, state in _outside(picture):
        if not state.leftovers:
            yield name, state


def _prepare(picture: Picture) -> Iterator[Proposal]:
    for name, state in _ready_to_join(picture):
        missing = lacking(state, picture.version)
        if missing:
            why = f"{', '.join(missing)} {picture.version} is not installed"
            yield step(name, "install", why, names=missing, version=picture.version)
    old = [name for name, _state in _ready_to_join(picture) if name in picture.nodes]
    if old:
        why = f"{', '.join(old)} is to join anew, and an old Node has its name"
        yield step(picture.api_hosts[0], "delete_node", why, nodes=old)


def _join(picture: Picture) -> Iterator[Proposal]:
    if CONFIGS - {*picture.cluster.configs}:
        return
    versions = {s.manifests.get("kube-apiserver") for n, s in picture.controls.items() if picture.member_of(n)}
    for name, state in _ready_to_join(picture):
        if lacking(state, picture.version) or name in picture.nodes:
            continue
        if name in picture.wanted.control_planes:
            why = f"{name} is not in the control plane yet"
            yield from gated(picture, step(name, "join_control_plane", why, JOIN, name, version=picture.version))
        elif len(versions) == 1:
            # A kubelet may not be newer than the API server it talks to.
            yield step(name, "join_worker", f"{name} is not in the cluster yet", version=picture.version)


def _marks(picture: Picture) -> Iterator[Proposal]:
    for name in picture.controls:
        node = picture.nodes.get(name)
        if picture.joined_control(name) and node and not node.control_plane:
            yield step(name, "mark_control_plane", f"the Node {name} is not marked as a control plane")
        elif picture.joined_control(name) and not node:
            yield step(name, "restart", f"the cluster has no Node named {name}", units=["kubelet"])


__all__ = ["OWN", "proposals", "revive"]
