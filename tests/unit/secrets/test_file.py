# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file beside the manifest: what it survives, and that everybody agrees on one value."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.socle.platform.plugins.module_utils import _wait
from ansible_collections.socle.platform.plugins.module_utils._reconcile import Secret, apply, plan
from ansible_collections.socle.platform.plugins.module_utils._secrets import adapter, ansible_vault, file, lock
from ansible_collections.socle.platform.plugins.module_utils._secrets.errors import (
    Conflict,
    KindMismatch,
    StoreError,
)
from ansible_collections.socle.platform.plugins.module_utils._secrets.file import FileStore
from ansible_collections.socle.platform.plugins.module_utils._secrets.keeper import Keeper
from ansible_collections.socle.platform.plugins.module_utils._secrets.kinds import Spec
from ansible_collections.socle.platform.plugins.module_utils._secrets.store import new
from hypothesis import given, settings
from hypothesis import strategies as st

PASSWORD = ("default", b"pw")
MAKER = Path(__file__).with_name("maker.py")


def keeper(path: Path, **options: object) -> Keeper:
    return Keeper(FileStore(path, [PASSWORD], **options))  # type: ignore[arg-type] # options of many types


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "secrets.vault.yml"


def clear(path: Path) -> str:
    return ansible_vault.decrypt(path.read_bytes(), [PASSWORD], "x")[0].decode()


def seal(path: Path, text: str) -> None:
    path.write_bytes(ansible_vault.encrypt(text.encode(), PASSWORD))


def start(path: Path, count: int, prefix: str) -> subprocess.Popen[str]:
    argv = [sys.executable, str(MAKER), str(path), str(count), prefix]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_made_once_and_the_same_ever_after(store: Path) -> None:
    first, made = keeper(store).ensure("gitlab/root_password", Spec())
    assert made and len(first.fields["password"]) == 32
    before = store.read_bytes()
    second, again = keeper(store).ensure("gitlab/root_password", Spec(length=64))
    assert not again and second.fields == first.fields and second.generation == 1
    assert second.kind == "password" and second.created == second.rotated == first.created
    assert store.read_bytes() == before, "a second run rewrote the file"
    assert [p.name for p in store.parent.iterdir()] == [store.name], "left something behind"


def test_the_file_is_for_its_owner_only_and_holds_no_value_in_clear(store: Path) -> None:
    kept, _made = keeper(store).ensure("a", Spec())
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert kept.fields["password"].encode() not in store.read_bytes()


@pytest.mark.parametrize("vault_id", ["default", "prod"])
def test_ansible_vault_reads_it_and_we_read_what_ansible_vault_wrote(
    tmp_path: Path, store: Path, vault_id: str
) -> None:
    """The real program judges the format, both ways."""
    key = tmp_path / "key"
    key.write_text("s3cret pw\n")
    program = str(Path(sys.executable).with_name("ansible-vault"))
    source = [f"--vault-id={vault_id}@{key}"]
    passwords = [("other", b"wrong"), (vault_id, b"s3cret pw")]
    kept, _made = Keeper(FileStore(store, passwords, encrypt_id=vault_id)).ensure("ssh/deploy", Spec("ed25519"))
    view = subprocess.run([program, "view", *source, str(store)], capture_output=True, text=True, check=True)
    assert "secrets:" in view.stdout and kept.fields["public_key"] in view.stdout
    assert (b";1.2;AES256;prod" in store.read_bytes()) == (vault_id == "prod")

    plain = tmp_path / "plain.yml"
    plain.write_text("secrets:\n  a/b: {password: 0123}\n  c: yes\n")
    argv = [program, "encrypt", *source, f"--encrypt-vault-id={vault_id}", "--output", str(store), str(plain)]
    subprocess.run(argv, check=True, capture_output=True)
    again = FileStore(store, passwords)
    found = again.read("a/b")
    assert found and dict(found.fields) == {"password": "0123"}, "a value became a number"
    other = again.read("c")
    assert other and dict(other.fields) == {"password": "yes"} and other.kind is None
    # A rewrite keeps the label and the password that opened it.
    Keeper(again).ensure("new", Spec())
    subprocess.run([program, "view", *source, str(store)], capture_output=True, check=True)


@given(st.binary(max_size=400), st.binary(min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_any_bytes_survive_the_format(plain: bytes, password: bytes) -> None:
    sealed = ansible_vault.encrypt(plain, ("default", password))
    assert ansible_vault.decrypt(sealed, [("x", b"no"), ("default", password)], "f")[0] == plain


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_file_is_an_error_and_never_other_content(data: st.DataObject) -> None:
    sealed = bytearray(ansible_vault.encrypt(b"secrets: {a: {password: x}}", PASSWORD))
    how = data.draw(st.sampled_from(["flip", "cut", "insert"]))
    at = data.draw(st.integers(0, len(sealed) - 2))
    if how == "flip":
        sealed[at] ^= 1 << data.draw(st.integers(0, 6))
    elif how == "cut":
        sealed = sealed[:at]
    else:
        sealed[at:at] = b"zz"
    try:
        plain, _password = ansible_vault.decrypt(bytes(sealed), [PASSWORD], "f")
    except StoreError as error:
        assert "f: " in str(error)
        return
    # Only what does not touch the data may pass: the case of a hex digit, a line break.
    assert plain == b"secrets: {a: {password: x}}"


@given(st.dictionaries(st.sampled_from(["password", "a", "b"]), st.text(min_size=1, max_size=30), min_size=1))
@settings(max_examples=80, deadline=None)
def test_every_text_survives_the_yaml_inside(fields: dict[str, str]) -> None:
    fields = {k: "".join(c for c in v if c.isprintable() or c in "\n\t") or "x" for k, v in fields.items()}
    content = {"secrets": {"p": fields}, "metadata": {}, "previous": {}}
    assert file._parse(file._dump(content), "f")["secrets"]["p"] == fields


def test_eight_processes_agree_on_every_value(store: Path) -> None:
    """Without the lock two of them make the same path, and one value is lost."""
    runs = [start(store, 12, "p") for _each in range(8)]
    seen: dict[str, set[str]] = {}
    makers = 0
    for run in runs:
        out, err = run.communicate(timeout=120)
        assert run.returncode == 0, err
        for line in out.splitlines():
            path, value, made = json.loads(line)
            seen.setdefault(path, set()).add(value)
            makers += made
    assert len(seen) == 12 and all(len(values) == 1 for values in seen.values()) and makers == 12
    kept = FileStore(store, [PASSWORD])
    assert {p: {kept.read(p).fields["password"]} for p in kept.list()} == seen  # type: ignore[union-attr] # listed
    assert [p.name for p in store.parent.iterdir()] == [store.name]


def test_killed_at_any_moment_nothing_told_is_lost_and_the_next_run_goes_on(store: Path) -> None:
    """What a run has answered was on disk before; a torn file or a stuck lock would fail the next round."""
    chance = random.Random(11)
    told: dict[str, str] = {}
    for round_ in range(12):
        run = start(store, 200, f"r{round_}-")
        assert run.stdout is not None
        first = run.stdout.readline()  # it is at work: now any moment is the right one
        time.sleep(chance.uniform(0, 0.12))
        run.send_signal(signal.SIGKILL)
        rest, _err = run.communicate(timeout=60)
        for line in (first + rest).splitlines():
            with_value = json.loads(line) if line.endswith("]") else None
            if with_value:
                told[with_value[0]] = with_value[1]
    started = time.monotonic()
    kept = FileStore(store, [PASSWORD])
    Keeper(kept).ensure("after", Spec())
    assert time.monotonic() - started < 5, "a dead run's lock was waited for"
    for path, value in told.items():
        found = kept.read(path)
        assert found and found.fields["password"] == value
    assert len(told) >= 12
    assert {p.name for p in store.parent.iterdir()} <= {store.name, f".{store.name}.new"}


def test_a_living_owner_is_named_when_the_wait_ends(store: Path) -> None:
    with lock.held(store.with_name(store.name + ".lock"), "x", 1), pytest.raises(StoreError) as caught:
        keeper(store, timeout=0.3).ensure("a", Spec())
    said = str(caught.value)
    assert f"locked by process {os.getpid()} on {socket.gethostname()} since 20" in said
    assert "waited 0.3 s" in said and f"rm {store}.lock" in said
    assert not store.exists()


class Heard:
    """A progress that keeps the waits it is told."""

    def __init__(self) -> None:
        self.waits: list[tuple[str, str]] = []

    def event(self, object: str, step: str, done: int, total: int, detail: str = "") -> None:
        """Nothing is counted here."""

    def waiting(self, what: str, cause: str, elapsed: float) -> None:
        self.waits.append((what, cause))


def test_a_wait_for_the_lock_tells_whose_it_is(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that stands still for half a minute says what it waits for, and who holds it, while it waits."""
    monkeypatch.setattr(_wait, "REPORT_AFTER", 0.05)
    heard = Heard()
    waiting = keeper(store, timeout=0.5)
    waiting.store.tell(heard)
    with lock.held(store.with_name(store.name + ".lock"), "x", 1), pytest.raises(StoreError):
        waiting.ensure("a", Spec())
    what, cause = heard.waits[0]
    assert what == f"the lock of {store}" and f"locked by process {os.getpid()} on" in cause


def test_the_modules_writer_tells_its_waits(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engine hands to a writer reaches the store's own waits."""
    monkeypatch.setattr(_wait, "REPORT_AFTER", 0.05)
    heard, wanted = Heard(), adapter.Wanted()
    backend = {"backend": "file", "file": str(store), "timeout": 0.5}
    parameters = {
        "secrets": {"a": {}},
        "backend": backend,
        "vault_passwords": [{"id": "default", "password": Secret("pw")}],
    }
    made = plan(wanted.desired(parameters), wanted.reader(parameters))
    with lock.held(store.with_name(store.name + ".lock"), "x", 1):
        result = apply(made, lambda: wanted.writer(parameters), reader=wanted.reader(parameters), progress=heard)
    assert "locked by process" in result.message()
    assert any("locked by process" in cause for _what, cause in heard.waits)


def test_a_foreign_owner_in_a_shared_folder_is_respected(store: Path) -> None:
    """The kernel's lock says nothing about another machine; only the text does."""
    owner = {"pid": 7, "host": "elsewhere", "boot": "other", "since": time.time()}
    Path(f"{store}.lock").write_text(json.dumps(owner))
    with pytest.raises(StoreError, match="locked by process 7 on elsewhere since 20"):
        keeper(store, timeout=0.2).ensure("a", Spec())
    assert Path(f"{store}.lock").exists() and not store.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        '{"pid": 1}',
        json.dumps({"pid": 4, "host": socket.gethostname(), "boot": lock._boot(), "since": time.time()}),
        json.dumps({"pid": 4, "host": socket.gethostname(), "boot": "an older boot", "since": 1.0}),
    ],
    # Said here, because one of them holds the time: workers would disagree on what the tests are called.
    ids=["empty", "garbage", "half", "dead", "before a restart"],
)
def test_a_dead_owners_lock_is_taken_over_and_said(store: Path, text: str) -> None:
    Path(f"{store}.lock").write_text(text)
    remarks: list[str] = []
    keeper(store, timeout=1, remark=remarks.append).ensure("a", Spec())
    assert not Path(f"{store}.lock").exists()
    if "host" in text:
        assert "took over" in remarks[0] and "process 4" in remarks[0] and "no longer alive" in remarks[0]


def test_a_lock_removed_between_opening_and_taking_it_does_not_count(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner ends just then: we would hold a file without a name, and the next run another one."""
    name = Path(f"{store}.lock")
    real, calls = fcntl.flock, []

    def flock(descriptor: int, how: int) -> None:
        if not calls:
            name.unlink()
        calls.append(how)
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with lock.held(name, "x", 5):
        assert len(calls) == 2 and name.exists()


def test_a_new_version_replaces_the_file_and_never_writes_into_it(store: Path) -> None:
    """A reader, or a crash, in the middle of a write would otherwise find half a file."""
    keeper(store).ensure("a", Spec())
    before = store.read_bytes()
    other_name = store.with_name("link")
    other_name.hardlink_to(store)
    keeper(store).ensure("b", Spec())
    assert other_name.read_bytes() == before and store.read_bytes() != before


def test_without_a_password_the_error_says_how_to_make_one(store: Path) -> None:
    with pytest.raises(StoreError, match=r"no vault password.*vault_password_file = .*--vault-password-file"):
        Keeper(FileStore(store, [])).ensure("a", Spec())
    assert not store.exists()


def test_a_wrong_password_is_named_and_nothing_is_touched(store: Path) -> None:
    keeper(store).ensure("a", Spec())
    before = store.read_bytes()
    with pytest.raises(StoreError, match=r"none of the vault passwords .*\(tried: prod\).*ansible-vault view"):
        Keeper(FileStore(store, [("prod", b"no")])).ensure("b", Spec())
    assert store.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is empty"),
        (b"secrets: {}", "it is not encrypted"),
        (b"$ANSIBLE_VAULT;1.1;AES256\n6162", "damaged"),
        (b"$ANSIBLE_VAULT;9.9;AES256\n6162", "damaged"),
        (b"$ANSIBLE_VAULT;1.1;AES256\nzzzz", "damaged"),
    ],
)
def test_a_file_that_is_none_of_ours_is_never_overwritten(store: Path, content: bytes, says: str) -> None:
    store.write_bytes(content)
    with pytest.raises(StoreError, match=says):
        keeper(store).ensure("a", Spec())
    assert store.read_bytes() == content


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("secrets: [a: {", "not YAML near line"),
        ("secrets: {a: {password: hush}}\nsecret: {}", "it holds secret beside"),
        ("secrets: {a: {password: hush}, a: {password: other}}", "the key a stands there twice"),
        ("secrets: [hush]", "secrets is no mapping"),
        ("[hush]", "a list or text"),
        ("secrets: {a: [hush]}", "neither text nor a mapping"),
        ("secrets: {a: {password: {deep: hush}}}", "its field password holds no text"),
        ("secrets: {a: {password: }}", "its field password holds no text"),
        ("secrets: {a: {}}", "it has no fields"),
    ],
)
def test_a_mistake_made_by_hand_is_explained_without_the_value(store: Path, text: str, says: str) -> None:
    seal(store, text)
    with pytest.raises(Exception, match=says) as caught:
        keeper(store).ensure("a", Spec())
    chain = [caught.value]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)  # type: ignore[arg-type] # only our own errors are chained
    assert all("hush" not in str(error) for error in chain)
    assert "ansible-vault edit" in str(caught.value)


def test_what_a_human_added_is_used_as_it_is_and_stays(store: Path) -> None:
    seal(store, "secrets: {aws/key: {id: AKIA, secret: 0x1F}, plain: abc}")
    hand = keeper(store)
    found, made = hand.ensure("plain", Spec())
    assert not made and found.fields == {"password": "abc"} and found.kind is None
    hand.ensure("new", Spec())
    assert "secret: '0x1F'" in clear(store) or "secret: 0x1F" in clear(store)
    with pytest.raises(KindMismatch, match="asked for kind ed25519"):
        hand.ensure("aws/key", Spec("ed25519"))


def test_rotation_makes_a_new_generation_and_keeps_the_one_before(store: Path) -> None:
    first, _made = keeper(store).ensure("a", Spec())
    second = keeper(store).rotate("a", Spec())
    assert second.generation == 2 and second.fields != first.fields and second.created == first.created
    again, made = keeper(store).ensure("a", Spec())
    assert not made and again == second
    assert first.fields["password"] in clear(store).split("previous")[0 if "previous" not in clear(store) else 1]


def test_a_value_that_an_api_made_is_kept_without_a_kind(store: Path) -> None:
    """A null would be read back as the text "null", and be another kind for ever."""
    FileStore(store, [PASSWORD]).create("api/token", new({"token": "abc"}, None))
    found = FileStore(store, [PASSWORD]).read("api/token")
    assert found and found.kind is None and found.fields == {"token": "abc"} and found.created and found.generation == 1
    assert not keeper(store).ensure("api/token", Spec("token"))[1]


def test_a_rotation_of_what_somebody_changed_meanwhile_is_refused(store: Path) -> None:
    first, _made = keeper(store).ensure("a", Spec())
    second = keeper(store).rotate("a", Spec())
    with pytest.raises(Conflict, match="another run changed it"):
        keeper(store).rotate("a", Spec(), expect=first)
    assert keeper(store).find("a") == second


def test_symbolic_links_stay_and_both_names_are_one_store(tmp_path: Path, store: Path) -> None:
    real = tmp_path / "real" / "s.yml"
    real.parent.mkdir()
    store.symlink_to(real)
    kept, _made = keeper(store).ensure("a", Spec())
    assert store.is_symlink() and real.is_file() and not real.is_symlink()
    other, made = keeper(real).ensure("a", Spec())
    assert not made and other.fields == kept.fields
    with lock.held(real.with_name("s.yml.lock"), "x", 1), pytest.raises(StoreError, match="locked by"):
        keeper(store, timeout=0.1).ensure("b", Spec())


def test_a_loop_of_links_is_an_error(store: Path) -> None:
    store.symlink_to(store)
    with pytest.raises(StoreError, match="symbolic links"):
        keeper(store).ensure("a", Spec())


def test_a_missing_folder_says_the_command(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"its folder does not exist.*mkdir -p"):
        keeper(tmp_path / "no" / "s.yml").ensure("a", Spec())


def test_a_folder_nobody_may_write_to_is_said() -> None:
    """/sys refuses new files even to root."""
    with pytest.raises(StoreError, match=r"lock /sys/s\.yml\.lock cannot be made.*write access"):
        keeper(Path("/sys/s.yml")).ensure("a", Spec())


def test_a_full_disk_leaves_what_was_there(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, _made = keeper(store).ensure("a", Spec())
    before = store.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=r"No space left on device\. Make room"):
            keeper(store).ensure("b", Spec())
    assert store.read_bytes() == before
    assert [p.name for p in store.parent.iterdir()] == [store.name]
    assert keeper(store).find("a") == kept


def test_an_object_in_a_traceback_shows_no_value(store: Path) -> None:
    kept, _made = keeper(store).ensure("a", Spec())
    opened = keeper(store)
    opened.find("a")
    text = repr(kept) + repr(opened) + repr(opened.store) + str(kept)
    assert kept.fields["password"] not in text and "pw" not in text.replace("<", "")
