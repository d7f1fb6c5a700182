# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What a run in check mode has reported, put together, and said in lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .table import some

Record = dict[str, Any]

# The system that a module of this collection works on, by the beginning of its name.
SYSTEMS = {
    "proxmox": "Proxmox",
    "secret": "Secrets",
    "kubernetes": "Kubernetes",
    "argocd": "Argo CD",
    "terraform": "Terraform",
    "gitlab": "GitLab",
}
HOSTS = "Hosts"
CONTROLLER = "This machine"
LOCAL = ("localhost", "127.0.0.1", "::1")

SIGNS = {"create": "+", "update": "~", "replace": "-/+", "delete": "-"}
VERBS = {"create": "to create", "update": "to update", "replace": "to replace", "delete": "to delete"}


@dataclass
class Report:
    """Everything worth telling about a run in check mode."""

    sections: list[Record] = field(default_factory=list)
    tasks: list[Record] = field(default_factory=list)
    later: list[Record] = field(default_factory=list)
    blind: list[Record] = field(default_factory=list)
    problems: list[Record] = field(default_factory=list)
    whole: bool = False

    @property
    def changes(self) -> list[tuple[Record, Record]]:
        """Each object's change, with the section it stands in."""
        return [(part, change) for part in self.sections for change in part["plan"]["changes"]]

    @property
    def changed(self) -> bool:
        return bool(self.changes or self.tasks)

    @property
    def counts(self) -> Counter[str]:
        return Counter(change["action"] for _part, change in self.changes)

    def plans(self) -> list[Record]:
        """The sections as the engine made them, for a plan file."""
        return [part["plan"] for part in self.sections]


def gather(records: Iterable[Record]) -> Report:
    """Sort the records of a run. What is created by the plan itself cannot be looked at yet, and is no problem."""
    report = Report()
    troubles: list[Record] = []
    for record in records:
        kind = record["type"]
        if kind == "section":
            report.sections.append(record)
        elif kind == "task":
            report.tasks.append(record)
        elif kind == "blind":
            report.blind.append(record)
        elif kind == "later":
            report.later.append(record)
        elif kind == "end":
            report.whole = True
        else:
            troubles.append(record)
    created = {
        name: part["plan"]["kind"]
        for part, change in report.changes
        if change["action"] in ("create", "replace")
        for name in (change["key"], change["label"])
    }
    # What cannot be planned yet may say by name what it will make.
    promised = {name: record["message"] for record in report.later for name in record.get("makes", ())}
    for record in troubles:
        maker = created.get(record["host"])
        if record["type"] == "unreachable" and maker:
            report.later.append(record | {"message": f"known after this plan has made the {maker}"})
        elif record["type"] == "unreachable" and record["host"] in promised:
            report.later.append(record | {"message": promised[record["host"]]})
        else:
            report.problems.append(record)
    return report


def read(text: str) -> Report:
    """The report in the lines that the callback wrote."""
    return gather(json.loads(line) for line in text.splitlines())


def system_of(module: str, host: str) -> str:
    """The heading under which a change is listed."""
    short = module.rpartition(".")[2]
    for beginning, system in SYSTEMS.items():
        if module.startswith("socle.platform.") and short.startswith(beginning):
            return system
    return CONTROLLER if host in LOCAL else HOSTS


def text(report: Report, title: str) -> list[str]:
    """The one summary."""
    lines = [f"Plan for {title}: {_totals(report)}"]
    systems: dict[str, list[str]] = {}
    several = {part["plan"]["module"] for part in report.sections if part["host"] not in LOCAL}
    for part in report.sections:
        plan = part["plan"]
        where = f" on {part['host']}" if plan["module"] in several else ""
        found = systems.setdefault(system_of(part["action"], part["host"]), [])
        for change in plan["changes"]:
            found += _change(plan["kind"], change, where)
        found += [f"  ! {line}{where}" for line in _rest(plan)]
    for task in report.tasks:
        detail = f": {task['detail']}" if task["detail"] else ""
        line = f"  ~ {task['task']} ({task['action']}) on {task['host']}{detail}, not bound"
        systems.setdefault(system_of("", task["host"]), []).append(line)
    for system, found in systems.items():
        if found:
            lines += ["", system, *found]
    lines += _listed("Known only later", report.later)
    lines += _listed("Not predictable", report.blind)
    # A refusal stands with its object above.
    lines += _listed("Not planned", [record for record in report.problems if record["type"] != "refused"])
    if report.tasks:
        lines += [
            "",
            "`not bound`: not done by the engine of this collection; no plan file can hold it to this plan.",
        ]
    return lines


def _totals(report: Report) -> str:
    counts = report.counts
    said = [f"{counts[action]} {verb}" for action, verb in VERBS.items() if counts[action]]
    if report.tasks:
        said.append(f"{_tasks(report.tasks, ' other')} would change something")
    unplanned = [record for record in report.problems if record["type"] != "refused"]
    if unplanned:
        said.append(f"{_tasks(unplanned)} could not be planned")
    if not report.whole:
        return f"broken off, so this is not all: {', '.join(said) or 'nothing was looked at'}"
    return ", ".join(said) or "nothing to change"


def _tasks(records: Sequence[Record], which: str = "") -> str:
    return f"{len(records)}{which} {'task' if len(records) == 1 else 'tasks'}"


def _change(kind: str, change: Mapping[str, Any], where: str) -> list[str]:
    reason = f" ({change['reason']})" if change["reason"] else ""
    lines = [f"  {SIGNS[change['action']]} {change['action']} {kind} {change['label']}{where}{reason}"]
    for item in change["fields"]:
        before = "" if item["before"] == "(absent)" else f"{_value(item['before'])} -> "
        lines.append(f"      {item['path']}: {before}{_value(item['after'])}")
    return lines


def _rest(plan: Mapping[str, Any]) -> list[str]:
    lines = [f"refused: {refusal}" for refusal in plan["refusals"]]
    lines += [f"warning: {warning}" for warning in plan["warnings"]]
    if plan["unmanaged"]:
        lines.append(f"left alone, not asked for by anybody: {', '.join(plan['unmanaged'])}")
    return lines


def _value(value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = " ".join(shown.split())
    return shown if len(shown) <= 100 else f"{shown[:97]}..."


def _listed(heading: str, records: Sequence[Record]) -> list[str]:
    """Records that say the same of several hosts are one line."""
    if not records:
        return []
    hosts: dict[tuple[str, str], list[str]] = {}
    for record in records:
        hosts.setdefault((record["task"], record["message"]), []).append(record["host"])
    return ["", heading, *(f"  ? {task} on {some(on)}: {why}" for (task, why), on in hosts.items())]
