# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outside tools judge a hardened node beside a plain one: `python tests/audit/audit.py`, or `make audit`.

OpenSCAP (CIS Debian 13, level 1, server), lynis, ssh-audit, and a scan of all TCP ports by a stranger on the public
side. What a tool still finds is named in exceptions.yml with its reason; anything else, and an exception that is no
longer needed, makes it fail.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lab"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lab" / "pve"))

import content
import judges
from judges import Verdict
from rack import seeds
from rack.command import LabError, inside
from rack.lab import Lab

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROFILE = "xccdf_org.ssgproject.content_profile_cis_level1_server"
RULES = "/usr/share/xml/scap/ssg/content/ssg-debian13-ds.xml"
NODES = {
    "plain": ("10.10.48.1", "203.0.113.50"),
    "judged": ("10.10.48.2", "203.0.113.51"),
    "stranger": ("", "203.0.113.99"),
}
# (tool, figure, comparison, goal)
GOALS: list[tuple[str, str, str, int]] = [
    ("cis", "fail", "at most", 12),
    ("lynis", "index", "at least", 82),
    ("lynis", "warnings", "at most", 0),
    ("ssh-audit", "critical", "at most", 0),
    ("ssh-audit", "warning", "at most", 0),
    ("stranger", "open", "at most", 1),
]


def boot(lab: Lab) -> None:
    lab.up()
    key = lab.key.with_suffix(".pub").read_text()
    nodes = [
        seeds.node(lab.name, name, lab.image(), key, address=address, public_address=public)
        for name, (address, public) in NODES.items()
    ]
    lab.boot(nodes)


def execute(lab: Lab, node: str, script: str, *codes: int, timeout: float = 1200) -> str:
    """A script's output; other codes than these and 0 are an error."""
    code, said, error = lab.rack.execute(node, "sh", "-c", script, timeout=timeout)
    if code not in (0, *codes):
        raise LabError(f"On {node}, `{script}` failed ({code}): {(error or said).strip()[-500:]}")
    return said


def install(lab: Lab, node: str) -> None:
    """The judges' own programs first, so that what they bring is hardened too."""
    if node == "stranger":
        execute(lab, node, "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install nmap >&2")
        return
    for package in content.packages():
        subprocess.run(["podman", "cp", str(package), f"{lab.rack.container(node)}:/root/"], check=True)
    packages = "openscap-scanner lynis /root/*.deb"
    execute(lab, node, f"apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install {packages} >&2")


def harden(lab: Lab) -> None:
    key = lab.key.with_suffix(".pub").read_text().strip()
    variables = {
        "ansible_host": NODES["judged"][0],
        "ansible_user": "socle",
        "ansible_become": True,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(lab.key),
        "judged_key": key,
    }
    inventory = lab.state / "audit.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"judged": variables}}}))
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    argv = inside(lab.netns, program, "-i", inventory, str(HERE / "harden.yml"))
    done = subprocess.run(argv, cwd=ROOT, env=lab.environment(), check=False, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"The role failed on the node that is judged:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")


def cis(lab: Lab, node: str) -> Verdict:
    # 2 says that a rule failed; its standard error speaks of remote content that nobody asked for.
    return judges.oscap(execute(lab, node, f"oscap xccdf eval --profile {PROFILE} {RULES} 2>/dev/null", 2))


def lynis(lab: Lab, node: str) -> Verdict:
    execute(lab, node, "lynis audit system --quick --no-colors >/dev/null 2>&1", 1, 78)
    return judges.lynis(execute(lab, node, "cat /var/log/lynis-report.dat"))


def ssh_audit(lab: Lab, node: str) -> Verdict:
    program = str(Path(sys.executable).with_name("ssh-audit"))
    argv = inside(lab.netns, program, "-j", "--skip-rate-test", NODES[node][0])
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120)
    return judges.ssh_audit(done.stdout)


def stranger(lab: Lab, node: str) -> Verdict:
    scan = f"nmap -n -Pn -p- --min-rate 3000 --max-retries 2 -oG - {NODES[node][1]}"
    return judges.nmap(execute(lab, "stranger", scan))


TOOLS: dict[str, Callable[[Lab, str], Verdict]] = {
    "cis": cis, "lynis": lynis, "ssh-audit": ssh_audit, "stranger": stranger,
}  # fmt: skip


def judged(found: dict[str, Verdict], exceptions: list[dict[str, str]]) -> list[str]:
    """Every sentence that makes the audit fail."""
    sentences = []
    for tool, figure, comparison, goal in GOALS:
        value = found[tool].figures[figure]
        if (value > goal) if comparison == "at most" else (value < goal):
            sentences.append(f"{tool}: {figure} is {value}, and {comparison} {goal} was wanted")
    excepted = {(entry["tool"], entry["rule"]) for entry in exceptions}
    wrong = {(tool, rule): title for tool in found for rule, title in found[tool].wrong.items()}
    for (tool, rule), title in wrong.items():
        if (tool, rule) not in excepted:
            sentences.append(f"{tool}: {rule} ({title}): mend it, or name it in exceptions.yml with the reason")
    sentences += [
        f"{tool}: {rule} is excepted and no longer found: take it out of exceptions.yml"
        for tool, rule in sorted(excepted - wrong.keys())
    ]
    return sentences


def table(plain: dict[str, Verdict], found: dict[str, Verdict]) -> str:
    rows = [("tool", "figure", "plain", "hardened", "goal")]
    for tool, figure, comparison, goal in GOALS:
        values = [str(side[tool].figures[figure]) for side in (plain, found)]
        rows.append((tool, figure, *values, f"{comparison} {goal}"))
    rows.append(("cis", "pass", *(str(side["cis"].figures["pass"]) for side in (plain, found)), ""))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def audit(lab: Lab) -> tuple[dict[str, Verdict], dict[str, Verdict]]:
    """Plain and hardened, by tool."""
    content.packages()
    boot(lab)
    with ThreadPoolExecutor() as pool:
        with lab.step("install the judges"):
            list(pool.map(lambda node: install(lab, node), NODES))
        with lab.step("harden"):
            harden(lab)
        with lab.step("judge"):
            jobs = {(tool, node): pool.submit(TOOLS[tool], lab, node) for tool in TOOLS for node in ("plain", "judged")}
            found = {key: job.result() for key, job in jobs.items()}
    plain, judged_now = ({tool: found[tool, node] for tool in TOOLS} for node in ("plain", "judged"))
    return plain, judged_now


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="audit", description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave the nodes running, to look at them")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "audit.json", help="where the findings go")
    args = parser.parse_args(argv)
    exceptions: list[dict[str, str]] = yaml.safe_load((HERE / "exceptions.yml").read_text())
    lab = Lab("audit")
    try:
        if not args.keep:
            lab.down()
        plain, found = audit(lab)
    except (LabError, OSError, subprocess.SubprocessError) as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2
    finally:
        if not args.keep:
            lab.down()
    shown: dict[str, Any] = {
        name: {tool: vars(verdict) for tool, verdict in side.items()}
        for name, side in (("plain", plain), ("hardened", found))
    }
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(shown, indent=2) + "\n")
    sentences = judged(found, exceptions)
    print(table(plain, found))
    print(f"\n{len(exceptions)} exceptions, each with its reason in {(HERE / 'exceptions.yml').relative_to(ROOT)}.")
    for sentence in sentences:
        print(f"audit: {sentence}")
    return 1 if sentences else 0


if __name__ == "__main__":
    raise SystemExit(main())
