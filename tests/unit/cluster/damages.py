# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged clusters by name, each with how it has to end: `healthy`, or the word for what only people can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .model import CA, NEW, OLD, OTHER_CA, PARTS, Data, Member, World

HEALTHY = "healthy"


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[], World]
    ends: str = HEALTHY
    wanted: dict[str, Any] = field(default_factory=dict)


def killed(
    name: str,
    make: Callable[[], World],
    host: str,
    verb: str,
    steps: int,
    wanted: dict[str, Any] | None = None,
    **arguments: Any,
) -> Iterator[Case]:
    """One case for each place at which the act can die."""
    for number in range(steps):

        def world(number: int = number) -> World:
            made = make()
            gone_through = made.act(host, verb, kill=number, **arguments)
            assert not gone_through, f"{verb} has no step {number}"
            made.tick()
            return made

        yield Case(f"{name} killed after step {number}", world, wanted=wanted or {})


def after(change: Callable[[World], None], **shape: Any) -> Callable[[], World]:
    def world() -> World:
        made = World.healthy(**shape)
        for _unused in range(60):
            made.grow()
        change(made)
        return made

    return world


def one() -> World:
    """The first control plane alone, the others only installed."""
    world = World()
    world.act("c1", "init", version=NEW)
    return world


def two() -> World:
    world = one()
    world.act("c2", "join_control_plane")
    return world


def lacks(name: str) -> Callable[[], World]:
    """All but one machine have joined."""

    def world() -> World:
        made = World()
        made.act("c1", "init", version=NEW)
        for machine in made.machines.values():
            if machine.name not in ("c1", name):
                made.act(machine.name, "join_control_plane" if machine.control else "join_worker")
        return made

    return world


def leave(world: World, name: str) -> None:
    """Give etcd's leadership to another machine than this one."""
    others = [machine.data.member for machine in world.controls if machine.data and machine.name != name]
    world.leader = next(iter(others), world.leader)


def upgrading(*done: str) -> Callable[[], World]:
    def world() -> World:
        made = World.healthy(version=OLD)
        for name in done:
            leave(made, name)
            verb = "upgrade_first" if name == "c1" else f"upgrade_{'control_plane' if name[0] == 'c' else 'worker'}"
            made.act(name, verb, version=NEW)
        if not done:
            leave(made, "c1")
        if done == ("c1",):
            leave(made, "c2")
        return made

    return world


def put(*names: str, **values: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        for name in names:
            for key, value in values.items():
                setattr(world.machines[name], key, value)

    return change


def untouched(_world: World) -> None:
    """Nothing is wrong."""


def lose_data(*names: str) -> Callable[[World], None]:
    return put(*names, data=None)


def rebuilt(*names: str) -> Callable[[World], None]:
    """A new empty machine of the same name and address; packages may be there or not."""

    def change(world: World) -> None:
        for name in names:
            old = world.machines[name]
            world.machines[name] = type(old)(name, old.address, old.control)

    return change


def both(*changes: Callable[[World], None]) -> Callable[[World], None]:
    def change(world: World) -> None:
        for each in changes:
            each(world)

    return change


def without(*parts: str, on: str) -> Callable[[World], None]:
    def change(world: World) -> None:
        for part in parts:
            del world.machines[on].manifests[part]

    return change


def began_alone(name: str) -> Callable[[World], None]:
    """Its folder was emptied, and a member made by `init` bootstraps again, with the same ids."""

    def change(world: World) -> None:
        old = world.machines[name].data
        assert old
        world.machines[name].data = Data(old.member, old.cluster, 3)
        world.machines[name].alone = True

    return change


def unlisted(member: Member) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.members[member.id] = member

    return change


def forget(name: str) -> Callable[[World], None]:
    """Somebody removed the member by hand."""

    def change(world: World) -> None:
        data = world.machines[name].data
        assert data
        del world.members[data.member]

    return change


def of_unknown_age(name: str) -> Callable[[World], None]:
    """Its log cannot be read."""

    def change(world: World) -> None:
        data = world.machines[name].data
        assert data
        data.index = 0

    return change


def foreign(name: str) -> Callable[[World], None]:
    return both(
        rebuilt(name),
        put(
            name, ca=OTHER_CA, kubelet_conf="finished", config=True, kubelet="active", packages=NEW, containerd="active"
        ),
    )


def no_node(name: str) -> Callable[[World], None]:
    return lambda world: world.nodes.pop(name) and None


def no_configs(*names: str) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.configs -= {*names}
        world.addons -= {*names}

    return change


def deaf(world: World) -> None:
    world.machines["c1"].alive = False


def _lacks_and_away(lacking: str, away: str) -> World:
    world = lacks(lacking)()
    world.machines[away].alive = False
    return world


def _upgrading_with(change: Callable[[World], None]) -> World:
    world = upgrading("c1")()
    change(world)
    return world


def _single_without_node() -> World:
    world = World.healthy(1, 1, OLD)
    del world.nodes["c1"]
    return world


def _dead_before() -> World:
    world = World()
    world.machines["c2"].alive = False
    return world


def _upgrading_without(name: str, what: str) -> World:
    world = upgrading("c1")()
    setattr(world.machines[name], what, False if what == "alive" else None)
    return world


CASES: list[Case] = [
    Case("nothing yet", World),
    Case("not even packages", lambda: World(version="")),
    Case("one machine of each kind, nothing yet", lambda: World(1, 1)),
    *killed("init", World, "c1", "init", 14, version=NEW),
    *killed("init of a single control plane", lambda: World(1, 0), "c1", "init", 14, version=NEW),
    *killed("join of the second control plane", one, "c2", "join_control_plane", 10),
    *killed("join of the third control plane", two, "c3", "join_control_plane", 10),
    *killed("join of a control plane beside four machines", lacks("c2"), "c2", "join_control_plane", 10),
    *killed("join of a worker", one, "w1", "join_worker", 5),
    *killed("upgrade of the first", upgrading(), "c1", "upgrade_first", 11, {"upgrade": True}, version=NEW),
    *killed("upgrade of the second", upgrading("c1"), "c2", "upgrade_control_plane", 11, version=NEW),
    *killed("upgrade of a worker", upgrading("c1", "c2", "c3"), "w1", "upgrade_worker", 4, version=NEW),
    *killed("renewal", after(put("c2", days=5)), "c2", "renew_certificates", 3, names=[]),
    *killed("reset of a rebuilt machine", after(forget("c3")), "c3", "reset_leftovers", 3),
    *killed(
        "removal of a control plane",
        after(lambda world: leave(world, "c3")),
        "c3",
        "remove_control_plane",
        7,
        {"remove": ["c3"]},
        id="e4",
    ),
    *killed("removal of a worker", after(untouched), "w2", "remove_worker", 5, {"remove": ["w2"]}, on="c1"),
    Case("second control plane does not answer", after(put("c2", alive=False)), "start_machine"),
    Case("one has not joined, another does not answer", lambda: _lacks_and_away("c3", "c2"), "start_machine"),
    Case(
        "a fourth one is to join while another is away",
        after(both(forget("c4"), rebuilt("c4"), no_node("c4"), put("c2", alive=False)), controls=4),
        "start_machine",
    ),
    Case("first control plane does not answer", after(deaf), "start_machine"),
    Case("a worker does not answer", after(put("w2", alive=False)), "start_machine"),
    Case("two control planes do not answer", after(put("c2", "c3", alive=False)), "start_machine"),
    Case(
        "the first was made anew and the other, which has the cluster, does not answer",
        after(both(rebuilt("c1"), put("c2", alive=False)), controls=2, workers=0),
        "start_machine",
    ),
    Case("a former member of unknown age", after(both(forget("c2"), of_unknown_age("c2"))), "replace"),
    Case("a worker was made anew during an upgrade", lambda: _upgrading_with(rebuilt("w1"))),
    Case(
        "the Node of a single control plane was deleted before an upgrade",
        _single_without_node,
        HEALTHY,
        {"upgrade": True},
    ),
    Case("no control plane answers", after(put("c1", "c2", "c3", alive=False)), "start_machine"),
    Case("no control plane answers at the first installation", _dead_before, "start_machine"),
    Case("a control plane lost its data", after(lose_data("c2"))),
    Case("the first control plane lost its data", after(lose_data("c1"))),
    Case("a control plane was made anew", after(rebuilt("c3"))),
    Case("the first control plane was made anew", after(rebuilt("c1"))),
    Case("a worker was made anew", after(rebuilt("w1"))),
    Case("all workers were made anew", after(rebuilt("w1", "w2"))),
    Case("two control planes lost their data", after(lose_data("c2", "c3")), "restore_needed"),
    Case("two control planes were made anew", after(rebuilt("c1", "c2")), "restore_needed"),
    Case("all control planes lost their data", after(lose_data("c1", "c2", "c3")), "restore_needed"),
    Case("all control planes were made anew", after(rebuilt("c1", "c2", "c3")), "restore_needed"),
    Case("everything was made anew and there is a snapshot", World, "restore_needed", {"snapshot": "etcd-1.db"}),
    Case("the only control plane lost its data", after(lose_data("c1"), controls=1), "restore_needed"),
    Case(
        "one lost its data and one does not answer",
        after(both(lose_data("c2"), put("c3", alive=False))),
        "start_machine",
    ),
    Case(
        "one lost its data and one is gone for good",
        after(both(lose_data("c2"), put("c3", alive=False))),
        "restore_needed",
        {"replace": ["c3"]},
    ),
    Case("a dead control plane is to be replaced", after(put("c3", alive=False)), "start_machine", {"replace": ["c3"]}),
    Case("a dead control plane is taken out", after(put("c3", alive=False)), HEALTHY, {"remove": ["c3"]}),
    Case("the first control plane is taken out", after(untouched, controls=4), HEALTHY, {"remove": ["c1"]}),
    Case(
        "a healthy control plane is to be taken out while another is away",
        after(put("c2", alive=False)),
        "start_machine",
        {"remove": ["c3"]},
    ),
    Case("the last but one is to be taken out", after(untouched, controls=2), HEALTHY, {"remove": ["c2"]}),
    Case("a worker is taken out", after(untouched), HEALTHY, {"remove": ["w2"]}),
    Case("a kubelet was stopped", after(put("c2", kubelet="inactive"))),
    Case("a kubelet was stopped and its Node deleted", after(both(put("c1", kubelet="inactive"), no_node("c1")))),
    Case("all kubelets were stopped", after(put("c1", "c2", "c3", "w1", "w2", kubelet="inactive"))),
    Case("containerd failed on two control planes", after(put("c1", "c2", containerd="failed"))),
    Case("a worker's containerd failed", after(put("w1", containerd="failed"))),
    Case("packages were purged from a worker", after(put("w1", packages="", kubelet="", containerd=""))),
    Case("packages were purged from a control plane", after(put("c2", packages="", kubelet="", containerd=""))),
    Case("a manifest is missing", after(without("kube-apiserver", on="c2"))),
    Case("etcd's manifest is missing", after(without("etcd", on="c1"))),
    Case("all manifests are missing on one", after(without(*PARTS, on="c1"))),
    Case("all manifests are missing everywhere", after(both(*(without(*PARTS, on=n) for n in ("c1", "c2", "c3"))))),
    Case("admin.conf is missing", after(put("c1", admin=False))),
    Case("kubelet.conf is missing on a control plane", after(put("c2", kubelet_conf=""))),
    Case("kubelet.conf is missing on a worker", after(put("w1", kubelet_conf=""))),
    Case(
        "a manifest and the CA's key are missing", after(both(without("etcd", on="c2"), put("c2", key=False))), "repair"
    ),
    Case("certificates ended on one", after(put("c2", days=-1))),
    Case("certificates ended everywhere", after(put("c1", "c2", "c3", days=-20))),
    Case(
        "certificates and kubelets' ended everywhere",
        after(put("c1", "c2", "c3", "w1", "w2", days=-9, kubelet_days=-9)),
    ),
    Case("certificates end soon everywhere", after(put("c1", "c2", "c3", days=12))),
    Case("a single control plane's certificates ended", after(put("c1", days=-1), controls=1)),
    Case("certificates ended and the CA's key is gone", after(put("c1", "c2", "c3", days=-1, key=False)), "repair"),
    Case("a kubelet's certificate ended", after(put("w2", kubelet_days=-3))),
    Case("a member was removed by hand", after(forget("c2"))),
    Case("a member was added that never started", after(unlisted(Member("e99", "", "10.0.0.99", True)))),
    Case("a voter was added that never started", after(unlisted(Member("e99", "", "10.0.0.99")))),
    Case("a stale member of an old address", after(unlisted(Member("e98", "c9", "10.0.0.98"))), "remove"),
    Case(
        "a stale member of an old address is named",
        after(unlisted(Member("e98", "c9", "10.0.0.98"))),
        HEALTHY,
        {"remove": ["c9"]},
    ),
    Case("one began anew alone", after(began_alone("c1")), "replace"),
    Case("one began anew alone and may be replaced", after(began_alone("c1")), HEALTHY, {"replace": ["c1"]}),
    Case(
        "two of three are gone, the third began anew alone",
        after(both(began_alone("c1"), put("c2", kubelet="failed"), put("c3", alive=False))),
        "replace",
    ),
    Case("etcd cannot run on its folder", after(put("c2", stuck=True)), "repair"),
    Case("etcd cannot run on its folder, which may go", after(put("c2", stuck=True)), HEALTHY, {"replace": ["c2"]}),
    Case("two of three cannot run on their folders", after(put("c2", "c3", stuck=True)), "repair"),
    Case("a worker of another cluster", after(foreign("w2")), "replace"),
    Case("a worker of another cluster, which may go", after(foreign("w2")), HEALTHY, {"replace": ["w2"]}),
    Case("a control plane of another cluster", after(foreign("c2")), "replace"),
    Case("the Node of a worker was deleted", after(no_node("w1"))),
    Case("the Node of a control plane was deleted", after(no_node("c3"))),
    Case("configuration of kubeadm was deleted", after(no_configs("kubeadm-config", "kubelet-config"))),
    Case("cluster-info and DNS were deleted", after(no_configs("cluster-info", "coredns"))),
    Case("an upgrade is wanted", upgrading(), HEALTHY, {"upgrade": True}),
    Case("another version is wanted, not an upgrade", upgrading(), "upgrade"),
    Case("first is upgraded", upgrading("c1")),
    Case("first and third are upgraded", upgrading("c1", "c3")),
    Case("all control planes are upgraded", upgrading("c1", "c2", "c3")),
    Case("one worker is left behind", upgrading("c1", "c2", "c3", "w1")),
    Case("an upgrade is to be taken back", upgrading("c1"), "upgrade", {"version": OLD}),
    Case("a minor would be skipped", after(untouched, version="1.34.9"), "upgrade", {"upgrade": True}),
    Case(
        "an upgrade with a machine away", lambda: _upgrading_without("c3", "alive"), "start_machine", {"upgrade": True}
    ),
    Case("an upgrade half done, and one lost its data", lambda: _upgrading_without("c3", "data")),
    Case("an upgrade of a single control plane", lambda: World.healthy(1, 1, OLD), HEALTHY, {"upgrade": True}),
    Case("five control planes, two lost their data", after(lose_data("c4", "c5"), controls=5)),
    Case(
        "five control planes, three lost their data", after(lose_data("c3", "c4", "c5"), controls=5), "restore_needed"
    ),
    Case("a worker has no CA and no kubelet any more", after(both(rebuilt("w1"), put("w1", ca=CA)))),
]


def _lost(world: World, name: str) -> None:
    world.machines[name].data = None


def _away(world: World, name: str) -> None:
    world.machines[name].alive = False


def _stopped(world: World, name: str) -> None:
    world.machines[name].kubelet = "inactive"


def _anew(world: World, name: str) -> None:
    rebuilt(name)(world)


def _ended(world: World, name: str) -> None:
    world.machines[name].days = -1


def _kubelet_ended(world: World, name: str) -> None:
    world.machines[name].kubelet_days = -1


def _manifest_gone(world: World, name: str) -> None:
    world.machines[name].manifests.pop("etcd", None)


def _removed_by_hand(world: World, name: str) -> None:
    data = world.machines[name].data
    if data and len(world.members) > 1 and world.quorum(data.member):
        world.members.pop(data.member, None)


def _added_by_hand(world: World, name: str) -> None:
    if world.quorum() and not any(member.learner for member in world.members.values()):
        world.members["e99"] = Member("e99", "", "10.0.0.99", True)


def _node_gone(world: World, name: str) -> None:
    if world.up():
        world.nodes.pop(name, None)


def _broken(world: World, name: str) -> None:
    world.machines[name].stuck = world.machines[name].data is not None


# What may happen to any machine at any time.
DAMAGES = [
    _lost,
    _away,
    _stopped,
    _anew,
    _ended,
    _kubelet_ended,
    _manifest_gone,
    _removed_by_hand,
    _added_by_hand,
    _node_gone,
    _broken,
]
