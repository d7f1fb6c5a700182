# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real kube-apiserver on loopback, with its etcd and its controllers, and without any node: see README.md."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

sys.path.insert(0, str(Path(__file__).resolve().parent))
from apiserver_programs import programs  # it lies beside this file

CONTROLLERS = (
    "namespace-controller,deployment-controller,replicaset-controller,job-controller,disruption-controller,"
    "garbage-collector-controller,serviceaccount-controller,daemonset-controller,statefulset-controller"
)
AUDIT = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: None, users: ["system:apiserver", "system:kube-controller-manager"]}
  - {level: Metadata}
"""
# A program that does not answer by then is broken; the machine may be very busy.
PATIENCE = 180.0


class NotStarted(Exception):
    """The control plane did not come up; what its log says."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM."""

    certificate: str
    key: str


class Authority:
    """A certificate authority of one run."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "socle-lab")])
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        self._certificate = builder.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, name: str, group: str = "", server: bool = False) -> Pair:
        """A certificate for a user (`group` as Kubernetes reads it), or for a server on loopback."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        names += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
        builder = self._builder(x509.Name(names), key.public_key())
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if server:
            hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        return Pair(signed.public_bytes(serialization.Encoding.PEM).decode(), private(key))

    def _builder(self, name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
        )


def private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """A key as PEM."""
    kind = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()


@dataclass
class Cluster:
    """A running control plane."""

    folder: Path
    host: str
    authority: Authority = field(repr=False)
    admin: Pair = field(repr=False)
    token: str = field(repr=False)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)
    _read: int = 0

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, with a client certificate."""
        return self.folder / "admin.conf"

    @property
    def ca_path(self) -> Path:
        return self.folder / "ca.crt"

    def kubeconfig_for(self, user: dict[str, Any]) -> dict[str, Any]:
        """A kubeconfig for any kind of user entry."""
        ca = base64.b64encode(self.authority.pem.encode()).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": {"server": self.host, "certificate-authority-data": ca}}],
            "users": [{"name": "me", "user": user}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
            "current-context": "lab",
        }

    def certificate_user(self, pair: Pair) -> dict[str, str]:
        return {
            "client-certificate-data": base64.b64encode(pair.certificate.encode()).decode(),
            "client-key-data": base64.b64encode(pair.key.encode()).decode(),
        }

    def call(
        self, method: str, path: str, body: Any = None, content: str = "application/json", ok: Sequence[int] = ()
    ) -> Any:
        """Ask the server itself, by nothing that is under test."""
        context = ssl.create_default_context(cadata=self.authority.pem)
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content, "User-Agent": "witness"}
        request = urllib.request.Request(self.host + path, data, headers, method=method)  # noqa: S310 - of this run
        try:
            with urllib.request.urlopen(request, context=context, timeout=60) as answer:  # noqa: S310 - as above
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            told = error.read().decode()
            if error.code in ok:
                return None
            raise AssertionError(f"{method} {path}: {error.code} {told}") from None

    def get(self, path: str) -> Any:
        """The object, or None where there is none."""
        return self.call("GET", path, ok=(404,))

    def requests(self) -> list[dict[str, Any]]:
        """What the server was asked since the last call of this, by its own audit log, less what `call` asks."""
        with (self.folder / "audit.log").open("rb") as log:
            log.seek(self._read)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        events = [json.loads(line) for line in whole.splitlines()]
        return [
            {"verb": e["verb"], "uri": e["requestURI"], "code": e.get("responseStatus", {}).get("code"),
             "agent": e.get("userAgent", ""), "user": e["user"].get("username", "")}
            for e in events
            if e.get("userAgent") != "witness"
        ]  # fmt: skip

    def work(self) -> float:
        """Processor seconds that the programs have used."""
        rows = [Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split() for process in self.processes]
        return sum(int(row[11]) + int(row[12]) for row in rows) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End every process, the last started first."""
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def writes(requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that could change something: dry runs cannot."""
    verbs = ("create", "update", "patch", "delete", "deletecollection")
    return [told for told in requests if told["verb"] in verbs and "dryRun=All" not in told["uri"]]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _unused in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def running(minor: str = "", controllers: str = CONTROLLERS) -> Iterator[Cluster]:
    """A control plane from nothing, and nothing of it afterwards."""
    binaries = programs(minor, lambda line: print(line, file=sys.stderr))
    folder = Path(tempfile.mkdtemp(prefix="socle-apiserver-"))
    cluster: Cluster | None = None
    try:
        for attempt in (1, 2, 3):
            try:
                cluster = _start(binaries, folder / str(attempt), controllers)
                break
            except NotStarted:
                # Somebody may have taken a port between the choice and its use.
                if attempt == 3:
                    raise
        assert cluster
        yield cluster
    finally:
        if cluster:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _start(binaries: dict[str, Path], folder: Path, controllers: str) -> Cluster:
    folder.mkdir(parents=True)
    client, peer, port, manager = free_ports(4)
    authority = Authority()
    server = authority.issue("kube-apiserver", server=True)
    admin = authority.issue("admin", "system:masters")
    service = rsa.generate_private_key(65537, 2048)
    token = "witness-" + base64.b32encode(x509.random_serial_number().to_bytes(20, "big")).decode().lower()
    cluster = Cluster(folder, f"https://127.0.0.1:{port}", authority, admin, token)
    files = {
        "ca.crt": authority.pem, "server.crt": server.certificate, "server.key": server.key, "sa.key": private(service),
        "tokens.csv": f"{token},witness,witness,system:masters\n", "audit.yml": AUDIT,
        "admin.conf": yaml.safe_dump(cluster.kubeconfig_for(cluster.certificate_user(admin))),
        "manager.conf": yaml.safe_dump(cluster.kubeconfig_for(cluster.certificate_user(
            authority.issue("system:kube-controller-manager", "system:masters")))),
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    try:
        _launch(cluster, binaries["etcd"], [
            f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn", "--name=lab",
            f"--listen-client-urls=http://127.0.0.1:{client}", f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=lab=http://127.0.0.1:{peer}",
        ])  # fmt: skip
        _launch(cluster, binaries["kube-apiserver"], [
            f"--etcd-servers=http://127.0.0.1:{client}", "--bind-address=127.0.0.1", f"--secure-port={port}",
            f"--tls-cert-file={folder / 'server.crt'}", f"--tls-private-key-file={folder / 'server.key'}",
            f"--client-ca-file={folder / 'ca.crt'}", f"--token-auth-file={folder / 'tokens.csv'}",
            f"--service-account-key-file={folder / 'sa.key'}", "--service-account-issuer=https://lab.example",
            f"--service-account-signing-key-file={folder / 'sa.key'}", "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC", "--endpoint-reconciler-type=none", "--v=1",
            f"--audit-policy-file={folder / 'audit.yml'}", f"--audit-log-path={folder / 'audit.log'}",
        ])  # fmt: skip
        _until_ready(cluster)
        if controllers:
            _launch(cluster, binaries["kube-controller-manager"], [
                f"--kubeconfig={folder / 'manager.conf'}", f"--controllers={controllers}", "--leader-elect=false",
                f"--service-account-private-key-file={folder / 'sa.key'}", f"--root-ca-file={folder / 'ca.crt'}",
                "--bind-address=127.0.0.1", f"--secure-port={manager}", "--use-service-account-credentials=false",
                f"--cert-dir={folder / 'manager'}",
            ])  # fmt: skip
            _until(cluster, lambda: cluster.get("/api/v1/namespaces/default/serviceaccounts/default") is not None,
                   "the controllers to make the account of namespace default")  # fmt: skip
    except BaseException:
        cluster.stop()
        raise
    cluster.requests()
    return cluster


def _launch(cluster: Cluster, program: Path, arguments: list[str]) -> None:
    # It does not outlive whoever started it, however that ends.
    argv = ["setpriv", "--pdeathsig", "KILL", str(program), *arguments]
    with (cluster.folder / f"{program.name}.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=cluster.folder)
    cluster.processes.append(process)


def _until_ready(cluster: Cluster) -> None:
    def ready() -> bool:
        try:
            return cluster.call("GET", "/api/v1/namespaces/default", ok=(401, 403, 404, 500, 503)) is not None
        except (OSError, AssertionError):
            return False

    _until(cluster, ready, "kube-apiserver to answer and to have its namespaces")


def _until(cluster: Cluster, done: Any, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        dead = [p for p in cluster.processes if p.poll() is not None]
        if dead or time.monotonic() > end:
            logs = "\n".join(
                f"{path.name}:\n{path.read_text(errors='replace')[-2000:]}" for path in cluster.folder.glob("*.log")
                if path.name != "audit.log"
            )  # fmt: skip
            raise NotStarted(f"waited for {what}; {len(dead)} processes ended:\n{logs}")
        select.select([], [], [], 0.1)
