# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of a real etcd: taken, sealed, pruned, refused, and restored by etcd's own tool."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.socle.platform.plugins.module_utils._cluster import live, snapshot, wal
from ansible_collections.socle.platform.plugins.module_utils._cluster.backup import Order, open_newest, take, unseal
from ansible_collections.socle.platform.plugins.module_utils._secrets.kinds import KINDS, Spec

from .cluster_real import PLANTED, Site, planted, programs, sites, until


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("programs")
    yield programs(folder)
    shutil.rmtree(folder)


@pytest.fixture
def single(binaries: Path, tmp_path: Path) -> Iterator[Site]:
    """One control plane."""
    yield from sites(binaries, tmp_path, ("c1",))


def test_a_snapshot_is_believed_only_whole(single: Site, tmp_path: Path) -> None:
    """Catches a damaged, truncated, foreign or unsummed snapshot that would be restored, and a good one refused."""
    single.start("c1", among=("c1",))
    until("etcd", lambda: single.controls["c1"].state().etcd.healthy)
    single.etcdctl("c1", "put", "planted", "x" * 5000)
    good = tmp_path / "good.db"
    single.etcdctl("c1", "snapshot", "save", str(good))
    content = good.read_bytes()
    assert snapshot.check(good) == hashlib.sha256(content[:-32]).hexdigest()
    damages = {
        "damaged": content[:9000] + bytes([content[9000] ^ 1]) + content[9001:],
        "truncated": content[: len(content) // 2 + 7],
        "no checksum": content[:-32],
        "no database of etcd": b"-----BEGIN AGE ENCRYPTED FILE-----" + content[34:],
        "empty": b"",
    }
    for said, wrong in damages.items():
        path = tmp_path / f"{said.replace(' ', '-')}.db"
        path.write_bytes(wrong)
        with pytest.raises(snapshot.Unusable, match=said):
            snapshot.check(path)
    found, passed = snapshot.newest(
        [
            snapshot.Snapshot(good, "k1", 1.0),
            snapshot.Snapshot(tmp_path / "truncated.db", "k1", 3.0),
            snapshot.Snapshot(good, "k2", 2.0),
        ],
        "k1",
    )
    assert found == snapshot.Snapshot(good, "k1", 1.0)
    assert len(passed) == 2
    # The same file is whole for etcd's own tool, and the damaged one is not.
    assert wal.identity(single.controls["c1"].places.etcd).member == single.controls["c1"].state().etcd.member


SEAL = KINDS["ca"].make(Spec(kind="ca", name="backup"), "kubernetes/backup")


def order(site: Site, **more: Any) -> Order:
    return Order(site.folder / "backups", **{"recipient": SEAL["certificate"], **more})


def opened(site: Site, path: str, of: dict[str, str] = SEAL) -> Path:
    """As a restore would: with the key, which the machine never had."""
    clear = site.folder / "clear.db"
    clear.unlink(missing_ok=True)
    unseal(Path(path), clear, of["certificate"], of["key"])
    return clear


def test_a_planted_value_comes_back_from_a_sealed_snapshot(single: Site) -> None:
    """Catches a snapshot that cannot be restored, that lies about in clear, or that others may read."""
    control = planted(single)
    taken = take(control.places, order(single, files=(control.pki,)))
    files = sorted((single.folder / "backups").iterdir())
    assert sorted(str(path) for path in files) == sorted([taken.path, taken.files])
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    assert (single.folder / "backups").stat().st_mode & 0o777 == 0o700
    assert not any(word in path.read_bytes() for path in files for word in (b"nobody-else-writes", b"PRIVATE KEY"))

    clear = opened(single, taken.path)
    assert snapshot.check(clear) == taken.sha256
    single.kill("c1")
    shutil.rmtree(control.places.etcd)
    restore = ["snapshot", "restore", clear, "--name", "c1", "--data-dir", control.places.etcd]
    restore += ["--initial-cluster", f"c1={control.peer_url}", "--initial-advertise-peer-urls", control.peer_url]
    subprocess.run([single.bin / "etcdutl", *restore], check=True, capture_output=True)
    single.start("c1", among=("c1",))
    until("the restored etcd", lambda: control.state().etcd.healthy)
    found = single.etcdctl("c1", "get", "planted")["kvs"][0]["value"]
    assert base64.b64decode(found).decode() == PLANTED

    with tarfile.open(opened(single, taken.files)) as archive:
        key = archive.extractfile(str(control.pki / "ca.key").lstrip("/"))
        assert key
        assert key.read() == (control.pki / "ca.key").read_bytes()


def test_a_sealed_snapshot_that_was_changed_or_is_for_another_key_is_refused(single: Site) -> None:
    """Catches a damaged, truncated or foreign snapshot that is opened all the same, or leaves something behind."""
    control = planted(single)
    path = Path(take(control.places, order(single)).path)
    content = path.read_bytes()
    middle = len(content) // 2
    for wrong in (content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :], content[:middle]):
        path.write_bytes(wrong)
        with pytest.raises(snapshot.Unusable, match="damaged, truncated, or sealed for another key"):
            opened(single, str(path))
        assert not (single.folder / "clear.db").exists()
    path.write_bytes(content)
    other = KINDS["ca"].make(Spec(kind="ca", name="other"), "kubernetes/other")
    with pytest.raises(snapshot.Unusable, match="another key"):
        opened(single, str(path), other)
    assert not (single.folder / "clear.db").exists()


def test_the_newest_good_snapshot_is_opened_and_worse_ones_are_told(single: Site) -> None:
    """Catches a restore from a foreign, damaged or locked snapshot, or none where an older one is good."""
    control = planted(single)
    folder, target = single.folder / "backups", single.folder / "restore.db"
    good = Path(take(control.places, order(single)).path)
    cluster = control.state().etcd.cluster
    torn = folder / f"etcd-{cluster}-20990101T000000Z-r99.db.cms"
    torn.write_bytes(good.read_bytes()[:5000])
    foreign = folder / "etcd-abcdef-20990101T000000Z-r99.db.cms"
    shutil.copy(good, foreign)
    keys = {"certificate": SEAL["certificate"], "key": SEAL["key"]}
    found = open_newest(folder, target, cluster=cluster, **keys)
    assert found.source == str(good)
    assert snapshot.check(target) == found.sha256
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(text.split(":")[0] for text in found.passed) == sorted(map(str, (torn, foreign)))
    target.unlink()
    with pytest.raises(snapshot.Unusable, match="sealed, and no key was given"):
        open_newest(folder, target, cluster=cluster)
    with pytest.raises(snapshot.Unusable, match="of the cluster abcdef"):
        open_newest(foreign, target, cluster=cluster, **keys)
    with pytest.raises(snapshot.Unusable, match="there is no snapshot"):
        open_newest(single.folder / "nowhere", target, **keys)
    assert not target.exists()


def test_old_snapshots_go_and_the_newest_of_each_cluster_stays(single: Site) -> None:
    """Catches snapshots of other clusters deleted, all of them gone, or one taken where a fresh one is there."""
    control = planted(single)
    folder = single.folder / "backups"
    folder.mkdir()
    cluster = control.state().etcd.cluster
    for name in (
        f"etcd-{cluster}-20200101T000000Z-r1.db",
        f"etcd-{cluster}-20200101T000000Z-r1.tar.cms",
        f"etcd-{cluster}-20210101T000000Z-r2.db",
        "etcd-abcdef-20200101T000000Z-r9.db",
        ".etcd-abcdef.part",
        "notes.txt",
    ):
        (folder / name).write_text("old")
    dry = take(control.places, order(single, keep=2), dry=True)
    assert dry.made
    assert len([*folder.iterdir()]) == 6
    taken = take(control.places, order(single, keep=2))
    left = {path.name for path in folder.iterdir()}
    assert left == {
        Path(taken.path).name,
        f"etcd-{cluster}-20210101T000000Z-r2.db",
        "etcd-abcdef-20200101T000000Z-r9.db",
        "notes.txt",
    }
    again = take(control.places, order(single, fresh=3600.0))
    assert (again.made, again.path) == (False, taken.path)
    older = take(control.places, order(single, keep_days=30.0))
    assert Path(older.path).exists()
    assert f"etcd-{cluster}-20210101T000000Z-r2.db" not in {path.name for path in folder.iterdir()}


def test_without_etcd_no_snapshot_is_left(single: Site) -> None:
    """Catches an empty or half written file that passes for a snapshot."""
    control = planted(single)
    single.kill("c1")
    with pytest.raises(live.Refused, match="no snapshot was taken"):
        take(control.places, order(single))
    assert not (single.folder / "backups").exists()
