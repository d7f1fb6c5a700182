# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests: a cluster in the lab, and what is asked of it."""

from __future__ import annotations

import base64
import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "tests" / "lab"
for folder in (LAB, LAB / "artefacts"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
import fixture_rack  # noqa: E402  # needs the path above
import in_lab  # noqa: E402  # as above
from labmirror.catalogue import catalogue  # noqa: E402  # as above
from labmirror.mirror import Mirror, architecture, cache_folder  # noqa: E402  # as above
from labmirror.upstream import Upstream  # noqa: E402  # as above
from rack.command import inside  # noqa: E402  # as above
from rack.host import room_for_a_cluster  # noqa: E402  # as above
from rack.lab import Lab  # noqa: E402  # as above

PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
IMAGE = "registry.k8s.io/kube-proxy:v1.36.3"
GROUPS = {"control": "10.10.40.", "worker": "10.10.48."}
SERVER = """
import http.server, socket, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = socket.gethostname().encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
print('begun', flush=True)
http.server.ThreadingHTTPServer(('', 8080), Answer).serve_forever()
"""
SCAN = """
import asyncio, sys
async def probe(port):
    try:
        _reader, writer = await asyncio.wait_for(asyncio.open_connection(sys.argv[1], port), 5)
    except (OSError, asyncio.TimeoutError):
        return
    print(port)
    writer.close()
async def main():
    await asyncio.gather(*(probe(int(port)) for port in sys.argv[2:]))
asyncio.run(main())
"""
# A new connection each time, so that none is kept at what is gone.
ASK = """
import ssl, sys, time, urllib.request
trust = ssl._create_unverified_context()
while True:
    begun = time.monotonic()
    try:
        good = urllib.request.urlopen(sys.argv[1], timeout=2, context=trust).status == 200
    except OSError:
        good = False
    print(begun, time.monotonic(), int(good), flush=True)
    time.sleep(max(0, 0.1 - (time.monotonic() - begun)))
"""
VIP = "10.10.2.1"


def answering(lab: Lab, address: str, ports: set[int]) -> set[int]:
    """Which ports of an address take a connection from a neighbour that is no node."""
    words = [sys.executable, "-c", SCAN, address, *map(str, sorted(ports))]
    done = subprocess.run(inside(lab.netns, *words), capture_output=True, text=True, check=True)
    return {int(port) for port in done.stdout.split()}


class Asked:
    """What somebody was answered who asks all the time."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def rows(self) -> list[tuple[float, float, bool]]:
        rows = [line.split() for line in self.log.read_text().splitlines()]
        return [(float(row[0]), float(row[1]), row[2] == "1") for row in rows if len(row) == 3]

    def asked(self) -> int:
        return len(self.rows())

    def good(self) -> int:
        return sum(good for _begun, _ended, good in self.rows())

    def failed(self) -> int:
        return self.asked() - self.good()

    def last_good(self, many: int) -> bool:
        rows = self.rows()[-many:]
        return len(rows) == many and all(good for _begun, _ended, good in rows)

    def longest(self) -> float:
        """Seconds between two good answers, at most."""
        ends = [ended for _begun, ended, good in self.rows() if good]
        return max((after - before for before, after in itertools.pairwise(ends)), default=0.0)


@contextmanager
def asking(lab: Lab, url: str) -> Iterator[Asked]:
    log = lab.state / "asked.log"
    with log.open("w") as file:
        process = subprocess.Popen(inside(lab.netns, sys.executable, "-c", ASK, url), stdout=file)
    try:
        yield Asked(log)
    finally:
        process.kill()
        process.wait()


class Cluster:
    """The lab, the manifest, and kubectl on a control plane."""

    def __init__(self, lab: Lab, folder: Path, control: int, worker: int) -> None:
        self.lab, self.inventory = lab, folder / "inventory"
        self.output = ""
        self.resize(control, worker)

    def resize(self, control: int, worker: int) -> None:
        """Write the manifest for so many machines."""
        self.control = [f"control-{number}" for number in range(1, control + 1)]
        self.workers = [f"worker-{number}" for number in range(1, worker + 1)]
        names = self.control + self.workers
        self.addresses = {name: GROUPS[name.split("-", maxsplit=1)[0]] + name.rpartition("-")[2] for name in names}
        shutil.rmtree(self.inventory, ignore_errors=True)
        shutil.copytree(ROOT / "inventories" / "lab", self.inventory)
        manifest = self.inventory / "platform.socle.yml"
        text = manifest.read_text().replace("/run/socle-lab/lab/", f"{self.lab.state}/")
        for group, count in (("control", control), ("worker", worker)):
            text = re.sub(rf"^(  {group}: {{count: )\d+", rf"\g<1>{count}", text, flags=re.M)
        # The cluster's machines alone; keepalived and HAProxy run on its control planes then.
        text = re.sub(r"^  (vpn|gluster|load-balancer): .*\n", "", text, flags=re.M)
        text = re.sub(r"^(access|storage|kubernetes):.*(\n+( .*|#.*)?)*\n(?=\S|\Z)", "", text, flags=re.M)
        manifest.write_text(text + '\nkubernetes: {version: "1.36.3", network: flannel}\n')

    def play(self, playbook: str, *more: str, check: bool = True) -> str:
        """Run one of the project's playbooks on all of it."""
        words = [PLAYBOOK, str(ROOT / "playbooks" / playbook), "-i", str(self.inventory)]
        words += ["-e", f"ansible_ssh_private_key_file={self.lab.key}", *more]
        done = subprocess.run(
            inside(self.lab.netns, *words), cwd=ROOT, env=self.lab.environment(),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        self.output += done.stdout + done.stderr
        assert done.returncode == 0 or not check, (done.stdout + done.stderr)[-6000:]
        return done.stdout

    def boot(self, *names: str) -> None:
        self.lab.boot([fixture_rack.node(self.lab, name, address=self.addresses[name]) for name in names])

    def sh(self, node: str, script: str, text: str = "", timeout: float = 120) -> str:
        code, out, err = self.lab.rack.execute(node, "sh", "-c", script, text=text, timeout=timeout)
        assert code == 0, f"{node}: {script}: {out}{err}"
        return out.strip()

    def _kubectl(self, words: tuple[str, ...], text: str = "", node: str = "") -> subprocess.CompletedProcess[str]:
        argv = ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", *words]
        code, out, err = self.lab.rack.execute(node or self.control[0], *argv, text=text, timeout=300)
        return subprocess.CompletedProcess(argv, code, out, err)

    def kubectl(self, *words: str, text: str = "", node: str = "") -> str:
        done = self._kubectl(words, text, node)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def attempt(self, *words: str) -> str:
        """What it prints, nothing if it cannot just now."""
        return self._kubectl(words).stdout

    def get(self, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", *words, "-o", "json"))["items"]
        return found

    def try_apply(
        self, *objects: dict[str, Any], impersonate: tuple[str, list[str]] | None = None
    ) -> subprocess.CompletedProcess[str]:
        words = ["create" if impersonate else "apply", "-f", "-"]
        if impersonate:
            words += [f"--as={impersonate[0]}", *(f"--as-group={group}" for group in impersonate[1])]
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self._kubectl(tuple(words), json.dumps(listed))

    def apply(self, *objects: dict[str, Any], impersonate: tuple[str, list[str]] | None = None) -> None:
        done = self.try_apply(*objects, impersonate=impersonate)
        assert done.returncode == 0, done.stdout + done.stderr

    def etcdctl(self, *words: str, node: str = "") -> str:
        node = node or self.control[0]
        pki = "/etc/kubernetes/pki/etcd"
        return self.kubectl(
            "-n", "kube-system", "exec", f"etcd-{node}", "--", "etcdctl", "--endpoints=https://127.0.0.1:2379",
            f"--cacert={pki}/ca.crt", f"--cert={pki}/server.crt", f"--key={pki}/server.key", *words,
            node=node,
        )  # fmt: skip

    def holder(self) -> str:
        """The control plane that has the shared address now."""
        (found,) = [name for name in self.control if self.sh(name, f"ip address show to {VIP}")]
        return found

    def ready(self, node: str, ask: str) -> bool:
        """What the cluster knows of a node, told by another one."""
        words = ("get", "node", node, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}")
        return self._kubectl(words, node=ask).stdout == "True"

    def members(self, node: str = "") -> list[str]:
        told = json.loads(self.etcdctl("member", "list", "--write-out=json", node=node))
        return sorted(row["name"] for row in told["members"] if not row.get("isLearner"))


@contextmanager
def cluster(name: str, folder: Path, control: int, worker: int) -> Iterator[Cluster]:
    """Machines that have booted and the artefacts beside them; the cluster is made by the test's playbooks."""
    fixture_rack.require_lab()
    mirror = Mirror(cache_folder(), LAB / "artefacts" / "go", architecture(), Upstream())
    mirror.fill(catalogue("1.36", mirror.arch))
    with room_for_a_cluster(), fixture_rack.lab(name) as lab:
        in_lab.up(lab)
        made = Cluster(lab, folder, control, worker)
        made.boot(*made.addresses)
        yield made


def namespace(name: str, level: str = "privileged") -> dict[str, Any]:
    labels = {"pod-security.kubernetes.io/enforce": level}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _container(command: list[str]) -> dict[str, Any]:
    # No image of the mirror holds a client or a server: both are the node's own Python.
    return {
        "name": "main",
        "image": IMAGE,
        "command": command,
        "volumeMounts": [{"name": "usr", "mountPath": "/usr", "readOnly": True}],
    }


USR = {"name": "usr", "hostPath": {"path": "/usr"}}


def pod(name: str, where: str, *, privileged: bool = False) -> dict[str, Any]:
    container = _container(["sleep", "86400"])
    container["securityContext"] = {"privileged": privileged}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": where},
        "spec": {"containers": [container], "volumes": [USR], "terminationGracePeriodSeconds": 0},
    }


def web(where: str, replicas: int) -> list[dict[str, Any]]:
    """A web server that tells its name, as many as there are, on different nodes, behind a NodePort."""
    labels = {"app": "web"}
    container = _container(["python3", "-c", SERVER])
    container["readinessProbe"] = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 2}
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": labels},
    }
    spec = {
        "containers": [container],
        "volumes": [USR],
        "topologySpreadConstraints": [spread],
        "terminationGracePeriodSeconds": 0,
    }
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": where},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": where},
            "spec": {"type": "NodePort", "selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    ]


def certificate_request(name: str, pem: str) -> dict[str, Any]:
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(pem.encode()).decode(),
            "signerName": "kubernetes.io/kubelet-serving",
            "usages": ["digital signature", "server auth"],
        },
    }


__all__ = ["Cluster", "certificate_request", "cluster", "inside", "namespace", "pod", "web"]
