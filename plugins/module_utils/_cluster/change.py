# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What changes a cluster that works: certificates before they end, upgrades, machines taken out."""

from __future__ import annotations

from collections.abc import Iterator

from .gate import closed
from .picture import AUTHORITIES, KUBELETS, OWN, Picture
from .proposals import Problem, Proposal, gated, step, waiting
from .state import Node, State
from .steps import REMOVE, RESTART, Step
from .versions import newest, number, plain, skipped

# Until a network plugin is installed every node says this. It is the next role's work, and nothing to wait for.
NETWORK = ("NetworkPluginNotReady", "cni plugin not initialized", "network plugin is not ready")


def proposals(picture: Picture) -> Iterator[Proposal]:
    yield from _alarms(picture)
    unsettled = list(_unsettled(picture))
    yield from _remove(picture)
    if not unsettled:
        yield from _renew(picture)
    yield from _upgrade(picture, {wait.host for wait in unsettled})
    yield from unsettled
    yield from _unseen(picture)


def _alarms(picture: Picture) -> Iterator[Proposal]:
    for alarm in sorted({alarm for state in picture.controls.values() for alarm in state.etcd.alarms}):
        help_ = "compact and defragment it, then `etcdctl alarm disarm`"
        if alarm.startswith("CORRUPT"):
            help_ = "name the machine whose data differs in `replace`, after saving a snapshot"
        yield Problem(f"etcd raises the alarm {alarm}: {help_}; nothing else is done before", "repair")


def _unsettled(picture: Picture) -> Iterator[Step]:
    """What is about to be well by itself, or not: nothing that works is touched meanwhile."""
    for name, state in picture.controls.items():
        if not picture.joined_control(name):
            continue
        if not state.etcd.healthy:
            yield waiting(name, state, "its etcd does not take part yet")
        elif not state.api.ready:
            yield waiting(name, state, "its API server is not ready")
        elif not _ready(picture.nodes.get(name)):
            yield waiting(name, state, _not_ready(picture.nodes.get(name)))
    for name, state in picture.workers.items():
        if picture.joined_worker(name) and not _ready(picture.nodes.get(name)):
            yield waiting(name, state, _not_ready(picture.nodes.get(name)))


def _ready(node: Node | None) -> bool:
    return node is not None and (node.ready or any(word in node.reason for word in NETWORK))


def _not_ready(node: Node | None) -> str:
    if node is None:
        return "it has no Node yet"
    return f"its Node is not ready: {node.reason}" if node.reason else "its Node is not ready"


def _remove(picture: Picture) -> Iterator[Proposal]:
    for name in picture.wanted.remove:
        member = next((m for m in picture.view.members if name == (picture.owner(m) or m.name)), None)
        if member is not None and name in picture.states and member.healthy:
            wish = step(name, "remove_control_plane", f"{name} is to be taken out", REMOVE, member.id, id=member.id)
            yield from gated(picture, wish)
        elif member is not None:
            host = next((n for n in picture.api_hosts if n != name), "")
            arguments = {"id": member.id, "name": member.name, "address": member.address}
            why = f"{name} is to be taken out and does not take part any more"
            if host:
                yield from gated(picture, step(host, "remove_stale_member", why, REMOVE, member.id, **arguments))
        elif name in picture.nodes and name in picture.states and picture.states[name].kubelet_conf:
            host = next((n for n in picture.api_hosts if n != name), "")
            if host:
                yield step(name, "remove_worker", f"{name} is to be taken out", on=host)
        elif name in picture.nodes:
            yield step(picture.api_hosts[0], "delete_node", f"{name} is gone, and its Node is left", nodes=[name])


def _renew(picture: Picture) -> Iterator[Proposal]:
    limit = picture.wanted.renew_before
    for name, state in picture.controls.items():
        ending = [c for c in state.certificates if 0 < c.days < limit and c.name not in AUTHORITIES | KUBELETS]
        if ending and picture.joined_control(name):
            soonest = min(ending, key=lambda certificate: certificate.days)
            why = f"{soonest.name} ends in {soonest.days:.0f} days"
            said = [certificate.name for certificate in ending]
            yield from gated(picture, step(name, "renew_certificates", why, RESTART, name, names=said))


def _upgrade(picture: Picture, unsettled: set[str]) -> Iterator[Proposal]:
    wanted, running = picture.wanted.version, picture.version
    target = running
    if not number(running)[0]:
        return
    if number(wanted) < number(running):
        yield Problem(
            f"the cluster runs {running} and the manifest wants {wanted}: there is no way back to an older version. "
            f"Set `kubernetes.version` to {running}"
            + (", an upgrade to it has begun" if _mixed(picture, running) else ""),
            "upgrade",
        )
        return
    if number(wanted) > number(running):
        begun = any(plain(s.packages.get("kubelet", "")) == wanted for s in _members(picture).values())
        gap = skipped(running, wanted)
        if gap:
            yield Problem(
                f"the cluster runs {running} and the manifest wants {wanted}: one minor at a time; set "
                f"`kubernetes.version` to the newest {gap} first",
                "upgrade",
            )
        elif picture.wanted.upgrade or begun:
            # An upgrade that was interrupted is finished before the next one begins.
            target = running if _mixed(picture, running) and not begun else wanted
        else:
            yield Problem(
                f"the cluster runs {running} and the manifest wants {wanted}: run playbooks/upgrade.yml", "upgrade"
            )
    yield from _to(picture, target, unsettled)


def _members(picture: Picture) -> dict[str, State]:
    return {name: state for name, state in picture.controls.items() if picture.joined_control(name)}


def _mixed(picture: Picture, version: str) -> bool:
    workers = [name for name in picture.workers if picture.joined_worker(name)]
    behind = any(not _control_is_at(picture, name, version) for name in _members(picture))
    return behind or any(not _worker_is_at(picture, name, version) for name in workers)


def _control_is_at(picture: Picture, name: str, version: str) -> bool:
    state = picture.states[name]
    parts = all(plain(state.manifests.get(part, "")) == plain(version) for part in OWN)
    return parts and _worker_is_at(picture, name, version)


def _worker_is_at(picture: Picture, name: str, version: str) -> bool:
    state, node = picture.states[name], picture.nodes.get(name)
    kubelet = plain(node.version) if node and node.version else plain(state.packages.get("kubelet", ""))
    return plain(state.packages.get("kubelet", "")) == plain(version) == kubelet


def _to(picture: Picture, target: str, unsettled: set[str]) -> Iterator[Proposal]:
    """Control planes one by one, then workers. Machines that are being upgraded come before those that are not."""
    behind = [name for name in _members(picture) if not _control_is_at(picture, name, target)]
    if behind:
        name = max(behind, key=lambda name: (_begun(picture, name, target), closed(picture.view, RESTART, name) == ""))
        others = sorted(unsettled - {name})
        if others or name not in picture.nodes:
            return
        first = plain(picture.cluster.version) != plain(target)
        verb = "upgrade_first" if first else "upgrade_control_plane"
        runs = newest(picture.states[name].manifests.get(part, "") for part in OWN[:1])
        why = f"{name} is at {runs}, the cluster goes to {target}"
        yield from gated(picture, step(name, verb, why, RESTART, name, version=target))
        return
    workers = [name for name in picture.workers if picture.joined_worker(name)]
    late = [name for name in workers if not _worker_is_at(picture, name, target)]
    if unsettled - {*late}:
        return
    for name in sorted(late, key=lambda name: name not in unsettled)[: picture.wanted.serial]:
        why = f"its kubelet is not at {target}"
        yield step(name, "upgrade_worker", why, version=target)


def _begun(picture: Picture, name: str, target: str) -> int:
    state = picture.states[name]
    told = [
        *(state.manifests.get(part, "") for part in OWN),
        *(state.packages.get(p, "") for p in ("kubeadm", "kubelet")),
    ]
    return sum(plain(version) == plain(target) for version in told)


def _unseen(picture: Picture) -> Iterator[Proposal]:
    gone = [name for name in picture.unseen if name not in picture.wanted.remove]
    if gone:
        waits = [name for name in gone if name in picture.wanted.replace]
        said = "is to be replaced and cannot be asked yet" if waits == gone else "cannot be asked"
        yield Problem(
            f"{', '.join(gone)} {said}: start it; if it is gone for good, make the machine anew and name it in "
            "`replace`, or take it out with playbooks/scale.yml",
            "start_machine",
        )


__all__ = ["proposals"]
