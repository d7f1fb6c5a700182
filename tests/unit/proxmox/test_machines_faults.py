# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens during a run, one more clean run makes the world what was asked for, with nothing twice or left."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._values import Secret

from .lab import Cluster, EngineError, Machine, absent, machine

LONG = bool(os.environ.get("SOCLE_LONG"))
NAMES = ("web1", "web2", "db3", "db4")

FAULTS: list[dict[str, Any]] = [
    {"kind": "latency", "seconds": 1.5},
    *(
        {"kind": "status", "status": status, "after": after}
        for status in (500, 502, 503, 595, 596, 599)
        for after in (0, 1)
    ),
    {"kind": "reset", "after": False},
    {"kind": "reset", "after": True},
    {"kind": "task-error", "text": "command 'lvcreate' failed: exit code 5"},
    {"kind": "task-error", "text": "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout"},
    {"kind": "task-dies"},
    {"kind": "lock-stays"},
    {"kind": "no-quorum"},
    {"kind": "node-down", "node": "pve1"},
    {"kind": "expired-ticket"},
    {"kind": "storage-full", "storage": "shared"},
]
SEEDS = range(240 if LONG else 24)


def desired(dice: random.Random) -> list[Machine]:
    """Some of the machines, of random sizes; the others absent."""
    found = []
    for name in NAMES:
        if dice.random() < 0.75:
            found.append(machine(name, cores=dice.randint(1, 4), disks=[{"size": f"{dice.randint(10, 12)} GiB"}]))
        else:
            found.append(absent(name))
    return found


def once_more(cluster: Cluster, wanted: list[Machine]) -> None:
    """One clean run, with disks at least as large as they have become, and what it must have led to."""
    for item in wanted:
        if item["state"] == "present":
            item["disks"] = [{"size": "12 GiB"}]
    clean = cluster.run(wanted, deadline=30)
    if "is a dead clone and keeps its lock" in clean.message:
        # A worker that dies leaves a lock that no token may take away: root does.
        as_root = {"api_password": Secret("secret"), "api_token_id": None, "api_token_secret": None}
        clean = cluster.run(wanted, **as_root)
    assert clean.message == "", clean.message
    assert cluster.problems([m["name"] for m in wanted if m["state"] == "present"]) == []
    assert not cluster.run(wanted).changed


@pytest.mark.parametrize("seed", SEEDS)
def test_every_fault_at_a_random_request_is_survived(tmp_path: Path, seed: int) -> None:
    """The fault strikes at the n-th request of a run that makes, changes and removes machines."""
    dice = random.Random(seed)
    cluster = Cluster(tmp_path)
    cluster.template()
    try:
        if dice.random() < 0.5:
            cluster.run(desired(dice))
            cluster.settle()
        fault = {**FAULTS[seed % len(FAULTS)]}
        if fault["kind"] in ("status", "reset"):
            fault["after"] = bool(fault["after"])
        writes = fault["kind"] not in ("latency", "node-down", "expired-ticket") and dice.random() < 0.8
        fault.update(
            {"method": "POST|PUT|DELETE"} if writes else {}, at=dice.randint(1, 12), times=dice.choice((1, 1, 2))
        )
        cluster.fault(fault.pop("kind"), **fault)
        wanted = desired(dice)
        ticket = {"api_token_id": None, "api_token_secret": None, "api_password": Secret("secret")} if seed % 2 else {}
        with contextlib.suppress(EngineError):
            cluster.run(wanted, deadline=4, **ticket)
        cluster.control("DELETE", "faults")
        cluster.control("POST", "settle")
        for guest in cluster.site.guests.values():
            if guest.conf.get("lock") == "backup":
                # The one lock that only its holder may take away; ours are not forgotten.
                del guest.conf["lock"]
        once_more(cluster, wanted)
    finally:
        cluster.close()


RUNNER = """
import json, sys
sys.path[:0] = [{root!r} + "/tests/unit"]
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
_AnsibleCollectionFinder(paths=[{root!r} + "/playbooks/collections"])._install()
from ansible_collections.socle.platform.plugins.module_utils._proxmox import machine_adapter
from ansible_collections.socle.platform.plugins.module_utils._reconcile import Options, Secret, apply, plan
parameters = json.load(sys.stdin)
parameters["api_token_secret"] = Secret(parameters["api_token_secret"])
parts = machine_adapter.Machines()
reader = parts.reader(parameters)
options = Options(deadline=60, concurrency=4)
print("begun", flush=True)
made = plan(parts.desired(parameters), reader, options)
apply(made, lambda: parts.writer(parameters), reader=reader, options=options)
print("done", flush=True)
"""


def test_a_run_killed_at_any_moment_is_finished_by_the_next(tmp_path: Path, root: Path) -> None:
    """SIGKILL, again and again on the same world: no duplicate, no orphan disk, no lost lock."""
    dice = random.Random(7)
    cluster = Cluster(tmp_path)
    cluster.template()
    cluster.control("POST", "durations", qmclone=0.15, qmstart=0.05, resize=0.05, qmdestroy=0.05)
    kills = 50 if LONG else 6
    died = 0
    try:
        while died < kills:
            wanted = desired(dice)
            parameters = cluster.parameters(wanted)
            parameters["api_token_secret"] = cluster.token
            for item in wanted:
                item.pop("cloud_init", None)
            child = subprocess.Popen(
                [sys.executable, "-c", RUNNER.format(root=str(root))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert child.stdin is not None and child.stdout is not None
            child.stdin.write(json.dumps(parameters))
            child.stdin.close()
            assert child.stdout.readline() == "begun\n"
            time.sleep(dice.uniform(0.02, 0.9))
            child.send_signal(signal.SIGKILL)
            child.wait()
            died += "done" not in child.stdout.read()
            child.stdout.close()
            once_more(cluster, wanted)
            if dice.random() < 0.3:
                cluster.run([absent(name) for name in NAMES])
    finally:
        cluster.close()
