# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Where the API is and how to log in, out of a module's parameters or a kubeconfig.

What kubeconfigs usually hold is read here: importing the `kubernetes` library costs a task half a second. It is asked
where its work begins: login programs (exec) and login providers.
"""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._objects import AdapterError
from .._values import bare

Headers = Callable[[], Mapping[str, str]]

IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Access:
    """Everything a connection needs. `headers` is asked before each request: a login may have to be renewed."""

    host: str
    tls: ssl.SSLContext | None = None
    headers: Headers = field(default=dict)
    server_name: str = ""
    proxy: str = ""
    namespace: str = ""
    origin: str = ""


class NoAccess(AdapterError):
    """It cannot be said where the API is, or how to log in."""


def access(parameters: Mapping[str, Any]) -> Access:
    """What the parameters say, else what the environment says, else the cluster that this runs in."""
    if parameters.get("gke") or parameters.get("eks"):
        from . import clouds

        return clouds.access(parameters)
    if parameters.get("host"):
        return _direct(parameters)
    if parameters.get("kubeconfig_data"):
        return from_kubeconfig(_parsed(bare(parameters["kubeconfig_data"])), parameters, Path.cwd(), "kubeconfig_data")
    path = _path(parameters)
    if path is not None:
        return from_kubeconfig(_parsed_file(path), parameters, path.parent, str(path))
    if os.environ.get("KUBERNETES_SERVICE_HOST") and (IN_CLUSTER / "token").is_file():
        return _in_cluster(parameters)
    raise NoAccess(
        "no cluster: neither host nor kubeconfig is given, there is no ~/.kube/config, and this is no pod",
        "set kubeconfig to a file, or host with token and ca_path",
    )


def _path(parameters: Mapping[str, Any]) -> Path | None:
    named = parameters.get("kubeconfig") or ""
    if named:
        return Path(named).expanduser()
    home = Path("~/.kube/config").expanduser()
    listed = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if len(listed) > 1:
        raise NoAccess(
            f"KUBECONFIG names {len(listed)} files", "set kubeconfig to the one that is meant: they are not merged"
        )
    if listed:
        return Path(listed[0]).expanduser()
    return home if home.is_file() else None


def _parsed_file(path: Path) -> Mapping[str, Any]:
    try:
        return _parsed(path.read_text(), str(path))
    except OSError as error:
        raise NoAccess(
            f"kubeconfig {path}: {error.strerror}", "give the path of a kubeconfig that can be read"
        ) from None


def _parsed(data: Any, origin: str = "kubeconfig_data") -> Mapping[str, Any]:
    if isinstance(data, str):
        import yaml

        try:
            data = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
        except yaml.YAMLError:
            # The parser's own sentence quotes the text, and with it a key.
            raise NoAccess(f"{origin}: it is not YAML", "give a kubeconfig") from None
    if not isinstance(data, Mapping) or "clusters" not in data:
        raise NoAccess(f"{origin}: it is no kubeconfig, it names no clusters", "give a kubeconfig")
    return data


def _named(config: Mapping[str, Any], kind: str, name: str, origin: str) -> Mapping[str, Any]:
    entries = {str(entry.get("name")): entry.get(kind) or {} for entry in config.get(f"{kind}s") or []}
    if name not in entries:
        there = ", ".join(sorted(entries)) or "none"
        raise NoAccess(f"{origin}: there is no {kind} {name!r}; there are: {there}", "correct `context`")
    found: Mapping[str, Any] = entries[name]
    return found


def from_kubeconfig(config: Mapping[str, Any], parameters: Mapping[str, Any], base: Path, origin: str) -> Access:
    """The access that one context of a kubeconfig gives."""
    name = str(parameters.get("context") or config.get("current-context") or "")
    if not name:
        raise NoAccess(f"{origin}: it has no current context", "set `context`")
    context = _named(config, "context", name, origin)
    cluster = _named(config, "cluster", str(context.get("cluster")), origin)
    user = _named(config, "user", str(context.get("user")), origin) if context.get("user") else {}
    if not cluster.get("server"):
        raise NoAccess(f"{origin}: cluster {context.get('cluster')} has no server", "give a whole kubeconfig")
    if "exec" in user or "auth-provider" in user:
        headers, certificate = _by_library(config, name, base, origin)
    else:
        headers, certificate = _login(user, base, origin), _pair(user, base, origin)
    verify = parameters.get("validate_certs", True) and not cluster.get("insecure-skip-tls-verify")
    authority = _text(cluster, "certificate-authority", base, origin)
    if parameters.get("ca_path"):
        authority = read(Path(parameters["ca_path"]), "ca_path")
    host = str(cluster["server"]).rstrip("/")
    return Access(
        host,
        tls_context(authority, certificate, verify=bool(verify)) if host.startswith("https") else None,
        headers,
        str(cluster.get("tls-server-name") or ""),
        str(cluster.get("proxy-url") or ""),
        str(context.get("namespace") or ""),
        f"context {name} of {origin}",
    )


def _direct(parameters: Mapping[str, Any]) -> Access:
    host = str(parameters["host"]).rstrip("/")
    host = host if "://" in host else f"https://{host}"
    authority = read(Path(parameters["ca_path"]), "ca_path") if parameters.get("ca_path") else ""
    certificate = None
    if parameters.get("client_cert") and parameters.get("client_key"):
        certificate = (
            read(Path(parameters["client_cert"]), "client_cert"),
            read(Path(parameters["client_key"]), "client_key"),
        )
    verify = bool(parameters.get("validate_certs", True))
    tls = tls_context(authority, certificate, verify=verify) if host.startswith("https") else None
    token = str(bare(parameters.get("token", "")))
    return Access(host, tls, bearer(lambda: token) if token else dict, origin=host)


def _in_cluster(parameters: Mapping[str, Any]) -> Access:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    host = f"[{host}]" if ":" in host else host
    tls = tls_context(read(IN_CLUSTER / "ca.crt", "in-cluster"), verify=bool(parameters.get("validate_certs", True)))
    namespace = read(IN_CLUSTER / "namespace", "in-cluster").strip()
    # The kubelet renews the token's file.
    headers = bearer(lambda: read(IN_CLUSTER / "token", "in-cluster").strip())
    return Access(f"https://{host}:{port}", tls, headers, namespace=namespace, origin="the cluster that this runs in")


def bearer(token: Callable[[], str]) -> Headers:
    return lambda: {"Authorization": f"Bearer {token()}"}


def _login(user: Mapping[str, Any], base: Path, origin: str) -> Headers:
    if user.get("token"):
        return bearer(lambda: str(user["token"]))
    if user.get("tokenFile"):
        return bearer(lambda: read(base / str(user["tokenFile"]), origin).strip())
    if user.get("username"):
        pair = base64.b64encode(f"{user['username']}:{user.get('password', '')}".encode()).decode()
        return lambda: {"Authorization": f"Basic {pair}"}
    return dict


def _pair(user: Mapping[str, Any], base: Path, origin: str) -> tuple[str, str] | None:
    certificate = _text(user, "client-certificate", base, origin)
    key = _text(user, "client-key", base, origin)
    return (certificate, key) if certificate and key else None


def _text(entry: Mapping[str, Any], name: str, base: Path, origin: str) -> str:
    """A PEM text given as a path or, base64, as data."""
    data = entry.get(f"{name}-data")
    if data:
        try:
            return base64.b64decode(str(data)).decode()
        except ValueError:
            raise NoAccess(f"{origin}: {name}-data is not base64", "give a whole kubeconfig") from None
    return read(base / str(entry[name]), f"{origin}: {name}") if entry.get(name) else ""


def read(path: Path, origin: str) -> str:
    try:
        return path.expanduser().read_text()
    except OSError as error:
        raise NoAccess(f"{origin}: {path}: {error.strerror}", "give a file that can be read") from None


def tls_context(authority: str = "", pair: tuple[str, str] | None = None, *, verify: bool = True) -> ssl.SSLContext:
    """How the server proves itself, and we do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if authority:
            context.load_verify_locations(cadata=authority)
        elif verify:
            context.load_default_certs()
        if pair:
            _load_pair(context, pair)
    except ssl.SSLError as error:
        raise NoAccess(
            f"a certificate or key of the login is not usable: {error.reason or error}", "renew it"
        ) from None
    return context


def _load_pair(context: ssl.SSLContext, pair: tuple[str, str]) -> None:
    # OpenSSL reads a key from a file only; nobody else can read this one, and it is gone at once.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as handle:
        handle.write("\n".join((pair[0], pair[1])))
        handle.flush()
        context.load_cert_chain(handle.name)


def _by_library(
    config: Mapping[str, Any], context: str, base: Path, origin: str
) -> tuple[Headers, tuple[str, str] | None]:
    """Login by a program or a provider, as the `kubernetes` library does it, with its renewals."""
    try:
        from kubernetes.client import Configuration
        from kubernetes.config.kube_config import KubeConfigLoader
    except ImportError:
        raise NoAccess(
            f"{origin}: its login is a program (exec) or a provider, and the Python library kubernetes is missing",
            "install it, or give a token",
        ) from None
    target = Configuration()
    try:
        loader: Any = KubeConfigLoader
        loader(dict(config), active_context=context, config_base_path=str(base)).load_and_set(target)
    except Exception as error:  # noqa: BLE001 - the library raises many kinds, and each is a login that failed
        raise NoAccess(f"{origin}: login failed: {error}", "try `kubectl get --raw /version` with it") from None

    def headers() -> Mapping[str, str]:
        told = target.get_api_key_with_prefix("authorization") or target.get_api_key_with_prefix("BearerToken")
        if told:
            return {"Authorization": told if " " in told else f"Bearer {told}"}
        basic = target.get_basic_auth_token() if target.username else None
        return {"Authorization": basic} if basic else {}

    pair = None
    if target.cert_file and target.key_file:
        pair = (Path(target.cert_file).read_text(), Path(target.key_file).read_text())
    if not pair and not headers():
        raise NoAccess(
            f"{origin}: its login program gave neither a token nor a certificate", "run the program by hand and see why"
        )
    return headers, pair
