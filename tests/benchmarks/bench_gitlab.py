# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`gitlab_configuration` beside community.general's modules on the same simulator: projects where nothing has changed.

Theirs is what their documentation shows: a task for each kind of object, in a loop over the projects.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab" / "gitlab"))

from bench_proxmox_machines import play, row
from gitlabsim.server import GitLab  # the simulator is a program of its own
from gitlabsim.world import ADMIN_TOKEN

HUNDRED = 100
# Theirs costs the same for each further project, and a loop over a hundred takes many minutes.
FEW = 6


@contextmanager
def server() -> Iterator[GitLab]:
    made = GitLab().start()
    made.world.group("cater")
    try:
        yield made
    finally:
        made.stop()


def ours(made: GitLab, count: int) -> list[dict[str, Any]]:
    projects = [
        {
            "path": f"cater/app-{number:03d}",
            "default_branch": "main",
            "description": "An app",
            "settings": {"merge_method": "ff"},
            "protected_branches": [{"name": "main", "push": ["nobody"], "merge": ["maintainers"]}],
            "variables": [{"key": "WHERE", "text": "here"}, {"key": "WHERE", "scope": "production", "text": "there"}],
        }
        for number in range(count)
    ]
    task = {"api_url": made.url, "api_token": ADMIN_TOKEN, "projects": projects}
    return [{"name": "Projects", "socle.platform.gitlab_configuration": task}]


def theirs(made: GitLab, count: int) -> list[dict[str, Any]]:
    common = {"api_url": made.url, "api_token": ADMIN_TOKEN}
    loop = [f"app-{number:03d}" for number in range(count)]
    variables = [{"name": "WHERE", "value": "here"}]
    variables.append({"name": "WHERE", "value": "there", "environment_scope": "production"})
    project = {
        "name": "{{ item }}", "path": "{{ item }}", "group": "cater", "description": "An app", "merge_method": "ff",
        "initialize_with_readme": True, "default_branch": "main",
    }  # fmt: skip
    branch = {
        "project": "cater/{{ item }}", "name": "main", "merge_access_levels": "maintainer",
        "push_access_level": "nobody",
    }  # fmt: skip
    tasks: list[dict[str, Any]] = [
        {"community.general.gitlab_project": {**common, **project}},
        {"community.general.gitlab_protected_branch": {**common, **branch, "merge_access_levels": "maintainer"}},
        {
            "community.general.gitlab_project_variable": {
                **common,
                "project": "cater/{{ item }}",
                "variables": variables,
            }
        },
    ]
    return [{"name": f"Step {number}", **task, "loop": loop} for number, task in enumerate(tasks)]


def second_run() -> list[dict[str, Any]]:
    with server() as made:
        play(ours(made, HUNDRED))
        made.forget()
        mine, stats = min((play(ours(made, HUNDRED)) for _unused in range(3)), key=lambda found: found[0])
        asked = len(made.requests()) // 3
        if stats["changed"] != "0" or made.writes():
            raise RuntimeError(f"the second run changed something: {stats}")
        play(theirs(made, FEW))
        counted = []
        for count in (1, FEW):
            made.forget()
            seconds, stats = play(theirs(made, count))
            counted.append((seconds, len(made.requests())))
    (one, first), (few, all_of_them) = counted
    other = one + (few - one) / (FEW - 1) * (HUNDRED - 1)
    others = round(first + (all_of_them - first) / (FEW - 1) * (HUNDRED - 1))
    note = f"theirs on 1 and {FEW}, and the difference for each of the others; changed={stats['changed']}"
    return [
        row(f"GitLab: {HUNDRED} projects unchanged", mine, other, "s", note, 3),
        row(f"GitLab: {HUNDRED} projects unchanged, requests", asked, others, "requests", note, 3),
    ]


def run() -> list[dict[str, Any]]:
    return second_run()
