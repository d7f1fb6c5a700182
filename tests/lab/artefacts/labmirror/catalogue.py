# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster needs: every program, image, package and file of one Kubernetes minor, each under its official name.

Names and versions are data here and nowhere else. Whether a thing is fetched or built, it ends under this name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .trouble import Trouble

MAINTAINER = "The Socle authors <lab@socle.example>"
PLUGINS = "github.com/containernetworking/plugins"
CONTAINERD = "github.com/containerd/containerd/v2"


@dataclass(frozen=True)
class Pin:
    """One folder under go/: modules at exact versions, and the packages that are built from them."""

    name: str
    modules: Mapping[str, str]
    packages: tuple[str, ...]
    prepare: str = ""


@dataclass(frozen=True)
class Program:
    """One static program."""

    name: str
    pin: Pin
    package: str
    version: str
    stamp: Mapping[str, str] = field(default_factory=dict)

    @property
    def ldflags(self) -> str:
        return " ".join(f"-X {variable}={value}" for variable, value in sorted(self.stamp.items()))


@dataclass(frozen=True)
class Image:
    """A container image: programs on nothing, or on a small Debian (`tools`) with nft, iptables and cp."""

    name: str
    programs: Mapping[str, Program]
    entrypoint: tuple[str, ...] = ()
    tools: bool = False
    user: str = ""


@dataclass(frozen=True)
class Package:
    """A Debian package as its publisher lays it out. `loose`: the repository's newest will do."""

    name: str
    version: str
    summary: str
    programs: Mapping[str, Program]
    depends: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    postinst: str = ""
    loose: bool = False


@dataclass(frozen=True)
class Repository:
    """A flat repository of Debian packages, signed."""

    name: str
    packages: tuple[Package, ...]


@dataclass(frozen=True)
class Archive:
    """A gzipped tar of programs, with its checksum in a file beside it."""

    name: str
    programs: Mapping[str, Program]
    checksum: str = ".sha256sum"


@dataclass(frozen=True)
class Single:
    """One program as a file, with its checksum beside it."""

    name: str
    program: Program
    checksum: str = ".sha256"


@dataclass(frozen=True)
class FromModule:
    """One file out of a Go module. It has no checksum upstream: `holds` is how a portal's page is told from it."""

    name: str
    pin: Pin
    module: str
    path: str
    holds: str


Item = Image | Repository | Archive | Single | FromModule


@dataclass(frozen=True)
class Catalogue:
    """Everything of one minor."""

    minor: str
    kubernetes: str
    items: tuple[Item, ...]

    def programs(self) -> list[Program]:
        """Each program once."""
        found: dict[str, Program] = {}
        for item in self.items:
            for program in used(item):
                found.setdefault(program.name, program)
        return list(found.values())


def used(item: Item) -> list[Program]:
    """The programs that an item is made of."""
    if isinstance(item, Repository):
        return [program for package in item.packages for program in package.programs.values()]
    if isinstance(item, Single):
        return [item.program]
    return [] if isinstance(item, FromModule) else list(item.programs.values())


@dataclass(frozen=True)
class Versions:
    """What belongs to one Kubernetes release: kubeadm's own constants, and what its package repository carries."""

    kubernetes: str
    etcd: str
    coredns: str
    pause: str
    cni: str
    cri_tools: str = "1.36.0"
    containerd: str = "2.3.7"
    flannel: str = "0.28.4"
    flannel_cni: str = "1.9.1-flannel1"


VERSIONS = {
    "1.36": Versions("1.36.3", etcd="3.6.8", coredns="1.14.2", pause="3.10.2", cni="1.9.1"),
    # crictl 1.35 is not to be had as a module; 1.36 speaks to the same runtimes.
    "1.35": Versions("1.35.4", etcd="3.6.6", coredns="1.13.1", pause="3.10.1", cni="1.8.0"),
}

KUBERNETES = (
    "kubeadm",
    "kubelet",
    "kubectl",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
)
CNI = (
    "ipam/dhcp", "ipam/host-local", "ipam/static", "main/bridge", "main/dummy", "main/host-device", "main/ipvlan",
    "main/loopback", "main/macvlan", "main/ptp", "main/tap", "main/vlan", "meta/bandwidth", "meta/firewall",
    "meta/portmap", "meta/sbr", "meta/tuning", "meta/vrf",
)  # fmt: skip

KUBELET_UNIT = """\
[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
"""

KUBEADM_DROP_IN = """\
# The kubelet's arguments as kubeadm writes them: at init and join it makes the files that are named here.
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \\
  --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""

KUBELET_POSTINST = """\
#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable --quiet kubelet.service
fi
"""


def minors() -> list[str]:
    """The minors there are, newest first."""
    return sorted(VERSIONS, key=lambda minor: tuple(int(part) for part in minor.split(".")), reverse=True)


def catalogue(minor: str, arch: str = "amd64") -> Catalogue:
    """Everything of a minor, for one architecture as Go and Debian name it."""
    if minor not in VERSIONS:
        raise Trouble(
            f"Kubernetes {minor}: not one of the lab's; there are {', '.join(minors())}: choose one, "
            "or add it to VERSIONS in catalogue.py and run `artefacts.py pin`"
        )
    versions = VERSIONS[minor]
    made = _Programs(versions)
    return Catalogue(minor, versions.kubernetes, (*_files(made, arch), *_images(made), _repository(made, minor)))


def pins() -> list[Pin]:
    """Every pin of every minor, once."""
    found: dict[str, Pin] = {}
    for minor in minors():
        for program in catalogue(minor).programs():
            found.setdefault(program.pin.name, program.pin)
    return list(found.values())


class _Programs:
    """The programs of one set of versions."""

    def __init__(self, versions: Versions) -> None:
        self.v = versions
        self.kubernetes = {name: self._kubernetes(name) for name in KUBERNETES}
        etcd = {name: f"go.etcd.io/etcd/{part}/v3" for name, part in _ETCD.items()}
        pin = Pin(f"etcd-{versions.etcd}", dict.fromkeys(etcd.values(), f"v{versions.etcd}"), tuple(etcd.values()))
        self.etcd = {name: Program(name, pin, package, versions.etcd) for name, package in etcd.items()}
        self.coredns = _single("coredns", "github.com/coredns/coredns", "", versions.coredns)
        crictl = "sigs.k8s.io/cri-tools"
        self.crictl = _single("cri-tools", crictl, "/cmd/crictl", versions.cri_tools, f"{crictl}/pkg/version.Version")
        pin = Pin(
            f"cni-plugins-{versions.cni}",
            {PLUGINS: f"v{versions.cni}"},
            tuple(f"{PLUGINS}/plugins/{path}" for path in CNI),
        )
        stamp = {f"{PLUGINS}/pkg/utils/buildversion.BuildVersion": f"v{versions.cni}"}
        self.cni = {
            _last(package): Program(_last(package), pin, package, versions.cni, stamp) for package in pin.packages
        }
        # The plugin's own repository is not to be had as a module; this release of the common ones still held it.
        self.flannel_cni = _single("cni-flannel", PLUGINS, "/plugins/meta/flannel", "0.9.1")
        names = ("containerd", "containerd-shim-runc-v2", "ctr")
        pin = Pin(
            f"containerd-{versions.containerd}",
            {CONTAINERD: f"v{versions.containerd}"},
            tuple(f"{CONTAINERD}/cmd/{n}" for n in names),
        )
        stamp = {f"{CONTAINERD}/version.Version": f"v{versions.containerd}"}
        self.containerd = {
            name: Program(name, pin, f"{CONTAINERD}/cmd/{name}", versions.containerd, stamp) for name in names
        }
        module = "github.com/flannel-io/flannel"
        pin = Pin(f"flannel-{versions.flannel}", {module: f"v{versions.flannel}"}, (".",), prepare="flannel")
        self.flannel = Program(
            "flanneld", pin, ".", versions.flannel, {f"{module}/pkg/version.Version": f"v{versions.flannel}"}
        )
        self.pause = Program(
            "pause", Pin("pause-3.10", {}, (".",)), ".", versions.pause, {"main.version": versions.pause}
        )

    def _kubernetes(self, name: str) -> Program:
        version = self.v.kubernetes
        pin = Pin(
            f"kubernetes-{version}",
            {"k8s.io/kubernetes": f"v{version}"},
            tuple(f"k8s.io/kubernetes/cmd/{n}" for n in KUBERNETES),
        )
        major, minor, _patch = version.split(".")
        told = {
            "gitVersion": f"v{version}",
            "gitMajor": major,
            "gitMinor": minor,
            "gitTreeState": "clean",
            "gitCommit": "module",
        }
        stamp = {f"k8s.io/component-base/version.{key}": value for key, value in told.items()}
        return Program(name, pin, f"k8s.io/kubernetes/cmd/{name}", version, stamp)


_ETCD = {"etcd": "server", "etcdctl": "etcdctl", "etcdutl": "etcdutl"}


def _last(path: str) -> str:
    return path.rsplit("/", maxsplit=1)[-1]


def _single(name: str, module: str, path: str, version: str, variable: str = "") -> Program:
    stamp = {variable: f"v{version}"} if variable else {}
    return Program(
        _last(path or name),
        Pin(f"{name}-{version}", {module: f"v{version}"}, (module + path,)),
        module + path,
        version,
        stamp,
    )


def _images(made: _Programs) -> list[Image]:
    v, k8s = made.v, "registry.k8s.io"
    plain = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    return [
        *(Image(f"{k8s}/{name}:v{v.kubernetes}", {f"usr/local/bin/{name}": made.kubernetes[name]}) for name in plain),
        Image(
            f"{k8s}/kube-proxy:v{v.kubernetes}", {"usr/local/bin/kube-proxy": made.kubernetes["kube-proxy"]}, tools=True
        ),
        Image(f"{k8s}/etcd:{v.etcd}-0", {f"usr/local/bin/{name}": program for name, program in made.etcd.items()}),
        Image(f"{k8s}/coredns/coredns:v{v.coredns}", {"coredns": made.coredns}, ("/coredns",)),
        Image(f"{k8s}/pause:{v.pause}", {"pause": made.pause}, ("/pause",), user="65535:65535"),
        Image(
            f"ghcr.io/flannel-io/flannel:v{v.flannel}",
            {"opt/bin/flanneld": made.flannel},
            ("/opt/bin/flanneld",),
            tools=True,
        ),
        Image(f"ghcr.io/flannel-io/flannel-cni-plugin:v{v.flannel_cni}", {"flannel": made.flannel_cni}, tools=True),
    ]


def _files(made: _Programs, arch: str) -> list[Item]:
    v = made.v
    containerd = f"v{v.containerd}/containerd-{v.containerd}-linux-{arch}.tar.gz"
    kubectl = f"dl.k8s.io/release/v{v.kubernetes}/bin/linux/{arch}/kubectl"
    manifest = f"github.com/flannel-io/flannel/releases/download/v{v.flannel}/kube-flannel.yml"
    return [
        Archive(
            f"github.com/containerd/containerd/releases/download/{containerd}",
            {f"bin/{name}": program for name, program in made.containerd.items()},
        ),
        Single(kubectl, made.kubernetes["kubectl"]),
        FromModule(
            manifest,
            made.flannel.pin,
            "github.com/flannel-io/flannel",
            "Documentation/kube-flannel.yml",
            "kind: DaemonSet",
        ),
    ]


def _repository(made: _Programs, minor: str) -> Repository:
    v = made.v
    kube = f"{v.kubernetes}-1.1"

    def binary(name: str) -> dict[str, Program]:
        return {f"usr/bin/{name}": made.kubernetes[name]}

    packages = (
        Package("kubeadm", kube, "Command-line utility for administering a Kubernetes cluster", binary("kubeadm"),
                depends=("cri-tools (>= 1.30.0)",),
                texts={"usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf": KUBEADM_DROP_IN}),
        Package("kubelet", kube, "Node agent for Kubernetes clusters", binary("kubelet"),
                depends=("iptables (>= 1.4.21)", "kubernetes-cni (>= 1.2.0)", "mount", "util-linux"),
                texts={"usr/lib/systemd/system/kubelet.service": KUBELET_UNIT},
                folders=("etc/kubernetes/manifests", "var/lib/kubelet"), postinst=KUBELET_POSTINST),
        Package("kubectl", kube, "Command-line utility for interacting with a Kubernetes cluster", binary("kubectl")),
        Package("cri-tools", f"{v.cri_tools}-1.1", "Command-line utility for interacting with a container runtime",
                {"usr/bin/crictl": made.crictl}, loose=True),
        Package("kubernetes-cni", f"{v.cni}-1.1", "Container network interface plugins of a Kubernetes node",
                {f"opt/cni/bin/{name}": program for name, program in made.cni.items()}, loose=True),
    )  # fmt: skip
    return Repository(f"pkgs.k8s.io/core:/stable:/v{minor}/deb", packages)
