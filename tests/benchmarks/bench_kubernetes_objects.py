# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`kubernetes_objects` beside `kubernetes.core.k8s` on one real kube-apiserver: whole playbooks, and requests counted.

Theirs is what its documentation shows: a task in a loop over the objects, and the faster form, one task that is given
them all as a list. The loop costs the same for each object; a part of them is measured and multiplied.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab" / "apiserver"))
from apiserver import Cluster, running

ROOT = Path(__file__).resolve().parents[2]
COUNT, LOOPED, RUNS = 500, 25, 3


def configmaps(space: str, count: int = COUNT) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"c{number:04d}", "namespace": space, "labels": {"example.org/set": space}},
            "data": {"number": str(number), "text": "the same words in each of them"},
        }
        for number in range(count)
    ]


def ours(cluster: Cluster, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    return {"socle.platform.kubernetes_objects": {"kubeconfig": str(cluster.kubeconfig), "objects": bodies}}


def as_list(cluster: Cluster, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kubernetes.core.k8s": {"kubeconfig": str(cluster.kubeconfig), "definition": bodies}}


def ours_of_file(cluster: Cluster, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "socle.platform.kubernetes_objects": {"kubeconfig": str(cluster.kubeconfig), "files": [file(cluster, bodies)]}
    }


def theirs_of_file(cluster: Cluster, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    return {"kubernetes.core.k8s": {"kubeconfig": str(cluster.kubeconfig), "src": file(cluster, bodies)}}


def file(cluster: Cluster, bodies: list[dict[str, Any]]) -> str:
    path = cluster.folder / "objects.yml"
    path.write_text(yaml.safe_dump_all(bodies))
    return str(path)


def as_loop(cluster: Cluster, bodies: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kubernetes.core.k8s": {"kubeconfig": str(cluster.kubeconfig), "definition": "{{ item }}"},
        "loop": bodies,
        "loop_control": {"label": "{{ item.metadata.name }}"},
    }


@dataclass(frozen=True)
class Cost:
    """What a playbook took from its start to its end; `work` is processor time, its own and the server's."""

    seconds: float
    work: float
    requests: int


def work_done(cluster: Cluster) -> float:
    """Processor seconds of all programs that this one has waited for, and of the server's."""
    mine = resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + cluster.work()


def play(cluster: Cluster, task: dict[str, Any], changed: bool) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "book.yml"
        book.write_text(
            yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [{"name": "T", **task}]}])
        )
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        }
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(book)]
        cluster.requests()
        before = work_done(cluster)
        begin = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        seconds, spent = time.monotonic() - begin, work_done(cluster) - before
    if done.returncode or (" changed=0 " not in done.stdout) is not changed:
        raise RuntimeError(done.stdout[-3000:] + done.stderr[-3000:])
    return Cost(seconds, spent, len(cluster.requests()))


Form = Callable[[Cluster, list[dict[str, Any]]], dict[str, Any]]
FORMS: dict[str, Form] = {
    "ours, file": ours_of_file, "ours, list": ours, "theirs, list": as_list, "theirs, file": theirs_of_file
}  # fmt: skip


class Rounds:
    """Each form in turn, several times: what else the machine does meets all of them."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.costs: dict[tuple[str, str], list[Cost]] = {}
        self.spaces = iter(f"bench-{number}" for number in range(1000))

    def fresh(self) -> str:
        space = next(self.spaces)
        self.cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": space}})
        return space

    def measure(self, name: str, form: Form, what: str, bodies: list[dict[str, Any]]) -> None:
        cost = play(self.cluster, form(self.cluster, bodies), what == "new")
        self.costs.setdefault((name, what), []).append(cost)

    def median(self, name: str, what: str, of: str = "seconds") -> float:
        return statistics.median(getattr(cost, of) for cost in self.costs[name, what])


def run() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with running() as cluster:
        rounds = Rounds(cluster)
        for _unused in range(RUNS):
            for name, form in FORMS.items():
                bodies = configmaps(rounds.fresh())
                rounds.measure(name, form, "new", bodies)
                rounds.measure(name, form, "unchanged", bodies)
        looped = configmaps(rounds.fresh(), LOOPED)
        play(cluster, as_list(cluster, looped), changed=True)
        rounds.measure("loop", as_loop, "unchanged", looped)
        rounds.measure("nothing", as_loop, "unchanged", [])

    def row(what: str, mine: str, other: str, note: str = "") -> None:
        name = f"Kubernetes: {COUNT} {what} objects, {mine} beside {other}"
        rows.append({"name": name, "ours": rounds.median(mine, what), "theirs": rounds.median(other, what), "unit": "s",
                     "runs": RUNS, "note": note or "median"})  # fmt: skip

    none = rounds.median("nothing", "unchanged")
    loop = none + (rounds.median("loop", "unchanged") - none) * COUNT / LOOPED
    rows.append({
        "name": f"Kubernetes: {COUNT} unchanged objects, ours, file beside their loop",
        "ours": rounds.median("ours, file", "unchanged"), "theirs": loop, "unit": "s", "runs": RUNS,
        "note": f"the loop once on {LOOPED}, times {COUNT // LOOPED}; a playbook that does nothing: {none:.1f} s",
    })  # fmt: skip
    for what in ("unchanged", "new"):
        row(what, "ours, file", "theirs, list")
        row(what, "ours, file", "theirs, file")
        row(what, "ours, list", "theirs, list", "most of ours is Ansible reading the playbook")
        for unit, of in (("processor s", "work"), ("requests", "requests")):
            mine, other = (rounds.median(name, what, of) for name in ("ours, file", "theirs, list"))
            name = f"Kubernetes: {COUNT} {what} objects, ours, file beside theirs, list"
            note = "the playbook's and the server's" if of == "work" else "that the server saw"
            rows.append({"name": name, "ours": mine, "theirs": other, "unit": unit, "runs": RUNS, "note": note})
    return rows
