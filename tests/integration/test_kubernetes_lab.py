# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real cluster of three control planes and two workers, made by the playbooks from a manifest, and asked itself."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import kubernetes_lab as kit  # lies beside this file
from fixture_rack import until  # in the lab's folder, which that one makes known

# Its artefacts take twenty minutes of two cores where nothing is cached: more than `make test` has.
pytestmark = pytest.mark.long

PLANTED = "PLANTED-7f3c1e9a5b"
TOKEN = re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.Cluster]:
    with kit.cluster("t-kubernetes", tmp_path_factory.mktemp("kubernetes"), control=3, worker=2) as made:
        made.play("access.yml", "--tags", "machine_base")
        made.play("kubernetes.yml")
        yield made


@pytest.fixture(scope="module")
def web(cluster: kit.Cluster) -> str:
    """A web server on each worker behind one Service, and the namespace of both."""
    cluster.apply(kit.namespace("probe"), *kit.web("probe", replicas=2))
    cluster.kubectl("-n", "probe", "rollout", "status", "deployment/web", "--timeout=180s")
    return "probe"


def test_every_node_is_ready_with_the_version_of_the_manifest(cluster: kit.Cluster) -> None:
    """Catches a node that did not come in, or that runs something else."""
    nodes = {row["metadata"]["name"]: row["status"] for row in cluster.get("nodes")}
    assert set(nodes) == set(cluster.addresses)
    for name, status in nodes.items():
        ready = {row["type"]: row["status"] for row in status["conditions"]}["Ready"]
        assert (ready, status["nodeInfo"]["kubeletVersion"]) == ("True", "v1.36.3"), name
    assert len(cluster.members()) == 3


def test_names_and_services_work_across_nodes(cluster: kit.Cluster, web: str) -> None:
    """Catches an overlay, a kube-proxy or a DNS that works on one node only: both pods answer, from every worker."""
    pods = cluster.get("pods", "-n", web, "-l", "app=web")
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 2
    ask = (
        "import urllib.request as r\n"
        "for n in range(40): print(r.urlopen('http://web.probe.svc.cluster.local', timeout=5).read().decode())"
    )
    for pod in pods:
        said = cluster.kubectl("-n", web, "exec", pod["metadata"]["name"], "--", "python3", "-c", ask)
        assert set(said.split()) == {pod["metadata"]["name"] for pod in pods}


def test_a_node_port_answers_on_every_node(cluster: kit.Cluster, web: str) -> None:
    """Catches a firewall or a kube-proxy that lets a NodePort answer only where a pod happens to be."""
    (service,) = [row for row in cluster.get("services", "-n", web) if row["metadata"]["name"] == "web"]
    port = service["spec"]["ports"][0]["nodePort"]
    # From a neighbour that is allowed to: nodes themselves.
    for name, address in cluster.addresses.items():
        ask = f"import urllib.request as r; print(r.urlopen('http://{address}:{port}', timeout=5).read().decode())"

        def answer(ask: str = ask) -> bool:
            return cluster.lab.rack.execute("worker-1", "python3", "-c", ask)[1].startswith("web-")

        # A node that has just come in is told of Services a moment later.
        until(f"the port of {name} answers", answer, 60)


def test_logs_are_read_through_certificates_of_the_clusters_own_authority(cluster: kit.Cluster, web: str) -> None:
    """Catches kubelets whose certificates the API server does not trust: it verifies them now."""
    name = cluster.get("pods", "-n", web, "-l", "app=web")[0]["metadata"]["name"]
    assert "begun" in cluster.kubectl("-n", web, "logs", name)


def test_a_privileged_pod_cannot_change_the_machine(cluster: kit.Cluster, web: str) -> None:
    """Catches a guard of the lab's nodes that a pod gets past: it would write settings of the machine below."""
    files = {
        file: Path(file).read_text()
        for file in ("/proc/sys/kernel/panic", "/proc/sys/vm/overcommit_memory", "/sys/kernel/mm/ksm/run")
        if Path(file).exists()
    }
    cluster.apply(kit.pod("privileged", web, privileged=True))
    cluster.kubectl("-n", web, "wait", "pod/privileged", "--for=condition=Ready", "--timeout=120s")
    for file, value in files.items():
        said = cluster.kubectl(
            "-n", web, "exec", "privileged", "--", "sh", "-c", f"echo {value.strip()} > {file} || echo refused"
        )
        assert "refused" in said, file
        assert Path(file).read_text() == value, file
    assert "written" in cluster.kubectl(
        "-n", web, "exec", "privileged", "--",
        "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward && echo written",
    )  # fmt: skip


def test_pods_of_namespaces_that_say_nothing_are_held_to_baseline(cluster: kit.Cluster) -> None:
    """Catches an API server that was not given the defaults of Pod Security."""
    done = cluster.try_apply(kit.pod("privileged", "default", privileged=True))
    assert done.returncode != 0
    assert "violates PodSecurity" in done.stderr


def test_a_secret_lies_in_etcd_encrypted(cluster: kit.Cluster) -> None:
    """Catches Secrets in clear on any control plane's disk. What is not secret is found: the search itself works."""
    cluster.kubectl("-n", "default", "create", "secret", "generic", "planted", f"--from-literal=value={PLANTED}-secret")
    cluster.kubectl("-n", "default", "create", "configmap", "planted", f"--from-literal=value={PLANTED}-plain")
    search = "cat /var/lib/etcd/member/snap/db /var/lib/etcd/member/wal/*.wal | grep -ac {} || true"
    for name in cluster.control:
        until("it is written", lambda name=name: int(cluster.sh(name, search.format(f"{PLANTED}-plain"))), 60)
        assert int(cluster.sh(name, search.format(f"{PLANTED}-secret"))) == 0, name
    stored = cluster.etcdctl("get", "/registry/secrets/default/planted", "--write-out=json")
    value = base64.b64decode(json.loads(stored)["kvs"][0]["value"])
    assert value.startswith(b"k8s:enc:secretbox:v1:")
    read = cluster.kubectl("-n", "default", "get", "secret", "planted", "-o", "jsonpath={.data.value}")
    assert base64.b64decode(read).decode() == f"{PLANTED}-secret"


def test_the_audit_log_knows_of_a_secret_and_not_what_it_is(cluster: kit.Cluster) -> None:
    """Catches an audit policy that is not in force, and one that writes secrets into a file."""
    value = f"{PLANTED}-audited"
    cluster.kubectl("-n", "default", "create", "secret", "generic", "audited", f"--from-literal=value={value}")
    encoded = base64.b64encode(value.encode()).decode()
    find = "cat /var/log/kubernetes/*.log | grep -c '{}' || true"

    def told() -> int:
        # Whichever API server answered has written it.
        return sum(
            int(cluster.sh(name, find.format('"resource":"secrets","namespace":"default","name":"audited"')))
            for name in cluster.control
        )

    until("it is in the log", told, 30)
    for name in cluster.control:
        assert int(cluster.sh(name, find.format(encoded))) == 0, name


@pytest.mark.parametrize(
    ("node", "names", "end"),
    [
        ("worker-1", "DNS:worker-1,IP:10.10.48.1", "Approved"),
        ("worker-1", "DNS:worker-1,IP:10.10.40.1", "Denied"),
        ("worker-1", "DNS:kubernetes.lab.test", "Denied"),
        ("stranger-1", "DNS:stranger-1", ""),
    ],
    ids=["own", "address-of-another", "name-of-the-api", "unknown"],
)
def test_a_kubelet_gets_a_certificate_for_its_own_names_only(
    cluster: kit.Cluster, node: str, names: str, end: str
) -> None:
    """Catches an approver that lets one node pass for another, or for the API."""
    name = f"probe-{end.lower() or 'open'}-{len(names)}"
    request = cluster.sh(
        "worker-1",
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null 2>/dev/null"
        f" -subj '/O=system:nodes/CN=system:node:{node}' -addext 'subjectAltName={names}'",
    )
    cluster.apply(
        kit.certificate_request(name, request),
        impersonate=(f"system:node:{node}", ["system:nodes", "system:authenticated"]),
    )
    for control in cluster.control:
        cluster.sh(control, "systemctl start socle-kubelet-certificates.service")
    (found,) = [row for row in cluster.get("csr") if row["metadata"]["name"] == name]
    assert [row["type"] for row in found["status"].get("conditions", [])] == ([end] if end else [])


def test_nobody_else_can_come_in_and_no_output_says_how(cluster: kit.Cluster) -> None:
    """Catches tokens that outlive the run, files that hold them, and a playbook that prints them or the keys."""
    assert TOKEN.findall(cluster.output) == []
    assert "certificate-key" not in cluster.output
    key = cluster.sh("control-1", "cat /etc/kubernetes/socle/encryption.yaml")
    (secret,) = re.findall(r"secret: (\S+)", key)
    assert secret not in cluster.output
    tokens = cluster.sh("control-1", "kubeadm token list -o json 2>/dev/null")
    usages = [word for found in re.findall(r'"usages": \[([^\]]*)\]', tokens) for word in re.findall(r"\w+", found)]
    # What is left holds the time after which uploaded certificates go, and opens nothing.
    assert "authentication" not in usages
    for name in cluster.addresses:
        assert cluster.sh(name, "ls /etc/kubernetes/socle/join.yaml 2>/dev/null || true") == "", name


def test_a_stranger_in_the_rack_finds_few_ports(cluster: kit.Cluster, web: str) -> None:
    """Catches etcd, kubelets, metrics or NodePorts that answer to somebody who is no node."""
    nodes = {port["nodePort"] for row in cluster.get("services", "-n", web) for port in row["spec"]["ports"]}
    for name, address in cluster.addresses.items():
        listening = {int(row.split()[3].rpartition(":")[2]) for row in cluster.sh(name, "ss -Hltn").splitlines()}
        assert {22, 10250} <= listening
        # SSH counts how often somebody knocks.
        assert kit.answering(cluster.lab, address, (listening | nodes) - {22}) == set(), name
    assert kit.answering(cluster.lab, kit.VIP, {6443, 8443, 2379, 10250, 8404, *nodes}) == {8443}


def test_the_loss_of_a_control_plane_is_survived(cluster: kit.Cluster) -> None:
    """Catches an address that stays with the dead, an API that needs all of them, and a member that does not come back.

    How long the API was away is printed: the machine that runs this is shared.
    """
    holder = cluster.holder()
    left = next(name for name in cluster.control if name != holder)
    with kit.asking(cluster.lab, f"https://{kit.VIP}:8443/readyz") as asked:
        until("it is served", lambda: asked.good() > 20, 60)
        cluster.lab.rack.stop(holder, hard=True)
        try:
            before = asked.good()
            until("it is served again", lambda: asked.good() > before + 50 and asked.last_good(30), 120)
            cluster.kubectl("-n", "default", "create", "configmap", "written-meanwhile", node=left)
        finally:
            cluster.lab.rack.start(cluster.lab.rack.get(holder))
    print(f"\nthe API was away for {asked.longest():.1f} s, {asked.failed()} of {asked.asked()} requests failed")
    until("it is a member again", lambda: cluster.ready(holder, left) and len(cluster.members(left)) == 3, 240)
    until("it knows what was written", lambda: "written-meanwhile" in cluster.attempt("get", "cm", "-A"), 60)
    cluster.kubectl("-n", "default", "delete", "configmap", "written-meanwhile")


@pytest.mark.long
def test_a_node_goes_only_when_it_was_emptied_and_comes_back(cluster: kit.Cluster, web: str) -> None:
    """Catches a node deleted although pods could not leave it, one left cordoned, and one that cannot return."""
    lonely = kit.pod("lonely", web)
    lonely["spec"]["nodeName"] = "worker-2"
    cluster.apply(lonely)
    words = ("scale.yml", "-e", json.dumps({"socle_remove": ["worker-2"]}))
    refused = cluster.play(*words, check=False)
    assert f"{web}/lonely" in refused
    assert "Delete pods that nobody keeps" in refused
    (node,) = [row for row in cluster.get("nodes") if row["metadata"]["name"] == "worker-2"]
    assert not node["spec"].get("unschedulable")
    cluster.kubectl("-n", web, "delete", "pod", "lonely")
    # The other replica has no second node to go to.
    cluster.kubectl("-n", web, "scale", "deployment/web", "--replicas=1")
    cluster.play(*words)
    assert {row["metadata"]["name"] for row in cluster.get("nodes")} == {*cluster.addresses} - {"worker-2"}
    assert cluster.sh("worker-2", "ls /etc/kubernetes/*.conf 2>/dev/null || true") == ""
    cluster.play("kubernetes.yml")
    until("it is back", lambda: cluster.ready("worker-2", "control-1"), 60)


def test_a_second_run_changes_nothing(cluster: kit.Cluster) -> None:
    """Catches a task that changes something each time, on any node."""
    said = cluster.play("kubernetes.yml")
    counts = dict(re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", said, flags=re.M))
    assert set(counts) == set(cluster.addresses)
    assert {name: count for name, count in counts.items() if count != "0"} == {}
