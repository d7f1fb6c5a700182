# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Where no cluster ever came up: packages, and `kubeadm init` on one machine, over what an interrupted one left."""

from __future__ import annotations

from collections.abc import Iterator

from .packages import lacking
from .picture import Picture
from .proposals import Problem, Proposal, step
from .state import FINISHED, State


def proposals(picture: Picture) -> Iterator[Proposal]:
    wanted = picture.wanted
    away = [name for name in picture.unseen if name in wanted.control_planes]
    if away:
        yield Problem(
            f"{', '.join(away)} cannot be asked and may hold the cluster that the others do not know: start it, or "
            "take it out of the manifest; a second cluster is not begun beside it",
            "start_machine",
        )
        return
    given = {name: state for name, state in picture.states.items() if name in wanted.replace and _was_in(state)}
    if given:
        for name in given:
            yield step(name, "reset_leftovers", f"{name} is named in `replace`, and there is no cluster any more")
        return
    first = _first(picture)
    for name, state in picture.states.items():
        missing = lacking(state, wanted.version)
        if missing and (name == first or not state.leftovers):
            why = f"{', '.join(missing)} {wanted.version} is not installed"
            yield step(name, "install", why, names=missing, version=wanted.version)
    if first and not lacking(picture.states[first], wanted.version):
        resume = bool(picture.states[first].leftovers)
        why = "an init was interrupted here" if resume else "there is no cluster yet"
        yield step(first, "init", why, resume=resume, version=wanted.version)


def _was_in(state: State) -> bool:
    """Whether it belonged to a cluster that came up once."""
    return state.etcd.data or state.kubelet_conf == FINISHED


def _first(picture: Picture) -> str:
    """Where an init was begun: its CA may have signed something already. Else the first of the manifest."""
    listed = [name for name in picture.controls if name in picture.wanted.control_planes]
    begun = [name for name in listed if picture.states[name].authority_key]
    return next(iter([*begun, *listed]), "")


__all__ = ["proposals"]
