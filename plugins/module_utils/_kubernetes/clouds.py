# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Clusters of clouds: Google's and Amazon's own logins, by their libraries and without their command line tools."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .config import Access, NoAccess, bearer, read, tls_context

GOOGLE = "https://container.googleapis.com/v1"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# A token of EKS is good for 15 minutes.
EKS_TOKEN = 600.0


def access(parameters: Mapping[str, Any]) -> Access:
    """The access to the cluster that `gke` or `eks` names."""
    if parameters.get("gke"):
        return _gke(parameters["gke"], parameters)
    return _eks(parameters["eks"], parameters)


def _access(host: str, authority: str, token: Callable[[], str], parameters: Mapping[str, Any], origin: str) -> Access:
    host = host if "://" in host else f"https://{host}"
    if parameters.get("ca_path"):
        authority = read(Path(parameters["ca_path"]), "ca_path")
    tls = tls_context(authority, verify=bool(parameters.get("validate_certs", True)))
    return Access(host.rstrip("/"), tls, bearer(token), origin=origin)


class Renewed:
    """A token, fetched again when it is old."""

    def __init__(self, fetch: Callable[[], str], seconds: float) -> None:
        self._fetch, self._seconds = fetch, seconds
        self._token, self._until = "", 0.0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            if time.monotonic() >= self._until:
                self._token = self._fetch()
                self._until = time.monotonic() + self._seconds
            return self._token


def _gke(gke: Mapping[str, Any], parameters: Mapping[str, Any]) -> Access:
    origin = f"GKE cluster {gke['cluster']} in {gke['location']} of project {gke['project']}"
    try:
        import google.auth
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import AuthorizedSession, Request
    except ImportError as error:
        raise NoAccess(f"{origin}: a Python library is missing: {error}", "install google-auth and requests") from None
    try:
        credentials = _google(google.auth, gke.get("credentials_file"))
        # Its own test of validity knows how long a token is still good.
        lock = threading.Lock()

        def token() -> str:
            with lock:
                if not credentials.valid:
                    credentials.refresh(Request())
                return str(credentials.token)

        token()
        if gke.get("endpoint"):
            return _access(str(gke["endpoint"]), "", token, parameters, origin)
        path = f"projects/{gke['project']}/locations/{gke['location']}/clusters/{gke['cluster']}"
        web: Any = AuthorizedSession
        answer = web(credentials).get(f"{GOOGLE}/{path}", timeout=60)
    except (GoogleAuthError, OSError) as error:
        raise NoAccess(f"{origin}: login failed: {error}", "check the credentials of this machine") from None
    if answer.status_code != 200:
        raise NoAccess(f"{origin}: Google says {answer.status_code}: {answer.text[:300]}", "check names and rights")
    told = answer.json()
    authority = base64.b64decode(told["masterAuth"]["clusterCaCertificate"]).decode()
    return _access(str(told["endpoint"]), authority, token, parameters, origin)


def _google(library: Any, path: str | None) -> Any:
    if path is None:
        return library.default(scopes=[SCOPE])[0]
    try:
        kind = json.loads(read(Path(path), "gke.credentials_file")).get("type")
    except ValueError:
        raise NoAccess(f"gke.credentials_file: {path}: it is not JSON", "give a file of credentials") from None
    if kind == "service_account":
        from google.oauth2 import service_account

        account: Any = service_account.Credentials
        return account.from_service_account_file(path, scopes=[SCOPE])
    return library.load_credentials_from_file(path, scopes=[SCOPE])[0]


def _eks(eks: Mapping[str, Any], parameters: Mapping[str, Any]) -> Access:
    origin = f"EKS cluster {eks['cluster']} in {eks['region']}"
    try:
        import botocore.exceptions
        import botocore.session
    except ImportError as error:
        raise NoAccess(f"{origin}: a Python library is missing: {error}", "install botocore") from None
    try:
        session = botocore.session.Session(profile=eks.get("profile"))
        if eks.get("role_arn"):
            session = _as_role(session, eks)
        token = Renewed(lambda: eks_token(session, eks["cluster"], eks["region"]), EKS_TOKEN)
        token()
        if eks.get("endpoint"):
            return _access(str(eks["endpoint"]), "", token, parameters, origin)
        client = session.create_client("eks", region_name=eks["region"])
        told = client.describe_cluster(name=eks["cluster"])["cluster"]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise NoAccess(f"{origin}: {error}", "check the AWS credentials, the region and the name") from None
    authority = base64.b64decode(told["certificateAuthority"]["data"]).decode()
    return _access(str(told["endpoint"]), authority, token, parameters, origin)


def _as_role(session: Any, eks: Mapping[str, Any]) -> Any:
    import botocore.session

    client = session.create_client("sts", region_name=eks["region"])
    told = client.assume_role(RoleArn=eks["role_arn"], RoleSessionName="socle-platform")["Credentials"]
    taken = botocore.session.Session()
    taken.set_credentials(told["AccessKeyId"], told["SecretAccessKey"], told["SessionToken"])
    return taken


def eks_token(session: Any, cluster: str, region: str) -> str:
    """What EKS takes as a token: a signed request to say who we are, which the cluster sends in our name."""
    from botocore.signers import RequestSigner

    client = session.create_client("sts", region_name=region)
    credentials = session.get_credentials()
    if credentials is None:
        raise NoAccess(f"EKS cluster {cluster}: there are no AWS credentials", "set them as for any AWS tool")
    identifier = client.meta.service_model.service_id
    signer = RequestSigner(identifier, region, "sts", "v4", credentials, session.get_component("event_emitter"))
    request = {
        "method": "GET",
        "url": f"{client.meta.endpoint_url}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    url = signer.generate_presigned_url(request, region_name=region, expires_in=60, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
