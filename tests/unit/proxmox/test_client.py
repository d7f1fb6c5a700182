# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transport: one login, kept connections, hosts that take over, and nothing sent twice that may have worked."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
import urllib.request
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._objects import Fault
from ansible_collections.socle.platform.plugins.module_utils._proxmox import client, errors, options
from ansible_collections.socle.platform.plugins.module_utils._proxmox.client import Connection, Proxmox
from ansible_collections.socle.platform.plugins.module_utils._proxmox.tasks import Upid
from ansible_collections.socle.platform.plugins.module_utils._reconcile import Deadline, Secret

from .lab import Cluster


def by_password(cluster: Cluster, **more: Any) -> Proxmox:
    base: dict[str, Any] = {
        "hosts": tuple(cluster.hosts),
        "user": "root@pam",
        "password": Secret("secret"),
        "timeout": 5,
    }
    return Proxmox(Connection(**{**base, "verify": cluster.about["ca"], **more}))


def side_by_side(count: int, work: Any) -> None:
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    threads = [threading.Thread(target=guarded) for _unused in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_one_login_serves_every_thread(cluster: Cluster) -> None:
    """Would catch a login per worker, or per request."""
    before = len(cluster.log)
    with by_password(cluster) as pve:
        side_by_side(6, lambda: [pve.get("/version") for _unused in range(5)])
    paths = [row["path"] for row in cluster.log[before:]]
    assert paths.count("/access/ticket") == 1 and paths.count("/version") == 30


def test_each_thread_keeps_its_connection(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Would catch a TLS handshake per request, which costs more than the request."""
    made: list[Any] = []

    def connect(address: Any, *_rest: Any, **_more: Any) -> socket.socket:
        made.append(address)
        return socket.create_connection(address)

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    with by_password(cluster) as pve:
        side_by_side(3, lambda: [pve.get("/version") for _unused in range(10)])
    assert len(made) == 3 + 1


def test_an_expired_ticket_is_renewed_and_the_call_sent_again(cluster: Cluster) -> None:
    with by_password(cluster) as pve:
        pve.get("/version")
        # The simulator refuses tickets of the present second; that second shall be short.
        cluster.control("POST", "clock", speed=500)
        cluster.fault("expired-ticket", path="/pools")
        pve.post("/pools", poolid="p1")
        assert [pool["poolid"] for pool in pve.get("/pools")] == ["p1"]


def test_a_wrong_password_is_not_tried_again(cluster: Cluster) -> None:
    before = len(cluster.log)
    with by_password(cluster, password=Secret("wrong-word")) as pve, pytest.raises(errors.LoginFailed) as error:
        pve.get("/version")
    assert len(cluster.log) == before + 1
    assert "login of root@pam was refused" in str(error.value) and "wrong-word" not in str(error.value)


@pytest.mark.parametrize("after", [False, True])
def test_a_write_whose_answer_is_lost_is_uncertain_and_sent_once(cluster: Cluster, after: bool) -> None:
    """Would catch a retry below the engine: a second VM."""
    with by_password(cluster) as pve:
        pve.get("/version")
        cluster.fault("reset", method="POST", path="/pools", after=after)
        before = len(cluster.log)
        with pytest.raises(errors.Uncertain):
            pve.post("/pools", poolid="p1")
        assert len(cluster.log) == before + 1
        assert bool(pve.get("/pools")) is after


def test_a_read_is_tried_again(cluster: Cluster) -> None:
    with by_password(cluster) as pve:
        cluster.fault("status", path="/version", status=502, times=2)
        cluster.fault("reset", path="/version", at=3)
        assert pve.get("/version")["release"]


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_login_is_tried_again(cluster: Cluster, status: int) -> None:
    """Would catch a run that ends because the first node's web server was just restarting."""
    before = len(cluster.log)
    cluster.fault(kind="status", status=status, method="POST", path=".*/access/ticket", times=2)
    with by_password(cluster) as pve:
        assert pve.get("/version")["version"]
    assert [row["path"] for row in cluster.log[before:]].count("/access/ticket") == 3


def test_a_read_that_keeps_failing_ends_with_the_api_s_own_sentence(cluster: Cluster) -> None:
    """Would catch a wait's words in place of the error, which every caller looks at by its class."""
    with by_password(cluster) as pve:
        pve.get("/version")
        before = len(cluster.log)
        cluster.fault(kind="status", status=503, method="GET", path="/version", times=0)
        with pytest.raises(errors.Busy, match="GET /version") as raised:
            pve.get("/version")
    assert raised.value.status == 503
    assert [row["path"] for row in cluster.log[before:]].count("/version") == client.READ_TRIES


@pytest.mark.parametrize("token", [False, True])
def test_the_entrance_lets_a_plain_request_in(cluster: Cluster, token: bool) -> None:
    """Would catch a fast way past the transport that is let in nowhere, or that knows the login before there is one."""
    more: dict[str, Any] = {}
    if token:
        with by_password(cluster) as pve:
            made = pve.post("/access/users/root@pam/token/plain", privsep=0)
        more = {"password": None, "token_id": "plain", "token_secret": Secret(made["value"])}
    with by_password(cluster, **more) as pve:
        assert pve.entrance() == (cluster.hosts[0], {})
        pve.get("/version")
        host, headers = pve.entrance()
        asked = urllib.request.Request(f"https://{host}/api2/json/nodes", headers=headers)
        trusted = ssl.create_default_context(cafile=cluster.about["ca"])
        with urllib.request.urlopen(asked, context=trusted, timeout=5) as answer:  # noqa: S310 - the simulator
            assert answer.status == 200


def test_an_answer_that_does_not_come_in_time_is_uncertain(cluster: Cluster) -> None:
    with by_password(cluster, timeout=1.0) as pve:
        cluster.fault("latency", method="POST", path="/pools", seconds=2.5)
        with pytest.raises(errors.Uncertain, match="the answer was lost"):
            pve.post("/pools", poolid="p1")


def test_the_host_that_answers_is_kept(three: Cluster) -> None:
    with by_password(three, hosts=("127.0.0.1:1", *three.hosts)) as pve:
        begin = time.monotonic()
        for _unused in range(20):
            pve.get("/version")
        assert time.monotonic() - begin < 3 and pve._first == 1


def test_who_never_answered_is_not_waited_for(cluster: Cluster) -> None:
    """Would catch a task that tries a wrong address until its deadline, or gives up on a node that restarts."""
    closed = ("127.0.0.1:1", "127.0.0.1:2")
    with by_password(cluster, hosts=closed) as pve, pytest.raises(errors.Unreachable, match=r"127\.0\.0\.1:2") as error:
        pve.get("/version")
    assert client.classify(error.value) is Fault.PERMANENT
    with by_password(cluster) as pve:
        pve.get("/version")
        pve.connection = replace(pve.connection, hosts=closed)
        with pytest.raises(errors.Unreachable) as error:
            pve.post("/pools", poolid="p1")
    assert client.classify(error.value) is Fault.TRANSIENT


def test_a_host_whose_certificate_is_not_trusted_is_told_so_and_not_asked_for_long(cluster: Cluster) -> None:
    begin = time.monotonic()
    with by_password(cluster, verify=True) as pve, pytest.raises(errors.Untrusted, match=r"pve-root-ca\.pem"):
        pve.get("/version")
    assert time.monotonic() - begin < 3


def test_booleans_lists_secrets_and_nothing_are_sent_as_the_api_wants_them(cluster: Cluster) -> None:
    """`True` as the library sends it is refused by the API."""
    with by_password(cluster) as pve:
        upid = pve.post(
            "/nodes/pve1/qemu",
            vmid=100,
            name="x",
            onboot=True,
            protection=False,
            ciuser=Secret("ada"),
            description=None,
        )
        pve.wait(upid, "create", Deadline(10))
        conf = pve.get("/nodes/pve1/qemu/100/config")
    assert (conf["onboot"], conf["protection"], conf["ciuser"]) == (1, 0, "ada") and "description" not in conf


def test_a_refusal_repeats_no_secret(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with by_password(cluster) as pve:
        cluster.fault("status", method="POST", path="/pools", status=500, text="not hunter2-word")
        with pytest.raises(errors.ProxmoxError) as error:
            pve.post("/pools", poolid="p", comment=Secret("hunter2-word"))
        pve.post("/pools", poolid="p", comment=Secret("hunter2-word"))
    assert "hunter2" not in str(error.value) and "hunter2" not in caplog.text


def test_a_task_that_fails_late_raises_with_its_log(cluster: Cluster) -> None:
    with by_password(cluster) as pve:
        upid = pve.post("/nodes/pve1/qemu/9000/status/start")
        with pytest.raises(errors.TaskFailed, match=r"you can't start a vm if it's a template.*qmstart 9000 on pve1"):
            pve.wait(upid, "start", Deadline(10))


def test_many_tasks_are_waited_for_with_few_requests(cluster: Cluster) -> None:
    """Would catch a poll per task and interval."""
    cluster.control("POST", "durations", qmclone=1.0)
    with by_password(cluster) as pve:
        upids = [pve.post("/nodes/pve1/qemu/9000/clone", newid=200 + i) for i in range(12)]
        before = len(cluster.log)
        side_by_side(1, lambda: None)
        threads = [threading.Thread(target=pve.wait, args=(upid, "clone", Deadline(20))) for upid in upids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        polls = [row for row in cluster.log[before:] if "/tasks" in row["path"]]
    assert len(polls) <= 12, len(polls)


def test_upids_of_tokens_and_without_an_id_are_read() -> None:
    task = Upid.parse("UPID:pve-1:0000021B:00050AB7:6B0102C3:srvreload:networking:root@pam!ci:")
    assert (task.node, task.type, task.id, task.user, task.start) == (
        "pve-1", "srvreload", "networking", "root@pam!ci", 0x6B0102C3,
    )  # fmt: skip
    assert Upid.parse("UPID:n:0000021B:00050AB7:6B0102C3:startall::root@pam:").id == ""


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"api_user": "root@pam"}, "no credentials"),
        ({"api_user": "root@pam", "api_token_id": "x"}, "belong together"),
        ({"api_user": "root", "api_password": "x"}, "without a realm"),
        ({"api_token_id": "x", "api_token_secret": "y"}, "api_user is missing"),
    ],
)
def test_credentials_that_cannot_work_are_said(params: dict[str, str], sentence: str) -> None:
    assert sentence in "; ".join(options.connection_problems(params))
    whole = {"api_token_id": "socle@pve!ci", "api_token_secret": "s"}
    assert options.connection_problems(whole) == []


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("proxmoxer"):
            raise ImportError("No module named 'proxmoxer'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(client.LibraryMissing) as error:
        Proxmox(Connection(("x",), "root@pam", Secret("x")))
    assert error.value.library == "proxmoxer"
