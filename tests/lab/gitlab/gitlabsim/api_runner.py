# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner's side: verify, ask for a job, send its trace, finish."""

from __future__ import annotations

import zlib
from typing import Any

from .base import Answer, Call, bad, forbidden, missing, route, said
from .world import now

INTERVAL = "3"


def _known(call: Call) -> dict[str, Any]:
    token = call.params.get("token") or call.headers.get("RUNNER-TOKEN")
    for row in call.world.runners:
        if token and row["token"] == token:
            return row
    raise forbidden()


def _seen(call: Call, row: dict[str, Any]) -> None:
    system = str(call.params.get("system_id") or "")
    info = call.params.get("info") or {}
    row["contacted_at"], row["status"], row["online"] = now(), "online", True
    row["managers"][system] = {
        "id": row["managers"].get(system, {}).get("id") or call.world.id(), "system_id": system,
        "version": info.get("version"), "platform": info.get("platform"), "contacted_at": now(), "status": "online",
    }  # fmt: skip


@route("POST", "/runners", anonymous=True)
def register(call: Call) -> Answer:
    """With tokens for registration, which new servers do not have any more."""
    raise said(410, "410 Gone - runner registration disallowed")


@route("POST", "/runners/verify", anonymous=True)
def verify(call: Call) -> Answer:
    call.need("token")
    row = _known(call)
    _seen(call, row)
    return Answer(200, {"id": row["id"], "token": row["token"], "token_expires_at": None})


@route("GET", "/runners/router/discovery", anonymous=True)
def discovery(call: Call) -> Answer:
    return Answer(501, {"message": "501 Not Implemented"})


@route("DELETE", "/runners", anonymous=True)
def unregister(call: Call) -> Answer:
    call.world.runners.remove(_known(call))
    return Answer(204)


@route("DELETE", "/runners/managers", anonymous=True)
def unregister_manager(call: Call) -> Answer:
    row = _known(call)
    call.need("system_id")
    if row["managers"].pop(call.params["system_id"], None) is None:
        raise missing("")
    return Answer(204)


@route("POST", "/jobs/request", anonymous=True)
def request(call: Call) -> Answer:
    row = _known(call)
    _seen(call, row)
    stamp = str(len(call.world.jobs))
    if not row["paused"] and call.params.get("last_update") != stamp:
        for job in call.world.jobs:
            if job["state"] == "pending" and _may(row, job):
                job.update(state="running", runner=row["id"], trace=b"")
                return Answer(201, _told(job))
    return Answer(204, headers={"X-GitLab-Last-Update": stamp})


def _may(row: dict[str, Any], job: dict[str, Any]) -> bool:
    if row["access_level"] == "ref_protected" and not job["protected"]:
        return False
    if not job["tags"]:
        return bool(row["run_untagged"])
    return set(job["tags"]) <= set(row["tag_list"])


def _told(job: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": job["id"], "token": job["token"], "allow_git_fetch": True,
        "job_info": {"name": job["name"], "stage": "test", "project_id": 1, "project_name": "shop"},
        "git_info": {"repo_url": "", "ref": "main", "sha": "0" * 40, "before_sha": "0" * 40, "ref_type": "branch",
                     "refspecs": [], "depth": 0, "protected": job["protected"]},
        "runner_info": {"timeout": 3600},
        "variables": [{"key": "GIT_STRATEGY", "value": "none", "public": True, "masked": False, "raw": True}],
        "steps": [{"name": "script", "script": job["script"], "timeout": 3600, "when": "on_success",
                   "allow_failure": False}],
        "image": None, "services": [], "artifacts": [], "cache": [], "credentials": [], "dependencies": [],
        "features": {"trace_sections": True, "token_mask_prefixes": ["glpat-", "glrt-"], "failure_reasons": []},
    }  # fmt: skip


def _job(call: Call) -> dict[str, Any]:
    token = call.params.get("token") or call.headers.get("JOB-TOKEN")
    for job in call.world.jobs:
        if str(job["id"]) == call.ids["job"]:
            if job["token"] != token or job["state"] != "running":
                raise forbidden()
            return job
    raise missing("")


@route("PATCH", "/jobs/:job/trace", anonymous=True)
def trace(call: Call) -> Answer:
    job = _job(call)
    given = call.headers.get("Content-Range", "")
    if "-" not in given:
        raise bad("Missing header Content-Range")
    start = int(given.split("-")[0])
    size = len(job["trace"])
    if start != size:
        return Answer(416, {"message": "416 Range Not Satisfiable"}, {"Range": f"0-{size}"})
    job["trace"] += call.raw
    headers = {
        "Job-Status": "running",
        "Range": f"0-{len(job['trace'])}",
        "X-GitLab-Trace-Update-Interval": INTERVAL,
    }
    return Answer(202, {"message": "202 Accepted"}, headers)


@route("PUT", "/jobs/:job", anonymous=True)
def update(call: Call) -> Answer:
    job = _job(call)
    state = call.params.get("state")
    if state in ("success", "failed"):
        told = (call.params.get("output") or {}).get("checksum")
        if told and told != f"crc32:{zlib.crc32(job['trace']):08x}":
            raise said(412, "412 Precondition Failed")
        job.update(state=state, exit_code=call.params.get("exit_code"), reason=call.params.get("failure_reason"))
    return Answer(200, 200, {"Job-Status": job["state"]})
