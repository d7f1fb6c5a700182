# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a cluster, and done to it, beside real etcd and a real API server. etcd's own tools judge."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._cluster import live, snapshot
from ansible_collections.socle.platform.plugins.module_utils._cluster.machine import FILES
from ansible_collections.socle.platform.plugins.module_utils._cluster.plain import NEXT, next_steps
from ansible_collections.socle.platform.plugins.module_utils._cluster.state import CONFIGS
from ansible_collections.socle.platform.plugins.module_utils._wait import Deadline, WaitFailed
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from .cluster_real import VERSION, Control, Site, planted, programs, sites, until


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("programs")
    yield programs(folder)
    shutil.rmtree(folder)


@pytest.fixture
def site(binaries: Path, tmp_path: Path) -> Iterator[Site]:
    """Three control planes."""
    yield from sites(binaries, tmp_path, ("c1", "c2", "c3"))


@pytest.fixture
def single(binaries: Path, tmp_path: Path) -> Iterator[Site]:
    """One control plane."""
    yield from sites(binaries, tmp_path, ("c1",))


def member_ids(site: Site, name: str) -> dict[str, str]:
    """Ids by name, as etcdctl tells them."""
    return {member["name"]: plain(member["ID"]) for member in site.etcdctl(name, "member", "list")["members"]}


def plain(number: str | int) -> str:
    return number if isinstance(number, str) else f"{number:x}"


def test_members_leader_and_health_are_what_etcd_itself_says(site: Site) -> None:
    """Catches ids, leaders or healths that are read wrongly, of running members and of stopped ones."""
    site.started("c1", "c2", "c3")
    told = site.controls["c1"].state().etcd
    listed = site.etcdctl("c1", "member", "list")["members"]
    assert {(m.id, m.name) for m in told.members} == {(plain(m["ID"]), m["name"]) for m in listed}
    assert {m.address for m in told.members} == {control.address for control in site.controls.values()}
    status = site.etcdctl("c1", "endpoint", "status")[0]["Status"]
    assert told.leader == plain(status["leader"])
    assert (told.version, told.cluster) == (status["version"], plain(status["header"]["cluster_id"]))
    assert all(member.healthy for member in told.members)

    online = site.controls["c3"].state().etcd
    site.kill("c3")
    offline = site.controls["c3"].state().etcd
    assert (offline.member, offline.cluster) == (online.member, online.cluster)
    assert 0 < offline.index <= site.controls["c1"].state().etcd.index
    assert not offline.answers
    assert "refused" in offline.reason
    seen = until("a leader", lambda: (e := site.controls["c1"].state().etcd).healthy and e)
    assert {m.name: m.healthy for m in seen.members} == {"c1": True, "c2": True, "c3": False}

    site.kill("c2")
    alone = until("the lost quorum", lambda: not (e := site.controls["c1"].state().etcd).healthy and e)
    assert alone.answers, alone
    assert len(alone.members) == 3
    assert alone.reason


def test_half_joined_members_are_seen_as_what_they_are(site: Site) -> None:
    """Catches a member that was added and never started passing for one that takes part."""
    site.start("c1", among=("c1",))
    until("etcd", lambda: site.controls["c1"].state().etcd.healthy)
    site.etcdctl("c1", "member", "add", "c2", "--learner", "--peer-urls", site.controls["c2"].peer_url)
    told = site.controls["c1"].state().etcd
    half = next(member for member in told.members if member.address == site.controls["c2"].address)
    assert (half.name, half.learner, half.healthy) == ("", True, False)


def door(site: Site, name: str, apis: tuple[str, ...] = ()) -> live.Door:
    return live.door(site.controls[name].places, {api: site.controls[api].address for api in apis})


def test_the_gate_moves_the_leadership_and_stays_shut_without_a_spare_member(site: Site) -> None:
    """Catches a gate that opens where a restart would stop etcd, or before the leader has handed over."""
    site.started("c1", "c2", "c3")
    told = site.controls["c1"].state().etcd
    leader = next(member.name for member in told.members if member.id == told.leader)
    other = next(name for name in site.controls if name != leader)
    with pytest.raises(WaitFailed, match="leads etcd"):
        live.wait_open(door(site, other), "restart", leader, Deadline(0), move=False)
    passed = live.wait_open(door(site, other), "restart", leader, Deadline(60), move=True)
    assert passed.moved
    assert plain(site.etcdctl(leader, "endpoint", "status")[0]["Status"]["leader"]) == passed.view.leader != told.leader

    third = next(name for name in site.controls if name not in (leader, other))
    site.kill(leader)
    until("a quorum of two", lambda: site.controls[other].state().etcd.healthy)
    for act, member in (("restart", third), ("join", ""), ("remove", third)):
        with pytest.raises(WaitFailed, match=r"2 of 3|1 of|are needed|leads"):
            live.wait_open(door(site, other), act, member, Deadline(0), move=False)


def test_a_dead_member_is_taken_out_and_a_healthy_one_is_not_when_it_is_needed(site: Site) -> None:
    """Catches a removal that costs the quorum, or one that is believed without looking at the list again."""
    site.started("c1", "c2", "c3")
    dead = site.controls["c3"].state().etcd.member
    site.kill("c3")
    until("a quorum of two", lambda: site.controls["c1"].state().etcd.healthy)
    with pytest.raises((WaitFailed, live.Refused), match=r"are needed|leads"):
        live.remove_member(door(site, "c1"), "c2", Deadline(1), dry=False)
    assert set(member_ids(site, "c1")) == {"c1", "c2", "c3"}
    assert live.remove_member(door(site, "c1"), dead, Deadline(60), dry=True)
    assert set(member_ids(site, "c1")) == {"c1", "c2", "c3"}
    assert live.remove_member(door(site, "c1"), dead, Deadline(60), dry=False)
    assert set(member_ids(site, "c1")) == {"c1", "c2"}
    assert not live.remove_member(door(site, "c1"), dead, Deadline(60), dry=False)


def test_lost_data_of_a_real_member_is_decided_upon_and_repaired(site: Site) -> None:
    """Catches a decision that only suits the model: two real members, the third one's folder empty."""
    site.started("c1", "c2", "c3")
    site.kill("c3")
    shutil.rmtree(site.controls["c3"].places.etcd)
    site.serve("c1")
    upload(site, "c1")
    wanted = {name: option["default"] for name, option in NEXT.items() if "default" in option}
    wanted |= {"version": VERSION, "control_planes": {n: c.address for n, c in site.controls.items()}, "addons": []}

    def decided() -> dict[str, object]:
        told = {name: asdict(control.state()) for name, control in site.controls.items()}
        for name, state in told.items():
            # No machine runs here, only etcd and the API: the kubelet and its packages are taken as well.
            versions = dict.fromkeys(("kube-controller-manager", "kube-scheduler"), VERSION)
            state["packages"] = {**dict.fromkeys(("kubeadm", "kubelet", "kubectl"), VERSION), "containerd": "2.3.7"}
            state["units"] = {"containerd": "active", "kubelet": "active"}
            state["manifests"] |= versions
            state["cluster"]["configs"] = state["cluster"]["configs"] and sorted(CONFIGS)
            if name != "c3":
                state |= {"kubelet_conf": "finished", "kubelet_config": True}
        return next_steps({**wanted, "machines": told})

    told = decided()
    assert told["steps"], told
    (removal,) = [step for step in told["steps"] if step["verb"] == "remove_stale_member"]  # type: ignore[union-attr, attr-defined]
    assert removal["with"]["id"] == member_ids(site, "c1")["c3"]
    assert live.remove_member(door(site, "c1"), removal["with"]["id"], Deadline(60), dry=False)
    verbs = {step["host"]: step["verb"] for step in decided()["steps"]}  # type: ignore[union-attr, attr-defined]
    assert verbs["c3"] == "reset_leftovers"


def upload(site: Site, name: str) -> None:
    control = site.controls[name]
    site.bind(name)
    admin = str(control.places.kubernetes / "admin.conf")
    site.kubeadm(control, "init", "phase", "upload-config", "kubeadm", "--kubeconfig", admin)


def test_the_api_server_tells_its_version_and_what_kubeadm_put_there(single: Site) -> None:
    """Catches a configuration, or a lost etcd behind an API server, that goes unseen."""
    control = single.controls["c1"]
    before = control.state()
    assert not before.api.ready
    assert "refused" in before.api.reason
    single.start("c1", among=("c1",))
    single.serve("c1")
    assert control.state().api.version == VERSION
    nothing = control.state()
    assert nothing.cluster.configs == ()
    assert "forbidden" in nothing.api.reason, "kubeadm has not bound the administrator's group yet"
    upload(single, "c1")
    told = control.state().cluster
    assert (told.version, told.configs) == (VERSION, ("kubeadm-config",))
    single.kill("c1")
    lost = until("the API to miss its etcd", lambda: not (api := control.state().api).ready and api)
    assert "etcd" in lost.reason or "no answer" in lost.reason, lost


def test_ends_and_issuers_of_certificates_are_what_a_library_reads(single: Site) -> None:
    """Catches a certificate whose end is misread, or one of kubeadm's that is not looked at."""
    control = single.controls["c1"]
    told = {certificate.name: certificate for certificate in control.state().certificates}
    assert {*told} == {*FILES, "admin.conf", "super-admin.conf"}
    for name, file in FILES.items():
        read = x509.load_pem_x509_certificate((control.pki / file).read_bytes())
        assert told[name].ends == int(read.not_valid_after_utc.timestamp())
        assert told[name].subject == read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        assert told[name].issuer == read.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        assert told[name].days > 300
    authority = x509.load_pem_x509_certificate((control.pki / "ca.crt").read_bytes())
    assert control.state().authority == authority.fingerprint(hashes.SHA256()).hex()


def test_ended_certificates_are_said_to_have_ended(single: Site) -> None:
    """Catches a member that cannot be asked any more and a reason that does not say why."""
    single.start("c1", among=("c1",))
    control = single.controls["c1"]
    until("etcd", lambda: control.state().etcd.healthy)
    expire(control, "etcd/healthcheck-client")
    told = control.state()
    assert next(c.days for c in told.certificates if c.name == "etcd-healthcheck-client") < 0
    assert not told.etcd.answers
    assert "certificate" in told.etcd.reason
    assert told.etcd.member, "its folder still tells which member it is"
    (control.pki / "apiserver.crt").write_text("-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n")
    damaged = next(c for c in control.state().certificates if c.name == "apiserver")
    assert damaged.days < 0
    assert "unreadable" in damaged.subject


def expire(control: Control, name: str) -> None:
    """Sign the same certificate again, a day too late."""
    folder = control.pki / "etcd"
    issuer = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    path = (control.pki / name).with_suffix(".crt")
    old = x509.load_pem_x509_certificate(path.read_bytes())
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder(issuer.subject, old.subject, old.public_key(), old.serial_number)
        .not_valid_before(now - timedelta(days=3))
        .not_valid_after(now - timedelta(days=1))
    )
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def run_modules(single: Site, *tasks: dict[str, Any]) -> list[dict[str, Any]]:
    """Our modules, one after the other, run by Ansible on this machine."""
    control = single.controls["c1"]
    places = {"kubernetes_dir": control.places.kubernetes, "kubelet_dir": control.places.kubelet}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": [{**task, "register": f"r{number}", "failed_when": False} for number, task in enumerate(tasks)],
        "module_defaults": {
            f"socle.platform.{name}": {**places, "etcd_dir": control.places.etcd}
            for name in ("kubeadm_state", "kubeadm_gate", "etcd_member", "etcd_snapshot")
        },
    }
    names = [f"r{number}" for number in range(len(tasks))]
    answer = single.folder / "answer.json"
    content = f"{{{{ [{', '.join(names)}] | to_json }}}}"
    play["tasks"].append({"ansible.builtin.copy": {"content": content, "dest": answer, "mode": "0600"}})
    book = single.folder / "book.yml"
    book.write_text(json.dumps([play], default=str))
    argv = [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local", book]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return list(json.loads(answer.read_text()))


ROOT = Path(__file__).resolve().parents[2]


def test_the_modules_do_under_ansible_what_the_parts_do(single: Site) -> None:
    """Catches parameters that do not arrive, changes that are not told, and failures without a sentence."""
    control = planted(single)
    own = control.state().etcd.member
    single.etcdctl("c1", "member", "add", "c2", "--learner", "--peer-urls", "https://127.0.0.99:2380")
    machines = {"c1": asdict(control.state())}
    folder, never = single.folder / "kept", single.folder / "never"
    other = {"member": "127.0.0.99"}
    seen, would, out, again, last, gate, shut, dry, taken, decided = run_modules(
        single,
        {"socle.platform.kubeadm_state": {"name": "c1", "address": control.address}},
        {"socle.platform.etcd_member": other, "check_mode": True},
        {"socle.platform.etcd_member": other},
        {"socle.platform.etcd_member": other},
        {"socle.platform.etcd_member": {"member": "c1", "timeout": 0}},
        {"socle.platform.kubeadm_gate": {"act": "restart", "member": "c1"}},
        {"socle.platform.kubeadm_gate": {"act": "restart", "member": "c9", "timeout": 0}},
        {"socle.platform.etcd_snapshot": {"folder": never}, "check_mode": True},
        {"socle.platform.etcd_snapshot": {"folder": folder}},
        {
            "socle.platform.kubeadm_next": {
                "machines": machines,
                "version": VERSION,
                "control_planes": {"c1": control.address},
            }
        },
    )
    assert {member["id"] for member in seen["state"]["etcd"]["members"]} > {own}
    assert [found["changed"] for found in (seen, would, out, again, gate)] == [False, True, True, False, False]
    assert len(would["members"]) == 2
    assert member_ids(single, "c1") == {"c1": own}
    assert "last member" in last["msg"]
    assert gate["leader"] == own
    assert "c9 is not in etcd's member list (c1)" in shut["msg"]
    assert dry["changed"]
    assert not never.exists()
    assert snapshot.check(Path(taken["path"])) == taken["sha256"]
    assert [step["verb"] for step in decided["steps"]] == ["install"], "there are no packages on this machine"
