# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnostics as sentences, and what to do."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._terraform.errors import failure, lock_in, sentence


def diagnostic(summary: str, detail: str = "", **more: Any) -> dict[str, Any]:
    return {"severity": "error", "summary": summary, "detail": detail, **more}


def test_a_diagnostic_becomes_one_line_with_resource_and_place() -> None:
    """Would catch the 300 lines around an error, or an error that does not say where."""
    one = diagnostic(
        "Error creating Instance",
        "googleapi: Error 409: already exists\n\nDetails:\n" + "noise\n" * 300,
        address="module.layer.google_sql_database_instance.main",
        range={"filename": "layer/main.tf", "start": {"line": 12}},
    )
    assert sentence(one) == (
        "google_sql_database_instance.main (main.tf:12): Error creating Instance: googleapi: Error 409: already exists"
    )
    block = diagnostic("Unsupported argument", snippet={"context": 'data "aws_vpc" "main"'}, range={"filename": "a.tf"})
    assert sentence(block).startswith("data.aws_vpc.main (a.tf): Unsupported argument")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("403: Permission 'container.clusters.create' denied on resource", "permission container.clusters.create"),
        ("Required 'compute.networks.create' permission for 'projects/p'", "permission compute.networks.create"),
        (
            "User: arn:aws:iam::1:user/ci is not authorized to perform: ecs:CreateCluster on resource: *",
            "permission ecs:CreateCluster",
        ),
        ("scaleway-sdk-go: insufficient permissions: write cluster", "permission write cluster"),
        ("Error 403: Quota 'CPUS' exceeded. Limit: 8.0 in region europe-west1.", "higher quota"),
        ("LimitExceeded: VpcLimitExceeded: The maximum number of VPCs has been reached.", "higher quota"),
        ("ExpiredToken: The security token included in the request is expired", "have expired"),
        ("oauth2: cannot fetch token: invalid_grant", "have expired"),
        ("google: could not find default credentials.", "give credentials"),
        ("No valid credential sources found", "give credentials"),
        ("Compute Engine API has not been used in project 1 before. SERVICE_DISABLED", "switch that API on"),
        ("Instance type m7g.large is not supported in this region", "take another region"),
        ("googleapi: Error 403: Permission denied on 'locations/mars-1' (or it may not exist).", "take another region"),
        ("Error 403: Location mars-1 is not found or access is unauthorized.", "take another region"),
        ("request send failed: dial tcp: lookup ecs.mars-1.amazonaws.com: no such host", "take another region"),
        ("invalid AWS Region: mars-1", "take another region"),
        ("ZONE_RESOURCE_POOL_EXHAUSTED: the zone does not have enough resources available", "another zone"),
        ("the SSO session has expired or is invalid", "have expired"),
        ("api error InvalidClientTokenId: The security token included in the request is invalid", "have expired"),
        ("api error ThrottlingException: Rate exceeded", "slows this account down"),
        ("The CIDR '10.0.0.0/16' overlaps with the peer's", "do not overlap"),
        ("BucketAlreadyOwnedByYou: 409", "take it over with `imports`"),
        ("Cannot destroy cluster because deletion_protection is set to true.", "deletion protection to false"),
        ("Saved plan is stale", "run again"),
    ],
)  # fmt: skip
def test_what_to_do_follows_from_what_clouds_say(text: str, hint: str) -> None:
    """Would catch a quota, a missing permission or an expired token without its next step."""
    assert hint in failure([diagnostic("Error", text)], "applying").hint


def test_equal_diagnostics_are_said_once_and_many_are_counted() -> None:
    """Would catch forty lines for one cause."""
    said = failure([diagnostic(f"Error {number % 7}") for number in range(40)], "applying").sentence
    assert said.count("Error") == 5 and "and 2 more" in said


def test_an_end_without_a_word_is_said_so() -> None:
    """Would catch an empty error."""
    assert failure([], "planning").sentence == "planning failed: it ended without saying why"
    assert "signal" in failure([], "applying", "it was ended by signal 9").sentence


@pytest.mark.parametrize("created", ["2026-11-21 15:06:24.531883 +0000 UTC", "2026-11-21T15:06:24.5Z"])
def test_a_lock_tells_who_and_since_when(created: str) -> None:
    """Would catch a lock explained with the wrong holder or time."""
    told = ("ID:        abc", "Who:       ada@host", "Operation: OperationTypeApply", f"Created:   {created}")
    detail = "Error message: x\nLock Info:\n  " + "\n  ".join(told) + "\n"
    lock = lock_in([diagnostic("Error acquiring the state lock", detail)])
    assert lock is not None and lock.identity == "abc"
    now = datetime(2026, 11, 21, 16, 6, 24, tzinfo=timezone.utc)
    assert lock.sentence(now) == "the state is locked by ada@host (apply) since 2026-11-21 15:06:24 UTC, 60 min ago"


def test_a_lock_over_http_is_the_holder_s_and_not_our_own() -> None:
    """Would catch our own request shown as the holder: the http backend describes that beside the holder's id."""
    detail = "HTTP remote state already locked: ID=theirs\nLock Info:\n  ID:        ours\n  Who:       me@here\n"
    lock = lock_in([diagnostic("Error acquiring the state lock", detail)])
    assert lock is not None and (lock.identity, lock.who) == ("theirs", "")


def test_no_lock_is_seen_where_there_is_none() -> None:
    """Would catch every error taken for a lock."""
    assert lock_in([diagnostic("Error", "ID: 5\nWho: x")]) is None
