# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to the collection socle.platform: do not import it from outside.
"""Takes snapshots of etcd into a folder: checked, sealed for whoever holds a key that this machine has not got, pruned.

etcd-CLUSTER-20261121T193000Z-r1207.db        as `etcdctl snapshot save` writes it
etcd-CLUSTER-20261121T193000Z-r1207.db.cms    the same, sealed: CMS, AES-256-GCM
etcd-CLUSTER-20261121T193000Z-r1207.tar.cms   what a rebuild needs beside it
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from . import etcd
from .call import Client, Identity
from .live import Refused
from .machine import Places, etcd_identity, etcd_url
from .snapshot import Snapshot, Unusable, check

NAME = re.compile(r"etcd-([0-9a-f]+)-(\d{8}T\d{6}Z)-r(\d+)\.db(\.cms)?")
TIME = "%Y%m%dT%H%M%SZ"
SEALED = ".cms"
# For each piece of a snapshot; the whole may take as long as it needs.
PIECE_SECONDS = 60.0
DAY = 86400


@dataclass(frozen=True)
class Order:
    """What is wanted. `recipient` is a certificate as PEM: without it nothing is sealed."""

    folder: Path
    recipient: str = ""
    files: tuple[Path, ...] = ()
    keep: int = 0
    keep_days: float = 0.0
    fresh: float = 0.0
    """A good snapshot that is younger than so many seconds will do."""


@dataclass(frozen=True)
class Taken:
    path: str
    made: bool
    sha256: str
    revision: int
    cluster: str
    size: int
    files: str = ""
    pruned: tuple[str, ...] = ()


def known(folder: Path) -> list[Snapshot]:
    """The snapshots in a folder, by what their names tell."""
    found = []
    for path in sorted(folder.glob("etcd-*")):
        name = NAME.fullmatch(path.name)
        if name:
            moment = datetime.strptime(name[2], TIME).replace(tzinfo=timezone.utc)
            found.append(Snapshot(path, name[1], moment.timestamp()))
    return found


def take(places: Places, order: Order, *, dry: bool = False) -> Taken:
    """A snapshot of the etcd on this machine."""
    identity, reason = etcd_identity(places)
    if identity is None:
        raise Refused(f"{reason}; run this on a control plane")
    try:
        url = etcd_url((places.kubernetes / "manifests" / "etcd.yaml").read_text())
    except OSError as error:
        raise Refused(f"no etcd runs here: {error.filename}: {(error.strerror or '').lower()}") from None
    told = etcd.ask(url, identity)
    if not told.answers:
        raise Refused(f"no snapshot was taken: {told.reason}")
    young = _young(order, told.cluster)
    if young is not None:
        return Taken(str(young.path), False, "", _revision(young.path), young.cluster, young.path.stat().st_size)
    stem = f"etcd-{told.cluster}-{datetime.now(timezone.utc).strftime(TIME)}-r{told.revision}"
    if dry:
        return Taken(str(order.folder / f"{stem}.db"), True, "", told.revision, told.cluster, told.size)
    order.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(order.folder)
    _room(order.folder, told.size * (2 if order.recipient else 1))
    part = order.folder / f".{stem}.part"
    try:
        _download(url, identity, part)
        digest = check(part)
        path = _place(part, order.folder / f"{stem}.db", order.recipient)
        beside = _files(order, stem)
    finally:
        part.unlink(missing_ok=True)
    pruned = prune(order, told.cluster)
    return Taken(str(path), True, digest, told.revision, told.cluster, path.stat().st_size, beside, tuple(pruned))


def _young(order: Order, cluster: str) -> Snapshot | None:
    if not order.fresh:
        return None
    for snapshot in reversed(known(order.folder)):
        sealed = snapshot.path.suffix == SEALED
        age = time.time() - snapshot.taken
        if snapshot.cluster == cluster and 0 <= age < order.fresh and sealed == bool(order.recipient):
            try:
                _unsealed_is_good(snapshot.path)
            except Unusable:
                continue
            return snapshot
    return None


def _unsealed_is_good(path: Path) -> None:
    """A sealed one cannot be looked into here, and was checked before it was sealed."""
    if path.suffix != SEALED:
        check(path)


def _revision(path: Path) -> int:
    found = NAME.fullmatch(path.name)
    return int(found[3]) if found else 0


def _sweep(folder: Path) -> None:
    """What a run that was killed left, in clear."""
    for path in folder.glob(".etcd-*.part*"):
        path.unlink(missing_ok=True)


def _room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed * 1.1:
        raise Refused(
            f"{folder}: {free >> 20} MiB are free, a snapshot needs {int(needed * 1.1) >> 20}; make room there"
        )


def _download(url: str, identity: Identity, path: Path) -> None:
    """In pieces, as etcd streams it; the last piece is its checksum."""
    with _private(path) as handle, Client(url, identity, PIECE_SECONDS) as client:
        for line in client.lines("POST", "/v3/maintenance/snapshot", {}):
            told = json.loads(line)
            if "error" in told:
                raise Refused(f"etcd broke the snapshot off: {told['error'].get('message', told['error'])}")
            handle.write(base64.b64decode(told.get("result", {}).get("blob", "")))
        handle.flush()
        os.fsync(handle.fileno())


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _place(part: Path, target: Path, recipient: str) -> Path:
    if recipient:
        target = target.with_name(target.name + SEALED)
        sealed = part.with_name(part.name + SEALED)
        try:
            seal(part, sealed, recipient)
            sealed.replace(target)
        finally:
            sealed.unlink(missing_ok=True)
    else:
        part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return target


def seal(source: Path, target: Path, recipient: str) -> None:
    """For the holder of the recipient's key. This machine cannot open it again, nor can who takes this machine."""
    shown = target.with_name(target.name + ".pem")
    try:
        with _private(shown) as handle:
            handle.write(recipient.encode())
        with _private(target):
            pass
        argv = ["openssl", "cms", "-encrypt", "-binary", "-stream", "-outform", "DER", "-aes-256-gcm"]
        _openssl([*argv, "-in", str(source), "-out", str(target), str(shown)], f"{source.name} cannot be sealed")
    finally:
        shown.unlink(missing_ok=True)
    with target.open("rb") as handle:
        os.fsync(handle.fileno())


def unseal(source: Path, target: Path, certificate: str, key: str) -> None:
    """With the key, which is handed over and never written. What was changed on the way is refused."""
    shown = target.with_name(f".{target.name}.pem")
    try:
        with _private(shown) as handle:
            handle.write(certificate.encode())
        with _private(target):
            pass
        argv = ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", str(source), "-out", str(target)]
        _openssl([*argv, "-recip", str(shown), "-inkey", "/dev/stdin"], "it does not open", key)
    except Refused as error:
        target.unlink(missing_ok=True)
        raise Unusable(f"{source}: it is damaged, truncated, or sealed for another key ({error})") from None
    finally:
        shown.unlink(missing_ok=True)


@dataclass(frozen=True)
class Opened:
    source: str
    sha256: str
    cluster: str
    revision: int
    taken: float
    passed: tuple[str, ...] = ()
    """Newer ones, and why they were passed over."""


def open_newest(
    where: Path, target: Path, *, cluster: str = "", certificate: str = "", key: str = "", dry: bool = False
) -> Opened:
    """The newest good snapshot of a folder, or the one file that is named, in clear at `target`."""
    if target.exists():
        raise Refused(f"{target} is there already: take it away, or name another place")
    single = where.is_file()
    candidates = [s for s in known(where.parent) if s.path == where] or [Snapshot(where)] if single else known(where)
    passed: list[str] = []
    for snapshot in sorted(candidates, key=lambda item: item.taken, reverse=True):
        if cluster and snapshot.cluster and snapshot.cluster != cluster:
            passed.append(f"{snapshot.path}: it is of the cluster {snapshot.cluster}, wanted {cluster}")
            continue
        try:
            digest = _open(snapshot.path, target, certificate, key)
        except Unusable as error:
            passed.append(str(error))
            continue
        if dry:
            target.unlink()
        path = snapshot.path
        return Opened(str(path), digest, snapshot.cluster, _revision(path), snapshot.taken, tuple(passed))
    raise Unusable("; ".join(passed) if passed else f"{where}: there is no snapshot; name another folder or file")


def _open(path: Path, target: Path, certificate: str, key: str) -> str:
    try:
        if path.suffix == SEALED:
            if not key:
                raise Unusable(f"{path}: it is sealed, and no key was given")
            unseal(path, target, certificate, key)
        else:
            with path.open("rb") as source, _private(target) as handle:
                shutil.copyfileobj(source, handle)
        return check(target)
    except Unusable as error:
        target.unlink(missing_ok=True)
        raise Unusable(str(error).replace(str(target), str(path))) from None


def _openssl(argv: Sequence[str], what: str, told: str = "") -> None:
    try:
        done = subprocess.run(list(argv), input=told, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Refused(f"{what}: there is no program openssl; install the package openssl") from None
    if done.returncode:
        raise Refused(f"{what}: openssl says {(done.stderr.strip().splitlines() or ['nothing'])[0][:200]}")


def _files(order: Order, stem: str) -> str:
    """The other files as an archive of their own, sealed in the same way."""
    if not order.files:
        return ""
    part = order.folder / f".{stem}.part.tar"
    try:
        with _private(part) as handle, tarfile.open(fileobj=handle, mode="w") as archive:
            for path in order.files:
                if not path.exists():
                    raise Refused(f"{path} is not there, and is to be saved beside the snapshot; correct the list")
                archive.add(path, arcname=str(path).lstrip("/"))
        return str(_place(part, order.folder / f"{stem}.tar", order.recipient))
    finally:
        part.unlink(missing_ok=True)


def prune(order: Order, cluster: str) -> Iterator[str]:
    """Delete what is too old or too much, of this cluster alone; the newest one is never deleted."""
    ours = sorted((s for s in known(order.folder) if s.cluster == cluster), key=lambda s: s.taken, reverse=True)
    limit = time.time() - order.keep_days * DAY
    for number, snapshot in enumerate(ours):
        too_many = order.keep and number >= order.keep
        too_old = order.keep_days and snapshot.taken < limit
        if number and (too_many or too_old):
            stem = snapshot.path.name.split(".db")[0]
            for path in (snapshot.path, *order.folder.glob(f"{stem}.tar*")):
                path.unlink(missing_ok=True)
            yield str(snapshot.path)


__all__ = ["Opened", "Order", "Taken", "known", "open_newest", "prune", "seal", "take", "unseal"]
