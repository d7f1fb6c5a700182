# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""What is there on one machine, of packages, daemons, files, etcd and the API. It only reads."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import etcd, kube, wal, x509
from .call import TIMEOUT, Identity, pem
from .log import last_reason
from .state import BOOTSTRAP, CONTROL_PLANE, FINISHED, MADE, NONE, Api, Certificate, Cluster, Etcd, State
from .versions import plain

# argv -> what it prints; nothing when there is no such program
Runner = Callable[[Sequence[str]], str]

FILES = {
    "ca": "ca.crt",
    "front-proxy-ca": "front-proxy-ca.crt",
    "etcd-ca": "etcd/ca.crt",
    "apiserver": "apiserver.crt",
    "apiserver-kubelet-client": "apiserver-kubelet-client.crt",
    "apiserver-etcd-client": "apiserver-etcd-client.crt",
    "front-proxy-client": "front-proxy-client.crt",
    "etcd-server": "etcd/server.crt",
    "etcd-peer": "etcd/peer.crt",
    "etcd-healthcheck-client": "etcd/healthcheck-client.crt",
}
CONFS = ("admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf")
LEFTOVERS = (*CONFS, "kubelet.conf", "bootstrap-kubelet.conf")
DAY = 86400


@dataclass(frozen=True)
class Places:
    kubernetes: Path = Path("/etc/kubernetes")
    kubelet: Path = Path("/var/lib/kubelet")
    etcd: Path = Path("/var/lib/etcd")

    @property
    def pki(self) -> Path:
        return self.kubernetes / "pki"


def run(argv: Sequence[str]) -> str:
    if not shutil.which(argv[0]):
        return ""
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False).stdout
    except subprocess.TimeoutExpired:
        return ""


def look(
    name: str, address: str = "", places: Places | None = None, runner: Runner = run, timeout: float = TIMEOUT
) -> State:
    """The state of this machine, whose Node has `name`."""
    places = places or Places()
    manifests = dict(_manifests(places))
    authority = places.pki / "ca.crt"
    api, cluster = _api(places, name, address, timeout)
    found = State(
        name=name,
        address=address,
        packages=_packages(runner),
        units=_units(runner),
        admin_conf=(places.kubernetes / "admin.conf").is_file(),
        kubelet_conf=_kubelet_conf(places),
        kubelet_config=(places.kubelet / "config.yaml").is_file(),
        leftovers=tuple(_leftovers(places)),
        manifests={part: _image(text) for part, text in manifests.items()},
        authority=_fingerprint(authority),
        authority_key=all((places.pki / key).is_file() for key in ("ca.key", "etcd/ca.key")),
        certificates=tuple(_certificates(places)),
        etcd=_etcd(places, manifests.get("etcd", ""), timeout),
        api=api,
        cluster=cluster,
    )
    return replace(found, reason=_reason(found, runner))


def _packages(runner: Runner) -> dict[str, str]:
    names = ("kubeadm", "kubelet", "kubectl", "containerd")
    told = runner(("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n", *names, "containerd.io"))
    rows = [line.split() for line in told.splitlines()]
    found = {row[0].split(".")[0]: plain(row[1]) for row in rows if len(row) == 3 and row[2] == "installed"}
    # containerd may come from its release as well.
    said = re.search(r"\bv?(\d+\.\d+\.\d+)", runner(("containerd", "--version")))
    return {name: found.get(name, "") for name in names} | ({"containerd": said[1]} if said else {})


def _units(runner: Runner) -> dict[str, str]:
    """`active`, `activating`, `inactive`, `failed`; empty when there is no such unit."""
    found = {}
    for unit in ("containerd", "kubelet"):
        rows = runner(("systemctl", "show", "-p", "LoadState,ActiveState", unit)).splitlines()
        told = dict(row.split("=", 1) for row in rows if "=" in row)
        found[unit] = told.get("ActiveState", "") if told.get("LoadState") == "loaded" else ""
    return found


def _manifests(places: Places) -> Iterator[tuple[str, str]]:
    for part in CONTROL_PLANE:
        path = places.kubernetes / "manifests" / f"{part}.yaml"
        if path.is_file():
            yield part, path.read_text(errors="replace")


def _image(manifest: str) -> str:
    found = re.search(r"^\s*image:\s*[\"']?\S+:([^\s\"'@]+)", manifest, re.MULTILINE)
    return plain(found[1]) if found else ""


def flag(manifest: str, name: str) -> str:
    """A flag of the command in a static pod's manifest."""
    found = re.search(rf"^\s*-\s*[\"']?--{re.escape(name)}=([^\s\"']+)", manifest, re.MULTILINE)
    return found[1] if found else ""


def _kubelet_conf(places: Places) -> str:
    conf = places.kubernetes / "kubelet.conf"
    if not conf.is_file():
        return BOOTSTRAP if (places.kubernetes / "bootstrap-kubelet.conf").is_file() else NONE
    text = conf.read_text(errors="replace")
    if "client-certificate-data:" in text:
        config = places.kubelet / "config.yaml"
        # A kubelet that does not renew its own certificate stays with the one that it was given.
        kept = config.is_file() and re.search(r"^rotateCertificates:\s*false", config.read_text(), re.MULTILINE)
        return FINISHED if kept else MADE
    shown = _entry(text, "client-certificate")
    return FINISHED if shown and Path(shown).is_file() else NONE


def _entry(kubeconfig: str, name: str) -> str:
    """kubeadm writes kubeconfigs with one cluster and one user, each entry on a line."""
    found = re.search(rf"^\s*(?:-\s+)?{re.escape(name)}:\s*[\"']?([^\s\"']+)", kubeconfig, re.MULTILINE)
    return found[1] if found else ""


def _data(kubeconfig: str, name: str) -> bytes:
    """An entry of a kubeconfig, given in it or as a path."""
    given = _entry(kubeconfig, f"{name}-data")
    if given:
        return base64.b64decode(given)
    path = _entry(kubeconfig, name)
    return Path(path).read_bytes() if path else b""


def _leftovers(places: Places) -> Iterator[str]:
    """What the preflight checks of kubeadm refuse to find, and what a reset has to take away."""
    yield from (
        str(path) for path in sorted((places.kubernetes / "manifests").glob("*.yaml")) if path.stem in CONTROL_PLANE
    )
    yield from (str(path) for name in LEFTOVERS if (path := places.kubernetes / name).is_file())
    if any(path.suffix in (".crt", ".key") for path in places.pki.rglob("*")):
        yield str(places.pki)
    if (places.kubelet / "config.yaml").is_file() and any((places.kubelet / "pki").glob("kubelet-client-*")):
        yield str(places.kubelet / "config.yaml")
    if wal.has_data(places.etcd):
        yield str(places.etcd / "member")


def _fingerprint(path: Path) -> str:
    try:
        return hashlib.sha256(x509.der(path.read_bytes())).hexdigest()
    except (OSError, ValueError):
        return ""


def _certificates(places: Places) -> Iterator[Certificate]:
    for name, file in FILES.items():
        path = places.pki / file
        yield from _certificate(name, path, Path.read_bytes)
    for name in CONFS:
        yield from _certificate(name, places.kubernetes / name, _shown)
    yield from _certificate("kubelet", places.kubernetes / "kubelet.conf", _shown)
    for file in ("kubelet-server-current.pem", "kubelet.crt"):
        path = places.kubelet / "pki" / file
        if path.is_file():
            yield from _certificate("kubelet-server", path, Path.read_bytes)
            break


def _shown(kubeconfig: Path) -> bytes:
    return _data(kubeconfig.read_text(), "client-certificate")


def _certificate(name: str, path: Path, content: Callable[[Path], bytes]) -> Iterator[Certificate]:
    if not path.is_file():
        return
    try:
        leaf = x509.read(x509.der(content(path)))
    except (OSError, ValueError) as error:
        # A damaged certificate serves as little as one that has ended, and is made anew in the same way.
        yield Certificate(name, str(path), subject=f"unreadable: {error}", days=-1.0)
        return
    days = round((leaf.ends - time.time()) / DAY, 2)
    yield Certificate(name, str(path), leaf.subject, leaf.issuer, leaf.ends, days)


def _etcd(places: Places, manifest: str, timeout: float) -> Etcd:
    data = wal.has_data(places.etcd)
    told = Etcd()
    if manifest:
        identity, reason = etcd_identity(places)
        told = etcd.ask(etcd_url(manifest), identity, timeout) if identity else Etcd(reason=reason)
    if told.answers:
        return replace(told, data=data)
    own = wal.identity(places.etcd)
    return Etcd(data=data, member=own.member, cluster=own.cluster, index=own.index, reason=told.reason)


def etcd_url(manifest: str) -> str:
    return flag(manifest, "listen-client-urls").split(",")[0] or "https://127.0.0.1:2379"


def etcd_identity(places: Places) -> tuple[Identity | None, str]:
    folder = places.pki / "etcd"
    client = folder / "healthcheck-client"
    try:
        return Identity(pem(folder / "ca.crt"), pem(client.with_suffix(".crt")), pem(client.with_suffix(".key"))), ""
    except OSError as error:
        return None, f"etcd cannot be asked: {error.filename}: {(error.strerror or '').lower()}"


def _api(places: Places, name: str, address: str, timeout: float) -> tuple[Api, Cluster]:
    """A control plane asks its own server as administrator, a worker the one of its kubelet, as that."""
    own = places.kubernetes / "manifests" / "kube-apiserver.yaml"
    admin = own.is_file()
    try:
        url, identity = kubeconfig(places.kubernetes / ("admin.conf" if admin else "kubelet.conf"))
    except (OSError, ValueError) as error:
        return Api(reason=f"the API server cannot be asked: {error}" if admin else ""), Cluster()
    if admin:
        manifest = own.read_text(errors="replace")
        url = api_url(flag(manifest, "advertise-address") or address, manifest)
    return kube.ask(url, identity, "" if admin else name, timeout)


def kubeconfig(path: Path) -> tuple[str, Identity]:
    """The server that it names, and as whom it is asked."""
    text = path.read_text()
    parts = (_data(text, name) for name in ("certificate-authority", "client-certificate", "client-key"))
    return _entry(text, "server"), Identity(*parts)


def api_url(host: str, manifest: str) -> str:
    """Of the API server on a control plane; all of them listen on the same port."""
    return f"https://{f'[{host}]' if ':' in host else host}:{flag(manifest, 'secure-port') or 6443}"


def _reason(state: State, runner: Runner) -> str:
    """The log is read only where something is wrong: it is the slow part."""
    node = next((node for node in state.cluster.nodes if node.name == state.name), None)
    if not state.units.get("kubelet") or (state.units["kubelet"] == "active" and node and node.ready):
        return ""
    return last_reason(runner(("journalctl", "-u", "kubelet", "-n", "300", "-o", "cat", "--no-pager")))


__all__ = ["Places", "Runner", "api_url", "etcd_identity", "etcd_url", "flag", "kubeconfig", "look", "run"]
