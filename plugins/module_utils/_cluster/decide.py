# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The next safe round of steps, or the one sentence that says why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from . import birth, change, loss, repair
from .picture import AUTHORITIES, Picture
from .proposals import Problem, Proposal
from .state import State
from .steps import JOIN, OPEN, Decision, Step, Wanted
from .versions import number

# Beside a gated step nothing else that touches a control plane; joins alone go together, etcd takes one at a time.
CRITICAL = frozenset({"move_leader", "renew_certificates", "rewrite_files", "finish_init", "remove_worker"})
IDLE = frozenset({"wait", "restart"})


def decide(states: Mapping[str, State], wanted: Wanted) -> Decision:
    """`states` of every machine that could be asked, by its name in the manifest."""
    picture = Picture(states, wanted)
    notes = tuple(_notes(picture))
    problem = next(_insane(picture), None)
    if problem is not None:
        return Decision(refusal=problem.sentence, action=problem.action, notes=notes)
    return _round(_proposals(picture), wanted, notes)


def _proposals(picture: Picture) -> Iterator[Proposal]:
    if not picture.has_trace:
        yield from birth.proposals(picture)
        return
    yield from repair.revive(picture)
    if not picture.is_up:
        yield from loss.proposals(picture)
        return
    yield from repair.proposals(picture)
    yield from change.proposals(picture)


def _round(proposals: Iterable[Proposal], wanted: Wanted, notes: tuple[str, ...]) -> Decision:
    steps: list[Step] = []
    idle: list[Step] = []
    problems: list[Problem] = []
    done = [(step.get("host"), step.get("verb"), step.get("with")) for step in wanted.done]
    for proposal in proposals:
        if isinstance(proposal, Problem):
            problems.append(proposal)
        elif (proposal.host, proposal.verb, dict(proposal.arguments)) in done and proposal.verb not in IDLE:
            why = f"{proposal.verb} was done and does not show yet ({proposal.why})"
            idle.append(Step(proposal.host, "wait", why))
        elif proposal.verb in IDLE:
            idle.append(proposal)
        elif _fits(proposal, steps):
            steps.append(proposal)
    over = wanted.waited >= wanted.patience
    if steps or (idle and not over):
        quiet = list({step.host: step for step in reversed(idle)}.values())[::-1]
        busy = {step.host for step in steps}
        restarts = [step for step in quiet if step.verb == "restart" and step.host not in busy]
        return Decision(steps=tuple([*steps, *restarts] or quiet), notes=notes)
    if idle:
        reasons = "; ".join(f"{step.host}: {step.why}" for step in idle)
        sentence = (
            f"nothing got better for {wanted.waited:.0f} s: {reasons}. Repair that and run this again, or name a "
            "machine that is beyond repair in `replace`"
        )
        problems.append(Problem(sentence, "repair"))
    if not problems:
        return Decision(notes=notes)
    first, *others = problems
    return Decision(refusal=first.sentence, action=first.action, notes=(*notes, *(other.sentence for other in others)))


def _fits(step: Step, steps: list[Step]) -> bool:
    if any(step.host == other.host for other in steps):
        return False
    if not _critical(step):
        return True
    return all(step.gate == JOIN == other.gate for other in steps if _critical(other))


def _critical(step: Step) -> bool:
    return step.gate != OPEN or step.verb in CRITICAL


def _insane(picture: Picture) -> Iterator[Problem]:
    wanted = picture.wanted
    if not number(wanted.version)[0]:
        yield Problem(
            f"version {wanted.version!r} cannot be compared: wanted is one like 1.36.3, with all three parts", "repair"
        )
    left = [name for name in wanted.control_planes if name not in wanted.remove]
    if not left:
        yield Problem("no control plane would be left: name one that stays in the manifest", "remove")
    both = sorted(set(wanted.control_planes) & set(wanted.workers))
    if both:
        yield Problem(f"{', '.join(both)}: a control plane and a worker at once; give each machine one group", "repair")
    for name in (name for name in wanted.workers if name not in wanted.replace):
        state = picture.states.get(name)
        if state and (state.etcd.data or state.manifests):
            yield Problem(
                f"{name} is a worker in the manifest and has a control plane on it: take it out with "
                "playbooks/scale.yml (`remove`) first, then it can come back as a worker",
                "remove",
            )
    running = {s.authority: name for name, s in picture.controls.items() if s.etcd.healthy and s.authority}
    if len(running) > 1:
        said = " and ".join(f"{name} (CA {authority[:12]})" for authority, name in sorted(running.items()))
        yield Problem(
            f"two clusters run on the control planes of this manifest: {said}; decide which one stays, save what is "
            "needed of the other, and name its machines in `replace`",
            "replace",
        )
    if len(wanted.control_planes) > 1 and not running and len(_halves(picture)) > 1:
        said = ", ".join(sorted(_halves(picture).values()))
        yield Problem(
            f"{said} hold different CAs, and none of their clusters runs: name those whose content may go in `replace`",
            "replace",
        )
    for name, state in picture.controls.items():
        kept = name not in wanted.replace and state.authority == picture.authority
        if kept and picture.etcd.healthy and not picture.member_of(name) and state.etcd.index > picture.etcd.index:
            yield Problem(
                f"{name} has etcd data that is further (entry {state.etcd.index}) than the cluster that runs (entry "
                f"{picture.etcd.index}): this looks like a cluster begun beside an older one. Save both, and name the "
                "machines whose data may go in `replace`",
                "replace",
            )
    for name, state in picture.controls.items():
        for certificate in state.certificates:
            if certificate.name in AUTHORITIES and certificate.days <= 0 and state.authority == picture.authority:
                yield Problem(
                    f"{name}: the CA {certificate.path or certificate.name} ended {-certificate.days:.0f} days ago; "
                    "nothing that it signed is trusted any more: run playbooks/rotate.yml for the CA",
                    "rotate",
                )


def _halves(picture: Picture) -> dict[str, str]:
    """CAs by one machine that has each, of those whose content is wanted."""
    kept = {name: state for name, state in picture.controls.items() if name not in picture.wanted.replace}
    return {state.authority: name for name, state in reversed(kept.items()) if state.authority}


def _notes(picture: Picture) -> Iterator[str]:
    known = {*picture.wanted.control_planes, *picture.wanted.workers, *picture.wanted.remove}
    for node in picture.cluster.nodes:
        if node.name not in known:
            yield f"{node.name} is a node of the cluster and not in the manifest: playbooks/scale.yml takes it out"
        if not node.schedulable:
            yield f"{node.name} is cordoned: `kubectl uncordon {node.name}` when it is to work again"
    for name, state in picture.controls.items():
        for certificate in state.certificates:
            if certificate.name in AUTHORITIES and 0 < certificate.days < picture.wanted.renew_before:
                yield f"{name}: the CA {certificate.name} ends in {certificate.days:.0f} days: plan its rotation"


__all__ = ["CRITICAL", "decide"]
