# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator as clients meet it: over TLS, on several nodes, with things going wrong."""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab" / "pve"))

from fixture import Pve, RefusedError, running, spawned  # the simulator is no installed package

Q = "/nodes/pve1/qemu"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Pve]:
    with running(nodes=("pve1", "pve2", "pve3"), cluster="lab") as pve:
        yield pve


@pytest.fixture
def pve(cluster: Pve) -> Pve:
    cluster.clear_faults()
    cluster.control("POST", "reset")
    return cluster


def test_the_certificate_is_verified_with_the_printed_authority(pve: Pve) -> None:
    """Would catch a certificate clients that verify cannot accept, or a fingerprint of another."""
    import hashlib

    context = ssl.create_default_context(cafile=pve.ca)
    host, port = pve.host.split(":")
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=10)
    connection.connect()
    raw = connection.sock.getpeercert(binary_form=True)
    connection.close()
    digest = hashlib.sha256(raw).hexdigest().upper()
    assert ":".join(digest[i : i + 2] for i in range(0, 64, 2)) == pve.nodes["pve1"]["fingerprint"]


def test_every_node_answers_for_all_and_one_that_is_gone_for_none(pve: Pve) -> None:
    """Would catch requests that are not forwarded, or a dead node that still answers."""
    root = pve.root("pve2")
    root.wait(root.post(Q, vmid=100, name="web"))
    assert root.get(f"{Q}/100/config")["name"] == "web"
    pve.fault(kind="node-down", node="pve1", path="/version$")
    root.get("/version")
    with pytest.raises(RefusedError) as caught:
        root.get(f"{Q}/100/config")
    assert (caught.value.status, caught.value.reason) == (595, "Network is unreachable")
    assert [n["status"] for n in root.get("/nodes")] == ["offline", "online", "online"]
    with pytest.raises((OSError, http.client.HTTPException)):
        pve.client("pve1").get("/version")
    pve.clear_faults()
    assert root.get(f"{Q}/100/config")["name"] == "web"


@pytest.mark.parametrize("status", [500, 502, 503, 595, 596, 599])
def test_a_broken_answer_comes_at_the_request_it_was_ordered_for(pve: Pve, status: int) -> None:
    """Would catch a fault at another request than the n-th that matches, or one that repeats."""
    root = pve.root()
    pve.fault(kind="status", status=status, method="GET", path="/version$", at=2)
    assert root.get("/version")["release"]
    with pytest.raises(RefusedError) as caught:
        root.get("/version")
    assert caught.value.status == status
    assert root.get("/version")["release"]


@pytest.mark.parametrize("after", [False, True])
def test_a_connection_cut_before_or_after_the_effect(pve: Pve, after: bool) -> None:
    """Would catch a cut that always or never lets the change happen: clients must live with both."""
    root = pve.root()
    pve.fault(kind="reset", method="POST", path="/pools$", after=after)
    with pytest.raises((OSError, http.client.HTTPException)):
        root.post("/pools", poolid="p")
    assert bool(root.get("/pools")) is after


def test_a_late_answer(pve: Pve) -> None:
    """Would catch a latency nobody feels, or one that holds up everybody."""
    root, other = pve.root(), pve.root()
    pve.fault(kind="latency", seconds=0.6, path="/cluster/status$")
    begun = time.monotonic()
    slow = threading.Thread(target=root.get, args=("/cluster/status",))
    slow.start()
    other.get("/version")
    assert time.monotonic() - begun < 0.5
    slow.join()
    assert time.monotonic() - begun >= 0.6


def test_an_expired_ticket_and_a_new_login(pve: Pve) -> None:
    """Would catch a client's ticket that never ends, and a login that does not help."""
    root = pve.root()
    pve.fault(kind="expired-ticket", path="/version$")
    with pytest.raises(RefusedError) as caught:
        root.get("/version")
    assert (caught.value.status, caught.value.reason, caught.value.body["data"]) == (401, "Authentication failed!", "")
    pve.skip(1)
    assert pve.root().get("/version")["release"]


def test_a_cluster_without_quorum_refuses_to_write(pve: Pve) -> None:
    """Would catch a write that gets through without a quorum."""
    root = pve.root()
    pve.fault(kind="no-quorum", path="/version$")
    root.get("/version")
    with pytest.raises(RefusedError, match="cluster not ready - no quorum"):
        root.post("/pools", poolid="p")
    assert root.get("/cluster/status")[0]["quorate"] == 0
    pve.clear_faults()
    root.post("/pools", poolid="p")


def test_a_lock_that_stays(pve: Pve) -> None:
    """Would catch a stale lock clients never meet."""
    root = pve.root()
    root.wait(root.post(Q, vmid=100))
    pve.fault(kind="lock-stays", lock="backup", path="/100/status/start$")
    root.wait(root.post(f"{Q}/100/status/start"))
    with pytest.raises(RefusedError, match=r"VM is locked \(backup\)"):
        root.put(f"{Q}/100/config", cores=2)


def test_a_seeded_fault_strikes_the_same_requests_again(pve: Pve) -> None:
    """Would catch chance that a seed does not fix."""

    def struck() -> list[int]:
        pve.clear_faults()
        pve.fault(kind="status", status=503, chance=0.3, seed=7, path="/version$")
        out, root = [], pve.root()
        for number in range(30):
            try:
                root.get("/version")
            except RefusedError:
                out.append(number)
        return out

    first = struck()
    assert first == struck()
    assert 0 < len(first) < 30


def test_the_log_proves_that_nothing_was_written(pve: Pve) -> None:
    """Would catch a log that misses writes or tells secrets."""
    root = pve.root()
    pve.forget_requests()
    root.get("/cluster/resources")
    assert pve.writes() == []
    root.post("/access/users", userid="a@pve", password="hidden-secret")
    assert [(r["method"], r["path"], r["user"], r["status"]) for r in pve.writes()] == [
        ("POST", "/access/users", "root@pam", 200)
    ]
    assert "hidden-secret" not in json.dumps(pve.requests())


def test_the_back_door_needs_its_token(pve: Pve) -> None:
    """Would catch a control endpoint anybody can use."""
    status, _reason, _data = pve.client(headers={"X-Control-Token": "guess"}).raw("GET", "/control/dump")
    assert status == 403


def test_a_thousand_guests_are_listed_within_milliseconds(pve: Pve) -> None:
    """Would catch an inventory that is built anew for each request."""
    pve.seed_guests(1000, nodes=["pve1", "pve2", "pve3"], running=True)
    root = pve.root()
    assert len(root.get("/cluster/resources", type="vm")) == 1000
    begun = time.monotonic()
    for _unused in range(20):
        root.raw("GET", "/api2/json/cluster/resources?type=vm")
    assert (time.monotonic() - begun) / 20 < 0.05


def test_a_world_can_be_kept_and_taken_up_again(pve: Pve) -> None:
    """Would catch state that is lost in a dump."""
    root = pve.root()
    root.wait(root.post(Q, vmid=100, name="kept", scsi0="local:1"))
    root.post("/pools", poolid="p")
    root.put("/access/acl", path="/vms", roles="PVEAuditor", users="root@pam")
    state = pve.dump()
    pve.reset()
    assert pve.root().get("/pools") == []
    pve.load(state)
    again = pve.root()
    assert again.get(f"{Q}/100/config")["name"] == "kept"
    assert [row["poolid"] for row in again.get("/pools")] == ["p"]
    assert again.get("/access/acl")[0]["path"] == "/vms"


def _serve(folder: Path) -> tuple[Any, str]:
    import functools
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Not a word."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


def test_an_image_is_downloaded_and_its_checksum_held(pve: Pve, tmp_path: Path) -> None:
    """Would catch an image with a wrong checksum that is kept, or one imported with a wrong size."""
    import hashlib

    image = b"QFI\xfb" + bytes(20) + (3 * 1024**3).to_bytes(8, "big") + b"data"
    (tmp_path / "image.qcow2").write_bytes(image)
    server, url = _serve(tmp_path)
    try:
        root = pve.root()
        root.put("/storage/local", content="images,import")
        order = {"url": f"{url}/image.qcow2", "content": "import", "filename": "image.qcow2"}
        where = "/nodes/pve1/storage/local"
        bad = root.post(f"{where}/download-url", **order, checksum="00", checksum__algorithm="sha256")
        assert root.wait(bad).startswith("checksum mismatch")
        assert root.get(f"{where}/content", content="import") == []
        good = hashlib.sha256(image).hexdigest()
        done = root.post(f"{where}/download-url", **order, checksum=good, checksum__algorithm="sha256")
        assert root.wait(done) == "OK"
        upid = root.post(Q, vmid=100, scsi0="local:0,import-from=local:import/image.qcow2")
        assert root.wait(upid) == "OK"
        assert root.get(f"{Q}/100/config")["scsi0"].endswith("size=3G")
    finally:
        server.shutdown()
        server.server_close()


def test_nodes_become_a_cluster() -> None:
    """Would catch a join that keeps the old node's users, or one with a wrong fingerprint that succeeds."""
    with running(nodes=("pve1", "pve2")) as pve:
        first, second = pve.root("pve1"), pve.root("pve2")
        with pytest.raises(RefusedError, match="node is not in a cluster") as caught:
            first.get("/cluster/config/join")
        assert caught.value.status == 424
        assert first.wait(first.post("/cluster/config", clustername="lab")) == "OK"
        info = first.get("/cluster/config/join")
        node = info["nodelist"][0]
        order = {"hostname": node["pve_addr"], "password": "secret"}
        wrong = second.post("/cluster/config/join", fingerprint=":".join(["00"] * 32), **order)
        assert "fingerprint not verified" in second.wait(wrong)
        second.post("/cluster/config/join", fingerprint=node["pve_fp"], **order)
        with pytest.raises(RefusedError) as caught:
            second.get("/version")
        assert caught.value.status == 401
        assert {n["node"] for n in pve.root("pve2").get("/nodes")} == {"pve1", "pve2"}
        assert first.get("/cluster/status")[0]["nodes"] == 2


def test_a_network_change_waits_until_it_is_applied(pve: Pve) -> None:
    """Would catch a change that is live before it was applied, or one a revert does not take back."""
    root = pve.root()
    net = "/nodes/pve1/network"
    root.post(net, iface="vmbr1", type="bridge", cidr="10.5.0.1/24")
    upid = root.post(Q, vmid=100, net0="virtio,bridge=vmbr1", start=1)
    root.wait(upid)
    assert root.get(f"{Q}/100/status/current")["status"] == "stopped"
    root.delete(net)
    with pytest.raises(RefusedError):
        root.get(f"{net}/vmbr1")
    root.post(net, iface="vmbr1", type="bridge", cidr="10.5.0.1/24")
    root.wait(root.put(net))
    assert root.wait(root.post(f"{Q}/100/status/start")) == "OK"


def test_firewall_rules_keep_their_order(pve: Pve) -> None:
    """Would catch rules that are not positional, at any of the three levels."""
    root = pve.root()
    root.wait(root.post(Q, vmid=100))
    for base in ("/cluster/firewall", "/nodes/pve1/firewall", f"{Q}/100/firewall"):
        root.post(f"{base}/rules", type="in", action="ACCEPT", comment="first")
        root.post(f"{base}/rules", type="in", action="DROP", comment="second")
        assert [row["comment"] for row in root.get(f"{base}/rules")] == ["second", "first"]
        root.put(f"{base}/rules/0", moveto=2)
        assert [row["comment"] for row in root.get(f"{base}/rules")] == ["first", "second"]
        with pytest.raises(RefusedError) as caught:
            root.post(f"{base}/rules", type="in", action="ACCEPT", dport="22")
        assert set(caught.value.errors) == {"proto"}
        root.delete(f"{base}/rules/0")
        assert [row["comment"] for row in root.get(f"{base}/rules")] == ["second"]


def test_the_program_starts_and_stops_on_its_own() -> None:
    """Would catch a server.py that cannot be run, or that ignores what it was given."""
    with spawned("--nodes", "a,b", "--cluster", "lab", "--duration", "qmclone=60", "--speed", "1000") as pve:
        root = pve.root()
        assert {n["node"] for n in root.get("/nodes")} == {"a", "b"}
        root.wait(root.post("/nodes/a/qemu", vmid=100))
        begun = time.monotonic()
        assert root.wait(root.post("/nodes/a/qemu/100/clone", newid=101)) == "OK"
        assert time.monotonic() - begun < 5


def test_many_clients_at_once(pve: Pve) -> None:
    """Would catch two guests with one id, or an answer that belongs to another client."""
    made: list[str] = []
    problems: list[Exception] = []

    def work() -> None:
        try:
            root = pve.root()
            for _unused in range(10):
                while True:
                    vmid = root.get("/cluster/nextid")
                    try:
                        root.wait(root.post(Q, vmid=vmid))
                    except RefusedError as error:
                        assert "already exists" in error.reason
                        continue
                    made.append(vmid)
                    break
        except Exception as error:  # noqa: BLE001  # a thread's failure must reach the test
            problems.append(error)

    threads = [threading.Thread(target=work) for _unused in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(made) == len(set(made)) == 60
