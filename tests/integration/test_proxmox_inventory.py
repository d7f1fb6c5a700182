# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin socle.platform.proxmox, through ansible-inventory, against the simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxmox_site import BIN, ROOT, Site, running

AGENT = [
    {"name": "lo", "hardware-address": "00:00:00:00:00:00", "ip-addresses": [{"ip-address": "127.0.0.1", "prefix": 8}]},
    {
        "name": "docker0",
        "hardware-address": "02:42:00:00:00:01",
        "ip-addresses": [{"ip-address": "172.17.0.1", "prefix": 16}],
    },
    {
        "name": "eth0",
        "hardware-address": "bc:24:11:00:00:64",
        "ip-addresses": [{"ip-address": "fe80::1", "prefix": 64}, {"ip-address": "192.0.2.100", "prefix": 24}],
    },
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        made = stack.enter_context(
            running(tmp_path_factory.mktemp("pve"), nodes=("pve1", "pve2"), cluster="lab", stat_interval=0.0)
        )
        made.control(
            "POST", "guests", count=3, first=100, name="web", running=True, conf={"tags": "web;blue", "agent": "1"}
        )
        made.control("POST", "guests", count=2, first=200, name="db", conf={"tags": "db"})
        for index, vmid in enumerate((101, 102)):
            conf = {"ipconfig0": f"ip=10.10.0.{index + 11}/16,gw=10.10.0.1,ip6=fd00::{index + 11}/64"}
            made.control("POST", "guest", vmid=vmid, conf=conf)
        net0 = "virtio=BC:24:11:00:00:64,bridge=vmbr0"
        made.control("POST", "guest", vmid=100, conf={"net0": net0}, agent={"interfaces": AGENT})
        made.control("POST", "guest", vmid=200, conf={"description": "say {{ 7 * 6 }}", "template": 1})
        with made.session() as session:
            session.pve.post("/pools", poolid="cater")
            session.pve.put("/pools", poolid="cater", vms="101,102")
        yield made


@pytest.fixture(autouse=True)
def fresh(site: Site) -> None:
    site.forget()


def environment(folder: Path, **extra: str) -> dict[str, str]:
    return {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "playbooks" / "collections"),
        "ANSIBLE_INVENTORY_ENABLED": "socle.platform.proxmox,ansible.builtin.yaml,ansible.builtin.ini",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        **extra,
    }


def listed(
    site: Site, folder: Path, *options: str, others: tuple[str, ...] = (), fails: bool = False, **config: Any
) -> Any:
    """What ansible-inventory says; its whole output when it is to fail."""
    file = folder / "live.proxmox.yml"
    file.write_text(yaml.safe_dump({"plugin": "socle.platform.proxmox", **site.connection(), **config}))
    sources = [part for source in (str(file), *others) for part in ("-i", source)]
    done = subprocess.run(
        [str(BIN / "ansible-inventory"), *sources, "--list", *options],
        cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if fails:
        assert done.returncode != 0
        return done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "said": done.stderr}


def plain(value: Any) -> Any:
    """A text that ansible-inventory marks as one that is not evaluated."""
    return value["__ansible_unsafe"] if isinstance(value, dict) else value


def test_the_live_view_takes_one_request(site: Site, tmp_path: Path) -> None:
    """Would catch a request for each node, pool or guest; and variables or groups that are missing or wrong."""
    found = listed(site, tmp_path)
    assert site.requests() == ["GET /cluster/resources"]
    hosts = found["_meta"]["hostvars"]
    assert sorted(hosts) == ["db-201", "web-100", "web-101", "web-102"]
    web = hosts["web-101"]
    assert (web["proxmox_vmid"], web["proxmox_node"], web["proxmox_status"]) == (101, "pve2", "running")
    assert web["proxmox_tags"] == ["blue", "web"] and web["proxmox_pool"] == "cater" and web["proxmox_type"] == "qemu"
    groups = {name: sorted(group.get("hosts", [])) for name, group in found.items() if isinstance(group, dict)}
    assert groups["proxmox_running"] == ["web-100", "web-101", "web-102"] and groups["proxmox_stopped"] == ["db-201"]
    assert groups["proxmox_tag_web"] == groups["proxmox_running"] and groups["proxmox_pool_cater"][0] == "web-101"
    assert groups["proxmox_node_pve1"] == ["web-100", "web-102"] and len(groups["proxmox_qemu"]) == 4


def test_facts_find_the_address_with_as_few_questions_as_can_be(site: Site, tmp_path: Path) -> None:
    """Would catch addresses of a bridge inside the guest, needless questions, and evaluated text."""
    found = listed(site, tmp_path, want_facts=True, include_templates=True, networks=["10.10.0.0/16", "192.0.2.0/24"])
    hosts = found["_meta"]["hostvars"]
    assert {name: host.get("ansible_host") for name, host in hosts.items()} == {
        "web-100": "192.0.2.100",
        "web-101": "10.10.0.11",
        "web-102": "10.10.0.12",
        "db-200": None,
        "db-201": None,
    }
    asked = sorted(request for request in site.requests() if "agent" in request)
    assert asked == ["GET /nodes/pve1/qemu/100/agent/network-get-interfaces"]
    assert hosts["web-100"]["proxmox_addresses"] == ["fe80::1", "192.0.2.100"]
    assert hosts["web-101"]["proxmox_config"]["net0"]["bridge"] == "vmbr0"
    assert plain(hosts["db-200"]["proxmox_config"]["description"]) == "say {{ 7 * 6 }}"


def test_only_what_filters_and_limit_leave_is_asked_for_facts(site: Site, tmp_path: Path) -> None:
    """Would catch facts read of guests that nobody will see, and missing where they are needed."""
    filters = ["'web' in proxmox_tags", "proxmox_config.cores == 2"]
    hosts = listed(site, tmp_path, want_facts=True, agent="never", filters=filters)["_meta"]["hostvars"]
    assert sorted(hosts) == ["web-100", "web-101", "web-102"]
    assert len([r for r in site.requests() if r.endswith("/config")]) == 3
    for limit, count in (("web-101", 1), ("web-10[!0]", 2), ("proxmox_node_pve1,!web-100", 2), ("later", 3)):
        site.forget()
        listed(site, tmp_path, "--limit", limit, want_facts=True, agent="never", filters=filters[:1])
        assert len([r for r in site.requests() if r.endswith("/config")]) == count, limit


def test_compose_groups_and_keyed_groups_work_as_elsewhere(site: Site, tmp_path: Path) -> None:
    """Would catch one of the constructed options being ignored."""
    found = listed(
        site,
        tmp_path,
        want_facts=True,
        compose={"where": "proxmox_node ~ '/' ~ proxmox_vmid"},
        groups={"fixed": "proxmox_config.ipconfig0 is defined"},
        keyed_groups=[{"key": "proxmox_tags", "prefix": "role"}],
    )
    assert plain(found["_meta"]["hostvars"]["web-100"]["where"]) == "pve1/100"
    assert sorted(found["fixed"]["hosts"]) == ["web-101", "web-102"] and found["role_db"]["hosts"] == ["db-201"]


def test_a_kept_answer_is_used_and_completed(site: Site, tmp_path: Path) -> None:
    """Would catch a cache that asks again, or that lacks what an earlier --limit left out."""
    kept = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(tmp_path / "kept"),
        "want_facts": True,
        "agent": "never",
    }
    first = listed(site, tmp_path, "--limit", "web-101", **kept)
    assert first["_meta"]["hostvars"]["web-101"]["ansible_host"] == "10.10.0.11"
    site.forget()
    second = listed(site, tmp_path, **kept)
    assert len(site.requests()) == 3 and "GET /cluster/resources" not in site.requests()
    assert second["_meta"]["hostvars"]["web-102"]["ansible_host"] == "10.10.0.12"
    site.forget()
    third = listed(site, tmp_path, **kept)
    assert site.simulator.app.log == [] and third["_meta"] == second["_meta"]


def test_options_may_be_lookups_that_only_a_question_evaluates(site: Site, tmp_path: Path) -> None:
    """Would catch a secret that must be written into the file."""
    (tmp_path / "password").write_text("secret\n")
    lookup = "{{ lookup('ansible.builtin.file', '%s') }}" % (tmp_path / "password")
    found = listed(site, tmp_path, api_password=lookup)
    assert "web-100" in found["_meta"]["hostvars"]


def test_two_guests_of_one_name_are_two_hosts(site: Site, tmp_path: Path) -> None:
    """Would catch two machines merged into one host, of which only one is ever reached."""
    site.control("POST", "guest", vmid=201, conf={"name": "web-100"})
    try:
        found = listed(site, tmp_path)
    finally:
        site.control("POST", "guest", vmid=201, conf={"name": "db-201"})
    assert {"web-100-100", "web-100-201"} <= set(found["_meta"]["hostvars"])
    assert "2 guests have the name web-100" in " ".join(found["said"].split())


def test_nodes_are_hosts_when_asked(site: Site, tmp_path: Path) -> None:
    """Would catch nodes without an address, or a request for each."""
    found = listed(site, tmp_path, include_nodes=True)
    assert sorted(found["proxmox_nodes"]["hosts"]) == ["pve1", "pve2"]
    assert found["_meta"]["hostvars"]["pve1"]["ansible_host"]
    assert len(site.requests()) == 2


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"api_password": "wrong"}, "login of root@pam was refused"),
        ({"api_user": "root"}, "without a realm"),
        ({"ca_path": None}, "certificate"),
        ({"api_host": ["127.0.0.1:1"]}, "no API host could be reached"),
        ({"filters": ["nonsense ("], "strict": True}, "nonsense ("),
    ],
)
def test_what_is_wrong_is_said(site: Site, tmp_path: Path, config: dict[str, Any], said: str) -> None:
    """Would catch a traceback, or an empty inventory without a reason."""
    output = " ".join(listed(site, tmp_path, fails=True, **config).split())
    assert said in output and "Traceback" not in output


def test_a_node_that_is_away_costs_its_guests_facts_only(site: Site, tmp_path: Path) -> None:
    """Would catch an inventory that fails as a whole, or waits for ever, because one node is down."""
    site.control("POST", "node", name="pve2", online=False)
    try:
        found = listed(site, tmp_path, want_facts=True, agent="never")
    finally:
        site.control("POST", "node", name="pve2", online=True)
    hosts = found["_meta"]["hostvars"]
    assert "proxmox_config" in hosts["web-100"] and "proxmox_config" not in hosts["web-101"]
    assert "has no facts" in " ".join(found["said"].split())


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "expired-ticket", "path": "/config$", "at": 2},
        {"kind": "reset", "path": "/config$", "at": 2, "times": 2},
        {"kind": "reset", "path": "/config$", "at": 2, "after": True},
        {"kind": "status", "status": 503, "path": "/config$", "at": 2, "times": 3},
        {"kind": "status", "status": 596, "path": "/config$", "at": 3},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('status', fault.get('after', ''))}",
)
def test_what_goes_wrong_on_the_way_costs_no_facts(site: Site, tmp_path: Path, fault: dict[str, Any]) -> None:
    """Would catch guests without facts because a ticket ended, a connection broke or a node was overloaded."""
    site.fault(**fault)
    # An expired ticket is one of an earlier second: the next login must be in a later one.
    site.control("POST", "clock", speed=200)
    try:
        hosts = listed(site, tmp_path, want_facts=True, agent="never")["_meta"]["hostvars"]
    finally:
        site.control("DELETE", "faults")
        site.control("POST", "clock", speed=1)
    assert not {name for name, host in hosts.items() if "proxmox_config" not in host}


def test_a_token_is_as_good_as_a_password(site: Site, tmp_path: Path) -> None:
    """Would catch facts that can only be read with a ticket; and an agent that is down asked twice."""
    with site.session() as session:
        value = session.pve.post("/access/users/root@pam/token/live", privsep=False)["value"]
    site.control("POST", "guest", vmid=100, agent={"down": True})
    site.forget()
    try:
        token = {"api_user": None, "api_password": None, "api_token_id": "root@pam!live", "api_token_secret": value}
        found = listed(site, tmp_path, want_facts=True, agent="always", **token)
    finally:
        site.control("POST", "guest", vmid=100, agent={"down": False})
        with site.session() as session:
            session.pve.delete("/access/users/root@pam/token/live")
    assert all("proxmox_config" in host for host in found["_meta"]["hostvars"].values())
    assert len([request for request in site.requests() if "/100/agent/" in request]) == 1
    assert value not in found["said"]
