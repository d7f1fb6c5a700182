# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's sentences become the right class, whichever way they come."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from ansible_collections.socle.platform.plugins.module_utils._objects import TransientError, UncertainError
from ansible_collections.socle.platform.plugins.module_utils._proxmox import errors
from ansible_collections.socle.platform.plugins.module_utils._proxmox.tasks import Upid, failure

WHERE = "PUT /nodes/pve1/qemu/100/config at pve1"
LOCK = "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout"


@pytest.mark.parametrize(
    ("status", "reason", "write", "kind"),
    [
        (595, "No route to host", True, errors.Busy),
        (596, "Connection timed out", True, errors.Uncertain),
        (599, "Too many redirections", True, errors.Uncertain),
        (599, "Too many redirections", False, errors.Busy),
        (502, "Bad Gateway", True, errors.Uncertain),
        (503, "Service Unavailable", True, errors.Busy),
        (500, "Internal Server Error", True, errors.Uncertain),
        (500, "Internal Server Error", False, errors.Busy),
        (500, LOCK, True, errors.Busy),
        (500, "VM is locked (backup)", True, errors.Busy),
        (500, "cluster not ready - no quorum?", True, errors.Busy),
        (500, "VM 100 qmp command 'device_add' failed - got timeout", True, errors.Uncertain),
        (500, "checksum mismatch (file change by other user?)", True, errors.Moved),
        (500, "detected modified configuration - file changed by other user? Try again.", True, errors.Moved),
        (500, "storage 'zz' does not exist", True, errors.NotFound),
        (500, "Configuration file 'nodes/pve1/qemu-server/210.conf' does not exist", True, errors.NotFound),
        (500, "unable to create VM 400 - VM 400 already exists on node 'pve1'", True, errors.Exists),
        (403, "Permission check failed (/vms/100, VM.Audit)", True, errors.Denied),
        (403, "Permission check failed (pool 'x' does not exist)", True, errors.Denied),
        (401, "Authentication failed!", True, errors.LoginFailed),
        (400, "Parameter verification failed.", True, errors.Invalid),
        (500, "can't remove VM 202 - protection mode enabled", True, errors.ProxmoxError),
    ],
)
def test_an_answer_becomes_its_class(status: int, reason: str, write: bool, kind: type) -> None:
    """Would catch a retried denial, or a lost answer taken for 'no effect' (and so a second VM)."""
    error = errors.of_answer(status, reason, None, WHERE, write=write)
    assert error.__class__ is kind
    assert error.said.startswith(reason.rstrip(".")) and WHERE in error.sentence


@pytest.mark.parametrize(
    "sentence",
    [LOCK, "VM is locked (clone)", "unable to create VM 401: config file already exists", "storage 'x' does not exist"],
)
def test_the_same_failure_early_or_as_a_tasks_end_is_the_same_class(sentence: str) -> None:
    """Would catch handling only one of the two ways in which the API reports a failure."""
    early = errors.of_answer(500, sentence, None, WHERE, write=True)
    late = failure(Upid.parse("UPID:pve1:0000021B:00050AB7:6B0102C3:qmclone:200:root@pam:"), sentence)
    assert type(early) is type(late)
    assert late.said == sentence and "qmclone 200 on pve1" in late.sentence


def test_a_task_that_ends_in_an_error_carries_its_log_and_a_silent_death_is_uncertain() -> None:
    """Would catch a bare 'task failed', and a dead worker taken for a clean failure."""
    task = Upid.parse("UPID:pve1:0000021B:00050AB7:6B0102C3:qmstart:100:root@pam!ci:")
    log = ("generating cloud-init ISO", "TASK ERROR: start failed: QEMU exited with code 1")
    error = failure(task, "start failed: QEMU exited with code 1", log)
    assert isinstance(error, errors.TaskFailed) and error.log == log and "generating cloud-init ISO" in error.sentence
    assert isinstance(failure(task, "unexpected status"), UncertainError)


def test_a_missing_privilege_says_which_role_where() -> None:
    error = errors.of_answer(
        403, "Permission check failed (/storage/fast, Datastore.AllocateSpace)", None, "", write=True
    )
    assert "Datastore.AllocateSpace on /storage/fast" in error.hint


def test_what_is_not_a_upid_is_said() -> None:
    with pytest.raises(errors.ProxmoxError, match="expected the id of a task, got 'null'"):
        Upid.parse("null")


def test_every_recorded_refusal_has_a_class_and_keeps_its_words(shared: Path) -> None:
    """Real answers: none may be taken for 'try again' but locks and unreachable nodes."""
    seen = 0
    with gzip.open(shared / "pve" / "observed.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            if row["status"] < 400:
                continue
            seen += 1
            body = row["body"] if isinstance(row["body"], dict) else {}
            write = row["method"] != "GET"
            error = errors.of_answer(row["status"], row["reason"], body.get("errors"), WHERE, write=write)
            assert row["reason"].rstrip(".") in error.sentence
            for name in body.get("errors") or {}:
                assert name in error.sentence
            if isinstance(error, (TransientError, UncertainError)):
                assert row["status"] >= 595 or "lock" in row["reason"] or "timeout" in row["reason"], row["reason"]
    assert seen > 100
