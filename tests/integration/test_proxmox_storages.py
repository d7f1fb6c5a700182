# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""proxmox_storages against the simulator."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils import _reconcile as engine
from ansible_collections.socle.platform.plugins.module_utils._objects import DesiredError
from ansible_collections.socle.platform.plugins.module_utils._proxmox import storages
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import Session

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxmox_site import Site, Work, results, running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("pve"), nodes=("pve1", "pve2"), cluster="lab") as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(site: Site) -> None:
    site.reset()


def work(session: Session, **options: Any) -> Work:
    return Work(
        storages.spec(),
        storages.desired,
        lambda _unused: storages.Storages(session),
        lambda _unused: storages.StoragesWriter(session),
        **options,
    )


WANTED: list[dict[str, Any]] = [
    {
        "name": "images",
        "type": "dir",
        "content": ["iso", "import"],
        "nodes": ["pve2", "pve1"],
        "options": {"path": "/srv/images", "prune_backups": {"keep-daily": 7, "keep_last": 2}},
    },
    {"name": "fast", "type": "zfspool", "content": ["images"], "options": {"pool": "rpool/data", "sparse": True}},
    {"name": "old", "type": "dir", "enabled": False, "options": {"path": "/srv/old"}},
]


def test_a_set_is_defined_and_found_again(site: Site) -> None:
    """Would catch a value that reads back in another form (order, 1 for true, a property string) and never settles."""
    with site.session() as session:
        result = work(session).apply(storages=WANTED)
        assert result.ok, result.message()
        rows = {row["storage"]: row for row in session.pve.get("/storage")}
        assert rows["images"]["path"] == "/srv/images" and set(rows["images"]["content"].split(",")) == {
            "iso",
            "import",
        }
        assert rows["fast"]["sparse"] == 1 and rows["old"]["disable"] == 1
        site.forget()
        again = work(session).plan(storages=WANTED)
        assert not again.changed, again.as_dict()
        assert site.requests() == ["GET /storage", "GET /nodes"]


def test_options_change_and_go(site: Site) -> None:
    """Would catch an option that cannot be removed, and one that is lost because another one changed."""
    with site.session() as session:
        work(session).apply(storages=WANTED)
        changed = [
            {**WANTED[0], "nodes": [], "options": {"path": "/srv/images", "prune-backups": "keep-last=3"}},
            {**WANTED[1], "options": {"pool": "rpool/data", "sparse": ""}},
            {**WANTED[2], "enabled": True, "content": ["backup"]},
        ]
        result = work(session).apply(storages=changed)
        assert result.ok, result.message()
        rows = {row["storage"]: row for row in session.pve.get("/storage")}
        assert "nodes" not in rows["images"] and rows["images"]["prune-backups"] == "keep-last=3"
        assert set(rows["images"]["content"].split(",")) == {"iso", "import"}
        assert not rows["fast"].get("sparse") and not rows["old"].get("disable")
        assert not work(session).plan(storages=changed).changed


def test_many_changes_at_once_do_not_trip_over_their_common_digest(site: Site) -> None:
    """Would catch workers that refuse each other's changes: all definitions share one digest."""
    many = [{"name": f"s{i}", "type": "dir", "options": {"path": f"/srv/{i}"}} for i in range(12)]
    with site.session() as session:
        assert work(session).apply(storages=many).ok
        result = work(session).apply(storages=[{**item, "content": ["backup"]} for item in many])
        assert result.ok, result.message()


def test_a_fixed_option_is_not_changed_unasked(site: Site) -> None:
    """Would catch a definition removed and made anew without permission, or not even with it."""
    with site.session() as session:
        work(session).apply(storages=WANTED)
        moved = [{**WANTED[0], "options": {"path": "/srv/elsewhere"}}]
        (refusal,) = work(session).plan(storages=moved).refusals
        assert "path from /srv/images to /srv/elsewhere" in refusal and "allow_replace" in refusal
        assert work(session, allow_replace=True).apply(storages=moved).ok
        assert session.pve.get("/storage/images")["path"] == "/srv/elsewhere"


def test_wrong_options_are_said_all_at_once() -> None:
    """Would catch a set of which half is written before the API refuses the rest."""
    wrong = [
        {"name": "a", "type": "dir", "state": "present", "options": {"paht": "/x"}},
        {"name": "b", "type": "nfs", "state": "present", "options": {"server": "10.0.0.9"}},
        {"name": "c", "state": "present"},
        {"name": "d", "type": "dir", "state": "present", "content": [], "options": {"path": "/d"}},
    ]
    with pytest.raises(DesiredError) as caught:
        list(storages.desired({"storages": wrong}))
    text = "\n".join(caught.value.problems)
    for part in ("did you mean path?", "a storage of type dir needs the option path", "needs the option export"):
        assert part in text
    assert "storage c: its type is missing" in text and "storage d: content is empty" in text


def test_an_unknown_node_is_refused_before_the_first_write(site: Site) -> None:
    """Would catch a storage that is defined for a node that does not exist: the API takes it."""
    with site.session() as session:
        site.forget()
        (refusal,) = work(session).plan(storages=[{**WANTED[0], "nodes": ["pve3"]}]).refusals
        assert "no node pve3; there are pve1, pve2" in refusal and site.writes() == []


def test_a_missing_privilege_is_named(site: Site) -> None:
    """Would catch a bare 403."""
    with site.session() as session:
        session.pve.post("/access/users", userid="weak@pve", password="password1")
        session.pve.put("/access/acl", path="/", roles="PVEAuditor", users="weak@pve")
    with site.session(api_user="weak@pve", api_password="password1") as session:
        made = work(session).plan(storages=WANTED[1:2])
        assert made.changed
        result = work(session).apply(storages=WANTED[1:2])
        assert "Datastore.Allocate on /storage" in result.message()


def test_playbook_secrets_appear_nowhere(site: Site) -> None:
    """Would catch a password in -vvv, in the diff or in the result, and a second run that changes something."""
    password = "correct-horse-battery-staple"
    cifs = {
        "name": "share",
        "type": "cifs",
        "nodes": ["pve2"],
        "password": password,
        "options": {"server": "10.0.0.9", "share": "s", "username": "u"},
    }
    site.control("POST", "settings", servers=["10.0.0.9"])
    task = {"socle.platform.proxmox_storages": {**site.connection(), "storages": [*WANTED, cifs]}}
    site.forget()
    checked = site.playbook([task], "--check", "--diff", "-vvv")
    assert site.writes() == []
    applied = site.playbook([task, task], "--diff", "-vvv")
    predicted, done = results(checked), results(applied)
    assert [r["changed"] for r in predicted + done] == [True, True, False], applied.stdout[-3000:]
    assert [o["fields"] for o in predicted[0]["objects"]] == [o["fields"] for o in done[0]["objects"]]
    for output in (checked, applied):
        assert password not in output.stdout + output.stderr
    with site.session() as session:
        assert session.pve.get("/storage/share")["server"] == "10.0.0.9"


def test_somebody_else_s_change_is_not_overwritten_unseen(site: Site) -> None:
    """Would catch a write that goes over a change made after the plan, under a digest read too late."""
    with site.session() as session:
        work(session).apply(storages=WANTED)
        changed = [{**WANTED[1], "content": ["rootdir"]}]
        job = work(session)
        parameters = job.parameters({"storages": changed})
        reader = job.reader(parameters)
        made = engine.plan(list(job.desired(parameters)), reader, job.options)
        session.pve.put("/storage/fast", sparse=False)
        result = engine.apply(made, lambda: job.writer(parameters), reader=reader, options=job.options, bound=True)
        assert "sparse has moved" in result.message()
        assert session.pve.get("/storage/fast")["content"] == "images"


def test_playbook_info_gives_back_what_was_asked_for(site: Site) -> None:
    """Would catch an info module whose list means something else to the module, or the wrong node."""
    with site.session() as session:
        wanted = [*WANTED, {"name": "off", "type": "dir", "enabled": False, "options": {"path": "/srv/off"}}]
        work(session).apply(storages=wanted)
        found = results(site.playbook([{"socle.platform.proxmox_storages_info": site.connection()}]))[0]
        by_name = {item["name"]: item for item in found["storages"]}
        assert set(by_name) == {"local", "off", *(item["name"] for item in WANTED)}
        assert by_name["images"]["content"] == ["import", "iso"] and by_name["images"]["nodes"] == ["pve1", "pve2"]
        assert by_name["images"]["options"]["path"] == "/srv/images" and not by_name["off"]["enabled"]
        known = [item for item in found["storages"] if item["name"] != "local"]
        assert not work(session).plan(storages=known).changed
        site.world.storages["local"].full = True
        row = session.pve.get("/nodes/pve2/storage/local/status")
        names = {**site.connection(), "names": ["local"]}
        usage = results(site.playbook([{"socle.platform.proxmox_storages_info": names}]))[0]["usage"]
        assert set(usage["local"]) == {"pve1", "pve2"}
        assert usage["local"]["pve2"] == {"active": True, "shared": False, "total": row["total"], "used": row["used"]}
