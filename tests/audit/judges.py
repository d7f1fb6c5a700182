# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each outside tool found, read from what it wrote."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

RULE = "xccdf_org.ssgproject.content_rule_"


@dataclass
class Verdict:
    """One tool's judgement of one node: figures by name, and what it found wrong by rule."""

    figures: dict[str, int] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


def oscap(text: str) -> Verdict:
    """Of `oscap xccdf eval`, which prints a block for each rule."""
    verdict = Verdict({"pass": 0, "fail": 0})
    for block in re.split(r"^Title", text, flags=re.MULTILINE)[1:]:
        values = dict(re.findall(r"^(Rule|Result)\s+(\S+)", block, re.MULTILINE))
        if "Result" not in values:
            continue
        result = values["Result"]
        verdict.figures[result] = verdict.figures.get(result, 0) + 1
        if result in ("fail", "error", "unknown"):
            title = block.strip().splitlines()[0].strip()
            verdict.wrong[values["Rule"].removeprefix(RULE)] = title
    return verdict


def lynis(report: str) -> Verdict:
    """Of its report: key=value, with lists as key[]=value."""
    rows = [line.partition("=")[::2] for line in report.splitlines() if "=" in line]
    index = next((int(value) for key, value in rows if key == "hardening_index"), 0)
    warnings = {value.split("|", maxsplit=1)[0]: value.split("|")[1] for key, value in rows if key == "warning[]"}
    suggestions = sum(key == "suggestion[]" for key, _value in rows)
    return Verdict({"index": index, "warnings": len(warnings), "suggestions": suggestions}, warnings)


def ssh_audit(report: str) -> Verdict:
    """Of `ssh-audit -j`: what it would take away, by how bad it is."""
    found: dict[str, Any] = json.loads(report)
    verdict = Verdict({"critical": 0, "warning": 0})
    for level in ("critical", "warning"):
        for action, kinds in (found.get("recommendations", {}).get(level) or {}).items():
            for kind, entries in kinds.items():
                for entry in entries:
                    verdict.figures[level] += 1
                    verdict.wrong[f"{kind}:{entry['name']}"] = f"{level}: {action}"
    return verdict


def nmap(report: str) -> Verdict:
    """Of `nmap -oG -`: which TCP ports answered."""
    opened = re.findall(r"(\d+)/open/tcp", report)
    if "Status: Up" not in report:
        raise ValueError(f"nmap did not scan: {report}")
    return Verdict({"open": len(opened)}, {f"tcp {port}": "open" for port in opened})
