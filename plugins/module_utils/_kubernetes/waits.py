# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Waiting until everything of a set is ready: all of it at once, read by kind, after the last write.

Not object by object as they are written: one that waits for another that comes later would take a worker's place.
"""

from __future__ import annotations

from collections.abc import Mapping

from .._apply import Result, Status
from .._objects import Fault
from .._wait import Backoff, Deadline, Hopeless, Progress, WaitFailed, Waiting, wait_for
from .errors import ApiError, classify
from .events import warning
from .objects import Work
from .reading import Live, Wanted, read
from .ready import not_ready

SHOWN = 3
WAITED = (Status.SUCCEEDED, Status.UNCHANGED)


def until_ready(work: Work, result: Result, deadline: Deadline, progress: Progress) -> list[str]:
    """Waits for every object that is there; sentences for those that did not become ready."""
    if not (work.parameters["wait"] or work.parameters["wait_for"]) or work.parameters["state"] != "present":
        return []
    everything = bool(work.parameters["wait"])
    left = _waited_for(work, result, everything)
    total = len(left)
    given_up: dict[str, str] = {}
    causes: dict[str, str] = {}

    def look() -> bool | Waiting:
        found = read(work.api, left.values())
        for key, item in list(left.items()):
            live = found.get(key)
            said = _state(work, item, live)
            if said is None:
                del left[key]
            elif isinstance(said, Hopeless):
                given_up[key] = said.cause
                del left[key]
            else:
                causes[key] = said.cause
        if not left:
            return True
        some = "; ".join(f"{key}: {causes[key]}" for key in list(left)[:SHOWN])
        more = f"; and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
        return Waiting(f"{len(left)} of {total} are not: {some}{more}")

    try:
        wait_for(
            "everything to be ready",
            look,
            deadline,
            transient=lambda error: classify(error) is not Fault.PERMANENT,
            progress=progress,
            backoff=Backoff(most=2.0),
        )
    except WaitFailed as error:
        given_up.update({key: f"{causes.get(key, error.cause)} (after {error.elapsed:.0f} s)" for key in left})
    except ApiError as error:
        given_up.update(dict.fromkeys(left, error.sentence))
    return _told(work, result, given_up)


def _waited_for(work: Work, result: Result, everything: bool) -> dict[str, Wanted]:
    left = {}
    for outcome in result.outcomes:
        manifest = work.manifests.get(outcome.key)
        if manifest is None or outcome.status not in WAITED:
            continue
        resource = work.resource(manifest)
        named = any(rule["kind"] == manifest.kind for rule in work.parameters["wait_for"])
        if resource is not None and (everything or named):
            left[outcome.key] = Wanted(outcome.key, resource, manifest.namespace, manifest.name)
    return left


def _state(work: Work, item: Wanted, live: Live | None) -> Waiting | Hopeless | None:
    if live is None:
        return Hopeless("it is gone")
    return not_ready(item.resource.group, item.resource.kind, live, work.parameters["wait_for"])


def _told(work: Work, result: Result, given_up: Mapping[str, str]) -> list[str]:
    said = []
    for outcome in result.outcomes:
        cause = given_up.get(outcome.key)
        if cause is None:
            continue
        manifest = work.manifests[outcome.key]
        event = warning(work.api, manifest.namespace, manifest.name)
        outcome.status = Status.FAILED
        outcome.error = f"not ready: {cause}" + (f"; last event: {event}" if event else "")
        outcome.hint = "it is applied as wanted; look at it, or raise `deadline`"
        said.append(f"{outcome.label}: {outcome.error} ({outcome.hint})")
    return said
