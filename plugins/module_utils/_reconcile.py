# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Desired set against current set: what would have to change. Nothing here can write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ._apply import Outcome, Result, Status, apply
from ._decide import decide, fill
from ._diff import FieldChange
from ._objects import (
    Action,
    AdapterError,
    Change,
    Current,
    Desired,
    DesiredError,
    EngineError,
    Fault,
    Options,
    Plan,
    Reader,
    Refused,
    Step,
    TransientError,
    UncertainError,
    Writer,
    shown,
)
from ._values import (
    ABSENT,
    KNOWN_AFTER_APPLY,
    UNREADABLE,
    Secret,
    Unknown,
    clear_texts,
    has_unknown,
    scrub,
    secrets_in,
    unknowns_in,
)
from ._wait import Backoff, Clock, Deadline, Hopeless, Progress, Quiet, WaitFailed, Waiting, wait_for

__all__ = [
    "ABSENT",
    "KNOWN_AFTER_APPLY",
    "UNREADABLE",
    "Action",
    "AdapterError",
    "Backoff",
    "Change",
    "Clock",
    "Current",
    "Deadline",
    "Desired",
    "DesiredError",
    "EngineError",
    "Fault",
    "FieldChange",
    "Hopeless",
    "Options",
    "Outcome",
    "Plan",
    "Quiet",
    "Reader",
    "Refused",
    "Result",
    "Secret",
    "Status",
    "Step",
    "TransientError",
    "UncertainError",
    "Unknown",
    "WaitFailed",
    "Waiting",
    "Writer",
    "apply",
    "plan",
]


def plan(
    desired: Iterable[Desired],
    reader: Reader,
    options: Options | None = None,
    *,
    clock: Clock | None = None,
    deadline: Deadline | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Read once, and say for each object what would be done. Raises DesiredError, or EngineError if reading fails.

    Give the same `deadline` to `apply`, so that both together end in time.
    """
    options = options or Options()
    wanted = _in_order(list(desired))
    deadline = deadline or Deadline(options.deadline, clock)
    current, doubles = _read(wanted, reader, deadline, options, progress or Quiet())
    findings = [*doubles, *reader.check(wanted, current)]
    rules = reader.rules
    changes: dict[str, Change] = {}
    for item in wanted:
        if has_unknown(item.fields):
            item = replace(item, fields=fill(item.fields, lambda unknown: _known(unknown, changes)))
        changes[item.key] = decide(item, current.get(item.key), reader, options, rules)
    others = [found for key, found in current.items() if key not in changes]
    pruned = [found for found in others if options.prune and found.owned]
    for found in pruned:
        changes[found.key] = _prune(found)
    return Plan(
        kind=reader.kind,
        changes=tuple(changes.values()),
        unmanaged=tuple(found.key for found in others if found.key not in changes),
        warnings=tuple(reader.warn(wanted, current)),
        findings=tuple(findings),
        volatile=reader.volatile,
    )


def _prune(found: Current) -> Change:
    gone = Desired(found.key, present=False)
    reason = "it is ours and nothing asks for it any more (prune)"
    return Change(found.key, found.key, Action.DELETE, gone, found, reason=reason)


def _known(unknown: Unknown, changes: Mapping[str, Change]) -> Any:
    """The value now, if the object that tells it exists already and keeps it."""
    source = changes.get(unknown.of)
    if source is None or source.current is None or source.action not in (Action.NOTHING, Action.UPDATE):
        return unknown
    if source.refused or unknown.field in source.paths:
        return unknown
    return source.current.fields.get(unknown.field, unknown)


def _read(
    wanted: Sequence[Desired], reader: Reader, deadline: Deadline, options: Options, progress: Progress
) -> tuple[dict[str, Current], list[str]]:
    try:
        found = wait_for(
            f"reading {reader.kind} objects",
            lambda: list(reader.read(wanted)),
            deadline,
            transient=lambda error: reader.classify(error) is not Fault.PERMANENT,
            progress=progress,
            backoff=options.backoff,
        )
    except Exception as error:  # noqa: BLE001 - whatever the adapter raises is said as what was being done
        sentence, hint = reader.explain(error)
        if isinstance(error, WaitFailed):
            sentence, hint = str(error), ""
        texts = clear_texts(secrets_in(*(item.fields for item in wanted)))
        said = f"cannot read {reader.kind} objects, so nothing was planned: {sentence}" + (f" ({hint})" if hint else "")
        raise EngineError(scrub(said, texts)) from None
    current: dict[str, Current] = {}
    doubles: list[str] = []
    named = {item.key for item in wanted}
    for item in found:
        # What prune would remove must be one thing, too.
        pruned = options.prune and item.key in current and (item.owned or current[item.key].owned)
        if item.key in current and (item.key in named or pruned):
            one, two = (shown(dict(it.identity) or dict(it.fields)) for it in (current[item.key], item))
            doubles.append(
                f"{reader.kind} {item.key}: found twice, as {one} and as {two}; it cannot be said which one is meant: "
                "rename or remove one of them"
            )
        current.setdefault(item.key, item)
    return current, doubles


def _in_order(desired: list[Desired]) -> list[Desired]:
    """The set with needs before those who need them, otherwise in the given order; or every contradiction in it."""
    problems: list[str] = []
    known: dict[str, Desired] = {}
    for item in desired:
        refs = {unknown.of for unknown in unknowns_in(item.fields) if unknown.of} if has_unknown(item.fields) else set()
        if not refs <= item.needs:
            item = replace(item, needs=item.needs | refs)
        if item.key in known:
            problems.append(f"{item.key}: named twice in the desired set; remove one")
        known.setdefault(item.key, item)
    for item in known.values():
        for need in sorted(item.needs):
            if need not in known:
                near = difflib.get_close_matches(need, known, 1)
                meant = f"; did you mean {near[0]}?" if near else ""
                problems.append(f"{item.key}: needs {need}, which is not in the desired set{meant}")
            elif item.present and not known[need].present:
                problems.append(
                    f"{item.key}: needs {need}, which is to be absent; keep {need}, or remove {item.key} too"
                )
    ordered, cycle = _sort(known)
    if cycle:
        problems.append(f"{cycle[0]}: needs itself: {' needs '.join([*cycle, cycle[0]])}; remove one of these needs")
    if problems:
        raise DesiredError(problems)
    return ordered


def _sort(known: Mapping[str, Desired]) -> tuple[list[Desired], list[str]]:
    ordered: list[Desired] = []
    done: set[str] = set()
    for start in known:
        if start in done:
            continue
        path = [start]
        on_path = {start}
        pending = [iter(sorted(known[start].needs))]
        while path:
            need = next(pending[-1], None)
            if need is None:
                pending.pop()
                key = path.pop()
                on_path.discard(key)
                done.add(key)
                ordered.append(known[key])
            elif need in on_path:
                return ordered, path[path.index(need) :]
            elif need in known and need not in done:
                path.append(need)
                on_path.add(need)
                pending.append(iter(sorted(known[need].needs)))
    return ordered, []
