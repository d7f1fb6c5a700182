# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real etcd and a real API server on loopback, with what kubeadm itself writes beside them."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest
from ansible_collections.socle.platform.plugins.module_utils._cluster import machine
from ansible_collections.socle.platform.plugins.module_utils._cluster.call import Client
from ansible_collections.socle.platform.plugins.module_utils._cluster.machine import Places
from ansible_collections.socle.platform.plugins.module_utils._cluster.state import State

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab" / "artefacts"))

from labmirror.catalogue import Catalogue, Image, Repository, catalogue  # no installed package
from labmirror.mirror import Mirror, architecture, cache_folder  # as above
from labmirror.trouble import Trouble  # as above
from labmirror.upstream import Upstream  # as above

VERSION = "1.36.3"
ARTEFACTS = Path(__file__).resolve().parents[1] / "lab" / "artefacts"


def programs(folder: Path) -> Path:
    """etcd, its tools, the API server and kubeadm: what is not in the lab's mirror yet is fetched or built."""
    upstream = None if os.environ.get("SOCLE_UPSTREAM") == "never" else Upstream()
    mirror = Mirror(cache_folder(), ARTEFACTS / "go", architecture(), upstream)
    whole = catalogue("1.36", mirror.arch)
    wanted = tuple(
        item for item in whole.items if isinstance(item, Image) and re.search(r"/(etcd|kube-apiserver):", item.name)
    )
    try:
        mirror.fill(Catalogue(whole.minor, whole.kubernetes, wanted))
        kubeadm = _kubeadm(mirror, whole, folder)
    except Trouble as error:
        absent(str(error))
    for image in wanted:
        record = mirror.store.record(image.name)
        assert record is not None and record.descriptor is not None, image.name
        manifest = json.loads(mirror.store.blob(record.descriptor.digest).read_bytes())
        if "manifests" in manifest:
            own = next(item for item in manifest["manifests"] if mirror.store.blob(item["digest"]).is_file())
            manifest = json.loads(mirror.store.blob(own["digest"]).read_bytes())
        for layer in manifest["layers"]:
            unpack(mirror.store.blob(layer["digest"]), folder)
    shutil.copy2(kubeadm, folder / "kubeadm")
    return folder


def _kubeadm(mirror: Mirror, whole: Catalogue, folder: Path) -> Path:
    """Out of its package, or built alone where the mirror has no packages: all of them take much longer."""
    (repository,) = (item for item in whole.items if isinstance(item, Repository))
    record = mirror.store.record(repository.name)
    found = [name for name in record.files if "/kubeadm_" in name] if record else []
    if record and found and shutil.which("dpkg-deb"):
        subprocess.run(["dpkg-deb", "-x", mirror.store.file(found[0]), folder / "deb"], check=True)
        return folder / "deb" / "usr" / "bin" / "kubeadm"
    (package,) = (package for package in repository.packages if package.name == "kubeadm")
    (program,) = package.programs.values()
    with mirror.alone():
        return mirror.tools().build(program)


def absent(why: str) -> NoReturn:
    if os.environ.get("SOCLE_REQUIRE_LAB"):
        pytest.fail(why)
    pytest.skip(why)


def unpack(layer: Path, folder: Path) -> None:
    wanted = {"etcd", "etcdctl", "etcdutl", "kube-apiserver"}
    with tarfile.open(layer) as archive:
        for entry in archive:
            name = Path(entry.name).name
            content = archive.extractfile(entry) if entry.isfile() and name in wanted else None
            if content is not None:
                with (folder / name).open("wb") as handle:
                    shutil.copyfileobj(content, handle)
                (folder / name).chmod(0o755)


def free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def until(what: str, probe: Callable[[], Any], seconds: float = 90) -> Any:
    end = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        select.select([], [], [], 0.1)


@dataclass
class Control:
    """One control plane's files and processes."""

    name: str
    address: str
    folder: Path
    client: int
    peer: int
    api: int
    process: subprocess.Popen[bytes] | None = None
    server: subprocess.Popen[bytes] | None = None

    @property
    def places(self) -> Places:
        return Places(self.folder / "kubernetes", self.folder / "kubelet", self.folder / "etcd")

    @property
    def pki(self) -> Path:
        return self.places.pki

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.client}"

    @property
    def peer_url(self) -> str:
        return f"https://{self.address}:{self.peer}"

    def state(self) -> State:
        return machine.look(self.name, self.address, self.places, runner=silent, timeout=5.0)


@dataclass
class Site:
    """Three control planes on three loopback addresses; each is started when a test wants it."""

    bin: Path
    folder: Path
    controls: dict[str, Control] = field(default_factory=dict)

    def make(self, names: tuple[str, ...] = ("c1", "c2", "c3")) -> None:
        # Below /8 every address is this machine's own; another test's site takes others.
        net = f"127.{os.getpid() % 250 + 1}.{next(_SITES)}"
        for number, name in enumerate(names, 1):
            address = f"{net}.{number}"
            ports = (free_port(address) for _unused in range(3))
            self.controls[name] = Control(name, address, self.folder / name, *ports)
        self.certificates()
        for control in self.controls.values():
            self.manifests(control)

    def certificates(self) -> None:
        """By kubeadm: the CAs once, everything else for each machine."""
        authority: Path | None = None
        for control in self.controls.values():
            control.pki.joinpath("etcd").mkdir(parents=True)
            for name in ("ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub"):
                if authority:
                    shutil.copy(authority / name, control.pki / name)
            for name in ("ca.crt", "ca.key"):
                if authority:
                    shutil.copy(authority / "etcd" / name, control.pki / "etcd" / name)
            authority = authority or control.pki
            self.kubeadm(control, "init", "phase", "certs", "all")
            for name in ("admin", "super-admin"):
                where = ("--kubeconfig-dir", str(control.places.kubernetes))
                self.kubeadm(control, "init", "phase", "kubeconfig", name, *where)

    def kubeadm(self, control: Control, *words: str) -> str:
        sans = json.dumps([control.address])
        # kubeadm takes no loopback address for its own; what it advertises is not used here.
        config = "\n---\n".join(
            [
                "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
                "localAPIEndpoint: {advertiseAddress: 192.0.2.11}\n"
                f"nodeRegistration: {{name: {control.name}, criSocket: 'unix:///run/none.sock'}}",
                "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
                # Keys of the default kind take seconds each on a machine that is busy.
                f"encryptionAlgorithm: ECDSA-P256\nkubernetesVersion: v{VERSION}\ncertificatesDir: {control.pki}\n"
                f"controlPlaneEndpoint: '{control.address}:{control.api}'\n"
                f"apiServer: {{certSANs: {sans}}}\n"
                f"etcd: {{local: {{serverCertSANs: {sans}, peerCertSANs: {sans}}}}}",
            ]
        )
        path = control.folder / "kubeadm.yaml"
        path.write_text(config)
        (control.folder / "dry").mkdir(exist_ok=True)
        argv = [self.bin / "kubeadm", *words, "--config", path]
        where = {**os.environ, "KUBEADM_INIT_DRYRUN_DIR": str(control.folder / "dry")}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=where)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def manifests(self, control: Control) -> None:
        """What kubeadm would write, with this machine's own ports in it."""
        folder = control.places.kubernetes / "manifests"
        folder.mkdir()
        for part, phase in (("etcd", ("etcd", "local")), ("kube-apiserver", ("control-plane", "apiserver"))):
            self.kubeadm(control, "init", "phase", *phase, "--dry-run")
            text = next((control.folder / "dry").rglob(f"{part}.yaml")).read_text()
            text = re.sub(r"--listen-client-urls=\S+", f"--listen-client-urls={control.url}", text)
            text = re.sub(r"--advertise-address=\S+", f"--advertise-address={control.address}", text)
            text = re.sub(r"--secure-port=\S+", f"--secure-port={control.api}", text)
            (folder / f"{part}.yaml").write_text(text)

    def start(self, *names: str, state: str = "new", among: tuple[str, ...] = ()) -> None:
        among = among or tuple(self.controls)
        for name in names:
            control = self.controls[name]
            etcd = control.pki / "etcd"
            listed = ",".join(f"{other}={self.controls[other].peer_url}" for other in among)
            argv = [
                self.bin / "etcd",
                f"--name={name}",
                f"--data-dir={control.places.etcd}",
                f"--listen-client-urls={control.url}",
                f"--advertise-client-urls={control.url}",
                f"--listen-peer-urls={control.peer_url}",
                f"--initial-advertise-peer-urls={control.peer_url}",
                f"--initial-cluster={listed}",
                f"--initial-cluster-state={state}",
                *("--client-cert-auth=true", "--peer-client-cert-auth=true", "--logger=zap"),
                *(f"--cert-file={etcd}/server.crt", f"--key-file={etcd}/server.key"),
                *(f"--peer-cert-file={etcd}/peer.crt", f"--peer-key-file={etcd}/peer.key"),
                *(f"--trusted-ca-file={etcd}/ca.crt", f"--peer-trusted-ca-file={etcd}/ca.crt"),
            ]
            with (control.folder / "etcd.log").open("ab") as log:
                control.process = subprocess.Popen(argv, stdout=log, stderr=log)

    def started(self, *names: str) -> None:
        """Start all of them and wait until each commits."""
        self.start(*names)
        for name in names:
            until(f"etcd of {name}", lambda name=name: self.controls[name].state().etcd.healthy)

    def kill(self, *names: str) -> None:
        for name in names:
            end(self.controls[name].process)
            self.controls[name].process = None

    def serve(self, name: str) -> None:
        """The API server of one control plane."""
        control = self.controls[name]
        pki = control.pki
        argv = [
            self.bin / "kube-apiserver",
            f"--etcd-servers={control.url}",
            f"--etcd-cafile={pki}/etcd/ca.crt",
            f"--etcd-certfile={pki}/apiserver-etcd-client.crt",
            f"--etcd-keyfile={pki}/apiserver-etcd-client.key",
            *(f"--bind-address={control.address}", f"--secure-port={control.api}"),
            *(f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key"),
            f"--client-ca-file={pki}/ca.crt",
            *("--authorization-mode=Node,RBAC", "--service-cluster-ip-range=10.96.0.0/12"),
            *("--endpoint-reconciler-type=none", "--service-account-issuer=https://kubernetes.default.svc"),
            *(f"--service-account-key-file={pki}/sa.pub", f"--service-account-signing-key-file={pki}/sa.key"),
        ]
        with (control.folder / "apiserver.log").open("ab") as log:
            control.server = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "GOMAXPROCS": "2"})
        until("the API server", lambda: control.state().api.ready, 180)

    def bind(self, name: str) -> None:
        """The administrator's rights, that kubeadm gives by the emergency file."""
        control = self.controls[name]
        url, identity = machine.kubeconfig(control.places.kubernetes / "super-admin.conf")
        binding = {
            "metadata": {"name": "kubeadm:cluster-admins"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "kubeadm:cluster-admins"}],
        }
        with Client(url, identity, 30.0) as client:
            client.json("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)

    def etcdctl(self, name: str, *words: str) -> Any:
        control = self.controls[name]
        folder = control.pki / "etcd"
        argv = [self.bin / "etcdctl", "--endpoints", control.url, "--cacert", folder / "ca.crt"]
        argv += ["--cert", folder / "server.crt", "--key", folder / "server.key", "-w", "json", "--hex", *words]
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else done.stdout

    def stop(self) -> None:
        for control in self.controls.values():
            end(control.server)
            end(control.process)


def silent(_argv: Sequence[str]) -> str:
    """No packages, no daemons: they are not what is looked at here."""
    return ""


_SITES = iter(range(1, 250))


def sites(binaries: Path, folder: Path, names: tuple[str, ...]) -> Iterator[Site]:
    made = Site(binaries, folder)
    try:
        made.make(names)
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


PLANTED = "a-value-that-nobody-else-writes " * 200


def planted(site: Site) -> Control:
    """A cluster of one with a value in it."""
    site.start("c1", among=("c1",))
    control = site.controls["c1"]
    until("etcd", lambda: control.state().etcd.healthy)
    site.etcdctl("c1", "put", "planted", PLANTED)
    return control


def end(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.kill()
        process.wait()
