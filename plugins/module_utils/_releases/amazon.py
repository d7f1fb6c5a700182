# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""AWS through boto3: clients of one task, and errors as sentences."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping
from typing import Any

from .._objects import AdapterError, TransientError, UncertainError

# A write must have ended before anybody may count on it: a call that hangs is given up after this.
TIMEOUT = 20
BUSY = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "ServerException",
        "ServiceUnavailable",
        "InternalFailure",
        "InternalError",
        "UpdateInProgressException",
        "ResourceInUse",
    }
)
EXPIRED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "AuthFailure",
    }
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AccessDeniedFault"})
FULL = frozenset({"LimitExceededException", "ServiceQuotaExceededException", "TooManyTargets", "TooManyRules"})


def missing_libraries() -> list[tuple[str, str | None]]:
    """For an Adapter's `requires`."""
    try:
        import boto3  # noqa: F401 - whether it is there
    except ImportError:
        return [("boto3", traceback.format_exc())]
    return []


class Amazon:
    """The clients of one region."""

    def __init__(self, region: str, endpoint: str = "", profile: str = "") -> None:
        self.region, self.endpoint, self.profile = region, endpoint, profile
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    def client(self, api: str) -> Any:
        if api not in self._clients:
            import boto3
            from botocore.config import Config

            self._session = self._session or boto3.Session(
                region_name=self.region or None, profile_name=self.profile or None
            )
            # Whether a write is tried again is decided by what the cloud says, never by the library.
            config = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": 1})
            self._clients[api] = self._session.client(api, endpoint_url=self.endpoint or None, config=config)
        return self._clients[api]

    def call(self, api: str, operation: str, what: str, **parameters: Any) -> dict[str, Any]:
        """`operation` as boto3 names it (describe_services)."""
        reads = operation.startswith(("describe_", "list_", "get_"))
        try:
            found = getattr(self.client(api), operation)(**parameters)
        except Exception as error:  # noqa: BLE001 - of botocore, which may be missing here
            raise refused(error, what, reads) from None
        return dict(found)


def refused(error: Exception, what: str, reads: bool) -> AdapterError:
    """The API's own sentence, and what to do about it."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        return _answered(response.get("Error", {}), what, reads)
    name, said = type(error).__name__, f"{what}: {error}"
    if name in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"):
        return AdapterError(said, "sign in where Ansible runs (aws sso login), or set AWS_PROFILE")
    if name in ("TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError"):
        return AdapterError(said, "sign in again (aws sso login); the next run goes on from here")
    if name in ("EndpointConnectionError", "NoRegionError", "InvalidRegionError"):
        return AdapterError(said, "correct the region: it may not have this service; or look at the network")
    if name in ("ParamValidationError", "AttributeError"):
        return AdapterError(said, "boto3 is too old for this call: update it")
    return TransientError(said) if reads else UncertainError(said, "the next run goes on from where the cloud is")


def _answered(error: Mapping[str, Any], what: str, reads: bool) -> AdapterError:
    code, message = str(error.get("Code") or ""), str(error.get("Message") or error.get("message") or "")
    said = f"{what}: {message or 'refused without a word'} ({code})"
    if code in BUSY:
        return TransientError(said, "AWS slows this account down for now")
    if code in EXPIRED:
        return AdapterError(said, "the credentials have expired or are none: sign in again; nothing is lost")
    if code in DENIED:
        named = re.search(r"perform: ([\w:-]+)", message)
        return AdapterError(said, f"allow {named.group(1) if named else 'it'} to whoever runs this")
    if code in FULL or "quota" in message.lower():
        return AdapterError(said, "a quota of the account is used up: have it raised, or remove what is not needed")
    if code.isdigit() and int(code) >= 500:
        return TransientError(said) if reads else UncertainError(said)
    return AdapterError(said)
