# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""proxmox_templates against the simulator, with images from a real HTTP server."""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils import _reconcile as engine
from ansible_collections.socle.platform.plugins.module_utils._proxmox import templates
from ansible_collections.socle.platform.plugins.module_utils._proxmox.privileges import PLATFORM
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import Session
from ansible_collections.socle.platform.plugins.module_utils._proxmox.templates_writer import Shared, TemplatesWriter

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxmox_site import Site, Work, killed, results, running

GIB = 1024**3
IMAGES = {f"/{name}.qcow2": b"QFI\xfb" + bytes(20) + (3 * GIB).to_bytes(8, "big") + name.encode() for name in "ab"}


class Images(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = IMAGES.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def images() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Images)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        made = stack.enter_context(running(tmp_path_factory.mktemp("pve"), nodes=("pve1", "pve2"), cluster="lab"))
        with made.session() as session:
            content = "images,rootdir,iso,backup,snippets,vztmpl,import"
            session.pve.put("/storage/local", content=content)
            session.pve.post("/storage", storage="common", type="dir", path="/mnt/common", shared=1, content="images")
        made.simulator.control.remember()
        yield made


@pytest.fixture(autouse=True)
def fresh(site: Site) -> None:
    site.reset()


def checksum(name: str) -> str:
    return "sha256:" + hashlib.sha256(IMAGES[f"/{name}.qcow2"]).hexdigest()


def one(images: str, image: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "name": "debian-13",
        "version": f"v{image}",
        "url": f"{images}/{image}.qcow2",
        "checksum": checksum(image),
        "storage": "local",
        "nodes": ["pve1"],
        **more,
    }


def work(session: Session, platform: str = "cater", **options: Any) -> Work:
    cluster, shared = templates.Cluster(), Shared()
    return Work(
        templates.spec(),
        lambda p: templates.desired(p, session, cluster),
        lambda _unused: templates.Templates(session, cluster, platform, options.get("prune", False)),
        lambda p: TemplatesWriter(session, cluster, shared, p["first_id"]),
        **options,
    )


def ours(site: Site) -> dict[int, tuple[str, str]]:
    """Name and node of every guest, by its id."""
    return {vmid: (guest.conf.get("name", ""), guest.node) for vmid, guest in site.world.guests.items()}


def volumes(site: Site) -> set[str]:
    return {
        volid for storage in site.world.storages.values() for node in site.world.nodes for volid in storage.on(node)
    }


def test_an_image_becomes_a_template(site: Site, images: str) -> None:
    """Would catch a template that cannot boot a cloud image, and a second run that makes another or changes it."""
    with site.session() as session:
        wanted = [one(images, disk="10 GiB", bridge="vmbr0", vlan=100, tags=["Debian"], memory="2 GiB", cores=2)]
        result = work(session).apply(templates=wanted, platform="cater")
        assert result.ok, result.message()
        ((vmid, (name, node)),) = ours(site).items()
        assert (vmid, name, node) == (9000, "debian-13-va", "pve1")
        config = session.pve.get("/nodes/pve1/qemu/9000/config")
        assert config["template"] == 1 and "base-9000" in config["scsi0"] and "size=10G" in config["scsi0"]
        assert "cloudinit" in config["ide2"] and config["serial0"] == "socket" and config["agent"] == "1"
        assert "bridge=vmbr0" in config["net0"] and "tag=100" in config["net0"]
        assert set(config["tags"].split(";")) == {"debian", "socle-template"}
        site.forget()
        again = work(session).plan(templates=wanted, platform="cater")
        assert not again.changed, again.as_dict()
        assert site.requests() == ["GET /cluster/resources", "GET /nodes/pve1/qemu/9000/config"]
        assert templates.there(again, None) == {"templates": [{"template": name, "node": "pve1", "id": 9000}]}


def test_local_storage_means_one_for_each_node_and_shared_storage_one_for_all(site: Site, images: str) -> None:
    """Would catch a node without a template to clone from, and copies that nobody needs."""
    with site.session() as session:
        local = {key: value for key, value in one(images).items() if key != "nodes"}
        wanted = [local, {**local, "name": "shared", "storage": "common"}]
        result = work(session).apply(templates=wanted, platform="cater")
        assert result.ok, result.message()
        found = sorted(ours(site).values())
        assert found[:2] == [("debian-13-va", "pve1"), ("debian-13-va", "pve2")] and len(found) == 3
        assert not work(session).plan(templates=wanted, platform="cater").changed


def test_a_new_version_leaves_the_old_one_until_pruned(site: Site, images: str) -> None:
    """Would catch a template changed under machines that stand on it, or removed unasked."""
    with site.session() as session:
        work(session).apply(templates=[one(images)], platform="cater")
        work(session, "other").apply(templates=[one(images, name="mine")], platform="other")
        new = [one(images, "b")]
        made = work(session).plan(templates=new, platform="cater")
        assert [change.action.value for change in made.pending] == ["create"]
        assert work(session, prune=True).apply(templates=new, platform="cater").ok
        assert sorted(name for name, _unused in ours(site).values()) == ["debian-13-vb", "mine-va"]
        assert not any("debian-13-va" in volume for volume in volumes(site))


def test_a_template_under_a_linked_clone_is_not_pruned(site: Site, images: str) -> None:
    """Would catch a run that fails for ever because Proxmox refuses to remove what machines stand on."""
    with site.session() as session:
        work(session).apply(templates=[one(images)], platform="cater")
        upid = session.pve.post("/nodes/pve1/qemu/9000/clone", newid=100, name="machine")
        session.pve.wait(upid, "clone", engine.Deadline(30))
        made = work(session, prune=True).plan(templates=[one(images, "b")], platform="cater")
        assert [change.action.value for change in made.pending] == ["create"]
        assert "linked clones stand on its disk" in made.warnings[0]
        assert not work(session).plan(templates=[one(images)], platform="cater").changed


def test_other_content_under_the_same_version_is_refused(site: Site, images: str) -> None:
    """Would catch a template replaced unasked, and a replacement that keeps the old image."""
    with site.session() as session:
        work(session).apply(templates=[one(images)], platform="cater")
        other = [{**one(images), "checksum": checksum("b"), "url": f"{images}/b.qcow2"}]
        (refusal,) = work(session).plan(templates=other, platform="cater").refusals
        assert "allow_replace" in refusal
        result = work(session, allow_replace=True).apply(templates=other, platform="cater")
        assert result.ok, result.message()
        assert not work(session).plan(templates=other, platform="cater").changed


def test_small_changes_are_made_in_place(site: Site, images: str) -> None:
    """Would catch a template made anew for its cores, and a network card that loses its MAC."""
    with site.session() as session:
        work(session).apply(templates=[one(images, bridge="vmbr0")], platform="cater")
        mac = session.pve.get("/nodes/pve1/qemu/9000/config")["net0"].partition(",")[0]
        changed = [one(images, bridge="vmbr0", vlan=7, cores=4, memory="4 GiB", tags=["x"])]
        assert work(session).apply(templates=changed, platform="cater").ok
        config = session.pve.get("/nodes/pve1/qemu/9000/config")
        assert config["net0"].startswith(mac) and "tag=7" in config["net0"]
        assert config["cores"] == 4 and config["memory"] == "4096" and config["tags"] == "socle-template;x"


@pytest.mark.parametrize("call", ["POST /nodes/pve1/qemu", "PUT .*/resize", "POST .*/template", "PUT .*/config"])
@pytest.mark.parametrize("after", [False, True])
def test_a_lost_answer_makes_no_second_template(site: Site, images: str, call: str, after: bool) -> None:
    """Would catch a duplicate or a torso when the connection breaks before or after any of the writes."""
    method, _unused, path = call.partition(" ")
    site.fault(kind="reset", method=method, path=path + "$", after=after)
    with site.session() as session:
        result = work(session).apply(templates=[one(images, disk="5 GiB")], platform="cater")
        assert result.ok, result.message()
        assert not work(session).plan(templates=[one(images, disk="5 GiB")], platform="cater").changed
        assert [name for name, _unused in ours(site).values()] == ["debian-13-va"]


def test_a_run_that_died_midway_is_made_good(site: Site, images: str) -> None:
    """Would catch a half-made template adopted as it is, or left beside the new one."""
    with site.session() as session:
        torso(site, session)
        made = work(session).plan(templates=[one(images)], platform="cater")
        assert "unfinished" in made.pending[0].reason and not made.refusals
        assert work(session).apply(templates=[one(images)], platform="cater").ok
        assert [name for name, _unused in ours(site).values()] == ["debian-13-va"]
        assert not work(session).plan(templates=[one(images)], platform="cater").changed


def equals(site: Site, session: Session, wanted: list[dict[str, Any]]) -> None:
    """One more run without trouble leaves what is wanted, whole, and nothing beside it."""
    site.control("POST", "settle")
    # A torso is left alone while another run may still work on it.
    site.control("POST", "clock", skip=30)
    result = work(session).apply(templates=wanted, platform="cater")
    assert result.ok, result.message()
    assert not work(session).plan(templates=wanted, platform="cater").changed
    names = sorted(f"{item['name']}-{item['version']}" for item in wanted)
    assert sorted(name for name, _unused in ours(site).values()) == names
    assert all(guest.conf.get("template") and not guest.conf.get("lock") for guest in site.world.guests.values())
    disks = [volume for volume in volumes(site) if "disk" in volume]
    assert len(disks) == len(names), disks


@pytest.mark.parametrize("after", [False, True])
def test_a_run_killed_at_any_write_is_made_good(site: Site, images: str, after: bool) -> None:
    """Would catch a step after which a killed run leaves an orphan, a duplicate, or a template that is not whole."""
    wanted = [one(images, disk="5 GiB"), one(images, "b")]
    for at in range(1, 11):
        site.reset()
        with site.session() as session:
            with killed(session, at, after):
                work(session, deadline=20.0).apply(templates=wanted, platform="cater")
            equals(site, session, wanted)


FAULTS: list[dict[str, Any]] = [
    *({"kind": "status", "status": status} for status in (500, 502, 503, 595, 596, 599)),
    {"kind": "reset"},
    {"kind": "reset", "after": True},
    {"kind": "task-error", "text": "command failed: exit code 5"},
    {"kind": "task-dies"},
    {"kind": "lock-stays", "lock": "backup"},
    {"kind": "lock-stays", "lock": "create"},
    {"kind": "no-quorum"},
    {"kind": "storage-full", "storage": "local"},
]


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(6, 60))])
def test_after_any_fault_one_clean_run_is_enough(site: Site, images: str, seed: int) -> None:
    """Would catch a fault at some request that leaves what the next run neither finishes nor removes."""
    dice = random.Random(seed)
    wanted = [one(images, disk="5 GiB"), one(images, "b")]
    for _unused in range(dice.randint(1, 3)):
        fault = dice.choice(FAULTS)
        site.fault(**fault, at=dice.randint(1, 16), times=dice.randint(1, 3), method=dice.choice([".*", "POST|PUT"]))
    told: list[str] = []
    with site.session() as session:
        with contextlib.suppress(engine.EngineError):
            result = work(session, deadline=3.0).apply(templates=wanted, platform="cater")
            told = [warning for outcome in result.outcomes for warning in outcome.warnings]
        site.control("DELETE", "faults")
        unlock(site)
        discard(site, told)
        equals(site, session, wanted)


def discard(site: Site, told: list[str]) -> None:
    """What a reader of these warnings does: an empty guest that no request could remove has nobody else."""
    site.control("POST", "settle")
    for vmid in re.findall(r"qm unlock (\d+) && qm destroy \1", " ".join(told)):
        guest = site.world.guests.get(int(vmid))
        if guest and set(guest.conf) == {"lock"}:
            del site.world.guests[int(vmid)]


def unlock(site: Site) -> None:
    """What the holder of a lock does at the end of its own work; a lock of a guest's making has none."""
    for guest in site.world.guests.values():
        if guest.conf.get("lock") == "backup":
            del guest.conf["lock"]


@pytest.mark.parametrize("call", ["resize", "template", "config"])
@pytest.mark.parametrize("lock", ["create", "backup"])
def test_a_lock_that_stays_on_a_half_made_template_is_no_end(site: Site, images: str, call: str, lock: str) -> None:
    """Would catch a torso that every later run waits for until its deadline, and a backup's lock that is broken."""
    wanted = [one(images, disk="5 GiB")]
    site.fault(kind="lock-stays", lock=lock, path=f"/qemu/9000/{call}$", method="POST|PUT")
    with site.session() as session:
        work(session, deadline=3.0).apply(templates=wanted, platform="cater")
        site.control("DELETE", "faults")
        site.control("POST", "clock", skip=30)
        if lock == "backup":
            assert site.world.guests[9000].conf["lock"] == lock, "whoever holds it may still be at work"
        if lock == "backup" and call != "config":
            told = work(session, deadline=2.0).apply(templates=wanted, platform="cater").message()
            assert "debian-13-va" in told and "VM is locked (backup)" in told and "qm unlock" in told, told
            assert site.world.guests[9000].conf["lock"] == lock
        unlock(site)
        equals(site, session, wanted)


def torso(site: Site, session: Session, **conf: Any) -> None:
    """What a run leaves that died while it made a template."""
    mark = templates.Mark("debian-13", "va", "pve1", "cater", checksum("a"), "local:import/debian-13-va.qcow2")
    values = {"name": mark.full, "description": mark.text(complete=False), "smbios1": f"uuid={mark.uuid}"}
    upid = session.pve.post("/nodes/pve1/qemu", vmid=9000, tags="socle-template", scsi0="local:1", **values)
    session.pve.wait(upid, "a torso", engine.Deadline(30))
    site.control("POST", "guest", vmid=9000, conf=conf)
    site.control("POST", "clock", skip=30)


def test_the_lock_of_a_dead_making_is_passed_by_root_and_told_to_others(site: Site, images: str) -> None:
    """Would catch a torso that stays for ever, and a token's refusal without the guest, the node and a way out."""
    wanted = [one(images)]
    with site.session() as session:
        torso(site, session, lock="create")
        made = session.pve.post("/access/users/root@pam/token/mine", privsep=0)
        login = {"api_user": "root@pam", "api_token_id": "mine", "api_token_secret": made["value"]}
        with site.session(**login) as token:
            told = work(token, deadline=5.0).apply(templates=wanted, platform="cater").message()
        assert "guest 9000 on pve1" in told and "qm unlock 9000 && qm destroy 9000" in told, told
        equals(site, session, wanted)


def test_guests_of_others_are_never_touched(site: Site, images: str) -> None:
    """Would catch a guest taken for ours by its name or id, and a clone by the description it has inherited."""
    with site.session() as session:
        site.control("POST", "guests", count=1, first=9000, conf={"name": "debian-13-va"})
        (refusal,) = work(session).plan(templates=[one(images)], platform="cater").refusals
        assert "debian-13-va (id 9000 on pve1)" in refusal
        site.control("POST", "guest", vmid=9000, conf={"name": "somebody"})
        assert work(session).apply(templates=[one(images)], platform="cater").ok
        assert ours(site)[9000][0] == "somebody" and ours(site)[9001][0] == "debian-13-va"
        upid = session.pve.post("/nodes/pve1/qemu/9001/clone", newid=100, name="copy", full=1)
        session.pve.wait(upid, "clone", engine.Deadline(30))
        gone = [{"name": "debian-13", "version": "va", "state": "absent"}]
        assert work(session).apply(templates=gone, platform="cater").ok
        assert sorted(name for name, _unused in ours(site).values()) == ["copy", "somebody"]


def test_what_fails_leaves_nothing_and_says_why(site: Site, images: str) -> None:
    """Would catch a half-made guest or image after a wrong checksum, a wrong address or a disk that is too small."""
    cases = [
        (one(images, checksum=checksum("b")), "checksum mismatch"),
        ({**one(images), "url": f"{images}/none.qcow2"}, "404"),
        (one(images, disk="1 GiB"), "disks never shrink"),
    ]
    with site.session() as session:
        for wanted, said in cases:
            result = work(session).apply(templates=[wanted], platform="cater")
            assert said in result.message() and wanted["name"] in result.message()
            assert ours(site) == {}


def test_everything_wrong_is_said_before_the_first_write(site: Site, images: str) -> None:
    """Would catch half a set made before the rest is found to be impossible."""
    wrong = [
        one(images, name="a", storage="fast"),
        one(images, name="b", nodes=["pve3"]),
        one(images, name="c", checksum="sha256:123"),
        one(images, name="d", image_storage="common"),
        one(images, name="e", memory="lots"),
        {"name": "f", "state": "absent"},
        one(images, name="g_h"),
        {**one(images, name="i"), "url": "ftp://x/y"},
    ]
    with site.session() as session:
        site.forget()
        with pytest.raises(engine.EngineError) as caught:
            work(session).plan(templates=wrong, platform="cater")
        text = str(caught.value)
        for part in (
            "no storage fast",
            "node pve3 is not there",
            "ALGORITHM:DIGITS",
            "storage common on node pve1 takes no content import",
            "'lots' is no size",
            "which version",
            "template g_h-va: Proxmox takes letters",
            "http or https",
        ):
            assert part in text, text
        assert site.writes() == []
        refusals = work(session).plan(templates=[one(images, bridge="vmbr9")], platform="cater").refusals
        assert "no bridge vmbr9; there are vmbr0" in refusals[0]


def test_the_platform_s_role_is_enough_and_none_of_its_privileges_can_be_missed(site: Site, images: str) -> None:
    """Would catch a privilege that templates need and the preset does not have."""
    with site.session() as session:
        session.pve.post("/access/roles", roleid="Socle", privs=",".join(PLATFORM))
        session.pve.post("/access/users", userid="socle@pve", password="password1")
        session.pve.put("/access/acl", path="/", roles="Socle", users="socle@pve")
    with site.session(api_user="socle@pve", api_password="password1") as session:
        wanted = [one(images, disk="5 GiB", bridge="vmbr0", vlan=5)]
        result = work(session).apply(templates=wanted, platform="cater")
        assert result.ok, result.message()
        gone = [{"name": "debian-13", "version": "va", "state": "absent"}]
        result = work(session).apply(templates=gone, platform="cater")
        assert result.ok, result.message()
        assert not any("debian" in volume for volume in volumes(site))


def test_playbook_check_mode_predicts_and_writes_nothing(site: Site, images: str) -> None:
    """Would catch a write in check mode, an image fetched by it, and a result without ids."""
    task = {"socle.platform.proxmox_templates": {**site.connection(), "templates": [one(images)], "platform": "cater"}}
    site.forget()
    predicted = results(site.playbook([task], "--check", "--diff"))[0]
    assert predicted.get("changed"), predicted
    assert site.writes() == []
    done = results(site.playbook([task, task]))
    assert [r["changed"] for r in done] == [True, False], done
    assert done[0]["templates"] == done[1]["templates"] == [{"template": "debian-13-va", "node": "pve1", "id": 9000}]


def test_playbook_info_names_the_newest(site: Site, images: str) -> None:
    """Would catch machines made of an old version, or of one that is not complete."""
    with site.session() as session:
        work(session).apply(templates=[one(images)], platform="cater")
        site.control("POST", "clock", skip=60)
        work(session).apply(templates=[one(images, "b", nodes=["pve1", "pve2"])], platform="cater")
    found = results(site.playbook([{"socle.platform.proxmox_templates_info": site.connection()}]))[0]
    assert found["latest"] == {"debian-13": "debian-13-vb"}
    assert [(row["template"], row["node"]) for row in found["templates"]] == [
        ("debian-13-va", "pve1"),
        ("debian-13-vb", "pve1"),
        ("debian-13-vb", "pve2"),
    ]
    assert found["templates"][0]["checksum"] == checksum("a") and found["templates"][0]["disk"] == "3 GiB"


@pytest.mark.parametrize("late", [0.0, 0.3, 1.2])
def test_two_controllers_at_once_make_one_template(site: Site, images: str, late: float) -> None:
    """Would catch two templates of one name, or an orphan, after two runs that overlapped; whoever fails says why."""
    wanted = [one(images, disk="5 GiB")]
    site.control("POST", "durations", **{"*": 0.4})
    messages: list[str] = []

    def controller(wait: float) -> None:
        threading.Event().wait(wait)
        with site.session() as session:
            result = work(session, deadline=30.0).apply(templates=wanted, platform="cater")
            messages.append(result.message())

    threads = [threading.Thread(target=controller, args=(wait,)) for wait in (0.0, late)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    site.control("POST", "durations", **{"*": 0.0})
    assert "" in messages, messages
    with site.session() as session:
        equals(site, session, wanted)
