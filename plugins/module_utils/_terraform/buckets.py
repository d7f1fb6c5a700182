# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""The bucket that holds the states: versioned, encrypted, private, made when it is missing."""

from __future__ import annotations

import json
from typing import Any

from .._objects import AdapterError
from .backends import State

GCS = "https://storage.googleapis.com"
TIMEOUT = 30


def exists(state: State) -> bool:
    """Whether the bucket is there and ours to use."""
    return _gcs_exists(state) if state.backend == "gcs" else _s3_exists(state)


def create(state: State) -> None:
    """Make it."""
    if state.backend == "gcs":
        _gcs_create(state)
    else:
        _s3_create(state)


# -- S3, and what speaks its language


def _s3(state: State) -> Any:
    try:
        import boto3
    except ImportError:
        raise AdapterError(
            f"the Python library boto3 is missing, which looks for bucket {state.bucket}",
            "install boto3, or make the bucket yourself and set state.create to false",
        ) from None
    keys = state.credentials()
    return boto3.client(
        "s3",
        region_name=state.options["region"],
        endpoint_url=state.endpoint or None,
        aws_access_key_id=keys[0] if keys else None,
        aws_secret_access_key=keys[1] if keys else None,
    )


def _s3_error(state: State, error: Exception, doing: str) -> AdapterError:
    said = " ".join(str(error).split())
    return AdapterError(
        f"state bucket {state.bucket}: cannot {doing}: {said}",
        "give credentials that may do so, or make the bucket yourself and set state.create to false",
    )


def _s3_exists(state: State) -> bool:
    client = _s3(state)
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client.head_bucket(Bucket=state.bucket)
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
            return False
        raise _s3_error(state, error, "look whether it is there") from None
    except BotoCoreError as error:
        raise _s3_error(state, error, "look whether it is there") from None
    return True


def _s3_create(state: State) -> None:
    client = _s3(state)
    from botocore.exceptions import BotoCoreError, ClientError

    region = state.options["region"]
    # Amazon's first region is the one that must not be named.
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        client.create_bucket(Bucket=state.bucket, **({} if state.backend == "scaleway" else where))
        client.put_bucket_versioning(Bucket=state.bucket, VersioningConfiguration={"Status": "Enabled"})
        if state.backend == "s3" or "kms_key" in state.options:
            rule: dict[str, Any] = {"SSEAlgorithm": "AES256"}
            if "kms_key" in state.options:
                rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": state.options["kms_key"]}
            client.put_bucket_encryption(
                Bucket=state.bucket,
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": True}]
                },
            )
        # A new bucket of Scaleway is private, and it has no further lock on that.
        if state.backend == "s3":
            client.put_public_access_block(
                Bucket=state.bucket,
                PublicAccessBlockConfiguration={
                    "BlockPublicAcls": True,
                    "IgnorePublicAcls": True,
                    "BlockPublicPolicy": True,
                    "RestrictPublicBuckets": True,
                },
            )
    except (BotoCoreError, ClientError) as error:
        raise _s3_error(state, error, "make it") from None


# -- Google Cloud Storage


def _gcs(state: State) -> tuple[Any, str]:
    base = state.endpoint.removesuffix("/storage/v1/").removesuffix("/storage/v1").rstrip("/") or GCS
    try:
        import google.auth
        import google.auth.transport.requests
        import requests
    except ImportError:
        raise AdapterError(
            f"the Python library google-auth (with requests) is missing, which looks for bucket {state.bucket}",
            "install google-auth and requests, or make the bucket yourself and set state.create to false",
        ) from None
    if base != GCS:
        return requests.Session(), base
    try:
        credentials, _project = google.auth.default(scopes=["https://www.googleapis.com/auth/devstorage.full_control"])
    except google.auth.exceptions.GoogleAuthError as error:
        raise AdapterError(
            f"state bucket {state.bucket}: there are no Google credentials: {error}",
            "log in where Ansible runs, or set GOOGLE_APPLICATION_CREDENTIALS",
        ) from None
    return google.auth.transport.requests.AuthorizedSession(credentials), base  # type: ignore[no-untyped-call]  # untyped there


def _gcs_call(state: State, doing: str, method: str, path: str, **more: Any) -> Any:
    session, base = _gcs(state)
    try:
        return session.request(method, f"{base}{path}", timeout=TIMEOUT, **more)
    except Exception as error:  # noqa: BLE001 - of requests or of google-auth, which may be missing here
        raise AdapterError(
            f"state bucket {state.bucket}: cannot {doing}: {error}", "check the network and the credentials"
        ) from None


def _gcs_refused(state: State, doing: str, answer: Any) -> AdapterError:
    try:
        said = answer.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        said = f"HTTP {answer.status_code}"
    return AdapterError(
        f"state bucket {state.bucket}: cannot {doing}: {said}",
        "give credentials that may do so, or make the bucket yourself and set state.create to false",
    )


def _gcs_exists(state: State) -> bool:
    doing = "look whether it is there"
    answer = _gcs_call(state, doing, "GET", f"/storage/v1/b/{state.bucket}")
    if answer.status_code == 404:
        return False
    if answer.status_code != 200:
        raise _gcs_refused(state, doing, answer)
    return True


def _gcs_create(state: State) -> None:
    if not state.options.get("project"):
        raise AdapterError(f"state bucket {state.bucket}: it is not there, and to make it state.project is needed")
    body: dict[str, Any] = {
        "name": state.bucket,
        "versioning": {"enabled": True},
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": True},
            "publicAccessPrevention": "enforced",
        },
    }
    if state.options.get("region"):
        body["location"] = state.options["region"]
    if "kms_key" in state.options:
        body["encryption"] = {"defaultKmsKeyName": state.options["kms_key"]}
    answer = _gcs_call(
        state,
        "make it",
        "POST",
        f"/storage/v1/b?project={state.options['project']}",
        data=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    if answer.status_code not in (200, 201):
        raise _gcs_refused(state, "make it", answer)
