# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""proxmox_access against the simulator, with the secrets of tokens in a real encrypted file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._proxmox import access
from ansible_collections.socle.platform.plugins.module_utils._proxmox.access_writer import AccessWriter
from ansible_collections.socle.platform.plugins.module_utils._proxmox.errors import LoginFailed
from ansible_collections.socle.platform.plugins.module_utils._proxmox.session import Session
from ansible_collections.socle.platform.plugins.module_utils._secrets.errors import StoreError
from ansible_collections.socle.platform.plugins.module_utils._secrets.file import FileStore

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proxmox_site import Site, Work, killed, results, running

TOKEN = {"user": "socle@pve", "name": "socle", "privilege_separation": False, "secret": "proxmox/socle"}
WANTED: dict[str, Any] = {
    "roles": [{"name": "Socle", "preset": "platform"}],
    "groups": [{"name": "readers", "comment": "May look"}],
    "users": [
        {"name": "socle@pve", "comment": "The platform"},
        {"name": "ada@pve", "groups": ["readers"], "email": "ada@example.org", "password": "password1"},
    ],
    "tokens": [TOKEN],
    "acls": [
        {"path": "/", "role": "Socle", "user": "socle@pve"},
        {"path": "/vms", "role": "PVEAuditor", "group": "readers", "propagate": False},
    ],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("pve")) as made:
        yield made


@pytest.fixture(autouse=True)
def fresh(site: Site) -> None:
    site.reset()


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(file=tmp_path / "secrets.vault.yml", passwords=[("default", b"open sesame")])


def work(session: Session, store: Any, **options: Any) -> Work:
    """A task with its own Keeping, as in a run of the module."""
    made: list[access.Keeping] = []

    def keeping(parameters: dict[str, Any]) -> access.Keeping:
        if not made:
            made.append(access.Keeping(parameters, store))
        return made[0]

    return Work(
        access.spec(),
        access.desired,
        lambda p: access.Access(session, keeping(p)),
        lambda p: AccessWriter(session, keeping(p)),
        **options,
    )


def secret_of(store: FileStore) -> str:
    found = store.read("proxmox/socle")
    assert found is not None
    return found.fields["token"]


def test_the_whole_set_is_made_in_order_and_found_again(site: Site, store: FileStore) -> None:
    """Would catch an entry made before what it stands on, and any field that does not read back as it was sent."""
    with site.session() as session:
        result = work(session, store).apply(**WANTED)
        assert result.ok, result.message()
        site.forget()
        again = work(session, store).plan(**WANTED)
        assert not again.changed, again.as_dict()
        assert site.requests() == [f"GET /access/{part}" for part in ("roles", "groups", "users", "acl")]
    with site.session(api_user="ada@pve", api_password="password1") as session:
        assert session.pve.get("/cluster/resources", type="vm") == []


def test_the_token_s_secret_is_kept_and_opens_the_api(site: Site, store: FileStore) -> None:
    """Would catch a token whose secret nobody has, or another one than is kept."""
    with site.session() as session:
        result = work(session, store).apply(**WANTED)
        (note,) = next(o for o in result.outcomes if o.key.startswith("token")).notes
        assert "kept at proxmox/socle#token" in note and secret_of(store) not in str(result)
        assert session.pve.get("/access/users/socle@pve/token/socle").get("comment", "") == ""
    with site.session(api_token_id="socle@pve!socle", api_token_secret=secret_of(store)) as session:
        session.pve.post("/pools", poolid="by-token")


def test_rotation_happens_only_when_asked(site: Site, store: FileStore) -> None:
    """Would catch a token rotated by any run, an old secret still valid, and a rotation that is not stored."""
    with site.session() as session:
        work(session, store).apply(**WANTED)
        before = secret_of(store)
        work(session, store).apply(**WANTED)
        assert secret_of(store) == before
        result = work(session, store).apply(tokens=[{**TOKEN, "rotate": True}])
        assert result.ok, result.message()
    assert secret_of(store) != before
    with (
        site.session(api_token_id="socle@pve!socle", api_token_secret=before) as session,
        pytest.raises(LoginFailed),
    ):
        session.pve.get("/version")
    with site.session(api_token_id="socle@pve!socle", api_token_secret=secret_of(store)) as session:
        session.pve.get("/version")


class Lost(FileStore):
    """A store that takes nothing, as if the run had died before it could."""

    def create(self, path: str, secret: Any) -> Any:
        raise StoreError(path, "the disk is full", "Free some space.")

    def rotate(self, path: str, before: Any, secret: Any) -> Any:
        return self.create(path, secret)


@pytest.mark.parametrize("again", [False, True])
def test_a_token_whose_secret_was_lost_gets_a_new_one(site: Site, store: FileStore, again: bool) -> None:
    """Would catch a run that died between making (or rotating) a token and storing its secret, never healed."""
    lost = Lost(file=store.file, passwords=store.passwords)
    with site.session() as session:
        if again:
            work(session, store).apply(**WANTED)
        failed = work(session, lost).apply(**{**WANTED, "tokens": [{**TOKEN, "rotate": again}]})
        assert "the disk is full" in failed.message() and "Free some space" in failed.message()
        result = work(session, store).apply(**WANTED)
        assert result.ok, result.message()
    with site.session(api_token_id="socle@pve!socle", api_token_secret=secret_of(store)) as session:
        session.pve.post("/pools", poolid="healed")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("rotate", [False, True])
def test_a_run_killed_at_any_write_leaves_no_token_without_its_secret(
    site: Site, tmp_path: Path, after: bool, rotate: bool
) -> None:
    """Would catch a moment at which a killed run leaves a token whose stored secret is not its own."""
    few = {"users": WANTED["users"][:1], "roles": WANTED["roles"], "acls": WANTED["acls"][:1], "tokens": [TOKEN]}
    for at in range(1, 6 if not rotate else 3):
        site.reset()
        place = tmp_path / f"secrets-{at}.vault.yml"
        store = FileStore(file=place, passwords=[("default", b"open sesame")])
        with site.session() as session:
            if rotate:
                work(session, store).apply(**few)
            with killed(session, at, after):
                work(session, store).apply(**{**few, "tokens": [{**TOKEN, "rotate": rotate}]})
            result = work(session, store).apply(**few)
            assert result.ok, result.message()
            assert not work(session, store).plan(**few).changed
        with site.session(api_token_id="socle@pve!socle", api_token_secret=secret_of(store)) as session:
            session.pve.get("/version")


def test_a_token_that_somebody_else_uses_keeps_its_secret(site: Site, store: FileStore) -> None:
    """Would catch a token made by hand getting another secret behind its owner's back."""
    with site.session() as session:
        session.pve.post("/access/users", userid="socle@pve")
        value = session.pve.post("/access/users/socle@pve/token/socle", privsep=False)["value"]
        (refusal,) = work(session, store).plan(tokens=[TOKEN]).refusals
        assert "its secret is not kept at proxmox/socle#token" in refusal and "rotate" in refusal
    with site.session(api_token_id="socle@pve!socle", api_token_secret=value) as session:
        session.pve.get("/version")


def test_other_permissions_go_only_when_pruned(site: Site, store: FileStore) -> None:
    """Would catch permissions removed unasked, kept when asked, and those of others removed."""
    with site.session() as session:
        work(session, store).apply(**WANTED)
        session.pve.put("/access/acl", path="/storage", roles="PVEAdmin", users="socle@pve")
        session.pve.put("/access/acl", path="/storage", roles="PVEAdmin", users="root@pam")
        assert not work(session, store).plan(**WANTED).changed
        assert work(session, store, prune=True).apply(**WANTED).ok
        rows = [(row["path"], row["ugid"]) for row in session.pve.get("/access/acl")]
        assert sorted(rows) == [("/", "socle@pve"), ("/storage", "root@pam"), ("/vms", "readers")]


def test_everything_goes_in_order(site: Site, store: FileStore) -> None:
    """Would catch a user removed before its token, and a role before its entries."""
    with site.session() as session:
        work(session, store).apply(**WANTED)
        gone = {section: [{**item, "state": "absent"} for item in items] for section, items in WANTED.items()}
        result = work(session, store).apply(**gone)
        assert result.ok, result.message()
        assert session.pve.get("/access/acl") == []
        assert [row["userid"] for row in session.pve.get("/access/users")] == ["root@pam"]


def test_everything_wrong_is_said_before_the_first_write(site: Site, store: FileStore) -> None:
    """Would catch half a set written: unknown names, Proxmox's own roles, one's own user."""
    with site.session() as session:
        site.forget()
        wrong = {
            "roles": [
                {"name": "Mine", "privileges": ["VM.Audti"]},
                {"name": "PVEAdmin", "privileges": ["Sys.Incoming"]},
                {"name": "pvemine"},
            ],
            "users": [{"name": "ada", "groups": ["readres"]}, {"name": "root@pam", "state": "absent"}],
            "tokens": [{**TOKEN, "user": "nobody@pve"}],
            "acls": [{"path": "/", "role": "PVEAuditer", "group": "readers"}],
        }
        text = "\n".join(work(session, store).plan(**wrong).refusals)
        for part in (
            "no privilege VM.Audti; did you mean VM.Audit?",
            "role PVEAdmin: it is one of Proxmox's own",
            "names that begin with PVE",
            "no group readres",
            "as in ada@pve",
            "user root@pam: it is to be absent",
            "no user nobody@pve",
            "did you mean role PVEAuditor?",
            "no group readers",
        ):
            assert part in text, text
        assert site.writes() == []


def test_playbook_keeps_secrets_out_of_everything(site: Site, tmp_path: Path) -> None:
    """Would catch a token's secret or a password in any output; and check mode that writes or predicts wrongly."""
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    place = tmp_path / "secrets.vault.yml"
    task = {
        "socle.platform.proxmox_access": {**site.connection(), **WANTED, "backend": {"file": str(place)}},
        "register": "done",
    }
    options = ("--vault-password-file", str(password), "-vvv", "--diff")
    site.forget()
    checked = site.playbook([task], "--check", *options)
    predicted = results(checked)[0]
    assert predicted["changed"], predicted
    assert site.writes() == [] and not place.exists()
    applied = site.playbook([task, task], *options)
    done = results(applied)
    assert [r["changed"] for r in done] == [True, False], applied.stdout[-3000:]
    shown = [[(o["key"], o["action"], o["fields"]) for o in r["objects"]] for r in (predicted, done[0])]
    assert shown[0] == shown[1]
    store = FileStore(file=place, passwords=[("default", b"open sesame")])
    for text in (secret_of(store), "password1", "open sesame"):
        assert text not in checked.stdout + checked.stderr + applied.stdout + applied.stderr
    with site.session(api_token_id="socle@pve!socle", api_token_secret=secret_of(store)) as session:
        session.pve.get("/version")


def test_playbook_says_what_is_wrong_with_the_login(site: Site) -> None:
    """Would catch a traceback, or a sentence without the next step, for a wrong token."""
    wrong = site.connection(api_token_id="root@pam!none", api_token_secret="0" * 36)
    result = results(site.playbook([{"socle.platform.proxmox_access": {**wrong, "groups": [{"name": "x"}]}}]))[0]
    assert result["failed"] and "api_token_secret" in result["msg"] and "Traceback" not in str(result)


def test_playbook_info_gives_back_what_was_asked_for(site: Site, store: FileStore) -> None:
    """Would catch an info module whose lists cannot be given to the module that keeps them."""
    with site.session() as session:
        work(session, store).apply(**WANTED)
    found = results(site.playbook([{"socle.platform.proxmox_access_info": site.connection()}]))[0]
    (role,) = [item for item in found["roles"] if not item["builtin"]]
    assert role["name"] == "Socle" and "VM.Audit" in role["privileges"]
    assert {item["name"]: item["groups"] for item in found["users"]}["ada@pve"] == ["readers"]
    assert found["tokens"][0]["user"] == "socle@pve" and "secret" not in found["tokens"][0]
    assert {"path": "/vms", "role": "PVEAuditor", "group": "readers", "propagate": False} in found["acls"]
